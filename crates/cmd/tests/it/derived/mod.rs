//! Computed nodes: declared, listed, read, run.

mod apply;
mod reading;
mod run;
