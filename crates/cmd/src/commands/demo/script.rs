//! What the demo does, as data: chapters and commands in order.
//!
//! A word may name a transaction that an earlier step remembered, as `{first}`
//! or `{revised}`; it is filled in before the command is shown and run.

use std::collections::BTreeMap;

use super::Teller;
use crate::error::Result;

/// The chart that the demo writes, in its directory.
pub(super) const CHART: &str = "groundwater.svg";

/// One step.
enum Step {
    /// A heading, and a few lines on why.
    Chapter(&'static str, &'static str),
    /// A verb with its arguments.
    Pond(&'static [&'static str]),
    /// Gives the newest transaction a name.
    Remember(&'static str),
}
use Step::{Chapter, Pond, Remember};

/// The steps that make the pond.
const BEGIN: &[Step] = &[
    Chapter("A pond is a directory", "It is made once; everything later names it by $POND."),
    Pond(&["init"]),
];

/// The steps on it.
const REST: &[Step] = &[
    Chapter(
        "Readings in, as they came",
        "A file of readings becomes a series: a table in time, each copy a version of it.\n\
         CSV, JSON and Parquet, plain or compressed; local times need their zone named.",
    ),
    Pond(&[
        "copy",
        "-p",
        "host+csv+zstd+series:data/noyo-edition-1.csv.zst",
        "/tides/noyo.series",
        "--time-column",
        "time",
        "--time-zone",
        "America/Los_Angeles",
    ]),
    Remember("first"),
    Pond(&[
        "copy",
        "-p",
        "host+csv+gzip+series:data/weather.csv.gz",
        "/schwingbach/weather.series",
        "--time-column",
        "time",
        "--time-zone",
        "Etc/GMT-1",
    ]),
    Pond(&[
        "copy",
        "host+csv+zstd+series:data/soil-moisture.csv.zst",
        "/schwingbach/soil.series",
        "--time-column",
        "time",
        "--time-zone",
        "Etc/GMT-1",
    ]),
    Pond(&[
        "copy",
        "-p",
        "host+csv+series:data/water-flow.csv",
        "/pipeline/flow.series",
        "--time-column",
        "Time",
    ]),
    Chapter(
        "Tables, and files of any kind",
        "A table is replaced as a whole. Other files are kept byte for byte:\n\
         below 64 KiB inside the log, from there on as a file of their own.",
    ),
    Pond(&["copy", "-p", "host+csv+table:data/sites.csv", "/tables/sites.table"]),
    Pond(&["copy", "host+csv+table:data/noyo-high-low.csv", "/tides/high-low.table"]),
    Pond(&["copy", "-p", "host:data/notes.md", "/docs/notes.md"]),
    Pond(&["copy", "host:data/weather.csv.gz", "/docs/weather-as-delivered.csv.gz"]),
    Pond(&["ln", "-s", "/docs/weather-as-delivered.csv.gz", "/schwingbach/source.csv.gz"]),
    Pond(&["list", "-l", "/**/*"]),
    Chapter(
        "A revised edition of the same series",
        "It overlaps the first by six months. Nothing is lost: where both have an\n\
         instant, the newest version counts, and the first stays in the history.",
    ),
    Pond(&["copy", "host+csv+zstd+series:data/noyo-edition-2.csv.zst", "/tides/noyo.series"]),
    Remember("revised"),
    Pond(&["describe", "/tides/noyo.series"]),
    Chapter(
        "Questions in SQL",
        "A path is a table. Two series joined: rain, groundwater and soil in 2016.",
    ),
    Pond(&[
        "sql",
        "--time-start",
        "2016-01-01T00:00+01:00",
        "SELECT civil_trunc('month', w.time, 'Etc/GMT-1') AS month, round(sum(w.rain_mmday) / 24) AS rain_mm, \
         round(avg(w.gwhead_m), 2) AS head_m, round(avg(s.soil_moisture_40cm), 3) AS soil_40cm \
         FROM '/schwingbach/weather.series' w JOIN '/schwingbach/soil.series' s ON w.time = s.time \
         GROUP BY month ORDER BY month",
    ]),
    Chapter(
        "Days as people count them",
        "Six-minute readings to civil days in the station's zone. On 2 November 2025\n\
         daylight saving ends: that day has 25 hours and 250 readings.",
    ),
    Pond(&[
        "sql",
        "--time-start",
        "2025-10-31T00:00[America/Los_Angeles]",
        "--time-end",
        "2025-11-04T23:59[America/Los_Angeles]",
        "SELECT civil_trunc('day', time, 'America/Los_Angeles') AS day, \
         count(*) AS readings, min(water_level_m) AS lowest, round(avg(water_level_m), 3) AS mean, \
         max(water_level_m) AS highest FROM '/tides/noyo.series' GROUP BY day ORDER BY day",
    ]),
    Chapter("Charts", "In the terminal, and as a picture for a report or a web page."),
    Pond(&[
        "plot",
        "/tides/noyo.series",
        "--title",
        "Tide at Noyo Harbor over the end of daylight saving",
        "--time-start",
        "2025-10-31T00:00[America/Los_Angeles]",
        "--time-end",
        "2025-11-04T23:59[America/Los_Angeles]",
    ]),
    Pond(&[
        "plot",
        "/schwingbach/weather.series",
        "--column",
        "gwhead_m",
        "--column",
        "airtemp_degC",
        "--title",
        "Groundwater and air at the Schwingbach, 2014 to 2016",
        "--svg",
        CHART,
    ]),
    Chapter("Nothing is forgotten", "Every change is a transaction with its command line."),
    Pond(&["log", "-n", "4"]),
    Pond(&["show", "{revised}"]),
    Pond(&["diff", "{first}", "{revised}", "/tides/noyo.series"]),
    Pond(&[
        "sql",
        "SELECT count(*) AS rows, max(time) AS newest, round(avg(water_level_m), 4) AS mean \
         FROM '/tides/noyo.series'",
    ]),
    Pond(&[
        "sql",
        "--as-of",
        "{first}",
        "SELECT count(*) AS rows, max(time) AS newest, round(avg(water_level_m), 4) AS mean \
         FROM '/tides/noyo.series'",
    ]),
    Chapter("Out again, in open formats", "What leaves the pond is checked against its hash."),
    Pond(&["copy", "/tides/noyo.series", "host:tides.parquet"]),
    Pond(&["cat", "host+parquet:tides.parquet", "--sql", "SELECT count(*) AS rows FROM source"]),
    Chapter("Is all of it whole?", "Every byte is read and compared with its hash."),
    Pond(&["fsck"]),
    Pond(&["status"]),
];

