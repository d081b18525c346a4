//! A moment of the pond's history: a transaction, or a time.

use std::fmt;

use jiff::civil::{Date, DateTime};
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan as _};

use crate::{Error, Result};

/// Which state of the pond is meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AsOf {
    /// The state after this transaction.
    Txn(u64),
    /// The state at this time, in microseconds since 1970 UTC: after the last
    /// transaction that had ended by then.
    Time(i64),
}

impl AsOf {
    /// Reads a transaction's number, an RFC 3339 time, or a date or civil time
    /// in `zone`. A date means its end: the state when that day was over.
    ///
    /// # Errors
    /// [`Error::BadMoment`].
    pub fn parse(text: &str, zone: &TimeZone) -> Result<Self> {
        let text = text.trim();
        if let Ok(txn_seq) = text.parse() {
            return Ok(Self::Txn(txn_seq));
        }
        let bad = |reason: String| Error::BadMoment { text: text.to_owned(), reason };
        if let Ok(timestamp) = text.parse::<Timestamp>() {
            return Ok(Self::Time(timestamp.as_microsecond()));
        }
        if text.len() == "2026-01-31".len()
            && let Ok(date) = text.parse::<Date>()
        {
            let next = date.checked_add(1.day()).map_err(|error| bad(error.to_string()))?;
            let start = next.to_zoned(zone.clone()).map_err(|error| bad(error.to_string()))?;
            return Ok(Self::Time(start.timestamp().as_microsecond() - 1));
        }
        let civil: DateTime = text.parse().map_err(|_| {
            bad("it is neither a transaction's number nor a time such as 2026-01-31T12:00".into())
        })?;
        // A local time that a zone repeats or skips names no moment.
        let timestamp = zone
            .to_ambiguous_timestamp(civil)
            .unambiguous()
            .map_err(|_| bad(format!("{civil} is ambiguous in this zone; give its offset")))?;
        Ok(Self::Time(timestamp.as_microsecond()))
    }
}

impl fmt::Display for AsOf {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Txn(txn_seq) => write!(f, "transaction {txn_seq}"),
            Self::Time(us) => match Timestamp::from_microsecond(*us) {
                Ok(timestamp) => timestamp.fmt(f),
                Err(_) => write!(f, "{us} us"),
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str, zone: &str) -> Result<AsOf> {
        AsOf::parse(text, &TimeZone::get(zone).unwrap())
    }

    fn us(text: &str) -> i64 {
        text.parse::<Timestamp>().unwrap().as_microsecond()
    }

    #[test]
    fn numbers_are_transactions() {
        assert_eq!(parse("42", "UTC").unwrap(), AsOf::Txn(42));
    }

    #[test]
    fn a_date_is_the_end_of_that_day_in_its_zone() {
        let end = us("2026-03-09T07:00:00Z") - 1;
        // The day on which California goes to daylight-saving time.
        assert_eq!(parse("2026-03-08", "America/Los_Angeles").unwrap(), AsOf::Time(end));
    }

    #[test]
    fn civil_and_absolute_times_are_read() {
        let noon = AsOf::Time(us("2026-01-31T12:00:00Z"));
        assert_eq!(parse("2026-01-31T12:00", "UTC").unwrap(), noon);
        assert_eq!(parse("2026-01-31 13:00", "Europe/Berlin").unwrap(), noon);
        assert_eq!(parse("2026-01-31T13:00:00+01:00", "UTC").unwrap(), noon);
    }

    #[test]
    fn a_repeated_hour_is_refused() {
        let error = parse("2026-11-01T01:30", "America/Los_Angeles").unwrap_err();
        assert!(error.to_string().contains("ambiguous"), "{error}");
    }

    #[test]
    fn nonsense_is_refused() {
        for text in ["", "yesterday", "-3", "2026-13-01"] {
            assert!(matches!(parse(text, "UTC"), Err(Error::BadMoment { .. })), "{text}");
        }
    }
}
