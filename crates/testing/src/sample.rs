//! A sample of what instruments really deliver, made up from a seed.
//!
//! Two instruments, exported by hand as CSV in naive local time of
//! America/Los_Angeles: a logger at a dock and one in a well. The files show
//! the defects that readings have in practice, each once and small enough to be
//! checked by eye:
//!
//! - snapshots that overlap, the later one recalibrated (`dock-1`, `dock-2`);
//! - an hour that daylight saving skips and one that it repeats;
//! - a clock that began at 1970 (`dock-2`);
//! - a column that appears later (`dock-2`);
//! - readings that arrive late, into a hole (`dock-late`);
//! - a clock that was not put forward (`dock-skipped-hour`);
//! - rows that can not be read (`dock-malformed`);
//! - a unit that changes, and a name garbled on the way (`well-2`).
//!
//! Always true: one seed gives the same bytes on every machine (integers only,
//! no float decides a digit); what a reader must find is in `facts.json`,
//! computed from the readings and not from the files.
//!
//! Deliberately not here: anything of ours that could read the files.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use jiff::civil::{Date, date};
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

/// The seed of the sample that is checked in under `data/sample`.
pub const SEED: u64 = 20_241_103;

/// The zone of the instruments' clocks.
const ZONE: &str = "America/Los_Angeles";

/// A made-up file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SampleFile {
    /// Its name, without a directory.
    pub name: &'static str,
    /// Its content.
    pub content: String,
}

/// The files of the sample with this seed, `facts.json` last.
///
/// # Panics
/// When the time zone database lacks America/Los_Angeles.
#[must_use]
#[expect(clippy::expect_used, reason = "the zone is compiled in")]
pub fn files(seed: u64) -> Vec<SampleFile> {
    let zone = TimeZone::get(ZONE).expect("America/Los_Angeles is in the database");
    let mut random = Random(seed);
    let mut files = Vec::new();

    // The dock: one reading each half hour, in spring and in autumn.
    let spring = dock(&mut random, &zone, date(2024, 3, 8), date(2024, 3, 14));
    let autumn = dock(&mut random, &zone, date(2024, 11, 2), date(2024, 11, 5));
    let day_of = |reading: &DockReading| reading.at.to_zoned(zone.clone()).date();
    let hour_of = |reading: &DockReading| reading.at.to_zoned(zone.clone()).hour();
    let is_late = |reading: &&DockReading| {
        day_of(reading) == date(2024, 3, 9) && (12..15).contains(&hour_of(reading))
    };

    let first: Vec<_> = spring
        .iter()
        .filter(|reading| day_of(reading) < date(2024, 3, 12) && !is_late(reading))
        .cloned()
        .collect();
    let second: Vec<_> = spring
        .iter()
        .filter(|reading| day_of(reading) >= date(2024, 3, 11))
        // Recalibrated: what the first snapshot said of this day is superseded.
        .map(|reading| DockReading { level_mm: reading.level_mm + 12, ..reading.clone() })
        .collect();
    let late: Vec<_> = spring.iter().filter(is_late).cloned().collect();

    let bad_clock = "12/31/1969 16:00:00,1.207,11.2,30.11
12/31/1969 16:02:00,1.204,11.2,30.14
12/31/1969 16:16:00,1.199,11.1,30.09
";
    files.push(dock_file("dock-1.csv", &zone, &first, false, ""));
    files.push(dock_file("dock-2.csv", &zone, &second, true, bad_clock));
    files.push(dock_file("dock-3.csv", &zone, &autumn, true, ""));
    files.push(dock_file("dock-late.csv", &zone, &late, false, ""));
    files.push(SampleFile {
        name: "dock-skipped-hour.csv",
        content: "Timestamp,Level (m),Temp (°C)
03/10/2024 01:30:00,1.310,11.4
03/10/2024 02:00:00,1.352,11.4
03/10/2024 02:30:00,1.398,11.3
03/10/2024 03:00:00,1.441,11.3
"
        .to_owned(),
    });
    files.push(SampleFile {
        name: "dock-malformed.csv",
        content: "Timestamp,Level (m),Temp (°C)
03/15/2024 00:00:00,1.250,11.4
03/15/2024 25:00:00,1.300,11.4
03/15/2024 01:00:00,1.350,11.5
03/15/2024 01:30:00,1.400
03/15/2024 02:00:00,1.450,11.6
,1.500,11.6
03/15/2024 03:00:00,1.550,11.7
"
        .to_owned(),
    });

    // The well: one reading each hour; in the second file the logger's display
    // units were changed, and the header went through a wrong encoding.
    let well = well(&mut random, &zone, date(2024, 6, 1), date(2024, 6, 5));
    let (metric, imperial): (Vec<_>, Vec<_>) = well
        .iter()
        .cloned()
        .partition(|reading| reading.at.to_zoned(zone.clone()).date() < date(2024, 6, 3));
    files.push(well_file("well-1.csv", &zone, &metric, Units::Metric));
    files.push(well_file("well-2.csv", &zone, &imperial, Units::Imperial));

    // What must be found. Later files win where they have the same instant.
    let mut dock: BTreeMap<Timestamp, DockReading> = BTreeMap::new();
    for reading in first.iter().chain(&second).chain(&autumn).chain(&late) {
        dock.insert(reading.at, reading.clone());
    }
    let rows: BTreeMap<&str, usize> = files
        .iter()
        .map(|file| (file.name, file.content.lines().count().saturating_sub(1)))
        .collect();
    let facts = json!({
        "seed": seed,
        "zone": ZONE,
        "time_format": "%m/%d/%Y %H:%M:%S",
        "rows_in_file": rows,
        "dock": {
            "files_in_order": ["dock-1.csv", "dock-2.csv", "dock-3.csv", "dock-late.csv"],
            "columns": ["Timestamp", "Level (m)", "Temp (°C)", "Salinity (psu)"],
            "rows": dock.len(),
            "rows_before_floor": 3,
            "superseded_rows": first.len() + second.len() + autumn.len() + late.len() - dock.len(),
            "rows_without_salinity": dock.values().filter(|reading| !second.contains(reading) && !autumn.contains(reading)).count(),
            "rows_in_repeated_hour": {"dock-3.csv": 4},
            "first": dock.keys().next().map(ToString::to_string),
            "last": dock.keys().next_back().map(ToString::to_string),
            "days": days(&zone, dock.values()),
        },
        "dock-skipped-hour.csv": {"nonexistent_lines": [3, 4]},
        "dock-malformed.csv": {"good_rows": 4, "malformed_lines": [3, 5, 7]},
        "well": {
            "files_in_order": ["well-1.csv", "well-2.csv"],
            "rows": well.len(),
            "rows_in_psi": metric.len(),
            "rows_in_mm_hg": imperial.len(),
            "mm_hg_per_psi": 51.714_932_571_5,
            "feet_per_metre": 3.280_839_895,
            "garbled_column": "Temp (Â°C)",
            "level_mm_sum": well.iter().map(|reading| reading.level_mm).sum::<i64>(),
        },
    });
    let content = format!("{facts:#}\n");
    files.push(SampleFile { name: "facts.json", content });
    files
}

