//! The well-formed records of a chunk of JSON, and what is wrong with others.
//!
//! What always holds: both readings of a file walk through it here, so they
//! agree about which records there are. A record is an object of at most 16
//! MiB, nested at most 127 deep, with a time if a time column is declared.

use crate::format::chunks::{Chunk, count_lines};
use crate::format::error::Malformed;
use crate::format::options::OnError;
use crate::format::report::ReadReport;
use crate::format::time::fold::ChunkTimes;
use crate::format::time::{NoTime, Time, TimeParser};

use serde::de::DeserializeSeed as _;

use super::elements::{End, end_of};
use super::infer::{Fieldset, Look, Marks};
use super::{Framing, Settings};

/// What a chunk holds beside the values.
#[derive(Debug, Default)]
pub(super) struct Walked {
    pub(super) fields: Fieldset,
    /// Where the well-formed records lie.
    pub(super) spans: Vec<std::ops::Range<usize>>,
    pub(super) skipped: u64,
    pub(super) malformed: Vec<Malformed>,
    pub(super) nonexistent: u64,
    pub(super) assumed_utc: u64,
    pub(super) finer: bool,
    pub(super) far: bool,
    pub(super) times: ChunkTimes,
    /// The times of the well-formed records.
    pub(super) instants: Vec<(i64, u32)>,
    /// The bracket that closes the array was met.
    pub(super) closed: bool,
}

/// Walks through the records of a chunk, in order.
pub(super) fn walk(settings: &Settings, parser: &mut TimeParser, chunk: &Chunk) -> Walked {
    let bytes = chunk.bytes.as_slice();
    let mut walked = Walked::default();
    let (mut at, mut line) = (0, chunk.line);
    while at < bytes.len() {
        let (end, next) = match settings.framing {
            Framing::Lines => {
                let newline = memchr::memchr(b'\n', &bytes[at..]).map(|found| at + found);
                (newline.unwrap_or(bytes.len()), newline.map_or(bytes.len(), |end| end + 1))
            }
            Framing::Single => (bytes.len(), bytes.len()),
            Framing::Elements => match end_of(bytes, at) {
                End::Comma(comma) => (comma, comma + 1),
                End::Missing => (bytes.len(), bytes.len()),
                End::Bracket(bracket) => {
                    walked.closed = true;
                    (bracket, bytes.len())
                }
            },
        };
        let record = bytes[at..end].trim_ascii_start();
        let start = end - record.len();
        let record_line = line + count_lines(&bytes[at..start]);
        // An element is missing between two commas, but not in `[]` or at the
        // end of what is cut off, which `closed` tells.
        let blank = record.trim_ascii().is_empty();
        let missing =
            blank && settings.framing == Framing::Elements && bytes.get(end) == Some(&b',');
        if missing {
            walked.bad(Malformed::new(&settings.file, record_line, "an element is missing"), false);
        } else if !blank {
            walked.record(settings, parser, record, start, record_line);
        }
        if walked.closed && !bytes[end + 1..].trim_ascii().is_empty() {
            let line = line + count_lines(&bytes[at..end]);
            walked.bad(
                Malformed::new(&settings.file, line, "text after the end of the array"),
                false,
            );
        }
        if settings.on_error == OnError::Fail && walked.skipped > 0 {
            break;
        }
        line += count_lines(&bytes[at..next]);
        at = next;
    }
    walked
}

impl Walked {
    fn bad(&mut self, row: Malformed, nonexistent: bool) {
        self.skipped += 1;
        self.nonexistent += u64::from(nonexistent);
        if self.malformed.len() < ReadReport::LISTED {
            self.malformed.push(row);
        }
    }

    fn record(
        &mut self,
        settings: &Settings,
        parser: &mut TimeParser,
        record: &[u8],
        start: usize,
        line: u64,
    ) {
        let mut text = None;
        // Of a record that turns out malformed, nothing may be kept.
        let mut fields = Fieldset::default();
        let marks = Marks::default();
        let look = Look {
            line,
            fields: &mut fields,
            marks: &marks,
            time: settings.time.as_deref().map(|name| (name, &mut text)),
        };
        let mut deserializer = serde_json::Deserializer::from_slice(record);
        let seen = look.deserialize(&mut deserializer).and_then(|()| deserializer.end());
        if let Err(error) = seen {
            let line = line + error.line().saturating_sub(1) as u64;
            if let Some(key) = marks.repeated.take() {
                let row = Malformed::new(&settings.file, line, "stands twice in one object");
                return self.bad(row.in_column(&key, b""), false);
            }
            return self.bad(Malformed::new(&settings.file, line, reason(&error)), false);
        }
        if let Some(name) = &settings.time {
            let value = text.unwrap_or_default();
            match parser.parse(value.as_bytes()) {
                Ok(time) => self.time(&time, line, &value),
                Err(NoTime { reason, hint, nonexistent }) => {
                    let row = Malformed::new(&settings.file, line, reason)
                        .in_column(name, value.as_bytes())
                        .hint(hint);
                    return self.bad(row, nonexistent);
                }
            }
        }
        if !self.fields.merge(fields) {
            return self.bad(Malformed::new(&settings.file, line, "too many fields"), false);
        }
        self.spans.push(start..start + record.len());
    }

    fn time(&mut self, time: &Time, line: u64, text: &str) {
        self.assumed_utc += u64::from(time.assumed_utc);
        self.finer |= time.finer;
        self.far |= Time::nanos(time.secs, time.nanos).is_none();
        self.times.add(self.spans.len(), line, time, || {
            crate::format::error::shorten(text.trim().as_bytes())
        });
        self.instants.push((time.secs, time.nanos));
    }
}

/// What serde says, without its own idea of the line.
fn reason(error: &serde_json::Error) -> String {
    let text = error.to_string();
    let what = text.split(" at line ").next().unwrap_or(&text);
    format!("not a JSON object: {what}, at byte {} of the line", error.column())
}
