//! Settings and log files with bytes in them that nobody wrote.

mod entries;

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::{Index, select};

/// A sample with bytes changed, put in, taken out and repeated.
fn changed(samples: &'static [&'static str]) -> impl Strategy<Value = Vec<u8>> {
    let edit = (any::<Index>(), any::<u8>(), 0..4_u8);
    (select(samples), vec(edit, 0..12)).prop_map(|(sample, edits)| {
        let mut bytes = sample.as_bytes().to_vec();
        for (place, byte, kind) in edits {
            if bytes.is_empty() {
                bytes.push(byte);
                continue;
            }
            let at = place.index(bytes.len());
            match kind {
                0 => bytes[at] = byte,
                1 => bytes.insert(at, byte),
                2 => {
                    bytes.remove(at);
                }
                _ => bytes.extend_from_within(at..),
            }
        }
        bytes
    })
}

proptest! {
    // Each case makes a pond.
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn no_settings_break_a_pond(data in changed(entries::SETTINGS)) {
        entries::settings(&data);
    }

    #[test]
    fn no_bytes_in_the_log_are_given_out_as_good(data in vec(any::<u8>(), 1..40)) {
        entries::log_rows(&data);
    }
}
