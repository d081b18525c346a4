//! The Delta log: its commit files and what replaying them gives.
//!
//! Commit files are written and replayed here by the Delta protocol, and not
//! through delta-rs, because an open then reads each file once and keeps only
//! what is needed, and because a commit file that is empty, cut short or
//! changed is found: its first line carries the BLAKE3 of the whole, and a file
//! without that line is damage too. (An empty commit file reads as a commit
//! without actions elsewhere.) Checkpoints are made by delta-rs.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use futures::TryStreamExt;
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt, PutMode, PutOptions};
use serde::{Deserialize, Serialize};
use serde_json::json;
use tinyfs::ContentHash;
use uuid::Uuid;

use crate::file::LiveFile;
use crate::{Error, FORMAT_VERSION, Identity, Result, columns};

pub(crate) const LOG: &str = "_delta_log";

/// What stands for the hash of a commit file while it is hashed.
const BLANK: &str = "0000000000000000000000000000000000000000000000000000000000000000";

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

#[derive(Debug, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
struct Add {
    path: String,
    partition_values: HashMap<String, String>,
    size: u64,
    modification_time: i64,
    data_change: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    stats: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tags: Option<HashMap<String, Option<String>>>,
}

#[derive(Debug, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
struct Remove {
    path: String,
    data_change: bool,
    deletion_timestamp: i64,
    extended_file_metadata: bool,
    partition_values: HashMap<String, String>,
    size: u64,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct MetaData {
    #[serde(default)]
    configuration: HashMap<String, String>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Protocol {
    min_reader_version: u32,
    min_writer_version: u32,
}

#[derive(Debug, Deserialize)]
struct CommitInfo {
    pond: Option<Stamp>,
}

/// What our commits say about themselves in their first line.
#[derive(Debug, Deserialize, Serialize)]
struct Stamp {
    /// The transaction's id; absent for commits without rows of their own.
    #[serde(rename = "txnId")]
    txn_id: Option<Uuid>,
    /// The version of the table that it makes, so that a commit in the place of
    /// another is noticed.
    version: u64,
    /// BLAKE3 of the whole file with this value blanked.
    blake3: String,
}

/// How far the pond had got.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Txn {
    app_id: Uuid,
}

/// One line of a commit file. Actions of other programs are passed over.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Line {
    add: Option<Add>,
    remove: Option<Remove>,
    meta_data: Option<MetaData>,
    protocol: Option<Protocol>,
    commit_info: Option<CommitInfo>,
    #[serde(default, deserialize_with = "ours")]
    txn: Option<Txn>,
}

/// A `txn` action of ours; those of other programs are passed over.
fn ours<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Option<Txn>, D::Error> {
    let value = serde_json::Value::deserialize(deserializer)?;
    Ok(serde_json::from_value(value).ok())
}

/// What one commit changes.
#[derive(Debug, Default)]
pub(crate) struct Commit {
    pub(crate) operation: &'static str,
    pub(crate) timestamp_ms: i64,
    pub(crate) txn_id: Option<Uuid>,
    /// The transaction's number, for a commit that has one.
    pub(crate) txn_seq: Option<u64>,
    pub(crate) add: Vec<LiveFile>,
    pub(crate) remove: Vec<LiveFile>,
    pub(crate) horizon: Option<Horizon>,
    /// Whether rows appear or go, rather than move between files.
    pub(crate) data_change: bool,
}

pub(crate) fn commit_path(version: u64) -> Path {
    Path::from(format!("{LOG}/{version:020}.json"))
}

pub(crate) fn checkpoint_path(version: u64) -> Path {
    Path::from(format!("{LOG}/{version:020}.checkpoint.parquet"))
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
        pair("delta.deletedFileRetentionDuration", "interval 1 days".into()),
        // Checkpoints have our cadence, whoever else writes.
        pair("delta.checkpointInterval", "1000000".into()),
    ])
}

fn schema_json() -> String {
    use arrow::datatypes::DataType;
    let fields: Vec<_> = columns::schema()
        .fields()
        .iter()
        .map(|field| {
            let data_type = match field.data_type() {
                DataType::Int64 => "long",
                DataType::Int32 => "integer",
                DataType::Boolean => "boolean",
                DataType::Binary => "binary",
                DataType::Timestamp(..) => "timestamp",
                _ => "string",
            };
            json!({"name": field.name(), "type": data_type, "nullable": field.is_nullable(), "metadata": {}})
        })
        .collect();
    json!({"type": "struct", "fields": fields}).to_string()
}

