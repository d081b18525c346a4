//! The contract between the file system and whatever holds it.
//!
//! [`Store`] is one consistent view: it never changes under a reader, except
//! by that reader's own writes through [`WriteStore`]. Implementers write these
//! few methods over plain data; callers use [`Fs`](crate::Fs).

use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use tokio::io::AsyncWrite;

use crate::{
    Attributes, ContentHash, Entry, EntryType, Format, Name, Node, NodeId, Result, TimeRange,
    Version,
};

/// One consistent view of nodes and their contents.
#[async_trait]
pub trait Store: fmt::Debug + Send + Sync + 'static {
    /// The root directory; it always exists.
    fn root(&self) -> NodeId;

    /// What is known of a node.
    ///
    /// # Errors
    /// [`Error::NoSuchNode`](crate::Error::NoSuchNode).
    async fn node(&self, id: NodeId) -> Result<Node>;

    /// What is known of several nodes, in the order asked for.
    ///
    /// Stores that can answer many at once for less do so here.
    ///
    /// # Errors
    /// As [`Store::node`], for the first that fails.
    async fn nodes(&self, ids: &[NodeId]) -> Result<Vec<Node>> {
        let mut nodes = Vec::with_capacity(ids.len());
        for id in ids {
            nodes.push(self.node(*id).await?);
        }
        Ok(nodes)
    }

    /// The entry of this name in a directory; `None` when there is none.
    ///
    /// # Errors
    /// [`Error::NoSuchNode`](crate::Error::NoSuchNode),
    /// [`Error::NotADirectoryNode`](crate::Error::NotADirectoryNode).
    async fn lookup(&self, dir: NodeId, name: &str) -> Result<Option<Entry>>;

    /// All entries of a directory, ordered by the bytes of their names.
    ///
    /// # Errors
    /// As [`Store::lookup`].
    async fn list(&self, dir: NodeId) -> Result<Vec<Entry>>;

    /// Where a symlink points, as it was written.
    ///
    /// # Errors
    /// [`Error::NoSuchNode`](crate::Error::NoSuchNode), also when the node is
    /// not a symlink.
    async fn read_link(&self, link: NodeId) -> Result<String>;

    /// The versions of a file as they were written, ascending by number.
    /// Numbers are dense but for those a prune has dropped.
    ///
    /// # Errors
    /// [`Error::NoSuchNode`](crate::Error::NoSuchNode).
    async fn versions(&self, file: NodeId) -> Result<Vec<Version>>;

    /// The version of this number, as it was written; `None` when there is none.
    ///
    /// # Errors
    /// As [`Store::versions`].
    async fn version(&self, file: NodeId, number: u64) -> Result<Option<Version>> {
        let versions = self.versions(file).await?;
        Ok(versions.into_iter().find(|version| version.number == number))
    }

    /// The fewest versions and merged runs that together hold all rows of a
    /// series, ascending by number. Without merged runs: its versions.
    ///
    /// # Errors
    /// As [`Store::versions`].
    async fn runs(&self, series: NodeId) -> Result<Vec<Version>> {
        self.versions(series).await
    }

    /// The bytes of `range` in a version's content, exactly as many as asked;
    /// the range lies within the content.
    ///
    /// Content kept [inline](crate::Place::Inline) is checked against its hash
    /// before any of it is returned.
    ///
    /// # Errors
    /// [`Error::Damaged`](crate::Error::Damaged), [`Error::Io`](crate::Error::Io).
    async fn read(&self, file: NodeId, version: &Version, range: Range<u64>) -> Result<Bytes>;
}

/// A store that takes changes. They are visible through it at once; whether
/// and when others see them is the implementation's to say.
#[async_trait]
pub trait WriteStore: Store {
    /// A stream for content that a version will then name. Content that is
    /// finished and never named leaves nothing behind.
    ///
    /// # Errors
    /// [`Error::Io`](crate::Error::Io).
    async fn writer(&self) -> Result<Box<dyn ContentWriter>>;

    /// The bytes of `range` in finished content that no version names yet, so
    /// that it can be looked at before it is named.
    ///
    /// # Errors
    /// [`Error::UnknownContent`](crate::Error::UnknownContent) when this store
    /// did not finish such content; [`Error::Io`](crate::Error::Io).
    async fn read_content(&self, content: &Content, range: Range<u64>) -> Result<Bytes>;

