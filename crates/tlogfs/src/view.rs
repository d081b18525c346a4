//! The file system as it was at one transaction.
//!
//! Always true: a view never changes; it locks and writes nothing; what it
//! keeps in memory of nodes it has seen is bounded.

use std::collections::HashMap;
use std::ops::Range;
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use bytes::Bytes;
use oplog::{LinkRow, Snapshot, Stamped};
use tinyfs::{
    ContentHash, Entry, EntryType, Error, Name, Node, NodeId, Place, Result, Store, Version,
};

use crate::node_rows::NodeRows;

/// Nodes, versions and runs kept in memory, together at most; or one node.
const MEMO_WEIGHT: usize = 65_536;
/// The longest target of a symlink.
const TARGET_MAX_BYTES: u64 = 65_536;

/// A log's snapshot as a [`tinyfs::Store`].
#[derive(Debug)]
pub struct View {
    snapshot: Snapshot,
    root: NodeId,
    /// What nodes are.
    memo: Mutex<Memo>,
    /// All versions of nodes.
    histories: Mutex<Memo>,
}

#[derive(Debug, Default)]
struct Memo {
    nodes: HashMap<NodeId, Arc<NodeRows>>,
    weight: usize,
}

impl Memo {
    fn put(&mut self, id: NodeId, rows: &Arc<NodeRows>) {
        let weight = 1 + rows.versions.len() + rows.runs.len();
        self.weight += weight;
        if self.weight > MEMO_WEIGHT {
            // One that is too heavy by itself stays until the next comes: to
            // read it anew at each question would cost more than it weighs.
            self.nodes.clear();
            self.weight = weight;
        }
        self.nodes.insert(id, Arc::clone(rows));
    }
}

impl View {
    /// The file system of a snapshot.
    #[must_use]
    pub fn new(snapshot: Snapshot) -> Self {
        let root = NodeId::new(snapshot.identity().pond_id);
        Self { snapshot, root, memo: Mutex::default(), histories: Mutex::default() }
    }

    /// The snapshot.
    #[must_use]
    pub const fn snapshot(&self) -> &Snapshot {
        &self.snapshot
    }

    /// What a node is: of its versions at least those that no other
    /// supersedes. What that costs does not grow with its history.
    pub(crate) async fn rows(&self, id: NodeId) -> Result<Arc<NodeRows>> {
        if let Some(rows) = lock(&self.memo).nodes.get(&id) {
            return Ok(Arc::clone(rows));
        }
        let rows = self.snapshot.current(id).await.map_err(reading_node(id))?;
        let mut rows = self.in_order(id, NodeRows::of(rows))?;
        if !rows.is_dense() {
            // Where some are missing, all that is there must tell.
            rows = self.history(id).await?;
        }
        lock(&self.memo).put(id, &rows);
        Ok(rows)
    }

    /// What the log says of a node, all its versions included.
    async fn history(&self, id: NodeId) -> Result<Arc<NodeRows>> {
        if let Some(rows) = lock(&self.histories).nodes.get(&id) {
            return Ok(Arc::clone(rows));
        }
        let rows = self.snapshot.versions(id).await.map_err(reading_node(id))?;
        let rows = self.in_order(id, NodeRows::of(rows))?;
        lock(&self.histories).put(id, &rows);
        Ok(rows)
    }

    fn in_order(&self, id: NodeId, rows: Option<NodeRows>) -> Result<Arc<NodeRows>> {
        match rows {
            Some(rows) => Ok(Arc::new(rows)),
            None if id == self.root => Ok(Arc::new(NodeRows::root())),
            None => Err(Error::NoSuchNode { id }),
        }
    }

    async fn directory(&self, id: NodeId) -> Result<()> {
        if id == self.root || self.rows(id).await?.entry_type.is_directory() {
            return Ok(());
        }
        Err(Error::NotADirectoryNode { id })
    }
}

/// A memo is only ever changed whole.
fn lock(memo: &Mutex<Memo>) -> std::sync::MutexGuard<'_, Memo> {
    memo.lock().unwrap_or_else(PoisonError::into_inner)
}

fn reading_node(id: NodeId) -> impl FnOnce(oplog::Error) -> Error {
    move |source| knowing(format!("cannot read what is known of node {id}"), source)
}

#[async_trait]
impl Store for View {
    fn root(&self) -> NodeId {
        self.root
    }

    async fn node(&self, id: NodeId) -> Result<Node> {
        Ok(self.rows(id).await?.node(id))
    }

    async fn lookup(&self, dir: NodeId, name: &str) -> Result<Option<Entry>> {
        let found = self
            .snapshot
            .link(dir, name)
            .await
            .map_err(|source| knowing(format!("cannot look up `{name}`"), source))?;
        match found {
            Some(link) => entry_of(link),
            // An empty answer is right only for what is a directory.
            None => self.directory(dir).await.map(|()| None),
        }
    }

