//! Does every number of a whole pipeline equal what an independent engine
//! computes from the raw readings, whatever happened to the pond meanwhile?
//!
//! `tests/golden/pipeline/readings.py` made the readings, `answers.py` (DuckDB)
//! the answers; `pond.yaml` declares the same for the program. Compared are all
//! rows of the joins, the pivots and both reductions at five widths: at first,
//! after late data, after corrections; then after upkeep, after many small
//! appends and their merges, after a prune, and without `cache/`.

use std::collections::BTreeMap;
use std::path::PathBuf;

use crate::program::{Place, json};

const ZONE: &str = "America/Los_Angeles";
const SITES: [&str; 4] = ["albion", "garcia", "navarro", "noyo"];
const RESOLUTIONS: [&str; 5] = ["1h", "4h", "24h", "day", "month"];
/// What the order of additions, and the rounding of a conversion, may do;
/// everything else is exact.
const TOLERANCE: f64 = 1e-12;
/// What the last digits of converted values, at most about 130, may do to their
/// spread, however small it is.
const OF_SPREAD: f64 = 1e-13;
/// Values of one stage: less would mean that something is not compared.
const VALUES: usize = 60_000;

/// Rows by path and second; each is its values by column, `None` where there is
/// none.
type Rows = BTreeMap<(String, i64), BTreeMap<String, Option<f64>>>;

fn golden() -> PathBuf {
    testing::repository().join("crates/cmd/tests/golden/pipeline")
}

/// The tables, by the names of their answers, each as a path of the pond.
fn tables() -> Vec<(String, String)> {
    let mut tables = Vec::new();
    for directory in ["sites", "by"] {
        tables.push((directory.to_owned(), format!("/{directory}/*.series")));
        for resolution in RESOLUTIONS {
            let path = format!("/reduced/{directory}/*/res={resolution}.series");
            tables.push((format!("{directory}_{resolution}"), path));
        }
    }
    tables
}

/// The rows of a CSV text with the columns `s` and `path` (or `_path`).
fn rows(csv: &str) -> Rows {
    let mut lines = csv.lines();
    let header: Vec<&str> = lines.next().unwrap_or_default().split(',').collect();
    let mut rows = Rows::new();
    for line in lines {
        let mut key = (None, None);
        let mut values = BTreeMap::new();
        let cells: Vec<&str> = line.split(',').collect();
        assert_eq!(cells.len(), header.len(), "{line}");
        for (name, cell) in header.iter().zip(cells) {
            match *name {
                "path" | "_path" => key.0 = Some(cell.to_owned()),
                "s" => key.1 = Some(cell.parse().unwrap()),
                "timestamp" => {}
                name => {
                    let value = (!cell.is_empty()).then(|| cell.parse().unwrap());
                    values.insert(name.to_owned(), value);
                }
            }
        }
        let key = (key.0.unwrap(), key.1.unwrap());
        assert!(rows.insert(key, values).is_none(), "twice: {line}");
    }
    rows
}

fn answers(table: &str, stages: &[&str]) -> Rows {
    let read = |ending: &str| {
        let file = golden().join(format!("answers/{table}{ending}.csv.zst"));
        let bytes = zstd::decode_all(std::fs::File::open(&file).unwrap()).unwrap();
        rows(std::str::from_utf8(&bytes).unwrap())
    };
    let mut all = read("");
    for stage in stages {
        all.extend(read(&format!("-{stage}")));
    }
    all
}

fn same(column: &str, found: Option<f64>, answer: Option<f64>) -> bool {
    let (Some(found), Some(answer)) = (found, answer) else { return found == answer };
    let added = ["sum", "avg", "stddev"].iter().any(|end| column.ends_with(end));
    let converted = match column.contains("Middle.") {
        true => column.contains(".temperature."),
        false => column.contains(".pressure."),
    };
    if !column.ends_with(".count") && (added || converted) {
        let spread = column.ends_with(".stddev") && converted;
        let tolerance = TOLERANCE * answer.abs() + if spread { OF_SPREAD } else { 0.0 };
        (found - answer).abs() <= tolerance
    } else {
        found == answer
    }
}

/// What differs, in words, and how many values were compared.
fn differences(table: &str, found: &Rows, answer: &Rows) -> (Vec<String>, usize) {
    let mut wrong = Vec::new();
    let mut compared = 0;
    for key in answer.keys().filter(|key| !found.contains_key(key)) {
        wrong.push(format!("{table}: {key:?} is not there"));
    }
    for (key, values) in found {
        let Some(expected) = answer.get(key) else {
            wrong.push(format!("{table}: {key:?} should not be there"));
            continue;
        };
        if !values.keys().eq(expected.keys()) {
            wrong.push(format!("{table}: {key:?} has the columns {:?}", values.keys()));
            continue;
        }
        for (column, &value) in values {
            let expected = expected[column];
            compared += 1;
            if !same(column, value, expected) {
                wrong.push(format!(
                    "{table}: {column} of {key:?} is {value:?}, expected {expected:?}"
                ));
            }
        }
    }
    (wrong, compared)
}

/// The program's rows of a table, as CSV.
fn ask(place: &Place, path: &str, more: &[&str]) -> String {
    let sql = format!(
        "SELECT CAST(extract(epoch FROM timestamp) AS BIGINT) AS s, * FROM '{path}' \
         ORDER BY _path, timestamp"
    );
    let words = ["sql", "--format", "csv", "--rows", "all", &sql];
    let ran = place.run(words.iter().chain(more)).ok();
    ran.text().to_owned()
}

