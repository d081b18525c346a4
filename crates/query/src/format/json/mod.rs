//! JSON and NDJSON: one reading to learn the fields, then as many as wanted.
//!
//! What always holds: objects stay structs and arrays stay lists; a field's
//! type holds all its values in the file. One large array is read element by
//! element; only one element of at most 16 MiB is in memory at a time and a
//! thread.
//!
//! What is deliberately not here: times inside of strings, apart from the
//! declared time column, and flattening.

mod elements;
mod infer;
mod records;

use std::ops::ControlFlow;
use std::sync::Arc;

use arrow::array::{
    ArrayRef, RecordBatch, RecordBatchOptions, TimestampMicrosecondArray, TimestampNanosecondArray,
};
use arrow::datatypes::{DataType, Field, FieldRef, Schema, SchemaRef, TimeUnit};
use arrow::json::ReaderBuilder;

use super::chunks::{Chunk, Chunker, Lines};
use super::error::{Error, Malformed, Result};
use super::input::Input;
use super::options::{ColumnType, OnError, ReadOptions};
use super::pipeline;
use super::reader::{Opened, Sink, find_column};
use super::report::ReadReport;
use super::time::fold::{Plan, Resolver, Survey};
use super::time::{Time, TimeParser};
use elements::{Elements, Whole};
use infer::{Conflict, Fieldset};
use records::{Walked, walk};

/// How records lie in the file, as the format says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Layout {
    /// One array of objects, or one object.
    Array,
    /// One object a line.
    Lines,
}

/// How records lie in the file, as the file says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Framing {
    Lines,
    Elements,
    Single,
}

/// What both readings need.
#[derive(Debug)]
struct Settings {
    input: Input,
    file: String,
    framing: Framing,
    time: Option<String>,
    parser: TimeParser,
    on_error: OnError,
    threads: usize,
    chunk_bytes: usize,
}

impl Settings {
    /// A pass over the file, at its first record.
    fn begin(&self) -> Result<Chunker> {
        let mut chunker = Chunker::new(&self.input, self.chunk_bytes)?;
        if self.framing == Framing::Elements {
            skip_blanks(&mut chunker)?;
            chunker.skip(1);
        }
        Ok(chunker)
    }

    fn records(&self) -> Result<impl FnMut() -> Result<Option<Chunk>> + Send> {
        let mut chunker = self.begin()?;
        let framing = self.framing;
        Ok(move || match framing {
            Framing::Lines => chunker.next(&Lines),
            Framing::Elements => chunker.next(&Elements),
            Framing::Single => chunker.next(&Whole),
        })
    }
}

/// Opens a JSON file: reads all of it once.
pub(crate) fn open(
    input: Input,
    options: &ReadOptions,
    layout: Layout,
) -> Result<(Arc<dyn Opened>, ReadReport)> {
    let file = input.file().to_owned();
    let framing = framing(&input, layout)?;
    let settings = Settings {
        input,
        file,
        framing,
        time: options.time_column.clone(),
        parser: TimeParser::new(options)?,
        on_error: options.on_error,
        threads: options.thread_count(),
        chunk_bytes: options.chunk_size(),
    };
    let mut report = ReadReport::default();
    let mut survey = Survey::new(options.ambiguous);
    let mut fields = Fieldset::default();
    let (mut closed, mut assumed_utc, mut finer, mut far) = (false, 0, false, false);
    pipeline::ordered(
        settings.threads,
        settings.records()?,
        || settings.parser.clone(),
        |parser, chunk| walk(&settings, parser, &chunk),
        |mut walked: Walked| {
            if settings.on_error == OnError::Fail
                && let Some(malformed) = walked.malformed.pop()
            {
                return Err(more_than_one(&settings, malformed));
            }
            report.rows += walked.spans.len() as u64;
            report.skipped += walked.skipped - walked.malformed.len() as u64;
            walked.malformed.into_iter().for_each(|malformed| report.skip(malformed));
            report.dst.nonexistent += walked.nonexistent;
            assumed_utc += walked.assumed_utc;
            finer |= walked.finer;
            far |= walked.far;
            closed |= walked.closed;
            survey.add(walked.times);
            if !fields.merge(walked.fields) {
                return Err(not_json(&settings.file, "it has too many fields".to_owned()));
            }
            Ok(ControlFlow::Continue(()))
        },
    )?;
    if framing == Framing::Elements && !closed {
        return Err(not_json(&settings.file, "it ends before its array does".to_owned()));
    }
    if fields.len() == 0 && report.skipped == 0 {
        return Err(Error::Empty { file: settings.file, what: "field in any object" });
    }
    let nonexistent = report.dst.nonexistent;
    let (plan, dst) = survey.finish();
    report.dst = dst;
    report.dst.nonexistent = nonexistent;
    if let (Some(name), 1..) = (&settings.time, assumed_utc) {
        report.note(format!(
            "times in `{}` carry no zone: they are read as UTC (--time-zone declares another)",
            name.escape_debug()
        ));
    }
    let schema = schema(&settings, options, &fields, finer && !far, &mut report)?;
    let rows = report.rows;
    Ok((Arc::new(JsonSource { settings, schema, plan, rows }), report))
}

