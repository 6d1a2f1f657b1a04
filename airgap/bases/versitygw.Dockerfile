# versity/versitygw: the program alone, where upstream has it. Upstream's entrypoint passes arguments on to it.
FROM debian:bookworm-slim
COPY versitygw /usr/local/bin/versitygw
ENTRYPOINT ["versitygw"]
