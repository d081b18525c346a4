//! Running computed nodes.

use crate::program::Place;

const REDUCED: &str = "\
in_pattern: /raw.series
out_pattern: raw
resolutions: [1h]
aggregations: [{ type: sum, columns: [level] }]
";

fn place() -> Place {
    let place = Place::with_pond();
    append(
        &place,
        "2025-01-01T00:00:00Z,1\n2025-01-01T00:30:00Z,2\n2025-01-01T01:00:00Z,5\n",
        "/raw.series",
    );
    node(&place, "temporal-reduce", "/reduced", REDUCED);
    place
}

fn append(place: &Place, rows: &str, series: &str) {
    place.write("rows.csv", format!("time,level\n{rows}"));
    place.run(["copy", "host+csv+series:rows.csv", series, "--time-column", "time"]).ok();
}

fn node(place: &Place, factory: &str, path: &str, config: &str) {
    place.write("config.yaml", config);
    place.run(["mknod", factory, path, "--config-path", "config.yaml"]).ok();
}

/// What `/raw.series` comes to by the hour.
fn prints(place: &Place, rows: &str) {
    let sql = "SELECT \"level.sum\" AS s FROM '/reduced/raw/res=1h.series' ORDER BY time";
    place.run(["sql", "--format", "csv", sql]).ok().prints(&format!("s\n{rows}"));
}

#[test]
fn run_of_a_reduction_makes_the_tiles_that_reading_it_then_finds() {
    let place = place();
    place.run(["run", "/reduced"]).ok().prints("").says("/reduced: /raw.series: ").says("3 rows");
    prints(&place, "3.0\n5.0\n");
    place.run(["run", "/reduced"]).ok().says("/reduced: /raw.series: up to date");

    append(&place, "2025-01-01T01:30:00Z,7\n2025-01-01T02:00:00Z,9\n", "/raw.series");
    let before = place.txn();
    place.run(["run", "/reduced"]).ok().says("buckets in");
    prints(&place, "3.0\n12.0\n9.0\n");
    place.run(["run", "/reduced"]).ok().says("up to date");
    let quiet = place.run(["run", "--quiet", "/reduced"]).ok();
    assert_eq!((quiet.text(), quiet.stderr.as_str()), ("", ""));
    assert_eq!(place.txn(), before, "a run of a reduction changes nothing in the pond");
}

#[test]
fn run_without_a_path_runs_what_is_in_system_run_and_a_failure_stops_nobody() {
    let place = place();
    place.run(["run"]).ok().says("nothing is declared in /system/run");
    place.run(["mkdir", "-p", "/system/run"]).ok();
    place.run(["run"]).ok().says("nothing is declared in /system/run");

    append(&place, "2025-01-01T00:00:00Z,1\n", "/gone.series");
    let view = "patterns: { gone: /gone.series }\nquery: SELECT time, level FROM gone\n";
    node(&place, "sql-derived-series", "/view", view);
    let broken = REDUCED.replace("/raw.series", "/view");
    node(&place, "temporal-reduce", "/system/run/10-broken", &broken);
    place.run(["ln", "-s", "/reduced", "/system/run/20-good"]).ok();
    node(&place, "sql-derived-series", "/system/run/30-view", view);
    let ran = place.run(["run"]).ok();
    let ran = ran.says("/system/run/10-broken: /view: ").says("/system/run/20-good: /raw.series: ");
    assert!(!ran.stderr.contains("30-view"), "a view is not run: {}", ran.stderr);

    place.run(["rm", "/gone.series"]).ok();
    place.run(["ln", "-s", "/nowhere", "/system/run/05-lost"]).ok();
    append(&place, "2025-01-01T03:00:00Z,7\n", "/raw.series");
    for words in [&["run"][..], &["run", "/system/run"]] {
        let ran = place.run(words).fails(1);
        ran.says("cannot run `/system/run/05-lost`")
            .says("the run of `/system/run/10-broken` failed for `/view`")
            .says("there is no table `/gone.series`")
            .says("/system/run/20-good: /raw.series: ")
            .says("2 of 3 nodes failed");
    }
    place.run(["run", "/reduced"]).ok().says("up to date");
    place
        .run(["run", "/system/run/10-broken"])
        .fails(3)
        .says("Error: the run of `/system/run/10-broken` failed for `/view`");
}

#[test]
fn what_does_nothing_when_it_is_run_is_refused_by_name() {
    let place = place();
    let view = "patterns: { raw: /raw.series }\nquery: SELECT time, level FROM raw\n";
    node(&place, "sql-derived-series", "/view", view);
    place.run(["run", "/view"]).fails(2).says("a `sql-derived-series` is computed when it is read");
    place.run(["run", "/raw.series"]).fails(2).says("`/raw.series` is a file:series");
    place.run(["run", "/none"]).fails(3).says("cannot run `/none`");
    place.run(["run", "/reduced", "now"]).fails(2).says("`now` is none of its");
    place.run(["mkdir", "/empty"]).ok();
    place.run(["run", "/empty"]).ok().says("nothing in /empty does anything");
    place.run(["run", "/empty", "now"]).fails(2).says("one node alone");
}
