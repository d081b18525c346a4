//! Merged runs show what the versions they cover showed.

use std::collections::BTreeMap;

use futures::{StreamExt as _, TryStreamExt as _};
use oplog::TxnKind;
use testing::data;
use tinyfs::{SeriesSpec, Store as _, TimeUnit};
use tlogfs::merge::{self, Limits};
use tlogfs::{ORDER, ParquetExt as _, ParquetWriteExt as _};

use crate::harness::{TestLog, fs_of};

const LIMITS: Limits = Limits { fan_in: 4, max_bytes: 1 << 30 };

/// Appends versions of overlapping rows, one a transaction.
async fn fill(log: &mut TestLog, versions: i64, append: bool) {
    for number in 0..versions {
        let transaction = log.begin();
        let mut spec = data::spec(TimeUnit::Microsecond);
        spec.append = append;
        let mut rows: Vec<(i64, f64)> = (0..100)
            .map(|row| ((number * 50 + row) * 1_000, (number * 1_000 + row) as f64))
            .collect();
        // A time twice in one version: the last wins.
        rows.push((rows[99].0, -1.0));
        if number % 3 == 0 {
            rows.reverse();
        }
        let rows = data::points(&rows, TimeUnit::Microsecond);
        let schema = rows.schema();
        let rows = futures::stream::iter([Ok(rows)]).boxed();
        fs_of(&transaction).append_series("/s", Some(spec), schema, rows).await.unwrap();
        log.commit(&transaction).await;
    }
}

/// What a reader sees: the newest version's row of each time.
async fn seen(log: &TestLog) -> (BTreeMap<i64, f64>, usize) {
    let batches: Vec<_> =
        log.fs().read_batches("/s", None).await.unwrap().try_collect().await.unwrap();
    let rows = data::rows_of(&batches);
    (rows.iter().copied().collect(), rows.len())
}

async fn merge_once(log: &mut TestLog) -> usize {
    let series = log.fs().resolve("/s").await.unwrap().node.id;
    let view = log.view();
    let versions = view.versions(series).await.unwrap();
    let runs = view.runs(series).await.unwrap();
    let merges = merge::plan(&runs, LIMITS, |run| {
        let first = run.covers.as_ref().map_or(run.number, |covers| *covers.start());
        versions[first as usize - 1].txn_seq
    });
    for merge in &merges {
        let transaction = log.begin();
        assert!(merge::perform(&transaction, "/s", series, merge).await.unwrap());
        log.commit_as(&transaction, TxnKind::Maintenance).await;
    }
    merges.len()
}

#[tokio::test]
async fn a_run_shows_what_its_versions_showed() {
    let mut log = TestLog::new().await;
    fill(&mut log, 18, false).await;
    let (before, rows_before) = seen(&log).await;
    assert_eq!(merge_once(&mut log).await, 1);
    assert_eq!(merge_once(&mut log).await, 0);
    log.reopen().await;
    let (after, rows_after) = seen(&log).await;
    assert_eq!(after, before);
    assert!(rows_after < rows_before);
    let series = log.fs().resolve("/s").await.unwrap().node.id;
    let runs = log.view().runs(series).await.unwrap();
    let numbers: Vec<_> = runs.iter().map(|run| run.number).collect();
    assert_eq!(numbers, [18]);
    assert_eq!(runs[0].covers, Some(1..=18));
    assert_eq!(runs[0].attributes.get(ORDER).unwrap(), "strict");
    // The versions themselves are still there, and number on.
    assert_eq!(log.view().versions(series).await.unwrap().len(), 18);
    fill(&mut log, 1, false).await;
    assert_eq!(log.fs().resolve("/s").await.unwrap().node.newest.unwrap().number, 19);
}

#[tokio::test]
async fn a_run_of_an_append_series_keeps_every_row() {
    let mut log = TestLog::new().await;
    fill(&mut log, 4, true).await;
    let (_, before) = seen(&log).await;
    assert_eq!(merge_once(&mut log).await, 1);
    let (_, after) = seen(&log).await;
    assert_eq!((before, after), (404, 404));
}

#[tokio::test]
async fn earlier_states_do_not_see_a_later_run() {
    let mut log = TestLog::new().await;
    fill(&mut log, 4, false).await;
    merge_once(&mut log).await;
    let series = log.fs().resolve("/s").await.unwrap().node.id;
    let earlier = tlogfs::View::new(log.log.snapshot().as_of(3).unwrap());
    let numbers: Vec<_> =
        earlier.runs(series).await.unwrap().iter().map(|run| run.number).collect();
    assert_eq!(numbers, [1, 2, 3]);
}

#[tokio::test]
async fn a_column_more_keeps_no_neighbours_apart() {
    let mut log = TestLog::new().await;
    fill(&mut log, 5, false).await;
    let transaction = log.begin();
    let rows = data::points(&[(900_000, 1.0)], TimeUnit::Microsecond);
    let more: arrow::array::ArrayRef = std::sync::Arc::new(arrow::array::Int64Array::from(vec![7]));
    let mut columns: Vec<_> = rows
        .schema()
        .fields()
        .iter()
        .map(|field| field.name().clone())
        .zip(rows.columns().iter().cloned())
        .collect();
    columns.push(("more".to_owned(), more));
    let wider = arrow::array::RecordBatch::try_from_iter(columns).unwrap();
    let schema = wider.schema();
    let wider = futures::stream::iter([Ok(wider)]).boxed();
    fs_of(&transaction).append_series("/s", None, schema, wider).await.unwrap();
    log.commit(&transaction).await;

    assert_eq!(merge_once(&mut log).await, 1);
    let series = log.fs().resolve("/s").await.unwrap().node.id;
    let runs = log.view().runs(series).await.unwrap();
    let covers: Vec<_> = runs.iter().map(|run| (run.number, run.covers.clone())).collect();
    assert_eq!(covers, [(5, Some(1..=5)), (6, None)]);
}

#[tokio::test]
async fn a_merged_series_is_known_from_its_newest_files() {
    let mut log = TestLog::new().await;
    fill(&mut log, 12, false).await;
    assert_eq!(merge_once(&mut log).await, 1);
    fill(&mut log, 2, false).await;
    let series = log.fs().resolve("/s").await.unwrap().node.id;
    log.reopen().await;
    let before = log.log.snapshot().read_counts().files;
    let view = log.view();
    let numbers: Vec<_> = view.runs(series).await.unwrap().iter().map(|run| run.number).collect();
    assert_eq!(numbers, [12, 13, 14]);
    let attributes = view.node(series).await.unwrap().attributes;
    assert_eq!(
        SeriesSpec::read_from(&attributes).unwrap(),
        Some(data::spec(TimeUnit::Microsecond))
    );
    // Two appends, the run, and at most one that was looked at meanwhile.
    let read = log.log.snapshot().read_counts().files - before;
    assert!(read <= 4, "{read} files were read");
}
