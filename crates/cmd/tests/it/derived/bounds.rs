//! Bounds in time bind every query, at every level: `set-temporal-bounds`.

use crate::program::{Place, json};

const ROWS: &str = "\
time,level
2025-01-01T00:00:00Z,1
2025-01-02T00:00:00Z,2
2025-01-03T00:00:00Z,3
2025-01-04T00:00:00Z,4
";

const NODES: &str = "\
version: v1
kind: mknod
metadata: { path: /view }
spec:
  factory: sql-derived-series
  config: { patterns: { r: /raw.series }, query: 'SELECT time, level FROM r' }
---
version: v1
kind: mknod
metadata: { path: /reduced }
spec:
  factory: temporal-reduce
  config:
    in_pattern: '/{raw.series,view}'
    out_pattern: $0
    resolutions: [month]
    aggregations: [{ type: sum }]
";

fn place() -> Place {
    let place = Place::with_pond();
    place.write("rows.csv", ROWS);
    place.run(["copy", "host+csv+series:rows.csv", "/raw.series", "--time-column", "time"]).ok();
    place.write("nodes.yaml", NODES);
    place.run(["apply", "-f", "nodes.yaml"]).ok();
    place
}

/// The sum of the levels of a series, and how many they are.
fn sum(place: &Place, path: &str, more: &[&str]) -> String {
    let sql = format!("SELECT count(*) AS n, sum(level) AS s FROM '{path}'");
    let mut words = vec!["sql", "--format", "csv", &sql];
    words.extend(more);
    let ran = place.run(words).ok();
    ran.text().lines().nth(1).unwrap().to_owned()
}

/// The sum of a month as a reduction has it.
fn month(place: &Place, of: &str) -> String {
    let sql = format!("SELECT \"level.sum\" AS s FROM '/reduced/{of}/res=month.series'");
    let ran = place.run(["sql", "--format", "csv", &sql]).ok();
    ran.text().lines().nth(1).unwrap_or_default().to_owned()
}

#[test]
fn bounds_of_a_stored_series_bind_every_query_at_every_level() {
    let place = place();
    assert_eq!(month(&place, "raw.series"), "10.0");
    assert_eq!(month(&place, "view"), "10.0");
    let unbounded = place.txn().to_string();
    let words =
        ["set-temporal-bounds", "/raw.series", "--start", "2025-01-02", "--end", "2025-01-03"];
    place.run(words).ok().says("temporal_bounds.start: 2025-01-02T00:00:00Z");
    assert_eq!(sum(&place, "/raw.series", &[]), "2,5");
    assert_eq!(sum(&place, "/view", &[]), "2,5");
    assert_eq!(sum(&place, "/raw.series", &["--time-start", "2025-01-03"]), "1,3");
    assert_eq!(sum(&place, "/raw.series", &["--as-of", &unbounded]), "4,10");
    // What was computed before is computed anew.
    assert_eq!(month(&place, "raw.series"), "5.0");
    assert_eq!(month(&place, "view"), "5.0");
    let bounded = "time,level\n2025-01-02T00:00:00Z,2\n2025-01-03T00:00:00Z,3\n";
    place.run(["cat", "/raw.series", "--format", "csv"]).ok().prints(bounded);
    place.run(["copy", "/raw.series", "host:out.parquet"]).ok();
    place.run(["cat", "host+parquet:out.parquet", "--format", "csv"]).ok().prints(bounded);

    let ran = place.run(["describe", "/raw.series", "--format", "json"]).ok();
    let described = &json(ran.text())[0];
    assert_eq!(described["temporal_bounds"]["start"], "2025-01-02T00:00:00Z");
    assert_eq!(
        (described["rows"].as_u64(), described["outside_bounds_rows"].as_u64()),
        (Some(2), Some(2))
    );
    assert_eq!(described["time_start"], "2025-01-02T00:00:00Z");
    assert_eq!(described["time_end"], "2025-01-03T00:00:00Z");
    assert_eq!(described["quarantined_rows"], 0);
    let ran = place.run(["describe", "/raw.series"]).ok();
    assert!(ran.text().contains("2 rows outside are left out"), "{}", ran.text());

    // More rows come in whatever the bounds are, and are seen within them.
    place.write("more.csv", "time,level\n2025-01-03T00:00:00Z,7\n2025-01-05T00:00:00Z,9\n");
    place.run(["copy", "host+csv+series:more.csv", "/raw.series", "--time-column", "time"]).ok();
    assert_eq!(sum(&place, "/raw.series", &[]), "2,9");
    assert_eq!(month(&place, "view"), "9.0");
    place.run(["set-temporal-bounds", "/raw.series", "--clear"]).ok().says("has no bounds");
    assert_eq!(sum(&place, "/raw.series", &[]), "5,23");
    assert_eq!(month(&place, "raw.series"), "23.0");
}