    async fn list(&self, dir: NodeId) -> Result<Vec<Entry>> {
        self.directory(dir).await?;
        let links = self
            .snapshot
            .links(dir)
            .await
            .map_err(|source| knowing(format!("cannot list directory {dir}"), source))?;
        let mut entries = Vec::with_capacity(links.len());
        for link in links {
            entries.extend(entry_of(link)?);
        }
        entries.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(entries)
    }

    async fn read_link(&self, link: NodeId) -> Result<String> {
        let rows = self.rows(link).await?;
        let target = rows.versions.last().filter(|_| rows.entry_type == EntryType::Symlink);
        let version = target.ok_or(Error::NoSuchNode { id: link })?;
        if version.size_bytes >= TARGET_MAX_BYTES {
            return Err(damaged(link, version, "a symlink's target is far shorter"));
        }
        let bytes = self.read(link, version, 0..version.size_bytes).await?;
        String::from_utf8(bytes.into())
            .map_err(|_| damaged(link, version, "a symlink's target is UTF-8"))
    }

    async fn versions(&self, file: NodeId) -> Result<Vec<Version>> {
        let rows = self.history(file).await?;
        if !rows.has_versions() {
            return Ok(Vec::new());
        }
        Ok(rows.versions.clone())
    }

    async fn version(&self, file: NodeId, number: u64) -> Result<Option<Version>> {
        if let Some(version) = self.rows(file).await?.version(number) {
            return Ok(Some(version.clone()));
        }
        Ok(self.history(file).await?.version(number).cloned())
    }

    async fn runs(&self, series: NodeId) -> Result<Vec<Version>> {
        Ok(self.rows(series).await?.runs.clone())
    }

    async fn read(&self, file: NodeId, version: &Version, range: Range<u64>) -> Result<Bytes> {
        let number = version.number;
        let doing = || format!("cannot read version {number} of node {file}");
        match version.place {
            Place::Inline => {
                let bytes = self
                    .snapshot
                    .content(file, number, version.txn_seq, version.hash)
                    .await
                    .map_err(|source| reading(file, number, doing(), source))?;
                slice(&bytes, file, version, range)
            }
            Place::Large => self
                .snapshot
                .read_large(version.hash, range)
                .await
                .map_err(|source| reading(file, number, doing(), source)),
        }
    }
}

/// The part of whole content that was asked for.
pub(crate) fn slice(
    bytes: &Bytes,
    file: NodeId,
    version: &Version,
    range: Range<u64>,
) -> Result<Bytes> {
    let part = usize::try_from(range.start)
        .ok()
        .zip(usize::try_from(range.end).ok())
        .filter(|(start, end)| start <= end && *end <= bytes.len());
    match part {
        Some((start, end)) => Ok(bytes.slice(start..end)),
        None => Err(damaged(file, version, &format!("it has {} bytes", bytes.len()))),
    }
}

/// The log's word on names and nodes, as the file system says it.
fn knowing(doing: String, source: oplog::Error) -> Error {
    if source.is_damage() {
        return Error::Corrupt { doing, source: Arc::new(source) };
    }
    Error::io(doing, source)
}

/// The log's word on content, as the file system says it.
fn reading(node: NodeId, version: u64, doing: String, source: oplog::Error) -> Error {
    match source {
        oplog::Error::DamagedContent { what, .. } => Error::Damaged { node, version, what },
        oplog::Error::DamagedFile { file, what } => {
            Error::Damaged { node, version, what: format!("its file `{file}` is damaged: {what}") }
        }
        oplog::Error::MissingLargeFile { hash } => {
            Error::Damaged { node, version, what: format!("its file {hash} is missing") }
        }
        source => Error::io(doing, source),
    }
}

fn damaged(node: NodeId, version: &Version, what: &str) -> Error {
    Error::Damaged { node, version: version.number, what: what.to_owned() }
}

fn entry_of(link: Stamped<LinkRow>) -> Result<Option<Entry>> {
    let LinkRow { name, child, entry_type, .. } = link.row;
    let Some(node) = child else { return Ok(None) };
    Ok(Some(Entry { name: Name::new(name)?, node, entry_type }))
}

/// Where content lies by its size.
pub(crate) const fn place_of(size_bytes: u64) -> Place {
    if size_bytes < oplog::INLINE_LIMIT { Place::Inline } else { Place::Large }
}

/// The version by which content of a transaction is read.
pub(crate) fn unnamed(hash: ContentHash, size_bytes: u64) -> Version {
    Version {
        number: 0,
        covers: None,
        txn_seq: 0,
        written_us: 0,
        size_bytes,
        hash,
        format: tinyfs::Format::Bytes,
        place: place_of(size_bytes),
        rows: None,
        time_range: None,
        attributes: tinyfs::Attributes::new(),
    }
}
