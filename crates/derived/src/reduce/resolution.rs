//! How finely a series is reduced: widths of time, and which folds from which.
//!
//! - Fixed widths (`10s`, `15m`, `4h`) are cut from 1970-01-01T00:00Z.
//! - `day`, `week` (from Monday), `month` and `year` are civil, in a zone.
//!
//! The finest resolution is computed from rows, every other from the coarsest
//! finer one whose buckets lie whole in its own. That is so for
//!
//! | finer | coarser | when |
//! |---|---|---|
//! | fixed | fixed | the width divides the other |
//! | fixed | civil | the width divides a day and every offset from UTC that the zone has had since 1970 |
//! | `day` | `week`, `month`, `year` | always |
//! | `month` | `year` | always |
//!
//! Always true: a list of resolutions that has been [planned](levels) begins
//! with the finest, and each names a parent before it.

use std::fmt;
use std::ops::Range;

use jiff::Timestamp;
use jiff::tz::TimeZone;
use query::{CivilUnit, civil_span};
use serde::{Deserialize, Serialize};

use super::calendar::SpanRule;
use crate::{Error, Result};

const SECOND_US: i64 = 1_000_000;
const DAY_US: i64 = 86_400 * SECOND_US;
/// The longest fixed width: what is longer is civil.
const LONGEST_US: i64 = 3_660 * DAY_US;
/// The times that a calendar holds, in microseconds.
const CALENDAR: Range<i64> = -377_700_000_000 * SECOND_US..253_400_000_000 * SECOND_US;
/// Offsets of a zone are looked at up to here: 2100-01-01, by when every rule
/// that is in force has been seen.
const LAST_OFFSETS: i64 = 4_102_444_800;

/// One resolution.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Width {
    /// So many microseconds.
    Fixed(i64),
    /// `day`, `week`, `month` or `year`.
    Civil(CivilUnit),
}

/// A resolution as it was written, and what it means.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub(crate) struct Resolution {
    text: String,
    width: Width,
}

/// Why a text is no resolution.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum BadResolution {
    /// It is neither a number with a unit nor a word.
    #[error(
        "`{text}` is no resolution: write `30s`, `15m` or `4h`, or `day`, `week`, `month` or `year`"
    )]
    Unknown { text: String },
    /// Several days: fixed or civil?
    #[error(
        "`{text}` could be cut in two ways: `{hours}h` is fixed, from 1970-01-01T00:00Z; `day`, `week`, `month` and `year` are civil"
    )]
    Days { text: String, hours: u64 },
    /// Nothing, or more than ten years.
    #[error("`{text}` is no width from one second to ten years")]
    Extent { text: String },
}

impl TryFrom<String> for Resolution {
    type Error = BadResolution;

    fn try_from(text: String) -> Result<Self, BadResolution> {
        Self::parse(&text)
    }
}

impl From<Resolution> for String {
    fn from(resolution: Resolution) -> Self {
        resolution.text
    }
}

impl fmt::Display for Resolution {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.text)
    }
}

impl Resolution {
    /// Reads a resolution.
    pub(crate) fn parse(text: &str) -> Result<Self, BadResolution> {
        let width = match text {
            "day" | "1d" => Width::Civil(CivilUnit::Day),
            "week" | "1w" => Width::Civil(CivilUnit::Week),
            "month" => Width::Civil(CivilUnit::Month),
            "year" => Width::Civil(CivilUnit::Year),
            _ => fixed(text)?,
        };
        Ok(Self { text: text.to_owned(), width })
    }

    pub(crate) fn width(&self) -> Width {
        self.width
    }

    /// Whether its buckets are civil time.
    pub(crate) fn is_civil(&self) -> bool {
        matches!(self.width, Width::Civil(_))
    }

