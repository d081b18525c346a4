//! OpenTelemetry metrics as JSON lines, as the collector's file exporter writes
//! them: one row a data point.
//!
//! What always holds: the columns are always the same (see [`schema`]). A line
//! is a record: when anything in it is malformed, none of its points is a row.
//! Attributes, of the point and of the resource it comes from, are JSON objects
//! with their keys in order, so that equal ones are equal as text and can be
//! part of a series' key. A point that says "no value recorded" has null.
//!
//! | metric | columns that are not null |
//! |---|---|
//! | gauge, sum | `value` |
//! | histogram | `count`, maybe `sum`, `min`, `max`; `buckets` is `{"bounds":[...],"counts":[...]}` |
//! | exponential histogram | the same; `buckets` is `{"scale":n,"zero":n,"positive":{"offset":n,"counts":[...]},"negative":...}` |
//! | summary | `count`, `sum`; `buckets` is `{"quantiles":[[q,value],...]}` |
//!
//! What is deliberately not here: exemplars, traces and logs, and the binary
//! encoding.

mod message;

use std::ops::ControlFlow;
use std::sync::Arc;

use arrow::array::{
    ArrayRef, BooleanBuilder, Float64Builder, Int64Builder, RecordBatch, RecordBatchOptions,
    StringBuilder, TimestampNanosecondBuilder,
};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef, TimeUnit};

use super::chunks::{Chunk, Chunker, Lines};
use super::error::{Error, Malformed, Result};
use super::input::Input;
use super::options::{OnError, ReadOptions};
use super::pipeline;
use super::reader::{Opened, Sink, find_column};
use super::report::ReadReport;
use message::{Buckets, Float, Int, Line, Metric, Point, Points, object, write_float};

const TIME: &str = "time";

/// The bit of a point's flags that says that it has no value.
const NO_RECORDED_VALUE: i128 = 1;

/// Integers beyond are not all exact in a float.
const EXACT: i128 = 1 << 53;

fn schema() -> SchemaRef {
    let time = || DataType::Timestamp(TimeUnit::Nanosecond, Some("UTC".into()));
    let text = |name, nullable| Field::new(name, DataType::Utf8, nullable);
    let float = |name| Field::new(name, DataType::Float64, true);
    Arc::new(Schema::new(vec![
        Field::new(TIME, time(), false),
        Field::new("start_time", time(), true),
        text("metric", false),
        text("kind", false),
        text("unit", true),
        float("value"),
        Field::new("count", DataType::Int64, true),
        float("sum"),
        float("min"),
        float("max"),
        text("buckets", true),
        text("temporality", true),
        Field::new("monotonic", DataType::Boolean, true),
        text("attributes", false),
        text("scope", true),
        text("resource", false),
    ]))
}

/// Opens a file of metrics: reads all of it once to find malformed lines.
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
    let mut source = OtelJson {
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
    let mut inexact = false;
    source.pass(|walked: Walked| {
        report.rows += walked.rows.len as u64;
        report.skipped += walked.skipped - walked.malformed.len() as u64;
        inexact |= walked.rows.inexact;
        for malformed in walked.malformed {
            if options.on_error == OnError::Fail {
                return Err(malformed.into());
            }
            report.skip(malformed);
        }
        Ok(ControlFlow::Continue(()))
    })?;
    if inexact {
        report.note("`value` has integers above 2^53, which lose digits".to_owned());
    }
    source.rows = report.rows;
    Ok((Arc::new(source), report))
}

#[derive(Debug)]
struct OtelJson {
    input: Input,
    schema: SchemaRef,
    on_error: OnError,
    threads: usize,
    chunk_bytes: usize,
    rows: u64,
}

/// A chunk's data points, and its lines that have none.
#[derive(Default)]
struct Walked {
    rows: Rows,
    skipped: u64,
    malformed: Vec<Malformed>,
}

impl OtelJson {
    fn pass(&self, consume: impl FnMut(Walked) -> Result<ControlFlow<()>>) -> Result<()> {
        let mut chunker = Chunker::new(&self.input, self.chunk_bytes)?;
        pipeline::ordered(
            self.threads,
            || chunker.next(&Lines),
            || (),
            |(), chunk| self.walk(&chunk),
            consume,
        )
    }

