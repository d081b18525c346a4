//! What can go wrong with a pond.
//!
//! Variants are things a caller may treat differently, each with the facts to
//! act on; `Display` states this layer only, the source tells the rest.

use std::fmt;
use std::path::PathBuf;

use uuid::Uuid;

use crate::lock::Holder;

/// Shorthand for results of this crate.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// An error of a pond.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// There is nothing at the path.
    #[error("there is no pond at `{}`: no such directory", path.display())]
    NoSuchDirectory {
        /// The path.
        path: PathBuf,
    },
    /// The path is a file.
    #[error("`{}` is a file, not the directory of a pond", path.display())]
    NotADirectory {
        /// The path.
        path: PathBuf,
    },
    /// The directory holds something else.
    #[error("`{}` is not a pond: {reason}", path.display())]
    NotAPond {
        /// The path.
        path: PathBuf,
        /// What is missing or wrong.
        reason: String,
    },
    /// A pond is there already.
    #[error("there is a pond at `{}` already", path.display())]
    AlreadyAPond {
        /// The path.
        path: PathBuf,
    },
    /// A new pond needs a place of its own.
    #[error("`{}` is not empty (it has `{found}`), and a new pond needs an empty directory", path.display())]
    NotEmpty {
        /// The path.
        path: PathBuf,
        /// One of the names in it.
        found: String,
    },
    /// The pond was written by a later program.
    #[error("the pond at `{}` has format {found}; this program knows formats up to {supported}", path.display())]
    NewerFormat {
        /// The path.
        path: PathBuf,
        /// The format found.
        found: u32,
        /// The newest format known.
        supported: u32,
    },
    /// Another process writes, and went on for longer than we wait.
    #[error("the pond at `{}` is locked by {}", path.display(), who(holder.as_ref()))]
    Locked {
        /// The pond.
        path: PathBuf,
        /// Who holds the lock, as far as it is known.
        holder: Option<Holder>,
        /// How long was waited, in milliseconds.
        waited_ms: u64,
    },
    /// The pond can not be written where it lies.
    #[error("the pond at `{}` can only be read", path.display())]
    ReadOnly {
        /// The pond.
        path: PathBuf,
        /// The cause.
        #[source]
        source: std::io::Error,
    },
    /// The newest transactions of the pond are gone or are others than they were.
    #[error("the pond at `{}` ended with transaction {expected} and {found}", path.display())]
    LostTail {
        /// The pond.
        path: PathBuf,
        /// The newest transaction that this replica has seen.
        expected: u64,
        /// What the log ends with.
        found: TailFound,
    },
    /// The transaction was not committed and left nothing.
    #[error("the transaction could not be committed and changed nothing")]
    NotCommitted {
        /// The cause.
        #[source]
        source: oplog::Error,
    },
    /// Nobody can say whether the transaction was committed.
    #[error("whether transaction {txn_id} was committed can not be told")]
    Unknown {
        /// The transaction's id, as `log` would show it.
        txn_id: Uuid,
        /// The cause.
        #[source]
        source: oplog::Error,
    },
    /// The pond has no such transaction.
    #[error("there is no transaction {txn_seq} (the newest is {newest})")]
    NoSuchTransaction {
        /// What was asked for.
        txn_seq: u64,
        /// The newest there is.
        newest: u64,
    },
    /// A text names no moment of the history.
    #[error("`{}` names no moment: {reason}", text.escape_debug())]
    BadMoment {
        /// The text.
        text: String,
        /// Why not.
        reason: String,
    },
    /// There is no setting of this name.
    #[error("there is no setting `{}`", key.escape_debug())]
    NoSuchSetting {
        /// The name.
        key: String,
        /// The name most like it.
        nearest: &'static str,
    },
    /// A setting can not have this value.
    #[error("setting `{key}` can not be `{}`: {reason}", value.escape_debug())]
    BadSetting {
        /// The setting.
        key: String,
        /// The value.
        value: String,
        /// What it must be.
        reason: String,
    },
    /// The file of settings can not be read.
    #[error("the settings in `{}` can not be read", path.display())]
    BadSettings {
        /// The file.
        path: PathBuf,
        /// The cause.
        #[source]
        source: serde_json::Error,
    },
    /// The file system refused.
    #[error(transparent)]
    FileSystem(#[from] tinyfs::Error),
    /// A table or series was refused.
    #[error(transparent)]
    Tables(#[from] tlogfs::Error),
    /// The log refused.
    #[error("{doing}")]
    Log {
        /// What was being done.
        doing: String,
        /// The cause.
        #[source]
        source: oplog::Error,
    },
    /// The operating system refused.
    #[error("{doing} `{}`", path.display())]
    Io {
        /// What was being done.
        doing: &'static str,
        /// To what.
        path: PathBuf,
        /// The cause.
        #[source]
        source: std::io::Error,
    },
}

impl Error {
    /// Whether stored data is not what was written.
    #[must_use]
    pub fn is_damage(&self) -> bool {
        match self {
            Self::LostTail { .. } => true,
            Self::Log { source, .. } | Self::NotCommitted { source } => source.is_damage(),
            Self::FileSystem(source) | Self::Tables(tlogfs::Error::FileSystem(source)) => {
                source.is_damage()
            }
            _ => false,
        }
    }

    /// Whether what was asked for is no longer kept.
    #[must_use]
    pub const fn is_pruned(&self) -> bool {
        matches!(self, Self::Log { source: oplog::Error::Pruned { .. }, .. })
    }

    /// Says what was being done when the log failed.
    pub(crate) fn log(doing: impl Into<String>) -> impl Fn(oplog::Error) -> Self + Send + Sync {
        let doing = doing.into();
        move |source| Self::Log { doing: doing.clone(), source }
    }
}

/// What a log ends with that should have more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum TailFound {
    /// An earlier transaction.
    Earlier(u64),
    /// That transaction, but not the same.
    Other,
}

impl fmt::Display for TailFound {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Earlier(txn_seq) => write!(f, "ends with transaction {txn_seq} now"),
            Self::Other => f.write_str("has another in its place now"),
        }
    }
}

fn who(holder: Option<&Holder>) -> String {
    holder.map_or_else(|| "another process".to_owned(), ToString::to_string)
}
