# registry.k8s.io/metrics-server/metrics-server: the program alone, where upstream has it, as upstream's user.
FROM scratch
COPY metrics-server /metrics-server
USER 65534
ENTRYPOINT ["/metrics-server"]
