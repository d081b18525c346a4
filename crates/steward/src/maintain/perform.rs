//! Doing the upkeep that is due.

use diagnostics::Unit;
use oplog::maintenance::Report;
use oplog::{TransactionMeta, TxnKind};
use tlogfs::merge;

use super::plan::{asked_policy, series_merges};
use super::{MaintenancePlan, SeriesMerge};
use crate::intent::Intent;
use crate::journal::{Upkeep, Work};
use crate::pond::{Locked, Pond};
use crate::write::Commit;
use crate::{Error, Result};

/// Rounds of upkeep at most: what one round does makes another due, each
/// smaller than the last.
const MAX_ROUNDS: usize = 16;

/// What upkeep has done.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct MaintenanceReport {
    /// Transactions that were forgotten.
    pub transactions_pruned: u64,
    /// Runs that series were merged into.
    pub series_runs: u64,
    /// Files of the log that were merged or written again.
    pub log_files_merged: usize,
    /// Checkpoints written.
    pub checkpoints: usize,
    /// Entries of the log removed.
    pub log_entries_removed: usize,
    /// Other files removed.
    pub files_removed: usize,
    /// Bytes written.
    pub bytes_written: u64,
    /// Bytes that removed files took.
    pub bytes_freed: u64,
}

impl MaintenanceReport {
    fn of(report: Report, transactions_pruned: u64, series_runs: u64) -> Self {
        Self {
            transactions_pruned,
            series_runs,
            log_files_merged: report.files_merged,
            checkpoints: report.checkpoints,
            log_entries_removed: report.log_files_removed,
            files_removed: report.leftovers_removed,
            bytes_written: report.bytes_written,
            bytes_freed: report.bytes_freed,
        }
    }
}

impl Pond {
    /// Does all upkeep that is due, and the prune of the plan. What came due
    /// since the plan was made is done too.
    ///
    /// # Errors
    /// As [`Pond::write`]; what was done before the error stays done.
    pub async fn perform_maintenance(
        &self,
        plan: &MaintenancePlan,
        intent: &Intent,
    ) -> Result<MaintenanceReport> {
        let mut locked = self.lock(&intent.command).await?;
        self.must_be_whole(&locked.log).await?;
        let started_us = self.environment.clock.now_us();
        self.journal.begin(&Work::new(self.environment.ids.next_id(), intent, started_us));
        let done = self.perform(&mut locked, plan, intent).await;
        self.journal.end();
        self.journal.sweep(started_us);
        let report = done?;
        let done_us = Some(self.environment.clock.now_us());
        let log_done_txn = locked.log.head().txn_seq;
        self.journal.set_upkeep(&Upkeep { done_us, log_done_txn, ..Upkeep::default() });
        self.publish(&locked).await;
        Ok(report)
    }

    async fn perform(
        &self,
        locked: &mut Locked,
        plan: &MaintenancePlan,
        intent: &Intent,
    ) -> Result<MaintenanceReport> {
        let mut pruned = 0;
        if let Some(prune) = &plan.prune {
            let now_us = self.environment.clock.now_us();
            locked.log.prune(prune, now_us).await.map_err(Error::log("cannot prune"))?;
            pruned = prune.transactions;
        }
        let mut runs = 0;
        let mut report = Report::default();
        for _ in 0..MAX_ROUNDS {
            let merges = series_merges(&locked.log.snapshot(), &locked.settings).await?;
            let mut merged = 0;
            for merge in &merges {
                merged += u64::from(self.merge_series(locked, merge, intent).await?);
            }
            runs += merged;
            let now_us = self.environment.clock.now_us();
            let policy = asked_policy(&locked.log.snapshot(), &locked.settings, now_us).await?;
            let plan = locked
                .log
                .plan_maintenance(&policy, now_us)
                .await
                .map_err(Error::log("cannot see what upkeep is due"))?;
            if plan.is_empty() && merged == 0 {
                break;
            }
            let monitor = &self.environment.monitor;
            let progress = monitor.begin("maintenance", Some(plan.steps.len() as u64), Unit::Items);
            for step in &plan.steps {
                locked
                    .log
                    .perform_step(step, &policy, now_us, &mut report)
                    .await
                    .map_err(Error::log("upkeep of the log failed"))?;
                progress.advance(1);
            }
        }
        Ok(MaintenanceReport::of(report, pruned, runs))
    }

    /// Merges versions of a series in a transaction of its own; `false` when
    /// they do not go together.
    pub(super) async fn merge_series(
        &self,
        locked: &mut Locked,
        due: &SeriesMerge,
        intent: &Intent,
    ) -> Result<bool> {
        let started_us = self.environment.clock.now_us();
        let view = self.begin(&locked.log)?;
        let transaction = view.transaction();
        if !merge::perform(transaction, &due.path, due.node, &due.merge).await? {
            return Ok(false);
        }
        let meta = TransactionMeta {
            txn_id: self.environment.ids.next_id(),
            kind: TxnKind::Maintenance,
            command: intent.command.clone(),
            user: intent.user.clone(),
            host: intent.host.clone(),
            started_us,
            ended_us: self.environment.clock.now_us(),
        };
        let commit = self.commit(locked, transaction, meta).await?;
        Ok(commit != Commit::Nothing)
    }
}