fn metadata_line(identity: &Identity, horizon: &Horizon) -> serde_json::Value {
    json!({"metaData": {
        "id": identity.pond_id,
        "name": "pond",
        "description": "The log of a DuckPond; see docs/format.md of the program.",
        "format": {"provider": "parquet", "options": {}},
        "schemaString": schema_json(),
        "partitionColumns": [],
        "configuration": configuration(identity, horizon),
        "createdTime": identity.created_us / 1000,
    }})
}

/// A commit file of these lines, with a first line that says what it is.
fn commit_bytes(
    version: u64,
    operation: &str,
    timestamp_ms: i64,
    txn_id: Option<Uuid>,
    lines: &[serde_json::Value],
) -> String {
    let stamp = Stamp { txn_id, version, blake3: BLANK.to_owned() };
    let first = json!({"commitInfo": {
        "timestamp": timestamp_ms,
        "operation": operation,
        "operationParameters": {},
        "engineInfo": concat!("duckpond/", env!("CARGO_PKG_VERSION")),
        "pond": stamp,
    }});
    let mut text = format!("{first}\n");
    for line in lines {
        text.push_str(&line.to_string());
        text.push('\n');
    }
    let hash = blake3::hash(text.as_bytes()).to_hex();
    // The first line has no other text of sixty-four zeros.
    text.replacen(BLANK, &hash, 1)
}

/// The hash of a commit file whose first line names this hash: with its value
/// blanked. `None` when it does not stand there exactly once.
fn blanked_hash(bytes: &[u8], named: &str) -> Option<String> {
    let end = bytes.iter().position(|byte| *byte == b'\n')?;
    let first = std::str::from_utf8(&bytes[..end]).ok()?;
    let mut places = first.match_indices(named);
    let (at, _) = places.next()?;
    if named.len() != BLANK.len() || places.next().is_some() {
        return None;
    }
    let mut hasher = blake3::Hasher::new();
    hasher.update(&bytes[..at]).update(BLANK.as_bytes()).update(&bytes[at + BLANK.len()..]);
    Some(hasher.finalize().to_hex().to_string())
}

/// The later format that a commit file declares. This is asked before anything
/// else, because a later program may write its lines in another way.
fn later_format(bytes: &[u8]) -> Option<u32> {
    let found = bytes.split(|byte| *byte == b'\n').find_map(|line| {
        let line: serde_json::Value = serde_json::from_slice(line).ok()?;
        line.get("metaData")?.get("configuration")?.get(key::FORMAT)?.as_str()?.parse().ok()
    })?;
    (found > FORMAT_VERSION).then_some(found)
}

impl Commit {
    fn bytes(&self, version: u64, identity: &Identity) -> String {
        let mut lines = Vec::new();
        if let Some(horizon) = &self.horizon {
            lines.push(metadata_line(identity, horizon));
        }
        if let Some(txn_seq) = self.txn_seq {
            lines.push(json!({"txn": {
                "appId": identity.pond_id,
                "version": txn_seq,
                "lastUpdated": self.timestamp_ms,
            }}));
        }
        for file in &self.remove {
            lines.push(json!({"remove": Remove {
                path: file.path.clone(),
                data_change: self.data_change,
                deletion_timestamp: self.timestamp_ms,
                extended_file_metadata: true,
                partition_values: HashMap::new(),
                size: file.size_bytes,
            }}));
        }
        for file in &self.add {
            lines.push(json!({"add": Add {
                path: file.path.clone(),
                partition_values: HashMap::new(),
                size: file.size_bytes,
                modification_time: file.modified_ms,
                data_change: self.data_change,
                stats: Some(json!({"numRecords": file.rows}).to_string()),
                tags: Some(file.tags()),
            }}));
        }
        commit_bytes(version, self.operation, self.timestamp_ms, self.txn_id, &lines)
    }
}

/// What a damaged log replays to.
pub(crate) struct Replayed {
    pub(crate) state: TableState,
    /// The files that could not be read, and why.
    pub(crate) wrong: Vec<(String, String)>,
    /// How many commits those are.
    pub(crate) unread_commits: u64,
}

