//! Forgetting history before a transaction.
//!
//! A prune first commits the horizon, with the hash of the last transaction
//! before it as the anchor of the chain; from then on earlier states are
//! refused by name. Rows that nothing needs any more then go file by file, the
//! oldest first, each a bounded step that can be interrupted: a file says up
//! to where it is pruned.

use super::{Step, commit_id, landed};
use crate::delta::{Commit, Horizon, TableState};
use crate::{Error, Log, Result};

/// What a prune would drop.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct PrunePlan {
    /// The oldest transaction whose state will be seen.
    pub oldest: u64,
    /// Transactions that will be forgotten.
    pub transactions: u64,
    /// Data files that will be written again.
    pub files: usize,
    /// What they take.
    pub bytes: u64,
}

/// Files that still hold what was pruned, the oldest first, and metadata
/// before contents.
pub(super) fn plan(state: &TableState) -> Vec<Step> {
    let oldest = state.horizon.oldest;
    let mut files: Vec<_> =
        state.files.iter().filter(|file| file.from <= oldest && file.pruned < oldest).collect();
    files.sort_by_key(|file| (!file.parts.has_metadata(), file.from));
    files
        .into_iter()
        .map(|file| Step::Rewrite { file: file.path.clone(), bytes: file.size_bytes })
        .collect()
}

/// Whether a file can be rewritten now: links rely on all older files with
/// metadata being rewritten before, contents on all that still hold versions
/// from before the horizon.
pub(super) fn check_order(state: &TableState, name: &str) -> Result<()> {
    let oldest = state.horizon.oldest;
    let file = state.files.iter().find(|file| file.path == name).ok_or(Error::StalePlan)?;
    let last = if file.parts.has_metadata() { file.from } else { oldest.saturating_add(1) };
    let waits = state
        .files
        .iter()
        .any(|other| other.parts.has_metadata() && other.from < last && other.pruned < oldest);
    if waits { Err(Error::StalePlan) } else { Ok(()) }
}

impl Log {
    /// What forgetting everything before a transaction's state would drop.
    ///
    /// # Errors
    /// [`Error::NoSuchTransaction`]; [`Error::Pruned`] when that is done.
    pub fn plan_prune(&self, oldest: u64) -> Result<PrunePlan> {
        let newest = self.head().txn_seq;
        if oldest == 0 || oldest > newest {
            return Err(Error::NoSuchTransaction { txn_seq: oldest, newest });
        }
        let known = self.state.horizon.oldest;
        if oldest <= known {
            return Err(Error::Pruned {
                what: format!("everything before transaction {oldest}"),
                oldest: known,
            });
        }
        let files = self.state.files.iter().filter(|file| file.from <= oldest);
        Ok(PrunePlan {
            oldest,
            transactions: oldest - known.max(1),
            files: files.clone().count(),
            bytes: files.map(|file| file.size_bytes).sum(),
        })
    }

    /// Moves the horizon. What it hides goes with the next maintenance, and
    /// large files with the next vacuum after the retention.
    ///
    /// # Errors
    /// As [`Log::plan_prune`]; [`Error::ReadOnly`], [`Error::Io`] and damage.
    pub async fn prune(&mut self, plan: &PrunePlan, now_us: i64) -> Result<()> {
        self.check_writable()?;
        let oldest = self.plan_prune(plan.oldest)?.oldest;
        let anchor = self.snapshot().transaction(oldest).await?.row.previous_hash;
        let commit = Commit {
            operation: "PRUNE",
            timestamp_ms: now_us / 1000,
            txn_id: Some(commit_id([format!("prune {oldest}").as_str()])),
            horizon: Some(Horizon { oldest, anchor }),
            ..Commit::default()
        };
        landed(self.put_commit(&commit).await)
    }
}
