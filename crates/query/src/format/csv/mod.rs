//! CSV: one reading to learn the columns, then as many as are wanted.
//!
//! What always holds: both readings walk through the same rows (see
//! [`rows`]), on several threads, in order. The first finds every malformed
//! row and the type that holds all values of a column; the second converts.
//!
//! What is deliberately not here: times without a declaration. A column of ISO
//! 8601 times is typed as such, but only the declared time column knows a zone.

mod column;
mod header;
mod infer;
mod record;
mod rows;
mod shape;
mod split;

use std::collections::HashMap;
use std::ops::ControlFlow;
use std::sync::Arc;

use arrow::array::{RecordBatch, RecordBatchOptions};
use arrow::datatypes::{Field, Schema, SchemaRef};

use super::chunks::Chunk;
use super::error::{Error, Result, shorten};
use super::input::Input;
use super::options::{ColumnType, OnError, ReadOptions};
use super::pipeline;
use super::reader::{Opened, Sink};
use super::report::ReadReport;
use super::time::fold::{Plan, Resolver, Survey};
use crate::schema::UNIT_KEY;
use column::{Column, Surprise};
use infer::{Kind, Kinds, Seen, classify};
use rows::{Scratch, Walked, walk};
use shape::Shape;

/// Opens a CSV file: reads all of it once.
pub(crate) fn open(input: Input, options: &ReadOptions) -> Result<(Arc<dyn Opened>, ReadReport)> {
    let (shape, notes) = Shape::read(input, options)?;
    let mut report = ReadReport::default();
    notes.into_iter().for_each(|note| report.note(note));

    let mut seen = vec![Seen::default(); shape.names.len()];
    let mut survey = Survey::new(options.ambiguous);
    let mut totals = Walked::default();
    pipeline::ordered(
        shape.threads,
        shape.rows()?,
        || Scratch::new(&shape),
        |scratch, chunk| look(&shape, scratch, &chunk),
        |(columns, mut walked)| {
            for (all, here) in seen.iter_mut().zip(columns) {
                all.merge(here);
            }
            if shape.on_error == OnError::Fail
                && let Some(malformed) = walked.malformed.pop()
            {
                return Err(malformed.into());
            }
            let listed = walked.malformed.len() as u64;
            walked.malformed.into_iter().for_each(|malformed| report.skip(malformed));
            report.skipped += walked.skipped - listed;
            totals.rows += walked.rows;
            totals.nonexistent += walked.nonexistent;
            totals.assumed_utc += walked.assumed_utc;
            totals.finer |= walked.finer;
            totals.far |= walked.far;
            survey.add(walked.times);
            Ok(ControlFlow::Continue(()))
        },
    )?;

    let (plan, dst) = survey.finish();
    report.rows = totals.rows;
    report.dst = dst;
    report.dst.nonexistent = totals.nonexistent;
    if totals.assumed_utc > 0 {
        let name = shape.time.map_or("", |place| &shape.names[place]);
        report.note(format!(
            "times in `{}` carry no zone: they are read as UTC (--time-zone declares another)",
            name.escape_debug()
        ));
    }
    let kinds = decide(&shape, &seen, &totals, &mut report)?;
    let schema = schema(&shape, &kinds);
    Ok((Arc::new(CsvSource { shape, kinds, schema, plan, rows: report.rows }), report))
}

/// The first reading of a chunk: what kinds of values its columns have.
fn look(shape: &Shape, scratch: &mut Scratch, chunk: &Chunk) -> (Vec<Seen>, Walked) {
    let mut seen = vec![Seen::default(); shape.names.len()];
    let mut buffer = Vec::new();
    let walked = walk(shape, scratch, chunk, |row| {
        for (place, seen) in seen.iter_mut().enumerate() {
            if shape.needs_no_look(place) {
                continue;
            }
            let (raw, quoted) = row.value(place, &mut buffer);
            let text = raw.trim_ascii();
            if !quoted && shape.is_null(text) {
                continue;
            }
            let kinds = classify(text);
            seen.kinds = seen.kinds.with(kinds);
            if kinds == Kinds::TEXT && seen.first_text.is_none() {
                seen.first_text = Some((row.line(place), shorten(text)));
            }
        }
    });
    (seen, walked)
}

