//! Where the elements of one large JSON array end.
//!
//! What always holds: strings and nesting are respected, so a cut is never
//! inside of an element. Whether an element is valid JSON is not looked at.

use crate::format::chunks::{Cut, CutAt};

/// What ends an element.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum End {
    /// A comma at this place: another follows.
    Comma(usize),
    /// The bracket at this place that closes the array.
    Bracket(usize),
    /// Nothing: the bytes end before.
    Missing,
}

/// The end of the element that begins at `from`.
pub(super) fn end_of(bytes: &[u8], from: usize) -> End {
    let mut depth = 0_usize;
    let mut at = from;
    while let Some(&byte) = bytes.get(at) {
        match byte {
            b'"' => match end_of_string(bytes, at + 1) {
                Some(closing) => at = closing,
                None => return End::Missing,
            },
            b'{' | b'[' => depth += 1,
            b']' if depth == 0 => return End::Bracket(at),
            b'}' | b']' => depth = depth.saturating_sub(1),
            b',' if depth == 0 => return End::Comma(at),
            _ => {}
        }
        at += 1;
    }
    End::Missing
}

fn end_of_string(bytes: &[u8], from: usize) -> Option<usize> {
    let mut at = from;
    loop {
        at += memchr::memchr2(b'"', b'\\', &bytes[at.min(bytes.len())..])?;
        if bytes[at] == b'"' {
            return Some(at);
        }
        at += 2;
    }
}

/// Cuts behind the last comma between elements; the opening bracket is passed
/// already.
pub(super) struct Elements;

impl Cut for Elements {
    fn cut(&self, buffer: &[u8], at_end: bool) -> CutAt {
        if at_end {
            return CutAt::End(buffer.len());
        }
        let mut end = 0;
        while let End::Comma(comma) = end_of(buffer, end) {
            end = comma + 1;
        }
        if end > 0 { CutAt::End(end) } else { CutAt::More { open_quote: None } }
    }
}

/// The whole file is one record.
pub(super) struct Whole;

impl Cut for Whole {
    fn cut(&self, buffer: &[u8], at_end: bool) -> CutAt {
        if at_end { CutAt::End(buffer.len()) } else { CutAt::More { open_quote: None } }
    }
}
