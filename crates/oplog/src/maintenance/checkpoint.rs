//! Checkpoints at our own cadence, and the clean-up of the log behind them.
//!
//! A checkpoint is compared with what we know before it has its name, and
//! counts when it was read back after. The two
//! newest are kept, and every commit since the older of them, so that one
//! damaged checkpoint is no loss. Clean-up goes by versions, never by time.

use std::sync::Arc;

use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt};

use super::{Policy, Report, Step};
use crate::delta::{Listing, TableState, checkpoint_path, commit_path};
use crate::durable::DurableStore;
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
    let commits = listing.commits.range(..before).map(|version| commit_path(*version));
    let checkpoints = listing.checkpoints.iter().filter(|version| **version < before);
    commits.chain(checkpoints.map(|version| checkpoint_path(*version))).collect()
}

/// Makes a checkpoint of the newest version and reads it back.
pub(super) async fn make(log: &Log, report: &mut Report) -> Result<()> {
    let version = log.state.delta_version;
    let store = &log.delta.store;
    let comparing = DurableStore::new(log.root.clone(), Arc::clone(&log.medium))
        .map_err(|error| Error::io(format!("writing checkpoint {version}"), error))?
        .expecting(log.state.clone());
    crate::checkpoint::create(&(Arc::new(comparing) as Arc<dyn ObjectStore>), version).await?;
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
    // A process that died may have named the checkpoints and not synced their
    // names; they must not go while what they stand for is gone already.
    log.sync_names().await?;
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

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;
    use crate::{
        Changes, Disk, Identity, Location, LogOptions, Medium, MemoryContents, TransactionMeta,
        TxnKind,
    };

    /// Counts the checkpoints that get their name.
    #[derive(Debug, Default)]
    struct Counting(AtomicUsize);

    impl Counting {
        fn count(&self, to: &std::path::Path) {
            if to.to_str().is_some_and(|name| name.ends_with(".checkpoint.parquet")) {
                self.0.fetch_add(1, Ordering::SeqCst);
            }
        }
    }

    impl Medium for Counting {
        fn rename(&self, from: &std::path::Path, to: &std::path::Path) -> std::io::Result<()> {
            self.count(to);
            Disk.rename(from, to)
        }

        fn link(&self, from: &std::path::Path, to: &std::path::Path) -> std::io::Result<()> {
            self.count(to);
            Disk.link(from, to)
        }
    }

    fn identity() -> Identity {
        Identity {
            pond_id: uuid::Uuid::from_u128(1),
            birthplace: "test".into(),
            created_us: 0,
            format_version: crate::FORMAT_VERSION,
        }
    }

    #[tokio::test]
    async fn checkpoint_that_says_something_else_gets_no_name() {
        let dir = tempfile::tempdir().unwrap();
        let location = Location::Local(dir.path().join("data"));
        let identity = identity();
        let medium = Arc::new(Counting::default());
        let options =
            LogOptions { medium: Arc::clone(&medium) as Arc<dyn Medium>, ..LogOptions::default() };
        let mut log = Log::create(&location, &identity, options).await.unwrap();
        let transaction = TransactionMeta {
            txn_id: uuid::Uuid::from_u128(2),
            kind: TxnKind::User,
            command: "test".into(),
            user: "someone".into(),
            host: "somewhere".into(),
            started_us: 0,
            ended_us: 0,
        };
        let contents = Arc::new(MemoryContents::default());
        let changes = Changes { links: vec![], versions: vec![], contents, transaction };
        log.commit(&changes).await.into_result().unwrap();
        let good = log.state.clone();
        let other_files = TableState { files: Arc::new(vec![]), ..good.clone() };
        let horizon = crate::delta::Horizon { oldest: 1, ..good.horizon };
        for state in [other_files, TableState { horizon, ..good.clone() }] {
            log.state = state;
            assert!(make(&log, &mut Report::default()).await.is_err());
            assert_eq!(medium.0.load(Ordering::SeqCst), 0);
        }
        log.state = good;
        make(&log, &mut Report::default()).await.unwrap();
        assert_eq!(medium.0.load(Ordering::SeqCst), 1);
    }

    #[tokio::test]
    async fn checkpoint_of_a_later_format_is_no_damage() {
        let dir = tempfile::tempdir().unwrap();
        let location = Location::Local(dir.path().join("data"));
        let identity = identity();
        let log = Log::create(&location, &identity, LogOptions::default()).await.unwrap();
        let later = Identity { format_version: crate::FORMAT_VERSION + 1, ..identity };
        let horizon = Some(log.state.horizon);
        let commit = crate::delta::Commit { horizon, ..Default::default() };
        log.delta.commit(1, &later, &commit).await.unwrap();
        crate::checkpoint::create(&log.delta.store, 1).await.unwrap();
        for version in [0, 1] {
            log.delta.store.delete(&commit_path(version)).await.unwrap();
        }
        let error = Log::open(&location, LogOptions::default()).await.unwrap_err();
        assert!(matches!(error, Error::NewerFormat { .. }), "{error:?}");
    }
}
