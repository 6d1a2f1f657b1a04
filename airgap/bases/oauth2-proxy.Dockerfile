# oauth2-proxy: the program alone, where upstream has it.
FROM debian:bookworm-slim
COPY oauth2-proxy /bin/oauth2-proxy
ENTRYPOINT ["/bin/oauth2-proxy"]
