# `docker build -t orderbox .` makes the service. `--target loadtest` makes what measures it: docker-compose.yml, profile loadtest.

FROM rust:1.95.0-slim-bookworm AS builder
WORKDIR /src
# The dependencies are a layer of their own, which stands until Cargo.toml or Cargo.lock change: an empty crate needs them all.
COPY Cargo.toml Cargo.lock ./
RUN mkdir src \
    && echo 'fn main() {}' > src/main.rs \
    && touch src/lib.rs \
    && cargo build --locked --release
COPY migrations migrations
COPY assets assets
COPY src src
# Files keep the times they have outside, which are older than the build of the empty crate: cargo would see nothing to do.
RUN touch src/main.rs src/lib.rs \
    && cargo build --locked --release

FROM golang:1.26.7-bookworm AS vegeta
RUN CGO_ENABLED=0 go install github.com/tsenart/vegeta/v12@v12.13.0

FROM debian:bookworm-20260824-slim AS loadtest
# No versions: Debian serves one of each in a release, and a pinned one is gone after the next security fix.
# hadolint ignore=DL3008
RUN apt-get update \
    && apt-get install -y --no-install-recommends curl gnuplot-nox \
    && rm -rf /var/lib/apt/lists/*
COPY --from=vegeta /go/bin/vegeta /usr/local/bin/
COPY --from=builder /src/target/release/orderbox /usr/local/bin/
COPY loadtest /loadtest
USER 10001:10001
WORKDIR /loadtest
ENTRYPOINT ["/loadtest/run.sh"]

FROM debian:bookworm-20260824-slim
LABEL org.opencontainers.image.title="orderbox" \
      org.opencontainers.image.description="Receives order messages from NATS Streaming, loses none of them, and serves the orders over HTTP" \
      org.opencontainers.image.version="0.1.0" \
      org.opencontainers.image.licenses="MIT OR Apache-2.0"
# The certificates of public authorities, for a broker behind tls:// without NATS_CA.
COPY --from=builder /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/
COPY --from=builder /src/target/release/orderbox /usr/local/bin/
# The only place it writes to, and only without a DATABASE_URL: mount a volume here to keep orderbox.db.
RUN install -d -o 10001 -g 10001 -m 0750 /var/lib/orderbox
USER 10001:10001
WORKDIR /var/lib/orderbox
ENV HTTP_ADDR=0.0.0.0:8080
EXPOSE 8080
STOPSIGNAL SIGTERM
# It waits 5 s for an answer itself.
HEALTHCHECK --interval=10s --timeout=6s --start-period=30s --retries=3 CMD ["orderbox", "healthcheck"]
ENTRYPOINT ["orderbox"]
CMD ["serve"]
