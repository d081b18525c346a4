//! Ponds for these tests: a memory store with Parquet in it.

use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, Float64Array, Int64Array, RecordBatch, StringArray,
    TimestampMicrosecondArray,
};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Field, Int64Type, Schema, TimeUnit};
use arrow::util::display::{ArrayFormatter, FormatOptions};
use parquet::arrow::ArrowWriter;
use parquet::file::properties::WriterProperties;
use query::{Error, Session, SessionOptions};
use tinyfs::{Attributes, EntryType, Format, Fs, MemoryStore, NewVersion, SeriesSpec, TimeRange};
use tokio::io::AsyncWriteExt;

pub(crate) const SECOND: i64 = 1_000_000;

/// 2024-01-01T00:00:00Z, in microseconds.
pub(crate) const NEW_YEAR: i64 = 1_704_067_200 * SECOND;

pub(crate) struct Pond {
    pub(crate) fs: Fs<MemoryStore>,
}

impl Pond {
    pub(crate) fn new() -> Self {
        Self { fs: Fs::new(Arc::new(MemoryStore::new())) }
    }

    pub(crate) fn session(&self) -> Session {
        self.session_with(SessionOptions { threads: 2, ..SessionOptions::default() })
    }

    pub(crate) fn session_with(&self, options: SessionOptions) -> Session {
        let store: Arc<dyn tinyfs::Store> = Arc::<MemoryStore>::clone(self.fs.store());
        Session::new(store, options).unwrap()
    }

    /// Writes a version of a file, made when it is not there yet.
    pub(crate) async fn write(
        &self,
        path: &str,
        entry_type: EntryType,
        attributes: &Attributes,
        parquet: &[u8],
        about: About,
    ) {
        if let Some(dir) = tinyfs::path::parent(path) {
            self.fs.create_dir_all(dir).await.unwrap();
        }
        let mut writer = self.fs.writer().await.unwrap();
        writer.write_all(parquet).await.unwrap();
        let content = writer.finish().await.unwrap();
        let version = NewVersion {
            content,
            format: Format::Parquet,
            rows: Some(about.rows),
            time_range: about.range,
            attributes: [("order".to_owned(), about.order.to_owned())].into(),
        };
        if self.fs.exists(path).await.unwrap() {
            self.fs.append(path, version).await.unwrap();
        } else {
            self.fs.create_file(path, entry_type, attributes.clone(), version).await.unwrap();
        }
    }

    /// Adds a version to a series.
    pub(crate) async fn append(&self, path: &str, spec: &SeriesSpec, batch: &RecordBatch) {
        let mut attributes = Attributes::new();
        spec.write_to(&mut attributes);
        let about = About::of(batch, spec);
        self.write(path, EntryType::Series, &attributes, &parquet(batch), about).await;
    }

    /// Writes a table.
    pub(crate) async fn table(&self, path: &str, batch: &RecordBatch) {
        let about = About { rows: batch.num_rows() as u64, range: None, order: "none" };
        self.write(path, EntryType::Table, &Attributes::new(), &parquet(batch), about).await;
    }
}

/// What is recorded of a version.
pub(crate) struct About {
    pub(crate) rows: u64,
    pub(crate) range: Option<TimeRange>,
    pub(crate) order: &'static str,
}

impl About {
    pub(crate) fn of(batch: &RecordBatch, spec: &SeriesSpec) -> Self {
        let times = times_us(batch, spec);
        let order = if times.windows(2).all(|pair| pair[0] < pair[1]) {
            "strict"
        } else if times.is_sorted() {
            "sorted"
        } else {
            "none"
        };
        let range = times.iter().min().zip(times.iter().max());
        Self {
            rows: times.len() as u64,
            range: range.map(|(&min_us, &max_us)| TimeRange { min_us, max_us }),
            order,
        }
    }
}

fn times_us(batch: &RecordBatch, spec: &SeriesSpec) -> Vec<i64> {
    let column = batch.column_by_name(&spec.time_column).unwrap();
    let column = match column.data_type() {
        DataType::Date32 => cast(column, &DataType::Date64).unwrap(),
        _ => Arc::clone(column),
    };
    let scale = match column.data_type() {
        DataType::Timestamp(TimeUnit::Second, _) => (1_000_000, 1),
        DataType::Timestamp(TimeUnit::Millisecond, _) | DataType::Date64 => (1000, 1),
        DataType::Timestamp(TimeUnit::Nanosecond, _) => (1, 1000),
        DataType::Timestamp(TimeUnit::Microsecond, _) => (1, 1),
        _ => match spec.time_unit {
            tinyfs::TimeUnit::Second => (1_000_000, 1),
            tinyfs::TimeUnit::Millisecond => (1000, 1),
            tinyfs::TimeUnit::Microsecond => (1, 1),
            tinyfs::TimeUnit::Nanosecond => (1, 1000),
        },
    };
    let ints = cast(&column, &DataType::Int64).unwrap();
    ints.as_primitive::<Int64Type>().values().iter().map(|v| v * scale.0 / scale.1).collect()
}

