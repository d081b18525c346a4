//! Where the parts of a pond lie in its directory.

use std::path::{Path, PathBuf};

/// The paths of a pond.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Layout {
    root: PathBuf,
}

impl Layout {
    pub(crate) fn new(root: impl Into<PathBuf>) -> Self {
        Self { root: root.into() }
    }

    pub(crate) fn root(&self) -> &Path {
        &self.root
    }

    /// The writer's lock.
    pub(crate) fn lock(&self) -> PathBuf {
        self.root.join("lock")
    }

    /// The log: the only source of truth.
    pub(crate) fn data(&self) -> PathBuf {
        self.root.join("data")
    }

    /// What can be computed again; may be deleted.
    pub(crate) fn cache(&self) -> PathBuf {
        self.root.join("cache")
    }

    /// What belongs to this replica alone; may be deleted.
    pub(crate) fn control(&self) -> PathBuf {
        self.root.join("control")
    }
}
