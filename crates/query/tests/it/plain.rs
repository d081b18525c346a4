//! Series and tables that need no merging.

use tinyfs::SeriesSpec;

use crate::pond::{
    NEW_YEAR, Pond, SECOND, batch, explain, failure, ints, readings, rows, spec, try_rows,
};
use query::{Error, SessionOptions, TimeBounds};

/// Three versions of 5,000 rows, one a second, none overlapping.
async fn three_versions() -> Pond {
    let pond = Pond::new();
    for version in 0..3 {
        let rows: Vec<(i64, f64)> =
            (0..5000).map(|at| (version * 5000 + at, (at % 10) as f64)).collect();
        pond.append("/sensors/dock.series", &spec(), &readings(&rows)).await;
    }
    pond
}

#[tokio::test]
async fn path_is_a_table_in_single_and_double_quotes() {
    let session = three_versions().await.session();
    for name in ["'/sensors/dock.series'", "\"/sensors/dock.series\""] {
        let count = format!("SELECT count(*), sum(s.value) FROM {name} s");
        assert_eq!(rows(&session, &count).await, ["15000 | 67500.0"]);
    }
}

#[tokio::test]
async fn dots_and_case_of_a_path_are_kept() {
    let pond = Pond::new();
    pond.table("/Data.v1/Sites.Table", &batch(vec![("id", ints(&[1, 2]), false)])).await;
    let session = pond.session();
    assert_eq!(rows(&session, "SELECT sum(id) FROM '/Data.v1/Sites.Table'").await, ["3"]);
    assert!(matches!(
        failure(&session, "SELECT * FROM '/data.v1/sites.table'").await,
        Error::NoSuchTable { .. }
    ));
}

#[tokio::test]
async fn join_of_two_paths_works_with_aliases() {
    let pond = three_versions().await;
    pond.append("/b.series", &spec(), &readings(&[(1, 100.0), (2, 200.0), (99_999, 1.0)])).await;
    let sql = "SELECT s.value, t.value FROM '/sensors/dock.series' s \
               JOIN '/b.series' t ON s.time = t.time ORDER BY s.time";
    assert_eq!(rows(&pond.session(), sql).await, ["1.0 | 100.0", "2.0 | 200.0"]);
}

#[tokio::test]
async fn time_filter_prunes_versions_and_row_groups_visibly() {
    let session = three_versions().await.session();
    let sql = "SELECT count(*) FROM '/sensors/dock.series' \
               WHERE time >= '2024-01-01T01:23:20Z' AND time < '2024-01-01T01:23:30Z'";
    assert_eq!(rows(&session, sql).await, ["10"]);
    let plan = explain(&session, sql).await;
    assert!(plan.contains("versions=1 of 3, outside_time=2"), "{plan}");
    let ran = rows(&session, &format!("EXPLAIN ANALYZE {sql}")).await.join("\n");
    assert!(ran.contains("row_groups_pruned_statistics=5 total → 1 matched"), "{ran}");
    assert!(ran.contains("page_index_rows_pruned=1.00 K total → 100 matched"), "{ran}");
}

#[tokio::test]
async fn value_filter_prunes_versions_by_their_statistics() {
    let pond = three_versions().await;
    pond.append("/sensors/dock.series", &spec(), &readings(&[(100_000, 5000.0)])).await;
    let sql = "SELECT value FROM '/sensors/dock.series' WHERE value > 4000";
    let session = pond.session();
    assert_eq!(rows(&session, sql).await, ["5000.0"]);
    let plan = explain(&session, sql).await;
    assert!(plan.contains("versions=1 of 4, outside_values=3"), "{plan}");
}