/// The type of each column.
fn decide(
    shape: &Shape,
    seen: &[Seen],
    totals: &Walked,
    report: &mut ReadReport,
) -> Result<Vec<Kind>> {
    let mut kinds = Vec::with_capacity(seen.len());
    for (place, seen) in seen.iter().enumerate() {
        let name = &shape.names[place];
        let kind = if shape.time == Some(place) {
            if totals.finer && totals.far {
                report.note(format!("`{name}`: digits below microseconds are cut off"));
            }
            Kind::Instant { nanos: totals.finer && !totals.far }
        } else {
            match shape.declared[place] {
                None => {
                    let (kind, note) = seen.decide(name);
                    note.into_iter().for_each(|note| report.note(note));
                    kind
                }
                Some(ColumnType::Timestamp) => match seen.decide(name).0 {
                    kind @ (Kind::Local { .. } | Kind::Instant { .. }) => kind,
                    Kind::Null | Kind::Date => Kind::Local { nanos: false },
                    _ => {
                        return Err(Error::NotFormat {
                            file: shape.input.file().to_owned(),
                            what: "of one kind of time",
                            reason: format!(
                                "column `{name}` has times with and without an offset; \
                                 make it the time column, with a zone, or text"
                            ),
                        });
                    }
                },
                Some(ColumnType::Bool) => Kind::Bool,
                Some(ColumnType::Int64) => Kind::Int64,
                Some(ColumnType::Float64) => Kind::Float64,
                Some(ColumnType::Date) => Kind::Date,
                Some(ColumnType::Utf8) => Kind::Text,
            }
        };
        kinds.push(kind);
    }
    Ok(kinds)
}

fn schema(shape: &Shape, kinds: &[Kind]) -> SchemaRef {
    let fields = shape.names.iter().zip(kinds).enumerate().map(|(place, (name, kind))| {
        let field = Field::new(name, kind.data_type(), shape.time != Some(place));
        match header::unit(name) {
            Some(unit) => {
                field.with_metadata(HashMap::from([(UNIT_KEY.to_owned(), unit.to_owned())]))
            }
            None => field,
        }
    });
    Arc::new(Schema::new(fields.collect::<Vec<_>>()))
}

/// A CSV file whose columns are known.
#[derive(Debug)]
struct CsvSource {
    shape: Shape,
    kinds: Vec<Kind>,
    schema: SchemaRef,
    plan: Plan,
    rows: u64,
}

impl Opened for CsvSource {
    fn schema(&self) -> SchemaRef {
        Arc::clone(&self.schema)
    }

    fn read(&self, projection: Option<&[usize]>, sink: &mut Sink<'_>) -> Result<()> {
        let all: Vec<usize> = (0..self.kinds.len()).collect();
        let places = projection.unwrap_or(&all);
        let changed = |_| self.shape.input.changed();
        let schema = Arc::new(self.schema.project(places).map_err(|error| self.broken(&error))?);
        let mut resolver = Resolver::new(&self.plan);
        let mut rows = 0;
        let mut stopped = false;
        pipeline::ordered(
            self.shape.threads,
            self.shape.rows()?,
            || Scratch::new(&self.shape),
            |scratch, chunk| self.convert(scratch, &chunk, places),
            |converted| {
                let (mut columns, walked) = converted.map_err(changed)?;
                if self.shape.on_error == OnError::Fail && walked.skipped > 0 {
                    return Err(self.shape.input.changed());
                }
                rows += walked.rows;
                let second = resolver.second_pass(walked.times);
                if let Some(time) = places.iter().position(|place| Some(*place) == self.shape.time)
                {
                    for (row, secs, nanos) in second {
                        columns[time].set_time(row, secs, nanos).map_err(changed)?;
                    }
                }
                if walked.rows == 0 {
                    return Ok(ControlFlow::Continue(()));
                }
                let arrays = columns.into_iter().map(Column::finish).collect();
                let options = RecordBatchOptions::new().with_row_count(Some(walked.rows as usize));
                let batch =
                    RecordBatch::try_new_with_options(Arc::clone(&schema), arrays, &options)
                        .map_err(|error| self.broken(&error))?;
                stopped = !sink(batch);
                Ok(if stopped { ControlFlow::Break(()) } else { ControlFlow::Continue(()) })
            },
        )?;
        if !stopped && rows != self.rows {
            return Err(self.shape.input.changed());
        }
        Ok(())
    }
}

impl CsvSource {
    /// The second reading of a chunk.
    fn convert(
        &self,
        scratch: &mut Scratch,
        chunk: &Chunk,
        places: &[usize],
    ) -> Result<(Vec<Column>, Walked), Surprise> {
        // A guess at the rows, so that builders grow at most a few times.
        let rows = chunk.bytes.len() / (self.kinds.len() * 8).max(1);
        let mut columns: Vec<Column> =
            places.iter().map(|place| Column::new(self.kinds[*place], rows)).collect();
        let mut buffer = Vec::new();
        let mut surprised = Ok(());
        let walked = walk(&self.shape, scratch, chunk, |row| {
            for (column, &place) in columns.iter_mut().zip(places) {
                let taken = match row.time {
                    Some(time) if self.shape.time == Some(place) => {
                        column.append_time(time.secs, time.nanos)
                    }
                    _ => {
                        let (raw, quoted) = row.value(place, &mut buffer);
                        let null =
                            !quoted && (raw.is_empty() || self.shape.is_null(raw.trim_ascii()));
                        column.append(raw, null)
                    }
                };
                if taken.is_err() {
                    surprised = taken;
                }
            }
        });
        surprised.map(|()| (columns, walked))
    }

    fn broken(&self, error: &dyn std::fmt::Display) -> Error {
        Error::Decoder { file: self.shape.input.file().to_owned(), reason: error.to_string() }
    }
}
