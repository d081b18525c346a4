//! A pond read by other programs: `docs/read_a_pond.py` knows Delta Lake,
//! Parquet and `docs/format.md`, and nothing of this program.
//!
//! It runs where Python has the modules `deltalake`, `duckdb`, `blake3` and
//! `pytz`: `DUCKPOND_PYTHON`, or else `python3`.

use std::process::Command;

use crate::program::{Place, finish, json};

/// The Python that has the modules; without one the test says so and ends.
#[expect(clippy::print_stderr, reason = "a test that is skipped says so")]
fn python() -> Option<String> {
    let python = std::env::var("DUCKPOND_PYTHON").unwrap_or_else(|_| "python3".into());
    let imports = ["-c", "import deltalake, duckdb, blake3, pytz"];
    let found = Command::new(&python).args(imports).output();
    if found.is_ok_and(|found| found.status.success()) {
        return Some(python);
    }
    assert!(
        std::env::var_os("DUCKPOND_PYTHON").is_none(),
        "`{python}` lacks deltalake, duckdb, blake3 or pytz"
    );
    eprintln!("skipped: python3 has no deltalake, duckdb, blake3 and pytz");
    None
}

struct Stranger {
    python: String,
    place: Place,
}

impl Stranger {
    fn reads(&self, words: &[&str]) -> Vec<u8> {
        let script = testing::repository().join("docs/read_a_pond.py");
        let mut command = Command::new(&self.python);
        command.arg(script).arg(self.place.path("pond")).args(words);
        finish(&mut command).ok().stdout
    }

    /// Compares all that both can say of a state.
    fn agrees(&self, as_of: Option<&str>) {
        let as_of = as_of.map_or_else(Vec::new, |n| vec!["--as-of", n]);
        let listed =
            self.place.run([&["list", "-aR", "--format", "json", "/"], &as_of[..]].concat());
        let listed = json(listed.ok().text());
        let entries: Vec<(String, String)> = listed
            .as_array()
            .unwrap()
            .iter()
            .map(|entry| {
                let text =
                    |key: &str| entry[key].as_str().unwrap().trim_end_matches('/').to_owned();
                (text("type"), text("path"))
            })
            .collect();
        assert!(entries.len() > 5, "{entries:?}");
        let mut lines: Vec<String> = entries.iter().map(|(t, p)| format!("{t} {p}")).collect();
        let theirs = String::from_utf8(self.reads(&[&as_of[..], &["list"]].concat())).unwrap();
        let mut others: Vec<&str> = theirs.lines().collect();
        lines.sort_unstable();
        others.sort_unstable();
        assert_eq!(lines, others);
        for (kind, path) in &entries {
            if kind == "file:data" {
                let ours = self.place.run([&["cat", path], &as_of[..]].concat()).ok().stdout;
                assert_eq!(self.reads(&[&as_of[..], &["cat", path]].concat()), ours, "{path}");
            } else if kind == "file:series" || kind == "file:table" {
                let query =
                    "SELECT count(*) AS n, sum(level) AS s, min(level) AS least FROM source";
                let ours = ["cat", path, "--sql", query, "--format", "ndjson"];
                let ours = self.place.run([&ours[..], &as_of[..]].concat()).ok();
                let theirs =
                    String::from_utf8(self.reads(&[&as_of[..], &["sql", path, query]].concat()))
                        .unwrap();
                assert_eq!(json(ours.text()), json(&theirs), "{path}");
            }
        }
        self.reads(&[&as_of[..], &["check"]].concat());
    }
}

#[test]
fn another_program_reads_the_same_from_the_documented_format() {
    let Some(python) = python() else { return };
    let place = Place::with_pond();
    place.run(["mkdir", "-p", "/a/b", "/tables"]).ok();
    place.write("small.txt", "short");
    place.write("large.bin", vec![7_u8; 70_000]);
    place.write("empty", "");
    place.run(["copy", "host:small.txt", "host:large.bin", "host:empty", "/a/b"]).ok();
    place.run(["copy", "host:large.bin", "/a/b/small.txt"]).ok();
    place.run(["ln", "-s", "b/small.txt", "/a/link"]).ok();
    place.run(["mv", "/a/b/empty", "/a/nothing"]).ok();
    place.write("t.csv", "site,level\nx,1.5\ny,2.5\n");
    place.run(["copy", "host+csv+table:t.csv", "/tables/t.table"]).ok();
    place.run(["config", "maintenance.merge_versions", "4"]).ok();
    for version in 0..9_u32 {
        // Versions overlap, and the first row lies before the floor.
        let rows: String = (0..3)
            .map(|row| format!("2024-03-01T{:02}:00:00Z,{}\n", version + row, version * 10 + row))
            .collect();
        place.write("s.csv", format!("time,level\n1970-01-01T00:02:00Z,-99\n{rows}"));
        let copy = ["copy", "host+csv+series:s.csv", "/a/s.series", "--time-column", "time"];
        place.run(&copy[..if version == 0 { 5 } else { 3 }]).ok();
    }
    place.run(["rm", "/a/link"]).ok();
    let stranger = Stranger { python, place };
    stranger.agrees(None);
    stranger.agrees(Some("6"));
    stranger.place.run(["maintain"]).ok();
    stranger.agrees(None);
    stranger.agrees(Some("9"));
    stranger.place.run(["maintain", "--prune", "--keep", "0s"]).ok();
    stranger.agrees(None);
    let bounds = ["--start", "2024-03-01T02:00:00", "--end", "2024-03-01T08:30:00"];
    let words = [&["set-temporal-bounds", "/a/s.series"], &bounds[..]].concat();
    stranger.place.run(words).ok();
    stranger.agrees(None);
}
