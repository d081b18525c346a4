//! Content of 64 KiB and more: files named by their hash, never changed.
//!
//! A [`ContentSink`] keeps up to 64 KiB in memory and then goes to a temporary
//! file, hashing on the way. `finish` syncs the file, names it and syncs the
//! directory; only then may a commit name it. The same content twice is one
//! file: the later copy takes the name, so that writing content again also
//! heals it.

use std::fs::File;
use std::io;
use std::ops::Range;
use std::os::unix::fs::FileExt as _;
use std::path::PathBuf;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt};
use tinyfs::ContentHash;
use tokio::io::AsyncWrite;
use tokio::task::JoinHandle;

use crate::medium::{Medium, Naming, Staged, ensure_dir};
use crate::{Error, INLINE_LIMIT, Result};

/// The directory of large files, below the log.
pub(crate) const LARGE_FILES: &str = "_large_files";

/// What goes to the disk at once.
const CHUNK: usize = 1 << 20;

/// The large files of a log.
#[derive(Clone, Debug)]
pub struct LargeFiles {
    root: PathBuf,
    medium: Arc<dyn Medium>,
    store: Arc<dyn ObjectStore>,
}

/// Content that has come to its end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Finished {
    /// Too small for a file of its own: the bytes are to be committed.
    Inline {
        /// Their hash.
        hash: ContentHash,
        /// The bytes.
        bytes: Bytes,
    },
    /// In a large file, on the disk.
    Large {
        /// The hash of the bytes.
        hash: ContentHash,
        /// How many there are.
        size_bytes: u64,
        /// Whether the file was there already, with the same bytes.
        existed: bool,
    },
}

/// The name of a large file, relative to the log.
pub(crate) fn large_path(hash: ContentHash) -> String {
    let hex = hash.to_string();
    format!("{LARGE_FILES}/{}/blake3={hex}", &hex[..2])
}

impl LargeFiles {
    pub(crate) fn new(root: PathBuf, medium: Arc<dyn Medium>, store: Arc<dyn ObjectStore>) -> Self {
        Self { root, medium, store }
    }

    /// A stream for new content, small or large.
    #[must_use]
    pub fn writer(&self) -> ContentSink {
        let inner = Inner {
            root: self.root.clone(),
            medium: Arc::clone(&self.medium),
            buffer: Vec::new(),
            hasher: blake3::Hasher::new(),
            len: 0,
            staged: None,
        };
        ContentSink { state: State::Idle(Box::new(inner)) }
    }

    /// Where a large file lies, relative to the log.
    #[must_use]
    pub fn path(hash: ContentHash) -> String {
        large_path(hash)
    }

    /// Takes away a large file that was finished but that no committed version
    /// names; only whoever made it, under the pond's lock, can know that.
    ///
    /// # Errors
    /// [`Error::Io`].
    pub fn discard(&self, hash: ContentHash) -> Result<()> {
        let path = self.root.join(large_path(hash));
        self.medium
            .unlink(&path)
            .map_err(|error| Error::io(format!("removing large file {hash}"), error))
    }

    /// The size of a large file; `None` when it is not there.
    ///
    /// # Errors
    /// [`Error::Io`].
    pub async fn size(&self, hash: ContentHash) -> Result<Option<u64>> {
        size(&*self.store, hash).await
    }
}

/// The size of a large file; `None` when it is not there.
pub(crate) async fn size(store: &dyn ObjectStore, hash: ContentHash) -> Result<Option<u64>> {
    match store.head(&Path::from(large_path(hash))).await {
        Ok(meta) => Ok(Some(meta.size)),
        Err(object_store::Error::NotFound { .. }) => Ok(None),
        Err(error) => Err(Error::io(format!("looking for large file {hash}"), error)),
    }
}

/// The bytes of a range, exactly as many as asked for.
pub(crate) async fn read(
    store: &dyn ObjectStore,
    hash: ContentHash,
    range: Range<u64>,
) -> Result<Bytes> {
    if range.is_empty() {
        return Ok(Bytes::new());
    }
    let wanted = range.end - range.start;
    let bytes = match store.get_range(&Path::from(large_path(hash)), range.clone()).await {
        Ok(bytes) => bytes,
        Err(object_store::Error::NotFound { .. }) => return Err(Error::MissingLargeFile { hash }),
        Err(error) => {
            // A store answers a range beyond the end as it answers any failure.
            if size(store, hash).await.is_ok_and(|size| size.is_some_and(|size| size < range.end)) {
                return Err(Error::DamagedFile {
                    file: large_path(hash),
                    what: format!("it ends before byte {}", range.end),
                });
            }
            return Err(Error::io(format!("reading large file {hash}"), error));
        }
    };
    if bytes.len() as u64 != wanted {
        return Err(Error::DamagedFile {
            file: large_path(hash),
            what: format!("it ends before byte {}", range.end),
        });
    }
    Ok(bytes)
}

/// A stream of bytes that become content. Dropping it leaves nothing.
#[derive(Debug)]
pub struct ContentSink {
    state: State,
}

#[derive(Debug)]
enum State {
    Idle(Box<Inner>),
    Busy(JoinHandle<(Box<Inner>, io::Result<()>)>),
    Failed,
}

#[derive(Debug)]
struct Inner {
    root: PathBuf,
    medium: Arc<dyn Medium>,
    buffer: Vec<u8>,
    hasher: blake3::Hasher,
    len: u64,
    staged: Option<Staged>,
}

impl Inner {
    /// Moves the buffer to the temporary file.
    fn spill(&mut self) -> io::Result<()> {
        if self.buffer.is_empty() && self.staged.is_some() {
            return Ok(());
        }
        if self.staged.is_none() {
            let dir = self.root.join(LARGE_FILES);
            ensure_dir(&*self.medium, &dir)?;
            self.staged = Some(Staged::create(&self.medium, &dir)?);
        }
        if let Some(staged) = &mut self.staged {
            self.hasher.update(&self.buffer);
            staged.append(&self.buffer)?;
            self.buffer.clear();
        }
        Ok(())
    }

