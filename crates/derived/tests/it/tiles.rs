//! Reductions over a pond: current when they are read, and the same whatever
//! is kept of them.

use std::fs;
use std::path::{Path, PathBuf};

use derived::Error;
use proptest::prelude::*;
use steward::MaintainOptions;
use testing::{START_US, TestPond, data};
use tinyfs::TimeUnit;

use crate::world::World;

const S: i64 = 1_000_000;
const HOUR: i64 = 3_600 * S;
const DAY: i64 = 24 * HOUR;

const REDUCED: &str = "
in_pattern: /raw/*.series
out_pattern: $0
time_zone: America/Los_Angeles
resolutions: [1h, 4h, day, month]
aggregations:
  - { type: count }
  - { type: avg }
  - { type: min }
  - { type: max }
  - { type: sum }
  - { type: stddev }
  - { type: first }
  - { type: last }
";

async fn reduced() -> World {
    let world = World::new().await;
    world.pond.make_dir("/raw").await;
    let spec = data::spec(TimeUnit::Millisecond);
    let rows = data::sine(START_US, 600 * S, 6 * 24 * 40, TimeUnit::Millisecond);
    world.pond.append("/raw/dock.series", Some(spec), rows).await;
    world.node("/reduced", "temporal-reduce", REDUCED).await;
    world
}

async fn append(world: &World, rows: &[(i64, f64)]) {
    let rows = data::points(rows, TimeUnit::Millisecond);
    world.pond.append("/raw/dock.series", None, rows).await;
}

fn all_of(resolution: &str) -> String {
    format!("SELECT * FROM '/reduced/dock/res={resolution}.series' ORDER BY time")
}

/// The files below a directory.
fn files(dir: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(files(&path));
        } else {
            found.push(path);
        }
    }
    found.sort();
    found
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn hours_equal_what_a_query_of_the_rows_computes() {
    let world = reduced().await;
    let tiles = world
        .ask("SELECT time, \"value.count\" AS n, \"value.min\" AS lo, \"value.max\" AS hi FROM '/reduced/dock/res=1h.series' ORDER BY time")
        .await;
    let rows = world
        .ask("SELECT arrow_cast(date_bin(INTERVAL '1 hour', time), 'Timestamp(Microsecond, Some(\"UTC\"))') AS time, count(value) AS n, min(value) AS lo, max(value) AS hi FROM '/raw/dock.series' GROUP BY 1 ORDER BY 1")
        .await;
    assert_eq!(tiles, rows);
    let days = world
        .ask("SELECT time, \"value.count\" AS n FROM '/reduced/dock/res=day.series' ORDER BY time")
        .await;
    let civil = world
        .ask("SELECT arrow_cast(civil_trunc('day', time, 'America/Los_Angeles'), 'Timestamp(Microsecond, Some(\"America/Los_Angeles\"))') AS time, count(value) AS n FROM '/raw/dock.series' GROUP BY 1 ORDER BY 1")
        .await;
    assert_eq!(days, civil);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn reading_after_an_append_shows_the_new_data() {
    let world = reduced().await;
    let newest =
        "SELECT max(time) AS t, sum(\"value.count\") AS n FROM '/reduced/dock/res=1h.series'";
    let before = world.ask(newest).await;
    assert!(before.contains("5760"), "{before}");
    // A new hour, one row that comes late, one that is corrected.
    append(&world, &[(START_US + 50 * DAY, 1.0), (START_US + DAY + S, 77.0), (START_US, -99.0)])
        .await;
    let after = world.ask(newest).await;
    assert!(after.contains("5762") && after.contains("2024-02-20T00:00:00"), "{after}");
    let months = world.ask(&all_of("month")).await;
    assert!(months.contains("-99.0") && months.contains("77.0"), "{months}");
    for resolution in ["1h", "4h", "day", "month"] {
        let all = all_of(resolution);
        assert_eq!(world.ask(&all).await, world.ask_without_cache(&all).await, "{resolution}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn deleting_or_damaging_the_cache_changes_no_number() {
    let world = reduced().await;
    let all = all_of("day");
    let right = world.ask(&all).await;
    fs::remove_dir_all(world.cache()).unwrap();
    assert_eq!(world.ask(&all).await, right);
    for file in files(&world.cache()) {
        if file.extension().is_some_and(|ending| ending == "parquet") {
            let mut bytes = fs::read(&file).unwrap();
            let middle = bytes.len() / 2;
            bytes[middle] ^= 1;
            fs::write(&file, bytes).unwrap();
        }
    }
    assert_eq!(world.ask(&all).await, right);
    for file in files(&world.cache()) {
        fs::write(&file, "no tile, no index").unwrap();
    }
    assert_eq!(world.ask(&all).await, right);
    assert_eq!(world.ask_without_cache(&all).await, right);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn run_makes_only_what_is_dirty_and_maintenance_makes_nothing_dirty() {
    let world = reduced().await;
    let first = world.refresh("/reduced").await;
    assert_eq!(first.lines.len(), 1);
    assert!(first.lines[0].contains("made from 5760 rows"), "{first:?}");
    assert_eq!(world.refresh("/reduced").await.lines, ["/raw/dock.series: up to date"]);

    for minute in 0..12 {
        append(&world, &[(START_US + 41 * DAY + minute * 60 * S, 1.0)]).await;
    }
    let small = world.refresh("/reduced").await;
    assert!(small.lines[0].contains("made from 12 rows"), "{small:?}");
    let intent = TestPond::intent("pond maintain");
    let plan = world.pond.pond.plan_maintenance(MaintainOptions::default()).await.unwrap();
    world.pond.pond.perform_maintenance(&plan, &intent).await.unwrap();
    assert_eq!(world.refresh("/reduced").await.lines, ["/raw/dock.series: up to date"]);

    // What comes after a merge is taken apart from what it merged.
    append(&world, &[(START_US + 41 * DAY + 2 * HOUR, 1.0)]).await;
    let last = world.refresh("/reduced").await;
    assert!(last.lines[0].contains("made from 1 rows"), "{last:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn filters_on_time_leave_only_what_they_ask_for() {
    let world = reduced().await;
    let few = "SELECT count(*) AS n FROM '/reduced/dock/res=1h.series' WHERE time >= '2024-01-03T00:00:00Z' AND time < '2024-01-04T00:00:00Z'";
    assert!(world.ask(few).await.contains("24"));
    let one = "SELECT \"value.count\" AS n FROM '/reduced/dock/res=1h.series' WHERE time = '2024-01-03T05:00:00Z'";
    assert_eq!(world.ask(one).await, world.ask_without_cache(one).await);
    assert!(world.ask(one).await.contains("| 6 |"));
    let plan = world.ask(&format!("EXPLAIN {}", all_of("1h"))).await;
    assert!(!plan.contains("SortExec"), "tiles are in order: {plan}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn reduction_of_a_view_sees_through_it() {
    let world = reduced().await;
    let view = "{ patterns: { dock: /raw/dock.series }, query: 'SELECT time, value * 2 AS twice FROM dock' }";
    world.node("/twice.series", "sql-derived-series", view).await;
    let config = "
in_pattern: /twice.series
out_pattern: twice
resolutions: [1h]
aggregations: [{ type: max, columns: [tw*] }]
";
    world.node("/doubled", "temporal-reduce", config).await;
    let sum = "SELECT sum(\"twice.max\") AS s FROM '/doubled/twice/res=1h.series'";
    let before = world.ask(sum).await;
    assert!(world.refresh("/doubled").await.lines[0].ends_with("up to date"));
    append(&world, &[(START_US + 3 * DAY + S, 5_000.0)]).await;
    let report = world.refresh("/doubled").await;
    assert!(report.lines[0].contains("made from 7 rows"), "{report:?}");
    assert_ne!(world.ask(sum).await, before);
    assert_eq!(world.ask(sum).await, world.ask_without_cache(sum).await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn column_that_is_not_there_is_named_with_what_is_near() {
    let world = reduced().await;
    let config = "
in_pattern: /raw/dock.series
out_pattern: dock
resolutions: [1h]
aggregations: [{ type: avg, columns: [valeu] }]
";
    world.node("/wrong", "temporal-reduce", config).await;
    let error = world.try_ask("SELECT * FROM '/wrong/dock/res=1h.series'").await.unwrap_err();
    match Error::find(&error) {
        Some(Error::NoColumn { column, columns }) => {
            assert_eq!((column.as_str(), columns[0].as_str()), ("valeu", "value"));
        }
        other => panic!("{other:?} in {error:?}"),
    }
    // The others are there all the same.
    assert!(world.ask(&all_of("month")).await.contains("2024-01-01"));
}

fn rows() -> impl Strategy<Value = Vec<(i64, f64)>> {
    let row = (0..60_i64, 0..96_i64, -100..100_i32);
    prop::collection::vec(row, 1..25).prop_map(|rows| {
        rows.into_iter()
            .map(|(day, quarter, value)| {
                (START_US + day * DAY + quarter * HOUR / 4, f64::from(value) / 3.0)
            })
            .collect()
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 8, ..ProptestConfig::default() })]

    #[test]
    fn tiles_of_any_history_equal_those_of_its_rows(
        history in prop::collection::vec((rows(), any::<bool>()), 1..6),
    ) {
        let mut runtime = tokio::runtime::Builder::new_multi_thread();
        let runtime = runtime.worker_threads(2).enable_all().build().unwrap();
        runtime.block_on(async {
            let world = reduced().await;
            for (rows, read) in history {
                append(&world, &rows).await;
                if read {
                    world.ask(&all_of("day")).await;
                }
            }
            for resolution in ["1h", "4h", "day", "month"] {
                let all = all_of(resolution);
                let kept = world.ask(&all).await;
                assert_eq!(kept, world.ask_without_cache(&all).await);
            }
        });
    }
}
