//! `pond export` and `pond detect-overlaps`, as a user runs them.

use crate::program::{Place, json};

fn append(place: &Place, rows: &str, series: &str) {
    place.write("rows.csv", format!("time,level\n{rows}"));
    place.run(["copy", "host+csv+series:rows.csv", series, "--time-column", "time"]).ok();
}

/// A series of three days in two months.
fn place() -> Place {
    let place = Place::with_pond();
    let rows = "2025-01-30T00:00:00Z,1\n2025-01-31T00:00:00Z,2\n2025-02-01T00:00:00Z,5\n";
    append(&place, rows, "/dock.series");
    place
}

const BY_MONTH: [&str; 7] =
    ["export", "-p", "/*.series", "--dir", "out", "--temporal", "year,month"];

#[test]
fn export_says_what_it_wrote_and_writes_only_what_has_changed() {
    let place = place();
    place
        .run(BY_MONTH.iter().chain(&["--dry-run"]))
        .ok()
        .prints("/dock.series: all to be written: not exported before\n")
        .says("dry run");
    assert!(!place.path("out").exists());
    place
        .run(BY_MONTH)
        .ok()
        .prints("/dock.series: 2 files written (3 rows read): not exported before\n")
        .says("2 files written to out");
    place.run(BY_MONTH).ok().prints("/dock.series: up to date, 2 files\n");

    append(&place, "2025-02-02T00:00:00Z,9\n", "/dock.series");
    let report = place.run(BY_MONTH.iter().chain(&["--report", "json"])).ok();
    let table = &json(report.text())["tables"][0];
    assert_eq!(table["written"], serde_json::json!(["year=2025/month=02/data.parquet"]));
    assert_eq!((&table["rows_read"], &table["kept"]), (&2.into(), &1.into()));
    assert_eq!(table["dir"], "dock");

    // Read back by this program, which knows nothing of its export.
    let file = "host+parquet:out/dock/year=2025/month=02/data.parquet";
    place
        .run(["cat", file, "--sql", "SELECT sum(level) AS s FROM source", "--format", "csv"])
        .ok()
        .prints("s\n14\n");
}

#[test]
fn csv_partitions_follow_the_calendar_that_is_named() {
    let place = place();
    let zone = ["--time-zone", "America/Los_Angeles", "--format", "csv"];
    place.run(BY_MONTH.iter().chain(&zone)).ok();
    let january = String::from_utf8(place.read("out/dock/year=2025/month=01/data.csv")).unwrap();
    // The first of February in UTC is still January there.
    assert_eq!(
        january,
        "time,level\n2025-01-30T00:00:00Z,1\n2025-01-31T00:00:00Z,2\n2025-02-01T00:00:00Z,5\n"
    );
}

#[test]
fn export_refuses_what_it_can_not_do_and_says_what_to_do() {
    let place = place();
    place.write("mine/notes.txt", "mine");
    let into = |dir: &'static str| ["export", "-p", "/dock.series", "--dir", dir];
    place.run(into("mine")).fails(1).says("is no export").says("Hint: choose a directory");
    place.run(into("pond/data/out")).fails(2).says("the pond's own directory");
    assert!(!place.path("pond/data/out").exists());
    let missing = ["export", "-p", "/dokc.series", "--dir", "out"];
    place.run(missing).fails(3).says("did you mean `/dock.series`?");
    place.run(["export", "-p", "/x/*", "--dir", "out"]).fails(3).says("no table or series matches");
    place.run(["export", "-p", "/", "--dir", "out"]).fails(2).says("is no table or series");
    place.run(into("out").iter().chain(&["--temporal", "month"])).fails(2).says("year,month");
    place.run(into("out").iter().chain(&["--time-zone", "Mars"])).fails(2);
    place.run(into("out").iter().chain(&["--tiles"])).fails(2).says("has no tiles");
    let never = ["--time-start", "2025-01-02", "--time-end", "2025-01-01"];
    place.run(into("out").iter().chain(&never)).fails(2).says("later than --time-end");
    assert!(!place.path("out").exists());

    // Of two, one fails; the other is exported.
    place.write(
        "view.yaml",
        "patterns: { d: /dock.series }\nquery: SELECT level AS year, time FROM d\n",
    );
    place.run(["mknod", "sql-derived-series", "/view.series", "--config-path", "view.yaml"]).ok();
    let ran = place.run(BY_MONTH).fails(1);
    let ran = ran.says("a column `year`, which is the name of a partition too");
    ran.says("1 of 2 tables failed");
    assert!(place.path("out/dock/year=2025/month=01/data.parquet").exists());
}

