//! An open log: create, open, refresh, commit.
//!
//! A commit writes one data file, syncs it, and then one commit file whose
//! name must be absent. The list of live files is kept by our own commits and
//! not read again. What a commit's error means is found by reading back: the
//! commit file of the version carries the transaction's id.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use object_store::ObjectStore;
use tinyfs::ContentHash;
use uuid::Uuid;

use crate::canonical::{link_hash, origin_hash, rows_hash, transaction_hash, version_hash};
use crate::columns::ContentRow;
use crate::delta::{Commit, DeltaLog, Horizon, LOG, TableState, sort_files};
use crate::durable::DurableStore;
use crate::file::{FileName, FileWriter, LiveFile, Packing, Parts};
use crate::large::{self, LargeFiles};
use crate::maintenance::Live;
use crate::medium::{Disk, Medium, ensure_dir};
use crate::reader::{Reads, link_key, version_key};
use crate::{
    Changes, Counts, Error, FORMAT_VERSION, INLINE_LIMIT, Identity, LinkRow, Location, Result,
    Snapshot, Stamped, TransactionRow, VersionRow,
};

/// How a log is opened.
#[derive(Clone, Debug)]
pub struct LogOptions {
    /// What writes to the disk.
    pub medium: Arc<dyn Medium>,
    /// Whether every write is refused.
    pub read_only: bool,
    /// About how many bytes of metadata are kept in memory.
    pub metadata_bytes: usize,
    /// About how many bytes of content are kept in memory.
    pub content_bytes: usize,
}

impl Default for LogOptions {
    fn default() -> Self {
        Self {
            medium: Arc::new(Disk),
            read_only: false,
            metadata_bytes: 64 << 20,
            content_bytes: 16 << 20,
        }
    }
}

/// How far a log has got.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Head {
    /// The newest transaction; 0 when there is none.
    pub txn_seq: u64,
    /// Its hash.
    pub hash: ContentHash,
    /// The newest version of the Delta table.
    pub delta_version: u64,
}

/// What became of a commit.
#[derive(Debug)]
#[must_use = "a commit may have failed"]
pub enum Outcome {
    /// It is in the log, and on the disk.
    Committed(Committed),
    /// It is not in the log, and will not be.
    NotCommitted(Error),
    /// It can not be said. The log must be opened again; whether it then has
    /// the transaction is the answer.
    Unknown {
        /// The transaction's id.
        txn_id: Uuid,
        /// What hindered.
        error: Error,
    },
}

impl Outcome {
    /// The outcome as a result; what is unknown is an error too.
    ///
    /// # Errors
    /// Why it is not, or not known to be, in the log.
    pub fn into_result(self) -> Result<Committed> {
        match self {
            Self::Committed(committed) => Ok(committed),
            Self::NotCommitted(error) | Self::Unknown { error, .. } => Err(error),
        }
    }
}

/// A transaction that is in the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Committed {
    /// Its number.
    pub txn_seq: u64,
    /// Its hash.
    pub hash: ContentHash,
    /// When it ended, in microseconds since 1970 UTC.
    pub ended_us: i64,
}

/// An open log. A clone follows the log on its own; what is kept in memory of
/// its files is shared.
#[derive(Clone, Debug)]
pub struct Log {
    pub(crate) root: PathBuf,
    pub(crate) medium: Arc<dyn Medium>,
    pub(crate) delta: DeltaLog,
    pub(crate) state: TableState,
    pub(crate) reads: Arc<Reads>,
    /// What a prune under way keeps from one file to the next.
    pub(crate) live: Option<Live>,
    read_only: bool,
}

impl Log {
    /// Makes a log without transactions. The root directory of its pond is
    /// implied; its id is the pond's.
    ///
    /// # Errors
    /// [`Error::AlreadyExists`], [`Error::NotADirectory`], [`Error::Io`].
    pub async fn create(
        location: &Location,
        identity: &Identity,
        options: LogOptions,
    ) -> Result<Self> {
        let Location::Local(root) = location;
        if root.exists() && !root.is_dir() {
            return Err(Error::NotADirectory { location: location.to_string() });
        }
        let (dir, medium) = (root.clone(), Arc::clone(&options.medium));
        let doing = format!("making the directory `{location}`");
        crate::medium::blocking(doing.clone(), move || {
            ensure_dir(&*medium, &dir).map_err(|error| Error::io(doing, error))
        })
        .await?;
        let delta = delta_log(root, &options)?;
        let listing = delta.list().await?;
        if !listing.commits.is_empty() || !listing.checkpoints.is_empty() {
            return Err(Error::AlreadyExists { location: location.to_string() });
        }
        let identity = Identity { format_version: FORMAT_VERSION, ..identity.clone() };
        let horizon = Horizon { oldest: 0, anchor: origin_hash(identity.pond_id) };
        delta.create(&identity, &horizon).await?;
        Self::open(location, options).await
    }

