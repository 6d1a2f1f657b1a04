# cubejs/cube from npm: the server and its Postgres driver, in the places of upstream's image.
FROM debian:bookworm-slim AS packages
RUN apt-get update -qq \
 && apt-get install -y -qq --no-install-recommends nodejs npm >/dev/null
WORKDIR /cube
COPY cube/package.json cube/package-lock.json ./
# No scripts: they would fetch native add-ons from elsewhere, which nothing here needs.
RUN npm ci --omit=dev --ignore-scripts --no-audit --no-fund --loglevel=error \
 && find node_modules -name '*.map' -delete

FROM debian:bookworm-slim
RUN apt-get update -qq \
 && apt-get install -y -qq --no-install-recommends nodejs >/dev/null \
 && apt-get clean && rm -rf /var/lib/apt/lists/*
COPY --from=packages /cube /cube
ENV NODE_ENV=production \
    NODE_PATH=/cube/conf/node_modules:/cube/node_modules \
    CUBEJS_DOCKER_IMAGE_TAG=latest
RUN mkdir /cube/conf && ln -s /cube/node_modules/.bin/cubejs-server /usr/local/bin/cubejs
WORKDIR /cube/conf
EXPOSE 4000
CMD ["cubejs", "server"]
