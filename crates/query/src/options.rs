//! What a session may use, and what it is to see.

use std::path::PathBuf;
use std::time::Duration;

use crate::Scratch;

/// The rows of every series that a session sees, by time; both ends included.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct TimeBounds {
    /// No row before this, in microseconds since 1970 UTC.
    pub start_us: Option<i64>,
    /// No row after this, in microseconds since 1970 UTC.
    pub end_us: Option<i64>,
}

impl TimeBounds {
    /// Bounds that let every row through.
    pub const ALL: Self = Self { start_us: None, end_us: None };

    /// Bounds that hold only what both hold.
    #[must_use]
    pub fn intersect(self, other: Self) -> Self {
        let tighter = |a: Option<i64>, b: Option<i64>, pick: fn(i64, i64) -> i64| match (a, b) {
            (Some(a), Some(b)) => Some(pick(a, b)),
            (one, other) => one.or(other),
        };
        Self {
            start_us: tighter(self.start_us, other.start_us, i64::max),
            end_us: tighter(self.end_us, other.end_us, i64::min),
        }
    }

    /// Whether no instant lies within.
    #[must_use]
    pub fn is_empty(self) -> bool {
        matches!((self.start_us, self.end_us), (Some(start), Some(end)) if start > end)
    }

    /// Whether every instant of `range` lies within.
    #[must_use]
    pub fn contains(self, range: &tinyfs::TimeRange) -> bool {
        self.start_us.is_none_or(|start| start <= range.min_us)
            && self.end_us.is_none_or(|end| range.max_us <= end)
    }

    /// Whether an instant of `range` lies within.
    #[must_use]
    pub fn overlaps(self, range: &tinyfs::TimeRange) -> bool {
        self.start_us.is_none_or(|start| start <= range.max_us)
            && self.end_us.is_none_or(|end| range.min_us <= end)
            && !self.is_empty()
    }
}

/// Limits and habits of a [`Session`](crate::Session).
#[derive(Clone, Debug)]
pub struct SessionOptions {
    /// Memory that sorts, joins and aggregates share, in bytes. Beyond it they
    /// spill to `temp_dir`; what can not spill fails. `None` sets no limit.
    pub memory_limit_bytes: Option<usize>,
    /// Where spilled data goes; the system's temporary directory when `None`.
    pub temp_dir: Option<PathBuf>,
    /// The most that may be spilled, in bytes.
    pub temp_limit_bytes: u64,
    /// How many partitions of a query run at once.
    pub threads: usize,
    /// The most rows of a batch.
    pub batch_rows: usize,
    /// How long a query may take, from planning to its last row.
    pub deadline: Option<Duration>,
    /// The rows of every series that are seen.
    pub time_range: TimeBounds,
    /// Whether the whole content of every version that a query names is read
    /// and compared with its hash first. A query reads ranges, and in ranges
    /// alone damage is not always seen.
    pub verify_reads: bool,
    /// Is told of the temporary directories that the session uses.
    pub scratch: Scratch,
}

impl Default for SessionOptions {
    fn default() -> Self {
        Self {
            memory_limit_bytes: None,
            temp_dir: None,
            temp_limit_bytes: 100 << 30,
            threads: std::thread::available_parallelism().map_or(1, usize::from),
            batch_rows: 8192,
            deadline: None,
            time_range: TimeBounds::ALL,
            verify_reads: false,
            scratch: Scratch::default(),
        }
    }
}
