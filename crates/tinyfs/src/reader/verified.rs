//! Reading a version once, from start to end, and checking its hash.

use std::fmt;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncBufRead, AsyncBufReadExt, AsyncRead, ReadBuf};

use super::{Reader, explain};
use crate::{ContentHash, Error, Result, Store, Version};

/// The bytes of one version in sequence, hashed on their way.
///
/// Where they are not what was written, the end is an error
/// ([`Error::Damaged`]): a copy is good only when reading came to a clean end.
pub struct VerifiedReader<S: ?Sized = dyn Store> {
    inner: Reader<S>,
    hasher: blake3::Hasher,
    checked: bool,
}

impl<S: ?Sized> fmt::Debug for VerifiedReader<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("VerifiedReader").field("inner", &self.inner).finish_non_exhaustive()
    }
}

impl<S: Store + ?Sized> VerifiedReader<S> {
    /// Verifies what `reader` reads, from the start wherever it stands.
    #[must_use]
    pub fn new(mut reader: Reader<S>) -> Self {
        reader.jump(0);
        Self { inner: reader, hasher: blake3::Hasher::new(), checked: false }
    }

    /// The version it reads.
    #[must_use]
    pub fn version(&self) -> &Version {
        self.inner.version()
    }

    /// Where the next byte comes from.
    #[must_use]
    pub const fn position(&self) -> u64 {
        self.inner.position()
    }

    /// Reads what is left, for the check alone.
    ///
    /// # Errors
    /// [`Error::Damaged`], and the store's; below an [`Error::Unreadable`] when
    /// the reader has a path.
    pub async fn drain(&mut self) -> Result<()> {
        loop {
            let filled = self.fill_buf().await;
            let amount = filled.map_err(|error| Error::from_io("can not read", error))?.len();
            if amount == 0 {
                return Ok(());
            }
            self.consume(amount);
        }
    }

    fn check(&mut self) -> Result<()> {
        if self.checked {
            return Ok(());
        }
        let Reader { node, version, path, .. } = &self.inner;
        let found = ContentHash::new(*self.hasher.finalize().as_bytes());
        if found != version.hash {
            let what = format!("its bytes have hash {found}, not {}", version.hash);
            let damage = Error::Damaged { node: *node, version: version.number, what };
            return Err(explain(path.as_deref(), version, damage));
        }
        self.checked = true;
        Ok(())
    }
}

impl<S: Store + ?Sized> AsyncBufRead for VerifiedReader<S> {
    fn poll_fill_buf(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<&[u8]>> {
        let this = self.get_mut();
        if ready!(Pin::new(&mut this.inner).poll_fill_buf(cx))?.is_empty() {
            this.check()?;
        }
        Poll::Ready(Ok(&this.inner.window))
    }

    fn consume(self: Pin<&mut Self>, amount: usize) {
        let this = self.get_mut();
        this.hasher.update(&this.inner.window[..amount]);
        Pin::new(&mut this.inner).consume(amount);
    }
}

impl<S: Store + ?Sized> AsyncRead for VerifiedReader<S> {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        super::read_from_window(self, cx, buffer)
    }
}