/// For each civil day: how many readings, and the sum, least and greatest level.
fn days<'a>(zone: &TimeZone, readings: impl Iterator<Item = &'a DockReading>) -> Vec<Value> {
    let mut days: BTreeMap<Date, Vec<i64>> = BTreeMap::new();
    for reading in readings {
        days.entry(reading.at.to_zoned(zone.clone()).date()).or_default().push(reading.level_mm);
    }
    days.into_iter()
        .map(|(day, levels)| {
            json!({
                "day": day.to_string(),
                "rows": levels.len(),
                "level_mm_sum": levels.iter().sum::<i64>(),
                "level_mm_min": levels.iter().min(),
                "level_mm_max": levels.iter().max(),
            })
        })
        .collect()
}

/// One reading at the dock, in whole units of what the file shows.
#[derive(Clone, Debug, PartialEq, Eq)]
struct DockReading {
    at: Timestamp,
    level_mm: i64,
    temp_tenths: i64,
    salinity_hundredths: i64,
}

fn dock(random: &mut Random, zone: &TimeZone, from: Date, to: Date) -> Vec<DockReading> {
    instants(zone, from, to, SignedDuration::from_mins(30))
        .map(|at| {
            let tide = wave(at, 44_714) * 620 / 1_000 + wave(at, 86_164) * 240 / 1_000;
            DockReading {
                at,
                level_mm: 1_100 + tide + random.within(9),
                temp_tenths: 115 + wave(at, 86_400) * 12 / 1_000 + random.within(2),
                salinity_hundredths: 3_020 + wave(at, 44_714) * 80 / 1_000 + random.within(6),
            }
        })
        .collect()
}

fn dock_file(
    name: &'static str,
    zone: &TimeZone,
    readings: &[DockReading],
    salinity: bool,
    first_rows: &str,
) -> SampleFile {
    let header = if salinity { ",Salinity (psu)" } else { "" };
    let mut content = format!("Timestamp,Level (m),Temp (°C){header}\n{first_rows}");
    for reading in readings {
        let DockReading { at, level_mm, temp_tenths, salinity_hundredths } = reading;
        content.push_str(&local(*at, zone));
        let _ = write!(content, ",{},{}", Fixed(*level_mm, 3), Fixed(*temp_tenths, 1));
        if salinity {
            let _ = write!(content, ",{}", Fixed(*salinity_hundredths, 2));
        }
        content.push('\n');
    }
    SampleFile { name, content }
}

/// One reading in the well.
#[derive(Clone, Debug, PartialEq, Eq)]
struct WellReading {
    at: Timestamp,
    pressure_millipsi: i64,
    level_mm: i64,
    temp_tenths: i64,
}

