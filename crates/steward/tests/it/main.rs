//! The public surface of a pond.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "helpers of tests fail by panicking, as tests do"
)]

mod history;
mod life;
mod locking;
mod safety;
mod torture;
mod upkeep;
