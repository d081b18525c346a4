//! Tests of what `tinyfs` offers, a module a theme.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod architecture;
mod contract;
mod counting;
mod globs;
mod hostile;
mod model;
mod paths;
mod readers;
mod symlinks;
mod tree;
mod writes;