    /// Opens the log at a location.
    ///
    /// # Errors
    /// [`Error::NotFound`], [`Error::NotADirectory`], [`Error::NotAPond`],
    /// [`Error::NewerFormat`], [`Error::DamagedCommit`], [`Error::Gap`],
    /// [`Error::DamagedCheckpoint`], [`Error::Io`].
    pub async fn open(location: &Location, options: LogOptions) -> Result<Self> {
        let delta = Self::delta_of(location, &options)?;
        let state = match delta.replay().await {
            Err(Error::NotFound { location }) => {
                return Err(Error::NotAPond { location, reason: "it has no commits".into() });
            }
            other => other?,
        };
        Ok(Self::of_state(location, delta, state, options))
    }

    /// The Delta log at a location, which must be there.
    pub(crate) fn delta_of(location: &Location, options: &LogOptions) -> Result<DeltaLog> {
        let Location::Local(root) = location;
        match std::fs::metadata(root) {
            Ok(meta) if meta.is_dir() => delta_log(root, options),
            Ok(_) => Err(Error::NotADirectory { location: location.to_string() }),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                Err(Error::NotFound { location: location.to_string() })
            }
            Err(error) => Err(Error::io(format!("opening `{location}`"), error)),
        }
    }

    /// A log whose state is known.
    pub(crate) fn of_state(
        location: &Location,
        delta: DeltaLog,
        state: TableState,
        options: LogOptions,
    ) -> Self {
        let Location::Local(root) = location;
        let reads =
            Reads::new(Arc::clone(&delta.store), options.metadata_bytes, options.content_bytes);
        Self {
            root: root.clone(),
            medium: options.medium,
            delta,
            state,
            reads: Arc::new(reads),
            live: None,
            read_only: options.read_only,
        }
    }

    /// Takes in what others have committed since; whether there was any.
    /// Snapshots taken before do not change.
    ///
    /// # Errors
    /// As [`Log::open`].
    pub async fn refresh(&mut self) -> Result<bool> {
        match self.delta.follow(&self.state).await? {
            None => Ok(false),
            Some(state) => {
                self.state = state;
                Ok(true)
            }
        }
    }

    /// Which pond it is.
    #[must_use]
    pub fn identity(&self) -> &Identity {
        &self.state.identity
    }

    /// How far it has got.
    #[must_use]
    pub fn head(&self) -> Head {
        let newest = self.state.files.iter().rfind(|file| file.parts.has_metadata());
        Head {
            txn_seq: newest.map_or(0, |file| file.to),
            hash: newest
                .map_or_else(|| origin_hash(self.state.identity.pond_id), |file| file.chain),
            delta_version: self.state.delta_version,
        }
    }

    /// The log as it is.
    #[must_use]
    pub fn snapshot(&self) -> Snapshot {
        Snapshot::new(Arc::clone(&self.reads), self.state.clone(), self.head().txn_seq)
    }

    /// Its large files.
    #[must_use]
    pub fn large_files(&self) -> LargeFiles {
        LargeFiles::new(self.root.clone(), Arc::clone(&self.medium), Arc::clone(&self.delta.store))
    }

    /// The directory it lies in.
    #[must_use]
    pub fn root(&self) -> &Path {
        &self.root
    }

    pub(crate) fn check_writable(&self) -> Result<()> {
        if self.read_only {
            return Err(Error::ReadOnly { location: self.delta.location.clone() });
        }
        Ok(())
    }

    /// Commits a transaction: all of its rows or none. The caller holds the
    /// pond's lock and has refreshed the log since.
    pub async fn commit(&mut self, changes: &Changes) -> Outcome {
        let txn_id = changes.transaction.txn_id;
        let (file, committed) = match self.write_rows(changes).await {
            Ok(written) => written,
            Err(error) => return Outcome::NotCommitted(error),
        };
        let commit = Commit {
            operation: "WRITE",
            timestamp_ms: committed.ended_us / 1000,
            txn_id: Some(txn_id),
            txn_seq: Some(committed.txn_seq),
            add: vec![file.clone()],
            data_change: true,
            ..Commit::default()
        };
        match self.put_commit(&commit).await {
            Landing::Landed => Outcome::Committed(committed),
            Landing::Missed(error) => {
                let path = self.root.join(&file.path);
                // A leftover is harmless, and vacuum takes it away.
                let _ = self.medium.unlink(&path);
                Outcome::NotCommitted(error)
            }
            Landing::Unclear(error) => Outcome::Unknown { txn_id, error },
        }
    }

    /// Brings the names of commits and checkpoints to the disk.
    pub(crate) async fn sync_names(&self) -> Result<()> {
        let (medium, dir) = (Arc::clone(&self.medium), self.root.join(LOG));
        let doing = format!("syncing `{}`", dir.display());
        let told = doing.clone();
        crate::medium::blocking(doing, move || {
            medium.sync_dir(&dir).map_err(|error| Error::io(told, error))
        })
        .await
    }

    /// Writes a commit file and brings the list of live files up to date.
    pub(crate) async fn put_commit(&mut self, commit: &Commit) -> Landing {
        let version = self.state.delta_version + 1;
        match self.delta.commit(version, &self.state.identity, commit).await {
            Ok(()) => {}
            Err(error) => match self.delta.committed_txn(version).await {
                // The name is there; whether its bytes and itself are on the
                // disk is what the error may have been about.
                Ok(Some(id)) if id.is_some() && id == commit.txn_id => {
                    let again = self.delta.commit_again(version, &self.state.identity, commit);
                    if again.await.is_err() {
                        return Landing::Unclear(error);
                    }
                }
                Ok(_) => return Landing::Missed(error),
                Err(_) => return Landing::Unclear(error),
            },
        }
        let mut files = (*self.state.files).clone();
        // An entry said anew replaces the one of the same name.
        files.retain(|file| {
            !commit.remove.iter().chain(&commit.add).any(|other| other.path == file.path)
        });
        files.extend(commit.add.iter().cloned());
        sort_files(&mut files);
        self.state.files = Arc::new(files);
        self.state.delta_version = version;
        if let Some(horizon) = commit.horizon {
            self.state.horizon = horizon;
        }
        Landing::Landed
    }

    /// Writes the data file of a transaction.
    async fn write_rows(&self, changes: &Changes) -> Result<(LiveFile, Committed)> {
        self.check_writable()?;
        check_changes(changes)?;
        self.check_large_files(changes).await?;
        let head = self.head();
        let txn_seq = head.txn_seq + 1;
        let stamps = Stamps { txn_seq, written_us: changes.transaction.ended_us };
        let mut position = 0;
        let links: Vec<_> =
            changes.links.iter().map(|row| stamps.put(&mut position, row.clone())).collect();
        let versions: Vec<_> =
            changes.versions.iter().map(|row| stamps.put(&mut position, row.clone())).collect();
        let transaction = transaction_row(&head, txn_seq, changes, &links, &versions);
        let committed =
            Committed { txn_seq, hash: transaction.hash, ended_us: transaction.ended_us };
        let transaction = stamps.put(&mut position, transaction);

        let name = format!("{txn_seq:020}-{}.parquet", changes.transaction.txn_id);
        let inline = changes.versions.iter().filter(|row| row.inline);
        let content_bytes = inline.map(|row| row.size_bytes).sum();
        let packing = Packing::of(changes.links.len() + changes.versions.len(), content_bytes);
        let root = self.root.clone();
        let mut writer = FileWriter::create(&self.medium, root, FileName::Given(name), packing);
        writer.transaction(&transaction).await?;
        writer.end_section().await?;
        write_links(&mut writer, links).await?;
        let contents = write_versions(&mut writer, versions).await?;
        for (node, version, hash) in contents {
            let bytes = changes.contents.content(hash).await?;
            if ContentHash::of(&bytes) != hash {
                return Err(Error::BadChanges {
                    what: format!("the bytes given for content {hash} are others"),
                });
            }
            let row = stamps.put(&mut position, ContentRow { node, version, hash, bytes });
            writer.content(&row).await?;
        }
        let written = writer.finish().await?;
        let file = LiveFile {
            path: written.path,
            size_bytes: written.size_bytes,
            hash: written.hash,
            rows: written.rows,
            modified_ms: committed.ended_us / 1000,
            parts: Parts::All,
            level: 0,
            from: txn_seq,
            to: txn_seq,
            chain: committed.hash,
            ended_max_us: committed.ended_us,
            pruned: 0,
            sections: written.sections,
            about: written.about,
        };
        Ok((file, committed))
    }

    /// What a version points to must be there before the version is.
    async fn check_large_files(&self, changes: &Changes) -> Result<()> {
        for row in changes.versions.iter().filter(|row| !row.inline) {
            let Some(hash) = row.hash else { continue };
            match large::size(&*self.delta.store, hash).await? {
                Some(size) if size == row.size_bytes => {}
                Some(size) => {
                    return Err(Error::BadChanges {
                        what: format!("large file {hash} has {size} bytes, not {}", row.size_bytes),
                    });
                }
                None => return Err(Error::MissingLargeFile { hash }),
            }
        }
        Ok(())
    }
}

