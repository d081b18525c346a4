//! The upkeep that follows a commit by itself: little at a time, so that no
//! command waits long for it.

use std::error::Error as StdError;

use oplog::TxnKind;
use oplog::maintenance::{Report, Step as LogStep};
use tinyfs::NodeId;
use tokio::time::Instant;

use super::plan::{full_policy, limits, merges_of};
use crate::intent::Intent;
use crate::journal::Upkeep;
use crate::pond::{Locked, Pond};
use crate::settings;
use crate::{Error, Result};

/// Upkeep of the log is looked at once in so many transactions: looking has a
/// cost too.
const LOOK_EVERY: u64 = 16;
/// Larger pieces are left to an upkeep that is asked for.
const MAX_PIECE_BYTES: u64 = 8 << 20;

/// Of the series a transaction appended to (each with its newest version):
/// those with a number of versions at which a merge may be due.
pub(crate) fn due_series(appended: &[(NodeId, u64)], settings: &settings::Settings) -> Vec<NodeId> {
    let fan_in = settings.number(settings::MERGE_VERSIONS).max(2);
    let due = |(node, version): &(NodeId, u64)| version.is_multiple_of(fan_in).then_some(*node);
    appended.iter().filter_map(due).collect()
}

impl Pond {
    /// Does some of the upkeep that is due. Its failure is noted and shown by
    /// `status`; it is never the failure of the commit before.
    pub(crate) async fn keep_up(&self, locked: &mut Locked, series: &[NodeId]) {
        if !locked.settings.automatic() {
            return;
        }
        let log_is_due = locked.log.head().txn_seq.is_multiple_of(LOOK_EVERY);
        if series.is_empty() && !log_is_due {
            return;
        }
        let now_us = self.environment.clock.now_us();
        let before = self.journal.upkeep();
        let upkeep = match self.some_upkeep(locked, series, log_is_due).await {
            Ok(()) => Upkeep { done_us: Some(now_us), ..Upkeep::default() },
            Err(error) => {
                let failure = chain(&error);
                diagnostics::log_warn!("upkeep of the pond failed: {failure}", failure: &failure);
                Upkeep { failed_us: Some(now_us), failure: Some(failure), ..before }
            }
        };
        self.journal.set_upkeep(&upkeep);
    }

    async fn some_upkeep(
        &self,
        locked: &mut Locked,
        series: &[NodeId],
        log_is_due: bool,
    ) -> Result<()> {
        let begun = Instant::now();
        let budget = locked.settings.budget();
        let mut limits = limits(&locked.settings);
        limits.max_bytes = limits.max_bytes.min(MAX_PIECE_BYTES);
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
            // One tier may complete the next.
            while begun.elapsed() < budget {
                let snapshot = locked.log.snapshot();
                let name = node.to_string();
                let due = merges_of(&snapshot, *node, &name, limits).await?;
                let Some(merge) = due.first() else { break };
                if !self.merge_series(locked, merge, &intent).await? {
                    break;
                }
            }
        }
        if !log_is_due || begun.elapsed() >= budget {
            return Ok(());
        }
        let now_us = self.environment.clock.now_us();
        let mut policy = full_policy(&locked.log.snapshot(), &locked.settings, now_us).await?;
        // That reads the whole history of versions.
        policy.large_files = false;
        let plan = locked
            .log
            .plan_maintenance(&policy, now_us)
            .await
            .map_err(Error::log("cannot see what upkeep is due"))?;
        let mut report = Report::default();
        for step in plan.steps.iter().filter(|step| is_small(step)) {
            if begun.elapsed() >= budget {
                break;
            }
            locked
                .log
                .perform_step(step, &policy, now_us, &mut report)
                .await
                .map_err(Error::log("upkeep of the log failed"))?;
        }
        Ok(())
    }
}

fn is_small(step: &LogStep) -> bool {
    match step {
        LogStep::Merge { bytes, .. } | LogStep::Rewrite { bytes, .. } => *bytes <= MAX_PIECE_BYTES,
        _ => true,
    }
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
