//! Sums over the parts of a data file, so that a lookup that reads one row
//! group knows whether it is what was written.
//!
//! A file is a sequence of parts: its row groups in order, and then all that
//! follows the last (the footer). The parts lie side by side and cover every
//! byte. Each has a sum: the first eight bytes of the BLAKE3 of its bytes.
//!
//! Deliberately not here: the hash of the whole file, which `fsck` compares.
//! Sums find damage; they are no proof against somebody who wants to deceive.

use std::fmt;
use std::ops::Range;
use std::str::FromStr;
use std::sync::Arc;

/// One part: where it ends, and the sum of its bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Part {
    end: u64,
    sum: u64,
}

/// The parts of a file; none where they were not noted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Sections(Arc<[Part]>);

impl Sections {
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// How many row groups there are.
    pub(crate) fn groups(&self) -> usize {
        self.0.len().saturating_sub(1)
    }

    /// Where a part lies.
    pub(crate) fn range(&self, part: usize) -> Option<Range<u64>> {
        let end = self.0.get(part)?.end;
        let start = part.checked_sub(1).map_or(0, |before| self.0[before].end);
        Some(start..end)
    }

    /// Whether these are the bytes of a part.
    pub(crate) fn fits(&self, part: usize, bytes: &[u8]) -> bool {
        self.0.get(part).is_some_and(|known| known.sum == short(&blake3::hash(bytes)))
    }
}

fn short(hash: &blake3::Hash) -> u64 {
    let mut first = [0; 8];
    first.copy_from_slice(&hash.as_bytes()[..8]);
    u64::from_be_bytes(first)
}

impl fmt::Display for Sections {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, Part { end, sum }) in self.0.iter().enumerate() {
            let comma = if at == 0 { "" } else { "," };
            write!(f, "{comma}{end}:{sum:016x}")?;
        }
        Ok(())
    }
}

/// A text that does not say where parts lie.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct BadSections;

impl FromStr for Sections {
    type Err = BadSections;

    fn from_str(text: &str) -> Result<Self, BadSections> {
        let mut before = 0;
        let parts = text.split(',').map(|part| {
            let (end, sum) = part.split_once(':').ok_or(BadSections)?;
            let end = end.parse().map_err(|_| BadSections)?;
            let sum = u64::from_str_radix(sum, 16).map_err(|_| BadSections)?;
            if end <= before {
                return Err(BadSections);
            }
            before = end;
            Ok(Part { end, sum })
        });
        parts.collect::<Result<Arc<[Part]>, _>>().map(Self)
    }
}

/// Sums parts while they are written.
#[derive(Debug, Default)]
pub(crate) struct Summing {
    hasher: blake3::Hasher,
    written: u64,
    parts: Vec<Part>,
}

impl Summing {
    pub(crate) fn update(&mut self, bytes: &[u8]) {
        self.hasher.update(bytes);
        self.written += bytes.len() as u64;
    }

    /// What was written since the last end is a part.
    pub(crate) fn end_part(&mut self) {
        let sum = short(&self.hasher.finalize());
        self.hasher.reset();
        self.parts.push(Part { end: self.written, sum });
    }

    pub(crate) fn finish(mut self) -> Sections {
        self.end_part();
        Sections(self.parts.into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_read_back_as_they_were_summed() {
        let mut summing = Summing::default();
        summing.update(b"one");
        summing.end_part();
        summing.update(b"two and");
        let sections = summing.finish();
        let read: Sections = sections.to_string().parse().unwrap();
        assert_eq!(read, sections);
        assert_eq!((read.groups(), read.range(0), read.range(1)), (1, Some(0..3), Some(3..10)));
        assert!(read.fits(0, b"one") && read.fits(1, b"two and"));
        assert!(!read.fits(0, b"onf") && !read.fits(2, b"") && !read.fits(1, b"one"));
    }

    #[test]
    fn texts_that_say_no_parts_are_refused() {
        for text in ["", "3", "3:x", "x:0", "3:0,3:0", "4:0,3:0", "0:0"] {
            assert_eq!(text.parse::<Sections>(), Err(BadSections), "{text}");
        }
    }
}
