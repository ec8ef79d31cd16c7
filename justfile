# What is run often; `just --list` shows it.

# Formatting and lints
check:
    cargo fmt --check
    cargo clippy --all-targets --locked -- -D warnings

# Everything, with what the tests need installed first
test:
    ./test.sh

# Benchmarks
bench:
    cargo bench --locked

# The whole pipeline on loopback, with its page
demo:
    cargo run --release --locked -- demo
