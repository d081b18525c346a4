//! Computed nodes: declared, listed, read, run.

mod apply;
mod bad_cache;
mod bad_input;
mod bad_input_text;
mod bounds;
mod copies;
mod export;
mod flags_and_files;
mod freshness;
mod reading;
mod run;
