//! Paths and patterns that nobody would write.

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
    #[test]
    fn no_pattern_breaks_the_matcher(data in changed(entries::GLOBS)) {
        entries::glob(&data);
    }

    #[test]
    fn no_path_breaks_its_spelling(data in changed(entries::PATHS)) {
        entries::path(&data);
    }

    #[test]
    fn any_bytes_are_a_path_or_refused(data in vec(any::<u8>(), 0..64)) {
        entries::path(&data);
        entries::glob(&data);
    }
}
