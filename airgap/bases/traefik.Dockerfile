# library/traefik: the program alone, with no dashboard in it; upstream's entrypoint passes arguments on to it.
FROM debian:bookworm-slim
COPY traefik /usr/local/bin/traefik
ENTRYPOINT ["traefik"]
