//! Reading a version's bytes as a stream.
//!
//! [`Reader`] reads anywhere; [`VerifiedReader`] reads once from start to end
//! and vouches for what it gave.
//!
//! Always true: at most one window of bytes is held; nothing is read before it
//! is asked for; a store that gives fewer bytes than asked is an error and
//! never an early end.

mod verified;

use std::fmt;
use std::io::{self, SeekFrom};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use futures::future::BoxFuture;
use tokio::io::{AsyncBufRead, AsyncRead, AsyncSeek, ReadBuf};

pub use verified::VerifiedReader;

use crate::{Error, NodeId, Result, Store, Version};

/// The first window after a jump: enough for a footer, little to throw away.
const FIRST_WINDOW_BYTES: u64 = 16 * 1024;

/// The largest window, reached by reading on.
const WINDOW_BYTES: u64 = 256 * 1024;

/// The bytes of one version: `AsyncRead`, `AsyncBufRead` and `AsyncSeek`.
///
/// It reads ahead in windows that grow as reading goes on in sequence. Its
/// errors hold an [`Error`] (see [`Error::from_io`]).
pub struct Reader<S: ?Sized = dyn Store> {
    store: Arc<S>,
    node: NodeId,
    version: Arc<Version>,
    path: Option<Arc<str>>,
    position: u64,
    /// Bytes from `position` on.
    window: Bytes,
    next_window_bytes: u64,
    fetch: Option<BoxFuture<'static, Result<Bytes>>>,
}

impl<S: ?Sized> fmt::Debug for Reader<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reader")
            .field("node", &self.node)
            .field("version", &self.version.number)
            .field("path", &self.path)
            .field("position", &self.position)
            .finish_non_exhaustive()
    }
}

impl<S: Store + ?Sized> Reader<S> {
    /// Reads `version` of the file `node`, from its start.
    #[must_use]
    pub fn new(store: Arc<S>, node: NodeId, version: Version) -> Self {
        Self {
            store,
            node,
            version: Arc::new(version),
            path: None,
            position: 0,
            window: Bytes::new(),
            next_window_bytes: FIRST_WINDOW_BYTES,
            fetch: None,
        }
    }

    /// The same, with a path to name in errors.
    #[must_use]
    pub fn named(mut self, path: impl Into<Arc<str>>) -> Self {
        self.path = Some(path.into());
        self
    }

    /// The file it reads.
    #[must_use]
    pub const fn node(&self) -> NodeId {
        self.node
    }

    /// The version it reads.
    #[must_use]
    pub fn version(&self) -> &Version {
        &self.version
    }

    /// How many bytes there are in all.
    #[must_use]
    pub fn size_bytes(&self) -> u64 {
        self.version.size_bytes
    }

    /// Where the next byte comes from.
    #[must_use]
    pub const fn position(&self) -> u64 {
        self.position
    }

    fn explain(&self, error: Error) -> Error {
        explain(self.path.as_deref(), &self.version, error)
    }

    /// Starts reading the window at the position.
    fn start_fetch(&mut self) -> BoxFuture<'static, Result<Bytes>> {
        let left = self.size_bytes().saturating_sub(self.position);
        let range = self.position..self.position + left.min(self.next_window_bytes);
        self.next_window_bytes = (self.next_window_bytes * 2).min(WINDOW_BYTES);
        let (store, node) = (Arc::clone(&self.store), self.node);
        let version = Arc::clone(&self.version);
        Box::pin(async move {
            let wanted = range.end - range.start;
            let bytes = store.read(node, &version, range).await?;
            if bytes.len() as u64 == wanted {
                return Ok(bytes);
            }
            let what = format!("the store gave {} bytes of {wanted}", bytes.len());
            Err(Error::Damaged { node, version: version.number, what })
        })
    }

    fn jump(&mut self, to: u64) {
        match to.checked_sub(self.position) {
            Some(ahead) if ahead <= self.window.len() as u64 && self.fetch.is_none() => {
                // The window is in memory, so `ahead` is too small to be cut.
                drop(self.window.split_to(ahead as usize));
            }
            _ => {
                self.window = Bytes::new();
                self.fetch = None;
                self.next_window_bytes = FIRST_WINDOW_BYTES;
            }
        }
        self.position = to;
    }
}

fn explain(path: Option<&str>, version: &Version, error: Error) -> Error {
    match path {
        Some(path) => Error::Unreadable {
            path: path.to_owned(),
            version: version.number,
            source: Box::new(error),
        },
        None => error,
    }
}

impl<S: Store + ?Sized> AsyncBufRead for Reader<S> {
    fn poll_fill_buf(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<&[u8]>> {
        let this = self.get_mut();
        if this.window.is_empty() && this.position < this.size_bytes() {
            let mut fetch = this.fetch.take().unwrap_or_else(|| this.start_fetch());
            match fetch.as_mut().poll(cx) {
                Poll::Pending => {
                    this.fetch = Some(fetch);
                    return Poll::Pending;
                }
                Poll::Ready(read) => {
                    this.window = read.map_err(|error| this.explain(error))?;
                }
            }
        }
        Poll::Ready(Ok(&this.window))
    }

    fn consume(self: Pin<&mut Self>, amount: usize) {
        let this = self.get_mut();
        drop(this.window.split_to(amount));
        this.position += amount as u64;
    }
}

impl<S: Store + ?Sized> AsyncRead for Reader<S> {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        read_from_window(self, cx, buffer)
    }
}

/// Reads through what a reader has buffered.
fn read_from_window<R: AsyncBufRead>(
    mut reader: Pin<&mut R>,
    cx: &mut Context<'_>,
    buffer: &mut ReadBuf<'_>,
) -> Poll<io::Result<()>> {
    if buffer.remaining() == 0 {
        return Poll::Ready(Ok(()));
    }
    let window = ready!(reader.as_mut().poll_fill_buf(cx))?;
    let amount = window.len().min(buffer.remaining());
    buffer.put_slice(&window[..amount]);
    reader.consume(amount);
    Poll::Ready(Ok(()))
}

impl<S: Store + ?Sized> AsyncSeek for Reader<S> {
    fn start_seek(self: Pin<&mut Self>, position: SeekFrom) -> io::Result<()> {
        let this = self.get_mut();
        let to = match position {
            SeekFrom::Start(to) => Some(to),
            SeekFrom::End(by) => this.size_bytes().checked_add_signed(by),
            SeekFrom::Current(by) => this.position.checked_add_signed(by),
        };
        let outside = || io::Error::new(io::ErrorKind::InvalidInput, "a seek before the start");
        this.jump(to.ok_or_else(outside)?);
        Ok(())
    }

    fn poll_complete(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<u64>> {
        Poll::Ready(Ok(self.position))
    }
}
