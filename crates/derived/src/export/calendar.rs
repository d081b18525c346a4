//! How rows are cut into partitions: by the civil calendar of a zone.
//!
//! Always true: every instant lies in exactly one partition; a partition is one
//! stretch of time, with one directory and one file. An hour that the clock
//! repeats is two stretches with the same name: their directory is the same,
//! and the second has a file of its own.

use std::ops::Range;
use std::str::FromStr;

use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::{AmbiguousOffset, Offset, TimeZone};
use query::{CivilUnit, civil_span};

use crate::Result;

const SECOND_US: i64 = 1_000_000;
const HOUR_US: i64 = 3_600 * SECOND_US;

/// How finely rows are cut: by year, by year and month, and so on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Temporal(CivilUnit);

const UNITS: [(&str, CivilUnit); 4] = [
    ("year", CivilUnit::Year),
    ("month", CivilUnit::Month),
    ("day", CivilUnit::Day),
    ("hour", CivilUnit::Hour),
];

impl Temporal {
    /// The columns that partitions give, coarse to fine.
    pub fn columns(self) -> impl Iterator<Item = &'static str> {
        let last = UNITS.iter().position(|(_, unit)| *unit == self.0).unwrap_or_default();
        UNITS[..=last].iter().map(|(name, _)| *name)
    }
}

impl FromStr for Temporal {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let words: Vec<&str> = text.split(',').map(str::trim).collect();
        let matches = words.iter().zip(UNITS).all(|(word, (name, _))| *word == name);
        match words.len().checked_sub(1).and_then(|last| UNITS.get(last)) {
            Some((_, unit)) if matches => Ok(Self(*unit)),
            _ => Err(format!(
                "`{text}` is none of `year`, `year,month`, `year,month,day` and `year,month,day,hour`"
            )),
        }
    }
}

/// A partition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Partition {
    /// Its time; the end is not within.
    pub(crate) span: Range<i64>,
    /// Where its file is, below the directory of its table.
    pub(crate) file: String,
}

/// Cuts time into partitions.
#[derive(Clone, Debug)]
pub(crate) struct Calendar {
    pub(crate) temporal: Temporal,
    pub(crate) zone: TimeZone,
}

impl Calendar {
    /// The partition that an instant lies in; `ending` is how its file ends.
    ///
    /// # Errors
    /// For an instant that no calendar holds.
    pub(crate) fn partition(&self, us: i64, ending: &str) -> Result<Partition> {
        let instant = instant(us)?;
        let at = instant.to_zoned(self.zone.clone());
        let span = match self.temporal.0 {
            CivilUnit::Hour => self.hour(instant)?,
            unit => {
                let span = civil_span(unit, us, &self.zone)?;
                span.start_us..span.end_us
            }
        };
        let mut file = String::new();
        for column in self.temporal.columns() {
            file.push_str(&match column {
                "year" => format!("year={:04}/", at.year()),
                "month" => format!("month={:02}/", at.month()),
                "day" => format!("day={:02}/", at.day()),
                _ => format!("hour={:02}/", at.hour()),
            });
        }
        let second = self.temporal.0 == CivilUnit::Hour && self.label(instant).1;
        file.push_str(if second { "data-2." } else { "data." });
        file.push_str(ending);
        Ok(Partition { span, file })
    }

    /// The hour of the clock that an instant lies in, and whether it is one
    /// that the clock shows for the second time.
    fn label(&self, instant: Timestamp) -> (DateTime, bool) {
        let offset = self.zone.to_offset(instant);
        let civil = offset.to_datetime(instant);
        let again = matches!(
            self.zone.to_ambiguous_timestamp(civil).offset(),
            AmbiguousOffset::Fold { after, .. } if after == offset
        );
        let hour = civil.date().at(civil.hour(), 0, 0, 0);
        (hour, again)
    }

    /// The stretch of time around an instant that has its label. A change of
    /// the clock may begin or end it, or lie within.
    fn hour(&self, instant: Timestamp) -> Result<Range<i64>> {
        let label = self.label(instant);
        let by_offset = |offset: Offset, at: Timestamp| {
            let shift = i64::from(offset.seconds()) * SECOND_US;
            let start = (at.as_microsecond() + shift).div_euclid(HOUR_US) * HOUR_US - shift;
            start..start + HOUR_US
        };
        let piece = |at: Timestamp| {
            let mut piece = by_offset(self.zone.to_offset(at), at);
            // A change at the instant itself has happened.
            let next_us = at.as_microsecond().saturating_add(1);
            let before = Timestamp::from_microsecond(next_us).unwrap_or(at);
            if let Some(change) = self.zone.preceding(before).next() {
                piece.start = piece.start.max(change.timestamp().as_microsecond());
            }
            if let Some(change) = self.zone.following(at).next() {
                piece.end = piece.end.min(change.timestamp().as_microsecond());
            }
            piece
        };
        let mut span = piece(instant);
        // No hour has more than a few changes in it.
        for _ in 0..4 {
            let before = instant_opt(span.start - 1).filter(|at| self.label(*at) == label);
            let after = instant_opt(span.end).filter(|at| self.label(*at) == label);
            if before.is_none() && after.is_none() {
                break;
            }
            span.start = before.map_or(span.start, |at| piece(at).start);
            span.end = after.map_or(span.end, |at| piece(at).end);
        }
        Ok(span)
    }
}

