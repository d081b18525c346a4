//! Tables and series: in, as rows, and out again.

use crate::program::{Place, json};

const CSV: &str = "\
Time,level,temp
2024-03-01T00:00:00,1.5,10
2024-03-01T01:00:00,1.6,11
2024-03-01T02:00:00,1.7,
";

fn with_series() -> Place {
    let place = Place::with_pond();
    place.run(["mkdir", "/sensors", "/tables"]).ok();
    place.write("dock.csv", CSV);
    place
        .run([
            "copy",
            "host+csv+series:dock.csv",
            "/sensors/dock.series",
            "--time-column",
            "Time",
            "--time-zone",
            "UTC",
        ])
        .ok()
        .says("3 rows");
    place
}

#[test]
fn csv_becomes_a_series_that_answers_sql() {
    let place = with_series();
    place
        .run([
            "cat",
            "/sensors/dock.series",
            "--sql",
            "SELECT count(*) AS n, max(level) AS m FROM source",
        ])
        .ok()
        .prints("n,m\n3,1.7\n");
    let described =
        json(place.run(["describe", "/sensors/dock.series", "--format", "json"]).ok().text());
    assert_eq!(described[0]["rows"], 3);
    assert_eq!(described[0]["series"]["time_column"], "Time");
    assert_eq!(described[0]["time_start"], "2024-03-01T00:00:00Z");
    assert_eq!(described[0]["columns"].as_array().unwrap().len(), 3);
}

#[test]
fn overlapping_snapshots_resolve_to_the_newest() {
    let place = with_series();
    place.write(
        "later.csv",
        "Time,level,temp\n2024-03-01T02:00:00,9.9,12\n2024-03-01T03:00:00,1.8,13\n",
    );
    place.run(["copy", "host+csv+series:later.csv", "/sensors/dock.series"]).ok().says("version 2");
    let rows = place
        .run(["cat", "/sensors/dock.series", "--sql", "SELECT level FROM source ORDER BY \"Time\""])
        .ok();
    rows.prints("level\n1.5\n1.6\n9.9\n1.8\n");
    place
        .run([
            "cat",
            "--version",
            "1",
            "/sensors/dock.series",
            "--sql",
            "SELECT count(*) AS n FROM source",
        ])
        .ok()
        .prints("n\n3\n");
    let diff = json(place.run(["diff", "2", "3", "--format", "json"]).ok().text());
    assert_eq!(diff[0]["path"], "/sensors/dock.series");
    assert_eq!(diff[0]["rows"]["added"], 1);
    assert_eq!(diff[0]["rows"]["changed"], 1);
    assert_eq!(diff[0]["rows"]["removed"], 0);
}

#[test]
fn several_snapshots_go_to_one_series_in_one_transaction() {
    let place = with_series();
    place.write("b.csv", "Time,level,temp\n2024-03-02T00:00:00,2,2\n");
    let before = place.txn();
    place
        .run([
            "copy",
            "host+csv+series:dock.csv",
            "host+csv+series:b.csv",
            "/sensors/new.series",
            "--time-column",
            "Time",
            "--time-zone",
            "UTC",
        ])
        .ok();
    assert_eq!(place.txn(), before + 1);
    place
        .run(["cat", "/sensors/new.series", "--sql", "SELECT count(*) AS n FROM source"])
        .ok()
        .prints("n\n4\n");
}

#[test]
fn a_window_of_time_is_a_window_of_rows() {
    let place = with_series();
    place
        .run([
            "cat",
            "/sensors/dock.series",
            "--time-start",
            "2024-03-01T01:00",
            "--time-end",
            "2024-03-01T01:30",
            "--format",
            "ndjson",
        ])
        .ok()
        .prints("{\"Time\":\"2024-03-01T01:00:00Z\",\"level\":1.6,\"temp\":11}\n");
    place
        .run([
            "cat",
            "/sensors/dock.series",
            "--time-start",
            "2025-01-01",
            "--time-end",
            "2024-01-01",
        ])
        .fails(2);
}