/// The Delta log in a store that is rooted at the table.
#[derive(Clone, Debug)]
pub(crate) struct DeltaLog {
    pub(crate) store: Arc<dyn ObjectStore>,
    /// For messages.
    pub(crate) location: String,
}

/// The files in the log's directory, by version.
#[derive(Debug, Default)]
pub(crate) struct Listing {
    pub(crate) commits: BTreeMap<u64, u64>,
    pub(crate) checkpoints: Vec<u64>,
}

impl DeltaLog {
    fn io(&self, doing: &str, error: object_store::Error) -> Error {
        Error::io(format!("{doing} in the log at `{}`", self.location), error)
    }

    /// What lies in the log's directory.
    pub(crate) async fn list(&self) -> Result<Listing> {
        let mut found = self.store.list(Some(&Path::from(LOG)));
        let mut listing = Listing::default();
        while let Some(meta) = found.try_next().await.map_err(|e| self.io("listing commits", e))? {
            let Some(name) = meta.location.filename() else { continue };
            let Some((version, rest)) = name.split_at_checked(20) else { continue };
            let Ok(version) = version.parse() else { continue };
            match rest {
                ".json" => drop(listing.commits.insert(version, meta.size)),
                ".checkpoint.parquet" => listing.checkpoints.push(version),
                _ => {}
            }
        }
        listing.checkpoints.sort_unstable();
        Ok(listing)
    }

    /// Makes the table: version 0, without rows.
    pub(crate) async fn create(&self, identity: &Identity, horizon: &Horizon) -> Result<()> {
        let protocol = json!({"protocol": {"minReaderVersion": 1, "minWriterVersion": 2}});
        let lines = [protocol, metadata_line(identity, horizon)];
        let bytes = commit_bytes(0, "CREATE TABLE", identity.created_us / 1000, None, &lines);
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
        let Some(lines) = self.read_commit(version).await? else { return Ok(None) };
        Ok(Some(stamp(&lines).and_then(|stamp| stamp.txn_id)))
    }

    /// Reads a commit file and checks that it is whole; `None` when there is
    /// none.
    async fn read_commit(&self, version: u64) -> Result<Option<Vec<Line>>> {
        let path = commit_path(version);
        let bytes = match self.store.get(&path).await {
            Ok(found) => found.bytes().await.map_err(|e| self.io("reading a commit", e))?,
            Err(object_store::Error::NotFound { .. }) => return Ok(None),
            Err(error) => return Err(self.io("reading a commit", error)),
        };
        let damaged = |what: &str| Error::DamagedCommit {
            file: path.to_string(),
            version,
            what: what.to_owned(),
        };
        if bytes.is_empty() {
            return Err(damaged("it is empty"));
        }
        if let Some(found) = later_format(&bytes) {
            return Err(Error::NewerFormat { found, supported: FORMAT_VERSION });
        }
        let lines = serde_json::Deserializer::from_slice(&bytes)
            .into_iter::<Line>()
            .collect::<Result<Vec<_>, _>>()
            .map_err(|_| damaged("it is cut short or not JSON"))?;
        let Some(stamp) = stamp(&lines) else {
            // The table of another program says so of itself.
            let foreign = |line: &Line| {
                let metadata = line.meta_data.as_ref();
                metadata.is_some_and(|data| !data.configuration.contains_key(key::FORMAT))
            };
            if lines.iter().any(foreign) {
                return Err(another_table(&self.location));
            }
            return Err(damaged("its first line is lost, or another program wrote it"));
        };
        if blanked_hash(&bytes, &stamp.blake3).as_ref() != Some(&stamp.blake3) {
            return Err(damaged("its lines are not what was written"));
        }
        if stamp.version != version {
            return Err(damaged(&format!("it is commit {}", stamp.version)));
        }
        Ok(Some(lines))
    }

