# library/maven:3.8-eclipse-temurin-17 from Debian's Maven: what fetches jars while an image is built.
FROM eclipse-temurin:17-jre
RUN apt-get update -qq \
 && apt-get install -y -qq --no-install-recommends maven >/dev/null \
 && apt-get clean && rm -rf /var/lib/apt/lists/*
CMD ["mvn"]