#[test]
fn rows_are_printed_in_every_format() {
    let place = with_series();
    let run = |format: &str| place.run(["cat", "/sensors/dock.series", "--format", format]).ok();
    assert_eq!(run("csv").text().lines().next(), Some("Time,level,temp"));
    assert_eq!(run("csv").text().lines().last(), Some("2024-03-01T02:00:00Z,1.7,"));
    assert_eq!(json(run("json").text()).as_array().unwrap().len(), 3);
    assert_eq!(run("ndjson").text().lines().count(), 3);
    assert!(run("table").text().ends_with("(3 rows)\n"));
    assert_eq!(&run("parquet").stdout[..4], b"PAR1");
    assert_eq!(&run("raw").stdout[..4], b"PAR1");
    assert_eq!(&run("arrow").stdout[..4], [0xff; 4]);
    place.run(["cat", "/sensors/dock.series", "--format", "xml"]).fails(2);
}

#[test]
fn parquet_comes_back_byte_for_byte() {
    let place = with_series();
    let parquet = place.run(["cat", "/sensors/dock.series", "--format", "parquet"]).ok();
    place.write("x.parquet", &parquet.stdout);
    place.run(["copy", "host+series:x.parquet", "/sensors/x.series"]).ok();
    place.run(["copy", "host+parquet+table:x.parquet", "/tables/x.table"]).ok();
    place.run(["copy", "/tables/x.table", "host:table.parquet"]).ok();
    assert_eq!(place.read("table.parquet"), parquet.stdout);
    place.run(["copy", "--version", "1", "/sensors/x.series", "host:v1.parquet"]).ok();
    assert_eq!(place.read("v1.parquet"), parquet.stdout);
    place.run(["copy", "/sensors/x.series", "host:all.parquet"]).ok();
    place
        .run(["cat", "host+parquet:all.parquet", "--sql", "SELECT count(*) AS n FROM source"])
        .ok()
        .prints("n\n3\n");
}

#[test]
fn rows_go_out_as_another_format() {
    let place = with_series();
    place.run(["copy", "/sensors/dock.series", "host+csv:out.csv"]).ok().says("3 rows");
    let text = String::from_utf8(place.read("out.csv")).unwrap();
    assert_eq!(text.lines().count(), 4);
    place.run(["copy", "/sensors/dock.series", "host+csv+gzip:out.csv.gz"]).fails(2);
    place.run(["copy", "/sensors/dock.series", "host+weblog:out.log"]).fails(2);
}

#[test]
fn files_get_their_tables_name_in_a_directory() {
    let place = with_series();
    place.run(["copy", "host+csv+table:dock.csv", "/tables"]).ok();
    place.run(["list", "/tables"]).ok().prints("/tables/dock.table\n");
    place
        .run(["copy", "host+csv:dock.csv", "/tables"])
        .fails(2)
        .says("+table:dock.csv")
        .says("+series:dock.csv");
}

#[test]
fn types_of_entries_are_kept() {
    let place = with_series();
    place.run(["copy", "host:dock.csv", "/sensors/dock.series"]).fails(1).says("file:series");
    place.run(["copy", "host+csv+table:dock.csv", "/sensors/dock.series"]).fails(1);
    place.run(["mv", "/sensors/dock.series", "/tables/moved"]).ok();
    let list = json(place.run(["list", "/tables", "--format", "json"]).ok().text());
    assert_eq!(list[0]["type"], "file:series");
    assert_eq!(list[0]["rows"], 3);
}

#[test]
fn malformed_rows_are_refused_by_line_or_skipped_and_counted() {
    let place = Place::with_pond();
    place
        .write("bad.csv", "Time,level\n2024-03-01T00:00:00,1\nnonsense,2\n2024-03-01T02:00:00,3\n");
    let args =
        ["copy", "host+csv+series:bad.csv", "/s", "--time-column", "Time", "--time-zone", "UTC"];
    place.run(args).fails(6).says("line 3");
    place.run(["list"]).ok().prints("");
    place
        .run(args.into_iter().chain(["--on-error", "skip"]))
        .ok()
        .says("1 malformed row skipped")
        .says("line 3");
    place.run(["cat", "/s", "--sql", "SELECT count(*) AS n FROM source"]).ok().prints("n\n2\n");
}

#[test]
fn a_new_series_needs_its_time_column() {
    let place = Place::with_pond();
    place.write("n.csv", "a,b\n1,2\n");
    place.run(["copy", "host+csv+series:n.csv", "/n"]).fails(2).says("--time-column");
    place.run(["copy", "host+csv+series:n.csv", "/n", "--time-column", "aa"]).fails(6).says("aa");
    place.run(["list"]).ok().prints("");
}

