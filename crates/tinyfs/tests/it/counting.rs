//! Stores around a store: one that counts what is asked, one that lies.

use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use async_trait::async_trait;
use bytes::Bytes;
use tinyfs::{Entry, MemoryStore, Node, NodeId, Result, Store, Version};

/// What a [`Counting`] store does to the bytes it gives.
pub(crate) type Change = fn(Bytes, Range<u64>) -> Bytes;

/// A memory store that counts listings and reads, and may change the bytes.
#[derive(Debug)]
pub(crate) struct Counting {
    inner: Arc<MemoryStore>,
    listings: AtomicUsize,
    reads: AtomicUsize,
    change: Change,
}

impl Counting {
    pub(crate) fn new(inner: Arc<MemoryStore>) -> Arc<Self> {
        Self::changing(inner, |bytes, _| bytes)
    }

    pub(crate) fn changing(inner: Arc<MemoryStore>, change: Change) -> Arc<Self> {
        let (listings, reads) = (AtomicUsize::new(0), AtomicUsize::new(0));
        Arc::new(Self { inner, listings, reads, change })
    }

    pub(crate) fn listings(&self) -> usize {
        self.listings.load(Ordering::Relaxed)
    }

    pub(crate) fn reads(&self) -> usize {
        self.reads.load(Ordering::Relaxed)
    }
}

#[async_trait]
impl Store for Counting {
    fn root(&self) -> NodeId {
        self.inner.root()
    }

    async fn node(&self, id: NodeId) -> Result<Node> {
        self.inner.node(id).await
    }

    async fn lookup(&self, dir: NodeId, name: &str) -> Result<Option<Entry>> {
        self.inner.lookup(dir, name).await
    }

    async fn list(&self, dir: NodeId) -> Result<Vec<Entry>> {
        self.listings.fetch_add(1, Ordering::Relaxed);
        self.inner.list(dir).await
    }

    async fn read_link(&self, link: NodeId) -> Result<String> {
        self.inner.read_link(link).await
    }

    async fn versions(&self, file: NodeId) -> Result<Vec<Version>> {
        self.inner.versions(file).await
    }

    async fn read(&self, file: NodeId, version: &Version, range: Range<u64>) -> Result<Bytes> {
        self.reads.fetch_add(1, Ordering::Relaxed);
        // Gives way once, so that readers meet a read that is not ready.
        tokio::task::yield_now().await;
        Ok((self.change)(self.inner.read(file, version, range.clone()).await?, range))
    }
}
