//! Inboxes: files of a host directory, taken into the pond by `pond run`.

use std::fs::{self, File};
use std::time::Duration;

use crate::program::Place;

/// An inbox over `in/`, declared with the rest of its configuration.
fn inbox(place: &Place, config: &str) {
    let pattern = place.path("in");
    fs::create_dir_all(&pattern).unwrap();
    declare(place, &format!("pattern: {}/{config}", pattern.display()));
}

fn declare(place: &Place, config: &str) {
    place.write("inbox.yaml", config);
    place.run(["mknod", "inbox", "/inbox", "--config-path", "inbox.yaml", "--overwrite"]).ok();
}

/// Writes a file whose last writing was `age_s` seconds ago.
fn drop_in(place: &Place, name: &str, text: &str, age_s: u64) {
    let path = place.write(name, text);
    let file = File::options().write(true).open(path).unwrap();
    let now = file.metadata().unwrap().modified().unwrap();
    file.set_modified(now - Duration::from_secs(age_s)).unwrap();
}

fn sql(place: &Place, sql: &str) -> String {
    let ran = place.run(["sql", "--format", "csv", sql]).ok();
    ran.text().lines().skip(1).map(|line| format!("{line};")).collect()
}

fn levels(place: &Place) -> String {
    sql(place, "SELECT level FROM '/dock.series' ORDER BY time, level")
}

const SERIES: &str = "*.csv\ninto: /dock.series\nas: series\ntime_column: time\n";

/// CSV of these hours of a day and their levels.
fn csv(rows: &[(u32, f64)]) -> String {
    let line = |(hour, level): &(u32, f64)| format!("2025-01-01T{hour:02}:00:00Z,{level:?}\n");
    format!("time,level\n{}", rows.iter().map(line).collect::<String>())
}

#[test]
fn new_and_changed_files_become_versions_and_nothing_is_read_twice() {
    let place = Place::with_pond();
    inbox(&place, "**/*.txt\ninto: /docs\n");
    drop_in(&place, "in/a.txt", "one", 500);
    drop_in(&place, "in/deep/er/b.txt", "two", 400);
    drop_in(&place, "in/deep/er/b.csv", "not asked for", 400);
    let ran = place.run(["run", "/inbox"]).ok();
    ran.says("/inbox: a.txt: 3 bytes to /docs/a.txt, version 1").says("/inbox: 2 files taken");
    place.run(["cat", "/docs/deep/er/b.txt"]).ok().prints("two");

    let before = place.txn();
    place.run(["run", "/inbox"]).ok().says("/inbox: 0 files taken, 2 known already");
    assert_eq!(place.txn(), before, "a run with nothing to do is no transaction");

    drop_in(&place, "in/a.txt", "one more", 300);
    place
        .run(["run", "/inbox"])
        .ok()
        .says("to /docs/a.txt, version 2")
        .says("1 file taken, 1 known");
    place.run(["cat", "--version", "1", "/docs/a.txt"]).ok().prints("one");
    // Back to what it was is a change, and the same content in another file
    // is another file.
    drop_in(&place, "in/a.txt", "one", 200);
    drop_in(&place, "in/c.txt", "one", 100);
    place.run(["run", "/inbox"]).ok().says("/docs/a.txt, version 3").says("/docs/c.txt, version 1");
    // Renamed it is the file that it was.
    fs::rename(place.path("in/c.txt"), place.path("in/d.txt")).unwrap();
    place.run(["run", "/inbox"]).ok().says("d.txt: known as c.txt").says("0 files taken");
    let before = place.txn();
    place.run(["run", "/inbox"]).ok();
    assert_eq!(place.txn(), before);
    // The host gives the number of a file that is gone to another one, which
    // here is written with the same content.
    fs::rename(place.path("in/d.txt"), place.path("in/e.txt")).unwrap();
    drop_in(&place, "in/e.txt", "one", 50);
    place.run(["run", "/inbox"]).ok().says("/docs/e.txt, version 1");
    place.run(["fsck"]).ok();
}

