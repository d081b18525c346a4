//! Where CSV records end, with quotes in mind.
//!
//! What always holds: the same rules as [`super::record`]: a quote opens a
//! field only as its first byte, a doubled quote stands for itself, and after
//! the closing quote quotes mean nothing until the next field.

use memchr::{memchr, memrchr};

use crate::format::chunks::{Cut, CutAt};

/// Cuts after the last line feed that is outside of quotes.
#[derive(Clone, Copy, Debug)]
pub(super) struct Records {
    pub(super) delimiter: u8,
}

impl Cut for Records {
    fn cut(&self, buffer: &[u8], at_end: bool) -> CutAt {
        let mut end = 0;
        // What lies before it is behind us; it is outside of quotes.
        let mut position = 0;
        while let Some(found) = memchr(b'"', &buffer[position..]) {
            let quote = position + found;
            if let Some(newline) = memrchr(b'\n', &buffer[position..quote]) {
                end = position + newline + 1;
            }
            let opens = quote == 0
                || matches!(buffer[quote - 1], b'\n')
                || buffer[quote - 1] == self.delimiter;
            if !opens {
                position = quote + 1;
                continue;
            }
            match closing_quote(buffer, quote + 1, at_end) {
                Some(closing) => position = closing + 1,
                None if end > 0 => return CutAt::End(end),
                None => return CutAt::More { open_quote: Some(quote) },
            }
        }
        if at_end {
            return CutAt::End(buffer.len());
        }
        if let Some(newline) = memrchr(b'\n', &buffer[position..]) {
            end = position + newline + 1;
        }
        if end > 0 { CutAt::End(end) } else { CutAt::More { open_quote: None } }
    }
}

/// The quote that closes a field whose content begins at `from`. `None` too
/// when the buffer ends with a quote whose double may follow.
pub(super) fn closing_quote(buffer: &[u8], from: usize, at_end: bool) -> Option<usize> {
    let mut position = from;
    loop {
        let quote = position + memchr(b'"', &buffer[position..])?;
        match buffer.get(quote + 1) {
            Some(b'"') => position = quote + 2,
            None if !at_end => return None,
            _ => return Some(quote),
        }
    }
}
