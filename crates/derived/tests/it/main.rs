//! The public surface of `derived`, a module a theme.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "helpers of tests fail by panicking, as tests do"
)]

mod directories;
mod export;
mod formats;
mod inbox;
mod join;
mod quality;
mod quantiles;
mod registry;
mod schemas;
mod sql;
mod template;
mod tiles;
mod transforms;
mod world;