    /// The newest state of the table.
    pub(crate) async fn replay(&self) -> Result<TableState> {
        let listing = self.list().await?;
        let newest_commit = listing.commits.keys().next_back().copied();
        let newest = newest_commit.max(listing.checkpoints.last().copied());
        let Some(newest) = newest else {
            return Err(Error::NotFound { location: self.location.clone() });
        };
        let mut broken = None;
        for &checkpoint in listing.checkpoints.iter().rev() {
            // Of two checkpoints the older, with the commits since, is as good.
            match self.read_checkpoint(checkpoint).await {
                Ok(replay) => return self.roll(replay, checkpoint + 1, newest).await,
                Err(error @ (Error::NewerFormat { .. } | Error::NotAPond { .. })) => {
                    return Err(error);
                }
                Err(error) => broken = broken.or(Some((checkpoint, error))),
            }
        }
        if listing.commits.contains_key(&0) {
            return self.roll(Replay::default(), 0, newest).await;
        }
        Err(match broken {
            Some((checkpoint, error)) => {
                // What the disk does not give is no damage to it.
                self.read_through(&checkpoint_path(checkpoint)).await?;
                Error::DamagedCheckpoint {
                    file: checkpoint_path(checkpoint).to_string(),
                    source: Arc::new(error),
                }
            }
            None => Error::Gap { what: "the first commits and every checkpoint".into() },
        })
    }

