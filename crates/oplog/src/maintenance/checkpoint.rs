//! Checkpoints at our own cadence, and the clean-up of the log behind them.
//!
//! A checkpoint counts when it was read back and says what we know. The two
//! newest are kept, and every commit since the older of them, so that one
//! damaged checkpoint is no loss. Clean-up goes by versions, never by time.

use object_store::ObjectStoreExt;
use object_store::path::Path;

use super::{Policy, Report, Step};
use crate::delta::{Listing, TableState, checkpoint_path, commit_path};
use crate::{Error, Log, Result};

/// Plans a checkpoint and a clean-up where they are due after `commits` more.
pub(super) fn plan(
    state: &TableState,
    listing: &Listing,
    policy: &Policy,
    commits: u64,
    steps: &mut Vec<Step>,
) {
    let version = state.delta_version + commits;
    let newest = listing.checkpoints.last().copied().unwrap_or_default();
    let mut checkpoints = listing.checkpoints.clone();
    if version - newest.min(version) >= policy.checkpoint_every {
        steps.push(Step::Checkpoint { version });
        checkpoints.push(version);
    }
    let Some(&before) = checkpoints.iter().rev().nth(1) else { return };
    let files = expired(listing, before).len();
    if files > 0 {
        steps.push(Step::CleanLog { before, files });
    }
}

/// Commit files and checkpoints before a version, the oldest first.
fn expired(listing: &Listing, before: u64) -> Vec<Path> {
    let commits = listing.commits.range(..before).map(|(version, _)| commit_path(*version));
    let checkpoints = listing.checkpoints.iter().filter(|version| **version < before);
    commits.chain(checkpoints.map(|version| checkpoint_path(*version))).collect()
}

/// Makes a checkpoint of the newest version and reads it back.
pub(super) async fn make(log: &Log, report: &mut Report) -> Result<()> {
    let version = log.state.delta_version;
    let store = &log.delta.store;
    crate::checkpoint::create(store, version).await?;
    if let Err(error) = log.delta.verify_checkpoint(&log.state).await {
        // Better none than one that readers would believe.
        for path in [checkpoint_path(version), Path::from("_delta_log/_last_checkpoint")] {
            match store.delete(&path).await {
                Ok(()) | Err(object_store::Error::NotFound { .. }) => {}
                Err(also) => return Err(Error::io(format!("removing `{path}`"), also)),
            }
        }
        return Err(error);
    }
    report.checkpoints += 1;
    Ok(())
}

/// Takes away commit files and checkpoints before a version; two checkpoints
/// at or after it must be there.
pub(super) async fn clean(log: &Log, before: u64, report: &mut Report) -> Result<()> {
    let listing = log.delta.list().await?;
    if listing.checkpoints.iter().filter(|version| **version >= before).count() < 2 {
        return Err(Error::StalePlan);
    }
    for path in expired(&listing, before) {
        log.delta
            .store
            .delete(&path)
            .await
            .map_err(|error| Error::io(format!("removing `{path}`"), error))?;
        report.log_files_removed += 1;
    }
    Ok(())
}