fn skip_blanks(chunker: &mut Chunker) -> Result<Option<u8>> {
    loop {
        match chunker.peek(1)?.first() {
            Some(byte) if byte.is_ascii_whitespace() => chunker.skip(1),
            first => return Ok(first.copied()),
        }
    }
}

fn framing(input: &Input, layout: Layout) -> Result<Framing> {
    let mut chunker = Chunker::new(input, 1)?;
    let empty = || Error::Empty { file: input.file().to_owned(), what: "object" };
    let first = skip_blanks(&mut chunker)?.ok_or_else(empty)?;
    match (layout, first) {
        (Layout::Lines, _) => Ok(Framing::Lines),
        (Layout::Array, b'[') => Ok(Framing::Elements),
        (Layout::Array, b'{') => Ok(Framing::Single),
        (Layout::Array, _) => {
            let reason = format!("line {} begins neither an array nor an object", chunker.line());
            Err(not_json(input.file(), reason))
        }
    }
}

fn not_json(file: &str, reason: String) -> Error {
    Error::NotFormat {
        file: file.to_owned(),
        what: "a JSON array of objects or one object",
        reason,
    }
}

/// A file of one object that goes on is most likely one object a line.
fn more_than_one(settings: &Settings, mut malformed: Malformed) -> Error {
    if settings.framing == Framing::Single && malformed.reason.contains("trailing characters") {
        malformed.hint = Some("the format ndjson reads one object a line".to_owned());
    }
    malformed.into()
}

fn schema(
    settings: &Settings,
    options: &ReadOptions,
    seen: &Fieldset,
    nanos: bool,
    report: &mut ReadReport,
) -> Result<SchemaRef> {
    let mut notes = Vec::new();
    let fields = seen.decide("", &mut notes).map_err(|Conflict { path, first, second }| {
        Malformed::new(
            &settings.file,
            second.1,
            format!("is {}, but {} on line {}; no column holds both", second.0, first.0, first.1),
        )
        .in_column(&path, b"")
    })?;
    let names = || fields.iter().map(|field| field.name().clone()).collect::<Vec<_>>();
    let mut fields: Vec<FieldRef> = fields.iter().cloned().collect();
    for (name, kind) in &options.column_types {
        let place = find_column(&settings.file, name, names())?;
        fields[place] = declared(&settings.file, &fields[place], *kind)?;
    }
    if let Some(name) = &settings.time {
        let place = find_column(&settings.file, name, names())?;
        fields[place] = Arc::new(Field::new(name, time_type(nanos), false));
    }
    notes.into_iter().for_each(|note| report.note(note));
    Ok(Arc::new(Schema::new(fields)))
}

fn time_type(nanos: bool) -> DataType {
    let unit = if nanos { TimeUnit::Nanosecond } else { TimeUnit::Microsecond };
    DataType::Timestamp(unit, Some("UTC".into()))
}

/// A declaration can widen what a field holds, never narrow it.
fn declared(file: &str, field: &FieldRef, kind: ColumnType) -> Result<FieldRef> {
    let wanted = match kind {
        ColumnType::Bool => DataType::Boolean,
        ColumnType::Int64 => DataType::Int64,
        ColumnType::Float64 => DataType::Float64,
        ColumnType::Date => DataType::Date32,
        ColumnType::Timestamp => DataType::Timestamp(TimeUnit::Microsecond, None),
        ColumnType::Utf8 => DataType::Utf8,
    };
    let has = field.data_type();
    let widens = *has == wanted
        || *has == DataType::Null
        || (*has == DataType::Int64 && wanted == DataType::Float64)
        || (!has.is_nested() && wanted == DataType::Utf8);
    if !widens {
        return Err(Error::NotFormat {
            file: file.to_owned(),
            what: "of the declared types",
            reason: format!("`{}` holds {has}, which does not widen to {kind}", field.name()),
        });
    }
    Ok(Arc::new(Field::new(field.name(), wanted, true)))
}

/// A JSON file whose fields are known.
#[derive(Debug)]
struct JsonSource {
    settings: Settings,
    schema: SchemaRef,
    plan: Plan,
    rows: u64,
}

/// The second reading of a chunk: all columns, with a gap for the times.
struct Converted {
    batch: Option<RecordBatch>,
    walked: Walked,
}