#[test]
fn rows_before_the_floor_are_left_out_and_counted() {
    let place = Place::with_pond();
    place.write("f.csv", "t,v\n1970-01-01T00:02:00Z,1\n2024-01-01T00:00:00Z,2\n");
    place.run(["copy", "host+csv+series:f.csv", "/f", "--time-column", "t"]).ok();
    place.run(["cat", "/f", "--sql", "SELECT v FROM source"]).ok().prints("v\n2\n");
    let described = json(place.run(["describe", "/f", "--format", "json"]).ok().text());
    assert_eq!(described[0]["quarantined_rows"], 1);
    place
        .run(["copy", "host+csv+series:f.csv", "/all", "--time-column", "t", "--floor", "none"])
        .ok();
    place.run(["cat", "/all", "--sql", "SELECT count(*) AS n FROM source"]).ok().prints("n\n2\n");
}

#[test]
fn a_chart_is_drawn_and_written() {
    let place = with_series();
    let drawn =
        place.run(["plot", "/sensors/dock.series", "--column", "level", "--width", "60"]).ok();
    assert!(drawn.text().lines().count() > 5, "{}", drawn.text());
    place.run(["plot", "/sensors/dock.series", "--svg", "c.svg"]).ok();
    assert!(place.read("c.svg").starts_with(b"<svg"));
    place.run(["plot", "/sensors/dock.series", "--column", "levl"]).fails(6).says("level");
    place.run(["plot", "/sensors/dock.series", "--zone", "Mars/Olympus"]).fails(2);
    place.run(["plot", "/sensors/nope"]).fails(3);
}

#[test]
fn a_text_among_the_numbers_of_a_series_is_refused_by_line_and_column() {
    let place = with_series();
    place.write(
        "odd.csv",
        "Time,level,temp\n2024-03-02T00:00:00,1.5,1\n2024-03-02T01:00:00,high,2\n",
    );
    place
        .run(["copy", "host+csv+series:odd.csv", "/sensors/dock.series"])
        .fails(6)
        .says("line 3, column `level`: `high` is not a number");
    place
        .run(["copy", "host+csv+series:odd.csv", "/sensors/dock.series", "--on-error", "skip"])
        .ok()
        .says("1 malformed row skipped")
        .says("version 2, 1 row");
}

#[test]
fn rows_before_the_floor_are_counted_when_they_come_and_not_shown() {
    let place = with_series();
    place.write("clock.csv", "Time,level,temp\n1970-01-01T00:02:00,1,1\n2024-03-01T05:00:00,2,2\n");
    place
        .run(["copy", "host+csv+series:clock.csv", "/sensors/dock.series"])
        .ok()
        .says("1 row before the floor");
    let described =
        json(place.run(["describe", "/sensors/dock.series", "--format", "json"]).ok().text());
    assert_eq!(described[0]["rows"], 4);
    assert_eq!(described[0]["quarantined_rows"], 1);
    assert_eq!(described[0]["time_start"], "2024-03-01T00:00:00Z");
}

/// A pond whose one large file, of a series, has a flipped bit.
fn with_damaged_series() -> Place {
    let place = Place::with_pond();
    let mut csv = String::from("time,value\n");
    for row in 0..60_000u32 {
        let (hour, minute, second) = (row / 3600, row / 60 % 60, row % 60);
        let value = row.wrapping_mul(2_654_435_761);
        csv.push_str(&format!("2024-03-01T{hour:02}:{minute:02}:{second:02}Z,{value}\n"));
    }
    place.write("long.csv", csv);
    place.run(["copy", "host+csv+series:long.csv", "/long.series", "--time-column", "time"]).ok();
    let described = json(place.run(["describe", "/long.series", "--format", "json"]).ok().text());
    let file = described[0]["place"].as_str().unwrap().to_owned();
    let mut bytes = std::fs::read(&file).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 4;
    std::fs::write(&file, bytes).unwrap();
    place
}

#[test]
fn damaged_rows_are_never_given_out_as_good() {
    let place = with_damaged_series();
    place.run(["cat", "/long.series"]).fails(4).says("version 1 of `/long.series`").prints("");
    place.run(["cat", "/long.series", "--format", "raw"]).fails(4);
    place.run(["copy", "/long.series", "host:out.parquet"]).fails(4);
    assert!(!place.path("out.parquet").exists());
    let sum = "SELECT sum(value) FROM '/long.series'";
    place.run(["sql", "--verify-reads", sum]).fails(4).prints("");
    place.run(["fsck"]).fails(4);
}
