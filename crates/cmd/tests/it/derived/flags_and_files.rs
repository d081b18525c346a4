//! Flags, quantiles, files made by templates, and files read in a format.

use crate::program::{Place, json};

const ROWS: &str = "\
time,level
2025-01-01T00:00:00Z,1
2025-01-01T01:00:00Z,2
2025-01-01T02:00:00Z,99
2025-01-01T06:00:00Z,3
";

fn place() -> Place {
    let place = Place::with_pond();
    place.write("raw.csv", ROWS);
    place.run(["copy", "host+csv+series:raw.csv", "/raw.series", "--time-column", "time"]).ok();
    place
}

fn node(place: &Place, factory: &str, path: &str, config: &str) {
    place.write("config.yaml", config);
    place.run(["mknod", factory, path, "--config-path", "config.yaml", "--overwrite"]).ok();
}

#[test]
fn flags_are_columns_and_quantiles_leave_flagged_readings_out() {
    let place = place();
    let tests = "\
input: /raw.series
tests: [{ columns: [level], range: { fail: [0, 50] }, gap: { longer_than: 2h } }]
";
    node(&place, "quality", "/tested", tests);
    place.run(["cat", "/tested", "--format", "csv"]).ok().prints(
        "time,level,level.flag\n2025-01-01T00:00:00Z,1,3\n2025-01-01T01:00:00Z,2,1\n\
         2025-01-01T02:00:00Z,99,4\n2025-01-01T06:00:00Z,3,3\n",
    );
    let window = ["cat", "/tested", "--format", "csv", "--time-start", "2025-01-01T02:00:00Z"];
    let late = "time,level,level.flag\n2025-01-01T02:00:00Z,99,4\n2025-01-01T06:00:00Z,3,3\n";
    place.run(window).ok().prints(late);
    let described = place.run(["describe", "--format", "json", "/tested"]).ok();
    assert_eq!(json(described.text())[0]["factory"], "quality");

    let reduced = "\
in_pattern: /tested
out_pattern: tested
resolutions: [day]
exclude_flags: [4]
aggregations: [{ type: quantile, q: [0.5, 1] }, { type: count }]
";
    node(&place, "temporal-reduce", "/reduced", reduced);
    place
        .run(["cat", "/reduced/tested/res=day.series", "--format", "csv"])
        .ok()
        .prints("time,level.q0.5,level.q1,level.count\n2025-01-01T00:00:00Z,2.001953125,3.0,3\n");
}

#[test]
fn a_file_of_a_template_is_treated_as_any_file() {
    let place = place();
    let report = "\
input: /raw.series
rows: 2
take: last
template: |
  {{ name }}{% if more %} (last){% endif %}:{% for row in rows %} {{ row.level }}{% endfor %}
";
    node(&place, "template", "/report.txt", report);
    let text = "raw.series (last): 99 3\n";
    place.run(["cat", "/report.txt"]).ok().prints(text);
    place.run(["copy", "/report.txt", "host:report.txt"]).ok();
    assert_eq!(place.read("report.txt"), text.as_bytes());
    place.run(["list"]).ok().prints("/raw.series\n/report.txt\n");
    let each = "{ in_pattern: '/raw.*', out_pattern: $0.txt, template: '{{ rows | length }}' }";
    node(&place, "template", "/pages", each);
    place.run(["list", "/pages"]).ok().prints("/pages/series.txt\n");
    place.run(["cat", "/pages/series.txt"]).ok().prints("4");
    place.run(["copy", "-r", "/pages", "host:out/"]).ok();
    assert_eq!(place.read("out/pages/series.txt"), b"4");
}

#[test]
fn a_file_in_a_format_is_an_input_and_is_followed() {
    let place = Place::with_pond();
    place.write("raw.csv", ROWS);
    place.run(["mkdir", "/logs"]).ok();
    place.run(["copy", "host:raw.csv", "/logs/a.csv"]).ok();
    let view = "\
patterns: { logs: \"csv:///logs/*.csv\" }
query: SELECT time, level FROM logs WHERE level < 50
time_column: time
";
    node(&place, "sql-derived-series", "/view", view);
    let formats = place.path("pond/cache/formats");
    let kept = || std::fs::read_dir(&formats).unwrap().count();
    assert_eq!(kept(), 1, "what was read to declare it is kept");
    let sql = ["sql", "--format", "csv", "SELECT sum(level) AS s FROM '/view'"];
    place.run(sql).ok().prints("s\n6\n");
    let txn = place.txn().to_string();
    place.run([&["sql", "--as-of", &txn], &sql[1..]].concat()).ok().prints("s\n6\n");
    assert_eq!(kept(), 1);
    place.write("raw.csv", format!("{ROWS}2025-01-01T07:00:00Z,10\n"));
    place.run(["copy", "host:raw.csv", "/logs/a.csv"]).ok();
    place.run(sql).ok().prints("s\n16\n");
    std::fs::remove_dir_all(place.path("pond/cache")).ok();
    place.run(sql).ok().prints("s\n16\n");
    place.write("bad.csv", "time,level\n2025-01-01T00:00:00Z,1,2\n");
    place.run(["copy", "host:bad.csv", "/logs/a.csv"]).ok();
    place.run(sql).fails(6).says("/logs/a.csv").says("line 2");
}

#[test]
fn what_is_wrong_is_told_with_its_line_and_the_nearest_name() {
    let place = place();
    for (factory, config, told) in [
        ("quality", "input: /raw.series\ntest: []\n", ["config.yaml:2:", "did you mean `tests`"]),
        (
            "quality",
            "input: /raw.series\ntests:\n  - columns: [a]\n    range: { fail: [2, 1] }\n",
            ["config.yaml:4:", "the wrong way round"],
        ),
        ("template", "template: |\n  a\n  {{ b\n", ["config.yaml:2:", "line 2"]),
        ("template", "template: '{% extends \"/a\" %}'\n", ["config.yaml:1:", "no tag `extends`"]),
        (
            "sql-derived-table",
            "patterns: { a: 'cvs:///logs/a.csv' }\nquery: SELECT 1\n",
            ["config.yaml:1:", "did you mean `csv`"],
        ),
        (
            "temporal-reduce",
            "in_pattern: /a\nout_pattern: b\nresolutions: [1h]\naggregations: [{ type: quantile, q: [50] }]\n",
            ["config.yaml:4:", "outside 0 to 1"],
        ),
    ] {
        place.write("config.yaml", config);
        let ran = place.run(["mknod", factory, "/new", "--config-path", "config.yaml"]).fails(6);
        let [place, what] = told;
        ran.says(place).says(what);
    }
    node(&place, "template", "/page", "{ input: /raw.series, template: '{{ nowhere }}' }");
    place.run(["cat", "/page"]).fails(6).says("`/page` can not be computed").says("nowhere");
    for factory in ["quality", "template"] {
        place.run(["factory", "example", factory]).ok();
        place.run(["factory", "schema", factory]).ok();
    }
}
