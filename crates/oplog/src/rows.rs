//! The rows of the log: what a transaction writes and what is read back.
//!
//! There are four kinds: links (names), versions, contents and transactions.
//! Every row belongs to one transaction and has a position in it; the pair
//! orders all rows there ever were. Rows are never rewritten in meaning.
//!
//! Deliberately not here: how rows lie in files (`columns.rs`), what they
//! hash to (`canonical.rs`), and what they mean as a file system (`tlogfs`).

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use tinyfs::{Attributes, ContentHash, EntryType, Format, NodeId, TimeRange};
use uuid::Uuid;

use crate::{Error, Result};

/// The newest format of the log that this program reads, and the one it writes.
pub const FORMAT_VERSION: u32 = 1;

/// Content of this many bytes and more is kept in a large file, not in a row.
pub const INLINE_LIMIT: u64 = 65_536;

/// Which pond a log is, written once when it is made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    /// The pond's id, which is also the id of its root directory.
    pub pond_id: Uuid,
    /// Where it was made: the name of a host, or what the user said.
    pub birthplace: String,
    /// When it was made, in microseconds since 1970 UTC.
    pub created_us: i64,
    /// The format of the log.
    pub format_version: u32,
}

/// A row as it is read back: with its place in the order of all rows.
#[derive(Clone, Debug, PartialEq)]
pub struct Stamped<T> {
    /// The transaction that wrote it, from 1.
    pub txn_seq: u64,
    /// Its position in that transaction, from 0.
    pub position: u32,
    /// When the transaction ended, in microseconds since 1970 UTC, by the
    /// writer's clock: for people to read, never to order by.
    pub written_us: i64,
    /// The row.
    pub row: T,
}

impl<T> Stamped<T> {
    /// What rows are ordered by.
    #[must_use]
    pub const fn order(&self) -> (u64, u32) {
        (self.txn_seq, self.position)
    }
}

/// A directory has this name for this node, or no longer has the name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LinkRow {
    /// The directory.
    pub parent: NodeId,
    /// The name.
    pub name: String,
    /// The node; `None` is a tombstone: the name is gone.
    pub child: Option<NodeId>,
    /// What the node is (for a tombstone: what it was).
    pub entry_type: EntryType,
}

/// What a merged run of a series stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Covers {
    /// The first version it covers; the last is the row's own number.
    pub from_version: u64,
    /// The transaction that wrote that first version: earlier states of the
    /// log do not need what the run covers.
    pub from_txn: u64,
}

/// A node has this version; version 0 is the node itself, without content.
#[derive(Clone, Debug, PartialEq)]
pub struct VersionRow {
    /// The node.
    pub node: NodeId,
    /// The number of the version, from 1; 0 holds what is true of the node
    /// whatever its version; for a run, the last version it covers.
    pub version: u64,
    /// The versions a merged run covers; `None` for a version as written.
    pub covers: Option<Covers>,
    /// What the node is.
    pub entry_type: EntryType,
    /// Size of the plain bytes; 0 where there is no content.
    pub size_bytes: u64,
    /// Hash of the plain bytes; `None` where there is no content.
    pub hash: Option<ContentHash>,
    /// How the bytes are to be read.
    pub format: Format,
    /// Whether the bytes are in a content row of the same transaction rather
    /// than in a large file.
    pub inline: bool,
    /// Rows, for Parquet.
    pub rows: Option<u64>,
    /// Event times of those rows, absent when there are none.
    pub time_range: Option<TimeRange>,
    /// The column the event times are in.
    pub time_column: Option<String>,
    /// Properties: of the node for version 0, of this version otherwise.
    pub attributes: Attributes,
    /// The factory that computes the node, for the dynamic kinds.
    pub factory: Option<String>,
}

impl VersionRow {
    /// The row of the node itself: version 0.
    #[must_use]
    pub const fn of_node(
        node: NodeId,
        entry_type: EntryType,
        attributes: Attributes,
        factory: Option<String>,
    ) -> Self {
        Self {
            node,
            version: 0,
            covers: None,
            entry_type,
            size_bytes: 0,
            hash: None,
            format: Format::Bytes,
            inline: false,
            rows: None,
            time_range: None,
            time_column: None,
            attributes,
            factory,
        }
    }
}

