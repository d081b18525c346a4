//! Tables and series through record batches and Parquet files.

use std::sync::Arc;

use arrow::array::{ArrayRef, Float64Array, Int64Array, RecordBatch, StringArray};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use futures::{StreamExt as _, TryStreamExt as _};
use testing::data;
use tinyfs::{EntryType, Fs, MemoryStore, SeriesSpec, TimeRange, TimeUnit, WriteStore};
use tlogfs::{Error, ORDER, Order, ParquetExt as _, ParquetWriteExt as _, Result, Written};

fn memory() -> Fs<dyn WriteStore> {
    let store: Arc<dyn WriteStore> = Arc::new(MemoryStore::new());
    Fs::new(store)
}

async fn append(
    fs: &Fs<dyn WriteStore>,
    path: &str,
    spec: Option<SeriesSpec>,
    batches: Vec<RecordBatch>,
) -> Result<Written> {
    let schema = batches[0].schema();
    fs.append_series(path, spec, schema, futures::stream::iter(batches).map(Ok).boxed()).await
}

fn spec() -> Option<SeriesSpec> {
    Some(data::spec(TimeUnit::Microsecond))
}

fn batch(fields: Vec<(&str, ArrayRef)>) -> RecordBatch {
    let schema: Vec<_> = fields
        .iter()
        .map(|(name, array)| Field::new(*name, array.data_type().clone(), true))
        .collect();
    let columns = fields.into_iter().map(|(_, array)| array).collect();
    RecordBatch::try_new(Arc::new(Schema::new(schema)), columns).unwrap()
}

#[tokio::test]
async fn rows_come_back_as_they_were_written() {
    let fs = memory();
    let first = data::sine(0, 60_000_000, 20_000, TimeUnit::Microsecond);
    let second = data::sine(1, 60_000_000, 3, TimeUnit::Microsecond);
    let written = append(&fs, "/s", spec(), vec![first.slice(0, 7), first.slice(7, 19_993)]).await;
    let written = written.unwrap();
    assert_eq!((written.version, written.rows), (1, 20_000));
    assert_eq!(written.order, Some(Order::Strict));
    let range = TimeRange { min_us: 0, max_us: 19_999 * 60_000_000 };
    assert_eq!(written.time_range, Some(range));
    assert_eq!(append(&fs, "/s", None, vec![second.clone()]).await.unwrap().version, 2);

    let read: Vec<_> = fs.read_batches("/s", Some(1)).await.unwrap().try_collect().await.unwrap();
    assert_eq!(data::rows_of(&read), data::rows_of(std::slice::from_ref(&first)));
    let all: Vec<_> = fs.read_batches("/s", None).await.unwrap().try_collect().await.unwrap();
    assert_eq!(data::rows_of(&all), data::rows_of(&[first, second]));

    let version = fs.resolve("/s").await.unwrap().node.newest.unwrap();
    assert_eq!(version.attributes.get(ORDER).unwrap(), "strict");
    assert!(!fs.read_schema("/s", None).await.unwrap().field(0).is_nullable());
}

#[tokio::test]
async fn a_parquet_file_is_looked_at_and_kept() {
    let fs = memory();
    let rows = data::points(&[(20, 1.0), (10, 2.0), (30, 3.0)], TimeUnit::Microsecond);
    let bytes = data::parquet(&[rows]);
    let written =
        fs.take_parquet("/s", EntryType::Series, spec(), &mut bytes.as_ref()).await.unwrap();
    assert_eq!(written.order, Some(Order::None));
    assert_eq!(written.time_range, Some(TimeRange { min_us: 10, max_us: 30 }));
    assert_eq!(fs.read_to_end("/s", 1 << 20).await.unwrap(), bytes);
}

#[tokio::test]
async fn a_series_without_rows_has_no_time_range() {
    let fs = memory();
    let none = data::points(&[], TimeUnit::Microsecond);
    let written = append(&fs, "/s", spec(), vec![none]).await.unwrap();
    assert_eq!((written.rows, written.time_range), (0, None));
}

#[tokio::test]
async fn what_is_no_series_is_refused_before_it_is_named() {
    let fs = memory();
    let sine = data::sine(0, 1, 3, TimeUnit::Microsecond);
    assert!(matches!(append(&fs, "/s", None, vec![sine.clone()]).await, Err(Error::NoSpec { .. })));

    let wrong = SeriesSpec::new("Time", TimeUnit::Microsecond);
    let refused = append(&fs, "/s", Some(wrong), vec![sine.clone()]).await.unwrap_err();
    assert!(matches!(refused, Error::NoColumn { ref nearest, .. } if nearest[0] == "time"));

    let text: ArrayRef = Arc::new(StringArray::from(vec!["noon"]));
    let refused = append(&fs, "/s", spec(), vec![batch(vec![("time", text)])]).await.unwrap_err();
    assert!(matches!(refused, Error::NotTime { .. }), "{refused}");

    let nulls: ArrayRef = Arc::new(Int64Array::from(vec![Some(1), None]));
    let nulls = batch(vec![("time", nulls)]);
    let refused = append(&fs, "/s", spec(), vec![nulls.clone(), nulls.clone()]).await.unwrap_err();
    assert!(matches!(refused, Error::NullTime { row: 2, .. }), "{refused}");
    let bytes = data_parquet(&nulls);
    let refused = fs.take_parquet("/s", EntryType::Series, spec(), &mut bytes.as_ref()).await;
    assert!(matches!(refused, Err(Error::NullTime { row: 2, .. })));

    let fine = data::sine(0, 1, 3, TimeUnit::Nanosecond);
    let refused = append(&fs, "/s", spec(), vec![fine]).await.unwrap_err();
    assert!(matches!(refused, Error::UnitMismatch { .. }), "{refused}");

    assert!(!fs.exists("/s").await.unwrap());
    let refused = append(&fs, "/none/s", spec(), vec![sine]).await.unwrap_err();
    assert!(matches!(refused, Error::FileSystem(tinyfs::Error::NotFound { .. })), "{refused}");
}

