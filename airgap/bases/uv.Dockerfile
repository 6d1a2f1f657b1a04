# ghcr.io/astral-sh/uv from the wheel on PyPI: the one built for musl is a static program.
FROM python:3.11-slim AS wheel
ARG UV
RUN pip download --quiet --no-deps --only-binary=:all: --platform "musllinux_1_1_$(uname -m)" --dest /wheel "uv==$UV" \
 && python -m zipfile -e /wheel/*.whl /wheel \
 && install -m 755 /wheel/uv-*.data/scripts/uv /wheel/uv-*.data/scripts/uvx /

FROM scratch
COPY --from=wheel /uv /uvx /
ENTRYPOINT ["/uv"]