#[test]
fn of_a_file_that_grows_and_is_rotated_a_series_gets_each_row_once() {
    let place = Place::with_pond();
    // With `append` a row that came twice would be there twice.
    inbox(&place, &format!("log.csv*\n{}format: csv\nappend: true\n", &SERIES[6..]));
    drop_in(&place, "in/log.csv", &csv(&[(0, 1.0), (1, 2.0)]), 900);
    place.run(["run", "/inbox"]).ok().says("log.csv: 2 rows to /dock.series, version 1");
    drop_in(&place, "in/log.csv", &csv(&[(0, 1.0), (1, 2.0), (2, 3.5)]), 800);
    place.run(["run", "/inbox"]).ok().says("log.csv: 1 new row to /dock.series, version 2");
    assert_eq!(levels(&place), "1.0;2.0;3.5;");

    // It grows once more, is renamed, and another takes its name.
    drop_in(&place, "in/log.csv.1", &csv(&[(0, 1.0), (1, 2.0), (2, 3.5), (3, 4.0)]), 700);
    drop_in(&place, "in/log.csv", &csv(&[(4, 5.0)]), 600);
    let ran = place.run(["run", "/inbox"]).ok();
    ran.says("log.csv.1: 1 new row").says("log.csv: 1 row to");
    assert_eq!(levels(&place), "1.0;2.0;3.5;4.0;5.0;");
    fs::rename(place.path("in/log.csv.1"), place.path("in/log.csv.2")).unwrap();
    fs::rename(place.path("in/log.csv"), place.path("in/log.csv.1")).unwrap();
    let ran = place.run(["run", "/inbox"]).ok();
    ran.says("log.csv.1: known as log.csv").says("log.csv.2: known as log.csv.1").says("0 files");
    let before = place.txn();
    place.run(["run", "/inbox"]).ok().says("2 known already");
    assert_eq!((levels(&place).as_str(), place.txn()), ("1.0;2.0;3.5;4.0;5.0;", before));
}

#[test]
fn a_file_that_is_corrected_and_put_back_shows_its_newest_reading() {
    let place = Place::with_pond();
    inbox(&place, SERIES);
    for (age_s, level) in [(900, 1.0), (800, 2.0), (700, 1.0)] {
        drop_in(&place, "in/a.csv", &csv(&[(0, level)]), age_s);
        place.run(["run", "/inbox"]).ok().says("1 file taken");
        assert_eq!(levels(&place), format!("{level:?};"));
    }
}

#[test]
fn half_a_last_line_waits_for_its_other_half() {
    let place = Place::with_pond();
    inbox(&place, SERIES);
    let (whole, half) = (csv(&[(0, 1.0), (1, 25.5)]), csv(&[(0, 1.0), (1, 25.5)]));
    drop_in(&place, "in/a.csv", &half[..half.len() - 3], 0);
    place.run(["run", "/inbox"]).ok().says("a.csv: 1 row to");
    assert_eq!(levels(&place), "1.0;");
    let before = place.txn();
    place.run(["run", "/inbox"]).ok();
    assert_eq!(place.txn(), before);
    drop_in(&place, "in/a.csv", &whole, 0);
    place.run(["run", "/inbox"]).ok().says("a.csv: 1 new row");
    assert_eq!(levels(&place), "1.0;25.5;");

    // One that nobody goes on with is whole, and can be told better later.
    drop_in(&place, "in/b.csv", "time,level\n2025-01-02T00:00:00Z,7", 3_600);
    place.run(["run", "/inbox"]).ok().says("b.csv: 1 row to");
    drop_in(&place, "in/b.csv", "time,level\n2025-01-02T00:00:00Z,75\n", 1_800);
    place.run(["run", "/inbox"]).ok().says("b.csv: 1 row to");
    assert_eq!(levels(&place), "1.0;25.5;75.0;");
}