#[test]
fn tiles_are_exported_for_a_page_to_read() {
    let place = place();
    let config = "in_pattern: /*.series\nout_pattern: $0\nresolutions: [day]\naggregations: [{ type: max }]\n";
    place.write("reduce.yaml", config);
    place.run(["mknod", "temporal-reduce", "/reduced", "--config-path", "reduce.yaml"]).ok();
    let tiles = ["export", "-p", "/reduced/**", "--dir", "site", "--tiles"];
    place.run(tiles).ok().says("1 file written to site");
    let index = json(std::str::from_utf8(&place.read("site/tiles.json")).unwrap());
    let series = &index["series"][0];
    assert_eq!(series["directory"], "reduced/dock/res=day");
    assert_eq!(series["columns"][1]["name"], "level.max");
    assert_eq!(
        (&series["first_ms"], &series["last_ms"]),
        (&1_738_195_200_000_i64.into(), &1_738_368_000_000_i64.into())
    );
    let file = series["tiles"][0]["file"].as_str().unwrap();
    let file = format!("host+parquet:site/reduced/dock/res=day/{file}");
    place
        .run(["cat", &file, "--format", "csv"])
        .ok()
        .prints("time,level.max\n1738195200000,1.0\n1738281600000,2.0\n1738368000000,5.0\n");
    place.run(tiles).ok().says("0 files written");
}

#[test]
fn overlaps_of_versions_are_found_and_compared() {
    let place = place();
    place.run(["detect-overlaps", "/dock.series", "--fail"]).ok().says("no versions overlap");
    // A day again, equal; a day again, corrected; a day that is new.
    let rows = "2025-01-31T00:00:00Z,2\n2025-02-01T00:00:00Z,6\n2025-02-02T00:00:00Z,7\n";
    append(&place, rows, "/dock.series");
    append(&place, "2025-03-01T00:00:00Z,1\n", "/dock.series");
    place.run(["detect-overlaps", "/*.series"]).ok().prints(
        "/dock.series: 2025-01-31T00:00:00Z to 2025-02-01T00:00:00Z is in versions 1 (3 rows), 2 (3 rows)\n",
    );
    let ran = place.run(["detect-overlaps", "/dock.series", "--compare", "--format", "json"]).ok();
    let overlap = &json(ran.text())[0];
    assert_eq!((&overlap["shared_keys"], &overlap["differing_keys"]), (&2.into(), &1.into()));
    assert_eq!(overlap["wins"], "newest");
    assert_eq!(overlap["versions"][1]["version"], 2);
    place
        .run(["detect-overlaps", "/dock.series", "--compare", "--fail"])
        .fails(1)
        .says("versions disagree about 1 key");
    place.run(["detect-overlaps", "/dock.series", "--fail"]).fails(1).says("overlap in 1 span");
    place.run(["detect-overlaps", "/nothing*"]).fails(3);
    place.run(["detect-overlaps", "/"]).fails(2).says("not a stored series");
    // What wins is what is read.
    let sql = "SELECT level FROM '/dock.series' WHERE time = '2025-02-01'";
    place.run(["sql", "--format", "csv", sql]).ok().prints("level\n6\n");
}

#[test]
fn columns_may_be_called_what_a_comparison_calls_its_own() {
    let place = Place::with_pond();
    // With two columns as key, both of which a comparison groups by.
    for value in [1, 2] {
        place.write("rows.csv", format!("time,kinds,__version\n2025-01-01T00:00:00Z,7,{value}\n"));
        let copy = ["copy", "host+csv+series:rows.csv", "/odd.series", "--time-column", "time"];
        place.run(copy.into_iter().chain(["--key", "kinds"])).ok();
    }
    let ran = place.run(["detect-overlaps", "/odd.series", "--compare", "--format", "json"]).ok();
    let overlap = &json(ran.text())[0];
    assert_eq!((&overlap["shared_keys"], &overlap["differing_keys"]), (&1.into(), &1.into()));
}

#[test]
fn many_versions_are_compared_piece_by_piece() {
    let place = Place::with_pond();
    // Each hands in four days, three of them again, and every third version
    // says something else of its first day.
    for day in 1..=24 {
        let row = |of: u32| {
            let correction = if of == day && day % 3 == 0 { 100 } else { 0 };
            format!("2025-01-{of:02}T00:00:00Z,{}\n", of + correction)
        };
        append(&place, &(day..day + 4).map(row).collect::<String>(), "/dock.series");
    }
    let ran = place.run(["detect-overlaps", "/dock.series", "--compare", "--format", "json"]).ok();
    let all = json(ran.text());
    let overlaps = all.as_array().unwrap();
    assert_eq!(overlaps.iter().map(|one| one["shared_keys"].as_u64().unwrap()).sum::<u64>(), 25);
    assert_eq!(overlaps.iter().map(|one| one["differing_keys"].as_u64().unwrap()).sum::<u64>(), 8);
}
