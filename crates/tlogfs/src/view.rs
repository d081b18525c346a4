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
    memo: Mutex<Memo>,
}

#[derive(Debug, Default)]
struct Memo {
    nodes: HashMap<NodeId, Arc<NodeRows>>,
    weight: usize,
}

impl View {
    /// The file system of a snapshot.
    #[must_use]
    pub fn new(snapshot: Snapshot) -> Self {
        let root = NodeId::new(snapshot.identity().pond_id);
        Self { snapshot, root, memo: Mutex::default() }
    }

    /// The snapshot.
    #[must_use]
    pub const fn snapshot(&self) -> &Snapshot {
        &self.snapshot
    }

    /// What the log says of a node.
    pub(crate) async fn rows(&self, id: NodeId) -> Result<Arc<NodeRows>> {
        if let Some(rows) = self.memo().nodes.get(&id) {
            return Ok(Arc::clone(rows));
        }
        let rows = self
            .snapshot
            .versions(id)
            .await
            .map_err(|source| knowing(format!("cannot read what is known of node {id}"), source))?;
        let rows = match NodeRows::of(rows) {
            Some(rows) => Arc::new(rows),
            None if id == self.root => Arc::new(NodeRows::root()),
            None => return Err(Error::NoSuchNode { id }),
        };
        let weight = 1 + rows.versions.len() + rows.runs.len();
        let mut memo = self.memo();
        memo.weight += weight;
        if memo.weight > MEMO_WEIGHT {
            // One that is too heavy by itself stays until the next comes: to
            // read it anew at each question would cost more than it weighs.
            memo.nodes.clear();
            memo.weight = weight;
        }
        memo.nodes.insert(id, Arc::clone(&rows));
        Ok(rows)
    }

    async fn directory(&self, id: NodeId) -> Result<()> {
        if id == self.root || self.rows(id).await?.entry_type.is_directory() {
            return Ok(());
        }
        Err(Error::NotADirectoryNode { id })
    }

    /// The memo is only ever changed whole.
    fn memo(&self) -> std::sync::MutexGuard<'_, Memo> {
        self.memo.lock().unwrap_or_else(PoisonError::into_inner)
    }
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
        let rows = self.rows(file).await?;
        if !rows.has_versions() {
            return Ok(Vec::new());
        }
        Ok(rows.versions.clone())
    }

    async fn version(&self, file: NodeId, number: u64) -> Result<Option<Version>> {
        let rows = self.rows(file).await?;
        let found = rows.versions.binary_search_by_key(&number, |version| version.number);
        Ok(found.ok().map(|index| rows.versions[index].clone()))
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
