//! A file system over a store: what callers use.
//!
//! [`Fs`] turns a store's few questions about node ids into operations on
//! paths: symlinks, recursion, globs, streaming. It holds nothing but the
//! store, so clones are free, and two of them over one store agree.
//!
//! Always true: the read methods exist for every store, the write methods only
//! where the store is a [`WriteStore`]; every error names the path it is about;
//! a path without a leading slash starts at the root ([`WorkingDir`] starts
//! elsewhere).
//!
//! Deliberately not here: who may write when, and when writes become visible to
//! others; that is the store's to say.

mod copying;
mod nodes;
mod reading;
mod resolve;
mod working_dir;
mod writing;

use std::fmt;
use std::sync::Arc;

pub use nodes::NodePath;
pub use resolve::MAX_LINKS;
pub use working_dir::WorkingDir;
pub use writing::{Configured, Target};

use crate::{Store, WriteStore, path};

/// A file system over a store.
///
/// `Fs` alone means `Fs<dyn Store>`: a file system that can only be read.
pub struct Fs<S: ?Sized = dyn Store> {
    store: Arc<S>,
}

impl<S: ?Sized> Clone for Fs<S> {
    fn clone(&self) -> Self {
        Self { store: Arc::clone(&self.store) }
    }
}

impl<S: fmt::Debug + ?Sized> fmt::Debug for Fs<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Fs").field(&&self.store).finish()
    }
}

impl<S: Store + ?Sized> Fs<S> {
    /// The file system that `store` holds.
    #[must_use]
    pub const fn new(store: Arc<S>) -> Self {
        Self { store }
    }

    /// The store.
    #[must_use]
    pub const fn store(&self) -> &Arc<S> {
        &self.store
    }

    /// The root directory, to work from.
    #[must_use]
    pub fn root(&self) -> WorkingDir<S> {
        WorkingDir::at_root(self.clone(), path::ROOT.to_owned())
    }
}

impl Fs<dyn WriteStore> {
    /// The same file system, to read only.
    #[must_use]
    pub fn read_only(&self) -> Fs {
        let store: Arc<dyn WriteStore> = Arc::clone(&self.store);
        Fs { store }
    }
}

impl<S: Store> Fs<S> {
    /// The same file system, to read only, whatever its store.
    #[must_use]
    pub fn read_only(&self) -> Fs {
        let store: Arc<S> = Arc::clone(&self.store);
        Fs { store }
    }
}

impl<S: WriteStore> Fs<S> {
    /// The same file system, whatever its store.
    #[must_use]
    pub fn writable(&self) -> Fs<dyn WriteStore> {
        let store: Arc<S> = Arc::clone(&self.store);
        Fs { store }
    }
}

impl From<Fs<dyn WriteStore>> for Fs {
    fn from(fs: Fs<dyn WriteStore>) -> Self {
        fs.read_only()
    }
}
