//! Flags over real ponds: beside what they are of, on through joins and
//! reductions, and mended with what comes late.

use query::NewestEvent;
use testing::{START_US, TestPond, data};
use tinyfs::{Attributes, END_US, TimeUnit};

use crate::world::World;

const S: i64 = 1_000_000;
const HOUR: i64 = 3_600 * S;

const TESTED: &str = "
input: /raw.series
tests:
  - columns: [value]
    range: { fail: [-50, 50], suspect: [null, 20] }
    gap: { longer_than: 2h }
    flat_line: { tolerance: 0.5, suspect_after: 3h }
";

async fn world(rows: &[(i64, f64)]) -> World {
    let world = World::new().await;
    let spec = data::spec(TimeUnit::Millisecond);
    let rows = data::points(rows, TimeUnit::Millisecond);
    world.pond.append("/raw.series", Some(spec), rows).await;
    world.node("/tested", "quality", TESTED).await;
    world
}

fn hours(values: &[f64]) -> Vec<(i64, f64)> {
    values.iter().enumerate().map(|(at, &value)| (START_US + at as i64 * HOUR, value)).collect()
}

fn column(shown: &str) -> Vec<String> {
    let lines = shown.lines().filter(|line| line.starts_with('|')).skip(1);
    lines.map(|line| line.trim_matches(['|', ' ']).to_owned()).collect()
}

async fn flags(world: &World, filter: &str) -> Vec<String> {
    let sql = format!("SELECT \"value.flag\" FROM '/tested' WHERE {filter} ORDER BY time");
    column(&world.ask(&sql).await)
}

