//! The public surface of `derived`, a module a theme.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "helpers of tests fail by panicking, as tests do"
)]

mod directories;
mod export;
mod join;
mod registry;
mod schemas;
mod sql;
mod tiles;
mod transforms;
mod world;
