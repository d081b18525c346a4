//! Times as host files write them, made instants.
//!
//! What always holds: a time that carries an offset keeps it; one that does not
//! is read in the declared zone, or as UTC and said so. Nothing is rounded in
//! silence, and plain numbers are times only where an epoch is declared.
//!
//! What is deliberately not here: which pass of a repeated hour a row belongs
//! to (see [`fold`]).

pub(crate) mod fold;
pub(crate) mod iso;
mod zone;

use jiff::fmt::strtime::BrokenDownTime;

use super::error::{Error, Result};
use super::options::{Ambiguous, ReadOptions};
use zone::{Placed, Zone};

/// A time that was read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Time {
    /// Seconds since 1970 UTC; of the first pass if it happened twice.
    pub(crate) secs: i64,
    pub(crate) nanos: u32,
    /// The local time as if it were UTC, where a zone was applied.
    pub(crate) local: Option<i64>,
    /// Seconds since 1970 UTC of the second pass, if it happened twice.
    pub(crate) later: Option<i64>,
    /// It carried no offset and no zone is declared.
    pub(crate) assumed_utc: bool,
    /// It is written more finely than microseconds.
    pub(crate) finer: bool,
}

impl Time {
    /// Microseconds since 1970 UTC, finer digits cut off.
    pub(crate) fn micros(secs: i64, nanos: u32) -> i64 {
        // Years are at most four digits, so this is far from overflow.
        secs * 1_000_000 + i64::from(nanos / 1000)
    }

    /// Nanoseconds since 1970 UTC, where they fit.
    pub(crate) fn nanos(secs: i64, nanos: u32) -> Option<i64> {
        secs.checked_mul(1_000_000_000)?.checked_add(i64::from(nanos))
    }
}

/// Why a text is no time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct NoTime {
    pub(crate) reason: String,
    pub(crate) hint: Option<String>,
    /// Clocks skipped it.
    pub(crate) nonexistent: bool,
}

impl NoTime {
    fn new(reason: impl Into<String>, hint: Option<&str>) -> Self {
        Self { reason: reason.into(), hint: hint.map(str::to_owned), nonexistent: false }
    }
}

#[derive(Clone, Debug)]
enum Syntax {
    Iso,
    Strftime(String),
    /// How many digits of a count are below the second.
    Epoch(u32),
}

/// Reads the times of one column. Cheap to clone, one a thread.
#[derive(Clone, Debug)]
pub(crate) struct TimeParser {
    syntax: Syntax,
    zone: Option<Zone>,
    ambiguous: Ambiguous,
}

/// Years 0000 to 9999, in seconds since 1970.
const RANGE: std::ops::RangeInclusive<i64> = -62_167_219_200..=253_402_300_799;

impl TimeParser {
    /// What the options declare about time.
    pub(crate) fn new(options: &ReadOptions) -> Result<Self> {
        let syntax = match options.time_format.as_deref() {
            None | Some("iso8601" | "rfc3339") => Syntax::Iso,
            Some("epoch" | "epoch_s") => Syntax::Epoch(0),
            Some("epoch_ms") => Syntax::Epoch(3),
            Some("epoch_us") => Syntax::Epoch(6),
            Some("epoch_ns") => Syntax::Epoch(9),
            Some(format) => {
                check_format(format)?;
                Syntax::Strftime(format.to_owned())
            }
        };
        let zone = options.time_zone.as_deref().map(Zone::get).transpose()?;
        Ok(Self { syntax, zone, ambiguous: options.ambiguous })
    }

    /// Reads a time; spaces around it mean nothing.
    pub(crate) fn parse(&mut self, text: &[u8]) -> Result<Time, NoTime> {
        let text = text.trim_ascii();
        if text.is_empty() {
            return Err(NoTime::new("the time is missing", None));
        }
        let civil = match &self.syntax {
            Syntax::Iso => iso::parse(text).ok_or_else(|| {
                NoTime::new(
                    "is not an ISO 8601 time",
                    Some(
                        "--time-format declares another form, such as \"%m/%d/%Y %H:%M\" or epoch",
                    ),
                )
            })?,
            Syntax::Strftime(format) => strptime(format, text)?,
            Syntax::Epoch(digits) => epoch(text, *digits)?,
        };
        self.place(civil)
    }

    fn place(&mut self, civil: iso::Civil) -> Result<Time, NoTime> {
        let iso::Civil { local, nanos, offset, finer, .. } = civil;
        let mut time =
            Time { secs: local, nanos, local: None, later: None, assumed_utc: false, finer };
        match (offset, &mut self.zone) {
            (Some(offset), _) => time.secs = local - i64::from(offset),
            (None, None) => time.assumed_utc = true,
            (None, Some(zone)) => {
                time.local = Some(local);
                match zone.place(local) {
                    Placed::Once(secs) => time.secs = secs,
                    Placed::Twice { earlier, later } => match self.ambiguous {
                        Ambiguous::Order | Ambiguous::Earliest | Ambiguous::Latest => {
                            time.secs = earlier;
                            time.later = Some(later);
                        }
                        Ambiguous::Refuse => {
                            return Err(NoTime::new(
                                format!("happened twice in {}", zone.name()),
                                Some("--ambiguous order, earliest or latest says which is meant"),
                            ));
                        }
                    },
                    Placed::Never { offset_before } => {
                        return Err(never(zone.name(), offset_before));
                    }
                    Placed::OutOfRange => {
                        return Err(NoTime::new("is beyond the years that are supported", None));
                    }
                }
            }
        }
        if RANGE.contains(&time.secs) {
            Ok(time)
        } else {
            Err(NoTime::new("is beyond the years that are supported", None))
        }
    }
}