#[tokio::test]
async fn one_strict_version_is_datafusions_own_scan() {
    let pond = Pond::new();
    let data: Vec<(i64, f64)> = (0..5000).map(|at| (at, at as f64)).collect();
    pond.append("/a.series", &spec(), &readings(&data)).await;
    let session = pond.session();
    let plan = explain(&session, "SELECT avg(value) FROM '/a.series' WHERE value > 10").await;
    let scan = plan.lines().find(|line| line.contains("DataSourceExec")).unwrap();
    assert!(scan.contains("projection=[value]") && scan.contains("predicate="), "{plan}");
    for unwanted in ["FilterExec", "VersionsExec", "NewestWinsExec", "SortExec"] {
        assert!(!plan.contains(unwanted), "{plan}");
    }
}

#[tokio::test]
async fn count_and_bounds_of_the_whole_come_from_footers() {
    let session = three_versions().await.session();
    let sql = "SELECT count(*), min(time), max(value) FROM '/sensors/dock.series'";
    let plan = explain(&session, sql).await;
    assert!(plan.contains("PlaceholderRowExec") && !plan.contains("DataSourceExec"), "{plan}");
    assert_eq!(rows(&session, sql).await, ["15000 | 2024-01-01T00:00:00Z | 9.0"]);
}

#[tokio::test]
async fn sorted_versions_are_not_sorted_again() {
    let session = three_versions().await.session();
    let sql = "SELECT time, value FROM '/sensors/dock.series' ORDER BY time";
    let plan = explain(&session, sql).await;
    assert!(!plan.contains("SortExec"), "{plan}");
    let answer = rows(&session, sql).await;
    assert_eq!(answer.len(), 15_000);
    assert!(answer.is_sorted());
}

#[tokio::test]
async fn limit_and_projection_reach_the_scan() {
    let session = three_versions().await.session();
    let sql = "SELECT value FROM '/sensors/dock.series' LIMIT 3";
    let plan = explain(&session, sql).await;
    assert!(plan.contains("limit=3") && plan.contains("projection=[value]"), "{plan}");
    assert_eq!(rows(&session, sql).await.len(), 3);
}

#[tokio::test]
async fn rows_before_the_floor_are_left_out_and_counted() {
    let pond = Pond::new();
    let back_to_1970 = -NEW_YEAR / SECOND;
    let spec = spec();
    pond.append("/a.series", &spec, &readings(&[(back_to_1970, 1.0), (back_to_1970 + 120, 2.0)]))
        .await;
    pond.append("/a.series", &spec, &readings(&[(back_to_1970 + 300, 3.0), (10, 4.0), (20, 5.0)]))
        .await;
    pond.append("/a.series", &spec, &readings(&[(30, 6.0)])).await;
    let session = pond.session();
    let all = "SELECT value FROM '/a.series' ORDER BY time";
    assert_eq!(rows(&session, all).await, ["4.0", "5.0", "6.0"]);
    assert_eq!(rows(&session, "SELECT count(*) FROM '/a.series'").await, ["3"]);
    assert_eq!(rows(&session, "SELECT min(time) FROM '/a.series'").await, ["2024-01-01T00:00:10Z"]);
    let plan = explain(&session, all).await;
    assert!(plan.contains("versions=2 of 3, outside_time=1"), "{plan}");
    let facts = session.facts("/a.series").await.unwrap();
    assert_eq!((facts.rows, facts.stored_rows, facts.quarantined_rows), (Some(3), 6, 3));
    assert!(facts.rows_exact);

    let open = SeriesSpec { floor_us: None, ..spec };
    pond.append("/b.series", &open, &readings(&[(back_to_1970, 1.0)])).await;
    assert_eq!(rows(&pond.session(), "SELECT value FROM '/b.series'").await, ["1.0"]);
}

#[tokio::test]
async fn series_without_rows_has_columns() {
    let pond = Pond::new();
    pond.append("/a.series", &spec(), &readings(&[])).await;
    let session = pond.session();
    assert!(rows(&session, "SELECT time, value FROM '/a.series'").await.is_empty());
    assert_eq!(rows(&session, "SELECT count(*) FROM '/a.series'").await, ["0"]);
    let facts = session.facts("/a.series").await.unwrap();
    assert_eq!((facts.rows, facts.time_range), (Some(0), None));
}

