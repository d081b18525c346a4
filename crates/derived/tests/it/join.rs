//! Joins and pivots over real ponds.

use testing::{START_US, data};
use tinyfs::TimeUnit;

use crate::world::World;

/// A series of these rows, given as SQL.
async fn rows(world: &World, path: &str, columns: &str, values: &str) {
    let time = "to_timestamp_micros(column1 * 1000000) AS t";
    let query = format!("SELECT {time}, {columns} FROM (VALUES {values})");
    let config = format!("patterns: {{}}\ntime_column: t\nquery: |\n  {query}\n");
    world.node(path, "sql-derived-series", &config).await;
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

fn body(shown: &str) -> Vec<String> {
    let lines = shown.lines().filter(|line| line.starts_with('|')).skip(1);
    lines.map(|line| line.split_whitespace().collect::<Vec<_>>().join(" ")).collect()
}

#[tokio::test]
async fn a_join_has_one_row_an_instant_and_the_later_input_wins() {
    let world = World::new().await;
    rows(&world, "/a", "column2 AS v, column3 AS w", "(3, 30, 1), (1, 10, 1), (2, 20, 1)").await;
    rows(&world, "/b", "column2 AS v", "(2, 21), (4, 41), (3, CAST(NULL AS BIGINT))").await;
    rows(&world, "/c", "column2 AS v", "(1, 5), (1, 7), (9, 8)").await;
    let config = "inputs: [{ pattern: /a, scope: A }, { pattern: /c, scope: C }, { pattern: /b, scope: A }]\n";
    world.node("/joined", "timeseries-join", config).await;
    let sql = "SELECT CAST(timestamp AS BIGINT) / 1000000 AS s, * EXCEPT (timestamp) FROM '/joined' ORDER BY s";
    let shown = world.ask(sql).await;
    assert!(shown.contains("A.v") && shown.contains("C.v"), "{shown}");
    let expected = [
        "| 1 | 10 | 1 | 7 |",
        "| 2 | 21 | 1 | |",
        "| 3 | 30 | 1 | |",
        "| 4 | 41 | | |",
        "| 9 | | | 8 |",
    ];
    assert_eq!(body(&shown), expected, "{shown}");
    // The same when only a part is asked for.
    let shown = world.ask("SELECT count(*) AS n FROM '/joined'").await;
    assert_eq!(body(&shown), ["| 5 |"]);
    let shown =
        world.ask("SELECT \"C.v\" FROM '/joined' WHERE \"C.v\" IS NOT NULL ORDER BY 1").await;
    assert_eq!(body(&shown), ["| 7 |", "| 8 |"]);
    let shown = world
        .ask("SELECT \"A.v\" FROM '/joined' WHERE timestamp >= to_timestamp(2) AND timestamp < to_timestamp(4) ORDER BY timestamp")
        .await;
    assert_eq!(body(&shown), ["| 21 |", "| 30 |"]);
}

#[tokio::test]
async fn an_input_counts_within_its_range_both_ends_included() {
    let world = World::new().await;
    rows(&world, "/old", "column2 AS v", "(1, 1), (2, 2), (3, 3)").await;
    rows(&world, "/new", "column2 AS v", "(1, 11), (2, 12), (3, 13)").await;
    let config = "inputs:\n  - { pattern: /old, scope: S, range: { end: 1970-01-01T00:00:02Z } }\n  - { pattern: /new, scope: S, range: { begin: 1970-01-01T00:00:03Z } }\n";
    world.node("/j", "timeseries-join", config).await;
    assert_eq!(
        body(&world.ask("SELECT \"S.v\" FROM '/j' ORDER BY timestamp").await),
        ["| 1 |", "| 2 |", "| 13 |"]
    );
}

#[tokio::test]
async fn what_does_not_go_together_is_refused_by_name() {
    let world = World::new().await;
    rows(&world, "/a", "column2 AS v", "(1, 'x')").await;
    rows(&world, "/b", "column2 AS v", "(1, 2)").await;
    world
        .node(
            "/types",
            "timeseries-join",
            "inputs: [{ pattern: /a, scope: S }, { pattern: /b, scope: S }]\n",
        )
        .await;
    let text = refusal(&world, "/types").await;
    assert!(text.contains("column `v` is Utf8View in /a, but Int64 in /b"), "{text}");
    world.node("/gone", "timeseries-join", "inputs: [{ pattern: /nothing-*, scope: S }]\n").await;
    let text = refusal(&world, "/gone").await;
    assert!(text.contains("no table or series matches `/nothing-*`"), "{text}");
    rows(&world, "/p.q", "column2 AS \"r.s\"", "(1, 2)").await;
    rows(&world, "/p", "column2 AS \"q.r.s\"", "(1, 2)").await;
    world
        .node(
            "/names",
            "timeseries-join",
            "inputs: [{ pattern: /p.q, scope: p.q }, { pattern: /p, scope: p }]\n",
        )
        .await;
    let text = refusal(&world, "/names").await;
    assert!(text.contains("both give a column `p.q.r.s`"), "{text}");
}

#[tokio::test]
async fn units_that_differ_are_refused_until_one_is_converted() {
    let world = World::new().await;
    for (path, unit) in [("/m", "m"), ("/ft", "ft")] {
        let config = format!(
            "start: 2025-01-01T00:00:00Z\nend: 2025-01-01T01:00:00Z\ninterval: 1h\n\
             points: [{{ name: level, unit: {unit}, components: [{{ type: line, slope: 0, offset: 1 }}] }}]\n"
        );
        world.node(path, "synthetic-timeseries", &config).await;
    }
    let config = |transforms: &str| {
        format!("inputs: [{{ pattern: /m, scope: S }}, {{ pattern: /ft, scope: S{transforms} }}]\n")
    };
    world.node("/j", "timeseries-join", &config("")).await;
    let text = refusal(&world, "/j").await;
    assert!(text.contains("convert one of them"), "{text}");
    world
        .node(
            "/j",
            "timeseries-join",
            &config(", transforms: [{ convert: { columns: { level: m } } }]"),
        )
        .await;
    let shown = world.ask("SELECT max(\"S.level.m\") AS m FROM '/j'").await;
    assert_eq!(body(&shown), ["| 0.3048 |"]);
}

#[tokio::test]
async fn a_pivot_takes_the_same_columns_of_every_match() {
    let world = World::new().await;
    rows(&world, "/s-a", "column2 AS v, column3 AS w", "(1, 1, 5), (2, CAST(NULL AS BIGINT), 6)")
        .await;
    rows(&world, "/s-b", "column2 AS v", "(2, 20), (3, 30)").await;
    rows(&world, "/s-c", "column2 AS other", "(7, 7)").await;
    world.node("/pivot", "timeseries-pivot", "pattern: /s-*\ncolumns: [v]\n").await;
    let sql = "SELECT CAST(timestamp AS BIGINT) / 1000000 AS s, \"a.v\", \"b.v\" FROM '/pivot' ORDER BY s";
    let shown = world.ask(sql).await;
    assert_eq!(body(&shown), ["| 1 | 1 | |", "| 2 | | 20 |", "| 3 | | 30 |"], "{shown}");
    let (session, _) = world.session_with(None).await;
    let facts = session.facts("/pivot").await.unwrap();
    assert_eq!(facts.notes, ["`/s-c` has none of the columns"]);
    world.node("/none", "timeseries-pivot", "pattern: /s-*\ncolumns: [vv]\n").await;
    let text = refusal(&world, "/none").await;
    assert!(text.contains("there is no column `vv`"), "{text}");
    world.node("/empty", "timeseries-pivot", "pattern: /nothing-*\ncolumns: [v]\n").await;
    assert_eq!(body(&world.ask("SELECT count(*) AS n FROM '/empty'").await), ["| 0 |"]);
}

#[tokio::test]
async fn a_filter_on_the_time_reaches_every_stored_file() {
    let world = World::new().await;
    for path in ["/a.series", "/b.series"] {
        let unit = TimeUnit::Microsecond;
        let rows = data::sine(START_US, 60_000_000, 100, unit);
        world.pond.append(path, Some(data::spec(unit)), rows).await;
    }
    let config = "inputs: [{ pattern: /a.series, scope: A }, { pattern: /b.series, scope: B }]\n";
    world.node("/j", "timeseries-join", config).await;
    let after = format!("timestamp >= to_timestamp_micros({})", START_US + 90 * 60_000_000);
    let shown = world.ask(&format!("SELECT count(*) AS n FROM '/j' WHERE {after}")).await;
    assert_eq!(body(&shown), ["| 10 |"]);
    let plan = world.ask(&format!("EXPLAIN SELECT * FROM '/j' WHERE {after}")).await;
    assert!(plan.contains("InstantMergeExec"), "{plan}");
    assert_eq!(plan.matches(", predicate=").count(), 2, "{plan}");
    assert!(!plan.contains("SortExec"), "stored series are sorted already: {plan}");
}
