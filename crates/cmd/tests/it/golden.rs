//! Does every number equal what an independent engine computes from the raw
//! data? `tests/golden/answers.py` (DuckDB) made the answers from the files
//! under `data/`; here the program takes the same files into a pond and answers
//! `tests/golden/queries/*.sql`.

use std::path::PathBuf;

use crate::program::{Place, json};

const ZONE: &str = "America/Los_Angeles";
const SAMPLE_TIME: &str = "%m/%d/%Y %H:%M:%S";
/// What the order of additions may do to a sum; everything else is exact.
const TOLERANCE: f64 = 1e-12;

fn data(file: &str) -> String {
    testing::repository().join("data").join(file).into_os_string().into_string().unwrap()
}

/// A pond with all readings, and the transaction that wrote the first edition
/// of the tides.
fn pond_of_readings() -> (Place, u64) {
    let place = Place::with_pond();
    let edition = |number: u32| data(&format!("tides/noyo-harbor-edition-{number}.csv.zst"));
    let copy = |format: &str, file: &str, to: &str, options: &[&str]| {
        let source = format!("host+{format}://{file}");
        let words = ["copy", "-q", "-p", &source, to].into_iter().chain(options.iter().copied());
        place.run(words).ok();
    };
    let tides = ["--time-column", "time", "--time-zone", ZONE];
    copy("csv+zstd+series", &edition(1), "/tides/noyo.series", &tides);
    let first = place.txn();
    copy("csv+zstd+series", &edition(2), "/tides/noyo.series", &[]);
    copy("csv+zstd+table", &edition(1), "/tides/edition-1.table", &[]);
    copy("csv+zstd+table", &edition(2), "/tides/edition-2.table", &[]);
    copy("csv+table", &data("tides/noyo-harbor-high-low.csv"), "/tides/high-low.table", &[]);
    let station = ["--time-column", "time", "--time-zone", "Etc/GMT-1"];
    let weather = data("schwingbach/weather.csv.gz");
    copy("csv+gzip+series", &weather, "/schwingbach/weather.series", &station);
    let soil = data("schwingbach/soil-moisture.csv.zst");
    copy("csv+zstd+series", &soil, "/schwingbach/soil.series", &station);
    let flow = data("flow/water-flow.csv");
    copy("csv+series", &flow, "/flow/pipeline.series", &["--time-column", "Time"]);

    let local = ["--time-column", "Timestamp", "--time-zone", ZONE, "--time-format", SAMPLE_TIME];
    let no_floor = [&local[..], &["--floor", "none"]].concat();
    for file in ["dock-1.csv", "dock-2.csv", "dock-3.csv", "dock-late.csv"] {
        let file = data(&format!("sample/{file}"));
        copy("csv+series", &file, "/sample/dock.series", &local);
        copy("csv+series", &file, "/sample/dock-no-floor.series", &no_floor);
    }
    for file in ["well-1.csv", "well-2.csv"] {
        copy("csv+series", &data(&format!("sample/{file}")), "/sample/well.series", &local);
    }
    (place, first)
}

