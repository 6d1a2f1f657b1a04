# localstack/localstack from PyPI, with Kinesis and S3. Upstream's image fetches its Kinesis when it is first called;
# here it is in the image.
FROM debian:bookworm-slim AS kinesis
RUN apt-get update -qq \
 && apt-get install -y -qq --no-install-recommends nodejs npm >/dev/null
RUN npm pack --silent kinesis-local@0.4.8 && tar -xzf kinesis-local-*.tgz && test -f package/main.js

FROM python:3.11-slim
RUN apt-get update -qq \
 && apt-get install -y -qq --no-install-recommends nodejs curl >/dev/null \
 && apt-get clean && rm -rf /var/lib/apt/lists/*
COPY localstack/requirements.txt /tmp/
RUN pip install --no-cache-dir --no-deps -r /tmp/requirements.txt && rm /tmp/requirements.txt
COPY --from=kinesis /package /usr/lib/localstack/kinesis-local/0.4.8/node_modules/kinesis-local
RUN mkdir -p /etc/localstack/init && install -d -m 777 /var/lib/localstack
# Nothing is asked of the network: no certificate, no names, no events.
ENV OVERRIDE_IN_DOCKER=1 KINESIS_MOCK_VERSION=0.4.8 ACTIVATE_PRO=0 GATEWAY_LISTEN=0.0.0.0:4566 \
    SKIP_SSL_CERT_DOWNLOAD=1 DISABLE_EVENTS=1 DNS_ADDRESS=0 PYTHONUNBUFFERED=1 \
    SERVICES=kinesis,s3 STRICT_SERVICE_LOADING=1 EAGER_SERVICE_LOADING=1
VOLUME /var/lib/localstack
EXPOSE 4566
CMD ["python", "-m", "localstack.runtime.main"]