    /// The state that those commits and checkpoints give which can be read, and
    /// what is wrong with the others. Files may be missing from it, and files
    /// may be in it that a lost commit took out.
    pub(crate) async fn replay_leniently(&self) -> Result<Replayed> {
        let listing = self.list().await?;
        let newest = listing.commits.keys().next_back().copied();
        let newest = newest.max(listing.checkpoints.last().copied());
        let Some(newest) = newest else {
            return Err(Error::NotFound { location: self.location.clone() });
        };
        let mut wrong = Vec::new();
        let (mut replay, mut next) = (Replay::default(), 0);
        for &checkpoint in listing.checkpoints.iter().rev() {
            match self.read_checkpoint(checkpoint).await {
                Ok(found) => {
                    (replay, next) = (found, checkpoint + 1);
                    break;
                }
                Err(error @ (Error::NewerFormat { .. } | Error::NotAPond { .. })) => {
                    return Err(error);
                }
                Err(error) => wrong.push((
                    checkpoint_path(checkpoint).to_string(),
                    format!("it can not be read: {}", deepest(&error)),
                )),
            }
        }
        let mut unread_commits = 0;
        let mut pond_id = None;
        for version in next..=newest {
            let lines = match self.read_commit(version).await {
                Ok(Some(lines)) => lines,
                Ok(None) => {
                    unread_commits += 1;
                    wrong.push((commit_path(version).to_string(), "it is missing".to_owned()));
                    continue;
                }
                Err(Error::DamagedCommit { file, what, .. }) => {
                    unread_commits += 1;
                    wrong.push((file, what));
                    continue;
                }
                Err(error) => return Err(error),
            };
            let txns = lines.iter().filter_map(|line| line.txn.as_ref());
            pond_id = pond_id.or(txns.map(|txn| txn.app_id).next());
            replay.apply(&self.location, lines)?;
        }
        let identity = replay.identity.unwrap_or_else(|| Identity {
            pond_id: pond_id.unwrap_or(Uuid::nil()),
            birthplace: String::new(),
            created_us: 0,
            format_version: FORMAT_VERSION,
        });
        let nothing =
            || Horizon { oldest: 0, anchor: crate::canonical::origin_hash(identity.pond_id) };
        let horizon = replay.horizon.unwrap_or_else(nothing);
        let mut files: Vec<_> = replay.files.into_values().collect();
        sort_files(&mut files);
        let state = TableState {
            delta_version: newest,
            identity: Arc::new(identity),
            horizon,
            files: Arc::new(files),
        };
        Ok(Replayed { state, wrong, unread_commits })
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

    /// Reads a file to its end and forgets it.
    async fn read_through(&self, path: &Path) -> Result<()> {
        let doing = |error| self.io("reading a checkpoint", error);
        let mut bytes = self.store.get(path).await.map_err(doing)?.into_stream();
        while bytes.try_next().await.map_err(doing)?.is_some() {}
        Ok(())
    }

    /// The state after the commits that came since `state`; `None` when there
    /// are none.
    pub(crate) async fn follow(&self, state: &TableState) -> Result<Option<TableState>> {
        let next = state.delta_version + 1;
        match self.store.head(&commit_path(next)).await {
            // A log that was cleaned past us has a checkpoint instead.
            Err(object_store::Error::NotFound { .. }) => {
                let listing = self.list().await?;
                let newest = listing.commits.keys().next_back().copied();
                if newest.max(listing.checkpoints.last().copied()) > Some(state.delta_version) {
                    return self.replay().await.map(Some);
                }
                return Ok(None);
            }
            Err(error) => return Err(self.io("looking for commits", error)),
            Ok(_) => {}
        }
        let mut replay = Replay {
            identity: Some((*state.identity).clone()),
            horizon: Some(state.horizon),
            files: state.files.iter().map(|file| (file.path.clone(), file.clone())).collect(),
        };
        let mut version = next;
        while let Some(lines) = self.read_commit(version).await? {
            replay.apply(&self.location, lines)?;
            version += 1;
        }
        replay.finish(&self.location, version - 1).map(Some)
    }

    /// Applies the commits `from..=to`, all of which must be there.
    async fn roll(&self, mut replay: Replay, from: u64, to: u64) -> Result<TableState> {
        use futures::StreamExt;
        let mut commits = futures::stream::iter(from..=to)
            .map(|version| async move { (version, self.read_commit(version).await) })
            .buffered(8);
        while let Some((version, lines)) = commits.next().await {
            let lines = lines?.ok_or_else(|| Error::Gap {
                what: format!("commit {version} of {to} (`{}`)", commit_path(version)),
            })?;
            replay.apply(&self.location, lines)?;
        }
        drop(commits);
        replay.finish(&self.location, to)
    }

    /// Reads the checkpoint of a state's version back and compares.
    pub(crate) async fn verify_checkpoint(&self, state: &TableState) -> Result<()> {
        let version = state.delta_version;
        let found = self.read_checkpoint(version).await?.finish(&self.location, version)?;
        if same_table(&found, state) {
            return Ok(());
        }
        Err(Error::DamagedFile {
            file: checkpoint_path(version).to_string(),
            what: "it does not say what the commits say".into(),
        })
    }

    /// Checks the commit files and checkpoints there are; gives what is wrong.
    pub(crate) async fn check_files(&self, state: &TableState) -> Result<Vec<(String, String)>> {
        let listing = self.list().await?;
        let mut wrong = Vec::new();
        let mut expected = None;
        for &version in listing.commits.keys().take_while(|at| **at <= state.delta_version) {
            let path = commit_path(version).to_string();
            if expected.is_some_and(|expected| expected != version) {
                wrong.push((path.clone(), "commits before it are missing".to_owned()));
            }
            expected = Some(version + 1);
            match self.read_commit(version).await {
                Ok(_) => {}
                Err(Error::DamagedCommit { what, .. }) => wrong.push((path, what)),
                Err(error) => return Err(error),
            }
        }
        // A clean-up that was interrupted may have left older ones without the
        // commits after them.
        let kept = listing.checkpoints.len().saturating_sub(2);
        for (at, &version) in listing.checkpoints.iter().enumerate() {
            let path = checkpoint_path(version).to_string();
            let replay = match self.read_checkpoint(version).await {
                Ok(replay) => replay,
                Err(error) => {
                    let what = format!("it can not be read: {}", deepest(&error));
                    wrong.push((path, what));
                    continue;
                }
            };
            if at < kept || version > state.delta_version {
                continue;
            }
            match self.roll(replay, version + 1, state.delta_version).await {
                Ok(found) if same_table(&found, state) => {}
                Ok(_) => wrong.push((path, "it does not say what the commits say".to_owned())),
                // What is wrong with the commit itself has been found already.
                Err(Error::DamagedCommit { .. }) => {}
                Err(error @ Error::Io { .. }) => return Err(error),
                Err(error) => wrong.push((path, format!("with it, {}", deepest(&error)))),
            }
        }
        Ok(wrong)
    }

    /// The state that a checkpoint holds.
    async fn read_checkpoint(&self, version: u64) -> Result<Replay> {
        let table = crate::checkpoint::load(&self.store, version).await?;
        let mut replay = Replay::default();
        replay.configure(&self.location, &table.configuration)?;
        replay.files = table.files.into_iter().map(|file| (file.path.clone(), file)).collect();
        Ok(replay)
    }
}

fn same_table(a: &TableState, b: &TableState) -> bool {
    a.files == b.files && a.identity == b.identity && a.horizon == b.horizon
}

fn deepest(error: &dyn std::error::Error) -> String {
    error.source().map_or_else(|| error.to_string(), deepest)
}

/// The stamp, which only the first line has.
fn stamp(lines: &[Line]) -> Option<&Stamp> {
    lines.first()?.commit_info.as_ref()?.pond.as_ref()
}

fn another_table(location: &str) -> Error {
    Error::NotAPond { location: location.to_owned(), reason: "it is another Delta table".into() }
}

/// A replay under way.
#[derive(Debug, Default)]
struct Replay {
    identity: Option<Identity>,
    horizon: Option<Horizon>,
    files: HashMap<String, LiveFile>,
}

impl Replay {
    fn configure(&mut self, location: &str, values: &HashMap<String, String>) -> Result<()> {
        let not_a_pond = |reason: String| Error::NotAPond { location: location.to_owned(), reason };
        let Some(format) = values.get(key::FORMAT) else {
            return Err(another_table(location));
        };
        let bad = |key: &str| not_a_pond(format!("its property `{key}` is missing or wrong"));
        let found: u32 = format.parse().map_err(|_| bad(key::FORMAT))?;
        if found > FORMAT_VERSION {
            return Err(Error::NewerFormat { found, supported: FORMAT_VERSION });
        }
        fn get<T: std::str::FromStr>(values: &HashMap<String, String>, key: &str) -> Option<T> {
            values.get(key).and_then(|text| text.parse().ok())
        }
        self.identity = Some(Identity {
            pond_id: get(values, key::POND_ID).ok_or_else(|| bad(key::POND_ID))?,
            birthplace: get(values, key::BIRTHPLACE).ok_or_else(|| bad(key::BIRTHPLACE))?,
            created_us: get(values, key::CREATED).ok_or_else(|| bad(key::CREATED))?,
            format_version: found,
        });
        self.horizon = Some(Horizon {
            oldest: get(values, key::OLDEST).ok_or_else(|| bad(key::OLDEST))?,
            anchor: get(values, key::ANCHOR).ok_or_else(|| bad(key::ANCHOR))?,
        });
        Ok(())
    }