/// What became of a commit file.
pub(crate) enum Landing {
    Landed,
    Missed(Error),
    Unclear(Error),
}

struct Stamps {
    txn_seq: u64,
    written_us: i64,
}

impl Stamps {
    fn put<T>(&self, position: &mut u32, row: T) -> Stamped<T> {
        let at = *position;
        *position += 1;
        Stamped { txn_seq: self.txn_seq, position: at, written_us: self.written_us, row }
    }
}

async fn write_links(writer: &mut FileWriter, mut links: Vec<Stamped<LinkRow>>) -> Result<()> {
    links.sort_by(|a, b| link_key(a).cmp(&link_key(b)));
    for link in &links {
        writer.link(link).await?;
    }
    writer.end_section().await
}

type ContentKey = (tinyfs::NodeId, u64, ContentHash);

/// Writes version rows and tells which of them want content rows, in order.
async fn write_versions(
    writer: &mut FileWriter,
    mut versions: Vec<Stamped<VersionRow>>,
) -> Result<Vec<ContentKey>> {
    versions.sort_by_key(version_key);
    let mut contents = Vec::new();
    for version in &versions {
        writer.version(version).await?;
        let row = &version.row;
        // Nothing is to be kept of empty content.
        if let (true, Some(hash), true) = (row.inline, row.hash, row.size_bytes > 0) {
            contents.push((row.node, row.version, hash));
        }
    }
    contents.sort_unstable();
    contents.dedup();
    Ok(contents)
}

