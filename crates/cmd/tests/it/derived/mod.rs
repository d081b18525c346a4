//! Computed nodes: declared, listed, read.

mod apply;
mod reading;