    fn apply(&mut self, location: &str, lines: Vec<Line>) -> Result<()> {
        for line in lines {
            if let Some(protocol) = line.protocol
                && (protocol.min_reader_version > 1 || protocol.min_writer_version > 2)
            {
                return Err(Error::NotAPond {
                    location: location.to_owned(),
                    reason: "another program raised its Delta protocol".into(),
                });
            }
            if let Some(metadata) = line.meta_data {
                self.configure(location, &metadata.configuration)?;
            }
            if let Some(remove) = line.remove {
                self.files.remove(&remove.path);
            }
            if let Some(add) = line.add {
                let tags = add.tags.unwrap_or_default();
                let file = LiveFile::from_tags(add.path, add.size, add.modification_time, &tags)?;
                self.files.insert(file.path.clone(), file);
            }
        }
        Ok(())
    }

    fn finish(self, location: &str, delta_version: u64) -> Result<TableState> {
        let (Some(identity), Some(horizon)) = (self.identity, self.horizon) else {
            return Err(Error::NotAPond {
                location: location.to_owned(),
                reason: "its log does not say what it is".into(),
            });
        };
        let mut files: Vec<_> = self.files.into_values().collect();
        sort_files(&mut files);
        check_coverage(&files)?;
        Ok(TableState {
            delta_version,
            identity: Arc::new(identity),
            horizon,
            files: Arc::new(files),
        })
    }
}

pub(crate) fn sort_files(files: &mut [LiveFile]) {
    files.sort_by(|a, b| (a.from, a.to, &a.path).cmp(&(b.from, b.to, &b.path)));
}

/// Every transaction from the first to the last must lie in exactly one file
/// with metadata: so a commit that was lost in the middle is noticed.
fn check_coverage(files: &[LiveFile]) -> Result<()> {
    let mut next = 1;
    for file in files.iter().filter(|file| file.parts.has_metadata()) {
        if file.from != next || file.to < file.from {
            return Err(Error::Gap {
                what: format!(
                    "transaction {next} is expected where `{}` has {} to {}",
                    file.path, file.from, file.to
                ),
            });
        }
        next = file.to + 1;
    }
    Ok(())
}
