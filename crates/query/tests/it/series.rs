//! Versions that overlap: whose rows count.

use tinyfs::SeriesSpec;

use crate::pond::{Pond, explain, readings, rows, spec, stations};

const ALL: &str = "SELECT value FROM '/a.series' ORDER BY time, value";

#[tokio::test]
async fn newest_version_wins_for_the_same_time() {
    let pond = Pond::new();
    pond.append("/a.series", &spec(), &readings(&[(1, 1.0), (2, 2.0), (3, 3.0)])).await;
    pond.append("/a.series", &spec(), &readings(&[(2, 20.0), (3, 30.0), (4, 40.0)])).await;
    pond.append("/a.series", &spec(), &readings(&[(3, 300.0)])).await;
    pond.append("/a.series", &spec(), &readings(&[(9, 9.0)])).await;
    let session = pond.session();
    assert_eq!(rows(&session, ALL).await, ["1.0", "20.0", "300.0", "40.0", "9.0"]);
    assert_eq!(rows(&session, "SELECT count(*) FROM '/a.series'").await, ["5"]);
    let plan = explain(&session, ALL).await;
    assert!(plan.contains("plain=1, merged=3"), "{plan}");
    assert!(plan.contains("NewestWinsExec: key=[time]"), "{plan}");
    assert!(plan.contains("SortPreservingMergeExec: [time"), "{plan}");
}

#[tokio::test]
async fn sorted_versions_are_merged_without_sorting() {
    let pond = Pond::new();
    for version in 0..4 {
        let rows: Vec<_> = (0..100).map(|at| (version * 50 + at, version as f64)).collect();
        pond.append("/a.series", &spec(), &readings(&rows)).await;
    }
    let session = pond.session();
    let plan = explain(&session, "SELECT time, value FROM '/a.series'").await;
    assert!(!plan.contains("SortExec"), "{plan}");
    // Versions 1 and 3 do not overlap, so two lanes hold all four.
    assert!(plan.contains("2 groups"), "{plan}");
    assert_eq!(rows(&session, "SELECT count(*) FROM '/a.series'").await, ["250"]);
}

#[tokio::test]
async fn whole_row_wins_with_its_nulls() {
    let pond = Pond::new();
    pond.append("/a.series", &spec(), &readings(&[(1, 1.0)])).await;
    let narrow = readings(&[(1, 2.0)]).project(&[0]).unwrap();
    pond.append("/a.series", &spec(), &narrow).await;
    assert_eq!(rows(&pond.session(), "SELECT value FROM '/a.series'").await, ["-"]);
}

#[tokio::test]
async fn last_row_wins_within_a_version() {
    let pond = Pond::new();
    pond.append("/a.series", &spec(), &readings(&[(1, 1.0), (1, 2.0), (2, 3.0)])).await;
    pond.append("/a.series", &spec(), &readings(&[(12, 7.0), (11, 5.0), (12, 6.0)])).await;
    assert_eq!(rows(&pond.session(), ALL).await, ["2.0", "3.0", "5.0", "6.0"]);
}

#[tokio::test]
async fn append_keeps_every_row() {
    let pond = Pond::new();
    let spec = SeriesSpec { append: true, ..spec() };
    pond.append("/a.series", &spec, &readings(&[(1, 1.0), (1, 2.0)])).await;
    pond.append("/a.series", &spec, &readings(&[(1, 3.0), (2, 4.0)])).await;
    let session = pond.session();
    assert_eq!(rows(&session, ALL).await, ["1.0", "2.0", "3.0", "4.0"]);
    assert!(!explain(&session, ALL).await.contains("NewestWinsExec"));
}

#[tokio::test]
async fn key_may_name_more_columns() {
    let pond = Pond::new();
    let spec = SeriesSpec { key: vec!["time".into(), "station".into()], ..spec() };
    pond.append("/a.series", &spec, &stations(&[(1, "north", 1.0), (1, "south", 2.0)])).await;
    pond.append("/a.series", &spec, &stations(&[(1, "south", 20.0), (2, "north", 3.0)])).await;
    let session = pond.session();
    assert_eq!(rows(&session, ALL).await, ["1.0", "20.0", "3.0"]);
    let north = "SELECT value FROM '/a.series' WHERE station = 'north' ORDER BY time";
    assert_eq!(rows(&session, north).await, ["1.0", "3.0"]);
}

