//! Versions whose columns differ.

use std::sync::Arc;

use arrow::array::{ArrayRef, Float32Array, Int32Array, Int64Array, RecordBatch, StringArray};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Field, Schema, TimeUnit};
use query::{Error, UNIT_KEY};

use crate::pond::{Pond, failure, readings, rows, spec, utc};

/// One row at second `at`, with another column.
fn with(at: i64, name: &str, column: ArrayRef) -> RecordBatch {
    let base = readings(&[(at, 0.0)]);
    crate::pond::batch(vec![("time", Arc::clone(base.column(0)), false), (name, column, true)])
}

fn types(schema: &Schema) -> Vec<String> {
    schema.fields().iter().map(|f| format!("{} {}", f.name(), f.data_type())).collect()
}

#[tokio::test]
async fn columns_are_united_by_name_and_widened() {
    let pond = Pond::new();
    let path = "/a.series";
    pond.append(path, &spec(), &with(1, "x", Arc::new(Int32Array::from(vec![1])))).await;
    pond.append(path, &spec(), &with(2, "x", Arc::new(Int64Array::from(vec![2])))).await;
    pond.append(path, &spec(), &with(3, "x", Arc::new(Float32Array::from(vec![0.5])))).await;
    pond.append(path, &spec(), &with(4, "y", Arc::new(StringArray::from(vec!["new"])))).await;
    let session = pond.session();
    let schema = session.schema_of(path).await.unwrap();
    assert_eq!(types(&schema), ["time Timestamp(µs, \"UTC\")", "x Float64", "y Utf8View"]);
    assert_eq!(
        rows(&session, "SELECT x, y FROM '/a.series' ORDER BY time").await,
        ["1.0 | -", "2.0 | -", "0.5 | -", "- | new"]
    );
    let sql = "SELECT count(*) FROM '/a.series' WHERE x > 0.9";
    assert_eq!(rows(&session, sql).await, ["2"]);
    assert_eq!(rows(&session, "SELECT count(*) FROM '/a.series' WHERE y IS NULL").await, ["3"]);
}

#[tokio::test]
async fn dictionaries_and_large_texts_are_texts() {
    let pond = Pond::new();
    let text: ArrayRef = Arc::new(StringArray::from(vec!["a"]));
    let dictionary = DataType::Dictionary(Box::new(DataType::Int8), Box::new(DataType::Utf8));
    for (at, data_type) in [DataType::Utf8, DataType::LargeUtf8, dictionary].iter().enumerate() {
        let column = cast(&text, data_type).unwrap();
        pond.append("/a.series", &spec(), &with(at as i64, "x", column)).await;
    }
    let sql = "SELECT x, count(*) FROM '/a.series' WHERE x = 'a' GROUP BY x";
    assert_eq!(rows(&pond.session(), sql).await, ["a | 3"]);
}

#[tokio::test]
async fn time_units_go_to_the_finest_and_still_overlap() {
    let pond = Pond::new();
    let in_unit = |unit, rows: &[(i64, f64)]| {
        let plain = readings(rows);
        let times = cast(plain.column(0), &utc(unit)).unwrap();
        let value = Arc::clone(plain.column(1));
        crate::pond::batch(vec![("time", times, false), ("value", value, true)])
    };
    let path = "/a.series";
    pond.append(path, &spec(), &in_unit(TimeUnit::Second, &[(1, 1.0), (2, 2.0)])).await;
    pond.append(path, &spec(), &in_unit(TimeUnit::Nanosecond, &[(2, 20.0), (3, 30.0)])).await;
    pond.append(path, &spec(), &in_unit(TimeUnit::Millisecond, &[(3, 300.0)])).await;
    let sql = "SELECT time, value FROM '/a.series' WHERE time >= '2024-01-01T00:00:02Z' \
               ORDER BY time";
    assert_eq!(
        rows(&pond.session(), sql).await,
        ["2024-01-01T00:00:02Z | 20.0", "2024-01-01T00:00:03Z | 300.0"]
    );
}

#[tokio::test]
async fn conflict_names_column_types_and_versions() {
    let pond = Pond::new();
    pond.append("/a.series", &spec(), &with(1, "x", Arc::new(Int64Array::from(vec![1])))).await;
    pond.append("/a.series", &spec(), &with(2, "x", Arc::new(StringArray::from(vec!["?"])))).await;
    let error = failure(&pond.session(), "SELECT * FROM '/a.series'").await;
    assert_eq!(
        error.to_string(),
        "column `x` is Int64 in version 1 of `/a.series`, but Utf8View in version 2 of \
         `/a.series`: the two have no common type"
    );
}

#[tokio::test]
async fn integers_that_would_lose_digits_are_not_made_floats() {
    let pond = Pond::new();
    let big: ArrayRef = Arc::new(Int64Array::from(vec![(1 << 53) + 1]));
    let float: ArrayRef = Arc::new(Float32Array::from(vec![0.5]));
    pond.append("/a.series", &spec(), &with(1, "x", big)).await;
    pond.append("/a.series", &spec(), &with(2, "x", float)).await;
    let error = failure(&pond.session(), "SELECT * FROM '/a.series'").await;
    assert!(matches!(error, Error::TypeConflict { .. }), "{error}");
}

fn in_unit(at: i64, unit: Option<&str>) -> RecordBatch {
    let plain = readings(&[(at, 1.0)]);
    let mut value = Field::new("value", DataType::Float64, true);
    if let Some(unit) = unit {
        value = value.with_metadata([(UNIT_KEY.to_owned(), unit.to_owned())].into());
    }
    let schema = Schema::new(vec![plain.schema().field(0).clone(), value]);
    plain.with_schema(Arc::new(schema)).unwrap()
}

#[tokio::test]
async fn units_are_kept_and_a_change_is_refused() {
    let pond = Pond::new();
    pond.append("/a.series", &spec(), &in_unit(1, Some("psi"))).await;
    pond.append("/a.series", &spec(), &in_unit(2, Some("psi"))).await;
    let session = pond.session();
    let facts = session.facts("/a.series").await.unwrap();
    assert_eq!(facts.columns[1].unit.as_deref(), Some("psi"));
    assert!(facts.notes.is_empty());
    assert_eq!(rows(&session, "SELECT value FROM '/a.series'").await.len(), 2);

    pond.append("/a.series", &spec(), &in_unit(3, Some("mm Hg"))).await;
    let error = failure(&pond.session(), "SELECT * FROM '/a.series'").await;
    assert_eq!(
        error.to_string(),
        "column `value` is measured in psi in version 1 of `/a.series`, but in mm Hg in \
         version 3 of `/a.series`"
    );
}

#[tokio::test]
async fn unit_that_only_some_versions_give_is_not_the_columns() {
    let pond = Pond::new();
    pond.append("/a.series", &spec(), &in_unit(1, Some("psi"))).await;
    pond.append("/a.series", &spec(), &in_unit(2, None)).await;
    let facts = pond.session().facts("/a.series").await.unwrap();
    assert_eq!(facts.columns[1].unit, None);
    assert_eq!(facts.notes.len(), 1);
    assert!(facts.notes[0].contains("psi in version 1"), "{:?}", facts.notes);
}