    fn walk(&self, chunk: &Chunk) -> Walked {
        let mut walked = Walked::default();
        let lines = chunk.bytes.split(|byte| *byte == b'\n');
        for (line, number) in lines.zip(chunk.line..) {
            if line.trim_ascii().is_empty() {
                continue;
            }
            let file = self.input.file();
            let mut points = Vec::new();
            match read_line(file, number, line, &mut points) {
                Ok(()) => points.iter().for_each(|point| walked.rows.push(point)),
                Err(malformed) => {
                    walked.skipped += 1;
                    if walked.malformed.len() < ReadReport::LISTED {
                        walked.malformed.push(*malformed);
                    }
                    if self.on_error == OnError::Fail {
                        break;
                    }
                }
            }
        }
        walked
    }
}

impl Opened for OtelJson {
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
            let len = walked.rows.len;
            rows += len as u64;
            if len == 0 {
                return Ok(ControlFlow::Continue(()));
            }
            let count = RecordBatchOptions::new().with_row_count(Some(len));
            let columns = walked.rows.finish();
            let mut batch =
                RecordBatch::try_new_with_options(Arc::clone(&self.schema), columns, &count)
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

/// One data point, as a row has it.
struct Row {
    time: i64,
    start_time: Option<i64>,
    metric: Arc<str>,
    kind: &'static str,
    unit: Option<Arc<str>>,
    value: Option<f64>,
    inexact: bool,
    count: Option<i64>,
    sum: Option<f64>,
    min: Option<f64>,
    max: Option<f64>,
    buckets: Option<String>,
    temporality: Option<&'static str>,
    monotonic: Option<bool>,
    attributes: String,
    scope: Option<Arc<str>>,
    resource: Arc<str>,
}

/// What is wrong with a metric: the metric, and the reason.
type Wrong = (String, String);

/// The data points of one line.
fn read_line(
    file: &str,
    number: u64,
    line: &[u8],
    points: &mut Vec<Row>,
) -> std::result::Result<(), Box<Malformed>> {
    let bad = |reason: String| Box::new(Malformed::new(file, number, reason));
    let line: Line = serde_json::from_slice(line).map_err(|error| {
        let text = error.to_string();
        let what = text.rsplit_once(" at line ").map_or(text.as_str(), |(what, _)| what);
        bad(format!("not OpenTelemetry's JSON: {what}, at byte {} of the line", error.column()))
    })?;
    let Some(resources) = line.resource_metrics else {
        return Err(bad(match (line.resource_spans, line.resource_logs) {
            (Some(_), _) => "holds traces, not metrics".to_owned(),
            (_, Some(_)) => "holds logs, not metrics".to_owned(),
            _ => "has no `resourceMetrics`".to_owned(),
        }));
    };
    let twice = |of: &str, key: String| {
        bad(format!("the attribute `{}` of {of} stands twice", key.escape_debug()))
    };
    for resource in resources {
        let attributes = resource.resource.and_then(|resource| resource.attributes);
        let text = object(attributes.as_deref()).map_err(|key| twice("the resource", key))?;
        let text: Arc<str> = text.into();
        for scope in resource.scope_metrics.into_iter().flatten() {
            let name = scope.scope.and_then(|scope| scope.name).filter(|name| !name.is_empty());
            let name: Option<Arc<str>> = name.map(Into::into);
            for metric in scope.metrics.into_iter().flatten() {
                read_metric(metric, name.as_ref(), &text, points)
                    .map_err(|(metric, reason)| Box::new(bad(reason).in_column(&metric, b"")))?;
            }
        }
    }
    Ok(())
}

fn read_metric(
    metric: Metric,
    scope: Option<&Arc<str>>,
    resource: &Arc<str>,
    rows: &mut Vec<Row>,
) -> std::result::Result<(), Wrong> {
    let name = metric.name.filter(|name| !name.is_empty());
    let name = name.ok_or_else(|| ("name".to_owned(), "a metric without a name".to_owned()))?;
    let wrong = |reason: &str| (name.clone(), reason.to_owned());
    let kinds = [
        ("gauge", metric.gauge),
        ("sum", metric.sum),
        ("histogram", metric.histogram),
        ("exponential_histogram", metric.exponential_histogram),
        ("summary", metric.summary),
    ];
    let unit: Option<Arc<str>> = metric.unit.filter(|unit| !unit.is_empty()).map(Into::into);
    let metric: Arc<str> = name.as_str().into();
    let mut given = kinds.into_iter().filter_map(|(kind, points)| Some((kind, points?)));
    // A metric of a kind that is not known yet has none, and neither has an
    // empty one: both are allowed, and have no points.
    let Some((kind, points)) = given.next() else { return Ok(()) };
    if given.next().is_some() {
        return Err(wrong("has data of more than one kind"));
    }
    let Points { data_points, aggregation_temporality, is_monotonic } = points;
    let temporality = match aggregation_temporality {
        None | Some(0) => None,
        Some(1) => Some("delta"),
        Some(2) => Some("cumulative"),
        Some(_) => return Err(wrong("has an `aggregationTemporality` that is not 0, 1 or 2")),
    };
    let is_sum = kind == "sum";
    for point in data_points.into_iter().flatten() {
        let nanos = |time: Option<Int>, what: &str| match time {
            // Zero is how the protocol writes an unknown time.
            None | Some(Int(0)) => Ok(None),
            Some(Int(time)) => match i64::try_from(time) {
                Ok(time) if time > 0 => Ok(Some(time)),
                _ => Err(wrong(&format!("has a `{what}` that no timestamp holds"))),
            },
        };
        let time = nanos(point.time_unix_nano, "timeUnixNano")?
            .ok_or_else(|| wrong("has a data point without `timeUnixNano`"))?;
        // The protocol leaves out a count of zero, and the sum of a summary.
        let is_distribution = !matches!(kind, "gauge" | "sum");
        let count = point.count.or(is_distribution.then_some(Int(0)));
        let count = match count.map(|Int(count)| i64::try_from(count)) {
            None => None,
            Some(Ok(count)) if count >= 0 => Some(count),
            Some(_) => return Err(wrong("has a `count` that no column holds")),
        };
        let sum = point.sum.or((kind == "summary").then_some(Float(0.0)));
        let (value, inexact) = value(&point).map_err(wrong)?;
        let attributes = object(point.attributes.as_deref()).map_err(|key| {
            wrong(&format!("the attribute `{}` of a point stands twice", key.escape_debug()))
        })?;
        rows.push(Row {
            time,
            start_time: nanos(point.start_time_unix_nano, "startTimeUnixNano")?,
            metric: Arc::clone(&metric),
            kind,
            unit: unit.clone(),
            value,
            inexact,
            count,
            sum: sum.map(|Float(sum)| sum),
            min: point.min.map(|Float(min)| min),
            max: point.max.map(|Float(max)| max),
            buckets: buckets(kind, &point),
            temporality,
            // The protocol leaves out what is false.
            monotonic: is_sum.then(|| is_monotonic.unwrap_or(false)),
            attributes,
            scope: scope.cloned(),
            resource: Arc::clone(resource),
        });
    }
    Ok(())
}

/// The value of a gauge or sum, and whether it lost digits.
fn value(point: &Point) -> std::result::Result<(Option<f64>, bool), &'static str> {
    let flags = point.flags.map_or(0, |Int(flags)| flags);
    if flags & NO_RECORDED_VALUE != 0 {
        return Ok((None, false));
    }
    match (point.as_double, point.as_int) {
        (Some(_), Some(_)) => Err("has a data point with both `asDouble` and `asInt`"),
        (Some(Float(value)), None) => Ok((Some(value), false)),
        #[expect(clippy::cast_precision_loss, reason = "noted in the report")]
        (None, Some(Int(value))) => {
            let value_f64 = value as f64;
            Ok((Some(value_f64), value.abs() > EXACT))
        }
        (None, None) => Ok((None, false)),
    }
}

