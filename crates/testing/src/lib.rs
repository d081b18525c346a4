//! Ponds and data for the tests of every crate.
//!
//! [`TestPond`] is a pond in a temporary directory with a clock that is set by
//! hand and ids that count. [`data`] makes series and Parquet files, the same
//! ones every time. [`sample`] is a small export with the defects that readings
//! have in practice. [`fault`] is a disk that fails when it is told to, and
//! [`Dice`] are chance that repeats.
//!
//! Deliberately not here: expectations. A test says itself what must hold.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that can not be set up must fail")]

pub mod data;
mod dice;
pub mod fault;
pub mod old_pond;
mod pond;
mod repository;
pub mod sample;

pub use dice::Dice;
pub use pond::{START_US, TestPond};
pub use repository::repository;
