//! Declaring a pond in YAML: `apply`, `mknod`, `factory`.

use crate::program::{Place, json};

/// Two synthetic sites, a view over both, and a directory of computed nodes.
const POND: &str = r#"
version: v1
kind: mkdir
metadata: { path: /raw }
---
version: v1
kind: mknod
metadata: { path: /raw/north }
spec:
  factory: synthetic-timeseries
  config:
    start: 2025-01-01T00:00:00Z
    end: 2025-01-02T00:00:00Z
    interval: 1h
    points:
      - { name: temperature, unit: degC, components: [{ type: sine, amplitude: 4, period: 24h, offset: "{{ base }}" }] }
      - { name: level, unit: ft, components: [{ type: line, offset: 10, slope: 0 }] }
---
version: v1
kind: mknod
metadata: { path: /views/warm }
spec:
  factory: sql-derived-series
  config:
    patterns: { readings: /raw/north }
    query: SELECT timestamp, temperature FROM readings WHERE temperature > 17
---
version: v1
kind: mknod
metadata: { path: /all }
spec:
  factory: dynamic-dir
  config:
    entries:
      - name: metric
        factory: sql-derived-series
        config:
          patterns: { r: /raw/north }
          query: SELECT timestamp, level FROM r
          transforms: [{ convert: { columns: { level: m } } }]
"#;

fn with(pond: &str) -> Place {
    let place = Place::with_pond();
    place.write("pond.yaml", pond);
    place
}

fn count(place: &Place, table: &str) -> String {
    let sql = format!("SELECT count(*) AS n FROM '{table}'");
    let ran = place.run(["sql", "--format", "csv", &sql]).ok();
    ran.text().lines().nth(1).unwrap_or_default().to_owned()
}

#[test]
fn a_declared_pond_is_there_and_declaring_it_again_changes_nothing() {
    let place = with(POND);
    place
        .run(["apply", "-f", "pond.yaml", "-v", "base=14"])
        .ok()
        .says("+ /raw (directory)")
        .says("+ /raw/north (synthetic-timeseries)")
        .says("+ /views (directory)")
        .says("5 created, 0 updated, 0 unchanged");
    assert_eq!(place.txn(), 1);
    assert_eq!(count(&place, "/raw/north"), "25");
    assert_eq!(count(&place, "/views/warm"), "5");
    let metres =
        place.run(["sql", "--format", "csv", "SELECT max(level) AS m FROM '/all/metric'"]).ok();
    metres.prints("m\n3.048\n");
    place
        .run(["apply", "-f", "pond.yaml", "-v", "base=14"])
        .ok()
        .says("0 created, 0 updated, 4 unchanged");
    assert_eq!(place.txn(), 1);
}

#[test]
fn what_is_declared_differently_is_updated_and_shown_line_by_line() {
    let place = with(POND);
    place.run(["apply", "-f", "pond.yaml", "-v", "base=14"]).ok();
    let dry = place.run(["apply", "-f", "pond.yaml", "-v", "base=15", "--dry-run"]).ok();
    let dry = dry.says("~ /raw/north (synthetic-timeseries)").says("dry run: 0 created, 1 updated");
    dry.says("-           \"offset\": \"14\",").says("+           \"offset\": \"15\",");
    assert_eq!(place.txn(), 1);
    place.run(["apply", "-f", "pond.yaml", "-v", "base=15"]).ok().says("1 updated, 3 unchanged");
    assert_eq!(place.txn(), 2);
    assert_eq!(count(&place, "/views/warm"), "7");
    let shown = place.run(["sql", "--as-of", "1", "SELECT count(*) AS n FROM '/views/warm'"]).ok();
    assert!(shown.text().contains('5'), "{}", shown.text());
}

