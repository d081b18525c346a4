//! Content on its way into a memory store.

use std::collections::HashMap;
use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};

use async_trait::async_trait;
use bytes::{Bytes, BytesMut};
use tokio::io::AsyncWrite;

use crate::{Content, ContentHash, ContentWriter, Error, Result};

/// Content that is finished and may be named.
#[derive(Clone, Debug, Default)]
pub(super) struct Finished(Arc<Mutex<HashMap<ContentHash, Bytes>>>);

impl Finished {
    pub(super) fn get(&self, hash: ContentHash) -> Result<Bytes> {
        let finished = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        finished.get(&hash).cloned().ok_or(Error::UnknownContent { hash })
    }

    fn put(&self, hash: ContentHash, bytes: Bytes) {
        let mut finished = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        finished.entry(hash).or_insert(bytes);
    }
}

/// A stream into memory.
#[derive(Debug)]
pub(super) struct MemoryWriter {
    bytes: BytesMut,
    finished: Finished,
}

impl MemoryWriter {
    pub(super) fn new(finished: Finished) -> Self {
        Self { bytes: BytesMut::new(), finished }
    }
}

impl AsyncWrite for MemoryWriter {
    fn poll_write(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.bytes.extend_from_slice(bytes);
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

#[async_trait]
impl ContentWriter for MemoryWriter {
    async fn finish(self: Box<Self>) -> Result<Content> {
        let bytes = self.bytes.freeze();
        let content = Content { hash: ContentHash::of(&bytes), size_bytes: bytes.len() as u64 };
        self.finished.put(content.hash, bytes);
        Ok(content)
    }
}
