//! The memory store itself.

use std::io;
use std::ops::Range;
use std::sync::{Arc, PoisonError, RwLock};

use async_trait::async_trait;
use bytes::Bytes;

use super::node::{MemoryComputed, MemoryDirectory, MemoryFile, MemoryNode, MemorySymlink};
use super::tree::{Tree, slice};
use super::view::MemoryView;
use super::writer::{Finished, MemoryWriter};
use crate::{
    Attributes, Content, ContentWriter, Entry, EntryType, Error, IdSource, Name, NewNode,
    NewVersion, Node, NodeId, Place, Result, SequentialIds, Store, Version, WriteStore,
};

/// From this size on, content counts as [large](Place::Large), as in a pond.
const LARGE_BYTES: u64 = 65_536;

/// A store that keeps everything in memory.
///
/// Each change counts as a transaction of its own. There is no clock: versions
/// say that they were written at the time of [`MemoryStore::at_time`]. Content
/// that is finished and not named is invisible, and kept as long as the store.
#[derive(Debug)]
pub struct MemoryStore {
    ids: Arc<dyn IdSource>,
    written_us: i64,
    finished: Finished,
    tree: RwLock<Arc<Tree>>,
}

impl Default for MemoryStore {
    fn default() -> Self {
        Self::new()
    }
}

impl MemoryStore {
    /// An empty root, with ids that count up.
    #[must_use]
    pub fn new() -> Self {
        Self::with_ids(Arc::new(SequentialIds::default()))
    }

    /// An empty root, with ids from `ids`.
    #[must_use]
    pub fn with_ids(ids: Arc<dyn IdSource>) -> Self {
        let root = NodeId::new(ids.next_id());
        Self {
            ids,
            written_us: 0,
            finished: Finished::default(),
            tree: RwLock::new(Arc::new(Tree::new(root))),
        }
    }

    /// The same, with the time that versions say they were written at: in
    /// microseconds since 1970 UTC, 0 unless set.
    #[must_use]
    pub const fn at_time(mut self, written_us: i64) -> Self {
        self.written_us = written_us;
        self
    }

    /// What it holds at this moment; later changes do not show in it.
    #[must_use]
    pub fn snapshot(&self) -> MemoryView {
        let tree = self.tree.read().unwrap_or_else(PoisonError::into_inner);
        MemoryView::new(Arc::clone(&tree))
    }

    /// Changes the tree, whole or not at all.
    fn change<T>(&self, change: impl FnOnce(&mut Tree) -> Result<T>) -> Result<T> {
        let mut tree = self.tree.write().unwrap_or_else(PoisonError::into_inner);
        // Changes check before they touch anything, so an error leaves no trace.
        let changed = Arc::make_mut(&mut tree);
        let done = change(changed)?;
        changed.changes += 1;
        Ok(done)
    }

    /// A version as it is kept, at the time of the change that makes it.
    fn version(&self, new: NewVersion, number: u64, txn_seq: u64) -> Result<(Version, Bytes)> {
        let bytes = self.finished.get(new.content.hash)?;
        let size_bytes = bytes.len() as u64;
        let version = Version {
            number,
            covers: None,
            txn_seq,
            written_us: self.written_us,
            size_bytes,
            hash: new.content.hash,
            format: new.format,
            place: if size_bytes < LARGE_BYTES { Place::Inline } else { Place::Large },
            rows: new.rows,
            time_range: new.time_range,
            attributes: new.attributes,
        };
        Ok((version, bytes))
    }

    fn file(
        &self,
        entry_type: EntryType,
        attributes: Attributes,
        version: NewVersion,
        txn_seq: u64,
    ) -> Result<MemoryFile> {
        let versions = vec![self.version(version, 1, txn_seq)?];
        Ok(MemoryFile { entry_type, attributes, versions })
    }

    fn make(&self, node: NewNode, txn_seq: u64) -> Result<MemoryNode> {
        let attributes = Attributes::new();
        Ok(match node {
            NewNode::Directory => MemoryNode::Directory(MemoryDirectory::default()),
            NewNode::Symlink { target } => {
                MemoryNode::Symlink(MemorySymlink { target, attributes })
            }
            NewNode::File { entry_type, attributes, version } => {
                MemoryNode::File(self.file(entry_type, attributes, version, txn_seq)?)
            }
            NewNode::Dynamic { entry_type, factory, version } => {
                let configuration = self.file(entry_type, attributes, version, txn_seq)?;
                MemoryNode::Computed(MemoryComputed { factory, configuration })
            }
        })
    }
}

