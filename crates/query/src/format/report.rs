//! What a read has to tell beside its rows.
//!
//! What always holds: counts are of the whole file, lists are its first
//! [`ReadReport::LISTED`] cases. Whatever was assumed or left out is here.
//!
//! What is deliberately not here: how it is shown.

use super::error::Malformed;

/// What a read has to tell beside its rows. Complete when [`super::open`]
/// returns: every record was read by then.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct ReadReport {
    /// Rows that are handed out.
    pub rows: u64,
    /// Rows that were left out because they are malformed.
    pub skipped: u64,
    /// The first of them.
    pub skipped_rows: Vec<Malformed>,
    /// Local times that daylight saving repeats or skips.
    pub dst: DaylightSaving,
    /// What was assumed.
    pub notes: Vec<Note>,
}

impl ReadReport {
    /// How many cases a list holds at most.
    pub const LISTED: usize = 100;

    /// Whether there is nothing to tell.
    #[must_use]
    pub fn is_quiet(&self) -> bool {
        self.skipped == 0
            && self.dst.ambiguous == 0
            && self.dst.nonexistent == 0
            && self.notes.is_empty()
    }

    pub(crate) fn note(&mut self, text: String) {
        let note = Note { text };
        if self.notes.len() < Self::LISTED && !self.notes.contains(&note) {
            self.notes.push(note);
        }
    }

    pub(crate) fn skip(&mut self, malformed: Malformed) {
        self.skipped += 1;
        if self.skipped_rows.len() < Self::LISTED {
            self.skipped_rows.push(malformed);
        }
    }
}

/// A sentence about what was assumed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Note {
    /// The sentence, without a full stop.
    pub text: String,
}

/// Local times that daylight saving repeats or skips.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct DaylightSaving {
    /// Rows whose local time happened twice.
    pub ambiguous: u64,
    /// How many of them were taken for the second pass.
    pub second_pass: u64,
    /// The first of them, and what each was taken for.
    pub ambiguous_rows: Vec<DoubtfulTime>,
    /// Rows whose local time never happened. Each is also a malformed row.
    pub nonexistent: u64,
}

/// A row whose local time happened twice.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DoubtfulTime {
    /// The line of the file, from 1.
    pub line: u64,
    /// The time as it is written there.
    pub local: String,
    /// What it was taken for, in microseconds since 1970 UTC.
    pub time_us: i64,
    /// Whether it was taken for the second pass.
    pub second_pass: bool,
}
