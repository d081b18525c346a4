//! The upkeep that follows a commit by itself: little at a time, so that no
//! command waits long for it.

use std::error::Error as StdError;
use std::ops::RangeInclusive;

use oplog::TxnKind;
use oplog::maintenance::{Report, Step as LogStep};
use tinyfs::NodeId;
use tokio::time::Instant;

use super::pace::Paces;
use super::plan::{full_policy, limits, merges_of};
use crate::intent::Intent;
use crate::journal::Upkeep;
use crate::pond::{Locked, Pond};
use crate::settings;
use crate::{Error, Result};

/// After so many transactions the log is looked at: looking has a cost too.
const LOOK_EVERY: u64 = 8;
/// Files that are taken away after one commit.
const MAX_LEFTOVERS: usize = 256;

/// Of the series a transaction appended to (each with the versions added):
/// those that got past a number of versions at which a merge may be due.
pub(crate) fn due_series(
    appended: &[(NodeId, RangeInclusive<u64>)],
    settings: &settings::Settings,
) -> Vec<NodeId> {
    let fan_in = settings.number(settings::MERGE_VERSIONS).max(2);
    appended
        .iter()
        .filter(|(_, added)| added.end() / fan_in > added.start().saturating_sub(1) / fan_in)
        .map(|(node, _)| *node)
        .collect()
}

impl Pond {
    /// Does some of the upkeep that is due. Its failure is noted and shown by
    /// `status`; it is never the failure of the commit before.
    pub(crate) async fn keep_up(&self, locked: &mut Locked, series: &[NodeId]) {
        if !locked.settings.automatic() {
            return;
        }
        let before = self.journal.upkeep();
        // Counted from the last time, not by the transaction's number: that of
        // a merge, or one without upkeep, would be the one that counts. It may
        // also be ahead, of a log that lost its tail.
        let since = locked.log.head().txn_seq.abs_diff(before.log_done_txn);
        let log_is_due = since >= LOOK_EVERY;
        if series.is_empty() && !log_is_due {
            return;
        }
        let now_us = self.environment.clock.now_us();
        self.journal.sweep(now_us);
        let upkeep = match self.some_upkeep(locked, series, log_is_due).await {
            Ok(log_done) => {
                let newest = locked.log.head().txn_seq;
                let log_done_txn = if log_done { newest } else { before.log_done_txn };
                Upkeep { done_us: Some(now_us), log_done_txn, ..Upkeep::default() }
            }
            Err(error) => {
                let failure = chain(&error);
                diagnostics::log_warn!("upkeep of the pond failed: {failure}", failure: &failure);
                Upkeep { failed_us: Some(now_us), failure: Some(failure), ..before }
            }
        };
        self.journal.set_upkeep(&upkeep);
    }

    /// Whether the log was seen through; what the budget cut off is taken up
    /// after the next commit.
    async fn some_upkeep(
        &self,
        locked: &mut Locked,
        series: &[NodeId],
        log_is_due: bool,
    ) -> Result<bool> {
        let mut paces = Paces::load(&self.control);
        let before = paces;
        paces.forget();
        let done = self.in_pieces(locked, series, log_is_due, &mut paces).await;
        if paces != before {
            paces.store(&self.control);
        }
        done
    }

