//! How a resolution's buckets are laid into tiles.
//!
//! The span of a tile is the shortest of hour, day, month, quarter, year,
//! 5, 20 and 100 years that has at least 1,000 buckets of the resolution. So a
//! chart that shows at most 1,000 buckets needs at most two tiles.
//!
//! Spans are cut by the UTC calendar for fixed resolutions and by the zone's
//! for civil ones; several years begin at a year that they divide. A bucket
//! belongs to the tile in whose span it begins.

use std::ops::Range;

use jiff::Timestamp;
use jiff::civil::date;
use jiff::tz::TimeZone;
use query::{CivilUnit, civil_span};

use super::resolution::Resolution;
use crate::Result;

/// So many buckets make a tile worth its file.
const BUCKETS: i64 = 1_000;

const SECOND_US: i64 = 1_000_000;
const DAY_US: i64 = 86_400 * SECOND_US;

/// The span of a tile.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum SpanRule {
    /// A unit of the calendar.
    Unit(CivilUnit),
    /// So many years.
    Years(i16),
}

impl SpanRule {
    /// The span for tiles of this resolution.
    pub(crate) fn of(resolution: &Resolution) -> Self {
        let spans = [
            (Self::Unit(CivilUnit::Hour), 3_600 * SECOND_US),
            (Self::Unit(CivilUnit::Day), DAY_US),
            (Self::Unit(CivilUnit::Month), 30 * DAY_US),
            (Self::Unit(CivilUnit::Quarter), 90 * DAY_US),
            (Self::Unit(CivilUnit::Year), 365 * DAY_US),
            (Self::Years(5), 5 * 365 * DAY_US),
            (Self::Years(20), 20 * 365 * DAY_US),
        ];
        spans
            .into_iter()
            .find(|(_, length)| length / resolution.nominal_us() >= BUCKETS)
            .map_or(Self::Years(100), |(rule, _)| rule)
    }

    /// The span that an instant lies in.
    ///
    /// # Errors
    /// For an instant that no calendar holds.
    pub(crate) fn span(self, us: i64, zone: &TimeZone) -> Result<Range<i64>> {
        let count = match self {
            Self::Unit(unit) => {
                let span = civil_span(unit, us, zone)?;
                return Ok(span.start_us..span.end_us);
            }
            Self::Years(count) => count,
        };
        let no_time = || query::Error::BadRequest {
            what: format!("{us} us since 1970 is no time that a calendar holds"),
        };
        let at = Timestamp::from_microsecond(us).map_err(|_| no_time())?;
        let year = at.to_zoned(zone.clone()).year();
        let first = year.div_euclid(count) * count;
        let begin = |year: i16| {
            // The calendar's own ends: spans are cut off there.
            let day = date(year.clamp(-9_998, 9_998), 1, 1);
            let start = day.to_zoned(zone.clone()).and_then(|day| day.start_of_day());
            Ok::<_, query::Error>(start.map_err(|_| no_time())?.timestamp().as_microsecond())
        };
        let (start, end) = (begin(first)?, begin(first.saturating_add(count))?);
        Ok(start..end)
    }
}

/// How a span's beginning is written in a file's name: `20240301T0000`, in the
/// zone of its calendar.
pub(crate) fn name_of(start_us: i64, zone: &TimeZone) -> Result<String> {
    let at = Timestamp::from_microsecond(start_us).map_err(|_| query::Error::BadRequest {
        what: format!("{start_us} us since 1970 is no time that a calendar holds"),
    })?;
    Ok(at.to_zoned(zone.clone()).strftime("%Y%m%dT%H%M").to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rule(text: &str) -> SpanRule {
        SpanRule::of(&Resolution::parse(text).unwrap())
    }

    #[test]
    fn spans_have_a_thousand_buckets() {
        let expected = [
            ("1s", SpanRule::Unit(CivilUnit::Hour)),
            ("1m", SpanRule::Unit(CivilUnit::Day)),
            ("5m", SpanRule::Unit(CivilUnit::Month)),
            ("10m", SpanRule::Unit(CivilUnit::Month)),
            ("1h", SpanRule::Unit(CivilUnit::Quarter)),
            ("2h", SpanRule::Unit(CivilUnit::Quarter)),
            ("4h", SpanRule::Unit(CivilUnit::Year)),
            ("12h", SpanRule::Years(5)),
            ("24h", SpanRule::Years(5)),
            ("day", SpanRule::Years(5)),
            ("week", SpanRule::Years(20)),
            ("month", SpanRule::Years(100)),
            ("year", SpanRule::Years(100)),
        ];
        for (text, span) in expected {
            assert_eq!(rule(text), span, "{text}");
        }
    }

    #[test]
    fn years_are_aligned_and_meet() {
        for name in ["UTC", "America/Los_Angeles"] {
            let zone = TimeZone::get(name).unwrap();
            for count in [5, 20, 100] {
                let rule = SpanRule::Years(count);
                let mut span = rule.span(0, &zone).unwrap();
                for _ in 0..5 {
                    let next = rule.span(span.end, &zone).unwrap();
                    assert_eq!(next.start, span.end);
                    assert_eq!(rule.span(next.end - 1, &zone).unwrap(), next);
                    span = next;
                }
            }
        }
        let five = SpanRule::Years(5).span(1_709_251_200_000_000, &TimeZone::UTC).unwrap();
        assert_eq!(name_of(five.start, &TimeZone::UTC).unwrap(), "20200101T0000");
        assert_eq!(name_of(five.end, &TimeZone::UTC).unwrap(), "20250101T0000");
    }
}
