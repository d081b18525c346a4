//! What is known of a CSV file before its rows: delimiter, names,
//! declarations.
//!
//! What always holds: every declaration is about a column that is there.

use crate::format::chunks::{Chunk, Chunker};
use crate::format::error::{Error, Malformed, Result};
use crate::format::input::Input;
use crate::format::options::{ColumnType, OnError, ReadOptions};
use crate::format::reader::find_column;
use crate::format::time::TimeParser;

use super::header;
use super::record::Reader;
use super::split::Records;

/// The most columns that are read.
const MAX_COLUMNS: usize = 10_000;

/// What is known of a CSV file before its rows.
#[derive(Debug)]
pub(super) struct Shape {
    pub(super) input: Input,
    pub(super) delimiter: u8,
    pub(super) names: Vec<String>,
    /// What the caller declared of each column.
    pub(super) declared: Vec<Option<ColumnType>>,
    /// The place of the time column.
    pub(super) time: Option<usize>,
    pub(super) parser: TimeParser,
    pub(super) null_values: Vec<String>,
    pub(super) on_error: OnError,
    pub(super) threads: usize,
    chunk_bytes: usize,
    skip_lines: u64,
    no_header: bool,
    any_declared: bool,
}

impl Shape {
    /// Reads the header; the notes say what was assumed.
    pub(super) fn read(input: Input, options: &ReadOptions) -> Result<(Self, Vec<String>)> {
        let mut notes = Vec::new();
        let mut shape = Self {
            input,
            delimiter: b',',
            names: Vec::new(),
            declared: Vec::new(),
            time: None,
            parser: TimeParser::new(options)?,
            null_values: options.null_values.clone(),
            on_error: options.on_error,
            threads: options.thread_count(),
            chunk_bytes: options.chunk_size(),
            skip_lines: options.skip_lines,
            no_header: options.no_header,
            any_declared: !options.column_types.is_empty(),
        };
        let mut chunker = shape.begin()?;
        let file = shape.input.file();
        if chunker.is_empty()? {
            let what = if options.no_header { "row" } else { "header" };
            return Err(Error::Empty { file: file.to_owned(), what });
        }
        shape.delimiter = match options.delimiter {
            Some(delimiter @ (b'"' | b'\n' | b'\r')) => {
                return Err(Error::Option {
                    what: "the delimiter",
                    reason: format!("can not be {:?}", char::from(delimiter)),
                });
            }
            Some(delimiter) => delimiter,
            None => sniff(chunker.peek_line()?, &mut notes),
        };
        shape.read_names(&mut chunker, &mut notes)?;
        shape.declare(options)?;
        Ok((shape, notes))
    }

    fn read_names(&mut self, chunker: &mut Chunker, notes: &mut Vec<String>) -> Result<()> {
        let file = self.input.file();
        // Blank lines were passed over, so the first chunk has a record.
        let Some(chunk) = chunker.next(&Records { delimiter: self.delimiter })? else {
            return Err(self.input.changed());
        };
        let mut fields = Vec::new();
        let mut reader = Reader::new(&chunk.bytes, chunk.line, self.delimiter, MAX_COLUMNS);
        let Some(record) = reader.next(&mut fields) else { return Err(self.input.changed()) };
        if record.fields > MAX_COLUMNS {
            return Err(Error::TooManyColumns {
                file: file.to_owned(),
                columns: record.fields,
                limit: MAX_COLUMNS,
            });
        }
        if let Some(place) = record.stray_text {
            let reason = format!("text after the closing quote of column {}", place + 1);
            return Err(Malformed::new(file, record.line, reason).into());
        }
        let values: Vec<Vec<u8>> = fields
            .iter()
            .map(|field| field.value(&chunk.bytes, &mut Vec::new()).to_vec())
            .collect();
        if values.iter().flatten().filter(|byte| **byte == b'\r').count() > values.len() {
            return Err(Error::NotFormat {
                file: file.to_owned(),
                what: "a CSV file with lines",
                reason: "its lines end with carriage returns alone".to_owned(),
            });
        }
        if self.no_header {
            self.names = (1..=record.fields).map(|number| format!("column_{number}")).collect();
        } else {
            let (names, changes) = header::names(values.iter().map(Vec::as_slice));
            self.names = names;
            notes.extend(changes);
        }
        Ok(())
    }

    fn declare(&mut self, options: &ReadOptions) -> Result<()> {
        let file = self.input.file();
        let place = |name: &str| find_column(file, name, self.names.clone());
        self.time = options.time_column.as_deref().map(place).transpose()?;
        self.declared = vec![None; self.names.len()];
        for (name, kind) in &options.column_types {
            self.declared[place(name)?] = Some(*kind);
        }
        Ok(())
    }

    /// A pass over the file, at its header or first row.
    fn begin(&self) -> Result<Chunker> {
        let mut chunker = Chunker::new(&self.input, self.chunk_bytes)?;
        for _ in 0..self.skip_lines {
            if !chunker.skip_line()? {
                break;
            }
        }
        while matches!(chunker.peek_line()?, b"\n" | b"\r\n") {
            chunker.skip_line()?;
        }
        Ok(chunker)
    }

    /// A pass over the file, at its first row. The header, if there is one,
    /// is cut off the first chunk.
    pub(super) fn rows(&self) -> Result<impl FnMut() -> Result<Option<Chunk>> + Send> {
        let mut chunker = self.begin()?;
        let records = Records { delimiter: self.delimiter };
        let mut header = !self.no_header;
        Ok(move || {
            let Some(mut chunk) = chunker.next(&records)? else { return Ok(None) };
            if std::mem::take(&mut header) {
                let mut reader = Reader::new(&chunk.bytes, chunk.line, records.delimiter, 0);
                reader.next(&mut Vec::new());
                let (end, line) = (reader.position(), reader.line());
                chunk.bytes.drain(..end);
                chunk.line = line;
            }
            Ok(Some(chunk))
        })
    }

    pub(super) fn has_header(&self) -> bool {
        !self.no_header
    }

    /// Whether the type of any column is declared, the time column aside.
    pub(super) fn any_declared(&self) -> bool {
        self.any_declared
    }

    /// Whether a column's type does not depend on its values.
    pub(super) fn needs_no_look(&self, place: usize) -> bool {
        self.time == Some(place)
            || !matches!(self.declared[place], None | Some(ColumnType::Timestamp))
    }

    /// Whether a text that was not in quotes stands for no value.
    pub(super) fn is_null(&self, text: &[u8]) -> bool {
        !self.null_values.is_empty() && self.null_values.iter().any(|null| null.as_bytes() == text)
    }
}

/// The delimiter of a line: the comma if there is one outside of quotes.
fn sniff(line: &[u8], notes: &mut Vec<String>) -> u8 {
    let count = |delimiter: u8| {
        let mut quoted = false;
        line.iter()
            .filter(|byte| {
                quoted ^= **byte == b'"';
                !quoted && **byte == delimiter
            })
            .count()
    };
    if count(b',') > 0 {
        return b',';
    }
    let others = [(b';', "a semicolon"), (b'\t', "a tab"), (b'|', "a bar")];
    match others.into_iter().map(|(byte, name)| (count(byte), byte, name)).max_by_key(|o| o.0) {
        Some((1.., delimiter, name)) => {
            notes.push(format!("fields are separated by {name}"));
            delimiter
        }
        _ => b',',
    }
}
