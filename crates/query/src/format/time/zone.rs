//! Local times to UTC in one zone, fast where the offset does not change.
//!
//! What always holds: the answer is that of the IANA rules bundled with the
//! program; the span in which the offset is constant is only remembered.

use diagnostics::nearest_one;
use jiff::civil::DateTime;
use jiff::tz::{AmbiguousOffset, TimeZone, TimeZoneDatabase};
use jiff::{SignedDuration, Timestamp};

use crate::format::error::{Error, Result};

/// What a local time is in UTC.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Placed {
    /// It happened once. Seconds since 1970.
    Once(i64),
    /// It happened twice.
    Twice {
        /// The first time.
        earlier: i64,
        /// The second time.
        later: i64,
    },
    /// Clocks skipped it; they were this many seconds east of UTC before.
    Never {
        /// The offset in force before.
        offset_before: i32,
    },
    /// Beyond the years that are computed with.
    OutOfRange,
}

/// A zone with the span that was used last.
#[derive(Clone, Debug)]
pub(crate) struct Zone {
    name: String,
    rules: TimeZone,
    /// Local times from the first up to the second have the offset.
    span: (i64, i64, i64),
}

impl Zone {
    /// Looks a zone up by its IANA name.
    pub(crate) fn get(name: &str) -> Result<Self> {
        let database = TimeZoneDatabase::bundled();
        let rules = database.get(name).map_err(|_| Error::UnknownZone {
            zone: name.escape_debug().to_string(),
            nearest: nearest_one(name, database.available().map(|each| each.to_string())),
        })?;
        Ok(Self { name: name.to_owned(), rules, span: (0, 0, 0) })
    }

    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// Places a local time, given as if it were UTC.
    pub(crate) fn place(&mut self, local: i64) -> Placed {
        let (from, to, offset) = self.span;
        if from <= local && local < to {
            return Placed::Once(local - offset);
        }
        let Some(civil) = civil(local) else { return Placed::OutOfRange };
        match self.rules.to_ambiguous_timestamp(civil).offset() {
            AmbiguousOffset::Unambiguous { offset } => {
                let offset = i64::from(offset.seconds());
                self.remember_span(local, offset);
                Placed::Once(local - offset)
            }
            AmbiguousOffset::Gap { before, .. } => {
                Placed::Never { offset_before: before.seconds() }
            }
            AmbiguousOffset::Fold { before, after } => Placed::Twice {
                earlier: local - i64::from(before.seconds()),
                later: local - i64::from(after.seconds()),
            },
        }
    }

    /// Finds the local times around `local` that happen once and have the
    /// same offset.
    fn remember_span(&mut self, local: i64, offset: i64) {
        let Ok(instant) = Timestamp::from_second(local - offset) else { return };
        let Ok(just_after) = instant.checked_add(SignedDuration::from_nanos(1)) else { return };
        let from = self.rules.preceding(just_after).next().map_or(i64::MIN, |transition| {
            let at = transition.timestamp();
            let before = at
                .checked_sub(SignedDuration::from_secs(1))
                .map_or(offset, |instant| i64::from(self.rules.to_offset(instant).seconds()));
            at.as_second() + before.max(offset)
        });
        let to = self.rules.following(instant).next().map_or(i64::MAX, |transition| {
            let after = i64::from(transition.offset().seconds());
            transition.timestamp().as_second() + after.min(offset)
        });
        // The ends of the calendar are left to the slow way.
        let (from, to) = (from.max(-62_000_000_000), to.min(253_000_000_000));
        if from <= local && local < to {
            self.span = (from, to, offset);
        }
    }
}

fn civil(local: i64) -> Option<DateTime> {
    let instant = Timestamp::from_second(local).ok()?;
    Some(jiff::tz::Offset::UTC.to_datetime(instant))
}