fn instant_opt(us: i64) -> Option<Timestamp> {
    // Absence is the answer at the ends of the calendar.
    Timestamp::from_microsecond(us).ok()
}

fn instant(us: i64) -> Result<Timestamp> {
    instant_opt(us).ok_or_else(|| {
        let what = format!("{us} us since 1970 is no time that a calendar holds");
        crate::Error::Query(query::Error::BadRequest { what })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn calendar(temporal: &str, zone: &str) -> Calendar {
        Calendar { temporal: temporal.parse().unwrap(), zone: TimeZone::get(zone).unwrap() }
    }

    fn us(text: &str) -> i64 {
        text.parse::<Timestamp>().unwrap().as_microsecond()
    }

    #[test]
    fn only_whole_calendars_are_taken() {
        for text in ["year", "year,month", "year, month, day", "year,month,day,hour"] {
            assert!(text.parse::<Temporal>().is_ok(), "{text}");
        }
        for text in ["", "month", "year,day", "month,year", "year,month,day,hour,minute", "week"] {
            assert!(text.parse::<Temporal>().is_err(), "{text}");
        }
    }

    #[test]
    fn partitions_follow_the_calendar_of_their_zone() {
        let at = us("2024-03-01T07:59:59.999999Z");
        let month = calendar("year,month", "America/Los_Angeles");
        let partition = month.partition(at, "parquet").unwrap();
        assert_eq!(partition.file, "year=2024/month=02/data.parquet");
        assert_eq!(partition.span, us("2024-02-01T08:00:00Z")..us("2024-03-01T08:00:00Z"));
        let utc = calendar("year,month,day", "UTC").partition(at, "csv").unwrap();
        assert_eq!(utc.file, "year=2024/month=03/day=01/data.csv");
    }

    #[test]
    fn hour_that_is_repeated_has_two_files() {
        let hour = calendar("year,month,day,hour", "America/Los_Angeles");
        let first = hour.partition(us("2024-11-03T08:30:00Z"), "parquet").unwrap();
        let second = hour.partition(us("2024-11-03T09:30:00Z"), "parquet").unwrap();
        assert_eq!(first.file, "year=2024/month=11/day=03/hour=01/data.parquet");
        assert_eq!(second.file, "year=2024/month=11/day=03/hour=01/data-2.parquet");
        assert_eq!(
            (first.span.end, second.span.end - second.span.start),
            (second.span.start, HOUR_US)
        );
    }

    #[test]
    fn partitions_of_every_zone_cover_time_without_gap_or_overlap() {
        // By half an hour, by three quarters, by two hours, by a whole day.
        let places = [
            ("Australia/Lord_Howe", "2024-04-06T00:00:00Z"),
            ("Australia/Lord_Howe", "2024-10-05T00:00:00Z"),
            ("Antarctica/Troll", "2024-10-26T20:00:00Z"),
            ("Asia/Kathmandu", "1985-12-31T12:00:00Z"),
            ("America/Havana", "2024-11-03T00:00:00Z"),
            ("Pacific/Apia", "2011-12-29T12:00:00Z"),
            ("America/Caracas", "2007-12-09T00:00:00Z"),
        ];
        for (zone, from) in places {
            for temporal in ["year", "year,month", "year,month,day", "year,month,day,hour"] {
                let calendar = calendar(temporal, zone);
                let mut names = std::collections::BTreeSet::new();
                let mut at = us(from);
                for _ in 0..48 {
                    let partition = calendar.partition(at, "parquet").unwrap();
                    let span = partition.span.clone();
                    assert!(span.contains(&at), "{zone} {temporal} {at}");
                    for inside in [span.start, (span.start + span.end) / 2, span.end - 1] {
                        assert_eq!(calendar.partition(inside, "parquet").unwrap(), partition);
                    }
                    assert!(names.insert(partition.file.clone()), "{zone}: {partition:?} twice");
                    at = span.end;
                }
            }
        }
    }
}
