//! The public surface of a pond.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "helpers of tests fail by panicking, as tests do"
)]

mod damage;
mod history;
mod hostile;
mod life;
mod locking;
mod old_ponds;
mod runs;
mod safety;
mod torture;
mod upkeep;
