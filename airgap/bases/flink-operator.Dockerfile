# ghcr.io/apache/flink-kubernetes-operator from its jars, which are published one by one and not shaded. No webhook.
FROM maven:3.8-eclipse-temurin-17 AS jars
WORKDIR /operator
COPY flink-operator/pom.xml ./
RUN mvn --batch-mode --quiet --strict-checksums \
      org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy-dependencies \
      -DincludeScope=runtime -DoutputDirectory=libs \
 && rm -rf ~/.m2/repository

FROM eclipse-temurin:11-jre
RUN groupadd --system --gid 9999 flink \
 && useradd --system --uid 9999 --gid flink --home-dir /opt/flink flink \
 && install -d -o flink -g flink /opt/flink /opt/flink/conf /opt/flink/plugins /opt/flink/artifacts \
      /opt/flink/operator-lib
COPY --from=jars /operator/libs /flink-kubernetes-operator/libs
COPY flink-operator/docker-entrypoint.sh /
ENV FLINK_HOME=/opt/flink FLINK_PLUGINS_DIR=/opt/flink/plugins OPERATOR_LIB=/opt/flink/operator-lib
WORKDIR /flink-kubernetes-operator
USER flink
ENTRYPOINT ["/docker-entrypoint.sh"]
CMD ["help"]
