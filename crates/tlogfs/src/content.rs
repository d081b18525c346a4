//! Content on its way into a transaction: small into the spool, large to
//! where it will stay.

use std::collections::HashMap;
use std::fmt;
use std::io;
use std::ops::Range;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};

use async_trait::async_trait;
use bytes::Bytes;
use oplog::{ContentSink, Finished, LargeFiles, Unfinished};
use tinyfs::{Content, ContentHash, ContentWriter, Error, Result, SoFar};
use tokio::io::AsyncWrite;

use crate::spool::Spool;

/// The large contents a transaction has finished. Unless it was told to keep
/// them, those that were not there before go when it is dropped.
pub(crate) struct Written {
    files: LargeFiles,
    kept: AtomicBool,
    left: AtomicBool,
    /// By hash: whether the file was made here, and whether a version names it.
    large: Mutex<HashMap<ContentHash, Large>>,
}

#[derive(Clone, Copy, Debug, Default)]
struct Large {
    made: bool,
    named: bool,
}

impl fmt::Debug for Written {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Written").finish_non_exhaustive()
    }
}

impl Written {
    pub(crate) fn new(files: LargeFiles) -> Self {
        Self {
            files,
            kept: AtomicBool::new(false),
            left: AtomicBool::new(false),
            large: Mutex::default(),
        }
    }

    pub(crate) fn keep(&self) {
        self.kept.store(true, Ordering::Relaxed);
    }

    pub(crate) fn release(&self) {
        self.kept.store(false, Ordering::Relaxed);
    }

    /// Takes away what was made here and stays unnamed, unless it is to be left.
    pub(crate) fn discard(&self) {
        let kept = self.kept.load(Ordering::Relaxed);
        for (hash, large) in self.large().drain() {
            if !large.made || (kept && large.named) || self.left.load(Ordering::Relaxed) {
                continue;
            }
            // What stays behind is only space: vacuum finds it.
            if let Err(error) = self.files.discard(hash) {
                diagnostics::log_debug!("content {hash} is left behind: {error}", hash, error);
            }
        }
    }

    /// Leaves everything to vacuum.
    pub(crate) fn leave(&self) {
        self.left.store(true, Ordering::Relaxed);
    }

    pub(crate) fn has(&self, hash: ContentHash) -> bool {
        self.large().contains_key(&hash)
    }

    /// Notes that a version names this content.
    pub(crate) fn name(&self, hash: ContentHash) {
        if let Some(large) = self.large().get_mut(&hash) {
            large.named = true;
        }
    }

    fn finished(&self, hash: ContentHash, made: bool) {
        // The same content twice: the first time decides who made the file.
        self.large().entry(hash).or_insert(Large { made, named: false });
    }

    fn large(&self) -> std::sync::MutexGuard<'_, HashMap<ContentHash, Large>> {
        self.large.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Written {
    fn drop(&mut self) {
        self.discard();
    }
}

/// A stream of bytes into a transaction.
pub(crate) struct TransactionWriter {
    sink: ContentSink,
    spool: Arc<Spool>,
    written: Arc<Written>,
}

impl TransactionWriter {
    pub(crate) fn open(spool: &Arc<Spool>, written: &Arc<Written>) -> Self {
        let sink = written.files.writer();
        Self { sink, spool: Arc::clone(spool), written: Arc::clone(written) }
    }
}

impl AsyncWrite for TransactionWriter {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.sink).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.sink).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.sink).poll_shutdown(cx)
    }
}

/// Large content whose stream may not have ended.
#[derive(Debug)]
struct Unnamed(Unfinished);

#[async_trait]
impl SoFar for Unnamed {
    fn size_bytes(&self) -> u64 {
        self.0.size_bytes()
    }

    async fn read(&self, range: Range<u64>) -> Result<Bytes> {
        let read = self.0.read(range).await;
        read.map_err(|source| Error::io("cannot read back content", source))
    }
}

#[async_trait]
impl ContentWriter for TransactionWriter {
    async fn so_far(&mut self) -> Result<Option<Arc<dyn SoFar>>> {
        let found = self.sink.so_far().await;
        let found = found.map_err(|source| Error::io("cannot read back content", source))?;
        Ok(found.map(|found| Arc::new(Unnamed(found)) as Arc<dyn SoFar>))
    }

    async fn finish(self: Box<Self>) -> Result<Content> {
        let Self { sink, spool, written } = *self;
        let finished =
            sink.finish().await.map_err(|source| Error::io("cannot finish content", source))?;
        match finished {
            Finished::Inline { hash, bytes } => {
                spool.add(hash, &bytes).map_err(|source| {
                    Error::io("cannot keep content until it is committed", source)
                })?;
                Ok(Content { hash, size_bytes: bytes.len() as u64 })
            }
            Finished::Large { hash, size_bytes, existed } => {
                written.finished(hash, !existed);
                Ok(Content { hash, size_bytes })
            }
        }
    }
}
