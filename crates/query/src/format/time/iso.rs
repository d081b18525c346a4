//! ISO 8601 and RFC 3339 times, by hand because every row has one.
//!
//! `YYYY-MM-DD`, then optionally `T` or a space and `HH:MM`, `HH:MM:SS` or
//! `HH:MM:SS.fraction` (up to nine digits), then optionally `Z`, `UTC`,
//! `+HH:MM`, `+HHMM` or `+HH`, with or without a space before it.
//!
//! What is deliberately not here: anything that reads in two ways (`01/02/03`),
//! week dates, the second 60 and the hour 24.

/// A civil time and its offset, if it carries one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Civil {
    /// Seconds since 1970 as if the local time were UTC.
    pub(crate) local: i64,
    pub(crate) nanos: u32,
    /// Seconds east of UTC.
    pub(crate) offset: Option<i32>,
    /// Only a day was written.
    pub(crate) date_only: bool,
    /// More than six digits of a second were written, not all of them 0.
    pub(crate) finer: bool,
}

/// Days since 1970 of a date of the proleptic Gregorian calendar (H. Hinnant,
/// "chrono-Compatible Low-Level Date Algorithms").
pub(crate) fn days_from_civil(year: i64, month: u32, day: u32) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let month_from_march = i64::from((month + 9) % 12);
    let day_of_year = (153 * month_from_march + 2) / 5 + i64::from(day) - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    era * 146_097 + day_of_era - 719_468
}

fn days_in_month(year: u32, month: u32) -> u32 {
    match month {
        4 | 6 | 9 | 11 => 30,
        2 if year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400)) => {
            29
        }
        2 => 28,
        _ => 31,
    }
}

fn digits(text: &[u8]) -> Option<u32> {
    let mut value = 0;
    for &byte in text {
        if !byte.is_ascii_digit() {
            return None;
        }
        value = value * 10 + u32::from(byte - b'0');
    }
    Some(value)
}

/// Parses a time; `None` when it is not written so, or is no time.
pub(crate) fn parse(text: &[u8]) -> Option<Civil> {
    let (date, rest) = text.split_at_checked(10)?;
    if date[4] != b'-' || date[7] != b'-' {
        return None;
    }
    let (year, month, day) = (digits(&date[..4])?, digits(&date[5..7])?, digits(&date[8..])?);
    if !(1..=12).contains(&month) || day < 1 || day > days_in_month(year, month) {
        return None;
    }
    let midnight = days_from_civil(i64::from(year), month, day) * 86_400;
    let mut civil =
        Civil { local: midnight, nanos: 0, offset: None, date_only: true, finer: false };
    let Some((separator, rest)) = rest.split_first() else { return Some(civil) };
    if !matches!(separator, b'T' | b't' | b' ') {
        return None;
    }
    let (clock, mut rest) = rest.split_at_checked(5)?;
    let (hour, minute) = (digits(&clock[..2])?, digits(&clock[3..])?);
    if clock[2] != b':' || hour > 23 || minute > 59 {
        return None;
    }
    let mut second = 0;
    if let Some(after) = rest.strip_prefix(b":") {
        let (text, after) = after.split_at_checked(2)?;
        second = digits(text)?;
        rest = after;
        if let [b'.' | b',', after @ ..] = rest {
            let len = after.iter().take_while(|byte| byte.is_ascii_digit()).count();
            if len == 0 || len > 9 {
                return None;
            }
            let unit = 10_u32.pow(9 - u32::try_from(len).ok()?);
            civil.nanos = digits(&after[..len])? * unit;
            civil.finer = !civil.nanos.is_multiple_of(1000);
            rest = &after[len..];
        }
    }
    if second > 59 {
        return None;
    }
    civil.local += i64::from(hour * 3600 + minute * 60 + second);
    civil.date_only = false;
    civil.offset = offset(rest)?;
    Some(civil)
}

/// An offset, or none; the outer `None` is neither.
#[expect(clippy::option_option, reason = "absent and wrong are two things")]
fn offset(text: &[u8]) -> Option<Option<i32>> {
    if text.is_empty() {
        return Some(None);
    }
    let text = text.strip_prefix(b" ").unwrap_or(text);
    if matches!(text, b"Z" | b"z" | b"UTC") {
        return Some(Some(0));
    }
    let (sign, text) = match text {
        [b'+', rest @ ..] => (1, rest),
        [b'-', rest @ ..] => (-1, rest),
        _ => return None,
    };
    let (hours, minutes) = match text.len() {
        2 => (digits(text)?, 0),
        4 => (digits(&text[..2])?, digits(&text[2..])?),
        5 if text[2] == b':' => (digits(&text[..2])?, digits(&text[3..])?),
        _ => return None,
    };
    if hours > 23 || minutes > 59 {
        return None;
    }
    Some(Some(sign * i32::try_from(hours * 3600 + minutes * 60).ok()?))
}
