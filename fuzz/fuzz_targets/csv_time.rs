//! A format, a zone and times, each in a line.

#![no_main]

#[allow(dead_code, reason = "shared with other targets and with the tests of the crate")]
#[path = "../../crates/query/tests/it/hostile/entries.rs"]
mod entries;

libfuzzer_sys::fuzz_target!(|data: &[u8]| entries::csv_time(data));
