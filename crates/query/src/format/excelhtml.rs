//! The HTML tables that instruments save as `.xls`, as CSV text.
//!
//! A [`Read`] that turns HTML into one line of CSV a table row, so that all
//! that reads CSV reads these files too: its "line" is the row of the table, as
//! a spreadsheet shows it, and lines above the header are rows above it.
//!
//! What always holds: a cell is the text in it, entities decoded, runs of
//! blanks made one; a cell that spans columns is followed by empty ones; rows
//! of all tables follow each other. A table that is not closed is an error,
//! because then the file is cut off. Memory is bounded by one cell.
//!
//! What is deliberately not here: tables in tables, cells that span rows,
//! scripts, and binary `.xls` files, which are refused as what they are.

use std::io::{self, Read};

/// The longest cell or tag.
const MAX_PART_BYTES: usize = 1 << 20;

/// The most columns that one cell may span.
const MAX_SPAN: usize = 1000;

/// HTML in, CSV out.
pub(super) struct TableRows<R> {
    inner: R,
    input: Vec<u8>,
    output: Vec<u8>,
    given: usize,
    state: State,
    at_end: bool,
    at_start: bool,
}

#[derive(Default)]
struct State {
    /// The tag that is being read, without its angle brackets.
    tag: Option<Vec<u8>>,
    /// The quote that an attribute is in.
    quote: Option<u8>,
    /// The cell that is being read.
    cell: Option<Vec<u8>>,
    span: usize,
    in_row: bool,
    cells: usize,
    tables: usize,
    /// Inside `script` or `style`, whose content is no HTML.
    raw: Option<&'static [u8]>,
}

impl<R: Read> TableRows<R> {
    pub(super) fn new(inner: R) -> Self {
        Self {
            inner,
            input: vec![0; 1 << 16],
            output: Vec::new(),
            given: 0,
            state: State::default(),
            at_end: false,
            at_start: true,
        }
    }

    fn advance(&mut self) -> io::Result<()> {
        let count = self.inner.read(&mut self.input)?;
        if std::mem::take(&mut self.at_start) {
            refuse_other_files(&self.input[..count])?;
        }
        self.at_end = count == 0;
        if self.at_end {
            return self.state.finish(&mut self.output);
        }
        for &byte in &self.input[..count] {
            self.state.take(byte, &mut self.output)?;
        }
        Ok(())
    }
}

impl<R: Read> Read for TableRows<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while self.given == self.output.len() && !self.at_end {
            self.output.clear();
            self.given = 0;
            self.advance()?;
        }
        let count = buffer.len().min(self.output.len() - self.given);
        buffer[..count].copy_from_slice(&self.output[self.given..self.given + count]);
        self.given += count;
        Ok(count)
    }
}

fn wrong(reason: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, reason)
}

fn refuse_other_files(start: &[u8]) -> io::Result<()> {
    if start.starts_with(b"\xd0\xcf\x11\xe0") {
        return Err(wrong("it is a binary Excel file: save it as CSV"));
    }
    if start.starts_with(b"PK\x03\x04") {
        return Err(wrong("it is an Excel workbook (.xlsx): save it as CSV"));
    }
    if start.starts_with(b"\xff\xfe") || start.starts_with(b"\xfe\xff") {
        return Err(wrong("it is UTF-16: save it as UTF-8"));
    }
    Ok(())
}

impl State {
    fn take(&mut self, byte: u8, output: &mut Vec<u8>) -> io::Result<()> {
        let Some(tag) = &mut self.tag else {
            if byte == b'<' {
                self.tag = Some(Vec::new());
            } else if let Some(cell) = &mut self.cell {
                push(cell, byte)?;
            }
            return Ok(());
        };
        if self.raw.is_none() && !tag.starts_with(b"!") {
            match self.quote {
                Some(quote) if quote == byte => self.quote = None,
                None if matches!(byte, b'"' | b'\'') => self.quote = Some(byte),
                _ => {}
            }
        }
        let open_comment = tag.starts_with(b"!--") && !(tag.len() > 4 && tag.ends_with(b"--"));
        if byte != b'>' || self.quote.is_some() || open_comment {
            // What a comment or a script says is not kept.
            if (tag.starts_with(b"!--") || self.raw.is_some()) && tag.len() > 64 {
                tag.drain(8..tag.len() - 8);
            }
            return push(tag, byte);
        }
        let tag = self.tag.take().unwrap_or_default();
        self.tag(&tag, output);
        Ok(())
    }

