//! What a series declares once and all its versions share.
//!
//! Kept among the attributes of the node under keys that begin with `series.`,
//! so that a store needs to know nothing of it.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::{Attributes, Error, Result};

/// The default plausibility floor: 2000-01-01T00:00:00Z, in microseconds.
pub const DEFAULT_FLOOR_US: i64 = 946_684_800_000_000;

/// The unit of a time column.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TimeUnit {
    /// Seconds.
    Second,
    /// Milliseconds.
    Millisecond,
    /// Microseconds.
    Microsecond,
    /// Nanoseconds.
    Nanosecond,
}

impl TimeUnit {
    /// The unit's symbol: `s`, `ms`, `us` or `ns`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Second => "s",
            Self::Millisecond => "ms",
            Self::Microsecond => "us",
            Self::Nanosecond => "ns",
        }
    }
}

impl fmt::Display for TimeUnit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl FromStr for TimeUnit {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        match text {
            "s" => Ok(Self::Second),
            "ms" => Ok(Self::Millisecond),
            "us" => Ok(Self::Microsecond),
            "ns" => Ok(Self::Nanosecond),
            _ => Err(Error::BadAttribute { key: "series.time_unit".into(), value: text.into() }),
        }
    }
}

/// The declaration of a series.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SeriesSpec {
    /// The column that holds the time of each row; never null.
    pub time_column: String,
    /// The unit its values are stored in.
    pub time_unit: TimeUnit,
    /// The zone in which the times were written where they carried none, as an
    /// IANA name; `None` when they carried an offset or were UTC.
    pub time_zone: Option<String>,
    /// The key of a row: the time column first, then what `--key` named.
    pub key: Vec<String>,
    /// Whether every row of every version counts, even for equal keys.
    pub append: bool,
    /// Rows earlier than this are left out when read and counted; in
    /// microseconds since 1970 UTC. `None` lets every row through.
    pub floor_us: Option<i64>,
    /// Rows earlier than this are left out of every query; in microseconds
    /// since 1970 UTC.
    pub start_us: Option<i64>,
    /// Rows later than this are left out of every query; in microseconds since
    /// 1970 UTC.
    pub end_us: Option<i64>,
}

/// The attribute of the first time of any series, stored or computed, that
/// queries see; in microseconds since 1970 UTC.
pub const START_US: &str = "series.start_us";
/// The attribute of the last such time.
pub const END_US: &str = "series.end_us";

const TIME_COLUMN: &str = "series.time_column";
const TIME_UNIT: &str = "series.time_unit";
const TIME_ZONE: &str = "series.time_zone";
const KEY: &str = "series.key";
const APPEND: &str = "series.append";
const FLOOR: &str = "series.floor_us";

impl SeriesSpec {
    /// A series keyed by `time_column`, with the default floor.
    #[must_use]
    pub fn new(time_column: impl Into<String>, time_unit: TimeUnit) -> Self {
        let time_column = time_column.into();
        Self {
            key: vec![time_column.clone()],
            time_column,
            time_unit,
            time_zone: None,
            append: false,
            floor_us: Some(DEFAULT_FLOOR_US),
            start_us: None,
            end_us: None,
        }
    }

    /// The first and the last time, both included, of the rows that count: from
    /// the floor on and within the bounds.
    #[must_use]
    pub fn visible_us(&self) -> (Option<i64>, Option<i64>) {
        (self.floor_us.max(self.start_us), self.end_us)
    }

    /// Writes the declaration among a node's attributes.
    pub fn write_to(&self, attributes: &mut Attributes) {
        let mut put = |key: &str, value: Option<String>| match value {
            Some(value) => drop(attributes.insert(key.to_owned(), value)),
            None => drop(attributes.remove(key)),
        };
        put(TIME_COLUMN, Some(self.time_column.clone()));
        put(TIME_UNIT, Some(self.time_unit.to_string()));
        put(TIME_ZONE, self.time_zone.clone());
        // JSON, because a column's name may hold any separator.
        put(KEY, Some(serde_json::Value::from(self.key.clone()).to_string()));
        put(APPEND, self.append.then(|| "true".to_owned()));
        put(FLOOR, self.floor_us.map(|us| us.to_string()));
        put(START_US, self.start_us.map(|us| us.to_string()));
        put(END_US, self.end_us.map(|us| us.to_string()));
    }

    /// Reads the declaration back; `None` when the node declares no series.
    ///
    /// # Errors
    /// [`Error::BadAttribute`] names the attribute that can not be read.
    pub fn read_from(attributes: &Attributes) -> Result<Option<Self>> {
        let Some(time_column) = attributes.get(TIME_COLUMN) else { return Ok(None) };
        let bad = |key: &str| Error::BadAttribute {
            key: key.to_owned(),
            value: attributes.get(key).cloned().unwrap_or_default(),
        };
        let unit = attributes.get(TIME_UNIT).ok_or_else(|| bad(TIME_UNIT))?;
        let key = match attributes.get(KEY) {
            None => vec![time_column.clone()],
            Some(text) => serde_json::from_str(text).map_err(|_| bad(KEY))?,
        };
        let time = |key: &str| match attributes.get(key) {
            None => Ok(None),
            Some(text) => text.parse().map(Some).map_err(|_| bad(key)),
        };
        Ok(Some(Self {
            time_column: time_column.clone(),
            time_unit: unit.parse()?,
            time_zone: attributes.get(TIME_ZONE).cloned(),
            key,
            append: attributes.get(APPEND).is_some_and(|text| text == "true"),
            floor_us: time(FLOOR)?,
            start_us: time(START_US)?,
            end_us: time(END_US)?,
        }))
    }
}
