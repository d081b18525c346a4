//! Web servers' logs in the Common or Combined Log Format.
//!
//! `host ident user [10/Oct/2000:13:55:36 -0700] "GET /a HTTP/1.1" 200 2326`,
//! in the combined form followed by `"referer" "agent"`; what a server appends
//! behind that is passed over.
//!
//! What always holds: the columns are always the same (see [`schema`]); `-` is
//! null; quoted parts are kept as they are written, escapes included, since
//! servers differ in them. A request that is not `METHOD PATH PROTOCOL`, which
//! clients can send, is kept whole as the path.
//!
//! What is deliberately not here: other log formats, and looking names up.

use std::ops::ControlFlow;
use std::sync::Arc;

use arrow::array::{
    ArrayRef, Int64Builder, RecordBatch, RecordBatchOptions, StringBuilder,
    TimestampMicrosecondBuilder,
};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef, TimeUnit};

use super::chunks::{Chunk, Chunker, Lines};
use super::error::{Error, Malformed, Result};
use super::input::Input;
use super::options::{OnError, ReadOptions};
use super::pipeline;
use super::reader::{Opened, Sink, find_column};
use super::report::ReadReport;
use super::time::{Time, TimeParser};

const TIME: &str = "time";
const TEXTS: [&str; 8] =
    ["host", "ident", "user", "method", "path", "protocol", "referer", "agent"];
const NUMBERS: [&str; 2] = ["status", "bytes"];

/// Time, then texts, then numbers.
fn schema() -> SchemaRef {
    let time =
        Field::new(TIME, DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into())), false);
    let texts = TEXTS.map(|name| Field::new(name, DataType::Utf8, true));
    let numbers = NUMBERS.map(|name| Field::new(name, DataType::Int64, true));
    let fields: Vec<Field> = std::iter::once(time).chain(texts).chain(numbers).collect();
    Arc::new(Schema::new(fields))
}

/// Opens a log: reads all of it once to find malformed lines.
pub(crate) fn open(input: Input, options: &ReadOptions) -> Result<(Arc<dyn Opened>, ReadReport)> {
    let schema = schema();
    let names = || schema.fields().iter().map(|field| field.name().clone()).collect();
    if let Some(column) = &options.time_column
        && column != TIME
    {
        find_column(input.file(), column, names())?;
        return Err(Error::TimeColumn {
            file: input.file().to_owned(),
            column: column.clone(),
            reason: format!("is not the one of this format, which is `{TIME}`"),
        });
    }
    let clock = ReadOptions {
        time_column: Some(TIME.to_owned()),
        time_format: Some("%d/%b/%Y:%H:%M:%S %z".to_owned()),
        ..ReadOptions::default()
    };
    let mut source = WebLog {
        parser: TimeParser::new(&clock)?,
        threads: options.thread_count(),
        chunk_bytes: options.chunk_size(),
        on_error: options.on_error,
        schema,
        input,
        rows: 0,
    };
    if Chunker::new(&source.input, 1)?.is_empty()? {
        return Err(Error::Empty { file: source.input.file().to_owned(), what: "line" });
    }
    let mut report = ReadReport::default();
    source.pass(|walked: Walked| {
        report.rows += walked.rows;
        report.skipped += walked.skipped - walked.malformed.len() as u64;
        for malformed in walked.malformed {
            if options.on_error == OnError::Fail {
                return Err(malformed.into());
            }
            report.skip(malformed);
        }
        Ok(ControlFlow::Continue(()))
    })?;
    source.rows = report.rows;
    Ok((Arc::new(source), report))
}

#[derive(Debug)]
struct WebLog {
    input: Input,
    schema: SchemaRef,
    parser: TimeParser,
    on_error: OnError,
    threads: usize,
    chunk_bytes: usize,
    rows: u64,
}

/// A chunk's lines as columns.
#[derive(Default)]
struct Walked {
    rows: u64,
    skipped: u64,
    malformed: Vec<Malformed>,
    columns: Vec<ArrayRef>,
}

/// One line, in parts.
struct Line<'a> {
    time: Time,
    texts: [Option<&'a str>; 8],
    numbers: [Option<i64>; 2],
}

impl WebLog {
    fn pass(&self, consume: impl FnMut(Walked) -> Result<ControlFlow<()>>) -> Result<()> {
        let mut chunker = Chunker::new(&self.input, self.chunk_bytes)?;
        pipeline::ordered(
            self.threads,
            || chunker.next(&Lines),
            || self.parser.clone(),
            |parser, chunk| self.walk(parser, &chunk),
            consume,
        )
    }