#[test]
fn one_file_that_fails_is_named_and_stops_no_other() {
    let place = Place::with_pond();
    inbox(&place, SERIES);
    drop_in(&place, "in/a.csv", &csv(&[(0, 1.0)]), 500);
    drop_in(&place, "in/b.csv", "time,level\nnoon,2\n", 400);
    drop_in(&place, "in/c.csv", &csv(&[(2, 3.0)]), 300);
    let ran = place.run(["run", "/inbox"]).fails(6);
    ran.says("the run of `/inbox` failed for `b.csv`")
        .says("line 2")
        .says("2 files taken, 1 failed");
    assert_eq!(levels(&place), "1.0;3.0;");
    let before = place.txn();
    place.run(["run", "/inbox"]).fails(6).says("b.csv");
    assert_eq!(place.txn(), before);
    drop_in(&place, "in/b.csv", &csv(&[(1, 2.0)]), 200);
    place.run(["run", "/inbox"]).ok().says("1 file taken, 2 known");
    assert_eq!(levels(&place), "1.0;2.0;3.0;");
}

#[test]
fn links_and_special_files_are_left_out_and_told_of() {
    let place = Place::with_pond();
    inbox(&place, "*\ninto: /docs\n");
    let secret = place.write("secret", "out of reach");
    drop_in(&place, "in/a.txt", "a", 500);
    std::os::unix::fs::symlink(&secret, place.path("in/link")).unwrap();
    std::os::unix::fs::symlink(place.dir(), place.path("in/up")).unwrap();
    let _socket = std::os::unix::net::UnixListener::bind(place.path("in/socket")).unwrap();
    let ran = place.run(["run", "/inbox"]).ok();
    ran.says("link: left out: a symbolic link").says("socket: left out: a special file");
    place.run(["list", "/docs"]).ok().prints("/docs/a.txt\n");
}

#[test]
fn a_reference_is_resolved_when_it_is_run_and_never_shown() {
    let place = Place::with_pond();
    declare(
        &place,
        "pattern: ${env:DOCK_DIR}/*.csv\ninto: /$0.series\nas: series\ntime_column: time\n",
    );
    place.run(["run", "/inbox"]).fails(1).says("DOCK_DIR is not set");
    drop_in(&place, "s3cr3t/dock.csv", &csv(&[(0, 1.0)]), 500);
    drop_in(&place, "s3cr3t/bad.csv", "time,level\nnoon,1\n", 500);
    let with_env = |words: &[&str]| {
        let mut command = place.command();
        command.env("DOCK_DIR", place.path("s3cr3t")).args(words);
        crate::program::finish(&mut command)
    };
    let ran = with_env(&["run", "/inbox"]).fails(6).says("bad.csv");
    assert!(!ran.stderr.contains("s3cr3t"), "{}", ran.stderr);
    assert_eq!(levels(&place), "1.0;");
    let kept = place.run(["cat", "--config", "/inbox"]).ok();
    assert!(kept.text().contains("${env:DOCK_DIR}/*.csv"), "{}", kept.text());
    let ledger = sql(&place, "SELECT * FROM '/system/inbox/*.series'");
    assert!(ledger.contains("dock.csv") && !ledger.contains("s3cr3t"), "{ledger}");
    let records = fs::read_to_string(place.path("pond/control/runs.json")).unwrap();
    assert!(records.contains("bad.csv") && !records.contains("s3cr3t"), "{records}");

    declare(&place, "pattern: ${env:DOCK_DIR:-/nowhere at all}/*.csv\ninto: /docs\n");
    let ran = place.run(["run", "/inbox"]).fails(3);
    ran.says("cannot list `${env:DOCK_DIR:-/nowhere at all}/*.csv`").says("No such file");
}

#[test]
fn what_was_read_can_be_asked_in_sql() {
    let place = Place::with_pond();
    inbox(&place, SERIES);
    drop_in(&place, "in/a.csv", &csv(&[(0, 1.0), (1, 2.0)]), 500);
    place.run(["run", "/inbox"]).ok();
    drop_in(&place, "in/a.csv", &csv(&[(0, 1.0), (1, 2.0), (2, 3.0)]), 400);
    place.run(["run", "/inbox"]).ok();
    let asked = "SELECT number, event, file, read_bytes, \"rows\", target, version
        FROM '/system/inbox/*.series' ORDER BY number";
    assert_eq!(
        sql(&place, asked),
        "0,read,a.csv,61,2,/dock.series,1;1,grown,a.csv,86,3,/dock.series,2;"
    );
    // The node keeps its ledger wherever it goes.
    place.run(["mv", "/inbox", "/elsewhere"]).ok();
    place.run(["run", "/elsewhere"]).ok().says("0 files taken, 1 known");
}

