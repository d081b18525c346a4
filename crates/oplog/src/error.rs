//! What can go wrong with a log.
//!
//! Variants are things a caller may treat differently, each with the facts
//! needed to act; `Display` states this layer only, the source tells the rest.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

use tinyfs::{ContentHash, NodeId};

/// Shorthand for results of this crate.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// A source error, shared so that [`Error`] can be cloned into several reports.
pub type Source = Arc<dyn std::error::Error + Send + Sync>;

/// An error of the log.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// There is nothing at the location.
    #[error("there is no log at `{location}`")]
    NotFound {
        /// The location.
        location: String,
    },
    /// A directory was needed.
    #[error("`{location}` is not a directory")]
    NotADirectory {
        /// The location.
        location: String,
    },
    /// What is at the location is no log of a pond.
    #[error("`{location}` is not the log of a pond: {reason}")]
    NotAPond {
        /// The location.
        location: String,
        /// What is wrong with it.
        reason: String,
    },
    /// A log is at the location already.
    #[error("there is a log at `{location}` already")]
    AlreadyExists {
        /// The location.
        location: String,
    },
    /// The log was written by a later program.
    #[error("the log has format {found}; this program reads up to {supported}")]
    NewerFormat {
        /// The format found.
        found: u32,
        /// The newest format this program knows.
        supported: u32,
    },
    /// The log can only be read.
    #[error("the log at `{location}` is open for reading only")]
    ReadOnly {
        /// The location.
        location: String,
    },
    /// The newest commit, or one before it, is empty, cut short or not JSON.
    #[error("commit file `{file}` is damaged: {what}")]
    DamagedCommit {
        /// The file, relative to the log.
        file: String,
        /// Its Delta version.
        version: u64,
        /// What was found.
        what: String,
    },
    /// Commits or transactions are missing in the middle.
    #[error("the log has a gap: {what}")]
    Gap {
        /// What is missing.
        what: String,
    },
    /// A checkpoint can not be read and the commits before it are gone.
    #[error("checkpoint `{file}` is damaged and the commits before it are gone")]
    DamagedCheckpoint {
        /// The file, relative to the log.
        file: String,
        /// The cause.
        #[source]
        source: Source,
    },
    /// A data file of the log can not be read as what it must be.
    #[error("data file `{file}` is damaged: {what}")]
    DamagedFile {
        /// The file, relative to the log.
        file: String,
        /// What was found.
        what: String,
    },
    /// Stored content is not what was written.
    #[error("content of version {version} of node {node} is damaged: {what}")]
    DamagedContent {
        /// The node.
        node: NodeId,
        /// The version.
        version: u64,
        /// What was found.
        what: String,
    },
    /// A large file is not there.
    #[error("large file {hash} is missing")]
    MissingLargeFile {
        /// Its hash.
        hash: ContentHash,
    },
    /// The log has not got that far.
    #[error("there is no transaction {txn_seq} (the newest is {newest})")]
    NoSuchTransaction {
        /// The transaction asked for.
        txn_seq: u64,
        /// The newest there is.
        newest: u64,
    },
    /// What was asked for has been dropped by a prune, or stands merged in a run.
    #[error("{what} was pruned")]
    Pruned {
        /// What was asked for.
        what: String,
        /// The oldest transaction whose state can be seen.
        oldest: u64,
    },
    /// Changes that contradict themselves.
    #[error("the changes can not be committed: {what}")]
    BadChanges {
        /// What is wrong with them.
        what: String,
    },
    /// A record batch does not have what a type wants, or takes.
    #[error("column `{column}` does not fit: {what}")]
    WrongSchema {
        /// The column.
        column: String,
        /// What is wrong with it.
        what: String,
    },
    /// Another writer committed in between, which the pond's lock forbids.
    #[error("commit {version} is taken: another writer was at work without the lock")]
    Conflict {
        /// The Delta version that was taken.
        version: u64,
    },
    /// A plan of maintenance no longer fits the log.
    #[error("the plan of maintenance is out of date")]
    StalePlan,
    /// The log could not be read or written.
    #[error("{doing}")]
    Io {
        /// What was being done, and to what.
        doing: String,
        /// The cause.
        #[source]
        source: Source,
    },
}

impl Error {
    /// An [`Error::Io`] with its cause.
    pub fn io(
        doing: impl Into<String>,
        source: impl std::error::Error + Send + Sync + 'static,
    ) -> Self {
        Self::Io { doing: doing.into(), source: Arc::new(source) }
    }

    /// Whether it says that something stored is not what was written.
    #[must_use]
    pub const fn is_damage(&self) -> bool {
        matches!(
            self,
            Self::DamagedCommit { .. }
                | Self::Gap { .. }
                | Self::DamagedCheckpoint { .. }
                | Self::DamagedFile { .. }
                | Self::DamagedContent { .. }
                | Self::MissingLargeFile { .. }
        )
    }

    /// Whether the operating system's error of this kind is among the causes.
    #[must_use]
    pub fn is_io(&self, kind: std::io::ErrorKind) -> bool {
        let mut cause: Option<&(dyn std::error::Error + 'static)> = Some(self);
        while let Some(error) = cause {
            if error.downcast_ref::<std::io::Error>().is_some_and(|io| io.kind() == kind) {
                return true;
            }
            cause = error.source();
        }
        false
    }
}

/// Where a log lies.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Location {
    /// A directory of this machine: the `data` directory of a pond.
    Local(PathBuf),
}

impl fmt::Display for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Local(path) => path.display().fmt(f),
        }
    }
}
