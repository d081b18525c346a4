//! The words of what is said of a file, which are the same in flags, in declared
//! copies and in inboxes.
//!
//! Deliberately not here: what they mean for a reader; see
//! [`ReadOptions`](super::ReadOptions).

use jiff::civil::{Date, DateTime, Time};
use jiff::tz::TimeZone;
use jiff::{Timestamp, Zoned};
use tinyfs::TimeUnit;

/// What separates the fields of CSV: one character, `tab` or `\t`.
///
/// # Errors
/// A sentence that says what it may look like.
pub fn parse_delimiter(text: &str) -> Result<u8, String> {
    match text {
        "tab" | "\\t" => Ok(b'\t'),
        one if one.len() == 1 => Ok(one.as_bytes()[0]),
        _ => Err(format!("`{text}` is not one ASCII character, nor `tab`")),
    }
}

/// A moment, in microseconds since 1970 UTC: RFC 3339, a zoned time
/// (`2024-03-10T09:30[America/Los_Angeles]`), or a date with or without a time
/// of day, which is taken as UTC.
///
/// # Errors
/// A sentence that says what it may look like.
pub fn parse_time(text: &str) -> Result<i64, String> {
    let text = text.trim();
    if let Ok(timestamp) = text.parse::<Timestamp>() {
        return Ok(timestamp.as_microsecond());
    }
    if text.contains('[')
        && let Ok(zoned) = text.parse::<Zoned>()
    {
        return Ok(zoned.timestamp().as_microsecond());
    }
    let civil = text
        .parse::<DateTime>()
        .or_else(|_| text.parse::<Date>().map(|date| date.to_datetime(Time::midnight())));
    let utc = civil.ok().and_then(|civil| civil.to_zoned(TimeZone::UTC).ok());
    utc.map(|zoned| zoned.timestamp().as_microsecond()).ok_or_else(|| {
        format!("`{text}` is not a time, such as 2024-03-10 or 2024-03-10T09:30:00-08:00 (UTC unless it says otherwise)")
    })
}

/// The floor of a series: a moment, or `none`.
///
/// # Errors
/// A sentence that says what it may look like.
pub fn parse_floor(text: &str) -> Result<Option<i64>, String> {
    if text == "none" { Ok(None) } else { parse_time(text).map(Some) }
}

/// The [format of times](super::ReadOptions::time_format) that are whole
/// numbers of a unit.
#[must_use]
pub const fn epoch_format(unit: TimeUnit) -> &'static str {
    match unit {
        TimeUnit::Second => "epoch",
        TimeUnit::Millisecond => "epoch_ms",
        TimeUnit::Microsecond => "epoch_us",
        TimeUnit::Nanosecond => "epoch_ns",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn delimiters_are_single_characters() {
        assert_eq!(parse_delimiter("tab"), Ok(b'\t'));
        assert_eq!(parse_delimiter("\\t"), Ok(b'\t'));
        assert_eq!(parse_delimiter(";"), Ok(b';'));
        assert!(parse_delimiter("ab").is_err());
        assert!(parse_delimiter("é").is_err());
    }

    #[test]
    fn times_are_utc_unless_they_say_otherwise() {
        assert_eq!(parse_time("1970-01-01"), Ok(0));
        assert_eq!(parse_time("1970-01-01T01:00:00"), Ok(3_600_000_000));
        assert_eq!(parse_time("1970-01-01 01:00"), Ok(3_600_000_000));
        assert_eq!(parse_time("1970-01-01T01:00:00+01:00"), Ok(0));
        assert_eq!(parse_time("1970-01-01T01:00[Europe/Berlin]"), Ok(0));
        assert!(parse_time("yesterday").is_err());
        assert_eq!((parse_floor("none"), parse_floor("1970-01-01")), (Ok(None), Ok(Some(0))));
    }
}
