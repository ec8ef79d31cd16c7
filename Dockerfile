FROM rust:1.95-bookworm AS build
WORKDIR /build
COPY . .
RUN cargo build --release --locked

FROM debian:bookworm-slim
# ca-certificates: to push to a Librato-compatible API over https.
RUN apt-get update \
    && apt-get install -y --no-install-recommends ca-certificates \
    && rm -rf /var/lib/apt/lists/* \
    && useradd --system --uid 10001 --home-dir /var/lib/weir --shell /usr/sbin/nologin weir \
    && install -d -o weir -g weir -m 0750 /var/lib/weir
COPY --from=build /build/target/release/weir /usr/local/bin/weir
COPY docker/weir.yaml /etc/weir/weir.yaml
# By number, so that an orchestrator can see that it is not root.
USER 10001
VOLUME /var/lib/weir
# Syslog on both, and the page with the APIs.
EXPOSE 5140/udp 5140/tcp 8420/tcp
STOPSIGNAL SIGTERM
# bash opens the connection itself: the image needs no curl. A configuration with
# another port for HTTP says so in WEIR_HTTP_PORT.
HEALTHCHECK --interval=30s --timeout=3s --start-period=5s \
    CMD ["bash", "-c", "exec 3<>/dev/tcp/127.0.0.1/${WEIR_HTTP_PORT:-8420} && printf 'GET /healthz HTTP/1.0\\r\\nHost: localhost\\r\\n\\r\\n' >&3 && read -r -t 2 _ status _ <&3 && [ \"$status\" = 200 ]"]
ENTRYPOINT ["/usr/local/bin/weir"]
CMD ["serve", "-c", "/etc/weir/weir.yaml"]
