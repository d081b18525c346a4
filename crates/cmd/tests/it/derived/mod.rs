//! Computed nodes: declared, listed, read, run.

mod apply;
mod flags_and_files;
mod reading;
mod run;
