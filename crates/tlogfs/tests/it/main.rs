//! The public surface of tlogfs, on a real log.

mod contract;
mod harness;
mod merge;
mod model;
mod parquet;
mod sizes;
