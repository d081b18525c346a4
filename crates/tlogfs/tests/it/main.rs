//! The public surface of tlogfs, on a real log.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "helpers of tests fail by panicking, as tests do"
)]

mod contract;
mod harness;
mod intake;
mod merge;
mod model;
mod parquet;
mod sizes;
