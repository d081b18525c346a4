//! What is learnt of Parquet files that are taken in as they came.

use std::sync::Arc;

use arrow::array::{
    ArrayRef, Date32Array, Date64Array, Int32Array, Int64Array, RecordBatch,
    TimestampMillisecondArray, UInt32Array,
};
use arrow::datatypes::{Field, Schema};
use parquet::arrow::ArrowWriter;
use parquet::basic::{Compression, Encoding};
use parquet::file::properties::{WriterProperties, WriterPropertiesBuilder, WriterVersion};
use tinyfs::{EntryType, Fs, SeriesSpec, TimeUnit, WriteStore};
use tlogfs::{Error, Look, Order, ParquetWriteExt as _, Result, Written};

use crate::harness::TestLog;

/// Rows of a row group, so that few rows make many.
const GROUP: usize = 1_000;

fn spec(floor_us: Option<i64>) -> SeriesSpec {
    let mut spec = SeriesSpec::new("time", TimeUnit::Millisecond);
    spec.floor_us = floor_us;
    spec
}

/// A Parquet file with these times, and values that make it a large one.
fn file(times: &ArrayRef, nullable: bool, properties: WriterPropertiesBuilder) -> Vec<u8> {
    let mut state = 7_u64;
    let noise = (0..times.len()).map(|_| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        state.cast_signed()
    });
    let noise: ArrayRef = Arc::new(Int64Array::from_iter_values(noise));
    let schema = Arc::new(Schema::new(vec![
        Field::new("noise", noise.data_type().clone(), false),
        Field::new("time", times.data_type().clone(), nullable),
    ]));
    let rows = RecordBatch::try_new(Arc::clone(&schema), vec![noise, Arc::clone(times)]).unwrap();
    let properties = properties.set_max_row_group_row_count(Some(GROUP)).build();
    let mut writer = ArrowWriter::try_new(Vec::new(), schema, Some(properties)).unwrap();
    writer.write(&rows).unwrap();
    writer.into_inner().unwrap()
}

async fn take(look: Look, floor_us: Option<i64>, bytes: &[u8]) -> Result<Written> {
    let log = TestLog::new().await;
    let store: Arc<dyn WriteStore> = log.begin();
    let series = EntryType::Series;
    Fs::new(store).take_parquet_after(look, "/s", series, Some(spec(floor_us)), &mut &*bytes).await
}

fn learnt(written: &Written) -> (u64, Option<tinyfs::TimeRange>, Option<Order>, u64) {
    (written.rows, written.time_range, written.order, written.below_floor)
}

fn ascending() -> Vec<i64> {
    (0..12_345).map(|row| row * 3 - 2_000).collect()
}

#[tokio::test]
async fn looking_at_times_alone_learns_what_looking_at_everything_does() {
    let (mut falls_within, mut falls_between, mut repeats) =
        (ascending(), ascending(), ascending());
    falls_within.swap(2_500, 2_501);
    falls_between.swap(GROUP - 1, GROUP);
    repeats[3 * GROUP] = repeats[3 * GROUP - 1];
    let cases = [
        (ascending(), Order::Strict),
        (falls_within, Order::None),
        (falls_between, Order::None),
        (repeats, Order::Sorted),
        (vec![], Order::Strict),
    ];
    let plain = || WriterProperties::builder().set_dictionary_enabled(false);
    let ways = [
        (WriterProperties::builder(), true),
        (plain().set_compression(Compression::SNAPPY), false),
        (plain().set_compression(Compression::ZSTD(Default::default())), true),
        (plain().set_encoding(Encoding::DELTA_BINARY_PACKED), false),
        (plain().set_writer_version(WriterVersion::PARQUET_2_0), true),
        (plain().set_data_page_row_count_limit(100).set_write_batch_size(50), true),
    ];
    for (times, order) in cases {
        let times: ArrayRef = Arc::new(TimestampMillisecondArray::from(times));
        for (properties, nullable) in ways.clone() {
            let bytes = file(&times, nullable, properties);
            let quick = take(Look::Times, Some(0), &bytes).await.unwrap();
            let whole = take(Look::Everything, Some(0), &bytes).await.unwrap();
            assert_eq!(learnt(&quick), learnt(&whole));
            assert_eq!(quick.order, Some(order));
            assert_eq!(quick.below_floor, if times.is_empty() { 0 } else { 667 });
        }
    }
}

#[tokio::test]
async fn times_of_every_type_are_read_as_what_they_stand_for() {
    let narrow = || (0..12_345).map(|row| row * 2);
    let times: [(ArrayRef, i64); 5] = [
        (Arc::new(Int64Array::from_iter_values(narrow())), 24_688_000),
        (Arc::new(Int32Array::from_iter_values(narrow().map(|n| n as i32 - 5))), 24_683_000),
        // Beyond what a signed number holds.
        (
            Arc::new(UInt32Array::from_iter_values(narrow().map(|n| 3_000_000_000 + n as u32))),
            3_000_024_688_000,
        ),
        (
            Arc::new(Date32Array::from_iter_values(narrow().map(|n| n as i32))),
            24_688 * 86_400_000_000,
        ),
        // Not the numbers that are stored, where these are days.
        (
            Arc::new(Date64Array::from_iter_values(narrow().map(|n| n * 86_400_000))),
            24_688 * 86_400_000_000,
        ),
    ];
    for (times, max_us) in times {
        let bytes = file(&times, false, WriterProperties::builder());
        let quick = take(Look::Times, None, &bytes).await.unwrap();
        let whole = take(Look::Everything, None, &bytes).await.unwrap();
        assert_eq!(learnt(&quick), learnt(&whole), "{}", times.data_type());
        assert_eq!(quick.time_range.unwrap().max_us, max_us, "{}", times.data_type());
    }
}

#[tokio::test]
async fn row_without_a_time_is_named_by_its_number_in_the_file() {
    let mut times: Vec<_> = ascending().into_iter().map(Some).collect();
    for missing in [9_876, 5_432] {
        times[missing] = None;
        let times: ArrayRef = Arc::new(TimestampMillisecondArray::from(times.clone()));
        let bytes = file(&times, true, WriterProperties::builder());
        for look in [Look::Times, Look::Everything] {
            let refused = take(look, None, &bytes).await.unwrap_err();
            let Error::NullTime { row, .. } = refused else { panic!("{refused}") };
            assert_eq!(row, missing as u64 + 1);
        }
    }
}

#[tokio::test]
async fn damage_to_a_large_file_is_refused_without_a_panic() {
    let times: ArrayRef = Arc::new(TimestampMillisecondArray::from(ascending()));
    let good = file(&times, true, WriterProperties::builder().set_dictionary_enabled(false));
    assert!(good.len() > 65_536);
    for cut in [70_000, good.len() - 9, good.len() - 1] {
        let refused = take(Look::Times, None, &good[..cut]).await;
        assert!(matches!(refused, Err(Error::NotParquet { .. })), "{cut}: {refused:?}");
    }
    // The footer and what it says of row groups.
    for at in (good.len() - 4_000..good.len()).step_by(41) {
        let mut bad = good.clone();
        bad[at] ^= 0x5A;
        // It is taken or refused; it never panics.
        drop(take(Look::Times, None, &bad).await);
    }
}
