# metrics-server: the program alone, where upstream has it.
FROM debian:bookworm-slim
COPY metrics-server /metrics-server
ENTRYPOINT ["/metrics-server"]