async fn refusal(world: &World, path: &str) -> String {
    let error = world.try_ask(&format!("SELECT * FROM '{path}'")).await.expect_err("a refusal");
    let mut text = String::new();
    let mut next: Option<&dyn std::error::Error> = Some(&error);
    while let Some(error) = next {
        text.push_str(&format!("{error}\n"));
        next = error.source();
    }
    text
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_part_of_a_series_has_the_flags_of_the_whole() {
    let world = world(&hours(&[1.0, 9.0, 30.0, 99.0, 5.0, 5.1, 5.2, 5.3, f64::NAN, 7.0])).await;
    let whole = ["3", "1", "3", "4", "1", "1", "1", "3", "9", "1"];
    assert_eq!(flags(&world, "true").await, whole);
    for from in 0..10_i64 {
        let us = START_US + from * HOUR;
        let filter = format!("time >= to_timestamp_micros({us})");
        assert_eq!(flags(&world, &filter).await, whole[from as usize..], "{from}");
    }
    let sql = "SELECT value FROM '/tested' WHERE \"value.flag\" = 4";
    assert_eq!(column(&world.ask(sql).await), ["99.0"]);
    let plan = world.ask("EXPLAIN SELECT \"value.flag\" FROM '/tested' WHERE time > TIMESTAMP '2024-01-01T05:00:00Z'").await;
    assert!(plan.contains("QualityExec: tested=[value]"), "{plan}");
    assert!(!plan.contains("SortExec"), "a series that is in order is not sorted: {plan}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn late_readings_mend_the_flags_after_them_and_the_tiles_over_these() {
    let rows = hours(&[1.0; 200]);
    let world = world(&[&rows[..50], &rows[60..]].concat()).await;
    let reduced = "
in_pattern: /tested
out_pattern: tested
resolutions: [4h, day]
exclude_flags: [3, 4]
aggregations: [{ type: count, columns: [value] }, { type: sum, columns: [value] }]
";
    world.node("/reduced", "temporal-reduce", reduced).await;
    let days = "SELECT * FROM '/reduced/tested/res=day.series' ORDER BY time";
    let before = world.ask(days).await;
    assert_eq!(before, world.ask_without_cache(days).await);
    // The gap is closed, and the line is not flat any more for a while.
    let late: Vec<(i64, f64)> =
        rows[50..60].iter().map(|row| (row.0, (row.0 / HOUR % 7) as f64)).collect();
    world.pond.append("/raw.series", None, data::points(&late, TimeUnit::Millisecond)).await;
    let report = world.refresh("/reduced").await;
    assert!(report.failures.is_empty(), "{:?}", report.failures);
    let after = world.ask(days).await;
    assert_ne!(before, after);
    assert_eq!(after, world.ask_without_cache(days).await);
    // What was not near them was not read again.
    let read: u64 = report.lines[0]
        .split_whitespace()
        .rev()
        .nth(1)
        .and_then(|rows| rows.parse().ok())
        .unwrap_or_else(|| panic!("{:?}", report.lines));
    assert!((10..60).contains(&read), "{:?}", report.lines);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn flags_stay_beside_their_values_in_joins_and_readings_are_left_out_by_them() {
    let world = world(&hours(&[1.0, 99.0, 3.0])).await;
    let unit = "
input: /raw.series
transforms: [{ convert: { columns: { value: { from: m, to: cm } } } }]
tests: [{ columns: [value], range: { fail: [0, 5000] } }]
";
    world.node("/tested", "quality", unit).await;
    world.node("/joined", "timeseries-join", "inputs: [{ pattern: /tested, scope: A }]").await;
    let shown = world.ask("SELECT * FROM '/joined' ORDER BY timestamp").await;
    assert!(shown.contains("A.value.cm ") && shown.contains("A.value.cm.flag"), "{shown}");
    let reduced = "
in_pattern: /joined
out_pattern: joined
resolutions: [day]
exclude_flags: [4, 9]
aggregations: [{ type: max }, { type: count }]
";
    world.node("/reduced", "temporal-reduce", reduced).await;
    let shown =
        world.ask("SELECT * EXCEPT (timestamp) FROM '/reduced/joined/res=day.series'").await;
    assert!(shown.contains("| 300.0          | 2                |"), "{shown}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_can_not_be_tested_is_told_by_name() {
    let world = world(&[(START_US, 1.0)]).await;
    let tests = "tests: [{ columns: [valu], gap: { longer_than: 1h } }]\ninput: /raw.series\n";
    world.node("/wrong", "quality", tests).await;
    let told = refusal(&world, "/wrong").await;
    assert!(told.contains("there is no column `valu`"), "{told}");
    let twice = "tests: [{ columns: [value], gap: { longer_than: 1h } }]\ninput: /tested\n";
    world.node("/twice", "quality", twice).await;
    let told = refusal(&world, "/twice").await;
    assert!(told.contains("both give a column `value.flag`"), "{told}");
    let of_text = "
input: /raw.series
transforms: [{ cast: { columns: { value: utf8 } } }]
tests: [{ columns: ['*'], gap: { longer_than: 1h } }]
";
    world.node("/text", "quality", of_text).await;
    let told = refusal(&world, "/text").await;
    assert!(told.contains("not numbers"), "{told}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_newest_flag_is_within_the_bounds_of_its_node() {
    let world = world(&hours(&[1.0, 2.0, 3.0, 4.0])).await;
    let newest = async || {
        let (session, _) = world.session_with(None).await;
        let found = world.pond.read().await.fs().resolve("/tested").await.unwrap();
        let newest = session.newest_event(&found).await.unwrap();
        let asked = session.newest_event_asked(&newest.ask).await.unwrap();
        (newest.event, newest.ask, asked)
    };
    let (event, ask, asked) = newest().await;
    let last = START_US + 3 * HOUR;
    assert_eq!(event, NewestEvent::At(Some(last)));
    assert_eq!((ask.as_str(), asked), ("/raw.series", Some(last)));
    let end = START_US + HOUR;
    let intent = TestPond::intent("pond set-temporal-bounds /tested");
    let bounded = Attributes::from([(END_US.to_owned(), end.to_string())]);
    let written = world.pond.pond.write(intent, async |txn| {
        let said = txn.fs().set_attributes("/tested", bounded.clone()).await;
        said.map_err(steward::Error::from)
    });
    written.await.unwrap();
    let (event, ask, asked) = newest().await;
    assert_eq!(event, NewestEvent::AtMost(end));
    assert_eq!((ask.as_str(), asked), ("/tested", Some(end)));
}
