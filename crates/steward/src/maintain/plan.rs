//! What upkeep is due.

use std::collections::HashMap;
use std::time::Duration;

use oplog::maintenance::{Policy, PrunePlan};
use oplog::{Log, Snapshot};
use tinyfs::{EntryType, NodeId, Store as _, Version};
use tlogfs::View;
use tlogfs::merge::{self, Limits};

use super::{MaintainOptions, MaintenancePlan, SeriesMerge, Step, policy};
use crate::history::Paths;
use crate::pond::Pond;
use crate::settings::{self, Settings};
use crate::{Error, Result};

const DAY_US: i64 = 86_400_000_000;

impl Pond {
    /// What upkeep is due now. Nothing is changed.
    ///
    /// # Errors
    /// What the log says.
    pub async fn plan_maintenance(&self, options: MaintainOptions) -> Result<MaintenancePlan> {
        let settings = self.settings()?;
        let log = self.newest().await?;
        let now_us = self.environment.clock.now_us();
        let prune = match options.prune_keep {
            None => None,
            Some(keep) => plan_prune(&log, keep, now_us).await?,
        };
        let mut steps: Vec<_> = prune.iter().map(prune_step).collect();
        for merge in series_merges(&log.snapshot(), &settings).await? {
            steps.push(Step::MergeSeries {
                path: merge.path,
                from: *merge.merge.covers().start(),
                to: *merge.merge.covers().end(),
                bytes: merge.merge.input_bytes(),
            });
        }
        let policy = asked_policy(&log.snapshot(), &settings, now_us).await?;
        let plan = log
            .plan_maintenance(&policy, now_us)
            .await
            .map_err(Error::log("cannot see what upkeep is due"))?;
        steps.extend(plan.steps.iter().map(Step::from));
        Ok(MaintenancePlan { steps, prune })
    }
}

fn prune_step(plan: &PrunePlan) -> Step {
    Step::Prune { oldest: plan.oldest, transactions: plan.transactions }
}

/// The prune that keeps every state of the last `keep`; `None` when there is
/// nothing older.
async fn plan_prune(log: &Log, keep: Duration, now_us: i64) -> Result<Option<PrunePlan>> {
    let oldest = txn_before(&log.snapshot(), keep, now_us).await?;
    if oldest <= 1 {
        return Ok(None);
    }
    match log.plan_prune(oldest) {
        Ok(plan) if plan.transactions == 0 => Ok(None),
        Ok(plan) => Ok(Some(plan)),
        Err(oplog::Error::Pruned { .. } | oplog::Error::NoSuchTransaction { .. }) => Ok(None),
        Err(error) => Err(Error::log("cannot see what a prune would drop")(error)),
    }
}

/// The transaction whose state was current this long ago; 0 when there was none.
async fn txn_before(snapshot: &Snapshot, ago: Duration, now_us: i64) -> Result<u64> {
    let ago_us = i64::try_from(ago.as_micros()).unwrap_or(i64::MAX);
    match snapshot.as_of_time(now_us.saturating_sub(ago_us)).await {
        Ok(then) => Ok(then.txn_seq()),
        Err(oplog::Error::Pruned { .. } | oplog::Error::NoSuchTransaction { .. }) => Ok(0),
        Err(error) => Err(Error::log("cannot read the transactions")(error)),
    }
}

/// The settings, and what of versions covered by runs may go; for upkeep that
/// nobody asked for. What is kept for some time goes by the clock only as far
/// as transactions bear it out, because one clock may be wrong.
pub(super) async fn full_policy(
    snapshot: &Snapshot,
    settings: &Settings,
    now_us: i64,
) -> Result<Policy> {
    let policy = asked_policy(snapshot, settings, now_us).await?;
    let before = snapshot.surely_before(now_us, policy.retention_us).await;
    let before = before.map_err(Error::log("cannot read the transactions"))?;
    let retention_us = before.map_or(i64::MAX, |before_us| now_us.saturating_sub(before_us));
    Ok(Policy { retention_us, ..policy })
}

/// The same for upkeep that was asked for: of files that nothing names, which
/// only readers still at work may need, the clock alone tells how old they are,
/// or those of a pond that rests would never go.
pub(super) async fn asked_policy(
    snapshot: &Snapshot,
    settings: &Settings,
    now_us: i64,
) -> Result<Policy> {
    let days = i64::try_from(settings.number(settings::MERGED_DAYS)).unwrap_or(i64::MAX);
    let before = snapshot.surely_before(now_us, days.saturating_mul(DAY_US)).await;
    let covered_before = match before.map_err(Error::log("cannot read the transactions"))? {
        Some(before_us) => txn_before(snapshot, Duration::ZERO, before_us).await?,
        None => 0,
    };
    Ok(Policy { covered_before, large_files: true, ..policy(settings) })
}

/// The merges due in every series that has a name.
pub(super) async fn series_merges(
    snapshot: &Snapshot,
    settings: &Settings,
) -> Result<Vec<SeriesMerge>> {
    let paths = Paths::of(snapshot).await?;
    let mut series: Vec<_> = paths
        .nodes()
        .filter(|(_, named)| named.entry_type == EntryType::Series)
        .filter_map(|(node, _)| Some((paths.path(node)?, node)))
        .collect();
    series.sort();
    let limits = limits(settings);
    let mut due = Vec::new();
    for (path, node) in series {
        due.extend(merges_of(snapshot, node, &path, limits).await?);
    }
    Ok(due)
}

/// The merges due in one series.
pub(super) async fn merges_of(
    snapshot: &Snapshot,
    node: NodeId,
    path: &str,
    limits: Limits,
) -> Result<Vec<SeriesMerge>> {
    let view = View::new(snapshot.clone());
    let runs = view.runs(node).await?;
    if runs.len() < limits.fan_in {
        return Ok(Vec::new());
    }
    let rows = snapshot.current(node).await.map_err(Error::log("cannot read a series"))?;
    let covered: HashMap<(u64, u64), u64> = rows
        .iter()
        .filter_map(|row| {
            Some(((row.row.version, row.row.covers?.from_version), row.row.covers?.from_txn))
        })
        .collect();
    // A run knows the transaction of the first version it covers, also when
    // that version has been dropped since.
    let from_txn = |version: &Version| match &version.covers {
        None => version.txn_seq,
        Some(covers) => {
            covered.get(&(version.number, *covers.start())).copied().unwrap_or(version.txn_seq)
        }
    };
    let merges = merge::plan(&runs, limits, from_txn);
    Ok(merges.into_iter().map(|merge| SeriesMerge { node, path: path.to_owned(), merge }).collect())
}

pub(super) fn limits(settings: &Settings) -> Limits {
    Limits {
        fan_in: usize::try_from(settings.number(settings::MERGE_VERSIONS)).unwrap_or(usize::MAX),
        max_bytes: settings.number(settings::MERGE_MIB) << 20,
    }
}