/// What a distribution holds beside its totals, as JSON.
fn buckets(kind: &str, point: &Point) -> Option<String> {
    let mut text = String::new();
    match kind {
        "histogram" => {
            text.push_str("{\"bounds\":");
            let bounds = point.explicit_bounds.iter().flatten();
            list(&mut text, bounds, |text, bound| write_float(text, *bound));
            text.push_str(",\"counts\":");
            counts(&mut text, point.bucket_counts.as_deref());
        }
        "exponential_histogram" => {
            let scale = point.scale.map_or(0, |Int(scale)| scale);
            let zero = point.zero_count.map_or(0, |Int(zero)| zero);
            text.push_str(&format!("{{\"scale\":{scale},\"zero\":{zero}"));
            for (name, side) in [("positive", &point.positive), ("negative", &point.negative)] {
                if let Some(Buckets { offset, bucket_counts }) = side {
                    let offset = offset.map_or(0, |Int(offset)| offset);
                    text.push_str(&format!(",\"{name}\":{{\"offset\":{offset},\"counts\":"));
                    counts(&mut text, bucket_counts.as_deref());
                    text.push('}');
                }
            }
        }
        "summary" => {
            text.push_str("{\"quantiles\":");
            list(&mut text, point.quantile_values.iter().flatten(), |text, quantile| {
                // The protocol leaves out what is zero.
                text.push('[');
                write_float(text, quantile.quantile.unwrap_or(Float(0.0)));
                text.push(',');
                write_float(text, quantile.value.unwrap_or(Float(0.0)));
                text.push(']');
            });
        }
        _ => return None,
    }
    text.push('}');
    Some(text)
}

