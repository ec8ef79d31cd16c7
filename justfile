# What is run often; `just --list` shows it.

# Formatting, lints, and what dependencies may be
check:
    cargo fmt --check
    cargo clippy --all-targets --locked -- -D warnings
    tools/deny.sh

# Everything, with what the tests need installed first
test:
    ./test.sh

# 200 kills at random moments; a seed repeats those of an earlier run
kills kills="200" seed="":
    #!/usr/bin/env bash
    set -euo pipefail
    export WEIR_KILLS={{ kills }}
    if [ -n "{{ seed }}" ]; then
        export WEIR_KILLS_SEED={{ seed }}
    fi
    cargo test --locked --test it kills:: -- --nocapture

# Everything at once, with kills and faults, and the books balanced at the end: for so long
# (90s, 10m, 1h); a seed repeats an earlier run
account time="60s" seed="":
    #!/usr/bin/env bash
    set -euo pipefail
    time={{ time }}
    case $time in
        *h) seconds=$((${time%h} * 3600)) ;;
        *m) seconds=$((${time%m} * 60)) ;;
        *) seconds=${time%s} ;;
    esac
    export WEIR_ACCOUNT_SECONDS=$seconds
    if [ -n "{{ seed }}" ]; then
        export WEIR_ACCOUNT_SEED={{ seed }}
    fi
    cargo test --locked --test it account:: -- --nocapture

# Benchmarks
bench:
    cargo bench --locked

# weir beside halog and others, row by row or all rows; half an hour on a quiet machine
compare *rows:
    cargo build --release --locked
    cargo bench --locked --no-run --bench '*'
    benches/compare.sh {{ rows }}

# Instructions a line, compared with those of the last commit; `--bless` keeps the new ones
instructions *options:
    cargo bench --locked --no-run --bench '*'
    benches/instructions.sh {{ options }}

# The lines of which the benchmarks' logs are made, anew from a real HAProxy
record-lines:
    WEIR_RECORD_LINES="$PWD/benches/lines/haproxy.log.zst" \
        cargo test --locked --test it bench_log::real -- --nocapture

# Each fuzz target for so many seconds; needs a C++ compiler. The inputs it finds stay in
# fuzz/target/corpus, what fails is in fuzz/artifacts.
fuzz seconds="60":
    #!/usr/bin/env bash
    set -euo pipefail
    cd fuzz
    for file in fuzz_targets/*.rs; do
        target=$(basename "$file" .rs)
        mkdir -p "target/corpus/$target" "artifacts/$target"
        options=(-max_total_time={{ seconds }} -timeout=10 -rss_limit_mb=512 -print_final_stats=1
            "-artifact_prefix=artifacts/$target/")
        if [ -e "dict/$target.dict" ]; then
            options+=("-dict=dict/$target.dict")
        fi
        cargo run --release --locked --bin "$target" -- \
            "${options[@]}" "target/corpus/$target" "corpus/$target"
    done

# The whole pipeline on loopback, with its page
demo:
    cargo run --release --locked -- demo