    async fn in_pieces(
        &self,
        locked: &mut Locked,
        series: &[NodeId],
        log_is_due: bool,
        paces: &mut Paces,
    ) -> Result<bool> {
        let begun = Instant::now();
        let budget = locked.settings.budget();
        let mut limits = limits(&locked.settings);
        limits.max_bytes = limits.max_bytes.min(paces.series.piece_bytes(budget));
        let newest = locked.log.head().txn_seq;
        let row = locked.log.snapshot().transaction(newest).await;
        let row = row.map_err(Error::log("cannot read the newest transaction"))?.row;
        let intent = Intent::new(
            format!(
                "upkeep after {} {newest}",
                if row.kind == TxnKind::User { "transaction" } else { "upkeep" }
            ),
            row.user,
            row.host,
        );
        for node in series {
            let name = node.to_string();
            // Those that do not go together must not keep back the others.
            let mut refused = Vec::new();
            // One tier may complete the next.
            while begun.elapsed() < budget {
                let due = merges_of(&locked.log.snapshot(), *node, &name, limits).await?;
                let next = due.iter().find(|due| !refused.contains(&due.merge.covers()));
                let Some(next) = next else { break };
                let bytes = next.merge.input_bytes();
                let left = budget.saturating_sub(begun.elapsed());
                if bytes > paces.series.piece_bytes(left) {
                    break;
                }
                let started = Instant::now();
                if self.merge_series(locked, next, &intent).await? {
                    paces.series.learn(bytes, started.elapsed());
                } else {
                    refused.push(next.merge.covers());
                }
            }
        }
        // Steps of the log may take half of the budget each.
        let enough = budget / 2;
        if !log_is_due || begun.elapsed() > enough {
            return Ok(false);
        }
        let now_us = self.environment.clock.now_us();
        let mut policy = full_policy(&locked.log.snapshot(), &locked.settings, now_us).await?;
        // That reads the whole history of versions.
        policy.large_files = false;
        // So much of what is due as fits, or a large piece would never be done.
        let most = paces.log.piece_bytes(budget);
        policy.merge_bytes = policy.merge_bytes.min(most);
        let plan = locked
            .log
            .plan_maintenance(&policy, now_us)
            .await
            .map_err(Error::log("cannot see what upkeep is due"))?;
        let mut report = Report::default();
        for (done, step) in affordable(&plan.steps, most).into_iter().enumerate() {
            let left = budget.saturating_sub(begun.elapsed());
            let bytes = bytes_of(&step);
            let fits = if bytes > 0 { bytes <= paces.log.piece_bytes(left) } else { left > enough };
            // One at least, or looking alone could take up every budget.
            if done > 0 && (left.is_zero() || !fits) {
                return Ok(false);
            }
            let started = Instant::now();
            locked
                .log
                .perform_step(&step, &policy, now_us, &mut report)
                .await
                .map_err(Error::log("upkeep of the log failed"))?;
            paces.log.learn(bytes, started.elapsed());
        }
        Ok(true)
    }
}

/// What a step reads; 0 for one whose cost is bounded otherwise.
fn bytes_of(step: &LogStep) -> u64 {
    match step {
        LogStep::Merge { bytes, .. } | LogStep::Rewrite { bytes, .. } => *bytes,
        _ => 0,
    }
}

/// The steps, or what of them, that read at most so many bytes: small enough
/// to follow a commit.
fn affordable(steps: &[LogStep], most: u64) -> Vec<LogStep> {
    let mut affordable = Vec::with_capacity(steps.len());
    let mut held = false;
    for step in steps {
        match step {
            LogStep::Rewrite { bytes, .. } => {
                // A prune drops from the oldest file on: were the word that a
                // name is gone dropped before the name itself, the name would
                // be back. So none is written again before an older one.
                held |= *bytes > most;
                if !held {
                    affordable.push(step.clone());
                }
            }
            LogStep::Vacuum { leftovers } => {
                let leftovers = leftovers.iter().take(MAX_LEFTOVERS).cloned().collect();
                affordable.push(LogStep::Vacuum { leftovers });
            }
            step if bytes_of(step) <= most => affordable.push(step.clone()),
            _ => {}
        }
    }
    affordable
}

/// An error with its causes, on one line.
fn chain(error: &dyn StdError) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text.push_str(": ");
        text.push_str(&error.to_string());
        cause = error.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::Settings;

    #[test]
    fn a_series_is_due_when_it_gets_past_a_multiple() {
        let node = NodeId::new(uuid::Uuid::from_u128(1));
        let due = |added| !due_series(&[(node, added)], &Settings::default()).is_empty();
        assert!(due(8..=8) && due(7..=9) && due(1..=40) && due(16..=17));
        assert!(!due(1..=7) && !due(9..=9) && !due(9..=15));
    }

    #[test]
    fn nothing_newer_is_pruned_before_a_rewrite_that_is_too_large() {
        let rewrite = |file: &str, bytes| LogStep::Rewrite { file: file.to_owned(), bytes };
        let merge = |bytes| LogStep::Merge { files: Vec::new(), transactions: (1, 2), bytes };
        let most = 8 << 20;
        let large = most + 1;
        let steps = [
            rewrite("a", 1),
            rewrite("b", large),
            rewrite("c", 1),
            LogStep::Checkpoint { version: 3 },
        ];
        assert_eq!(affordable(&steps, most), [steps[0].clone(), steps[3].clone()]);
        let steps = [merge(large), merge(1)];
        assert_eq!(affordable(&steps, most), [steps[1].clone()]);
    }
}
