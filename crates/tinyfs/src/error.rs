//! What can go wrong in a file system.
//!
//! Variants are things a caller may treat differently. Each has the facts
//! needed to act; `Display` states this layer only, the source tells the rest.

use std::io;
use std::sync::Arc;

use crate::{ContentHash, EntryType, NameProblem, NodeId};

/// Shorthand for results of this crate.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// A source error, shared so that [`Error`] can be cloned into several reports.
pub type Source = Arc<dyn std::error::Error + Send + Sync>;

/// An error of a file system or of its store.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A text is not a name.
    #[error("`{}` is not a name: {problem}", name.escape_debug())]
    BadName {
        /// The text.
        name: String,
        /// What is wrong with it.
        problem: NameProblem,
    },
    /// A text is not a path.
    #[error("`{}` is not a path: {reason}", path.escape_debug())]
    BadPath {
        /// The text.
        path: String,
        /// What is wrong with it.
        reason: String,
    },
    /// A text is not a glob.
    #[error("`{}` is not a pattern: {reason}", pattern.escape_debug())]
    BadPattern {
        /// The text.
        pattern: String,
        /// What is wrong with it.
        reason: String,
    },
    /// A text is not a node id.
    #[error("`{}` is not a node id", text.escape_debug())]
    BadNodeId {
        /// The text.
        text: String,
    },
    /// A text is not an entry type.
    #[error("`{}` is not an entry type", text.escape_debug())]
    BadEntryType {
        /// The text.
        text: String,
    },
    /// A text is not a BLAKE3 hash.
    #[error("`{}` is not a BLAKE3 hash", text.escape_debug())]
    BadHash {
        /// The text.
        text: String,
    },
    /// A text is not a content format.
    #[error("`{}` is not a format of stored content", text.escape_debug())]
    BadFormat {
        /// The text.
        text: String,
    },
    /// An attribute does not hold what its key promises.
    #[error("attribute `{key}` can not be read: `{}`", value.escape_debug())]
    BadAttribute {
        /// The attribute's key.
        key: String,
        /// What it holds.
        value: String,
    },
    /// Nothing is at this path.
    #[error("`{path}` does not exist")]
    NotFound {
        /// The path, as far as it was resolved, and the rest of it.
        path: String,
        /// The deepest directory that does exist on the way.
        deepest: String,
    },
    /// Something is at this path already.
    #[error("`{path}` exists already")]
    AlreadyExists {
        /// The path.
        path: String,
    },
    /// A directory was needed.
    #[error("`{path}` is not a directory but {actual}")]
    NotADirectory {
        /// The path.
        path: String,
        /// What it is.
        actual: EntryType,
    },
    /// A file was needed.
    #[error("`{path}` is not a file but {actual}")]
    NotAFile {
        /// The path.
        path: String,
        /// What it is.
        actual: EntryType,
    },
    /// A node of another type was needed.
    #[error("`{path}` is {actual}, not {wanted}")]
    WrongType {
        /// The path.
        path: String,
        /// What was needed.
        wanted: EntryType,
        /// What it is.
        actual: EntryType,
    },
    /// A directory that should go has entries.
    #[error("directory `{path}` is not empty")]
    NotEmpty {
        /// The path.
        path: String,
    },
    /// A directory can not move into itself, nor the root anywhere.
    #[error("`{to}` lies inside `{from}`")]
    IntoItself {
        /// The directory.
        from: String,
        /// The place inside it.
        to: String,
    },
    /// Symlinks that lead round in a circle, or too far.
    #[error("too many symlinks on the way to `{path}`")]
    LinkLoop {
        /// The path.
        path: String,
    },
    /// The file has no such version.
    #[error("`{path}` has no version {version} (its newest is {newest})")]
    NoSuchVersion {
        /// The path.
        path: String,
        /// The version asked for.
        version: u64,
        /// The newest there is.
        newest: u64,
    },
    /// The root directory can not be removed.
    #[error("`{path}` is the root directory, which stays")]
    IsRoot {
        /// The path, as it was given.
        path: String,
    },
    /// A factory computes the node, so it takes no writes.
    #[error("`{path}` is computed ({actual}) and takes no writes")]
    Computed {
        /// The path.
        path: String,
        /// What it is.
        actual: EntryType,
    },
    /// A factory could not compute the node.
    #[error("`{path}` can not be computed")]
    Uncomputed {
        /// The path.
        path: String,
        /// Why not.
        #[source]
        source: Source,
    },
    /// A directory is computed from itself.
    #[error("computed from itself: {}", names.join(" -> "))]
    Cycle {
        /// The paths on the way round; the last is the first.
        names: Vec<String>,
    },
    /// A directory is computed from one that is computed from one, and so on.
    #[error("`{path}` is computed through more than {limit} levels of directories")]
    TooDeep {
        /// The path.
        path: String,
        /// How many levels there may be.
        limit: usize,
    },
    /// A file is too long for what was asked.
    #[error("`{path}` has {size_bytes} bytes, more than the {limit_bytes} that fit here")]
    TooLong {
        /// The path.
        path: String,
        /// Its size.
        size_bytes: u64,
        /// The limit.
        limit_bytes: u64,
    },
    /// A version is there but its bytes can not be had.
    #[error("version {version} of `{path}` can not be read")]
    Unreadable {
        /// The path.
        path: String,
        /// The version.
        version: u64,
        /// The cause.
        #[source]
        source: Box<Error>,
    },
    /// A version should name content that was not written to its store.
    #[error("no content with hash {hash} was written to this store")]
    UnknownContent {
        /// The content's hash.
        hash: ContentHash,
    },
    /// The store has no such node, or it is of another kind.
    #[error("there is no such node: {id}")]
    NoSuchNode {
        /// The node.
        id: NodeId,
    },
    /// The node is not a directory.
    #[error("node {id} is not a directory")]
    NotADirectoryNode {
        /// The node.
        id: NodeId,
    },
    /// The directory has no such name.
    #[error("directory {dir} has no `{}`", name.escape_debug())]
    NoSuchName {
        /// The directory.
        dir: NodeId,
        /// The name.
        name: String,
    },
    /// The directory has the name already.
    #[error("directory {dir} has `{}` already", name.escape_debug())]
    NameTaken {
        /// The directory.
        dir: NodeId,
        /// The name.
        name: String,
    },
    /// The directory to be taken away has entries.
    #[error("directory node {id} is not empty")]
    DirectoryNotEmpty {
        /// The directory.
        id: NodeId,
    },
    /// Stored content is not what was written.
    #[error("content of version {version} is damaged: {what}")]
    Damaged {
        /// The file.
        node: NodeId,
        /// The version.
        version: u64,
        /// What was found.
        what: String,
    },
    /// What the store knows of names or nodes is not what was written, and
    /// what was asked for may be among it.
    #[error("{doing}")]
    Corrupt {
        /// What was being done.
        doing: String,
        /// What is damaged.
        #[source]
        source: Source,
    },
    /// The store could not be read or written.
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

    /// The error that came through an [`io::Error`], as the readers and writers
    /// of this crate give it; any other becomes [`Error::Io`].
    pub fn from_io(doing: impl Into<String>, error: io::Error) -> Self {
        match error.downcast::<Self>() {
            Ok(error) => error,
            Err(error) => Self::io(doing, error),
        }
    }

    /// Whether a computed node could not be computed; what is beside it is not
    /// concerned.
    #[must_use]
    pub const fn is_uncomputed(&self) -> bool {
        matches!(self, Self::Uncomputed { .. } | Self::Cycle { .. } | Self::TooDeep { .. })
    }

    /// Whether it says that nothing is where something was looked for.
    #[must_use]
    pub const fn is_absence(&self) -> bool {
        matches!(self, Self::NotFound { .. } | Self::NotADirectory { .. } | Self::LinkLoop { .. })
    }

    /// Whether stored content was found to be other than what was written.
    #[must_use]
    pub fn is_damage(&self) -> bool {
        match self {
            Self::Damaged { .. } | Self::Corrupt { .. } => true,
            Self::Unreadable { source, .. } => source.is_damage(),
            _ => false,
        }
    }

    fn io_kind(&self) -> io::ErrorKind {
        match self {
            Self::NotFound { .. } | Self::NoSuchNode { .. } => io::ErrorKind::NotFound,
            Self::Damaged { .. } | Self::Corrupt { .. } => io::ErrorKind::InvalidData,
            Self::Unreadable { source, .. } => source.io_kind(),
            Self::Io { source, .. } => {
                source.downcast_ref::<io::Error>().map_or(io::ErrorKind::Other, io::Error::kind)
            }
            _ => io::ErrorKind::Other,
        }
    }
}

impl From<Error> for io::Error {
    fn from(error: Error) -> Self {
        Self::new(error.io_kind(), error)
    }
}