/// What the user may type next.
pub(super) const NEXT: &[&str] = &[
    "pond sql                                   # a shell with completion of paths and columns",
    "pond cat /docs/notes.md",
    "pond plot /pipeline/flow.series",
    "pond sql \"SELECT site, zone FROM '/tables/sites.table'\"",
    "pond cat --as-of 1 /tides/noyo.series --sql 'SELECT max(water_level_m) FROM source'",
    "pond copy --help",
];

/// Makes the pond.
pub(super) async fn begin(teller: &mut Teller) -> Result<()> {
    tell(teller, BEGIN).await
}

/// Works on it.
pub(super) async fn rest(teller: &mut Teller) -> Result<()> {
    tell(teller, REST).await
}

async fn tell(teller: &mut Teller, steps: &[Step]) -> Result<()> {
    let mut remembered = BTreeMap::new();
    for step in steps {
        match step {
            Chapter(heading, why) => teller.chapter(heading, why)?,
            Remember(name) => drop(remembered.insert(*name, teller.transaction().await?)),
            Pond(words) => {
                let words: Vec<String> =
                    words.iter().map(|word| filled(word, &remembered)).collect();
                let words: Vec<&str> = words.iter().map(String::as_str).collect();
                teller.pond(&words).await?;
            }
        }
    }
    Ok(())
}

/// A word, or the transaction it names.
fn filled(word: &str, remembered: &BTreeMap<&'static str, u64>) -> String {
    let name = word.strip_prefix('{').and_then(|word| word.strip_suffix('}'));
    match name.and_then(|name| remembered.get(name)) {
        Some(transaction) => transaction.to_string(),
        None => word.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;

    use super::*;
    use crate::args::Cli;

    #[test]
    fn every_command_parses() {
        let mut remembered = BTreeMap::new();
        let mut commands = 0;
        for step in BEGIN.iter().chain(REST) {
            match step {
                Chapter(..) => {}
                Remember(name) => drop(remembered.insert(*name, 7)),
                Pond(words) => {
                    let words = words.iter().map(|word| filled(word, &remembered));
                    let line: Vec<String> =
                        std::iter::once("pond".to_owned()).chain(words).collect();
                    assert!(!line.iter().any(|word| word.starts_with('{')), "{line:?}");
                    if let Err(error) = Cli::try_parse_from(&line) {
                        panic!("{line:?}: {error}");
                    }
                    commands += 1;
                }
            }
        }
        assert!(commands > 20);
    }
}
