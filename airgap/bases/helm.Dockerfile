# alpine/helm: the program alone, where upstream has it. Go's checksum database vouches for what it is built from.
FROM scratch
COPY helm /usr/bin/helm
ENTRYPOINT ["/usr/bin/helm"]
