//! The Delta log: the table it describes, and the store that its files lie in.
//!
//! Commit files are written ([`commit`]) and replayed ([`replay`]) here by the
//! Delta protocol, and not through delta-rs, because an open then reads each
//! file once and keeps only what is needed, and because damage to one is found.
//! Checkpoints are made by the kernel of delta-rs.

mod commit;
mod replay;

use std::collections::{BTreeMap, BTreeSet};
use std::ops::RangeInclusive;
use std::sync::Arc;

use futures::TryStreamExt;
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt, PutMode, PutOptions};
use tinyfs::ContentHash;
use uuid::Uuid;

pub(crate) use commit::Commit;
pub(crate) use replay::sort_files;

use crate::file::LiveFile;
use crate::medium::blocking;
use crate::{Error, Identity, Result};

pub(crate) const LOG: &str = "_delta_log";

/// What the keys of properties begin with that are of this program.
pub(crate) const OUR_KEYS: &str = "pond.";

/// Keys of the table's configuration.
mod key {
    pub(super) const POND_ID: &str = "pond.id";
    pub(super) const BIRTHPLACE: &str = "pond.birthplace";
    pub(super) const CREATED: &str = "pond.created_us";
    pub(super) const FORMAT: &str = "pond.format";
    pub(super) const OLDEST: &str = "pond.oldest";
    pub(super) const ANCHOR: &str = "pond.anchor";
}

/// What a prune has left: everything is there when `oldest` is 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Horizon {
    /// The oldest transaction whose state can be seen.
    pub(crate) oldest: u64,
    /// The hash of the transaction before the first that is still there.
    pub(crate) anchor: ContentHash,
}

/// The table as its log says.
#[derive(Clone, Debug)]
pub(crate) struct TableState {
    pub(crate) delta_version: u64,
    pub(crate) identity: Arc<Identity>,
    pub(crate) horizon: Horizon,
    /// Ordered by first transaction, then by path.
    pub(crate) files: Arc<Vec<LiveFile>>,
}

fn commit_name(version: u64) -> String {
    format!("{version:020}.json")
}

pub(crate) fn commit_path(version: u64) -> Path {
    Path::from(format!("{LOG}/{}", commit_name(version)))
}

pub(crate) fn checkpoint_name(version: u64) -> String {
    format!("{version:020}.checkpoint.parquet")
}

pub(crate) fn checkpoint_path(version: u64) -> Path {
    Path::from(format!("{LOG}/{}", checkpoint_name(version)))
}

/// The properties of the table.
pub(crate) fn configuration(identity: &Identity, horizon: &Horizon) -> BTreeMap<String, String> {
    let pair = |key: &str, value: String| (key.to_owned(), value);
    BTreeMap::from([
        pair(key::POND_ID, identity.pond_id.to_string()),
        pair(key::BIRTHPLACE, identity.birthplace.clone()),
        pair(key::CREATED, identity.created_us.to_string()),
        pair(key::FORMAT, identity.format_version.to_string()),
        pair(key::OLDEST, horizon.oldest.to_string()),
        pair(key::ANCHOR, horizon.anchor.to_string()),
        // Cleaning by file time would follow a clock that is wrong.
        pair("delta.enableExpiredLogCleanup", "false".into()),
        pair("delta.logRetentionDuration", "interval 36500 days".into()),
        // Files that nothing names are found by what lies on the disk and go by
        // their own times, so a checkpoint need not carry what was removed: at a
        // transaction a minute that was most of it.
        pair("delta.deletedFileRetentionDuration", "interval 0 seconds".into()),
        // Checkpoints have our cadence, whoever else writes.
        pair("delta.checkpointInterval", "1000000".into()),
    ])
}

/// The Delta log in a store that is rooted at the table.
#[derive(Clone, Debug)]
pub(crate) struct DeltaLog {
    pub(crate) store: Arc<dyn ObjectStore>,
    /// Where its files lie. To open a pond is to look at all their names and to
    /// read dozens of them, each smaller than what a request to the store costs:
    /// a status of each name, and a change of threads for each file.
    pub(crate) dir: Arc<std::path::Path>,
    /// For messages.
    pub(crate) location: String,
}

/// The files in the log's directory, by version.
#[derive(Debug, Default)]
pub(crate) struct Listing {
    pub(crate) commits: BTreeSet<u64>,
    pub(crate) checkpoints: Vec<u64>,
}

impl DeltaLog {
    fn doing(&self, what: &str) -> String {
        format!("{what} in the log at `{}`", self.location)
    }

    fn io(&self, doing: &str, error: object_store::Error) -> Error {
        Error::io(self.doing(doing), error)
    }

    /// What lies in the log's directory.
    pub(crate) async fn list(&self) -> Result<Listing> {
        let (dir, doing) = (Arc::clone(&self.dir), self.doing("listing commits"));
        blocking(doing.clone(), move || list(&dir).map_err(|error| Error::io(doing, error))).await
    }

    /// Makes the table: version 0, without rows.
    pub(crate) async fn create(&self, identity: &Identity, horizon: &Horizon) -> Result<()> {
        let bytes = commit::first(identity, horizon);
        match self.put_absent(&commit_path(0), bytes).await {
            Err(object_store::Error::AlreadyExists { .. }) => {
                Err(Error::AlreadyExists { location: self.location.clone() })
            }
            other => other.map_err(|e| self.io("writing commit 0", e)),
        }
    }