fn transaction_row(
    head: &Head,
    txn_seq: u64,
    changes: &Changes,
    links: &[Stamped<LinkRow>],
    versions: &[Stamped<VersionRow>],
) -> TransactionRow {
    let hashes = links
        .iter()
        .map(|link| link_hash(link.position, &link.row))
        .chain(versions.iter().map(|version| version_hash(version.position, &version.row)));
    let meta = &changes.transaction;
    let mut row = TransactionRow {
        txn_id: meta.txn_id,
        kind: meta.kind,
        command: meta.command.clone(),
        user: meta.user.clone(),
        host: meta.host.clone(),
        started_us: meta.started_us,
        ended_us: meta.ended_us,
        counts: Counts {
            links: links.len() as u64,
            versions: versions.len() as u64,
            content_bytes: versions.iter().map(|version| version.row.size_bytes).sum(),
        },
        rows_hash: rows_hash(hashes),
        previous_hash: head.hash,
        hash: head.hash,
    };
    row.hash = transaction_hash(txn_seq, &row);
    row
}

/// Refuses changes that could not be read back as they are.
fn check_changes(changes: &Changes) -> Result<()> {
    let bad = |what: String| Err(Error::BadChanges { what });
    if changes.links.len() + 2 * changes.versions.len() + 1 >= i32::MAX as usize {
        return bad("a transaction has at most 2^31 rows".into());
    }
    for row in &changes.versions {
        let (node, version) = (row.node, row.version);
        let numbers = [row.version, row.size_bytes, row.rows.unwrap_or_default()];
        if numbers.iter().any(|number| i64::try_from(*number).is_err()) {
            return bad(format!("version {version} of node {node} has a number beyond 2^63"));
        }
        if row.hash.is_some() == (version == 0) {
            return bad(format!("version {version} of node {node} and its hash do not fit"));
        }
        if row.inline && row.size_bytes >= INLINE_LIMIT {
            return bad(format!("version {version} of node {node} is too large to be inline"));
        }
        if row
            .covers
            .is_some_and(|covers| covers.from_version == 0 || covers.from_version > version)
        {
            return bad(format!("run {version} of node {node} covers no versions"));
        }
        if row.time_range.is_some_and(|range| range.min_us > range.max_us) {
            return bad(format!("version {version} of node {node} ends before it begins"));
        }
    }
    Ok(())
}

fn delta_log(root: &Path, options: &LogOptions) -> Result<DeltaLog> {
    let location = root.display().to_string();
    let store = DurableStore::new(root.to_owned(), Arc::clone(&options.medium))
        .map_err(|error| Error::io(format!("opening `{location}`"), error))?;
    let store: Arc<dyn ObjectStore> = Arc::new(store);
    Ok(DeltaLog { store, dir: root.join(LOG).into(), location })
}