#[test]
fn everything_that_is_wrong_is_told_with_its_place_and_nothing_is_changed() {
    let place = with(POND);
    place.write(
        "bad.yaml",
        "version: v1\nkind: mkdir\nmetadata: { path: /new }\n---\nversion: v1\nkind: mknod\n\
         metadata: { path: /x }\nspec:\n  factory: sql-derived-serie\n---\nversion: v1\nkind: mknod\n\
         metadata: { path: /y }\nspec:\n  factory: sql-derived-table\n  config:\n    patern: { r: /raw }\n    query: SELECT 1\n",
    );
    let ran = place.run(["apply", "-f", "pond.yaml", "-f", "bad.yaml"]).fails(6);
    let ran = ran.says("2 files can not be applied").says("3 errors");
    let ran = ran.says("pond.yaml:16:104: ").says("the variable `base` is not given");
    let ran = ran.says("bad.yaml:9:12: spec.factory: there is no factory `sql-derived-serie`");
    let ran = ran.says("(did you mean `sql-derived-series`?)");
    ran.says("bad.yaml:17:5: patern: there is no such field (did you mean `patterns`?)");
    assert_eq!(place.txn(), 0);
    place.run(["list", "/"]).ok().prints("");
}

#[test]
fn one_error_has_its_nearest_name_as_a_hint() {
    let place = with("version: v1\nkind: mkdirs\nmetadata: { path: /a }\n");
    let ran = place.run(["apply", "-f", "pond.yaml"]).fails(6);
    let ran = ran.says("Error: pond.yaml can not be applied");
    ran.says("Caused by: pond.yaml:2:7: kind: `mkdirs` is none of mkdir, mknod")
        .says("Hint: did you mean `mkdir`?");
}

#[test]
fn a_node_that_could_never_be_computed_fails_the_whole() {
    let place = Place::with_pond();
    let view = |path: &str, of: &str, column: &str| {
        format!(
            "version: v1\nkind: mknod\nmetadata: {{ path: {path} }}\nspec:\n  factory: sql-derived-table\n  \
             config:\n    patterns: {{ r: {of} }}\n    query: SELECT {column} FROM r\n---\n"
        )
    };
    place.write("circle.yaml", view("/a", "/b", "x") + &view("/b", "/a", "x"));
    place.run(["apply", "-f", "circle.yaml"]).fails(6).says("/a").says("/b");
    place.write("pond.yaml", POND);
    place.write("column.yaml", view("/c", "/raw/north", "temprature"));
    let ran = place.run(["apply", "-f", "pond.yaml", "-f", "column.yaml", "-v", "base=1"]);
    ran.fails(6).says("column.yaml:3:").says("temprature");
    assert_eq!(place.txn(), 0);
}

#[test]
fn an_input_that_is_not_there_yet_is_only_told() {
    let place = with(
        "version: v1\nkind: mknod\nmetadata: { path: /later }\nspec:\n  factory: sql-derived-table\n  \
         config:\n    patterns: { r: /collected/*.series }\n    query: SELECT * FROM r\n",
    );
    let ran = place.run(["apply", "-f", "pond.yaml"]).ok();
    ran.says("note: /later: ").says("1 created");
    place.run(["cat", "/later"]).fails(3);
}

#[test]
fn stored_data_is_never_replaced_by_a_computed_node() {
    let place = with(POND);
    place.write("data", "bytes");
    place.run(["mkdir", "/raw"]).ok();
    place.run(["copy", "host:data", "/raw/north"]).ok();
    let ran = place.run(["apply", "-f", "pond.yaml", "-v", "base=1"]).fails(6);
    ran.says("`/raw/north` is to be computed, and is a file:data that is stored");
    place.run(["cat", "/raw/north"]).ok().prints("bytes");
}

#[test]
fn a_path_is_declared_once() {
    let twice = "version: v1\nkind: mkdir\nmetadata: { path: /a }\n---\n\
                 version: v1\nkind: mkdir\nmetadata: { path: /b/../a }\n";
    let place = with(twice);
    let ran = place.run(["apply", "-f", "pond.yaml"]).fails(6);
    ran.says("pond.yaml:7:19: metadata.path: `/a` is declared already, at pond.yaml:3:19");
}