    fn tag(&mut self, tag: &[u8], output: &mut Vec<u8>) {
        let end = tag.iter().position(u8::is_ascii_whitespace).unwrap_or(tag.len());
        let name = without_slash(&tag[..end]).to_ascii_lowercase();
        if let Some(raw) = self.raw {
            if name.ends_with(raw) {
                self.raw = None;
            }
            return;
        }
        match name.as_slice() {
            b"script" => self.raw = Some(b"/script"),
            b"style" => self.raw = Some(b"/style"),
            b"table" => self.tables += 1,
            b"/table" => {
                self.end_row(output);
                self.tables = self.tables.saturating_sub(1);
            }
            b"tr" => {
                self.end_row(output);
                self.in_row = self.tables > 0;
            }
            b"/tr" => self.end_row(output),
            b"td" | b"th" if self.in_row => {
                self.end_cell(output);
                self.cell = Some(Vec::new());
                self.span = span(tag);
            }
            b"/td" | b"/th" => self.end_cell(output),
            b"br" | b"p" | b"/p" => {
                if let Some(cell) = &mut self.cell {
                    cell.push(b' ');
                }
            }
            _ => {}
        }
    }

    fn end_cell(&mut self, output: &mut Vec<u8>) {
        let Some(cell) = self.cell.take() else { return };
        if self.cells > 0 {
            output.push(b',');
        }
        let text = text(&cell);
        if !text.is_empty() {
            output.push(b'"');
            for &byte in &text {
                output.push(byte);
                if byte == b'"' {
                    output.push(byte);
                }
            }
            output.push(b'"');
        }
        output.extend(std::iter::repeat_n(b',', self.span - 1));
        self.cells += self.span;
    }

    fn end_row(&mut self, output: &mut Vec<u8>) {
        self.end_cell(output);
        if self.in_row {
            output.push(b'\n');
        }
        self.in_row = false;
        self.cells = 0;
    }

    fn finish(&mut self, output: &mut Vec<u8>) -> io::Result<()> {
        if self.tables > 0 {
            return Err(wrong("its HTML table is not closed: the file is cut off"));
        }
        self.end_row(output);
        Ok(())
    }
}

fn push(part: &mut Vec<u8>, byte: u8) -> io::Result<()> {
    if part.len() >= MAX_PART_BYTES {
        return Err(wrong("a cell or a tag has more than a mebibyte"));
    }
    part.push(byte);
    Ok(())
}

/// How many columns a cell's tag says that it spans.
fn span(tag: &[u8]) -> usize {
    let lower = String::from_utf8_lossy(tag).to_ascii_lowercase();
    let value = lower.split_once("colspan").map_or("", |(_, rest)| rest);
    let digits: String = value
        .trim_start_matches(|c: char| c == '=' || c == '"' || c == '\'' || c.is_whitespace())
        .chars()
        .take_while(char::is_ascii_digit)
        .collect();
    // Without the attribute, or with nonsense in it, a cell is one column.
    digits.parse().unwrap_or(1).clamp(1, MAX_SPAN)
}

/// The text of a cell: entities decoded, blanks collapsed.
fn text(cell: &[u8]) -> Vec<u8> {
    let mut decoded = Vec::with_capacity(cell.len());
    let mut rest = cell;
    while let Some(start) = memchr::memchr(b'&', rest) {
        decoded.extend_from_slice(&rest[..start]);
        rest = &rest[start..];
        let end = memchr::memchr(b';', &rest[..rest.len().min(12)]);
        match end.and_then(|end| Some((entity(&rest[1..end])?, end))) {
            Some((character, end)) => {
                decoded.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes());
                rest = &rest[end + 1..];
            }
            None => {
                decoded.push(b'&');
                rest = &rest[1..];
            }
        }
    }
    decoded.extend_from_slice(rest);
    let mut text = Vec::with_capacity(decoded.len());
    for word in decoded.split(u8::is_ascii_whitespace).filter(|word| !word.is_empty()) {
        if !text.is_empty() {
            text.push(b' ');
        }
        text.extend_from_slice(word);
    }
    text
}

/// The character that an entity stands for; others stay as they are written.
fn entity(name: &[u8]) -> Option<char> {
    Some(match name {
        b"amp" => '&',
        b"lt" => '<',
        b"gt" => '>',
        b"quot" => '"',
        b"apos" => '\'',
        b"nbsp" | b"#160" | b"#xA0" | b"#xa0" => ' ',
        b"deg" => '°',
        b"micro" => 'µ',
        b"sup2" => '²',
        b"sup3" => '³',
        [b'#', b'x' | b'X', hex @ ..] => {
            char::from_u32(u32::from_str_radix(std::str::from_utf8(hex).ok()?, 16).ok()?)?
        }
        [b'#', digits @ ..] => char::from_u32(std::str::from_utf8(digits).ok()?.parse().ok()?)?,
        _ => return None,
    })
}

/// `<br/>` is `<br>`.
fn without_slash(name: &[u8]) -> &[u8] {
    match name {
        [name @ .., b'/'] if !name.is_empty() => name,
        name => name,
    }
}
