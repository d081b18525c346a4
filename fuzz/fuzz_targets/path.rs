//! A path.

#![no_main]

#[allow(dead_code, reason = "shared with other targets and with the tests of the crate")]
#[path = "../../crates/tinyfs/tests/it/hostile/entries.rs"]
mod entries;

libfuzzer_sys::fuzz_target!(|data: &[u8]| entries::path(data));
