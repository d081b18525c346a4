//! A place in a file system that relative paths start from.

use std::fmt;

use super::{Fs, NodePath};
use crate::glob::{self, Match};
use crate::{
    Attributes, Entry, EntryType, NewVersion, Reader, Result, Store, Version, WriteStore, path,
};

/// A directory to work from: relative paths start here, absolute ones at the
/// root.
///
/// It is a place, not a node: when a directory is renamed, this goes on to mean
/// whatever is at its path.
pub struct WorkingDir<S: ?Sized = dyn Store> {
    fs: Fs<S>,
    path: String,
}

impl<S: ?Sized> Clone for WorkingDir<S> {
    fn clone(&self) -> Self {
        Self { fs: self.fs.clone(), path: self.path.clone() }
    }
}

impl<S: ?Sized> fmt::Debug for WorkingDir<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("WorkingDir").field(&self.path).finish()
    }
}

impl<S: Store + ?Sized> WorkingDir<S> {
    pub(super) const fn at_root(fs: Fs<S>, path: String) -> Self {
        Self { fs, path }
    }

    /// The file system it is in.
    #[must_use]
    pub const fn fs(&self) -> &Fs<S> {
        &self.fs
    }

    /// Its path: absolute, without symlinks.
    #[must_use]
    pub fn path(&self) -> &str {
        &self.path
    }

    /// `path` as one that starts at the root.
    #[must_use]
    pub fn absolute(&self, path: &str) -> String {
        // An empty path stays one, so that it is refused as such.
        if path.starts_with('/') || path.is_empty() {
            path.to_owned()
        } else {
            path::join(&self.path, path)
        }
    }

    /// `pattern` as one that starts at the root.
    #[must_use]
    pub fn absolute_pattern(&self, pattern: &str) -> String {
        if pattern.starts_with('/') || pattern.is_empty() {
            pattern.to_owned()
        } else {
            path::join(&glob::escape(&self.path), pattern)
        }
    }

    /// The directory at `path`, to work from.
    ///
    /// # Errors
    /// As [`Fs::list`].
    pub async fn working_dir(&self, path: &str) -> Result<Self> {
        self.fs.working_dir(&self.absolute(path)).await
    }

    /// As [`Fs::resolve`], from here.
    ///
    /// # Errors
    /// As there.
    pub async fn resolve(&self, path: &str) -> Result<NodePath> {
        self.fs.resolve(&self.absolute(path)).await
    }

    /// As [`Fs::resolve_link`], from here.
    ///
    /// # Errors
    /// As there.
    pub async fn resolve_link(&self, path: &str) -> Result<NodePath> {
        self.fs.resolve_link(&self.absolute(path)).await
    }

    /// As [`Fs::exists`], from here.
    ///
    /// # Errors
    /// As there.
    pub async fn exists(&self, path: &str) -> Result<bool> {
        self.fs.exists(&self.absolute(path)).await
    }

    /// As [`Fs::list`], from here.
    ///
    /// # Errors
    /// As there.
    pub async fn list(&self, path: &str) -> Result<Vec<NodePath>> {
        self.fs.list(&self.absolute(path)).await
    }

    /// As [`Fs::entries`], from here.
    ///
    /// # Errors
    /// As there.
    pub async fn entries(&self, path: &str) -> Result<Vec<Entry>> {
        self.fs.entries(&self.absolute(path)).await
    }

    /// As [`Fs::glob`], from here.
    ///
    /// # Errors
    /// As there.
    pub async fn glob(&self, pattern: &str) -> Result<Vec<Match>> {
        self.fs.glob(&self.absolute_pattern(pattern)).await
    }

    /// As [`Fs::versions`], from here.
    ///
    /// # Errors
    /// As there.
    pub async fn versions(&self, path: &str) -> Result<Vec<Version>> {
        self.fs.versions(&self.absolute(path)).await
    }

    /// As [`Fs::open`], from here.
    ///
    /// # Errors
    /// As there.
    pub async fn open(&self, path: &str) -> Result<Reader<S>> {
        self.fs.open(&self.absolute(path)).await
    }

    /// As [`Fs::read_to_end`], from here.
    ///
    /// # Errors
    /// As there.
    pub async fn read_to_end(&self, path: &str, limit_bytes: u64) -> Result<Vec<u8>> {
        self.fs.read_to_end(&self.absolute(path), limit_bytes).await
    }
}

impl<S: WriteStore + ?Sized> WorkingDir<S> {
    /// As [`Fs::create_dir`], from here.
    ///
    /// # Errors
    /// As there.
    pub async fn create_dir(&self, path: &str) -> Result<NodePath> {
        self.fs.create_dir(&self.absolute(path)).await
    }

    /// As [`Fs::create_dir_all`], from here.
    ///
    /// # Errors
    /// As there.
    pub async fn create_dir_all(&self, path: &str) -> Result<NodePath> {
        self.fs.create_dir_all(&self.absolute(path)).await
    }

    /// As [`Fs::create_file`], from here.
    ///
    /// # Errors
    /// As there.
    pub async fn create_file(
        &self,
        path: &str,
        entry_type: EntryType,
        attributes: Attributes,
        version: NewVersion,
    ) -> Result<NodePath> {
        self.fs.create_file(&self.absolute(path), entry_type, attributes, version).await
    }

    /// As [`Fs::write`], from here.
    ///
    /// # Errors
    /// As there.
    pub async fn write(&self, path: &str, bytes: impl AsRef<[u8]>) -> Result<NodePath> {
        self.fs.write(&self.absolute(path), bytes).await
    }

    /// As [`Fs::append`], from here.
    ///
    /// # Errors
    /// As there.
    pub async fn append(&self, path: &str, version: NewVersion) -> Result<u64> {
        self.fs.append(&self.absolute(path), version).await
    }

    /// As [`Fs::symlink`], from here; `target` stays as it is.
    ///
    /// # Errors
    /// As there.
    pub async fn symlink(&self, target: &str, path: &str) -> Result<NodePath> {
        self.fs.symlink(target, &self.absolute(path)).await
    }

    /// As [`Fs::remove`], from here.
    ///
    /// # Errors
    /// As there.
    pub async fn remove(&self, path: &str) -> Result<()> {
        self.fs.remove(&self.absolute(path)).await
    }

    /// As [`Fs::remove_all`], from here.
    ///
    /// # Errors
    /// As there.
    pub async fn remove_all(&self, path: &str) -> Result<u64> {
        self.fs.remove_all(&self.absolute(path)).await
    }

    /// As [`Fs::rename`], from here.
    ///
    /// # Errors
    /// As there.
    pub async fn rename(&self, from: &str, to: &str) -> Result<()> {
        self.fs.rename(&self.absolute(from), &self.absolute(to)).await
    }
}