    /// Makes a node and its name, together.
    ///
    /// # Errors
    /// As [`Store::lookup`]; [`Error::NameTaken`](crate::Error::NameTaken),
    /// [`Error::UnknownContent`](crate::Error::UnknownContent).
    async fn create(&self, dir: NodeId, name: &Name, node: NewNode) -> Result<NodeId>;

    /// Adds a version to a file, or to what a factory computes: its next
    /// configuration. Returns the version's number.
    ///
    /// # Errors
    /// [`Error::NoSuchNode`](crate::Error::NoSuchNode), also when the node is
    /// a stored directory or a symlink; [`Error::UnknownContent`](crate::Error::UnknownContent).
    async fn append(&self, file: NodeId, version: NewVersion) -> Result<u64>;

    /// Replaces the attributes of a node.
    ///
    /// # Errors
    /// [`Error::NoSuchNode`](crate::Error::NoSuchNode).
    async fn set_attributes(&self, node: NodeId, attributes: Attributes) -> Result<()>;

    /// Takes a name away. Earlier views keep it.
    ///
    /// # Errors
    /// As [`Store::lookup`]; [`Error::NoSuchName`](crate::Error::NoSuchName),
    /// [`Error::DirectoryNotEmpty`](crate::Error::DirectoryNotEmpty).
    async fn unlink(&self, dir: NodeId, name: &str) -> Result<()>;

    /// Gives a node another name, in the same or another directory.
    /// That a directory does not move into itself is the caller's to see to.
    ///
    /// # Errors
    /// As [`Store::lookup`], for either directory;
    /// [`Error::NoSuchName`](crate::Error::NoSuchName),
    /// [`Error::NameTaken`](crate::Error::NameTaken).
    async fn rename(&self, dir: NodeId, name: &str, to_dir: NodeId, to_name: &Name) -> Result<()>;
}

/// A stream of bytes into a store. Dropping it leaves nothing.
#[async_trait]
pub trait ContentWriter: AsyncWrite + Send + Unpin {
    /// All bytes written so far, to be looked at while the stream is ended:
    /// they stay readable after [`ContentWriter::finish`]. `None` where the
    /// store shows content only once it is finished.
    ///
    /// # Errors
    /// [`Error::Io`](crate::Error::Io).
    async fn so_far(&mut self) -> Result<Option<Arc<dyn SoFar>>> {
        Ok(None)
    }

    /// Ends the stream. When this returns, the content is where it will stay.
    ///
    /// # Errors
    /// [`Error::Io`](crate::Error::Io).
    async fn finish(self: Box<Self>) -> Result<Content>;
}

/// What was written of content at one moment, whether it is finished or not.
#[async_trait]
pub trait SoFar: fmt::Debug + Send + Sync + 'static {
    /// How many bytes there are.
    fn size_bytes(&self) -> u64;

    /// The bytes of a range within them.
    ///
    /// # Errors
    /// [`Error::Io`](crate::Error::Io).
    async fn read(&self, range: Range<u64>) -> Result<Bytes>;
}

/// Finished content, to be named by a [`NewVersion`] in the same store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Content {
    /// Hash of the bytes.
    pub hash: ContentHash,
    /// How many there are.
    pub size_bytes: u64,
}

/// A version to be.
#[derive(Clone, Debug, PartialEq)]
pub struct NewVersion {
    /// Its bytes.
    pub content: Content,
    /// How they are to be read.
    pub format: Format,
    /// Rows, for Parquet.
    pub rows: Option<u64>,
    /// Event times of its rows, absent when it has none.
    pub time_range: Option<TimeRange>,
    /// Properties of this version alone.
    pub attributes: Attributes,
}

impl NewVersion {
    /// A version of which nothing is known but its bytes.
    #[must_use]
    pub fn bytes(content: Content) -> Self {
        Self {
            content,
            format: Format::Bytes,
            rows: None,
            time_range: None,
            attributes: Attributes::new(),
        }
    }
}

/// A node to be.
#[derive(Clone, Debug, PartialEq)]
pub enum NewNode {
    /// An empty directory.
    Directory,
    /// A symlink to this path.
    Symlink {
        /// Where it points, relative to its own directory unless absolute.
        target: String,
    },
    /// A stored file with its first version.
    File {
        /// One of the stored file types.
        entry_type: EntryType,
        /// Properties that hold for all its versions.
        attributes: Attributes,
        /// The first version.
        version: NewVersion,
    },
    /// A node computed by a factory.
    Dynamic {
        /// One of the dynamic types.
        entry_type: EntryType,
        /// The factory's name.
        factory: String,
        /// Its configuration is the first version.
        version: NewVersion,
    },
}
