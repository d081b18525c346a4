//! Transforms of inputs, over synthetic series.

use query::Error;

use crate::world::World;

/// Four rows, an hour apart: 0, 1, 2, 3 feet, and a temperature.
const SERIES: &str = "\
start: 2025-01-01T00:00:00Z
end: 2025-01-01T03:00:00Z
interval: 1h
points:
  - { name: level.ft, unit: ft, components: [{ type: line, slope: 0.0002777777777777778 }] }
  - { name: Temp (C), unit: degC, components: [{ type: line, slope: 0, offset: 20 }] }
";

async fn world() -> World {
    let world = World::new().await;
    world.node("/raw", "synthetic-timeseries", SERIES).await;
    world
}

/// A view that selects `what` of the series after `transforms`.
async fn view(world: &World, transforms: &str, what: &str) {
    let config = format!(
        "patterns: {{ r: /raw }}\nquery: 'SELECT {what} FROM r'\ntransforms: {transforms}\n"
    );
    world.node("/view", "sql-derived-series", &config).await;
}

async fn failure(world: &World) -> String {
    let mut text = String::new();
    let error = world.try_ask("SELECT * FROM '/view'").await.expect_err("a refusal");
    let mut next: Option<&dyn std::error::Error> = Some(&error);
    while let Some(error) = next {
        text.push_str(&format!("{error}\n"));
        next = error.source();
    }
    assert!(matches!(error, Error::Computed { .. }), "{error:?}");
    text
}

#[tokio::test]
async fn columns_are_renamed_by_name_and_by_pattern_and_keep_their_units() {
    let world = world().await;
    let rules = "[{ rename: { rules: [\
        { type: direct, from: timestamp, to: time }, \
        { type: pattern, pattern: \"^(.*) \\\\((.*)\\\\)$\", replacement: $1.$2 }, \
        { type: direct, from: nothing, to: x, optional: true }] } }, \
        { convert: { columns: { Temp.C: degF } } }]";
    view(&world, rules, "time, \"Temp.C\"").await;
    let shown = world.ask("SELECT max(\"Temp.C\") AS f, max(time) AS t FROM '/view'").await;
    assert!(shown.contains("| 68.0 | 2025-01-01T03:00:00Z |"), "{shown}");
}

#[tokio::test]
async fn a_converted_column_has_its_unit_in_its_name_and_metadata() {
    let world = world().await;
    view(&world, "[{ convert: { columns: { \"level.*\": m } } }]", "timestamp, \"level.m\"").await;
    let shown = world.ask("SELECT max(\"level.m\") AS m FROM '/view'").await;
    assert!(shown.contains("0.9144"), "{shown}");
    let (session, _) = world.session_with(None).await;
    let schema = session.table("/view").await.unwrap().schema();
    assert_eq!(schema.field(1).metadata().get("unit").map(String::as_str), Some("m"));
}

#[tokio::test]
async fn columns_are_cast_dropped_and_kept() {
    let world = world().await;
    let steps =
        "[{ drop: { columns: [\"Temp*\"] } }, { cast: { columns: { \"level*\": int64 } } }]";
    view(&world, steps, "*").await;
    let shown = world.ask("SELECT * FROM '/view' ORDER BY timestamp DESC LIMIT 1").await;
    assert!(!shown.contains("Temp"), "{shown}");
    assert!(shown.contains("| 2025-01-01T03:00:00Z | 3        |"), "{shown}");
    view(&world, "[{ keep: { columns: [\"Temp*\"] } }]", "*").await;
    let shown = world.ask("SELECT * FROM '/view' LIMIT 1").await;
    assert!(shown.contains("timestamp") && !shown.contains("level"), "{shown}");
}

#[tokio::test]
async fn rows_before_a_floor_are_left_out() {
    let world = world().await;
    view(&world, "[{ floor: { time: 2025-01-01T01:00:00.000001Z } }]", "*").await;
    let shown = world.ask("SELECT count(*) AS n FROM '/view'").await;
    assert!(shown.contains("| 2 |"), "{shown}");
}

#[tokio::test]
async fn one_row_of_an_instant_stays() {
    let world = world().await;
    let union = "patterns: { a: /raw }\nquery: SELECT timestamp, 1 AS v FROM a UNION ALL \
                 SELECT timestamp, 2 AS v FROM a\ntime_column: timestamp\n";
    world.node("/twice", "sql-derived-series", union).await;
    for (keep, expected) in [("last", "| 4 | 8 |"), ("first", "| 4 | 4 |")] {
        let config = format!(
            "patterns: {{ r: /twice }}\nquery: SELECT * FROM r\n\
             transforms: [{{ deduplicate: {{ keep: {keep} }} }}]\n"
        );
        world.node("/once", "sql-derived-series", &config).await;
        let shown = world.ask("SELECT count(*) AS n, sum(v) AS s FROM '/once'").await;
        assert!(shown.contains(expected), "{keep}: {shown}");
    }
}

#[tokio::test]
async fn a_transform_has_a_name_and_is_used_by_it() {
    let world = world().await;
    world.node("/t", "transform", "steps: [{ keep: { columns: ['level.ft'] } }]\n").await;
    let rules = "rules: [{ type: direct, from: level.ft, to: level }]\n";
    world.node("/names", "column-rename", rules).await;
    view(&world, "[/t, /names]", "*").await;
    let shown = world.ask("SELECT max(level) AS m FROM '/view'").await;
    assert!(shown.contains("| 3.0 |"), "{shown}");
    view(&world, "[/raw]", "*").await;
    assert!(failure(&world).await.contains("neither a `transform` nor a `column-rename`"));
}

#[tokio::test]
async fn what_a_transform_names_has_to_be_there() {
    let world = world().await;
    for (transforms, expected) in [
        ("[{ drop: { columns: [levle.ft] } }]", "there is no column `levle.ft`"),
        ("[{ rename: { rules: [{ type: direct, from: a, to: b }] } }]", "there is no column `a`"),
        ("[{ convert: { columns: { level.ft: psi } } }]", "unit of length"),
        ("[{ cast: { columns: { timestamp: int64 } } }]", "there is no column `timestamp`"),
        (
            "[{ rename: { rules: [{ type: pattern, pattern: '.*', replacement: x }] } }]",
            "both give a column `x`",
        ),
    ] {
        view(&world, transforms, "*").await;
        let text = failure(&world).await;
        assert!(text.contains(expected), "{text}");
    }
}

#[tokio::test]
async fn filters_on_the_time_pass_through_to_the_formulas() {
    let world = world().await;
    view(&world, "[{ rename: { rules: [{ type: direct, from: timestamp, to: t }] } }]", "*").await;
    let plan = world
        .ask("EXPLAIN SELECT * FROM '/view' WHERE t >= '2025-01-01T01:30:00Z' AND t < '2025-01-01T03:00:00Z'")
        .await;
    assert!(plan.contains("partial_filters=[input.timestamp >="), "{plan}");
    let shown =
        world.ask("SELECT count(*) AS n FROM '/view' WHERE t > '2025-01-01T01:00:00Z'").await;
    assert!(shown.contains("| 2 |"), "{shown}");
}
