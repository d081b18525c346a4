//! Text cut into chunks of whole records, each with the line it begins on.
//!
//! What always holds: chunks are the file's bytes in order, none left out; a
//! chunk holds at least one whole record and only whole ones, wherever the
//! reads happen to end. A record of more than [`MAX_RECORD_BYTES`] is refused.
//!
//! What is deliberately not here: what a record is (see [`Cut`]) and what is
//! in it.

use super::error::{Error, Result};
use super::input::{Input, InputReader};

/// The largest record that is read.
pub(crate) const MAX_RECORD_BYTES: usize = 16 << 20;

/// Finds where records end.
pub(crate) trait Cut {
    /// Where the last whole record of a buffer ends. The buffer begins with a
    /// record; `at_end` says that the file ends with the buffer.
    fn cut(&self, buffer: &[u8], at_end: bool) -> CutAt;
}

/// The end of the last whole record in a buffer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum CutAt {
    /// Just before this byte; more than 0.
    End(usize),
    /// There is none; `open_quote` is where a quote opened that is not closed.
    More { open_quote: Option<usize> },
}

/// Some whole records.
#[derive(Debug)]
pub(crate) struct Chunk {
    pub(crate) bytes: Vec<u8>,
    /// The line on which it begins, from 1.
    pub(crate) line: u64,
}

/// Records that end with a line feed.
pub(crate) struct Lines;

impl Cut for Lines {
    fn cut(&self, buffer: &[u8], at_end: bool) -> CutAt {
        match memchr::memrchr(b'\n', buffer) {
            _ if at_end => CutAt::End(buffer.len()),
            Some(newline) => CutAt::End(newline + 1),
            None => CutAt::More { open_quote: None },
        }
    }
}

/// Cuts one pass over a file.
pub(crate) struct Chunker {
    reader: InputReader,
    file: String,
    pending: Vec<u8>,
    at_end: bool,
    line: u64,
    target: usize,
}

impl Chunker {
    /// Begins a pass; `target` is about how many bytes make a chunk.
    pub(crate) fn new(input: &Input, target: usize) -> Result<Self> {
        let mut chunker = Self {
            reader: input.read()?,
            file: input.file().to_owned(),
            pending: Vec::new(),
            at_end: false,
            line: 1,
            target: target.clamp(1, MAX_RECORD_BYTES),
        };
        chunker.fill_to(3)?;
        if chunker.pending.starts_with(b"\xef\xbb\xbf") {
            chunker.pending.drain(..3);
        }
        Ok(chunker)
    }

    /// Whether nothing is left.
    pub(crate) fn is_empty(&mut self) -> Result<bool> {
        self.fill_to(1)?;
        Ok(self.pending.is_empty())
    }

    /// The line on which the next chunk begins.
    pub(crate) fn line(&self) -> u64 {
        self.line
    }

    /// The next line as it lies, without taking it. Empty only at the end.
    pub(crate) fn peek_line(&mut self) -> Result<&[u8]> {
        let mut searched = 0;
        loop {
            if let Some(found) = memchr::memchr(b'\n', &self.pending[searched..]) {
                return Ok(&self.pending[..=searched + found]);
            }
            if self.at_end {
                return Ok(&self.pending);
            }
            searched = self.pending.len();
            self.grow()?;
        }
    }

    /// Passes over the next line; `false` when there is none.
    pub(crate) fn skip_line(&mut self) -> Result<bool> {
        let len = self.peek_line()?.len();
        self.pending.drain(..len);
        self.line += 1;
        Ok(len > 0)
    }

    /// The next bytes, without taking them; fewer than asked for at the end.
    pub(crate) fn peek(&mut self, len: usize) -> Result<&[u8]> {
        self.fill_to(len)?;
        Ok(&self.pending[..len.min(self.pending.len())])
    }

    /// Passes over bytes that were peeked at.
    pub(crate) fn skip(&mut self, len: usize) {
        self.line += count_lines(&self.pending[..len]);
        self.pending.drain(..len);
    }

    /// The next whole records, `None` at the end.
    pub(crate) fn next(&mut self, cut: &impl Cut) -> Result<Option<Chunk>> {
        self.fill_to(self.target)?;
        loop {
            if self.pending.is_empty() {
                return Ok(None);
            }
            match cut.cut(&self.pending, self.at_end) {
                CutAt::End(end) => {
                    let rest = self.pending[end..].to_vec();
                    let mut bytes = std::mem::replace(&mut self.pending, rest);
                    bytes.truncate(end);
                    let line = self.line;
                    self.line += count_lines(&bytes);
                    return Ok(Some(Chunk { bytes, line }));
                }
                CutAt::More { open_quote: Some(quote) }
                    if self.at_end || self.pending.len() >= MAX_RECORD_BYTES =>
                {
                    return Err(self.unclosed_quote(quote));
                }
                CutAt::More { .. } => self.grow()?,
            }
        }
    }

    fn unclosed_quote(&self, quote: usize) -> Error {
        let before = &self.pending[..quote];
        let line_start = memchr::memrchr(b'\n', before).map_or(0, |newline| newline + 1);
        Error::UnclosedQuote {
            file: self.file.clone(),
            line: self.line + count_lines(before),
            character: (quote - line_start) as u64 + 1,
            limited: !self.at_end,
        }
    }

    fn grow(&mut self) -> Result<()> {
        if self.pending.len() >= MAX_RECORD_BYTES {
            return Err(Error::RecordTooLarge {
                file: self.file.clone(),
                line: self.line,
                limit: MAX_RECORD_BYTES,
            });
        }
        self.fill_to((self.pending.len() * 2).clamp(64, MAX_RECORD_BYTES))
    }

    fn fill_to(&mut self, len: usize) -> Result<()> {
        let have = self.pending.len();
        if have >= len || self.at_end {
            return Ok(());
        }
        self.pending.resize(len, 0);
        let filled = self.reader.fill(&mut self.pending[have..])?;
        self.pending.truncate(have + filled);
        self.at_end = have + filled < len;
        Ok(())
    }
}

/// How many lines end within the bytes.
pub(crate) fn count_lines(bytes: &[u8]) -> u64 {
    memchr::memchr_iter(b'\n', bytes).count() as u64
}
