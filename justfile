# The tasks of this project; `just` alone lists them.

_list:
    @just --list

# What must hold of every commit: tests, formatting, lints, documentation, demonstration.
check:
    .ci/run

# Format every crate.
fmt:
    cargo fmt --all

# The main job on the bundled data.
demo:
    cargo run --release -- demo