    fn settle(mut self) -> io::Result<Finished> {
        if self.len < INLINE_LIMIT {
            let bytes = Bytes::from(self.buffer);
            return Ok(Finished::Inline { hash: ContentHash::of(&bytes), bytes });
        }
        self.spill()?;
        let Some(staged) = self.staged else {
            return Err(io::Error::other("large content has no temporary file"));
        };
        let hash = ContentHash::new(*self.hasher.finalize().as_bytes());
        let to = self.root.join(large_path(hash));
        staged.sync()?;
        let dir = to.parent().unwrap_or(&to);
        let was_there = dir.is_dir();
        ensure_dir(&*self.medium, dir)?;
        if was_there {
            // Another process may have made the directory and died before
            // its name was on the disk.
            self.medium.sync_dir(&self.root.join(LARGE_FILES))?;
        }
        let existed = to.exists();
        staged.name(&to, Naming::Replace)?;
        Ok(Finished::Large { hash, size_bytes: self.len, existed })
    }
}

/// The first bytes of content whose stream may not have ended.
#[derive(Clone, Debug)]
pub struct Unfinished {
    file: Arc<File>,
    size_bytes: u64,
}

impl Unfinished {
    /// How many bytes there are.
    #[must_use]
    pub const fn size_bytes(&self) -> u64 {
        self.size_bytes
    }

    /// The bytes of a range within them.
    ///
    /// # Errors
    /// [`Error::Io`].
    pub async fn read(&self, range: Range<u64>) -> Result<Bytes> {
        let doing = "reading back content";
        let len = range.end.checked_sub(range.start).and_then(|len| usize::try_from(len).ok());
        let Some(len) = len.filter(|_| range.end <= self.size_bytes) else {
            return Err(Error::io(doing, io::Error::from(io::ErrorKind::UnexpectedEof)));
        };
        let file = Arc::clone(&self.file);
        crate::medium::blocking(doing, move || {
            let mut bytes = vec![0; len];
            file.read_exact_at(&mut bytes, range.start).map_err(|error| Error::io(doing, error))?;
            Ok(bytes.into())
        })
        .await
    }
}

fn ended() -> io::Error {
    io::Error::other("the stream of content has failed before")
}

impl ContentSink {
    /// Waits for what is on its way to the disk.
    fn poll_idle(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<&mut Inner>> {
        if let State::Busy(work) = &mut self.state {
            let done = ready!(Pin::new(work).poll(cx));
            match done {
                Ok((inner, Ok(()))) => self.state = State::Idle(inner),
                Ok((_, Err(error))) => {
                    self.state = State::Failed;
                    return Poll::Ready(Err(error));
                }
                Err(join) => {
                    self.state = State::Failed;
                    return Poll::Ready(Err(io::Error::other(join)));
                }
            }
        }
        Poll::Ready(match &mut self.state {
            State::Idle(inner) => Ok(inner),
            State::Busy(_) | State::Failed => Err(ended()),
        })
    }

    /// What was written so far; `None` while it is small. It stays readable
    /// when the stream is ended.
    ///
    /// # Errors
    /// [`Error::Io`].
    pub async fn so_far(&mut self) -> Result<Option<Unfinished>> {
        let doing = "writing content";
        let idle = std::future::poll_fn(|cx| self.poll_idle(cx).map_ok(|inner| inner.len)).await;
        if idle.map_err(|error| Error::io(doing, error))? < INLINE_LIMIT {
            return Ok(None);
        }
        let State::Idle(mut inner) = std::mem::replace(&mut self.state, State::Failed) else {
            return Err(Error::io(doing, ended()));
        };
        let (inner, file) = crate::medium::blocking(doing, move || {
            let opened = inner.spill().and_then(|()| {
                inner.staged.as_ref().map(|staged| staged.file().try_clone()).transpose()
            });
            opened.map(|file| (inner, file)).map_err(|error| Error::io(doing, error))
        })
        .await?;
        let size_bytes = inner.len;
        self.state = State::Idle(inner);
        Ok(file.map(|file| Unfinished { file: Arc::new(file), size_bytes }))
    }

    /// Ends the stream. When this returns, large content is on the disk.
    ///
    /// # Errors
    /// [`Error::Io`].
    pub async fn finish(mut self) -> Result<Finished> {
        let doing = "writing content";
        std::future::poll_fn(|cx| self.poll_idle(cx).map_ok(|_| ()))
            .await
            .map_err(|error| Error::io(doing, error))?;
        let State::Idle(inner) = self.state else { return Err(Error::io(doing, ended())) };
        crate::medium::blocking(doing, move || {
            inner.settle().map_err(|error| Error::io(doing, error))
        })
        .await
    }
}

impl AsyncWrite for ContentSink {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let inner = ready!(self.poll_idle(cx))?;
        let taken = bytes.len().min(CHUNK - inner.buffer.len());
        inner.buffer.extend_from_slice(&bytes[..taken]);
        inner.len += taken as u64;
        if inner.buffer.len() >= CHUNK {
            let State::Idle(mut inner) = std::mem::replace(&mut self.state, State::Failed) else {
                return Poll::Ready(Err(ended()));
            };
            self.state = State::Busy(tokio::task::spawn_blocking(move || {
                let result = inner.spill();
                (inner, result)
            }));
        }
        Poll::Ready(Ok(taken))
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        // Bytes need not be anywhere before `finish`.
        self.poll_idle(cx).map_ok(|_| ())
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.poll_flush(cx)
    }
}