    async fn put_absent(&self, path: &Path, bytes: String) -> object_store::Result<()> {
        let options = PutOptions { mode: PutMode::Create, ..PutOptions::default() };
        self.store.put_opts(path, bytes.into(), options).await.map(drop)
    }

    /// Writes a commit as the given version; it exists whole or not at all.
    pub(crate) async fn commit(
        &self,
        version: u64,
        identity: &Identity,
        commit: &Commit,
    ) -> Result<()> {
        match self.put_absent(&commit_path(version), commit.bytes(version, identity)).await {
            Err(object_store::Error::AlreadyExists { .. }) => Err(Error::Conflict { version }),
            other => other.map_err(|e| self.io(&format!("writing commit {version}"), e)),
        }
    }

    /// Writes a commit once more over itself, as a new file. What a failed sync
    /// has not brought to the disk, no second sync of the same file does.
    pub(crate) async fn commit_again(
        &self,
        version: u64,
        identity: &Identity,
        commit: &Commit,
    ) -> Result<()> {
        self.store
            .put(&commit_path(version), commit.bytes(version, identity).into())
            .await
            .map(drop)
            .map_err(|e| self.io(&format!("writing commit {version} again"), e))
    }

    /// The id of the transaction that a commit holds; `None` when there is no
    /// such commit.
    pub(crate) async fn committed_txn(&self, version: u64) -> Result<Option<Option<Uuid>>> {
        Ok(self.read_commit(version).await?.as_deref().map(commit::txn_id))
    }

    /// Reads a commit file and checks that it is whole; `None` when there is
    /// none.
    async fn read_commit(&self, version: u64) -> Result<Option<Vec<commit::Line>>> {
        let mut read = self.read_commits(version..=version).await?;
        read.pop().map_or(Ok(None), |(_, lines)| lines)
    }

    /// Reads commit files in one go, each as [`DeltaLog::read_commit`] does.
    async fn read_commits(&self, versions: RangeInclusive<u64>) -> Result<Vec<ReadCommit>> {
        let (dir, location) = (Arc::clone(&self.dir), self.location.clone());
        let doing = self.doing("reading a commit");
        blocking(doing.clone(), move || {
            let read = |version| {
                let name = commit_name(version);
                match std::fs::read(dir.join(name)) {
                    Ok(bytes) => commit::parse(&location, version, &bytes).map(Some),
                    Err(error) if is_no_file(&error) => Ok(None),
                    Err(error) => Err(Error::io(doing.clone(), error)),
                }
            };
            Ok(versions.map(|version| (version, read(version))).collect())
        })
        .await
    }

    /// The names and sizes of all data files, whether a commit names them or not.
    pub(crate) async fn data_files(&self) -> Result<Vec<(String, u64)>> {
        let found = self.store.list_with_delimiter(None).await;
        let found = found.map_err(|e| self.io("listing data files", e))?;
        let files = found.objects.into_iter().map(|meta| (meta.location.to_string(), meta.size));
        Ok(files.filter(|(name, _)| name.ends_with(".parquet")).collect())
    }

    /// The hash of a file; `None` when it is gone.
    pub(crate) async fn hash_of(&self, path: &str) -> Result<Option<ContentHash>> {
        let mut bytes = match self.store.get(&Path::from(path)).await {
            Ok(found) => found.into_stream(),
            Err(object_store::Error::NotFound { .. }) => return Ok(None),
            Err(error) => return Err(self.io("reading a data file", error)),
        };
        let mut hasher = blake3::Hasher::new();
        while let Some(bytes) =
            bytes.try_next().await.map_err(|e| self.io("reading a data file", e))?
        {
            hasher.update(&bytes);
        }
        Ok(Some(ContentHash::new(*hasher.finalize().as_bytes())))
    }
}

/// A commit's version, and its lines where it is there.
type ReadCommit = (u64, Result<Option<Vec<commit::Line>>>);

/// Whether nothing could be read because there is no file of that name.
fn is_no_file(error: &std::io::Error) -> bool {
    use std::io::ErrorKind;
    matches!(error.kind(), ErrorKind::NotFound | ErrorKind::IsADirectory)
}

/// The commits and checkpoints in a directory, by their names.
fn list(dir: &std::path::Path) -> std::io::Result<Listing> {
    let mut listing = Listing::default();
    let names = match std::fs::read_dir(dir) {
        Ok(names) => names,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(listing),
        Err(error) => return Err(error),
    };
    for entry in names {
        let entry = entry?;
        // A directory under a commit's name is no commit.
        if entry.file_type()?.is_dir() {
            continue;
        }
        let name = entry.file_name();
        let parts = name.to_str().and_then(|name| name.split_at_checked(20));
        let Some((version, rest)) = parts else { continue };
        let Ok(version) = version.parse() else { continue };
        match rest {
            ".json" => drop(listing.commits.insert(version)),
            ".checkpoint.parquet" => listing.checkpoints.push(version),
            _ => {}
        }
    }
    listing.checkpoints.sort_unstable();
    Ok(listing)
}

fn another_table(location: &str) -> Error {
    Error::NotAPond { location: location.to_owned(), reason: "it is another Delta table".into() }
}
