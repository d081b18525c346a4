//! What a pond is, how large it is, and how it does.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use futures::TryStreamExt as _;
use tinyfs::{EntryType, NodeId};

use crate::history::{Paths, Transaction};
use crate::journal::{Upkeep, Work};
use crate::maintain::{MaintainOptions, MaintenancePlan};
use crate::pond::{Notice, Pond};
use crate::{Error, Identity, Result};

/// How a pond does.
#[derive(Clone, Debug)]
pub struct Status {
    /// Its directory.
    pub path: PathBuf,
    /// Which pond it is.
    pub identity: Identity,
    /// The newest transaction; `None` before the first.
    pub newest: Option<Transaction>,
    /// The oldest transaction whose state can be seen.
    pub oldest_txn_seq: u64,
    /// Names by what they stand for.
    pub entries: BTreeMap<EntryType, u64>,
    /// Versions of files, those of files without a name included.
    pub versions: u64,
    /// Bytes of what is visible now: the newest version of each file, all
    /// versions of each series.
    pub live_bytes: u64,
    /// Bytes of all versions.
    pub version_bytes: u64,
    /// The newest event time in any version of each series that has a name, in
    /// microseconds since 1970 UTC, whatever its bounds.
    pub newest_events: BTreeMap<NodeId, i64>,
    /// Bytes of all files of the pond's directory.
    pub disk_bytes: u64,
    /// What upkeep is due.
    pub due: MaintenancePlan,
    /// How upkeep went.
    pub upkeep: Upkeep,
    /// Commands that were cut short, the oldest first.
    pub interrupted: Vec<Work>,
    /// What was found when the pond was opened.
    pub notices: Vec<Notice>,
}

impl Pond {
    /// How the pond does.
    ///
    /// # Errors
    /// What the log says; [`Error::Io`].
    pub async fn status(&self) -> Result<Status> {
        let view = self.read().await?;
        let newest = match view.txn_seq() {
            0 => None,
            txn_seq => view.transaction(txn_seq).await?,
        };
        let paths = Paths::of(view.snapshot()).await?;
        let mut entries = BTreeMap::new();
        for (_, named) in paths.nodes() {
            *entries.entry(named.entry_type).or_default() += 1;
        }
        let mut newest_events = BTreeMap::new();
        let (mut versions, mut version_bytes, mut live_bytes) = (0, 0, 0);
        // Of the files that are no series, by node: the newest version's size.
        let mut newest_bytes: std::collections::HashMap<_, u64> = std::collections::HashMap::new();
        let mut rows = view.snapshot().scan_versions();
        while let Some(row) =
            rows.try_next().await.map_err(Error::log("cannot read the versions in the log"))?
        {
            let row = row.row;
            if row.entry_type == EntryType::Series
                && let Some(range) = row.time_range
                && paths.named(row.node).is_some()
            {
                let newest = newest_events.entry(row.node).or_insert(range.max_us);
                *newest = range.max_us.max(*newest);
            }
            if row.version == 0 || row.covers.is_some() || !row.entry_type.is_file() {
                continue;
            }
            versions += 1;
            version_bytes += row.size_bytes;
            if paths.named(row.node).is_none() {
                continue;
            }
            if row.entry_type == EntryType::Series {
                live_bytes += row.size_bytes;
            } else {
                newest_bytes.insert(row.node, row.size_bytes);
            }
        }
        live_bytes += newest_bytes.values().sum::<u64>();
        Ok(Status {
            path: self.path().to_owned(),
            identity: self.identity().clone(),
            newest,
            oldest_txn_seq: view.snapshot().oldest(),
            entries,
            versions,
            live_bytes,
            version_bytes,
            newest_events,
            disk_bytes: disk_bytes(self.path())?,
            due: self.plan_maintenance(MaintainOptions::default()).await?,
            upkeep: self.journal.upkeep(),
            interrupted: self.journal.interrupted(),
            notices: self.notices().to_vec(),
        })
    }
}

/// What the files below a directory take. Those that go meanwhile take nothing.
fn disk_bytes(root: &Path) -> Result<u64> {
    let mut total = 0;
    let mut left = vec![root.to_owned()];
    while let Some(directory) = left.pop() {
        let gone = |error: &std::io::Error| error.kind() == std::io::ErrorKind::NotFound;
        let fail =
            |source| Error::Io { doing: "cannot look into", path: directory.clone(), source };
        let entries = match fs::read_dir(&directory) {
            Err(error) if gone(&error) => continue,
            entries => entries.map_err(fail)?,
        };
        for entry in entries {
            let entry = entry.map_err(fail)?;
            match entry.metadata() {
                Err(error) if gone(&error) => {}
                Err(source) => return Err(fail(source)),
                Ok(found) if found.is_dir() => left.push(entry.path()),
                Ok(found) => total += found.len(),
            }
        }
    }
    Ok(total)
}