fn never(zone: &str, offset_before: i32) -> NoTime {
    let fixed = (offset_before % 3600 == 0).then(|| match offset_before / 3600 {
        // The sign of these names is reversed, as POSIX has it.
        0 => "Etc/GMT".to_owned(),
        hours @ 1.. => format!("Etc/GMT-{hours}"),
        hours => format!("Etc/GMT+{}", -hours),
    });
    NoTime {
        reason: format!("never happened in {zone}, whose clocks skip that hour"),
        hint: fixed.map(|fixed| {
            format!("a clock that ignores daylight saving is declared with --time-zone {fixed}")
        }),
        nonexistent: true,
    }
}

/// Refuses a format that has unknown directives, before any row is read.
fn check_format(format: &str) -> Result<()> {
    let refused = |reason: String| Error::Option { what: "the time format", reason };
    if !format.contains('%') {
        return Err(refused(format!(
            "`{}` is neither a strftime format (such as %Y-%m-%d) nor one of \
             iso8601, epoch, epoch_ms, epoch_us, epoch_ns",
            format.escape_debug()
        )));
    }
    let sample = jiff::Timestamp::UNIX_EPOCH.to_zoned(jiff::tz::TimeZone::UTC);
    jiff::fmt::strtime::format(format, &sample)
        .map(|_| ())
        .map_err(|error| refused(format!("`{}` is not understood: {error}", format.escape_debug())))
}

fn strptime(format: &str, text: &[u8]) -> Result<iso::Civil, NoTime> {
    let wrong = |error: &dyn std::fmt::Display| {
        NoTime::new(format!("is not written as `{}`: {error}", format.escape_debug()), None)
    };
    let parts = BrokenDownTime::parse(format, text).map_err(|error| wrong(&error))?;
    if let Some(instant) = parts.timestamp() {
        return Ok(exact(instant));
    }
    if parts.iana_time_zone().is_some() {
        return parts.to_zoned().map(|zoned| exact(zoned.timestamp())).map_err(|e| wrong(&e));
    }
    let date = parts.to_date().map_err(|error| wrong(&error))?;
    // A format without a clock means midnight.
    let (clock, date_only) = match (parts.hour(), parts.minute()) {
        (None, None) => (jiff::civil::Time::midnight(), true),
        _ => (parts.to_time().map_err(|error| wrong(&error))?, false),
    };
    let days = iso::days_from_civil(
        i64::from(date.year()),
        u32::from(date.month().unsigned_abs()),
        u32::from(date.day().unsigned_abs()),
    );
    let seconds =
        i64::from(clock.hour()) * 3600 + i64::from(clock.minute()) * 60 + i64::from(clock.second());
    let nanos = clock.subsec_nanosecond().unsigned_abs();
    Ok(iso::Civil {
        local: days * 86_400 + seconds,
        nanos,
        offset: parts.offset().map(jiff::tz::Offset::seconds),
        date_only,
        finer: !nanos.is_multiple_of(1000),
    })
}

fn exact(instant: jiff::Timestamp) -> iso::Civil {
    let nanos = instant.as_nanosecond();
    let (secs, nanos) = (nanos.div_euclid(1_000_000_000), nanos.rem_euclid(1_000_000_000));
    // Within jiff's years both fit by far.
    let (secs, nanos) = (secs as i64, nanos as u32);
    let finer = !nanos.is_multiple_of(1000);
    iso::Civil { local: secs, nanos, offset: Some(0), date_only: false, finer }
}

/// A decimal number of seconds, or of parts of a second, since 1970.
fn epoch(text: &[u8], below_second: u32) -> Result<iso::Civil, NoTime> {
    let wrong = || NoTime::new("is not a count since 1970", None);
    let (negative, digits) = match text {
        [b'-', rest @ ..] => (true, rest),
        [b'+', rest @ ..] => (false, rest),
        rest => (false, rest),
    };
    let (whole, fraction) = match memchr::memchr(b'.', digits) {
        Some(point) => (&digits[..point], &digits[point + 1..]),
        None => (digits, &digits[..0]),
    };
    let scale = 9 - below_second as usize;
    let kept = &fraction[..fraction.len().min(scale)];
    let plain = whole.iter().chain(fraction).all(u8::is_ascii_digit);
    if whole.is_empty() || whole.len() > 19 || !plain {
        return Err(wrong());
    }
    if fraction[kept.len()..].iter().any(|digit| *digit != b'0') {
        return Err(NoTime::new("is written more finely than nanoseconds", None));
    }
    let padding = std::iter::repeat_n(&b'0', scale - kept.len());
    let count = whole.iter().chain(kept).chain(padding).fold(0_i128, |count, digit| {
        // At most 28 digits, which 128 bits hold.
        count * 10 + i128::from(digit - b'0')
    });
    let count = if negative { -count } else { count };
    let secs = i64::try_from(count.div_euclid(1_000_000_000)).map_err(|_| wrong())?;
    let nanos = u32::try_from(count.rem_euclid(1_000_000_000)).map_err(|_| wrong())?;
    let finer = !nanos.is_multiple_of(1000);
    Ok(iso::Civil { local: secs, nanos, offset: Some(0), date_only: false, finer })
}
