//! The well-formed rows of a chunk, and what is wrong with the others.
//!
//! What always holds: both readings of a file walk through it here, so they
//! agree about which rows there are. A row is well-formed when it has as many
//! fields as the header, is UTF-8, has a time if a time column is declared,
//! and fits what is declared of its columns.

use crate::format::chunks::Chunk;
use crate::format::error::{Malformed, shorten};
use crate::format::options::OnError;
use crate::format::report::ReadReport;
use crate::format::time::fold::ChunkTimes;
use crate::format::time::{NoTime, Time, TimeParser};

use super::infer::misfit;
use super::record::{Field, Reader, Record};
use super::shape::Shape;

/// What a thread keeps from chunk to chunk.
#[derive(Debug)]
pub(super) struct Scratch {
    parser: TimeParser,
    fields: Vec<Field>,
    unescaped: Vec<u8>,
}

impl Scratch {
    pub(super) fn new(shape: &Shape) -> Self {
        Self { parser: shape.parser.clone(), fields: Vec::new(), unescaped: Vec::new() }
    }
}

/// What a chunk holds beside the values.
#[derive(Debug, Default)]
pub(super) struct Walked {
    pub(super) rows: u64,
    pub(super) skipped: u64,
    /// The first malformed rows; with [`OnError::Fail`] the one that ended it.
    pub(super) malformed: Vec<Malformed>,
    pub(super) nonexistent: u64,
    /// Rows whose time was taken for UTC because nothing said otherwise.
    pub(super) assumed_utc: u64,
    /// Whether a time is finer than microseconds.
    pub(super) finer: bool,
    /// Whether a time is beyond what nanoseconds reach.
    pub(super) far: bool,
    pub(super) times: ChunkTimes,
}

/// A well-formed row.
pub(super) struct Row<'a> {
    bytes: &'a [u8],
    record: &'a Record,
    fields: &'a [Field],
    /// Its time, when a time column is declared.
    pub(super) time: Option<Time>,
}

impl<'a> Row<'a> {
    /// The value at a place, and whether it stood in quotes.
    pub(super) fn value<'b>(&'b self, place: usize, buffer: &'b mut Vec<u8>) -> (&'b [u8], bool)
    where
        'a: 'b,
    {
        let field = &self.fields[place];
        (field.value(self.bytes, buffer), field.quoted)
    }

    /// The line of the value at a place.
    pub(super) fn line(&self, place: usize) -> u64 {
        self.fields[place].line(self.bytes, self.record)
    }
}

/// Calls `take` with each well-formed row of a chunk, in order.
pub(super) fn walk(
    shape: &Shape,
    scratch: &mut Scratch,
    chunk: &Chunk,
    mut take: impl FnMut(&Row<'_>),
) -> Walked {
    let bytes = chunk.bytes.as_slice();
    let columns = shape.names.len();
    let mut walked = Walked::default();
    let all_utf8 = std::str::from_utf8(bytes).is_ok();
    let mut fields = std::mem::take(&mut scratch.fields);
    let mut reader = Reader::new(bytes, chunk.line, shape.delimiter, columns);
    while let Some(record) = reader.next(&mut fields) {
        let mut row = Row { bytes, record: &record, fields: &fields, time: None };
        match check(shape, scratch, &mut row, all_utf8) {
            Ok(()) => {
                if let Some(time) = row.time {
                    walked.note_time(&row, &time, shape);
                }
                take(&row);
                walked.rows += 1;
            }
            Err(bad) => {
                walked.skipped += 1;
                walked.nonexistent += u64::from(bad.nonexistent);
                if walked.malformed.len() < ReadReport::LISTED {
                    walked.malformed.push(*bad.row);
                }
                if shape.on_error == OnError::Fail {
                    break;
                }
            }
        }
    }
    scratch.fields = fields;
    walked
}

impl Walked {
    fn note_time(&mut self, row: &Row<'_>, time: &Time, shape: &Shape) {
        self.assumed_utc += u64::from(time.assumed_utc);
        self.finer |= time.finer;
        self.far |= Time::nanos(time.secs, time.nanos).is_none();
        if time.local.is_none() {
            // No zone was applied, so nothing is in doubt.
            return;
        }
        let place = shape.time.unwrap_or(0);
        // A chunk is far shorter than the address space.
        let number = self.rows as usize;
        self.times.add(number, row.record.line, time, || {
            shorten(row.fields[place].raw(row.bytes).trim_ascii())
        });
    }
}

struct Bad {
    row: Box<Malformed>,
    nonexistent: bool,
}

impl From<Malformed> for Bad {
    fn from(row: Malformed) -> Self {
        Self { row: Box::new(row), nonexistent: false }
    }
}

fn check(
    shape: &Shape,
    scratch: &mut Scratch,
    row: &mut Row<'_>,
    all_utf8: bool,
) -> Result<(), Bad> {
    let (file, record) = (shape.input.file(), row.record);
    let columns = shape.names.len();
    if record.fields != columns {
        let reason = format!(
            "the row has {} field{}, the {} {columns}",
            record.fields,
            if record.fields == 1 { "" } else { "s" },
            if shape.has_header() { "header" } else { "first row" },
        );
        return Err(Malformed::new(file, record.line, reason).into());
    }
    if let Some(place) = record.stray_text {
        return Err(wrong(shape, row, place, "is followed by text after its closing quote").into());
    }
    if !all_utf8 {
        let bad = row.fields.iter().position(|f| std::str::from_utf8(f.raw(row.bytes)).is_err());
        if let Some(place) = bad {
            return Err(wrong(shape, row, place, "is not UTF-8").into());
        }
    }
    if let Some(place) = shape.time {
        let field = &row.fields[place];
        let value = field.value(row.bytes, &mut scratch.unescaped);
        match scratch.parser.parse(value) {
            Ok(time) => row.time = Some(time),
            Err(NoTime { reason, hint, nonexistent }) => {
                let row = wrong(shape, row, place, &reason).hint(hint);
                return Err(Bad { row: Box::new(row), nonexistent });
            }
        }
    }
    if !shape.any_declared() {
        return Ok(());
    }
    for (place, kind) in shape.declared.iter().enumerate() {
        let Some(kind) = kind else { continue };
        let value = row.fields[place].value(row.bytes, &mut scratch.unescaped).trim_ascii();
        let absent = value.is_empty() || (!row.fields[place].quoted && shape.is_null(value));
        if !absent && let Some(reason) = misfit(*kind, value) {
            return Err(wrong(shape, row, place, reason).into());
        }
    }
    Ok(())
}

fn wrong(shape: &Shape, row: &Row<'_>, place: usize, reason: &str) -> Malformed {
    let value = row.fields[place].raw(row.bytes);
    Malformed::new(shape.input.file(), row.line(place), reason)
        .in_column(&shape.names[place], value)
}
