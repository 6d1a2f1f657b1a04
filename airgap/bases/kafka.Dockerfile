# apache/kafka from Kafka's jars, with the places and variables of upstream's image: /opt/kafka/bin, /etc/kafka/docker/run,
# KAFKA_... for server.properties. /opt/kafka/config and /opt/kafka/logs are written at the start, as there.
FROM maven:3.8-eclipse-temurin-17 AS jars
WORKDIR /kafka
COPY kafka/pom.xml ./
RUN mvn --batch-mode --quiet --strict-checksums \
      org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy-dependencies \
      -DincludeScope=runtime -DoutputDirectory=libs \
 && rm -rf ~/.m2/repository

FROM eclipse-temurin:11-jre
RUN useradd --uid 1000 --user-group --create-home --shell /bin/bash appuser \
 && mkdir -p /opt/kafka/bin /etc/kafka/docker \
 && install -d -o appuser -g appuser /opt/kafka/config /opt/kafka/logs /mnt/shared/config /var/lib/kafka/data \
      /etc/kafka/secrets \
 && for name in server-start run-class storage topics configs consumer-groups console-producer console-consumer \
      get-offsets transactions metadata-quorum broker-api-versions; do \
      ln -s kafka-program /opt/kafka/bin/kafka-$name.sh; \
    done
COPY --from=jars /kafka/libs /opt/kafka/libs
COPY kafka/kafka-program /opt/kafka/bin/
COPY kafka/run kafka/server.properties kafka/log4j.properties kafka/tools-log4j.properties /etc/kafka/docker/
COPY --chown=appuser:appuser kafka/*.properties /opt/kafka/config/
USER appuser
VOLUME ["/etc/kafka/secrets", "/mnt/shared/config", "/var/lib/kafka/data"]
EXPOSE 9092
CMD ["/etc/kafka/docker/run"]
