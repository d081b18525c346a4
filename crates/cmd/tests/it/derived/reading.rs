//! Reading computed nodes: as rows, as bytes, as part of the tree.

use crate::program::{Place, json};

const ROWS: &str = "\
time,level
2025-01-01T00:00:00Z,1
2025-01-01T01:00:00Z,2
2025-01-01T02:00:00Z,5
";

const VIEW: &str = "\
patterns: { readings: /raw.series }
query: SELECT time, level * 2 AS twice FROM readings WHERE level > 1
";

const DIR: &str = "\
entries:
  - name: joined.series
    factory: timeseries-join
    config: { inputs: [{ pattern: /raw.series, scope: Raw }, { pattern: /view, scope: View }] }
  - name: pivot.series
    factory: timeseries-pivot
    config: { pattern: \"/*.series\", columns: [level] }
";

fn place() -> Place {
    let place = Place::with_pond();
    place.write("raw.csv", ROWS);
    place.run(["copy", "host+csv+series:raw.csv", "/raw.series", "--time-column", "time"]).ok();
    node(&place, "sql-derived-series", "/view", VIEW);
    node(&place, "dynamic-dir", "/dir", DIR);
    place
}

fn node(place: &Place, factory: &str, path: &str, config: &str) {
    place.write("config.yaml", config);
    place.run(["mknod", factory, path, "--config-path", "config.yaml", "--overwrite"]).ok();
}

#[test]
fn a_view_is_read_like_what_is_stored_and_follows_its_input() {
    let place = place();
    let rows = "time,twice\n2025-01-01T01:00:00Z,4\n2025-01-01T02:00:00Z,10\n";
    place.run(["cat", "/view", "--format", "csv"]).ok().prints(rows);
    place.run(["copy", "/view", "host:view.parquet"]).ok();
    place.run(["cat", "host+parquet:view.parquet", "--format", "csv"]).ok().prints(rows);
    let late = "time,twice\n2025-01-01T02:00:00Z,10\n";
    let window = ["cat", "/view", "--format", "csv", "--time-start", "2025-01-01T01:00:01Z"];
    place.run(window).ok().prints(late);

    place.write("more.csv", "time,level\n2025-01-01T02:00:00Z,6\n2025-01-01T03:00:00Z,7\n");
    place.run(["copy", "host+csv+series:more.csv", "/raw.series", "--time-column", "time"]).ok();
    let sql = "SELECT twice FROM '/view' ORDER BY time";
    place.run(["sql", "--format", "csv", sql]).ok().prints("twice\n4\n12\n14\n");
    let then = ["sql", "--format", "csv", "--as-of", "2", sql];
    place.run(then).ok().prints("twice\n4\n10\n");
}

#[test]
fn a_computed_directory_is_part_of_the_tree() {
    let place = place();
    place
        .run(["list", "-R", "/"])
        .ok()
        .prints("/dir/\n/dir/joined.series\n/dir/pivot.series\n/raw.series\n/view\n");
    place.run(["cat", "/dir/joined.series", "--format", "csv"]).ok().prints(
        "timestamp,Raw.level,View.twice\n2025-01-01T00:00:00Z,1,\n2025-01-01T01:00:00Z,2,4\n2025-01-01T02:00:00Z,5,10\n",
    );
    place.run(["copy", "-r", "/dir", "host:out/"]).ok();
    let sql = "SELECT count(*) AS n FROM source";
    let copied = ["cat", "host+parquet:out/dir/pivot.series", "--format", "csv", "--sql", sql];
    place.run(copied).ok().prints("n\n3\n");
    let ran = place.run(["describe", "--format", "json", "/dir/joined.series"]).ok();
    let described = &json(ran.text())[0];
    assert_eq!(described["factory"], "timeseries-join");
    assert_eq!(described["inputs"], serde_json::json!(["/raw.series", "/view"]));
    assert_eq!(described["time_column"], "timestamp");
    assert!(described.get("rows").is_none(), "rows are not counted: {described}");
    place.run(["mkdir", "/dir/new"]).fails(1).says("takes no writes");
}

#[test]
fn the_configuration_of_a_computed_node_is_shown_by_version() {
    let place = place();
    node(&place, "sql-derived-series", "/view", &VIEW.replace("* 2", "* 3"));
    let newest = place.run(["cat", "--config", "/view"]).ok();
    assert!(newest.text().contains("level * 3"), "{}", newest.text());
    let first = place.run(["cat", "--version", "1", "/view"]).ok();
    assert!(first.text().contains("level * 2"), "{}", first.text());
    place.run(["cat", "--config", "/raw.series"]).fails(2).says("not computed");
    place.run(["cat", "--config", "/dir"]).ok().says("");
}

#[test]
fn what_is_wrong_with_an_input_is_told_of_the_node_that_names_it() {
    let place = place();
    node(&place, "sql-derived-table", "/outer", "patterns: { v: /view }\nquery: SELECT * FROM v\n");
    place.run(["rm", "/raw.series"]).ok();
    place
        .run(["cat", "/outer"])
        .fails(3)
        .says("`/view` can not be computed")
        .says("there is no table `/raw.series`");
    place.run(["copy", "/view", "/copied"]).fails(1).says("is computed");
}
