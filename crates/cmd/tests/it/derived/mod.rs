//! Computed nodes: declared, listed, read, run.

mod apply;
mod copies;
mod flags_and_files;
mod export;
mod reading;
mod run;