#[tokio::test]
async fn newest_version_of_a_table_replaces_the_others() {
    let pond = Pond::new();
    pond.table("/t.table", &batch(vec![("id", ints(&[1, 2, 3]), false)])).await;
    pond.table("/t.table", &batch(vec![("name", ints(&[9]), false)])).await;
    let session = pond.session();
    assert_eq!(rows(&session, "SELECT name FROM '/t.table'").await, ["9"]);
    session.bind_version("source", "/t.table", 1);
    assert_eq!(rows(&session, "SELECT sum(id) FROM source").await, ["6"]);
}

#[tokio::test]
async fn bound_names_come_first_and_do_not_edit_the_text() {
    let pond = three_versions().await;
    let session = pond.session();
    session.bind("source", "/sensors/dock.series");
    let sql = "SELECT count(*), 'source' FROM source AS source1";
    assert_eq!(rows(&session, sql).await, ["15000 | source"]);
}

#[tokio::test]
async fn time_range_of_a_session_binds_every_series() {
    let pond = three_versions().await;
    pond.table("/t.table", &readings(&[(0, 1.0)])).await;
    let time_range = TimeBounds {
        start_us: Some(NEW_YEAR + 4998 * SECOND),
        end_us: Some(NEW_YEAR + 5001 * SECOND),
    };
    let session = pond.session_with(SessionOptions { time_range, ..SessionOptions::default() });
    assert_eq!(rows(&session, "SELECT count(*) FROM '/sensors/dock.series'").await, ["4"]);
    assert_eq!(rows(&session, "SELECT count(*) FROM '/t.table'").await, ["1"]);
    let value = "SELECT value FROM '/sensors/dock.series' ORDER BY 1 DESC LIMIT 1";
    assert_eq!(rows(&session, value).await, ["9.0"]);
}

#[tokio::test]
async fn time_range_binds_time_columns_of_every_type() {
    use arrow::array::{ArrayRef, Int64Array};
    use arrow::compute::cast;
    use arrow::datatypes::{DataType, TimeUnit};
    use std::sync::Arc;

    // Days from the new year; the range takes in the second and the third.
    let day = 86_400 * SECOND;
    let start = NEW_YEAR / day;
    let types = [
        (DataType::Timestamp(TimeUnit::Second, None), 86_400),
        (DataType::Timestamp(TimeUnit::Millisecond, Some("UTC".into())), 86_400_000),
        (DataType::Timestamp(TimeUnit::Microsecond, Some("Europe/Rome".into())), day),
        (DataType::Timestamp(TimeUnit::Nanosecond, None), day * 1000),
        (DataType::Date32, 1),
        (DataType::Date64, 86_400_000),
        (DataType::Int32, 86_400),
        (DataType::Int64, 86_400),
        (DataType::UInt32, 86_400),
    ];
    let pond = Pond::new();
    for (at, (data_type, per_day)) in types.iter().enumerate() {
        let days: ArrayRef =
            Arc::new(Int64Array::from_iter_values((0..5).map(|day| (start + day) * per_day)));
        // Days and dates are 32 bits wide, and cast from nothing wider.
        let days = match data_type {
            DataType::Date32 => cast(&cast(&days, &DataType::Int32).unwrap(), data_type),
            _ => cast(&days, data_type),
        };
        let batch = batch(vec![("at", days.unwrap(), false), ("n", ints(&[0, 1, 2, 3, 4]), false)]);
        let spec = SeriesSpec::new("at", tinyfs::TimeUnit::Second);
        pond.append(&format!("/s/{at}.series"), &spec, &batch).await;
    }
    let time_range =
        TimeBounds { start_us: Some(NEW_YEAR + day), end_us: Some(NEW_YEAR + 2 * day) };
    let session = pond.session_with(SessionOptions { time_range, ..SessionOptions::default() });
    for (at, (data_type, _)) in types.iter().enumerate() {
        let sql = format!("SELECT n FROM '/s/{at}.series' ORDER BY n");
        assert_eq!(try_rows(&session, &sql).await.unwrap(), ["1", "2"], "{data_type}");
    }
}