#[test]
fn every_number_equals_that_of_an_independent_engine() {
    let (place, first) = pond_of_readings();
    let golden = testing::repository().join("crates/cmd/tests/golden");
    let mut queries: Vec<PathBuf> = std::fs::read_dir(golden.join("queries"))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    queries.sort();
    assert!(queries.len() >= 18, "{queries:?}");
    let mut wrong = Vec::new();
    for query in &queries {
        let name = query.file_stem().unwrap().to_str().unwrap();
        let answer = std::fs::read_to_string(golden.join(format!("answers/{name}.csv"))).unwrap();
        let first = first.to_string();
        let file = query.to_str().unwrap();
        let mut words = vec!["sql", "--format", "csv", "--rows", "all", "--file", file];
        if name == "tides_first_edition" {
            words.extend(["--as-of", &first]);
        }
        let ran = place.run(words);
        if ran.code != 0 {
            wrong.push(format!("{name}: {}", ran.stderr));
            continue;
        }
        wrong.extend(differences(ran.text(), &answer).map(|what| format!("{name}: {what}")));
    }
    // A chart says in words what it shows.
    place.run(["plot", "/tides/noyo.series", "--svg", "tides.svg"]).ok();
    let svg = String::from_utf8(place.read("tides.svg")).unwrap();
    let answer = std::fs::read_to_string(golden.join("answers/tides_union.csv")).unwrap();
    let (rest, greatest) = answer.trim_end().rsplit_once(',').unwrap();
    let (_, least) = rest.rsplit_once(',').unwrap();
    let words = format!("water_level_m: {least} to {greatest}.</desc>");
    if !svg.contains(&words) {
        wrong.push(format!("no {words:?} in the chart"));
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// The first few places where two CSV texts differ in value.
fn differences(found: &str, answer: &str) -> impl Iterator<Item = String> {
    let mut wrong = Vec::new();
    let (found, answer): (Vec<&str>, Vec<&str>) =
        (found.lines().collect(), answer.lines().collect());
    if found.len() != answer.len() || found.first() != answer.first() {
        wrong.push(format!(
            "{} lines, {:?}; expected {}, {:?}",
            found.len(),
            found.first(),
            answer.len(),
            answer.first()
        ));
    } else {
        let columns: Vec<&str> = answer[0].split(',').collect();
        for (line, (found, answer)) in found.iter().zip(&answer).enumerate().skip(1) {
            // No answer has a comma or quote in a value.
            for ((column, found), answer) in
                columns.iter().zip(found.split(',')).zip(answer.split(','))
            {
                if !same(column, found, answer) {
                    wrong
                        .push(format!("line {}: {column} is {found}, expected {answer}", line + 1));
                }
            }
            if found.split(',').count() != columns.len() {
                wrong.push(format!("line {}: {found}", line + 1));
            }
        }
    }
    wrong.truncate(5);
    wrong.into_iter()
}

fn same(column: &str, found: &str, answer: &str) -> bool {
    let (Ok(a), Ok(b)) = (found.parse::<f64>(), answer.parse::<f64>()) else {
        return found == answer;
    };
    let summed = ["sum", "avg"].iter().any(|end| column.ends_with(end));
    if summed { (a - b).abs() <= TOLERANCE * b.abs() } else { a == b }
}

#[test]
fn comparison_tells_a_wrong_number_from_a_rounded_one() {
    assert!(same("avg", "1.0000000000000002", "1"));
    assert!(!same("avg", "1.00000000001", "1"));
    assert!(!same("max", "1.0000000000000002", "1"));
    assert!(same("max", "1.0", "1"));
    assert!(!same("head_avg", "", "1") && same("head_avg", "", ""));
    assert_eq!(differences("a,b\n1,2\n", "a,b\n1,3\n").count(), 1);
    assert_eq!(differences("a,b\n1,2\n", "a,b\n1,2\n3,4\n").count(), 1);
}

#[test]
fn the_sample_holds_what_its_facts_say() {
    let facts = json(&std::fs::read_to_string(data("sample/facts.json")).unwrap());
    let place = Place::with_pond();
    let copy = |file: &str, to: &str, options: &[&str]| {
        let source = format!("host+csv+series://{}", data(&format!("sample/{file}")));
        let local =
            ["--time-column", "Timestamp", "--time-zone", ZONE, "--time-format", SAMPLE_TIME];
        place.run(
            ["copy", "-p", &source, to].into_iter().chain(local).chain(options.iter().copied()),
        )
    };
    for file in facts["dock"]["files_in_order"].as_array().unwrap() {
        let file = file.as_str().unwrap();
        let ran = copy(file, "/dock.series", &[]).ok();
        let repeated = &facts["dock"]["rows_in_repeated_hour"][file];
        assert_eq!(
            ran.stderr.contains("daylight saving"),
            repeated.is_number(),
            "{file}: {}",
            ran.stderr
        );
    }
    let described = place.run(["describe", "--format", "json", "/dock.series"]).ok();
    let described = &json(described.text())[0];
    assert_eq!(described["rows"], facts["dock"]["rows"]);
    assert_eq!(described["quarantined_rows"], facts["dock"]["rows_before_floor"]);
    let columns: Vec<&serde_json::Value> =
        described["columns"].as_array().unwrap().iter().map(|column| &column["name"]).collect();
    let expected: Vec<&serde_json::Value> =
        facts["dock"]["columns"].as_array().unwrap().iter().collect();
    assert_eq!(columns, expected);

    let days = place
        .run([
            "sql",
            "--format",
            "csv",
            "SELECT CAST(CAST(to_local_time(\"Timestamp\" AT TIME ZONE 'America/Los_Angeles') AS DATE) AS VARCHAR), \
             count(*), CAST(round(sum(\"Level (m)\") * 1000) AS BIGINT) \
             FROM '/dock.series' GROUP BY 1 ORDER BY 1",
        ])
        .ok();
    let expected: Vec<String> = facts["dock"]["days"]
        .as_array()
        .unwrap()
        .iter()
        .map(|day| {
            format!("{},{},{}", day["day"].as_str().unwrap(), day["rows"], day["level_mm_sum"])
        })
        .collect();
    let found: Vec<&str> = days.text().lines().skip(1).collect();
    assert_eq!(found, expected);

    for (file, lines, good) in [
        ("dock-skipped-hour.csv", &facts["dock-skipped-hour.csv"]["nonexistent_lines"], 2),
        ("dock-malformed.csv", &facts["dock-malformed.csv"]["malformed_lines"], 4),
    ] {
        let lines: Vec<u64> =
            lines.as_array().unwrap().iter().map(|line| line.as_u64().unwrap()).collect();
        let to = format!("/{file}.series");
        copy(file, &to, &[]).fails(6).says(&format!("line {}", lines[0]));
        place.run(["describe", &to]).fails(3);
        let skipped = copy(file, &to, &["--on-error", "skip"]).ok();
        for line in &lines {
            assert!(skipped.stderr.contains(&format!("line {line}")), "{}", skipped.stderr);
        }
        let count = format!("SELECT count(*) AS rows FROM '{to}'");
        place.run(["sql", "--format", "csv", &count]).ok().prints(&format!("rows\n{good}\n"));
    }
}
