# apache/flink-statefun on Java 11: Flink from the packages of PyFlink, StateFun and the S3 plugin from their jars, in
# the places of upstream's image.
FROM python:3.11-slim AS flink
WORKDIR /download
# pip would run what is in the source archive before it keeps it; unearth only fetches.
RUN pip install --quiet --no-cache-dir unearth==0.19.0 \
 && unearth --no-binary --download . apache-flink-libraries==1.16.2 >/dev/null \
 && pip download --quiet --no-deps --only-binary=:all: --python-version 39 --platform manylinux1_x86_64 \
      apache-flink==1.16.2
COPY flink-statefun/packages.sha256 ./
# Left out: Table and SQL, Scala's and CEP's libraries. StateFun's image has no Table either.
RUN sha256sum --check --strict packages.sha256 \
 && mkdir /flink && tar -xzf apache-flink-libraries-*.tar.gz --strip-components=2 -C /flink --exclude='*/deps/opt' \
      --exclude='flink-table*' --exclude='flink-scala*' --exclude='flink-cep*' --wildcards '*/deps/*' \
 && python -m zipfile -e apache_flink-*.whl wheel \
 && cp -r wheel/pyflink/bin/. /flink/bin/ && cp -r wheel/pyflink/conf wheel/pyflink/log /flink/ \
 && rm -f /flink/bin/*.bat && chmod -R a+rX /flink && chmod a+x /flink/bin/*.sh /flink/bin/flink

FROM maven:3.8-eclipse-temurin-17 AS jars
WORKDIR /jars
RUN for artifact in statefun-flink-distribution:3.3.0 statefun-flink-core:3.3.0 flink-s3-fs-presto:1.16.3; do \
      mvn --batch-mode --quiet --strict-checksums org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy \
        -Dartifact=org.apache.flink:$artifact -DoutputDirectory=. || exit; \
    done && rm -rf ~/.m2/repository
COPY flink-statefun/jars.sha256 /
RUN sha256sum --check --strict /jars.sha256

FROM eclipse-temurin:11-jre
RUN groupadd --system --gid 9999 flink \
 && useradd --system --uid 9999 --gid flink --home-dir /opt/flink flink \
 && useradd --system --uid 9998 --gid flink --home-dir /opt/statefun statefun \
 && install -d -o flink -g flink /opt/flink && install -d -o statefun -g flink -m 775 /opt/statefun/modules
COPY --from=flink --chown=flink:flink /flink /opt/flink
COPY --from=jars --chown=flink:flink /jars/flink-s3-fs-presto-1.16.3.jar /opt/flink/plugins/s3-fs-presto/
COPY --from=jars --chown=flink:flink /jars/statefun-flink-distribution-3.3.0.jar \
     /opt/flink/lib/statefun-flink-distribution.jar
COPY --from=jars --chown=flink:flink /jars/statefun-flink-core-3.3.0.jar /opt/flink/lib/statefun-flink-core.jar
COPY flink-statefun/docker-entrypoint.sh /
ENV FLINK_HOME=/opt/flink STATEFUN_HOME=/opt/statefun STATEFUN_MODULES=/opt/statefun/modules PATH=/opt/flink/bin:$PATH
WORKDIR /opt/flink
EXPOSE 6123 8081
ENTRYPOINT ["/docker-entrypoint.sh"]
CMD ["bash"]