    /// About how long a bucket is.
    pub(crate) fn nominal_us(&self) -> i64 {
        match self.width {
            Width::Fixed(us) => us,
            Width::Civil(CivilUnit::Hour) => 3_600 * SECOND_US,
            Width::Civil(CivilUnit::Day) => DAY_US,
            Width::Civil(CivilUnit::Week) => 7 * DAY_US,
            Width::Civil(CivilUnit::Month) => 30 * DAY_US,
            Width::Civil(CivilUnit::Quarter) => 91 * DAY_US,
            Width::Civil(CivilUnit::Year) => 365 * DAY_US,
        }
    }

    /// The longest that a bucket can be.
    pub(crate) fn longest_us(&self) -> i64 {
        match self.width {
            Width::Fixed(us) => us,
            // A month has a day more than its nominal ones, a civil day two
            // hours more or, where a zone has left a date out, none.
            Width::Civil(_) => self.nominal_us() + 3 * DAY_US,
        }
    }

    /// The bucket that an instant lies in.
    ///
    /// # Errors
    /// [`Error::BeforeCivil`] for an instant before 1970 where civil time is
    /// asked for in a zone, because zones had offsets of seconds then; and for
    /// what no calendar holds.
    pub(crate) fn bucket(&self, us: i64, zone: &TimeZone) -> Result<Range<i64>> {
        if !CALENDAR.contains(&us) {
            return Err(no_calendar(us).into());
        }
        match self.width {
            Width::Fixed(width) => {
                let start = us.div_euclid(width) * width;
                Ok(start..start + width)
            }
            Width::Civil(unit) => {
                if us < 0 && !is_utc(zone) {
                    return Err(Error::BeforeCivil { us, zone: zone_name(zone).to_owned() });
                }
                let span = civil_span(unit, us, zone)?;
                Ok(span.start_us..span.end_us)
            }
        }
    }
}

/// The error for an instant that lies outside all calendars.
fn no_calendar(us: i64) -> query::Error {
    query::Error::BadRequest {
        what: format!("{us} us since 1970 is no time that a calendar holds"),
    }
}

fn fixed(text: &str) -> Result<Width, BadResolution> {
    let unknown = || BadResolution::Unknown { text: text.to_owned() };
    let digits = text.len() - text.trim_start_matches(|c: char| c.is_ascii_digit()).len();
    let (number, unit) = text.split_at(digits);
    let number: u64 = number.parse().map_err(|_| unknown())?;
    let seconds = match unit {
        "s" => 1,
        "m" | "min" => 60,
        "h" => 3_600,
        "d" => {
            return Err(BadResolution::Days {
                text: text.into(),
                hours: number.saturating_mul(24),
            });
        }
        "w" => {
            return Err(BadResolution::Days {
                text: text.into(),
                hours: number.saturating_mul(168),
            });
        }
        _ => return Err(unknown()),
    };
    i64::try_from(number)
        .ok()
        .and_then(|number| number.checked_mul(seconds * SECOND_US))
        .filter(|us| (1..=LONGEST_US).contains(us))
        .map(Width::Fixed)
        .ok_or_else(|| BadResolution::Extent { text: text.to_owned() })
}

/// The zone's name, as Arrow has it.
pub(crate) fn zone_name(zone: &TimeZone) -> &str {
    zone.iana_name().unwrap_or("UTC")
}

pub(crate) fn is_utc(zone: &TimeZone) -> bool {
    matches!(zone.iana_name(), None | Some("UTC" | "Etc/UTC"))
}

/// One resolution among others.
#[derive(Clone, Debug)]
pub(crate) struct Level {
    pub(crate) resolution: Resolution,
    /// The level it folds from; `None`: it is computed from rows.
    pub(crate) parent: Option<usize>,
    /// How its tiles are cut.
    pub(crate) span: SpanRule,
}

