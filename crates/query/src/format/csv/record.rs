//! The fields of CSV records.
//!
//! RFC 4180 with LF or CRLF line ends and any one-byte delimiter. Lines with
//! nothing on them are no records. Strict: text after a closing quote is an
//! error of its record.
//!
//! The `csv` crate is not used here because it gives no line of a field, takes
//! malformed quotes as they come, and copies every field once; tests hold this
//! reader against it.

use super::split::closing_quote;
use crate::format::chunks::count_lines;

/// One field: a span of the chunk.
#[derive(Clone, Copy, Debug)]
pub(super) struct Field {
    start: usize,
    end: usize,
    /// Whether it stood in quotes.
    pub(super) quoted: bool,
    /// Whether doubled quotes are in it.
    escaped: bool,
}

impl Field {
    /// Its bytes, without the quotes around it.
    pub(super) fn raw<'a>(&self, bytes: &'a [u8]) -> &'a [u8] {
        &bytes[self.start..self.end]
    }

    /// Its value; `buffer` is room for one that has to be unescaped.
    pub(super) fn value<'a>(&self, bytes: &'a [u8], buffer: &'a mut Vec<u8>) -> &'a [u8] {
        let raw = self.raw(bytes);
        if !self.escaped {
            return raw;
        }
        buffer.clear();
        let mut rest = raw;
        // Every quote inside is the first of two.
        while let Some(quote) = memchr::memchr(b'"', rest) {
            buffer.extend_from_slice(&rest[..=quote]);
            rest = &rest[(quote + 2).min(rest.len())..];
        }
        buffer.extend_from_slice(rest);
        buffer
    }

    /// The line on which it begins, in a record that begins at `record`.
    pub(super) fn line(&self, bytes: &[u8], record: &Record) -> u64 {
        record.line + count_lines(&bytes[record.start..self.start])
    }
}

/// One record: where it begins and how many fields it has.
#[derive(Clone, Copy, Debug)]
pub(super) struct Record {
    /// The line on which it begins.
    pub(super) line: u64,
    pub(super) start: usize,
    /// How many fields it has, also beyond those that were kept.
    pub(super) fields: usize,
    /// The field after whose closing quote there is text.
    pub(super) stray_text: Option<usize>,
}

/// Walks over the records of a chunk.
pub(super) struct Reader<'a> {
    bytes: &'a [u8],
    position: usize,
    line: u64,
    delimiter: u8,
    /// How many fields of a record are kept.
    keep: usize,
}

impl<'a> Reader<'a> {
    pub(super) fn new(bytes: &'a [u8], line: u64, delimiter: u8, keep: usize) -> Self {
        Self { bytes, position: 0, line, delimiter, keep }
    }

    /// Where the next record begins.
    pub(super) fn position(&self) -> usize {
        self.position
    }

    /// The line on which the next record begins.
    pub(super) fn line(&self) -> u64 {
        self.line
    }

    /// The next record; its fields replace those in `fields`.
    pub(super) fn next(&mut self, fields: &mut Vec<Field>) -> Option<Record> {
        let bytes = self.bytes;
        loop {
            match bytes.get(self.position..)? {
                [] => return None,
                [b'\n', ..] => self.position += 1,
                [b'\r', b'\n', ..] => self.position += 2,
                _ => break,
            }
            self.line += 1;
        }
        fields.clear();
        let mut record =
            Record { line: self.line, start: self.position, fields: 0, stray_text: None };
        loop {
            let last = self.field(fields, &mut record);
            record.fields += 1;
            if last {
                return Some(record);
            }
        }
    }

    /// Reads one field; `true` when the record ends with it.
    fn field(&mut self, fields: &mut Vec<Field>, record: &mut Record) -> bool {
        let bytes = self.bytes;
        let start = self.position;
        if bytes.get(start) != Some(&b'"') {
            let end = self.plain_end(start);
            let (next, last) = self.after(end);
            let value_end = self.without_carriage_return(start, end, last);
            self.keep(fields, Field { start, end: value_end, quoted: false, escaped: false });
            self.position = next;
            return last;
        }
        // Chunks hold whole records, so the quote is closed within.
        let closing = closing_quote(bytes, start + 1, true).unwrap_or(bytes.len());
        let content = start + 1..closing.max(start + 1).min(bytes.len());
        self.line += count_lines(&bytes[content.clone()]);
        let escaped = memchr::memchr(b'"', &bytes[content.clone()]).is_some();
        let from = (closing + 1).min(bytes.len());
        let end = self.plain_end(from);
        let (next, last) = self.after(end);
        if self.without_carriage_return(from, end, last) > from {
            record.stray_text.get_or_insert(record.fields);
        }
        self.keep(fields, Field { start: content.start, end: content.end, quoted: true, escaped });
        self.position = next;
        last
    }

    /// The delimiter, line feed or end that follows.
    fn plain_end(&self, from: usize) -> usize {
        let delimiter = self.delimiter;
        self.bytes[from..]
            .iter()
            .position(|&byte| byte == delimiter || byte == b'\n')
            .map_or(self.bytes.len(), |found| from + found)
    }

    /// Where to go on after the end of a field, and whether the record ends.
    fn after(&mut self, end: usize) -> (usize, bool) {
        match self.bytes.get(end) {
            None => (end, true),
            Some(b'\n') => {
                self.line += 1;
                (end + 1, true)
            }
            Some(_) => (end + 1, false),
        }
    }

    fn without_carriage_return(&self, start: usize, end: usize, last: bool) -> usize {
        if last && end > start && self.bytes[end - 1] == b'\r' { end - 1 } else { end }
    }

    fn keep(&self, fields: &mut Vec<Field>, field: Field) {
        if fields.len() < self.keep {
            fields.push(field);
        }
    }
}
