//! What can be asked of any file system.

use std::sync::Arc;

use tokio::io::{AsyncReadExt, AsyncWrite, AsyncWriteExt};

use super::resolve::{Last, Position, Walk, Walked};
use super::{Fs, NodePath, WorkingDir};
use crate::path::{self, FsPath};
use crate::{Entry, Error, Node, Reader, Result, Store, VerifiedReader, Version};

/// How many nodes are asked for at once.
const NODES_AT_ONCE: usize = 512;

impl<S: Store + ?Sized> Fs<S> {
    /// What `path` leads to, symlinks followed everywhere; the path in the
    /// answer has none.
    ///
    /// # Errors
    /// [`Error::BadPath`], [`Error::NotFound`], [`Error::NotADirectory`] for
    /// something on the way, [`Error::LinkLoop`], and the store's.
    pub async fn resolve(&self, path: &str) -> Result<NodePath> {
        self.find(path, Last::Follow).await
    }

    /// As [`Fs::resolve`], but a symlink at the end is itself the answer,
    /// unless `path` ends in a slash.
    ///
    /// # Errors
    /// As [`Fs::resolve`].
    pub async fn resolve_link(&self, path: &str) -> Result<NodePath> {
        self.find(path, Last::Keep).await
    }

    /// Whether `path` leads to something, symlinks followed.
    ///
    /// # Errors
    /// As [`Fs::resolve`], but for what means that nothing is there.
    pub async fn exists(&self, path: &str) -> Result<bool> {
        match self.walk(&FsPath::parse(path)?, Last::Follow).await {
            Ok(_) => Ok(true),
            Err(error) if error.is_absence() => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// What is in the directory at `path`, ordered by the bytes of the names;
    /// symlinks in it are listed, not followed.
    ///
    /// # Errors
    /// As [`Fs::resolve`]; [`Error::NotADirectory`].
    pub async fn list(&self, path: &str) -> Result<Vec<NodePath>> {
        let dir = self.position(path).await?;
        let entries = self.store.list(dir.id()).await?;
        let dir = dir.path();
        let mut found = Vec::with_capacity(entries.len());
        for chunk in entries.chunks(NODES_AT_ONCE) {
            let nodes = self.nodes(chunk).await?;
            let named = chunk.iter().zip(nodes);
            found.extend(named.map(|(entry, node)| NodePath {
                path: path::join(&dir, entry.name.as_str()),
                node,
            }));
        }
        Ok(found)
    }

    /// The entries of the directory at `path`: less than [`Fs::list`] tells,
    /// and for less.
    ///
    /// # Errors
    /// As [`Fs::list`].
    pub async fn entries(&self, path: &str) -> Result<Vec<Entry>> {
        let dir = self.position(path).await?;
        self.store.list(dir.id()).await
    }

    /// The directory at `path`, to work from.
    ///
    /// # Errors
    /// As [`Fs::list`].
    pub async fn working_dir(&self, path: &str) -> Result<WorkingDir<S>> {
        let dir = self.position(path).await?;
        Ok(WorkingDir::at_root(self.clone(), dir.path()))
    }

    /// Where the symlink at `path` points, as it was written.
    ///
    /// # Errors
    /// As [`Fs::resolve`]; [`Error::WrongType`] when it is not a symlink.
    pub async fn read_link(&self, path: &str) -> Result<String> {
        let NodePath { path, node } = self.resolve_link(path).await?;
        if !node.entry_type.is_symlink() {
            let wanted = crate::EntryType::Symlink;
            return Err(Error::WrongType { path, wanted, actual: node.entry_type });
        }
        self.store.read_link(node.id).await
    }

    /// The versions of the file at `path` as they were written, ascending.
    ///
    /// # Errors
    /// As [`Fs::resolve`]; [`Error::NotAFile`].
    pub async fn versions(&self, path: &str) -> Result<Vec<Version>> {
        let file = self.file(path).await?;
        self.store.versions(file.id()).await
    }

    /// The file at `path`, symlinks followed.
    ///
    /// # Errors
    /// As [`Fs::resolve`]; [`Error::NotAFile`].
    pub async fn file(&self, path: &str) -> Result<NodePath> {
        file(self.resolve(path).await?)
    }

    /// A version of a file that was found before: the newest when no number is
    /// given.
    ///
    /// # Errors
    /// [`Error::NoSuchVersion`], and the store's.
    pub async fn version(&self, file: &NodePath, number: Option<u64>) -> Result<Version> {
        let newest = file.node.newest.as_ref();
        let wanted = number.or(newest.map(|version| version.number));
        let found = match (newest, wanted) {
            (Some(newest), Some(wanted)) if newest.number == wanted => Some(newest.clone()),
            (_, Some(wanted)) => self.store.version(file.id(), wanted).await?,
            (_, None) => None,
        };
        found.ok_or_else(|| Error::NoSuchVersion {
            path: file.path.clone(),
            version: number.unwrap_or(1),
            newest: newest.map_or(0, |version| version.number),
        })
    }

    /// The newest stored bytes of the file at `path`. For a series that is its
    /// newest version alone, for a node computed by a factory its
    /// configuration.
    ///
    /// # Errors
    /// As [`Fs::file`].
    pub async fn open(&self, path: &str) -> Result<Reader<S>> {
        self.open_version(path, None).await
    }

    /// The stored bytes of a version: the newest when no number is given.
    ///
    /// # Errors
    /// As [`Fs::file`]; [`Error::NoSuchVersion`].
    pub async fn open_version(&self, path: &str, version: Option<u64>) -> Result<Reader<S>> {
        let file = self.file(path).await?;
        let version = self.version(&file, version).await?;
        Ok(Reader::new(Arc::clone(&self.store), file.id(), version).named(file.path))
    }

    /// As [`Fs::open_version`], to be read once from start to end: where its
    /// bytes do not have the version's hash, the end is an error.
    ///
    /// # Errors
    /// As [`Fs::open_version`].
    pub async fn verified(&self, path: &str, version: Option<u64>) -> Result<VerifiedReader<S>> {
        Ok(VerifiedReader::new(self.open_version(path, version).await?))
    }

    /// Reads a version whole, keeping nothing, and compares its hash; gives
    /// back what was found good.
    ///
    /// # Errors
    /// As [`Fs::open_version`]; [`Error::Damaged`] below an
    /// [`Error::Unreadable`] that names the path.
    pub async fn verify(&self, path: &str, version: Option<u64>) -> Result<Version> {
        let mut reader = self.verified(path, version).await?;
        reader.drain().await?;
        Ok(reader.version().clone())
    }

    /// All bytes of the newest version, checked; for short content.
    ///
    /// # Errors
    /// As [`Fs::verify`]; [`Error::TooLong`] when there are more than
    /// `limit_bytes`, before any is read.
    pub async fn read_to_end(&self, path: &str, limit_bytes: u64) -> Result<Vec<u8>> {
        let mut reader = self.verified(path, None).await?;
        let size_bytes = reader.version().size_bytes;
        if size_bytes > limit_bytes {
            return Err(Error::TooLong { path: path.to_owned(), size_bytes, limit_bytes });
        }
        let mut bytes = Vec::new();
        let read = reader.read_to_end(&mut bytes).await;
        read.map_err(|error| Error::from_io(format!("can not read `{path}`"), error))?;
        Ok(bytes)
    }

    /// Sends a version to `sink`, hashed on its way; gives back what was sent.
    /// An error may come when all is sent: only then the bytes are known to be
    /// good.
    ///
    /// # Errors
    /// As [`Fs::verify`]; [`Error::Io`] when `sink` takes no more.
    pub async fn send(
        &self,
        path: &str,
        version: Option<u64>,
        sink: &mut (impl AsyncWrite + Unpin + ?Sized),
    ) -> Result<Version> {
        let mut reader = self.verified(path, version).await?;
        let sent = async {
            tokio::io::copy_buf(&mut reader, sink).await?;
            sink.flush().await
        };
        let sent = sent.await;
        sent.map_err(|error| Error::from_io(format!("can not send `{path}`"), error))?;
        Ok(reader.version().clone())
    }

    async fn find(&self, path: &str, last: Last) -> Result<NodePath> {
        let (path, id) = match self.walk(&FsPath::parse(path)?, last).await? {
            Walked::Leaf { dir, entry } => {
                (path::join(&dir.path(), entry.name.as_str()), entry.node)
            }
            Walked::Directory(dir) => (dir.path(), dir.id()),
        };
        Ok(NodePath { path, node: self.store.node(id).await? })
    }

    async fn walk(&self, path: &FsPath, last: Last) -> Result<Walked> {
        Walk::new(self, path, last).finish().await
    }

    /// The directory that `path` leads to.
    pub(super) async fn position(&self, path: &str) -> Result<Position> {
        self.position_of(&FsPath::parse(path)?).await
    }

    pub(super) async fn position_of(&self, path: &FsPath) -> Result<Position> {
        match self.walk(path, Last::Follow).await? {
            Walked::Directory(dir) => Ok(dir),
            Walked::Leaf { dir, entry } => Err(Error::NotADirectory {
                path: path::join(&dir.path(), entry.name.as_str()),
                actual: entry.entry_type,
            }),
        }
    }

    pub(crate) async fn nodes(&self, entries: &[Entry]) -> Result<Vec<Node>> {
        let ids: Vec<_> = entries.iter().map(|entry| entry.node).collect();
        self.store.nodes(&ids).await
    }
}

/// What was found, when it has bytes to read.
pub(super) fn file(found: NodePath) -> Result<NodePath> {
    if found.node.entry_type.is_file() {
        Ok(found)
    } else {
        Err(Error::NotAFile { path: found.path, actual: found.node.entry_type })
    }
}
