//! Host files that are Parquet already.

use std::sync::Arc;

use arrow::array::{ArrayRef, Float64Array, Int64Array, RecordBatch, StringArray};
use parquet::arrow::ArrowWriter;

use super::{Sample, cells, options, rows};

fn file(rows: i64) -> Vec<u8> {
    let columns: [(&str, ArrayRef); 3] = [
        ("t", Arc::new(Int64Array::from_iter_values(0..rows))),
        ("v", Arc::new(Float64Array::from_iter_values((0..rows).map(|row| row as f64 / 2.0)))),
        ("s", Arc::new(StringArray::from_iter_values((0..rows).map(|row| format!("s{row}"))))),
    ];
    let batch = RecordBatch::try_from_iter(columns).unwrap();
    let mut bytes = Vec::new();
    let mut writer = ArrowWriter::try_new(&mut bytes, batch.schema(), None).unwrap();
    writer.write(&batch).unwrap();
    writer.close().unwrap();
    bytes
}

#[test]
fn rows_and_projections_come_as_stored() {
    let sample = Sample::new("x.parquet", file(20_000));
    let opened = sample.open(&options(|_| {})).unwrap();
    assert_eq!(opened.report().rows, 20_000);
    let batch = rows(&opened, Some(vec![2, 0])).unwrap();
    assert_eq!(cells(&batch.slice(19_999, 1)), [["s19999", "19999"]]);
}

#[test]
fn compressed_parquet_is_read() {
    let bytes = zstd::encode_all(file(10).as_slice(), 3).unwrap();
    let sample = Sample::new("x.parquet.zst", bytes);
    let (batch, _) = sample.read(&options(|_| {})).unwrap();
    assert_eq!(batch.num_rows(), 10);
}

#[test]
fn the_time_column_must_be_there_and_hold_times() {
    let sample = Sample::new("x.parquet", file(10));
    let error = sample.refused(&options(|options| options.time_column = Some("tt".into())));
    assert!(error.contains("no column `tt` (did you mean `t`?)"), "{error}");
    let error = sample.refused(&options(|options| options.time_column = Some("s".into())));
    assert!(error.contains("the time column `s` holds Utf8, which is no time"), "{error}");
}

#[test]
fn damaged_files_are_errors_and_never_panics() {
    let whole = file(500);
    for len in (0..whole.len()).step_by(97) {
        let error = Sample::new("x.parquet", &whole[..len]).refused(&options(|_| {}));
        assert!(error.contains("`x.parquet` is not a readable Parquet file"), "{error}");
    }
    for place in (0..whole.len()).step_by(61) {
        let mut bytes = whole.clone();
        bytes[place] ^= 0x55;
        // A flipped value may still read; it must not panic or hang.
        let _ = Sample::new("x.parquet", bytes).read(&options(|_| {}));
    }
}