#[tokio::test]
async fn value_filter_does_not_bring_back_what_was_superseded() {
    let pond = Pond::new();
    pond.append("/a.series", &spec(), &readings(&[(1, 100.0), (2, 2.0)])).await;
    pond.append("/a.series", &spec(), &readings(&[(1, 1.0), (2, 200.0)])).await;
    let session = pond.session();
    let high = "SELECT value FROM '/a.series' WHERE value >= 100";
    assert_eq!(rows(&session, high).await, ["200.0"]);
    let plan = explain(&session, high).await;
    let filter = plan.find("FilterExec").unwrap();
    assert!(filter < plan.find("NewestWinsExec").unwrap(), "{plan}");
}

#[tokio::test]
async fn time_filter_passes_below_the_merge() {
    let pond = Pond::new();
    pond.append("/a.series", &spec(), &readings(&[(1, 1.0), (2, 2.0), (3, 3.0)])).await;
    pond.append("/a.series", &spec(), &readings(&[(2, 20.0), (4, 40.0)])).await;
    let session = pond.session();
    let sql = "SELECT value FROM '/a.series' WHERE time = '2024-01-01T00:00:02Z'";
    assert_eq!(rows(&session, sql).await, ["20.0"]);
    let plan = explain(&session, sql).await;
    let scan = plan.lines().find(|line| line.contains("DataSourceExec")).unwrap();
    assert!(scan.contains("predicate=time"), "{plan}");
    assert!(!plan.contains("FilterExec"), "{plan}");
}

#[tokio::test]
async fn limit_counts_rows_after_the_merge() {
    let pond = Pond::new();
    pond.append("/a.series", &spec(), &readings(&[(1, 1.0), (2, 2.0), (3, 3.0)])).await;
    pond.append("/a.series", &spec(), &readings(&[(1, 10.0), (2, 20.0), (3, 30.0)])).await;
    let session = pond.session();
    let sql = "SELECT value FROM '/a.series' ORDER BY time LIMIT 2";
    assert_eq!(rows(&session, sql).await, ["10.0", "20.0"]);
    let sql = "SELECT value FROM '/a.series' ORDER BY time DESC LIMIT 2";
    assert_eq!(rows(&session, sql).await, ["30.0", "20.0"]);
    assert_eq!(rows(&session, "SELECT value FROM '/a.series' LIMIT 2").await.len(), 2);
}

#[tokio::test]
async fn query_without_columns_counts_merged_rows() {
    let pond = Pond::new();
    pond.append("/a.series", &spec(), &readings(&[(1, 1.0), (2, 2.0)])).await;
    pond.append("/a.series", &spec(), &readings(&[(1, 10.0)])).await;
    let session = pond.session();
    assert_eq!(rows(&session, "SELECT 'x' FROM '/a.series'").await, ["x", "x"]);
    assert_eq!(rows(&session, "SELECT max(value) FROM '/a.series'").await, ["10.0"]);
}

#[tokio::test]
async fn facts_count_rows_after_precedence() {
    let pond = Pond::new();
    pond.append("/a.series", &spec(), &readings(&[(1, 1.0), (2, 2.0)])).await;
    pond.append("/a.series", &spec(), &readings(&[(1, 10.0), (3, 3.0)])).await;
    let facts = pond.session().facts("/a.series").await.unwrap();
    assert_eq!((facts.versions, facts.stored_rows, facts.rows), (2, 4, Some(3)));
    let range = facts.time_range.unwrap();
    assert_eq!(range.max_us - range.min_us, 2_000_000);
}

#[tokio::test]
async fn large_version_is_merged_only_where_others_share_its_time() {
    let pond = Pond::new();
    let base: Vec<(i64, f64)> = (0..150_000).map(|at| (at, 1.0)).collect();
    pond.append("/a.series", &spec(), &readings(&base)).await;
    let days: Vec<(i64, f64)> = (1000..2000).map(|at| (at, 2.0)).collect();
    pond.append("/a.series", &spec(), &readings(&days)).await;
    let tail: Vec<(i64, f64)> = (149_990..150_010).map(|at| (at, 3.0)).collect();
    pond.append("/a.series", &spec(), &readings(&tail)).await;
    let session = pond.session();
    let sql = "SELECT value, count(*), count(DISTINCT time) FROM '/a.series' GROUP BY value \
               ORDER BY value";
    assert_eq!(
        rows(&session, sql).await,
        ["1.0 | 148990 | 148990", "2.0 | 1000 | 1000", "3.0 | 20 | 20"]
    );
    let plan = explain(&session, sql).await;
    assert!(plan.contains("merged=3, split=2"), "{plan}");
    let sql =
        "SELECT count(*) FROM '/a.series' WHERE value < 1.5 AND time >= '2024-01-01T00:33:00Z'";
    assert_eq!(rows(&session, sql).await, ["147990"]);
}
