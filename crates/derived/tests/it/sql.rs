//! Queries as tables and as series.

use query::{Error, Locality};

use crate::world::World;

const RAW: &str = "\
start: 2025-01-01T00:00:00Z
end: 2025-01-01T23:00:00Z
interval: 1h
points:
  - { name: level, unit: m, components: [{ type: line, slope: 0.0002777777777777778 }] }
";

async fn world() -> World {
    let world = World::new().await;
    world.node("/raw", "synthetic-timeseries", RAW).await;
    world
}

/// What stands in the chain of causes.
fn told(error: &Error) -> String {
    let mut text = String::new();
    let mut next: Option<&dyn std::error::Error> = Some(error);
    while let Some(error) = next {
        text.push_str(&format!("{error}\n"));
        next = error.source();
    }
    text
}

#[tokio::test]
async fn views_stand_on_views_and_keep_units() {
    let world = world().await;
    world
        .node(
            "/high",
            "sql-derived-series",
            "patterns: { r: /raw }\nquery: SELECT * FROM r WHERE level > 20\n",
        )
        .await;
    world
        .node(
            "/sum",
            "sql-derived-table",
            "patterns: { h: /high }\nquery: SELECT count(*) AS n, max(level) AS top FROM h\n",
        )
        .await;
    let shown = world.ask("SELECT n, round(top) AS top FROM '/sum'").await;
    assert!(shown.contains("| 3 | 23.0 |"), "{shown}");
    let (session, _) = world.session_with(None).await;
    let table = session.inputs().table("/high").await.unwrap();
    assert_eq!(table.time_column.as_deref(), Some("timestamp"));
    let schema = table.provider.schema();
    assert_eq!(schema.field_with_name("level").unwrap().metadata()["unit"], "m");
    let facts = session.facts("/high").await.unwrap();
    assert_eq!(facts.computed.unwrap().inputs, ["/raw"]);
    assert_eq!(facts.rows, None);
}

#[tokio::test]
async fn a_glob_unites_computed_members_and_says_where_rows_come_from() {
    let world = world().await;
    for (name, level) in [("a", "level"), ("b", "CAST(level AS BIGINT) AS other")] {
        let config = format!("patterns: {{ r: /raw }}\nquery: SELECT timestamp, {level} FROM r\n");
        world.node(&format!("/views-{name}"), "sql-derived-series", &config).await;
    }
    let sql = "SELECT _path, count(level) AS l, count(other) AS o FROM '/views-*' GROUP BY _path ORDER BY _path";
    let shown = world.ask(sql).await;
    assert!(shown.contains("| /views-a | 24 | 0  |"), "{shown}");
    assert!(shown.contains("| /views-b | 0  | 24 |"), "{shown}");
}

#[tokio::test]
async fn a_query_over_itself_names_the_circle() {
    let world = world().await;
    world.node("/a", "sql-derived-table", "patterns: { x: /b }\nquery: SELECT * FROM x\n").await;
    world
        .node("/b", "sql-derived-table", "patterns: { x: \"/c*\" }\nquery: SELECT * FROM x\n")
        .await;
    world.node("/c", "sql-derived-table", "patterns: { x: /a }\nquery: SELECT * FROM x\n").await;
    let error = world.try_ask("SELECT * FROM '/a'").await.unwrap_err();
    let Error::Cycle { names } = &error else { panic!("{error:?}") };
    assert_eq!(names, &["/a", "/b", "/c", "/a"]);
}

#[tokio::test]
async fn errors_name_the_innermost_node_and_the_cause() {
    let world = world().await;
    world
        .node("/inner", "sql-derived-table", "patterns: { r: /gone }\nquery: SELECT * FROM r\n")
        .await;
    world
        .node("/outer", "sql-derived-table", "patterns: { i: /inner }\nquery: SELECT * FROM i\n")
        .await;
    let text = told(&world.try_ask("SELECT * FROM '/outer'").await.unwrap_err());
    assert!(text.starts_with("`/inner` can not be computed\n"), "{text}");
    assert!(text.contains("there is no table `/gone`"), "{text}");

    world
        .node("/wrong", "sql-derived-table", "patterns: { r: /raw }\nquery: SELECT levle FROM r\n")
        .await;
    let text = told(&world.try_ask("SELECT * FROM '/wrong'").await.unwrap_err());
    assert!(text.contains("there is no column `levle`"), "{text}");
    world
        .node("/names", "sql-derived-table", "patterns: { r: /raw }\nquery: SELECT * FROM '/raw'\n")
        .await;
    let text = told(&world.try_ask("SELECT * FROM '/names'").await.unwrap_err());
    assert!(text.contains("there is no table `/raw`"), "only the names given are known: {text}");
}

#[tokio::test]
async fn a_series_needs_a_time_column_and_says_which_there_are() {
    let world = world().await;
    let config = "patterns: { r: /raw }\nquery: SELECT timestamp AS at, level FROM r\n";
    world.node("/v", "sql-derived-series", config).await;
    let text = told(&world.try_ask("SELECT * FROM '/v'").await.unwrap_err());
    assert!(text.contains("which column holds the times is not known"), "{text}");
    world.node("/v", "sql-derived-series", &format!("{config}time_column: at\n")).await;
    let shown = world.ask("SELECT count(*) AS n FROM '/v'").await;
    assert!(shown.contains("| 24 |"), "{shown}");
}

#[tokio::test]
async fn only_what_looks_at_one_row_at_a_time_changes_where_its_input_does() {
    let world = world().await;
    for (query, same) in [
        ("SELECT timestamp, level * 2 AS l FROM r WHERE level > 3", true),
        ("SELECT t AS timestamp, l FROM (SELECT timestamp AS t, abs(level) AS l FROM r)", true),
        ("SELECT timestamp, level FROM r UNION ALL SELECT timestamp, -level FROM r", true),
        ("SELECT timestamp, avg(level) OVER (ORDER BY timestamp) AS l FROM r", false),
        ("SELECT max(timestamp) AS timestamp, avg(level) AS l FROM r", false),
        ("SELECT timestamp + INTERVAL '1' HOUR AS timestamp, level FROM r", false),
        ("SELECT timestamp, level FROM r LIMIT 5", false),
        ("SELECT timestamp, level FROM r WHERE timestamp < now()", false),
        ("SELECT timestamp, level FROM r WHERE level > (SELECT avg(level) FROM r)", false),
    ] {
        let config = format!("patterns: {{ r: /raw }}\nquery: \"{query}\"\n");
        world.node("/v", "sql-derived-series", &config).await;
        let (session, _) = world.session_with(None).await;
        let table = session.inputs().table("/v").await.unwrap();
        let query::Lineage::Computed { locality, .. } = table.lineage.as_ref() else {
            panic!("{:?}", table.lineage)
        };
        assert_eq!(*locality == Locality::Same, same, "{query}");
    }
}