fn well(random: &mut Random, zone: &TimeZone, from: Date, to: Date) -> Vec<WellReading> {
    instants(zone, from, to, SignedDuration::from_hours(1))
        .map(|at| WellReading {
            at,
            pressure_millipsi: 14_650 + wave(at, 43_200) * 30 / 1_000 + random.within(5),
            level_mm: 8_420 + wave(at, 86_400) * 45 / 1_000 + random.within(4),
            temp_tenths: 132 + random.within(1),
        })
        .collect()
}

/// What the well's logger was set to show.
#[derive(Clone, Copy)]
enum Units {
    Metric,
    Imperial,
}

fn well_file(
    name: &'static str,
    zone: &TimeZone,
    readings: &[WellReading],
    units: Units,
) -> SampleFile {
    let mut content = match units {
        Units::Metric => "Timestamp,Pressure (psi),Level (m),Temp (°C)\n",
        // UTF-8 taken for Latin-1 and written as UTF-8 again.
        Units::Imperial => "Timestamp,Pressure (mm Hg),Level (ft),Temp (Â°C)\n",
    }
    .to_owned();
    for reading in readings {
        content.push_str(&local(reading.at, zone));
        let (pressure, level) = match units {
            Units::Metric => (Fixed(reading.pressure_millipsi, 3), Fixed(reading.level_mm, 3)),
            Units::Imperial => (
                Fixed(divided(reading.pressure_millipsi * 517_149, 100_000), 2),
                Fixed(divided(reading.level_mm * 328_084, 100_000), 3),
            ),
        };
        let _ = writeln!(content, ",{pressure},{level},{}", Fixed(reading.temp_tenths, 1));
    }
    SampleFile { name, content }
}

/// The division, rounded half up.
fn divided(value: i64, by: i64) -> i64 {
    (2 * value + by).div_euclid(2 * by)
}

/// Instants from the first midnight up to the last, `step` apart.
#[expect(clippy::expect_used, reason = "days of this century have a beginning")]
fn instants(
    zone: &TimeZone,
    from: Date,
    to: Date,
    step: SignedDuration,
) -> impl Iterator<Item = Timestamp> {
    let midnight = |day: Date| day.to_zoned(zone.clone()).expect("a civil day").timestamp();
    let (first, last) = (midnight(from), midnight(to));
    std::iter::successors(Some(first), move |at| Some(*at + step)).take_while(move |at| *at < last)
}

/// The time on the instrument's clock, which shows no offset.
fn local(at: Timestamp, zone: &TimeZone) -> String {
    at.to_zoned(zone.clone()).strftime("%m/%d/%Y %H:%M:%S").to_string()
}

/// A wave of 1,000 with this period in seconds; Bhaskara's sine, in integers.
fn wave(at: Timestamp, period: i64) -> i64 {
    let phase = at.as_second().rem_euclid(period) * 3_600 / period;
    let (half, sign) = if phase < 1_800 { (phase, 1) } else { (phase - 1_800, -1) };
    let product = half * (1_800 - half);
    sign * 4_000 * product / (4_050_000 - product)
}

/// A number with so many decimals.
struct Fixed(i64, u32);

impl std::fmt::Display for Fixed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self(value, decimals) = *self;
        let one = 10_i64.pow(decimals);
        let sign = if value < 0 { "-" } else { "" };
        let (whole, part) = (value.abs() / one, value.abs() % one);
        write!(f, "{sign}{whole}.{part:0width$}", width = decimals as usize)
    }
}

/// SplitMix64, which is a few lines and the same everywhere.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number from `-most` to `most`.
    fn within(&mut self, most: i64) -> i64 {
        let values = 2 * most.unsigned_abs() + 1;
        // At most `2 * most`, which fits.
        (self.next() % values) as i64 - most
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sample_that_is_checked_in_is_what_the_seed_makes() {
        let folder = crate::repository().join("data/sample");
        for file in files(SEED) {
            let stored = std::fs::read_to_string(folder.join(file.name)).unwrap();
            assert!(
                stored == file.content,
                "{} differs: cargo run -p testing --example sample",
                file.name
            );
        }
    }

    #[test]
    fn another_seed_makes_other_readings() {
        let differing = files(1).into_iter().zip(files(2)).filter(|(a, b)| a != b).count();
        assert_eq!(differing, 7, "all but the two files that are fixed text");
    }

    #[test]
    fn a_day_has_as_many_readings_as_half_hours() {
        let facts = files(SEED).pop().unwrap();
        let facts: Value = serde_json::from_str(&facts.content).unwrap();
        let rows = |day: &str| {
            let days = facts["dock"]["days"].as_array().unwrap();
            days.iter().find(|each| each["day"] == day).unwrap()["rows"].as_u64().unwrap()
        };
        assert_eq!((rows("2024-03-09"), rows("2024-03-10"), rows("2024-11-03")), (48, 46, 50));
    }
}