/// The resolutions in order, the finest first, each with what it folds from.
///
/// # Errors
/// [`Error::NoFold`] for one that folds from no finer one.
pub(crate) fn levels(resolutions: &[Resolution], zone: &TimeZone) -> Result<Vec<Level>> {
    let mut sorted: Vec<&Resolution> = resolutions.iter().collect();
    sorted.sort_by_key(|resolution| (resolution.nominal_us(), resolution.width));
    // Another word for the same buckets is another name for the same level.
    sorted.dedup_by_key(|resolution| resolution.width);
    let offsets = Offsets::of(zone);
    let mut levels: Vec<Level> = Vec::with_capacity(sorted.len());
    for resolution in sorted {
        let parent = levels
            .iter()
            .rposition(|finer| nests(finer.resolution.width, resolution.width, &offsets));
        if let (None, Some(finest)) = (parent, levels.first()) {
            return Err(Error::NoFold {
                resolution: resolution.to_string(),
                finer: finest.resolution.to_string(),
                add: missing(finest.resolution.width, resolution.width, &offsets),
            });
        }
        let span = SpanRule::of(resolution);
        levels.push(Level { resolution: resolution.clone(), parent, span });
    }
    Ok(levels)
}

/// What all offsets of a zone since 1970 have in common.
struct Offsets {
    /// The longest width, in seconds, that divides all of them and a day.
    divisor: i64,
}

impl Offsets {
    fn of(zone: &TimeZone) -> Self {
        let mut divisor = gcd(DAY_US / SECOND_US, offset(zone, Timestamp::UNIX_EPOCH));
        for transition in zone.following(Timestamp::UNIX_EPOCH) {
            if transition.timestamp().as_second() > LAST_OFFSETS {
                break;
            }
            divisor = gcd(divisor, i64::from(transition.offset().seconds()));
        }
        Self { divisor }
    }
}

fn offset(zone: &TimeZone, at: Timestamp) -> i64 {
    i64::from(zone.to_offset(at).seconds())
}

fn gcd(a: i64, b: i64) -> i64 {
    if b == 0 { a.abs() } else { gcd(b, a % b) }
}

fn nests(finer: Width, coarser: Width, offsets: &Offsets) -> bool {
    match (finer, coarser) {
        (Width::Fixed(finer), Width::Fixed(coarser)) => coarser % finer == 0,
        (Width::Fixed(finer), Width::Civil(_)) => (offsets.divisor * SECOND_US) % finer == 0,
        (Width::Civil(_), Width::Fixed(_)) => false,
        (Width::Civil(finer), Width::Civil(coarser)) => matches!(
            (finer, coarser),
            (CivilUnit::Day, CivilUnit::Week | CivilUnit::Month | CivilUnit::Year)
                | (CivilUnit::Month, CivilUnit::Year)
        ),
    }
}

/// What to add so that the coarser one has something to fold from, and that
/// folds from the finest.
fn missing(finest: Width, coarser: Width, offsets: &Offsets) -> String {
    let divisor = offsets.divisor * SECOND_US;
    match (finest, coarser) {
        (Width::Civil(_), Width::Civil(_)) => "day".to_owned(),
        (Width::Fixed(finest), Width::Fixed(coarser)) => text_of(gcd(finest, coarser)),
        (Width::Fixed(finest), Width::Civil(_)) => text_of(gcd(finest, divisor)),
        (Width::Civil(_), Width::Fixed(coarser)) => text_of(gcd(coarser, divisor)),
    }
}

