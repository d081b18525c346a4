//! Moments on the command line and in output.
//!
//! A moment is RFC 3339 (`2024-03-10T09:30:00-08:00`), a zoned time
//! (`2024-03-10T09:30[America/Los_Angeles]`), or a date with or without a time
//! of day, which is taken as UTC because everything `pond` prints is UTC.

use jiff::Timestamp;
use jiff::tz::TimeZone;
pub(crate) use query::format::parse_time;
use steward::AsOf;

/// Reads `--as-of`: a transaction's number, or a moment; a date alone means the
/// end of that day.
///
/// # Errors
/// A sentence that says what it may look like.
pub(crate) fn parse_as_of(value: &str) -> Result<AsOf, String> {
    AsOf::parse(value, &TimeZone::UTC).map_err(|error| error.to_string())
}

/// A moment as `pond` prints it, to the second unless it has more: RFC 3339
/// in UTC.
pub(crate) fn text(us: i64) -> String {
    match Timestamp::from_microsecond(us) {
        Ok(timestamp) => timestamp.to_string(),
        // Beyond the year 9999 a number is all there is to show.
        Err(_) => format!("{us} us"),
    }
}

/// A moment to the second, for columns of text that people read.
pub(crate) fn short(us: i64) -> String {
    match Timestamp::from_microsecond(us) {
        Ok(timestamp) => timestamp.strftime("%Y-%m-%d %H:%M:%S").to_string(),
        Err(_) => format!("{us} us"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_print_as_they_are_read() {
        assert_eq!(text(1_500_000), "1970-01-01T00:00:01.5Z");
        assert_eq!(parse_time(&text(1_500_000)), Ok(1_500_000));
    }
}
