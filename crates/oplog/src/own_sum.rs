//! A sum of a file that stands in the file itself: the BLAKE3, in hex, of all
//! its bytes, computed with sixty-four zeros in the place of the sum.
//!
//! So the sum comes and goes with what it is of, wherever that is copied, and
//! one read gives both.

use std::ops::Range;

/// What stands in the place of the sum while it is computed.
pub(crate) const BLANK: &str = "0000000000000000000000000000000000000000000000000000000000000000";

/// Puts the sum where [`BLANK`] stands within a part of a file. `None` when it
/// does not stand there exactly once.
pub(crate) fn put(bytes: &mut [u8], within: Range<usize>) -> Option<()> {
    let at = place(bytes, within, BLANK)?;
    let sum = blake3::hash(bytes).to_hex();
    bytes.get_mut(at..at + BLANK.len())?.copy_from_slice(sum.as_bytes());
    Some(())
}

/// Whether a file has the sum that stands within a part of it.
pub(crate) fn holds(bytes: &[u8], within: Range<usize>, sum: &str) -> bool {
    if sum.len() != BLANK.len() {
        return false;
    }
    let Some(at) = place(bytes, within, sum) else { return false };
    let mut hasher = blake3::Hasher::new();
    hasher.update(&bytes[..at]).update(BLANK.as_bytes()).update(&bytes[at + BLANK.len()..]);
    hasher.finalize().to_hex().as_str() == sum
}

/// Where a text stands, if it does so exactly once.
fn place(bytes: &[u8], within: Range<usize>, text: &str) -> Option<usize> {
    let start = within.start;
    let part = bytes.get(within)?;
    let mut places = (0..part.len()).filter(|at| part[*at..].starts_with(text.as_bytes()));
    let found = places.next()?;
    places.next().is_none().then_some(start + found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_changed_bit_is_noticed() {
        let mut file = format!("a head and {BLANK} and an end").into_bytes();
        let whole = 0..file.len();
        put(&mut file, whole.clone()).unwrap();
        let sum = String::from_utf8(file[11..11 + BLANK.len()].to_vec()).unwrap();
        assert!(holds(&file, whole.clone(), &sum));
        for bit in 0..file.len() * 8 {
            file[bit / 8] ^= 1 << (bit % 8);
            assert!(!holds(&file, whole.clone(), &sum), "bit {bit}");
            file[bit / 8] ^= 1 << (bit % 8);
        }
        assert!(holds(&file, whole, &sum));
    }

    #[test]
    fn place_must_be_one() {
        let mut twice = format!("{BLANK} {BLANK}").into_bytes();
        let whole = 0..twice.len();
        assert_eq!(put(&mut twice, whole), None);
        assert_eq!(put(&mut b"none"[..].to_vec(), 0..4), None);
        assert_eq!(put(&mut b"none"[..].to_vec(), 0..5), None);
    }
}
