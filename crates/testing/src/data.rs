//! Series, tables and Parquet files, made the same every time.

use std::f64::consts::TAU;
use std::fmt::Write as _;
use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray as _, Float64Array, Int64Array, RecordBatch};
use arrow::compute::cast;
use arrow::datatypes::{
    DataType, Field, Float64Type, Schema, SchemaRef, TimeUnit as ArrowUnit,
    TimestampMicrosecondType,
};
use bytes::Bytes;
use parquet::arrow::ArrowWriter;
use parquet::basic::{Compression, Encoding, ZstdLevel};
use parquet::file::metadata::KeyValue;
use parquet::file::properties::WriterProperties;
use tinyfs::{SeriesSpec, TimeUnit};

/// The time column of every series made here.
pub const TIME: &str = "time";
/// The value column of every series made here.
pub const VALUE: &str = "value";

/// The declaration of the series made here.
#[must_use]
pub fn spec(unit: TimeUnit) -> SeriesSpec {
    SeriesSpec::new(TIME, unit)
}

/// The schema of [`sine`].
#[must_use]
pub fn sine_schema(unit: TimeUnit) -> SchemaRef {
    Arc::new(Schema::new(vec![
        Field::new(TIME, DataType::Timestamp(arrow_unit(unit), Some("UTC".into())), false),
        Field::new(VALUE, DataType::Float64, true),
    ]))
}

/// A day's wave, one row every `step_us` from `start_us` on.
#[must_use]
pub fn sine(start_us: i64, step_us: i64, rows: usize, unit: TimeUnit) -> RecordBatch {
    let times = (0..rows as i64).map(|row| start_us + row * step_us);
    let values = times.clone().map(|us| (us as f64 / 86_400e6 * TAU).sin() * 10.0);
    points(&times.zip(values).collect::<Vec<_>>(), unit)
}

/// Rows of time in microseconds and value, in the order given.
#[must_use]
pub fn points(rows: &[(i64, f64)], unit: TimeUnit) -> RecordBatch {
    let schema = sine_schema(unit);
    let times: Vec<i64> = rows.iter().map(|(us, _)| in_unit(*us, unit)).collect();
    let values: Vec<f64> = rows.iter().map(|(_, value)| *value).collect();
    let times: ArrayRef = Arc::new(Int64Array::from(times));
    let times = cast(&times, schema.field(0).data_type()).unwrap();
    RecordBatch::try_new(schema, vec![times, Arc::new(Float64Array::from(values))]).unwrap()
}

/// The rows of batches made by [`sine`] or [`points`], in whatever unit.
#[must_use]
pub fn rows_of(batches: &[RecordBatch]) -> Vec<(i64, f64)> {
    let micros = DataType::Timestamp(ArrowUnit::Microsecond, Some("UTC".into()));
    let mut rows = Vec::new();
    for batch in batches {
        let times = cast(batch.column(0), &micros).unwrap();
        let times = times.as_primitive::<TimestampMicrosecondType>().values().to_vec();
        rows.extend(
            times.into_iter().zip(batch.column(1).as_primitive::<Float64Type>().values().to_vec()),
        );
    }
    rows
}

/// Batches as one Parquet file.
#[must_use]
pub fn parquet(batches: &[RecordBatch]) -> Bytes {
    parquet_with(batches, 0)
}

/// Batches as CSV with a header, times as RFC 3339.
#[must_use]
pub fn csv(batches: &[RecordBatch]) -> String {
    let mut text = format!("{TIME},{VALUE}\n");
    for (us, value) in rows_of(batches) {
        let time = jiff::Timestamp::from_microsecond(us).unwrap();
        writeln!(text, "{time},{value}").unwrap();
    }
    text
}

/// A valid Parquet file of exactly `size` bytes with the columns of
/// [`sine_schema`], in microseconds; at least 2,000 bytes.
#[must_use]
pub fn parquet_of_exact_size(size: usize) -> Bytes {
    assert!(size >= 2_000, "{size} bytes are too few for a Parquet file with rows");
    // Values without a pattern take 8 bytes each; the rest is padding.
    let rows = (size - 1_900) / 9;
    let values = noise(rows);
    let times = (0..rows as i64).map(|row| 1_700_000_000_000_000 + row * 1_000_000);
    let batch = points(&times.zip(values).collect::<Vec<_>>(), TimeUnit::Microsecond);
    let mut padding = 0;
    // The length of the padding is itself written in one to five bytes, so the
    // size is met in a few steps.
    for _ in 0..8 {
        let bytes = parquet_with(std::slice::from_ref(&batch), padding);
        if bytes.len() == size {
            return bytes;
        }
        padding = (padding + size).checked_sub(bytes.len()).unwrap();
    }
    panic!("no padding makes a Parquet file of {size} bytes");
}

fn parquet_with(batches: &[RecordBatch], padding: usize) -> Bytes {
    let schema =
        batches.first().map_or_else(|| sine_schema(TimeUnit::Microsecond), RecordBatch::schema);
    let padding = KeyValue::new("padding".to_owned(), "#".repeat(padding));
    let properties = WriterProperties::builder()
        .set_compression(Compression::ZSTD(ZstdLevel::default()))
        .set_key_value_metadata(Some(vec![padding]))
        .set_dictionary_enabled(false)
        .set_column_encoding(TIME.into(), Encoding::DELTA_BINARY_PACKED)
        .build();
    let mut writer = ArrowWriter::try_new(Vec::new(), schema, Some(properties)).unwrap();
    for batch in batches {
        writer.write(batch).unwrap();
    }
    writer.into_inner().unwrap().into()
}

/// Bytes without a pattern, the same every time.
#[must_use]
pub fn noise_bytes(len: usize) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(len + 8);
    for value in noise(len.div_ceil(8)) {
        bytes.extend_from_slice(&value.to_bits().to_le_bytes());
    }
    bytes.truncate(len);
    bytes
}

/// Finite numbers without a pattern (xorshift).
fn noise(len: usize) -> impl Iterator<Item = f64> + Clone {
    let next = |state: &u64| {
        let mut x = *state;
        x ^= x << 13;
        x ^= x >> 7;
        x ^= x << 17;
        Some(x)
    };
    std::iter::successors(Some(0x9E37_79B9_7F4A_7C15), next)
        .take(len)
        .map(|x: u64| f64::from_bits(x & 0x7FEF_FFFF_FFFF_FFFF))
}

const fn arrow_unit(unit: TimeUnit) -> ArrowUnit {
    match unit {
        TimeUnit::Second => ArrowUnit::Second,
        TimeUnit::Millisecond => ArrowUnit::Millisecond,
        TimeUnit::Microsecond => ArrowUnit::Microsecond,
        TimeUnit::Nanosecond => ArrowUnit::Nanosecond,
    }
}

const fn in_unit(us: i64, unit: TimeUnit) -> i64 {
    match unit {
        TimeUnit::Second => us.div_euclid(1_000_000),
        TimeUnit::Millisecond => us.div_euclid(1_000),
        TimeUnit::Microsecond => us,
        TimeUnit::Nanosecond => us * 1_000,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parquet_files_have_exactly_the_size_asked_for() {
        for size in [2_000, 65_535, 65_536, 65_537, 1 << 20] {
            assert_eq!(parquet_of_exact_size(size).len(), size);
        }
    }
}
