//! Ponds, data and faults for the tests of every crate.

pub mod sample;
