//! Lengths of time and moments, as configurations write them.

use std::fmt;
use std::marker::PhantomData;
use std::str::FromStr;

use serde::de::{self, Deserializer, Visitor};
use serde::{Deserialize, Serialize, Serializer};

/// A length of time in microseconds, written `90s`, `15m`, `2h`, `3d` or as a
/// sequence such as `1h30m`; a day is 24 hours, a week seven days.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Interval {
    /// How long; more than nothing.
    pub us: i64,
}

/// Units of intervals: spelling and microseconds.
const UNITS: [(&str, i64); 8] = [
    ("us", 1),
    ("ms", 1_000),
    ("s", 1_000_000),
    ("m", 60_000_000),
    ("min", 60_000_000),
    ("h", 3_600_000_000),
    ("d", 86_400_000_000),
    ("w", 604_800_000_000),
];

/// The most that an interval may be: 200 years.
const MAX_US: i64 = 200 * 366 * 86_400_000_000;

impl FromStr for Interval {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || format!("`{text}` is no length of time such as 90s, 15m, 2h or 3d");
        let mut us: i64 = 0;
        let mut rest = text.trim();
        while !rest.is_empty() {
            let digits = rest.find(|c: char| !c.is_ascii_digit()).ok_or_else(wrong)?;
            let (number, after) = rest.split_at(digits);
            let letters = after.find(|c: char| !c.is_ascii_alphabetic()).unwrap_or(after.len());
            let (unit, after) = after.split_at(letters);
            let (_, factor) =
                UNITS.iter().find(|(spelling, _)| *spelling == unit).ok_or_else(wrong)?;
            let number: i64 = number.parse().map_err(|_| wrong())?;
            us = number
                .checked_mul(*factor)
                .and_then(|part| us.checked_add(part))
                .filter(|us| *us <= MAX_US)
                .ok_or_else(|| format!("`{text}` is longer than 200 years"))?;
            rest = after;
        }
        if us == 0 { Err(wrong()) } else { Ok(Self { us }) }
    }
}

/// As the longest units that fit make it, so that it reads back the same.
impl fmt::Display for Interval {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut rest = self.us;
        for (unit, factor) in
            [("d", 86_400_000_000), ("h", 3_600_000_000), ("m", 60_000_000), ("s", 1_000_000)]
        {
            if rest / factor > 0 {
                write!(f, "{}{unit}", rest / factor)?;
                rest %= factor;
            }
        }
        if rest > 0 {
            write!(f, "{rest}us")?;
        }
        Ok(())
    }
}

impl<'de> Deserialize<'de> for Interval {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_str(Parsed::new("a length of time such as 15m"))
    }
}

impl Serialize for Interval {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// A moment, in microseconds since 1970 UTC, written as RFC 3339 says, with an
/// offset: `2025-06-01T00:00:00Z`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Instant {
    /// When.
    pub us: i64,
}

impl FromStr for Instant {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong =
            || format!("`{text}` is no moment with an offset, such as 2025-06-01T00:00:00Z");
        let moment: jiff::Timestamp = text.trim().parse().map_err(|_| wrong())?;
        Ok(Self { us: moment.as_microsecond() })
    }
}

impl fmt::Display for Instant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match jiff::Timestamp::from_microsecond(self.us) {
            Ok(moment) => moment.fmt(f),
            Err(_) => write!(f, "{} us since 1970", self.us),
        }
    }
}

impl<'de> Deserialize<'de> for Instant {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_str(Parsed::new("a moment such as 2025-06-01T00:00:00Z"))
    }
}

impl Serialize for Instant {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// Reads a text that parses; the words say what is expected.
pub(super) struct Parsed<T>(&'static str, PhantomData<T>);

impl<T> Parsed<T> {
    pub(super) const fn new(expected: &'static str) -> Self {
        Self(expected, PhantomData)
    }
}

impl<T: FromStr<Err = String>> Visitor<'_> for Parsed<T> {
    type Value = T;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<T, E> {
        text.parse().map_err(E::custom)
    }
}
