//! Structured events and progress for every crate.
//!
//! Events go to stderr, at the level `DUCKPOND_LOG` names (`off`, `error`,
//! `warn`, `info`, `debug`; `warn` unless said). Library events of `tracing`
//! and `log` come the same way.
//!
//! Deliberately not here: output. What a command prints is `cmd`'s business.

mod monitor;

pub use monitor::{Monitor, Progress, Silent, Unit, silent};