#[tokio::test]
async fn input_that_breaks_off_leaves_no_version() {
    let fs = memory();
    let sine = data::sine(0, 1, 3, TimeUnit::Microsecond);
    let broken = futures::stream::iter([Ok(sine.clone()), Err("line 7 is malformed".into())]);
    let refused = fs.append_series("/s", spec(), sine.schema(), broken.boxed()).await.unwrap_err();
    assert!(matches!(refused, Error::Input { .. }), "{refused}");
    assert!(!fs.exists("/s").await.unwrap());
}

#[tokio::test]
async fn a_declaration_is_kept_and_must_agree() {
    let fs = memory();
    let sine = data::sine(0, 1, 3, TimeUnit::Microsecond);
    append(&fs, "/s", spec(), vec![sine.clone()]).await.unwrap();
    append(&fs, "/s", spec(), vec![sine.clone()]).await.unwrap();
    let mut other = data::spec(TimeUnit::Microsecond);
    other.append = true;
    let refused = append(&fs, "/s", Some(other), vec![sine.clone()]).await.unwrap_err();
    assert_eq!(refused.to_string(), "series `/s` has append false, not true");
    // A coarser unit fits into the declared one.
    let coarse = data::sine(0, 1_000_000, 3, TimeUnit::Second);
    let written = append(&fs, "/s", None, vec![coarse]).await.unwrap();
    assert_eq!(written.time_range, Some(TimeRange { min_us: 0, max_us: 2_000_000 }));
}

#[tokio::test]
async fn a_conflict_of_types_names_column_types_and_version() {
    let fs = memory();
    let time = |n: i64| -> ArrayRef { Arc::new(Int64Array::from(vec![n])) };
    let number: ArrayRef = Arc::new(Float64Array::from(vec![1.5]));
    let text: ArrayRef = Arc::new(StringArray::from(vec!["1.5"]));
    let whole: ArrayRef = Arc::new(Int64Array::from(vec![2]));
    append(&fs, "/s", spec(), vec![batch(vec![("time", time(1)), ("x", number)])]).await.unwrap();
    let rows = batch(vec![("time", time(2)), ("x", text)]);
    let refused = append(&fs, "/s", None, vec![rows]).await.unwrap_err();
    let said = "column `x` of `/s` is Float64 in version 1 and Utf8 in the rows given";
    assert_eq!(refused.to_string(), said);
    append(&fs, "/s", None, vec![batch(vec![("time", time(3)), ("x", whole)])]).await.unwrap();
}

#[tokio::test]
async fn a_table_is_replaced_and_keeps_its_versions() {
    let fs = memory();
    for value in [1, 2] {
        let column: ArrayRef = Arc::new(Int64Array::from(vec![value]));
        let rows = batch(vec![("x", column)]);
        let schema: SchemaRef = rows.schema();
        let rows = futures::stream::iter([Ok(rows)]).boxed();
        assert_eq!(fs.write_table("/t", schema, rows).await.unwrap().version, value as u64);
    }
    let newest: Vec<_> = fs.read_batches("/t", None).await.unwrap().try_collect().await.unwrap();
    assert_eq!(newest.iter().map(RecordBatch::num_rows).sum::<usize>(), 1);
    let sine = data::sine(0, 1, 3, TimeUnit::Microsecond);
    let refused = append(&fs, "/t", spec(), vec![sine]).await.unwrap_err();
    assert!(matches!(refused, Error::FileSystem(tinyfs::Error::WrongType { .. })));
}

#[tokio::test]
async fn damaged_parquet_is_refused_without_a_panic() {
    let good = data::parquet(&[data::sine(0, 1_000_000, 5_000, TimeUnit::Microsecond)]);
    let fs = memory();
    for cut in [5, 100, good.len() / 2, good.len() - 9, good.len() - 1] {
        let refused = fs.take_parquet("/s", EntryType::Series, spec(), &mut &good[..cut]).await;
        assert!(matches!(refused, Err(Error::NotParquet { .. })), "{cut}: {refused:?}");
    }
    for at in (4..good.len()).step_by(97) {
        let mut bad = good.to_vec();
        bad[at] ^= 0x5A;
        // It is taken or refused; it never panics.
        drop(fs.take_parquet("/x", EntryType::Series, spec(), &mut bad.as_slice()).await);
    }
    assert!(!fs.exists("/s").await.unwrap());
}

fn data_parquet(batch: &RecordBatch) -> bytes::Bytes {
    let mut writer =
        parquet::arrow::ArrowWriter::try_new(Vec::new(), batch.schema(), None).unwrap();
    writer.write(batch).unwrap();
    writer.into_inner().unwrap().into()
}

#[test]
fn units_are_implied_by_types() {
    let field = |data_type| Schema::new(vec![Field::new("t", data_type, false)]);
    let implied = |data_type| tlogfs::implied_unit("/s", &field(data_type), "t").unwrap();
    assert_eq!(implied(DataType::Date32), Some(TimeUnit::Second));
    assert_eq!(implied(DataType::Int64), None);
}
