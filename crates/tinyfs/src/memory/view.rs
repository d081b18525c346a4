//! A memory store at one moment.

use std::ops::Range;
use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;

use super::node::MemoryNode;
use super::tree::Tree;
use crate::{Entry, Node, NodeId, Result, Store, Version};

/// What a [`MemoryStore`](super::MemoryStore) held at one moment.
#[derive(Clone, Debug)]
pub struct MemoryView {
    tree: Arc<Tree>,
}

impl MemoryView {
    pub(super) const fn new(tree: Arc<Tree>) -> Self {
        Self { tree }
    }

    /// A node as it is kept.
    ///
    /// # Errors
    /// [`Error::NoSuchNode`](crate::Error::NoSuchNode).
    pub fn get(&self, id: NodeId) -> Result<&MemoryNode> {
        self.tree.get(id)
    }
}

#[async_trait]
impl Store for MemoryView {
    fn root(&self) -> NodeId {
        self.tree.root
    }

    async fn node(&self, id: NodeId) -> Result<Node> {
        self.tree.node(id)
    }

    async fn lookup(&self, dir: NodeId, name: &str) -> Result<Option<Entry>> {
        self.tree.lookup(dir, name)
    }

    async fn list(&self, dir: NodeId) -> Result<Vec<Entry>> {
        self.tree.list(dir)
    }

    async fn read_link(&self, link: NodeId) -> Result<String> {
        self.tree.read_link(link)
    }

    async fn versions(&self, file: NodeId) -> Result<Vec<Version>> {
        self.tree.versions(file)
    }

    async fn version(&self, file: NodeId, number: u64) -> Result<Option<Version>> {
        self.tree.version(file, number)
    }

    async fn read(&self, file: NodeId, version: &Version, range: Range<u64>) -> Result<Bytes> {
        self.tree.read(file, version, range)
    }
}
