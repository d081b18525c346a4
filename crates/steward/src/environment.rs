//! What a pond needs of the world: the time, ids, and somebody to tell.
//!
//! All of it is passed in, so that a test repeats exactly. This is the one
//! place that asks the real clock.

use std::fmt;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use diagnostics::Monitor;
use oplog::{Disk, LogOptions, Medium};
use tinyfs::{IdSource, SequentialIds};
use uuid::{ContextV7, Timestamp, Uuid};

/// Tells the time. Nothing is ordered by it.
pub trait Clock: fmt::Debug + Send + Sync + 'static {
    /// Microseconds since 1970-01-01T00:00:00Z.
    fn now_us(&self) -> i64;
}

/// What a pond is given to live in.
#[derive(Clone, Debug)]
pub struct Environment {
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// Ids of nodes and transactions.
    pub ids: Arc<dyn IdSource>,
    /// Is told of progress and of what the user should know.
    pub monitor: Arc<dyn Monitor>,
    /// What writes to the disk.
    pub medium: Arc<dyn Medium>,
}

impl Environment {
    /// The machine's clock and UUIDv7 ids.
    #[must_use]
    pub fn system(monitor: Arc<dyn Monitor>) -> Self {
        let clock: Arc<dyn Clock> = Arc::new(SystemClock);
        let ids = Arc::new(TimeOrderedIds::new(Arc::clone(&clock)));
        Self { clock, ids, monitor, medium: Arc::new(Disk) }
    }

    /// A clock that stands at `now_us` until it is told otherwise, ids that
    /// count from 1, and nobody to tell: for tests.
    #[must_use]
    pub fn manual(now_us: i64) -> (Self, Arc<ManualClock>) {
        let clock = Arc::new(ManualClock::new(now_us));
        let environment = Self {
            clock: Arc::<ManualClock>::clone(&clock),
            ids: Arc::new(SequentialIds::default()),
            monitor: diagnostics::silent(),
            medium: Arc::new(Disk),
        };
        (environment, clock)
    }
}

impl Environment {
    /// How a log is opened here.
    pub(crate) fn log_options(&self) -> LogOptions {
        LogOptions { medium: Arc::clone(&self.medium), ..LogOptions::default() }
    }
}

/// The clock of the machine.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "the one place where the real time enters")]
    fn now_us(&self) -> i64 {
        jiff::Timestamp::now().as_microsecond()
    }
}

/// A clock that is set by hand.
#[derive(Debug)]
pub struct ManualClock(AtomicI64);

impl ManualClock {
    /// A clock that stands at `now_us`.
    #[must_use]
    pub const fn new(now_us: i64) -> Self {
        Self(AtomicI64::new(now_us))
    }

    /// Sets it, forward or back.
    pub fn set(&self, now_us: i64) {
        self.0.store(now_us, Ordering::Relaxed);
    }

    /// Moves it on, or back for a negative amount.
    pub fn advance(&self, by_us: i64) {
        self.0.fetch_add(by_us, Ordering::Relaxed);
    }
}

impl Clock for ManualClock {
    fn now_us(&self) -> i64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// UUIDv7 ids, ascending within a process even when its clock steps back.
pub struct TimeOrderedIds {
    clock: Arc<dyn Clock>,
    context: Mutex<(ContextV7, i64)>,
}

impl TimeOrderedIds {
    /// Ids that begin with the time of this clock.
    #[must_use]
    pub fn new(clock: Arc<dyn Clock>) -> Self {
        Self { clock, context: Mutex::new((ContextV7::new(), i64::MIN)) }
    }
}

impl fmt::Debug for TimeOrderedIds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TimeOrderedIds").field("clock", &self.clock).finish_non_exhaustive()
    }
}

impl IdSource for TimeOrderedIds {
    fn next_id(&self) -> Uuid {
        // Nothing that runs under this lock can leave the pair half changed.
        let mut guard = self.context.lock().unwrap_or_else(PoisonError::into_inner);
        let (context, last_us) = &mut *guard;
        *last_us = self.clock.now_us().max(*last_us).max(0);
        let seconds = u64::try_from(*last_us / 1_000_000).unwrap_or(0);
        let nanos = u32::try_from(*last_us % 1_000_000).unwrap_or(0) * 1_000;
        Uuid::new_v7(Timestamp::from_unix(&*context, seconds, nanos))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_ascend_when_the_clock_steps_back() {
        let clock = Arc::new(ManualClock::new(1_700_000_000_000_000));
        let ids = TimeOrderedIds::new(Arc::<ManualClock>::clone(&clock));
        let mut last = ids.next_id();
        for step in 0..1_000 {
            clock.advance(if step % 3 == 0 { -5_000_000 } else { 700 });
            let next = ids.next_id();
            assert!(next > last, "{next} after {last}");
            assert_eq!(next.get_version_num(), 7);
            last = next;
        }
    }
}
