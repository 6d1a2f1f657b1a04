# registry:2 from Debian's docker-registry.
FROM debian:bookworm-slim
RUN apt-get update -qq \
 && apt-get install -y -qq --no-install-recommends docker-registry >/dev/null \
 && apt-get clean && rm -rf /var/lib/apt/lists/* \
 && printf '%s\n' 'version: 0.1' 'storage:' '  filesystem: {rootdirectory: /var/lib/registry}' \
      '  delete: {enabled: true}' 'http: {addr: ":5000"}' > /etc/docker/registry/config.yml
VOLUME /var/lib/registry
EXPOSE 5000
ENTRYPOINT ["docker-registry"]
CMD ["serve", "/etc/docker/registry/config.yml"]
