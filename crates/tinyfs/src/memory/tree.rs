//! All nodes of a memory store, shared between it and its views until either
//! changes.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;

use super::node::{MemoryDirectory, MemoryFile, MemoryNode};
use crate::{Entry, Error, Name, Node, NodeId, Result, Version};

/// Nodes by id. Cloning copies pointers, changing a node copies that node.
#[derive(Clone, Debug)]
pub(super) struct Tree {
    pub(super) root: NodeId,
    pub(super) nodes: BTreeMap<NodeId, Arc<MemoryNode>>,
    /// How many changes there were.
    pub(super) changes: u64,
}

impl Tree {
    pub(super) fn new(root: NodeId) -> Self {
        let directory = Arc::new(MemoryNode::Directory(MemoryDirectory::default()));
        Self { root, nodes: BTreeMap::from([(root, directory)]), changes: 0 }
    }

    pub(super) fn get(&self, id: NodeId) -> Result<&MemoryNode> {
        self.nodes.get(&id).map(AsRef::as_ref).ok_or(Error::NoSuchNode { id })
    }

    pub(super) fn get_mut(&mut self, id: NodeId) -> Result<&mut MemoryNode> {
        self.nodes.get_mut(&id).map(Arc::make_mut).ok_or(Error::NoSuchNode { id })
    }

    pub(super) fn directory_mut(&mut self, id: NodeId) -> Result<&mut MemoryDirectory> {
        match self.get_mut(id)? {
            MemoryNode::Directory(directory) => Ok(directory),
            _ => Err(Error::NotADirectoryNode { id }),
        }
    }

    pub(super) fn node(&self, id: NodeId) -> Result<Node> {
        Ok(self.get(id)?.describe(id))
    }

    pub(super) fn lookup(&self, dir: NodeId, name: &str) -> Result<Option<Entry>> {
        match self.get(dir)? {
            MemoryNode::Directory(directory) => Ok(directory.entries.get(name).cloned()),
            computed if computed.entry_type().is_directory() => Ok(None),
            _ => Err(Error::NotADirectoryNode { id: dir }),
        }
    }

    pub(super) fn list(&self, dir: NodeId) -> Result<Vec<Entry>> {
        match self.get(dir)? {
            MemoryNode::Directory(directory) => Ok(directory.entries().cloned().collect()),
            computed if computed.entry_type().is_directory() => Ok(Vec::new()),
            _ => Err(Error::NotADirectoryNode { id: dir }),
        }
    }

    pub(super) fn read_link(&self, link: NodeId) -> Result<String> {
        match self.get(link)? {
            MemoryNode::Symlink(symlink) => Ok(symlink.target.clone()),
            _ => Err(Error::NoSuchNode { id: link }),
        }
    }

    pub(super) fn versions(&self, id: NodeId) -> Result<Vec<Version>> {
        Ok(self.file(id)?.versions().map(|(version, _)| version.clone()).collect())
    }

    pub(super) fn version(&self, id: NodeId, number: u64) -> Result<Option<Version>> {
        let found = self.file(id)?.versions().find(|(version, _)| version.number == number);
        Ok(found.map(|(version, _)| version.clone()))
    }

    /// The bytes are those that were hashed when they were written, and can
    /// not have changed since, so they are not hashed again.
    pub(super) fn read(&self, id: NodeId, version: &Version, range: Range<u64>) -> Result<Bytes> {
        let damaged = |what: String| Error::Damaged { node: id, version: version.number, what };
        let mut versions = self.file(id)?.versions();
        let (_, bytes) = versions
            .find(|(stored, _)| stored.number == version.number && stored.hash == version.hash)
            .ok_or_else(|| damaged("it is not in this store".into()))?;
        slice(bytes, &range).ok_or_else(|| damaged(format!("it has no bytes {range:?}")))
    }

    pub(super) fn is_empty_directory(&self, id: NodeId) -> Result<bool> {
        Ok(!self.get(id)?.entry_type().is_directory() || self.list(id)?.is_empty())
    }

    /// Gives a node its name, which is free.
    pub(super) fn link(&mut self, dir: NodeId, name: &Name, node: NodeId) -> Result<()> {
        let entry_type = self.get(node)?.entry_type();
        let entry = Entry { name: name.clone(), node, entry_type };
        self.directory_mut(dir)?.entries.insert(name.clone(), entry);
        Ok(())
    }

    fn file(&self, id: NodeId) -> Result<&MemoryFile> {
        self.get(id)?.file().ok_or(Error::NoSuchNode { id })
    }
}

/// The bytes of `range`; `None` when it does not lie within them.
pub(super) fn slice(bytes: &Bytes, range: &Range<u64>) -> Option<Bytes> {
    let start = usize::try_from(range.start).ok()?;
    let end = usize::try_from(range.end).ok()?;
    (start <= end && end <= bytes.len()).then(|| bytes.slice(start..end))
}
