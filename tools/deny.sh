#!/usr/bin/env bash
# Holds the dependencies to deny.toml. cargo-deny is used where it is installed; else it
# is built into target/tools, once, which takes about a minute on two processors.
#
# Licences, bans and sources are always checked. Advisories are where their database can
# be reached: one that is found is a failure, a database that cannot be reached is said.
set -euo pipefail
cd "$(dirname "$0")/.."

version=0.20.2
tools=$PWD/target/tools

if ! cargo deny --version >/dev/null 2>&1; then
    PATH="$tools/bin:$PATH"
    if ! cargo deny --version >/dev/null 2>&1; then
        echo "deny.sh: building cargo-deny $version into target/tools"
        # It runs for two seconds: what counts is how long it takes to build.
        CARGO_PROFILE_DEV_DEBUG=0 cargo install --quiet cargo-deny --version "$version" \
            --locked --no-default-features --profile dev --root "$tools"
    fi
fi

cargo deny --locked check bans licenses sources
# Apart, since `check` fails in the same way for a database that cannot be reached as for
# an advisory.
if cargo deny --locked fetch db; then
    cargo deny --locked check --disable-fetch advisories
else
    echo "deny.sh: NOT CHECKED: advisories; their database cannot be reached from here" >&2
fi