impl Opened for JsonSource {
    fn schema(&self) -> SchemaRef {
        Arc::clone(&self.schema)
    }

    fn read(&self, projection: Option<&[usize]>, sink: &mut Sink<'_>) -> Result<()> {
        let all: Vec<usize> = (0..self.schema.fields().len()).collect();
        let places = projection.unwrap_or(&all);
        let time_place = self.settings.time.as_ref().and_then(|name| {
            places.iter().position(|place| self.schema.field(*place).name() == name)
        });
        let schema = Arc::new(self.schema.project(places).map_err(|error| self.broken(&error))?);
        // What is decoded: the columns wanted, but for the times, which the
        // walk through the records reads.
        let decoded: Vec<FieldRef> = schema
            .fields()
            .iter()
            .enumerate()
            .filter(|(place, _)| Some(*place) != time_place)
            .map(|(_, field)| Arc::clone(field))
            .collect();
        let decoded = Arc::new(Schema::new(decoded));
        let mut resolver = Resolver::new(&self.plan);
        let (mut rows, mut stopped) = (0, false);
        pipeline::ordered(
            self.settings.threads,
            self.settings.records()?,
            || self.settings.parser.clone(),
            |parser, chunk| self.convert(parser, &chunk, &decoded),
            |converted| {
                let Converted { batch, walked } = converted?;
                if self.settings.on_error == OnError::Fail && walked.skipped > 0 {
                    return Err(self.settings.input.changed());
                }
                let count = walked.spans.len();
                rows += count as u64;
                let mut instants = walked.instants;
                for (row, secs, nanos) in resolver.second_pass(walked.times) {
                    instants[row] = (secs, nanos);
                }
                if count == 0 {
                    return Ok(ControlFlow::Continue(()));
                }
                let mut columns = batch.map_or(Vec::new(), |batch| batch.columns().to_vec());
                if let Some(place) = time_place {
                    let kind = schema.field(place).data_type();
                    let times =
                        times(kind, &instants).ok_or_else(|| self.settings.input.changed())?;
                    columns.insert(place, times);
                }
                let options = RecordBatchOptions::new().with_row_count(Some(count));
                let batch =
                    RecordBatch::try_new_with_options(Arc::clone(&schema), columns, &options)
                        .map_err(|error| self.broken(&error))?;
                stopped = !sink(batch);
                Ok(if stopped { ControlFlow::Break(()) } else { ControlFlow::Continue(()) })
            },
        )?;
        if !stopped && rows != self.rows {
            return Err(self.settings.input.changed());
        }
        Ok(())
    }
}

impl JsonSource {
    fn convert(
        &self,
        parser: &mut TimeParser,
        chunk: &Chunk,
        schema: &SchemaRef,
    ) -> Result<Converted> {
        let walked = walk(&self.settings, parser, chunk);
        if schema.fields().is_empty() || walked.spans.is_empty() {
            return Ok(Converted { batch: None, walked });
        }
        let broken = |error| {
            let error: arrow::error::ArrowError = error;
            let lines = format!("after line {}: {error}", chunk.line);
            Error::Decoder { file: self.settings.file.clone(), reason: lines }
        };
        let mut decoder = ReaderBuilder::new(Arc::clone(schema))
            .with_batch_size(walked.spans.len() + 1)
            .with_coerce_primitive(true)
            .build_decoder()
            .map_err(broken)?;
        for span in &walked.spans {
            decoder.decode(&chunk.bytes[span.clone()]).map_err(broken)?;
            decoder.decode(b"\n").map_err(broken)?;
        }
        let batch = decoder.flush().map_err(broken)?;
        if batch.as_ref().is_none_or(|batch| batch.num_rows() != walked.spans.len()) {
            return Err(self.settings.input.changed());
        }
        Ok(Converted { batch, walked })
    }

    fn broken(&self, error: &dyn std::fmt::Display) -> Error {
        Error::Decoder { file: self.settings.file.clone(), reason: error.to_string() }
    }
}

fn times(kind: &DataType, instants: &[(i64, u32)]) -> Option<ArrayRef> {
    if matches!(kind, DataType::Timestamp(TimeUnit::Nanosecond, _)) {
        let values: Option<Vec<i64>> =
            instants.iter().map(|(secs, nanos)| Time::nanos(*secs, *nanos)).collect();
        return Some(Arc::new(TimestampNanosecondArray::from(values?).with_timezone("UTC")));
    }
    let values: Vec<i64> =
        instants.iter().map(|(secs, nanos)| Time::micros(*secs, *nanos)).collect();
    Some(Arc::new(TimestampMicrosecondArray::from(values).with_timezone("UTC")))
}