#[test]
fn bounds_of_a_computed_series_bind_what_is_computed_from_it() {
    let place = place();
    assert_eq!(month(&place, "view"), "10.0");
    place.run(["set-temporal-bounds", "/view", "--start", "2025-01-03"]).ok();
    assert_eq!(sum(&place, "/view", &[]), "2,7");
    assert_eq!(sum(&place, "/raw.series", &[]), "4,10");
    assert_eq!(month(&place, "view"), "7.0");
    assert_eq!(month(&place, "raw.series"), "10.0");
    let ran = place.run(["describe", "/view", "--format", "json"]).ok();
    let described = &json(ran.text())[0];
    assert_eq!(described["temporal_bounds"]["start"], "2025-01-03T00:00:00Z");
    assert_eq!(described["inputs"], serde_json::json!(["/raw.series"]));

    // Another configuration keeps them; what is not given is left as it is.
    let other = NODES.replace("SELECT time, level", "SELECT time, level + 0 AS level");
    place.write("nodes.yaml", other);
    place.run(["apply", "-f", "nodes.yaml"]).ok();
    place.run(["set-temporal-bounds", "/view", "--end", "2025-01-03"]).ok();
    assert_eq!(sum(&place, "/view", &[]), "1,3");
}

#[test]
fn bounds_are_declared_in_yaml_too() {
    let place = place();
    let declare = |bounds: &str| {
        place.write(
            "bounds.yaml",
            format!("version: v1\nkind: attributes\nmetadata: {{ path: /raw.series }}\nspec: {{ temporal_bounds: {bounds} }}\n"),
        );
        place.run(["apply", "-f", "bounds.yaml"])
    };
    declare("{ start: 2025-01-02T00:00:00Z }").ok().says("+ temporal_bounds.start: 2025-01-02");
    assert_eq!(sum(&place, "/raw.series", &[]), "3,9");
    declare("{ start: 2025-01-02T00:00:00Z }").ok().says("1 unchanged");
    // The whole is declared: what is not there is not so.
    declare("{ end: 2025-01-02T00:00:00Z }").ok();
    assert_eq!(sum(&place, "/raw.series", &[]), "2,3");
    declare("{}").ok();
    assert_eq!(sum(&place, "/raw.series", &[]), "4,10");
    declare("{ start: 2025-01-02T00:00:00Z, end: 2025-01-01T00:00:00Z }")
        .fails(6)
        .says("bounds.yaml:4:")
        .says("before the start");
}

#[test]
fn bounds_that_make_no_sense_are_refused() {
    let place = place();
    place.run_with(b"bytes", ["copy", "-", "/notes.txt"]).ok();
    let set = |path: &str, more: &[&str]| {
        let mut words = vec!["set-temporal-bounds", path];
        words.extend(more);
        place.run(words)
    };
    set("/raw.series", &[]).fails(2).says("--clear");
    set("/raw.series", &["--start", "yesterday"]).fails(2);
    set("/raw.series", &["--start", "2025-02-01", "--end", "2025-01-01"]).fails(6).says("no time");
    set("/notes.txt", &["--start", "2025-01-01"]).fails(6).says("only a series");
    set("/reduced", &["--start", "2025-01-01"]).fails(6).says("only a series");
    set("/nope", &["--start", "2025-01-01"]).fails(3);
    let child = "/reduced/view/res=month.series";
    set(child, &["--start", "2025-01-01"]).fails(1).says("is computed by `/reduced`");
}
