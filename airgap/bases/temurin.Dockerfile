# library/eclipse-temurin:17-jre from Debian's OpenJDK 17, at upstream's place.
FROM debian:bookworm-slim
# Java has trusted certificates of its own: those of the bundle must be files before Debian makes them.
RUN awk '/BEGIN CERT/ {n++} {print > "/usr/local/share/ca-certificates/bundle-" n ".crt"}' \
      /etc/ssl/certs/ca-certificates.crt \
 && update-ca-certificates >/dev/null 2>&1 \
 && apt-get update -qq && mkdir -p /usr/share/man/man1 \
 && apt-get install -y -qq --no-install-recommends openjdk-17-jre-headless >/dev/null \
 && apt-get clean && rm -rf /var/lib/apt/lists/* /usr/local/share/ca-certificates/* \
 && mkdir -p /opt/java && ln -s "$(dirname "$(dirname "$(readlink -f /usr/bin/java)")")" /opt/java/openjdk
ENV JAVA_HOME=/opt/java/openjdk PATH=/opt/java/openjdk/bin:$PATH LANG=C.UTF-8
CMD ["java", "--version"]
