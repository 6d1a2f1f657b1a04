# traefik: the program alone, where upstream has it.
FROM debian:bookworm-slim
COPY traefik /usr/local/bin/traefik
ENTRYPOINT ["/usr/local/bin/traefik"]
