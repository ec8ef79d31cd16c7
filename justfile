# What is run often; `just --list` shows it.

# Formatting, lints, and what dependencies may be
check:
    cargo fmt --check
    cargo clippy --all-targets --locked -- -D warnings
    tools/deny.sh

# Everything, with what the tests need installed first
test:
    ./test.sh

# Benchmarks
bench:
    cargo bench --locked

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