/// Who caused a transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum TxnKind {
    /// A user's command.
    User,
    /// The pond's own upkeep, such as a tier merge of a series.
    Maintenance,
}

impl TxnKind {
    /// The name used on disk and in output.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::User => "user",
            Self::Maintenance => "maintenance",
        }
    }
}

impl fmt::Display for TxnKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl FromStr for TxnKind {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        match text {
            "user" => Ok(Self::User),
            "maintenance" => Ok(Self::Maintenance),
            _ => Err(Error::BadChanges { what: format!("`{text}` is not a kind of transaction") }),
        }
    }
}

/// What a transaction says about itself before it is committed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TransactionMeta {
    /// Its id, by which an unclear outcome is resolved.
    pub txn_id: Uuid,
    /// Who caused it.
    pub kind: TxnKind,
    /// The command line, with secrets removed.
    pub command: String,
    /// The user's name.
    pub user: String,
    /// The host's name.
    pub host: String,
    /// When it began, in microseconds since 1970 UTC.
    pub started_us: i64,
    /// When it ended, in microseconds since 1970 UTC.
    pub ended_us: i64,
}

/// How much a transaction wrote.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Link rows.
    pub links: u64,
    /// Version rows.
    pub versions: u64,
    /// Bytes of content that its versions name, whether inline or large.
    pub content_bytes: u64,
}

/// The row that stands for a whole transaction.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TransactionRow {
    /// Its id.
    pub txn_id: Uuid,
    /// Who caused it.
    pub kind: TxnKind,
    /// The command line, with secrets removed.
    pub command: String,
    /// The user's name.
    pub user: String,
    /// The host's name.
    pub host: String,
    /// When it began, in microseconds since 1970 UTC.
    pub started_us: i64,
    /// When it ended, in microseconds since 1970 UTC.
    pub ended_us: i64,
    /// How much it wrote.
    pub counts: Counts,
    /// Hash of its link and version rows.
    pub rows_hash: ContentHash,
    /// Hash of the transaction before; of the pond's id for the first.
    pub previous_hash: ContentHash,
    /// Hash of all of the above and its number.
    pub hash: ContentHash,
}

/// Where the bytes of inline versions come from while they are committed.
#[async_trait]
pub trait ContentSource: fmt::Debug + Send + Sync {
    /// The bytes with this hash; asked for once for each version row that is
    /// inline, in the order of node and version.
    ///
    /// # Errors
    /// What hinders; the commit then fails and leaves nothing.
    async fn content(&self, hash: ContentHash) -> Result<Bytes>;
}

/// Content held in memory: for tests and for what is small.
#[derive(Clone, Debug, Default)]
pub struct MemoryContents(std::collections::HashMap<ContentHash, Bytes>);

impl MemoryContents {
    /// Adds bytes and returns their hash.
    pub fn add(&mut self, bytes: impl Into<Bytes>) -> ContentHash {
        let bytes = bytes.into();
        let hash = ContentHash::of(&bytes);
        self.0.insert(hash, bytes);
        hash
    }
}

#[async_trait]
impl ContentSource for MemoryContents {
    async fn content(&self, hash: ContentHash) -> Result<Bytes> {
        self.0.get(&hash).cloned().ok_or_else(|| Error::BadChanges {
            what: format!("a version names content {hash}, which was not given"),
        })
    }
}

/// The rows of one transaction, to be committed together or not at all.
///
/// Rows keep the order they are given in: links first, then versions.
#[derive(Clone, Debug)]
pub struct Changes {
    /// Names that appear or go.
    pub links: Vec<LinkRow>,
    /// Versions that appear, version 0 rows and runs among them.
    pub versions: Vec<VersionRow>,
    /// The bytes of the versions that are inline.
    pub contents: Arc<dyn ContentSource>,
    /// What is said about the transaction.
    pub transaction: TransactionMeta,
}
