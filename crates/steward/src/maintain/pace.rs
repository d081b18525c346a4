//! How fast upkeep goes on this machine, so that what follows a commit can be
//! cut to what fits into its time.
//!
//! It is measured as upkeep goes along and kept as a hint: without it, or with
//! one from another machine, the first pieces are small or late and the next
//! are right.
//!
//! Always true: one piece that took long, because the machine slept or its disk
//! hung, is not believed for ever. Pieces that are too large for the pace are
//! not tried, so nothing would ever say otherwise, and a pond whose files are
//! no longer merged grows old.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::control::Control;

const FILE: &str = "pace.json";
/// What is assumed before anything was measured.
const FIRST: u64 = 4 << 10;
/// Smaller pieces say more of what a step costs than of the pace.
const TELLING_BYTES: u64 = 32 << 10;
/// Each look at what is due forgets so small a part of a slow pace: after some
/// hundreds of transactions a larger piece is tried again.
const FORGOTTEN: u64 = 64;
/// Larger pieces are left to an upkeep that is asked for.
const MAX_PIECE_BYTES: u64 = 8 << 20;
/// Pieces up to this are done whatever the time, or nothing would be.
const MIN_PIECE_BYTES: u64 = 64 << 10;

/// Bytes a millisecond that go into one kind of work.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub(super) struct Pace(u64);

impl Pace {
    /// The most bytes that a piece may have to be done in this time, with half
    /// of it in hand.
    pub(super) fn piece_bytes(self, time: Duration) -> u64 {
        let ms = u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
        (self.0.saturating_mul(ms) / 2).clamp(MIN_PIECE_BYTES, MAX_PIECE_BYTES)
    }

    /// Learns from a piece: soon that it is slower, little by little that it is
    /// faster.
    pub(super) fn learn(&mut self, bytes: u64, took: Duration) {
        if bytes < TELLING_BYTES {
            return;
        }
        let ms = u64::try_from(took.as_millis()).unwrap_or(u64::MAX).max(1);
        let seen = (bytes / ms).max(1);
        self.0 = if seen < self.0 { seen.max(self.0 / 4) } else { self.0 - self.0 / 4 + seen / 4 };
    }

    /// Forgets a little of a pace slower than the one that is assumed at first.
    pub(super) fn forget(&mut self) {
        self.0 += FIRST.saturating_sub(self.0).div_ceil(FORGOTTEN);
    }
}

/// The paces of both kinds of work.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Paces {
    /// Merging files of the log.
    pub(super) log: Pace,
    /// Merging versions of series.
    pub(super) series: Pace,
}

impl Default for Paces {
    fn default() -> Self {
        Self { log: Pace(FIRST), series: Pace(FIRST) }
    }
}

impl Paces {
    /// Forgets a little of what made them slow.
    pub(super) fn forget(&mut self) {
        self.log.forget();
        self.series.forget();
    }

    /// What was learnt; what can not be read is as good as nothing.
    pub(super) fn load(control: &Control) -> Self {
        control.read_json(FILE).ok().flatten().unwrap_or_default()
    }

    pub(super) fn store(&self, control: &Control) {
        if let Err(error) = control.write_hint(FILE, self) {
            diagnostics::log_debug!("the pace of upkeep is not kept: {error}", error);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);

    #[test]
    fn a_piece_takes_half_of_its_time_at_the_pace_learnt() {
        let mut pace = Pace(FIRST);
        pace.learn(1 << 20, 1_024 * MS);
        assert_eq!(pace, Pace(1_024));
        assert_eq!(pace.piece_bytes(1_000 * MS), 512_000);
        for _ in 0..40 {
            pace.learn(10 << 20, 100 * MS);
        }
        assert!(pace.0 > 100_000, "{pace:?}");
        for _ in 0..4 {
            pace.learn(1 << 20, 1_024 * MS);
        }
        assert_eq!(pace, Pace(1_024));
    }

    #[test]
    fn a_machine_that_slept_is_not_slow_for_ever() {
        let mut pace = Pace(FIRST);
        for _ in 0..10 {
            pace.learn(1 << 20, 3_600_000 * MS);
        }
        assert_eq!(pace.piece_bytes(250 * MS), MIN_PIECE_BYTES);
        for _ in 0..40 {
            pace.forget();
        }
        assert!(pace.piece_bytes(250 * MS) > 200 << 10, "{pace:?}");
        let mut fast = Pace(FIRST * 10);
        fast.forget();
        assert_eq!(fast, Pace(FIRST * 10));
    }

    #[test]
    fn pieces_are_never_tiny_nor_huge() {
        assert_eq!(Pace(1).piece_bytes(Duration::ZERO), MIN_PIECE_BYTES);
        assert_eq!(Pace(u64::MAX).piece_bytes(1_000 * MS), MAX_PIECE_BYTES);
        let mut pace = Pace(FIRST);
        pace.learn(100, 1_000 * MS);
        assert_eq!(pace, Pace(FIRST));
    }
}