fn counts(text: &mut String, counts: Option<&[Int]>) {
    list(text, counts.unwrap_or_default(), |text, Int(count)| text.push_str(&count.to_string()));
}

fn list<T>(
    text: &mut String,
    items: impl IntoIterator<Item = T>,
    mut write: impl FnMut(&mut String, T),
) {
    text.push('[');
    for (at, item) in items.into_iter().enumerate() {
        if at > 0 {
            text.push(',');
        }
        write(text, item);
    }
    text.push(']');
}

/// Rows as columns, in the order of [`schema`].
struct Rows {
    len: usize,
    inexact: bool,
    times: [TimestampNanosecondBuilder; 2],
    texts: [StringBuilder; 8],
    floats: [Float64Builder; 4],
    count: Int64Builder,
    monotonic: BooleanBuilder,
}

impl Default for Rows {
    fn default() -> Self {
        let time = || TimestampNanosecondBuilder::new().with_timezone("UTC");
        Self {
            len: 0,
            inexact: false,
            times: [time(), time()],
            texts: Default::default(),
            floats: Default::default(),
            count: Int64Builder::new(),
            monotonic: BooleanBuilder::new(),
        }
    }
}

impl Rows {
    fn push(&mut self, row: &Row) {
        self.len += 1;
        self.inexact |= row.inexact;
        let times = [Some(row.time), row.start_time];
        self.times.iter_mut().zip(times).for_each(|(column, time)| column.append_option(time));
        let texts = [
            Some(row.metric.as_ref()),
            Some(row.kind),
            row.unit.as_deref(),
            row.buckets.as_deref(),
            row.temporality,
            Some(row.attributes.as_str()),
            row.scope.as_deref(),
            Some(row.resource.as_ref()),
        ];
        self.texts.iter_mut().zip(texts).for_each(|(column, text)| column.append_option(text));
        let floats = [row.value, row.sum, row.min, row.max];
        self.floats.iter_mut().zip(floats).for_each(|(column, float)| column.append_option(float));
        self.count.append_option(row.count);
        self.monotonic.append_option(row.monotonic);
    }

    fn finish(mut self) -> Vec<ArrayRef> {
        let [time, start_time] = self.times.each_mut().map(TimestampNanosecondBuilder::finish);
        let [metric, kind, unit, buckets, temporality, attributes, scope, resource] =
            self.texts.each_mut().map(|column| Arc::new(column.finish()) as ArrayRef);
        let [value, sum, min, max] =
            self.floats.each_mut().map(|column| Arc::new(column.finish()) as ArrayRef);
        vec![
            Arc::new(time),
            Arc::new(start_time),
            metric,
            kind,
            unit,
            value,
            Arc::new(self.count.finish()),
            sum,
            min,
            max,
            buckets,
            temporality,
            Arc::new(self.monotonic.finish()),
            attributes,
            scope,
            resource,
        ]
    }
}