fn text_of(us: i64) -> String {
    let seconds = us / SECOND_US;
    match seconds {
        _ if seconds % 3_600 == 0 => format!("{}h", seconds / 3_600),
        _ if seconds % 60 == 0 => format!("{}m", seconds / 60),
        _ => format!("{seconds}s"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan(texts: &[&str], zone: &str) -> Result<Vec<(String, Option<usize>)>> {
        let resolutions: Vec<Resolution> =
            texts.iter().map(|text| Resolution::parse(text).unwrap()).collect();
        let levels = levels(&resolutions, &TimeZone::get(zone).unwrap())?;
        Ok(levels.into_iter().map(|level| (level.resolution.to_string(), level.parent)).collect())
    }

    fn refusal(texts: &[&str], zone: &str) -> (String, String) {
        match plan(texts, zone) {
            Err(Error::NoFold { resolution, add, .. }) => (resolution, add),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn each_folds_from_the_coarsest_finer_one_that_nests() {
        let levels = plan(&["month", "4h", "1h", "day", "year", "week", "12h"], "Europe/Rome");
        let levels = levels.unwrap();
        let named: Vec<(&str, Option<&str>)> = levels
            .iter()
            .map(|(text, parent)| (text.as_str(), parent.map(|at| levels[at].0.as_str())))
            .collect();
        assert_eq!(
            named,
            [
                ("1h", None),
                ("4h", Some("1h")),
                ("12h", Some("4h")),
                ("day", Some("1h")),
                ("week", Some("day")),
                ("month", Some("day")),
                ("year", Some("month")),
            ]
        );
    }

    #[test]
    fn day_of_a_half_hour_zone_needs_half_hours() {
        assert_eq!(refusal(&["1h", "day"], "Asia/Kolkata"), ("day".into(), "30m".into()));
        assert!(plan(&["30m", "1h", "day"], "Asia/Kolkata").is_ok());
    }

    #[test]
    fn day_of_utc_folds_from_a_fixed_day() {
        assert_eq!(plan(&["24h", "day"], "UTC").unwrap()[1].1, Some(0));
        // A fixed day divides no offset but none.
        assert_eq!(refusal(&["24h", "day"], "Europe/Rome"), ("day".into(), "1h".into()));
    }

    #[test]
    fn widths_that_do_not_divide_are_refused_with_what_to_add() {
        assert_eq!(refusal(&["1h", "90m"], "UTC"), ("90m".into(), "30m".into()));
        assert_eq!(refusal(&["week", "month"], "UTC"), ("month".into(), "day".into()));
        assert_eq!(refusal(&["day", "48h"], "UTC"), ("48h".into(), "24h".into()));
    }

    #[test]
    fn texts_that_are_no_resolutions_say_what_is() {
        for text in
            ["7d", "2w", "0h", "h", "", "1y", "-1h", "1.5h", "99999999999999999999h", "quarter"]
        {
            assert!(Resolution::parse(text).is_err(), "{text}");
        }
        assert!(Resolution::parse("7d").unwrap_err().to_string().contains("`168h` is fixed"));
        assert_eq!(Resolution::parse("90min").unwrap().width(), Width::Fixed(5_400 * SECOND_US));
    }

    #[test]
    fn civil_buckets_cover_time_without_gap() {
        for name in [
            "UTC",
            "America/Los_Angeles",
            "Europe/Rome",
            "Asia/Kolkata",
            "America/Havana",
            "Australia/Lord_Howe",
        ] {
            let zone = TimeZone::get(name).unwrap();
            for text in ["day", "week", "month", "year"] {
                let resolution = Resolution::parse(text).unwrap();
                let mut next = resolution.bucket(40 * DAY_US, &zone).unwrap();
                while next.start < 2_208_988_800 * SECOND_US {
                    let last = resolution.bucket(next.end - 1, &zone).unwrap();
                    assert_eq!(last, next, "{text} in {name}");
                    assert!(next.end - next.start <= resolution.longest_us());
                    let after = resolution.bucket(next.end, &zone).unwrap();
                    assert_eq!(after.start, next.end, "{text} in {name}");
                    next = after;
                }
            }
        }
    }

    #[test]
    fn civil_time_before_1970_is_an_error_in_a_zone_alone() {
        let day = Resolution::parse("day").unwrap();
        assert!(day.bucket(-1, &TimeZone::UTC).is_ok());
        let zone = TimeZone::get("Europe/Rome").unwrap();
        assert!(matches!(day.bucket(-1, &zone), Err(Error::BeforeCivil { us: -1, .. })));
        let hour = Resolution::parse("1h").unwrap();
        assert_eq!(hour.bucket(-1, &zone).unwrap(), -3_600 * SECOND_US..0);
        assert!(hour.bucket(i64::MIN, &zone).is_err());
    }
}