#[test]
fn a_table_is_its_newest_file_and_formats_are_said_where_names_do_not() {
    let place = Place::with_pond();
    inbox(&place, "sites.*\ninto: /sites.table\nas: table\n");
    drop_in(&place, "in/sites.1", "name,depth\ndock,3\n", 500);
    place.run(["run", "/inbox"]).fails(1).says("sites.1").says("say `format`");
    inbox(&place, "sites.*\ninto: /sites.table\nas: table\nformat: csv\n");
    drop_in(&place, "in/sites.2", "name,depth\ndock,3\npier,4\n", 400);
    place.run(["run", "/inbox"]).ok().says("sites.2: 2 rows to /sites.table, version 2");
    assert_eq!(sql(&place, "SELECT count(*) FROM '/sites.table'"), "2;");
}

#[test]
fn delimiters_and_floors_are_said_as_copy_says_them() {
    let place = Place::with_pond();
    inbox(&place, &format!("{SERIES}delimiter: '\\t'\nfloor: 2025-01-01\n"));
    let rows = "time\tlevel\n2024-12-31T00:00:00Z\t1\n2025-01-01T00:00:00Z\t2\n";
    drop_in(&place, "in/a.csv", rows, 500);
    place.run(["run", "/inbox"]).ok().says("2 rows to /dock.series").says("1 before the floor");
    assert_eq!(levels(&place), "2;");
}

#[test]
fn nonsense_in_a_configuration_is_refused_with_its_place() {
    let place = Place::with_pond();
    for (config, error) in [
        ("pattern: in/*.csv\ninto: /x\n", "pattern: `in/*.csv`: it is no absolute path"),
        ("pattern: /in/*/../x.csv\ninto: /x\n", "`..` can not come after a wildcard"),
        ("pattern: /in/*.csv\ninto: x\n", "into: `x` is no absolute path of the pond"),
        ("pattern: /in/*.csv\ninto: /$1\n", "into: there is no wildcard $1"),
        ("pattern: /in/*.csv\ninto: /x\nas: series\n", "`time_column` is missing"),
        ("pattern: /in/*.csv\ninto: /x\nfloor: none\n", "floor: is about series"),
        ("pattern: /in/*.csv\ninto: /x\nas: table\nformat: cvs\n", "did you mean `csv`"),
        ("pattern: /in/*.csv\ninto: /x\nas: table\nformat: csv+series\n", "is said by `as`"),
        ("pattern: /in/*.csv\ninto: /x\nas: table\ndelimiter: '||'\n", "delimiter: `||` is not"),
        ("pattern: /in/*.csv\nnto: /x\n", "did you mean `into`?"),
    ] {
        place.write("inbox.yaml", config);
        let words = ["mknod", "inbox", "/inbox", "--config-path", "inbox.yaml"];
        place.run(words).fails(6).says(error);
    }
}

#[test]
fn many_files_come_in_and_a_second_run_of_others_at_once_reads_none_twice() {
    let place = Place::with_pond();
    inbox(&place, &format!("{SERIES}append: true\n"));
    for at in 0..300_u32 {
        let text = format!("time,level\n2025-01-01T{:02}:{:02}:00Z,{at}\n", at / 60, at % 60);
        drop_in(&place, &format!("in/{at:03}.csv"), &text, 9_000 - u64::from(at));
    }
    let children: Vec<_> = (0..3)
        .map(|_| {
            place
                .command()
                .args(["run", "/inbox"])
                .stderr(std::process::Stdio::null())
                .spawn()
                .unwrap()
        })
        .collect();
    for mut child in children {
        assert!(child.wait().unwrap().success());
    }
    let counted = sql(&place, "SELECT count(*), sum(level) FROM '/dock.series'");
    assert_eq!(counted, "300,44850;");
    let counted =
        sql(&place, "SELECT count(*), count(DISTINCT number) FROM '/system/inbox/*.series'");
    assert_eq!(counted, "300,300;");
}
