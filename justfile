# The tasks of this project; `just` alone lists them.

_list:
    @just --list

# What must hold of every commit: tests, formatting, lints, documentation, demonstration.
check:
    .ci/run

# Format every crate.
fmt:
    cargo fmt --all

# The long form of the proofs against crashes, power cuts and failing disks.
# LENGTH is how many seeds are tried; DUCKPOND_SEED repeats random work.
torture LENGTH="20":
    DUCKPOND_TORTURE={{LENGTH}} cargo test -p oplog --test it durability:: -- --nocapture
    DUCKPOND_TORTURE={{LENGTH}} cargo test -p steward --test it torture:: -- --nocapture
    DUCKPOND_TORTURE={{LENGTH}} cargo test -p cmd --test it torture:: -- --nocapture --test-threads=1
    DUCKPOND_TORTURE={{LENGTH}} cargo test -p cmd --test it hostile:: -- --nocapture --include-ignored

# The main job on the bundled data.
demo:
    cargo run --release -- demo

# Compute the golden answers again, with DuckDB from PyPI.
golden:
    python3 -m venv target/golden
    target/golden/bin/pip install --quiet duckdb==1.5.5
    target/golden/bin/python crates/cmd/tests/golden/answers.py
    target/golden/bin/python crates/cmd/tests/golden/pipeline/answers.py

# What it costs, beside its peers; writes docs/benchmarks.md. One section or all: scan, ingest, memory, startup, instructions, derived.
bench *SECTIONS:
    cargo build --release -p cmd -p benches --bin pond --bin increments
    python3 benches/bench.py {{SECTIONS}}

# Every fuzz target for SECONDS each; what it finds is in fuzz/artifacts.
fuzz SECONDS="60":
    #!/bin/sh
    set -eu
    if ! cargo +nightly fuzz --version >/dev/null 2>&1; then
        echo "skipped: fuzzing needs a nightly compiler and cargo-fuzz" >&2
        echo "rustup toolchain install nightly && cargo install cargo-fuzz" >&2
        exit 0
    fi
    # The same versions of everything as the program has.
    cp Cargo.lock fuzz/Cargo.lock
    for target in $(cargo +nightly fuzz list); do
        cargo +nightly fuzz run "$target" -- -max_total_time={{SECONDS}} -max_len=4096
    done