/// Compares everything with the answers after `stages`, and gives what the
/// program said.
fn check(when: &str, place: &Place, stages: &[&str], more: &[&str]) -> Vec<String> {
    let mut wrong = Vec::new();
    let mut compared = 0;
    let mut said = Vec::new();
    for (table, path) in tables() {
        let found = ask(place, &path, more);
        let (differs, values) = differences(&table, &rows(&found), &answers(&table, stages));
        wrong.extend(differs);
        compared += values;
        said.push(found);
    }
    let count = wrong.len();
    wrong.truncate(20);
    assert!(wrong.is_empty(), "{when}: {count} differ:\n{}", wrong.join("\n"));
    assert!(compared > VALUES, "{when}: {compared} values are compared");
    said
}

/// Takes the files `number` of all loggers in.
fn take_in(place: &Place, number: &str) {
    let mut taken = 0;
    for site in SITES {
        for scope in ["Surface", "Surface-old", "Surface-new", "Middle", "Bottom"] {
            let file = golden().join(format!("readings/{site}/{scope}-{number}.csv"));
            if file.exists() {
                append(place, file.to_str().unwrap(), &format!("/raw/{site}/{scope}.series"));
                taken += 1;
            }
        }
    }
    assert!(taken > 0, "no file is number {number}");
}

fn append(place: &Place, file: &str, series: &str) {
    let source = format!("host+csv+series://{file}");
    let words = ["copy", "-q", "-p", &source, series, "--time-column", "time", "--time-zone", ZONE];
    place.run(words.iter().chain(&["--time-format", "%m/%d/%Y %H:%M:%S"])).ok();
}

/// Sends the end of a snapshot again, three lines at a time.
fn append_little_by_little(place: &Place) {
    let text = std::fs::read_to_string(golden().join("readings/navarro/Surface-3.csv")).unwrap();
    let (header, lines) = text.split_once('\n').unwrap();
    // After the hour that comes twice, of which three lines would not tell which.
    let lines: Vec<&str> = lines.lines().skip_while(|line| !line.contains("03/2024 12:")).collect();
    assert!(lines.len() >= 48, "{lines:?}");
    for (at, some) in lines.chunks(3).enumerate() {
        let name = format!("some-{at}.csv");
        let file = place.write(&name, format!("{header}\n{}\n", some.join("\n")));
        append(place, file.to_str().unwrap(), "/raw/navarro/Surface.series");
    }
}

/// How many merges of series there have been.
fn merges(place: &Place) -> usize {
    let log = place.run(["log", "-n", "10000", "--format", "ndjson"]).ok();
    log.text().lines().filter(|line| json(line)["kind"] == "maintenance").count()
}

#[test]
fn every_number_of_a_pipeline_stays_that_of_an_independent_engine() {
    let place = Place::with_pond();
    let yaml = golden().join("pond.yaml");
    let zone = format!("zone={ZONE}");
    for number in ["1", "2", "3"] {
        take_in(&place, number);
    }
    place.run(["apply", "-f", yaml.to_str().unwrap(), "-v", &zone]).ok();
    let base = place.txn().to_string();
    place.run(["run", "/reduced"]).ok();
    check("at first", &place, &[], &[]);

    take_in(&place, "late");
    check("after late data", &place, &["late"], &[]);

    take_in(&place, "corrected");
    place.run(["run", "/reduced"]).ok();
    let all = ["late", "corrected"];
    let said = check("after corrections", &place, &all, &[]);
    check("as of the first stage", &place, &[], &["--as-of", &base]);

    place.run(["maintain"]).ok();
    assert_eq!(check("after upkeep", &place, &all, &[]), said);

    let before = merges(&place);
    append_little_by_little(&place);
    place.run(["maintain"]).ok();
    assert!(merges(&place) > before, "no small versions are merged");
    assert_eq!(check("after many small appends", &place, &all, &[]), said);

    place.run(["maintain", "--prune", "--keep", "0s"]).ok();
    assert_eq!(check("after a prune", &place, &all, &[]), said);

    std::fs::remove_dir_all(place.path("pond/cache")).unwrap();
    assert_eq!(check("without a cache", &place, &all, &[]), said);
}

#[test]
fn comparison_tells_a_wrong_value_row_and_column() {
    let answer = rows("path,s,a.count,Middle.pressure.kPa.avg\n/a,0,1,0.5\n/a,1,2,\n");
    let count = |csv: &str| differences("t", &rows(csv), &answer).0.len();
    let header = "s,a.count,Middle.pressure.kPa.avg,_path,timestamp\n";
    let with = |lines: &str| count(&format!("{header}{lines}"));
    assert_eq!(with("0,1,0.5000000000000001,/a,x\n1,2,,/a,y\n"), 0);
    assert_eq!(with("0,1,0.500000000001,/a,x\n1,2,,/a,y\n"), 1);
    assert_eq!(with("0,1,0.5,/a,x\n1,2,0,/a,y\n"), 1);
    assert_eq!(with("0,1.0000000000000002,0.5,/a,x\n1,2,,/a,y\n"), 1);
    assert_eq!(with("0,1,0.5,/a,x\n"), 1);
    assert_eq!(with("0,1,0.5,/a,x\n1,2,,/a,y\n2,2,,/a,z\n"), 1);
    assert_eq!(count("s,a.count,_path\n0,1,/a\n1,2,/a\n"), 2);
}
