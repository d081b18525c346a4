//! Upkeep: what keeps a pond small and quick, without changing what it shows.
//!
//! After a commit some of it happens by itself, within a budget; all that is
//! due happens when asked for, after a plan has been shown.
//!
//! Always true: upkeep that fails never fails the commit it follows; a plan is
//! made without changing anything; only a prune, which is asked for, drops
//! anything that could be seen.

mod automatic;
mod pace;
mod perform;
mod plan;

use std::fmt;
use std::time::Duration;

use oplog::maintenance::{Policy, PrunePlan, Step as LogStep};
use tinyfs::NodeId;
use tlogfs::merge::Merge;

use crate::settings::{self, Settings};

pub(crate) use automatic::due_series;
pub use perform::MaintenanceReport;

/// What is asked of upkeep.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct MaintainOptions {
    /// Forget the history before this long ago; `None` keeps all of it.
    pub prune_keep: Option<Duration>,
}

/// What upkeep would do.
#[derive(Clone, Debug, Default)]
pub struct MaintenancePlan {
    /// The steps, in order. Some only come due when others are done.
    pub steps: Vec<Step>,
    prune: Option<PrunePlan>,
}

impl MaintenancePlan {
    /// Whether there is nothing to do.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.steps.is_empty()
    }
}

/// One piece of upkeep.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Step {
    /// The history before a transaction is forgotten.
    Prune {
        /// The oldest transaction whose state will be seen.
        oldest: u64,
        /// How many will be forgotten.
        transactions: u64,
    },
    /// Small versions of a series become one run.
    MergeSeries {
        /// The series.
        path: String,
        /// The first version.
        from: u64,
        /// The last version.
        to: u64,
        /// What they take.
        bytes: u64,
    },
    /// Files of the log become one or two.
    CompactLog {
        /// How many.
        files: usize,
        /// What they take.
        bytes: u64,
    },
    /// A file of the log is written again without what was pruned.
    RewriteLog {
        /// What it takes.
        bytes: u64,
    },
    /// A checkpoint of the log is written, so that it opens quickly.
    Checkpoint,
    /// Entries of the log that no reader needs go.
    CleanLog {
        /// How many files.
        files: usize,
    },
    /// Files that nothing names go.
    Vacuum {
        /// How many.
        files: usize,
        /// What they take.
        bytes: u64,
    },
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Prune { oldest, transactions } => {
                write!(f, "forget {transactions} transactions before transaction {oldest}")
            }
            Self::MergeSeries { path, from, to, bytes } => {
                write!(f, "merge versions {from} to {to} of `{path}` ({bytes} bytes)")
            }
            Self::CompactLog { files, bytes } => {
                write!(f, "merge {files} files of the log ({bytes} bytes)")
            }
            Self::RewriteLog { bytes } => {
                write!(f, "write a file of the log again without what was pruned ({bytes} bytes)")
            }
            Self::Checkpoint => f.write_str("write a checkpoint of the log"),
            Self::CleanLog { files } => write!(f, "remove {files} old entries of the log"),
            Self::Vacuum { files, bytes } => {
                write!(f, "remove {files} files that nothing names ({bytes} bytes)")
            }
        }
    }
}

impl From<&LogStep> for Step {
    fn from(step: &LogStep) -> Self {
        match step {
            LogStep::Merge { files, bytes, .. } => {
                Self::CompactLog { files: files.len(), bytes: *bytes }
            }
            LogStep::Rewrite { bytes, .. } => Self::RewriteLog { bytes: *bytes },
            LogStep::CleanLog { files, .. } => Self::CleanLog { files: *files },
            LogStep::Vacuum { leftovers } => Self::Vacuum {
                files: leftovers.len(),
                bytes: leftovers.iter().map(|leftover| leftover.bytes).sum(),
            },
            _ => Self::Checkpoint,
        }
    }
}

/// A merge of a series that is due.
#[derive(Clone, Debug)]
struct SeriesMerge {
    node: NodeId,
    path: String,
    merge: Merge,
}

/// What the log is told of the settings.
fn policy(settings: &Settings) -> Policy {
    let hours = i64::try_from(settings.number(settings::VACUUM_HOURS)).unwrap_or(i64::MAX);
    Policy {
        small_files: usize::try_from(settings.number(settings::COMPACT_FILES))
            .unwrap_or(usize::MAX),
        checkpoint_every: settings.number(settings::CHECKPOINT_COMMITS),
        retention_us: hours.saturating_mul(3_600_000_000),
        ..Policy::default()
    }
}