    fn walk(&self, parser: &mut TimeParser, chunk: &Chunk) -> Walked {
        let mut walked = Walked::default();
        let mut time = TimestampMicrosecondBuilder::new().with_timezone("UTC");
        let mut texts: Vec<StringBuilder> = TEXTS.map(|_| StringBuilder::new()).into();
        let mut numbers: Vec<Int64Builder> = NUMBERS.map(|_| Int64Builder::new()).into();
        let lines = chunk.bytes.split(|byte| *byte == b'\n');
        for (line, number) in lines.zip(chunk.line..) {
            if line.trim_ascii().is_empty() {
                continue;
            }
            match parse(line, parser) {
                Ok(parts) => {
                    walked.rows += 1;
                    time.append_value(Time::micros(parts.time.secs, parts.time.nanos));
                    texts.iter_mut().zip(parts.texts).for_each(|(b, v)| b.append_option(v));
                    numbers.iter_mut().zip(parts.numbers).for_each(|(b, v)| b.append_option(v));
                }
                Err((column, reason)) => {
                    walked.skipped += 1;
                    if walked.malformed.len() < ReadReport::LISTED {
                        let row = Malformed::new(self.input.file(), number, reason);
                        walked.malformed.push(row.in_column(column, line));
                    }
                    if self.on_error == OnError::Fail {
                        break;
                    }
                }
            }
        }
        walked.columns.push(Arc::new(time.finish()));
        walked.columns.extend(texts.iter_mut().map(|b| Arc::new(b.finish()) as ArrayRef));
        walked.columns.extend(numbers.iter_mut().map(|b| Arc::new(b.finish()) as ArrayRef));
        walked
    }
}

impl Opened for WebLog {
    fn schema(&self) -> SchemaRef {
        Arc::clone(&self.schema)
    }

    fn read(&self, projection: Option<&[usize]>, sink: &mut Sink<'_>) -> Result<()> {
        let broken = |error: arrow::error::ArrowError| Error::Decoder {
            file: self.input.file().to_owned(),
            reason: error.to_string(),
        };
        let (mut rows, mut stopped) = (0, false);
        self.pass(|walked| {
            rows += walked.rows;
            if walked.rows == 0 {
                return Ok(ControlFlow::Continue(()));
            }
            let count = RecordBatchOptions::new().with_row_count(Some(walked.rows as usize));
            let mut batch =
                RecordBatch::try_new_with_options(Arc::clone(&self.schema), walked.columns, &count)
                    .map_err(broken)?;
            if let Some(places) = projection {
                batch = batch.project(places).map_err(broken)?;
            }
            stopped = !sink(batch);
            Ok(if stopped { ControlFlow::Break(()) } else { ControlFlow::Continue(()) })
        })?;
        if !stopped && rows != self.rows {
            return Err(self.input.changed());
        }
        Ok(())
    }
}

/// The parts of a line, or the column that is wrong and why.
fn parse<'a>(line: &'a [u8], parser: &mut TimeParser) -> Result<Line<'a>, (&'static str, String)> {
    let text = std::str::from_utf8(line).map_err(|_| ("host", "is not UTF-8".to_owned()))?;
    let missing = |column: &'static str| (column, format!("has no {column} where one belongs"));
    let text = text.trim_end_matches('\r');
    let (host, rest) = text.split_once(' ').ok_or_else(|| missing("ident"))?;
    let (ident, rest) = rest.split_once(' ').ok_or_else(|| missing("user"))?;
    // A user's name may hold spaces; the time's bracket ends it.
    let (user, rest) = rest.split_once(" [").ok_or_else(|| missing("time"))?;
    let (time, rest) = rest.split_once("] ").ok_or_else(|| missing("time"))?;
    let time = parser.parse(time.as_bytes()).map_err(|error| (TIME, error.reason))?;
    let (request, rest) = quoted(rest).ok_or_else(|| missing("path"))?;
    let mut words = rest.split_ascii_whitespace();
    let number = |word: Option<&str>, column: &'static str| match word {
        Some("-") => Ok(None),
        Some(word) => word
            .parse()
            .map(Some)
            .map_err(|_| (column, format!("has a {column} that is not a number"))),
        None => Err(missing(column)),
    };
    let status = number(words.next(), "status")?;
    let bytes = number(words.next(), "bytes")?;
    let tail = rest.find('"').map_or("", |quote| &rest[quote..]);
    let (referer, tail) = quoted(tail).unzip();
    let agent = tail.and_then(quoted).map(|(agent, _)| agent);
    let (method, path, protocol) = match request.split(' ').collect::<Vec<_>>().as_slice() {
        [method, path, protocol] => (Some(*method), Some(*path), Some(*protocol)),
        _ => (None, Some(request), None),
    };
    let texts = [Some(host), Some(ident), Some(user), method, path, protocol, referer, agent];
    let texts = texts.map(|text| text.filter(|text| *text != "-"));
    Ok(Line { time, texts, numbers: [status, bytes] })
}

/// What stands between quotes, and what follows; a quote behind a backslash
/// does not end it.
fn quoted(text: &str) -> Option<(&str, &str)> {
    let text = text.trim_start().strip_prefix('"')?;
    let mut escaped = false;
    let end = text.bytes().position(|byte| {
        let ends = byte == b'"' && !escaped;
        escaped = byte == b'\\' && !escaped;
        ends
    })?;
    Some((&text[..end], &text[end + 1..]))
}
