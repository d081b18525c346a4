//! Missing, empty, truncated, wrong: a clear error, a status, nothing written.

use crate::program::Place;

#[test]
fn paths_that_are_not_there_or_of_another_kind() {
    let place = Place::with_pond();
    place.run(["mkdir", "/dir"]).ok();
    place.run_with(b"bytes", ["copy", "-", "/file"]).ok();
    let before = place.txn();
    for args in [
        &["list", "/nope"][..],
        &["cat", "/nope"],
        &["describe", "/nope"],
        &["rm", "/nope"],
        &["mv", "/nope", "/x"],
        &["show", "/nope"],
        &["plot", "/nope"],
        &["copy", "/nope", "host:x"],
        &["copy", "host:nope", "/x"],
        &["copy", "host+csv+table:nope.csv", "/x"],
        &["cat", "host+csv:nope.csv"],
        &["cat", "/nope", "--sql", "SELECT * FROM source"],
        &["rm", "/file/below"],
    ] {
        let ran = place.run(args);
        assert!(
            ran.code == 3 || ran.code == 6 || ran.code == 1,
            "{args:?}: {} {}",
            ran.code,
            ran.stderr
        );
        let code = ran.code;
        ran.fails(code)
            .says("nope".get(..).filter(|_| !args.contains(&"/file/below")).unwrap_or("file"));
    }
    place.run(["cat", "/dir"]).fails(1).says("directory");
    place.run(["cat", "/file", "--sql", "SELECT * FROM source"]).fails(6).says("/file");
    place.run(["plot", "/file"]).fails(6);
    place.run(["mkdir", "/file/sub"]).fails(1);
    place.run(["copy", "host:/etc/hostname", "/file/x"]).fails(1);
    place.run(["copy", "host:/etc/hostname", "/dir/"]).ok();
    assert_eq!(place.txn(), before + 1);
}

#[test]
fn tables_that_are_no_tables() {
    let place = Place::with_pond();
    place.write("empty", "");
    place.write("one", "x");
    place.write("text.parquet", "PAR1 and then some nonsense PAR1");
    place.write("short.parquet", "PAR1");
    for source in ["empty", "one", "text.parquet", "short.parquet"] {
        for kind in ["table", "series"] {
            let url = format!("host+parquet+{kind}:{source}");
            place.run(["copy", &url, "/x", "--time-column", "t"]).fails(6);
        }
    }
    place.run(["copy", "host+csv+table:empty", "/x"]).fails(6).says("empty");
    place.write("deep.json", "[".repeat(100_000));
    place.run(["copy", "host+json+table:deep.json", "/x"]).fails(6);
    place.write("cut.json", "[{\"a\":1},{\"a\":");
    place.run(["copy", "host+json+table:cut.json", "/x"]).fails(6);
    place.write("ragged.csv", "a,b\n1,2\n3\n");
    place.run(["copy", "host+csv+table:ragged.csv", "/x"]).fails(6).says("line 3");
    place.write("bin.csv", [0xffu8, 0xfe, 0, 1, b'\n', 7, 8]);
    let ran = place.run(["copy", "host+csv+table:bin.csv", "/x"]);
    assert!(!ran.stderr.contains("panicked"), "{}", ran.stderr);
    place.run(["copy", "host+csv+gzip+table:ragged.csv", "/x"]).fails(6);
}

#[test]
fn urls_and_operands_that_make_no_sense() {
    let place = Place::with_pond();
    place.write("a.csv", "a\n1\n");
    for args in [
        &["copy", "host:a.csv"][..],
        &["copy", "host://server/a.csv", "/x"],
        &["copy", "host:", "/x"],
        &["copy", "host+cvs:a.csv", "/x"],
        &["copy", "host+csv+series+gzip:a.csv", "/x"],
        &["copy", "host:a.csv", "host:b.csv"],
        &["copy", "-", "-"],
        &["copy", "host+csv:a.csv", "-"],
        &["cat", "host:a.csv"],
        &["cat", "-"],
        &["describe", "-"],
        &["list", "--format", "csv"],
        &["copy", "host+csv+table:a.csv", "/x", "--delimiter", "ab"],
        &["copy", "host+csv+table:a.csv", "/x", "--type", "a=complex"],
        &["copy", "host+csv+table:a.csv", "/x", "--on-error", "ignore"],
        &["--memory-limit", "lots", "list"],
        &["--lock-timeout", "soon", "list"],
        &["maintain", "--keep", "30d"],
    ] {
        place.run(args).fails(2);
    }
    place.run(["list"]).ok().prints("");
}

#[test]
fn names_that_can_not_be() {
    let place = Place::with_pond();
    let long = format!("/{}", "x".repeat(256));
    place.run(["mkdir", &long]).fails(6).says("255");
    place.run(["mkdir", ""]).fails(6);
    place.run(["mkdir", "/"]).fails(1);
    place.run(["rm", "-r", "/"]).fails(1);
    place.run(["mv", "/", "/x"]).fails(1);
    place.run(["list", "/[a"]).fails(6);
    place.run(["mkdir", "/../b"]).ok();
    place.run(["list"]).ok().prints("/b/\n");
}

#[test]
fn a_pond_that_can_only_be_read_can_be_read() {
    use std::os::unix::fs::PermissionsExt as _;
    let place = Place::with_pond();
    place.run_with(b"text", ["copy", "-", "/f"]).ok();
    let set = |mode: u32| {
        for entry in walk(&place.path("pond")) {
            let extra = if entry.is_dir() { 0o111 } else { 0 };
            std::fs::set_permissions(&entry, std::fs::Permissions::from_mode(mode | extra))
                .unwrap();
        }
    };
    set(0o444);
    // Root may write anywhere; then there is nothing to see here.
    let root = std::fs::write(place.path("pond/probe"), "x").is_ok();
    let read = place.run(["cat", "/f"]);
    let listed = place.run(["list"]);
    let written = place.run(["mkdir", "/d"]);
    set(0o644);
    read.ok().prints("text");
    listed.ok().prints("/f\n");
    if !root {
        written.fails(1);
    }
}

fn walk(dir: &std::path::Path) -> Vec<std::path::PathBuf> {
    let mut found = vec![dir.to_path_buf()];
    for entry in std::fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(walk(&path));
        } else {
            found.push(path);
        }
    }
    found
}

#[test]
fn a_pond_of_a_later_format_is_refused() {
    let place = Place::with_pond();
    let log = place.path("pond/data/_delta_log/00000000000000000000.json");
    let text = std::fs::read_to_string(&log).unwrap();
    // The first line has the hash of the rest, and says nothing of the pond.
    let (_, rest) = text.split_once('\n').unwrap();
    let newer = rest.replace("\"pond.format\":\"1\"", "\"pond.format\":\"999\"");
    assert_ne!(newer, rest, "the commit says its format");
    std::fs::write(&log, newer).unwrap();
    place.run(["list"]).fails(1).says("999");
    place.run(["mkdir", "/x"]).fails(1).says("999");
}
