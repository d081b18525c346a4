//! Copies of host files that are declared, and what is declared no more.

use crate::program::Place;

const CSV: &str = "when,level\n03/01/2025 10:00,1.5\n03/01/2025 11:00,2.5\n";

fn declare(place: &Place, pond: &str) {
    place.write("pond.yaml", pond.replace("DIR", &place.dir().display().to_string()));
}

fn count(place: &Place, table: &str) -> String {
    let sql = format!("SELECT count(*) FROM '{table}'");
    place.run(["sql", "--format", "csv", &sql]).ok().text().lines().nth(1).unwrap().to_owned()
}

const POND: &str = "\
version: v1
kind: copy
metadata: { path: /sensors/dock.series, freshness: 3h }
spec:
  source: host+csv+series://DIR/dock.csv
  time_column: when
  time_format: '%m/%d/%Y %H:%M'
  time_zone: America/Los_Angeles
---
version: v1
kind: copy
metadata: { path: /docs/notes.txt }
spec: { source: \"host://DIR/notes.txt\" }
---
version: v1
kind: mknod
metadata: { path: /views/high }
spec:
  factory: sql-derived-series
  config:
    patterns: { dock: /sensors/dock.series }
    query: SELECT \"when\", level FROM dock WHERE level > 2
";

#[test]
fn a_copy_is_carried_out_when_its_source_has_changed_and_at_no_other_time() {
    let place = Place::with_pond();
    place.write("dock.csv", CSV);
    place.write("notes.txt", "calibrated");
    declare(&place, POND);
    let ran = place.run(["apply", "-f", "pond.yaml", "--dry-run"]).ok();
    ran.says("+ /sensors/dock.series (copy)").says("+ /docs/notes.txt (copy)");
    assert_eq!(place.txn(), 0);
    let ran = place.run(["apply", "-f", "pond.yaml"]).ok();
    ran.says("/sensors/dock.series: series version 1, 2 rows").says("+ /docs/notes.txt (copy)");
    assert_eq!(place.txn(), 1, "everything is one transaction");
    assert_eq!(
        (count(&place, "/sensors/dock.series"), count(&place, "/views/high")),
        ("2".into(), "1".into())
    );
    place.run(["apply", "-f", "pond.yaml"]).ok().says("0 created, 0 updated, 3 unchanged");
    assert_eq!(place.txn(), 1, "an unchanged source is no transaction");

    place.write("dock.csv", format!("{CSV}03/01/2025 12:00,3.5\n"));
    let ran = place.run(["apply", "-f", "pond.yaml"]).ok();
    ran.says("~ /sensors/dock.series (copy)").says("0 created, 1 updated, 2 unchanged");
    assert_eq!((count(&place, "/sensors/dock.series"), place.txn()), ("3".into(), 2));
    // Saying it differently is a change as well.
    declare(&place, &POND.replace("notes.txt\" }", "notes.txt\", nulls: [] }"));
    place.run(["apply", "-f", "pond.yaml"]).ok().says("1 updated");
}

#[test]
fn a_reference_in_a_source_is_resolved_and_shown_as_it_is_written() {
    let place = Place::with_pond();
    place.write("s3cr3t/dock.csv", "when,level\nnoon,1\n");
    let pond = POND.replace("host+csv+series://DIR", "host+csv+series://${env:DOCK_PLACE}");
    place.write("notes.txt", "calibrated");
    declare(&place, &pond);
    let ran = place.run(["apply", "-f", "pond.yaml"]).fails(6);
    ran.says("pond.yaml:5:").says("DOCK_PLACE is not set");
    let mut command = place.command();
    command.env("DOCK_PLACE", place.path("s3cr3t")).args(["apply", "-f", "pond.yaml"]);
    let ran = crate::program::finish(&mut command).fails(6);
    let ran = ran.says("${env:DOCK_PLACE}/dock.csv").says("line 2");
    assert!(!ran.stderr.contains("s3cr3t"), "{}", ran.stderr);
    assert_eq!(place.txn(), 0, "nothing of it is done");
}

#[test]
fn nonsense_in_a_copy_is_refused_with_its_place() {
    let place = Place::with_pond();
    place.write("notes.txt", "calibrated");
    for (spec, error) in [
        ("{ source: /in/the/pond }", "is no file of the host"),
        ("{ source: \"host://DIR/gone.txt\" }", "cannot read `host://"),
        ("{ source: [] }", "names no file"),
        ("{ source: \"host://DIR/notes.txt\", floor: soon }", "spec.floor"),
        ("{ source: \"host://DIR/notes.txt\", ambigous: order }", "did you mean `ambiguous`?"),
        ("{ source: \"host://DIR/notes.txt\", ambiguous: maybe }", "spec.ambiguous"),
        ("{}", "`source`"),
    ] {
        declare(
            &place,
            &format!("version: v1\nkind: copy\nmetadata: {{ path: /x }}\nspec: {spec}\n"),
        );
        place.run(["apply", "-f", "pond.yaml"]).fails(6).says("pond.yaml:4:").says(error);
    }
}

const TWO: &str = "\
version: v1
kind: mkdir
metadata: { path: /empty }
---
version: v1
kind: mknod
metadata: { path: /deep/er/a }
spec: { factory: sql-derived-table, config: { patterns: {}, query: SELECT 1 AS one } }
---
version: v1
kind: mknod
metadata: { path: /deep/b }
spec: { factory: sql-derived-table, config: { patterns: {}, query: SELECT 2 AS two } }
";

#[test]
fn prune_removes_what_an_apply_made_and_nothing_else() {
    let place = Place::with_pond();
    declare(&place, TWO);
    place.run(["apply", "-f", "pond.yaml"]).ok();
    // Made otherwise: a node, and a file in a directory that an apply made.
    place.write("own.yaml", "patterns: {}\nquery: SELECT 3 AS three\n");
    place.run(["mknod", "sql-derived-table", "/own", "--config-path", "own.yaml"]).ok();
    place.run_with(b"data", ["copy", "-", "/deep/er/data.txt"]).ok();
    let kept = TWO.split("---").nth(2).unwrap();
    declare(&place, kept);
    let before = place.txn();
    place.run(["apply", "-f", "pond.yaml"]).ok().says("0 created, 0 updated, 1 unchanged");
    let ran = place.run(["apply", "-f", "pond.yaml", "--prune"]).fails(2);
    ran.says("2 nodes would be removed").says("--dry-run").says("--yes");
    let ran = place.run(["apply", "-f", "pond.yaml", "--prune", "--dry-run"]).ok();
    ran.says("- /deep/er/a (sql-derived-table)").says("- /empty (directory)").says("2 removed");
    assert_eq!(place.txn(), before);
    place.run(["apply", "-f", "pond.yaml", "--prune", "--yes"]).ok().says("2 removed");
    assert_eq!(place.txn(), before + 1);
    place
        .run(["list", "-R", "/"])
        .ok()
        .prints("/deep/\n/deep/b\n/deep/er/\n/deep/er/data.txt\n/own\n");
    place.run(["apply", "-f", "pond.yaml", "--prune"]).ok().says("0 removed");
    place.run(["rm", "/deep/er/data.txt"]).ok();
    place.run(["apply", "-f", "pond.yaml", "--prune", "--yes"]).ok().says("- /deep/er (directory)");
}

#[test]
fn a_variable_without_a_value_is_told_so() {
    let place = Place::with_pond();
    declare(&place, TWO);
    let ran = place.run(["apply", "-f", "pond.yaml", "-v", "base"]).fails(2);
    ran.says("`base` gives no value to a variable").says("-v base=VALUE");
}

#[test]
fn what_is_declared_through_a_link_is_not_pruned() {
    let place = Place::with_pond();
    place.run(["mkdir", "/y2026"]).ok();
    place.run(["ln", "-s", "/y2026", "/now"]).ok();
    declare(&place, &TWO.replace("/deep/", "/now/"));
    place.run(["apply", "-f", "pond.yaml"]).ok();
    let before = place.txn();
    place.run(["apply", "-f", "pond.yaml", "--prune", "--yes"]).ok().says("0 removed");
    assert_eq!(place.txn(), before);
    place.run(["sql", "SELECT two FROM '/y2026/b'"]).ok();
}

#[test]
fn two_applies_at_once_copy_once() {
    let place = Place::with_pond();
    // So much of it that both read it while neither has committed.
    let rows: String = (0..60_000).map(|at| format!("{at},1.5\n")).collect();
    place.write("dock.csv", format!("when,level\n{rows}"));
    declare(
        &place,
        "version: v1\nkind: copy\nmetadata: { path: /dock.series }\n\
         spec: { source: \"host+csv+series://DIR/dock.csv\", time_column: when, time_format: epoch, floor: none }\n",
    );
    let applies: Vec<_> = (0..3)
        .map(|_| {
            let mut command = place.command();
            command.args(["apply", "-f", "pond.yaml"]).stderr(std::process::Stdio::piped());
            command.spawn().unwrap()
        })
        .collect();
    let said = applies.into_iter().map(|apply| apply.wait_with_output().unwrap());
    let said: Vec<String> = said
        .map(|said| {
            let text = String::from_utf8(said.stderr).unwrap();
            assert!(said.status.success(), "{text}");
            text
        })
        .collect();
    assert_eq!(count(&place, "/dock.series"), "60000");
    assert_eq!(place.txn(), 1, "{said:?}");
    assert_eq!(said.iter().filter(|text| text.contains("1 created")).count(), 1, "{said:?}");
}

#[test]
fn a_copy_in_the_pond_declares_its_rows_alike_and_nothing_else() {
    let place = Place::with_pond();
    place.write("dock.csv", CSV);
    place.write("notes.txt", "calibrated");
    declare(&place, POND);
    place.run(["apply", "-f", "pond.yaml"]).ok();
    place.run(["copy", "/sensors/dock.series", "/sensors/kept.series"]).ok();
    assert_eq!(count(&place, "/sensors/kept.series"), "2");
    let ran = place.run(["describe", "--format", "json", "/sensors/kept.series"]).ok();
    assert!(ran.text().contains("when"), "{}", ran.text());
    assert!(!ran.text().contains("freshness"), "{}", ran.text());
    // How fresh one of them has to be is no reason to refuse the other's rows.
    place.run(["copy", "/sensors/dock.series", "/sensors/kept.series"]).ok();
}
