#!/usr/bin/env bash
# Checks everything: installs what the tests need, then formatting, lints,
# dependencies, the release build of the Dockerfile, and all tests. No test may be skipped.
set -euo pipefail
cd "$(dirname "$0")"

fail() {
    printf 'test.sh: %s\n' "$*" >&2
    exit 1
}

has() {
    # Debian's daemons live in sbin, which is not on everybody's PATH.
    PATH="$PATH:/usr/local/sbin:/usr/sbin:/sbin" command -v "$1" >/dev/null
}

# A program that must be there, and the Debian package that brings it.
needed='haproxy:haproxy openssl:openssl rsyslogd:rsyslog chromium:chromium chromedriver:chromium-driver prometheus:prometheus cc:gcc make:make python3:python3 pip3:python3-pip node:nodejs npm:npm'
missing=()
for pair in $needed; do
    has "${pair%%:*}" || missing+=("${pair##*:}")
done
# The C library's headers: a compiler may be installed without them.
[ -e /usr/include/stdio.h ] || missing+=(libc6-dev)
# Modules of rsyslog, where Debian and its relatives put them.
for pair in lmnsd_gtls:rsyslog-gnutls lmnsd_ossl:rsyslog-openssl omrelp:rsyslog-relp; do
    compgen -G "/usr/lib*/*/rsyslog/${pair%%:*}.so" >/dev/null || missing+=("${pair##*:}")
done

if [ ${#missing[@]} -gt 0 ]; then
    has apt-get || fail "install these first (named as in Debian): ${missing[*]}"
    as_root=()
    if [ "$(id -u)" -ne 0 ]; then
        has sudo || fail "not root and no sudo; install these first: ${missing[*]}"
        as_root=(sudo)
    fi
    echo "test.sh: installing ${missing[*]}"
    "${as_root[@]}" apt-get update -qq ||
        fail "apt-get update failed; with a working package source it would install: ${missing[*]}"
    "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive \
        apt-get install -y -qq --no-install-recommends "${missing[@]}" ||
        fail "apt-get could not install: ${missing[*]}"
fi

has cargo || fail "needs Rust $(sed -n 's/^rust-version = "\(.*\)"/\1/p' Cargo.toml) or newer: https://rustup.rs"
cargo fmt --version >/dev/null 2>&1 || fail "needs rustfmt: rustup component add rustfmt"
cargo clippy --version >/dev/null 2>&1 || fail "needs clippy: rustup component add clippy"

# A missing program is an error from here on, not a skipped test.
export WEIR_TEST_NO_SKIP=1

cargo fmt --check
# What the Dockerfile runs, beside what else has to be built: a crate is compiled on one
# processor for most of the time.
log=$(mktemp)
cargo build --release --locked >"$log" 2>&1 &
release=$!
trap 'kill "$release" 2>/dev/null || true; rm -f "$log"' EXIT
cargo clippy --all-targets --locked -- -D warnings
tools/deny.sh
cargo test --locked --no-run
cargo test --locked --doc
cargo test --locked --lib --bins --test allocations
# Not beside the tests that are to come: they look at the clock, as their users would.
if ! wait "$release"; then
    cat "$log" >&2
    fail "cargo build --release failed"
fi
# Last, so that the run ends with the closing line of the end-to-end tests.
cargo test --locked --test it
