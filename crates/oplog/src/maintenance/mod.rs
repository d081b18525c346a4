//! The log's upkeep: compaction, checkpoints, log clean-up, vacuum, prune.
//!
//! Upkeep is planned, shown and then performed, in steps that are bounded and
//! each a commit of its own (or no commit at all): after any of them the log
//! is whole. The caller holds the pond's lock. No step changes what a snapshot
//! at or after the horizon shows; only [`Log::prune`] moves the horizon.

mod age;
mod checkpoint;
mod compact;
mod keep;
mod merged_rows;
mod prune;
mod vacuum;

use std::sync::Arc;

use diagnostics::{Monitor, Unit};

use crate::{Error, Log, Result};

pub(crate) use keep::Live;
pub use prune::PrunePlan;
pub use vacuum::Leftover;

/// When which upkeep is due.
#[derive(Clone, Debug)]
pub struct Policy {
    /// Files as commits wrote them, before they are merged.
    pub small_files: usize,
    /// Merged files of contents of one level, before they are merged again; of
    /// metadata half as many of like size.
    pub fan_in: usize,
    /// What a merge reads at most: the oldest files of a level that fit are
    /// merged, and files too large for it stay as they are.
    pub merge_bytes: u64,
    /// Commits between checkpoints.
    pub checkpoint_every: u64,
    /// How long what nothing names is kept for readers, in microseconds.
    pub retention_us: i64,
    /// Versions that a run merged at or before this transaction covers are
    /// dropped as files are merged; 0 drops none.
    pub covered_before: u64,
    /// Whether to look for large files that nothing names, which reads the
    /// whole history of versions.
    pub large_files: bool,
}

impl Default for Policy {
    fn default() -> Self {
        Self {
            small_files: 8,
            fan_in: 8,
            merge_bytes: 64 << 20,
            checkpoint_every: 25,
            retention_us: 86_400_000_000,
            covered_before: 0,
            large_files: false,
        }
    }
}

/// One piece of upkeep.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Step {
    /// Files of contiguous transactions become one or two.
    Merge {
        /// Their names.
        files: Vec<String>,
        /// The first and the last transaction.
        transactions: (u64, u64),
        /// What they take together.
        bytes: u64,
    },
    /// A file is written again without what was pruned.
    Rewrite {
        /// Its name.
        file: String,
        /// What it takes.
        bytes: u64,
    },
    /// The table's state at this Delta version becomes a checkpoint.
    Checkpoint {
        /// The version.
        version: u64,
    },
    /// Commit files and checkpoints that no reader needs go.
    CleanLog {
        /// Those before this Delta version.
        before: u64,
        /// How many files that is.
        files: usize,
    },
    /// Files that nothing names, and leftovers of interrupted writes, go.
    Vacuum {
        /// The files.
        leftovers: Vec<Leftover>,
    },
}

/// What upkeep would do.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Plan {
    /// The steps, in order.
    pub steps: Vec<Step>,
}

impl Plan {
    /// Whether there is nothing to do.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.steps.is_empty()
    }
}

/// What upkeep has done.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// Data files that went into merges and rewrites.
    pub files_merged: usize,
    /// Bytes of data files written.
    pub bytes_written: u64,
    /// Checkpoints made.
    pub checkpoints: usize,
    /// Commit files and checkpoints taken away.
    pub log_files_removed: usize,
    /// Other files taken away.
    pub leftovers_removed: usize,
    /// What the removed files took.
    pub bytes_freed: u64,
}

impl Log {
    /// What upkeep is due, at a time in microseconds since 1970 UTC. Merges
    /// that only come due because of planned ones are left to the next plan.
    ///
    /// # Errors
    /// [`Error::Io`] and damage.
    pub async fn plan_maintenance(&self, policy: &Policy, now_us: i64) -> Result<Plan> {
        let mut steps = prune::plan(&self.state);
        if steps.is_empty() {
            steps = compact::plan(&self.state, policy);
        }
        let commits = steps.len() as u64;
        let listing = self.delta.list().await?;
        checkpoint::plan(&self.state, &listing, policy, commits, &mut steps);
        let leftovers = vacuum::find(self, policy, now_us).await?;
        if !leftovers.is_empty() {
            steps.push(Step::Vacuum { leftovers });
        }
        Ok(Plan { steps })
    }

    /// Performs one step of a plan. The caller holds the pond's lock.
    ///
    /// # Errors
    /// [`Error::StalePlan`] when the log has changed so that the step no
    /// longer fits; [`Error::ReadOnly`], [`Error::Io`] and damage.
    pub async fn perform_step(
        &mut self,
        step: &Step,
        policy: &Policy,
        now_us: i64,
        report: &mut Report,
    ) -> Result<()> {
        self.check_writable()?;
        if !matches!(step, Step::Rewrite { .. }) {
            self.live = None;
        }
        match step {
            Step::Merge { files, .. } => {
                let keeper = keep::Keeper::covered(self.snapshot(), policy.covered_before);
                compact::merge(self, files, keeper, now_us, report).await
            }
            Step::Rewrite { file, .. } => {
                prune::check_order(&self.state, file)?;
                let snapshot = self.snapshot();
                let live = match self.live.take().filter(|live| live.is_of(&snapshot)) {
                    Some(live) => live,
                    None => Live::of(&snapshot).await?,
                };
                let keeper = keep::Keeper::pruning(snapshot, policy.covered_before, &live);
                self.live = Some(live);
                compact::merge(self, std::slice::from_ref(file), keeper, now_us, report).await
            }
            Step::Checkpoint { .. } => checkpoint::make(self, report).await,
            Step::CleanLog { before, .. } => checkpoint::clean(self, *before, report).await,
            Step::Vacuum { leftovers } => vacuum::remove(self, leftovers, report).await,
        }
    }

    /// Performs a plan, step by step. The caller holds the pond's lock.
    ///
    /// # Errors
    /// As [`Log::perform_step`]; what was done before the error stays done.
    pub async fn perform_maintenance(
        &mut self,
        plan: &Plan,
        policy: &Policy,
        now_us: i64,
        monitor: &Arc<dyn Monitor>,
    ) -> Result<Report> {
        let mut report = Report::default();
        let progress = monitor.begin("maintenance", Some(plan.steps.len() as u64), Unit::Items);
        for step in &plan.steps {
            self.perform_step(step, policy, now_us, &mut report).await?;
            progress.advance(1);
        }
        Ok(report)
    }
}

/// An id for a commit without a transaction: so that it is recognised when it
/// is read back. It follows from the files, and needs no source of ids.
fn commit_id<'a>(paths: impl IntoIterator<Item = &'a str>) -> uuid::Uuid {
    let mut hasher = blake3::Hasher::new();
    for path in paths {
        hasher.update(path.as_bytes()).update(b"\n");
    }
    let mut bytes = [0; 16];
    bytes.copy_from_slice(&hasher.finalize().as_bytes()[..16]);
    uuid::Builder::from_custom_bytes(bytes).into_uuid()
}

/// The result of a commit file for upkeep, where unclear is an error.
fn landed(landing: crate::log::Landing) -> Result<(), Error> {
    match landing {
        crate::log::Landing::Landed => Ok(()),
        crate::log::Landing::Missed(error) | crate::log::Landing::Unclear(error) => Err(error),
    }
}