#[test]
fn documents_come_from_stdin_and_from_directories() {
    let place = Place::with_pond();
    let document = |path: &str| format!("version: v1\nkind: mkdir\nmetadata: {{ path: {path} }}\n");
    place.run_with(document("/a").as_bytes(), ["apply", "-f", "-"]).ok().says("1 created");
    place.write("sites/b.yaml", document("/b"));
    place.write("sites/c.yaml", document("/c"));
    place.write("sites/notes.txt", "no YAML: [");
    place.run(["apply", "-f", "sites"]).ok().says("2 created");
    place.run(["list", "/"]).ok().prints("/a/\n/b/\n/c/\n");
}

#[test]
fn mknod_makes_one_node_and_replaces_it_only_when_told() {
    let place = with(POND);
    place.run(["apply", "-f", "pond.yaml", "-v", "base=14"]).ok();
    place.write("v.yaml", "patterns: { r: /raw/north }\nquery: SELECT {{ what }} AS x FROM r\n");
    let make = |what: &str, more: &[&str]| {
        let mut words = vec!["mknod", "sql-derived-table", "/v", "--config-path", "v.yaml"];
        words.extend(["-v", what]);
        words.extend(more);
        place.run(words)
    };
    make("what=count(*)", &[]).ok().says("+ /v (sql-derived-table)");
    make("what=1", &[]).fails(6).says("`/v` exists");
    make("what=count(*)", &["--overwrite"]).ok().says("/v is so already");
    make("what=max(level)", &["--overwrite"]).ok().says("~ /v (sql-derived-table)");
    place.run(["cat", "/v", "--format", "csv"]).ok().prints("x\n10.0\n");
    make("what=max(levle)", &["--overwrite"]).fails(6).says("levle");
    place.run(["mknod", "nothing", "/w", "--config-path", "v.yaml"]).fails(6);
}

#[test]
fn every_factory_shows_an_example_that_it_accepts_and_a_schema() {
    let place = Place::with_pond();
    let list = place.run(["factory", "list", "--format", "ndjson"]).ok();
    for row in list.text().lines() {
        let name = json(row)["factory"].as_str().unwrap().to_owned();
        let example = place.run(["factory", "example", &name]).ok();
        place.write("example.yaml", example.text());
        let path = format!("/{name}");
        place.run(["mknod", &name, &path, "--config-path", "example.yaml"]).ok();
        let schema = place.run(["factory", "schema", &name]).ok();
        let schema = json(schema.text());
        assert_eq!(schema["title"], name.as_str());
        assert!(schema["properties"].is_object(), "{schema}");
    }
    place.run(["factory", "schema", "sql-derived-serie"]).fails(3).says("sql-derived-series");
}

#[test]
fn a_bomb_and_a_template_that_reaches_out_are_refused() {
    let place = Place::with_pond();
    let mut bomb = String::from("a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n");
    for level in 1..9 {
        let below = vec![format!("*a{}", level - 1); 10].join(", ");
        bomb.push_str(&format!("a{level}: &a{level} [{below}]\n"));
    }
    place.write("bomb.yaml", bomb);
    place.run(["apply", "-f", "bomb.yaml"]).fails(6).says("bomb.yaml:");
    for text in [
        "{% include \"/etc/passwd\" %}{{ x }}",
        "{{ __tera_context }}",
        "{{ get_env(name=\"HOME\") }}",
    ] {
        let document = format!("version: v1\nkind: mkdir\nmetadata:\n  path: '/{text}'\n");
        place.write("t.yaml", document);
        place.run(["apply", "-f", "t.yaml", "-v", "x=1"]).fails(6).says("t.yaml:4:9");
    }
    place.write("large.yaml", "x".repeat(2 << 20));
    place.run(["apply", "-f", "large.yaml"]).fails(6).says("larger than 1 MiB");
    assert_eq!(place.txn(), 0);
}