/// Parquet of a batch, in row groups of 1,000 rows and pages of 100.
pub(crate) fn parquet(batch: &RecordBatch) -> Vec<u8> {
    let mut bytes = Vec::new();
    let properties = WriterProperties::builder()
        .set_max_row_group_row_count(Some(1000))
        .set_data_page_row_count_limit(100)
        .set_write_batch_size(100)
        .build();
    let mut writer = ArrowWriter::try_new(&mut bytes, batch.schema(), Some(properties)).unwrap();
    writer.write(batch).unwrap();
    writer.close().unwrap();
    bytes
}

pub(crate) fn utc(unit: TimeUnit) -> DataType {
    DataType::Timestamp(unit, Some("UTC".into()))
}

/// The usual declaration: microseconds in `time`.
pub(crate) fn spec() -> SeriesSpec {
    SeriesSpec::new("time", tinyfs::TimeUnit::Microsecond)
}

/// A batch with `time` and `value`, times in seconds from the new year 2024.
pub(crate) fn readings(rows: &[(i64, f64)]) -> RecordBatch {
    let times = rows.iter().map(|(at, _)| NEW_YEAR + at * SECOND);
    let times = TimestampMicrosecondArray::from_iter_values(times).with_timezone("UTC");
    let values = Float64Array::from_iter_values(rows.iter().map(|(_, value)| *value));
    batch(vec![("time", Arc::new(times) as ArrayRef, false), ("value", Arc::new(values), true)])
}

/// The same with a station as a further key.
pub(crate) fn stations(rows: &[(i64, &str, f64)]) -> RecordBatch {
    let plain: Vec<(i64, f64)> = rows.iter().map(|(at, _, value)| (*at, *value)).collect();
    let plain = readings(&plain);
    let names = StringArray::from_iter_values(rows.iter().map(|(_, name, _)| *name));
    batch(vec![
        ("time", Arc::clone(plain.column(0)), false),
        ("station", Arc::new(names), true),
        ("value", Arc::clone(plain.column(1)), true),
    ])
}

pub(crate) fn batch(columns: Vec<(&str, ArrayRef, bool)>) -> RecordBatch {
    let fields: Vec<Field> = columns
        .iter()
        .map(|(name, array, nullable)| Field::new(*name, array.data_type().clone(), *nullable))
        .collect();
    let arrays = columns.into_iter().map(|(_, array, _)| array).collect();
    RecordBatch::try_new(Arc::new(Schema::new(fields)), arrays).unwrap()
}

pub(crate) fn ints(values: &[i64]) -> ArrayRef {
    Arc::new(Int64Array::from(values.to_vec()))
}

/// The rows of an answer, each as one text.
pub(crate) async fn rows(session: &Session, sql: &str) -> Vec<String> {
    match try_rows(session, sql).await {
        Ok(rows) => rows,
        Err(error) => panic!("{sql}\n{error:?}"),
    }
}

pub(crate) async fn try_rows(session: &Session, sql: &str) -> Result<Vec<String>, Error> {
    let batches = session.sql(sql).await?.collect().await?;
    let options = FormatOptions::default().with_null("-");
    let mut rows = Vec::new();
    for batch in &batches {
        let columns: Vec<_> = batch
            .columns()
            .iter()
            .map(|column| ArrayFormatter::try_new(column.as_ref(), &options).unwrap())
            .collect();
        for row in 0..batch.num_rows() {
            let cells: Vec<String> =
                columns.iter().map(|column| column.value(row).to_string()).collect();
            rows.push(cells.join(" | "));
        }
    }
    Ok(rows)
}

/// The physical plan, as `EXPLAIN` shows it.
pub(crate) async fn explain(session: &Session, sql: &str) -> String {
    rows(session, &format!("EXPLAIN FORMAT INDENT {sql}")).await.join("\n")
}

/// The error of a query that must fail.
pub(crate) async fn failure(session: &Session, sql: &str) -> Error {
    match try_rows(session, sql).await {
        Ok(rows) => panic!("{sql} gave {rows:?}"),
        Err(error) => error,
    }
}