#[async_trait]
impl Store for MemoryStore {
    fn root(&self) -> NodeId {
        self.snapshot().root()
    }

    async fn node(&self, id: NodeId) -> Result<Node> {
        self.snapshot().node(id).await
    }

    async fn lookup(&self, dir: NodeId, name: &str) -> Result<Option<Entry>> {
        self.snapshot().lookup(dir, name).await
    }

    async fn list(&self, dir: NodeId) -> Result<Vec<Entry>> {
        self.snapshot().list(dir).await
    }

    async fn read_link(&self, link: NodeId) -> Result<String> {
        self.snapshot().read_link(link).await
    }

    async fn versions(&self, file: NodeId) -> Result<Vec<Version>> {
        self.snapshot().versions(file).await
    }

    async fn version(&self, file: NodeId, number: u64) -> Result<Option<Version>> {
        self.snapshot().version(file, number).await
    }

    async fn read(&self, file: NodeId, version: &Version, range: Range<u64>) -> Result<Bytes> {
        self.snapshot().read(file, version, range).await
    }
}

#[async_trait]
impl WriteStore for MemoryStore {
    async fn writer(&self) -> Result<Box<dyn ContentWriter>> {
        Ok(Box::new(MemoryWriter::new(self.finished.clone())))
    }

    async fn read_content(&self, content: &Content, range: Range<u64>) -> Result<Bytes> {
        let bytes = self.finished.get(content.hash)?;
        slice(&bytes, &range).ok_or_else(|| {
            let outside = io::Error::from(io::ErrorKind::UnexpectedEof);
            Error::io(format!("can not read bytes {range:?} of content {}", content.hash), outside)
        })
    }

    async fn create(&self, dir: NodeId, name: &Name, node: NewNode) -> Result<NodeId> {
        self.change(|tree| {
            if tree.directory_mut(dir)?.entries.contains_key(name) {
                return Err(Error::NameTaken { dir, name: name.to_string() });
            }
            let node = self.make(node, tree.changes + 1)?;
            let id = NodeId::new(self.ids.next_id());
            tree.nodes.insert(id, Arc::new(node));
            tree.link(dir, name, id)?;
            Ok(id)
        })
    }

    async fn append(&self, file: NodeId, version: NewVersion) -> Result<u64> {
        self.change(|tree| {
            let txn_seq = tree.changes + 1;
            let stored = match tree.get_mut(file)? {
                MemoryNode::File(stored) => stored,
                MemoryNode::Computed(computed) => &mut computed.configuration,
                _ => return Err(Error::NoSuchNode { id: file }),
            };
            let number = stored.versions.len() as u64 + 1;
            stored.versions.push(self.version(version, number, txn_seq)?);
            Ok(number)
        })
    }

    async fn set_attributes(&self, node: NodeId, attributes: Attributes) -> Result<()> {
        self.change(|tree| {
            *tree.get_mut(node)?.attributes_mut() = attributes;
            Ok(())
        })
    }

    async fn unlink(&self, dir: NodeId, name: &str) -> Result<()> {
        self.change(|tree| {
            let found = tree.lookup(dir, name)?;
            let entry = found.ok_or_else(|| Error::NoSuchName { dir, name: name.to_owned() })?;
            if !tree.is_empty_directory(entry.node)? {
                return Err(Error::DirectoryNotEmpty { id: entry.node });
            }
            tree.directory_mut(dir)?.entries.remove(name);
            tree.nodes.remove(&entry.node);
            Ok(())
        })
    }

    async fn rename(&self, dir: NodeId, name: &str, to_dir: NodeId, to_name: &Name) -> Result<()> {
        self.change(|tree| {
            let found = tree.lookup(dir, name)?;
            let entry = found.ok_or_else(|| Error::NoSuchName { dir, name: name.to_owned() })?;
            if tree.directory_mut(to_dir)?.entries.contains_key(to_name) {
                return Err(Error::NameTaken { dir: to_dir, name: to_name.to_string() });
            }
            tree.directory_mut(dir)?.entries.remove(name);
            tree.link(to_dir, to_name, entry.node)
        })
    }
}
