//! The pond as tables, over a memory store.

#![expect(clippy::unwrap_used, clippy::panic, reason = "what tests share is no test itself")]

mod bytes;
mod civil;
mod computed;
mod format;
mod globs;
mod hostile;
mod limits;
mod model;
mod plain;
mod pond;
mod schemas;
mod series;
mod system;
