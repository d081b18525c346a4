//! The versions of one file, and of all files.

use std::collections::HashMap;
use std::sync::Arc;

use futures::stream::BoxStream;
use futures::{StreamExt as _, TryStreamExt as _};
use oplog::{Stamped, VersionRow};
use tinyfs::{EntryType, Node, NodeId, Place, Version};

use super::{Paths, Transaction};
use crate::read_view::ReadView;
use crate::{Error, Result};

/// The history of what is at a path.
#[derive(Clone, Debug, PartialEq)]
pub struct PathHistory {
    /// The path, symlinks followed.
    pub path: String,
    /// What is there.
    pub node: Node,
    /// Its versions, newest first.
    pub versions: Vec<FileVersion>,
    /// The runs and versions that a series is read from, newest first.
    pub runs: Vec<Version>,
}

/// A version and the transaction that wrote it.
#[derive(Clone, Debug, PartialEq)]
pub struct FileVersion {
    /// The version.
    pub version: Version,
    /// Its transaction; `None` when that was pruned.
    pub transaction: Option<Transaction>,
}

/// A version of any file.
#[derive(Clone, Debug, PartialEq)]
pub struct StoredVersion {
    /// The path of the file; `None` when it has no name now.
    pub path: Option<String>,
    /// The file.
    pub node: NodeId,
    /// What it is.
    pub entry_type: EntryType,
    /// The version.
    pub version: Version,
}

impl ReadView {
    /// The history of what is at `path`.
    ///
    /// # Errors
    /// [`tinyfs::Error::NotFound`] and its like; what the log says.
    pub async fn history_of(&self, path: &str) -> Result<PathHistory> {
        let found = self.fs().resolve(path).await?;
        let store = self.store();
        let (mut written, mut runs) = (Vec::new(), Vec::new());
        if found.node.entry_type.is_file() {
            written = store.versions(found.node.id).await?;
            runs = store.runs(found.node.id).await?;
            runs.reverse();
        }
        // One transaction may have written many versions.
        let mut known: HashMap<u64, Option<Transaction>> = HashMap::new();
        let mut versions = Vec::with_capacity(written.len());
        for version in written.into_iter().rev() {
            let transaction = match known.get(&version.txn_seq) {
                Some(transaction) => transaction.clone(),
                None => {
                    let transaction = self.transaction(version.txn_seq).await?;
                    known.insert(version.txn_seq, transaction.clone());
                    transaction
                }
            };
            versions.push(FileVersion { version, transaction });
        }
        Ok(PathHistory { path: found.path, node: found.node, versions, runs })
    }

    /// Every version of every file up to this state, in the order they were
    /// written.
    ///
    /// # Errors
    /// What the log says; later ones come in the stream.
    pub async fn all_versions(&self) -> Result<BoxStream<'static, Result<StoredVersion>>> {
        let paths = Arc::new(Paths::of(self.snapshot()).await?);
        let rows = self.snapshot().scan_versions();
        let versions = rows
            .map_err(Error::log("cannot read the versions in the log"))
            .try_filter_map(move |row| {
                let version = stored(row, &paths);
                async move { Ok(version) }
            });
        Ok(versions.boxed())
    }
}

/// A row as a version of a file; `None` for what is neither.
fn stored(stamped: Stamped<VersionRow>, paths: &Paths) -> Option<StoredVersion> {
    let Stamped { txn_seq, written_us, row, .. } = stamped;
    if row.version == 0 || !(row.entry_type.is_file() || row.entry_type.is_dynamic()) {
        return None;
    }
    let version = Version {
        number: row.version,
        covers: row.covers.map(|covers| covers.from_version..=row.version),
        txn_seq,
        written_us,
        size_bytes: row.size_bytes,
        hash: row.hash?,
        format: row.format,
        place: if row.inline { Place::Inline } else { Place::Large },
        rows: row.rows,
        time_range: row.time_range,
        attributes: row.attributes,
    };
    Some(StoredVersion {
        path: paths.path(row.node),
        node: row.node,
        entry_type: row.entry_type,
        version,
    })
}
