//! Nodes and what is known of them: plain data, the same for every store.

use std::collections::BTreeMap;
use std::fmt;
use std::ops::RangeInclusive;
use std::str::FromStr;

use uuid::Uuid;

use crate::{Error, Name, Result};

/// The identity of a node, kept for its whole life whatever it is called.
///
/// Stored nodes have a UUIDv7 from the store's id source; derived nodes have
/// an id computed from what they are derived from. The root directory's id is
/// the id of the pond.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NodeId(Uuid);

impl NodeId {
    /// The node with this UUID.
    #[must_use]
    pub const fn new(id: Uuid) -> Self {
        Self(id)
    }

    /// The UUID.
    #[must_use]
    pub const fn uuid(self) -> Uuid {
        self.0
    }
}

impl fmt::Display for NodeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.as_hyphenated().fmt(f)
    }
}

impl fmt::Debug for NodeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "NodeId({})", self.0)
    }
}

impl FromStr for NodeId {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        Uuid::try_parse(text).map(Self).map_err(|_| Error::BadNodeId { text: text.to_owned() })
    }
}

/// What a node is.
///
/// The dynamic kinds are computed by a factory when they are read; they stand
/// wherever the stored kind of the same shape stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum EntryType {
    /// Names, each for a node.
    Directory,
    /// A path in its place.
    Symlink,
    /// Bytes.
    Data,
    /// One Parquet table; each write is a new version that replaces the last.
    Table,
    /// Parquet versions that together are one table in time.
    Series,
    /// A directory made by a factory.
    DynamicDirectory,
    /// Bytes made by a factory.
    DynamicData,
    /// A table made by a factory.
    DynamicTable,
    /// A series made by a factory.
    DynamicSeries,
}

impl EntryType {
    /// Every type, in the order of its code.
    pub const ALL: [Self; 9] = [
        Self::Directory,
        Self::Symlink,
        Self::Data,
        Self::Table,
        Self::Series,
        Self::DynamicDirectory,
        Self::DynamicData,
        Self::DynamicTable,
        Self::DynamicSeries,
    ];

    /// The name used on disk, in output and on the command line.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Directory => "directory",
            Self::Symlink => "symlink",
            Self::Data => "file:data",
            Self::Table => "file:table",
            Self::Series => "file:series",
            Self::DynamicDirectory => "directory:dynamic",
            Self::DynamicData => "file:data:dynamic",
            Self::DynamicTable => "file:table:dynamic",
            Self::DynamicSeries => "file:series:dynamic",
        }
    }

    /// Whether it holds names.
    #[must_use]
    pub const fn is_directory(self) -> bool {
        matches!(self, Self::Directory | Self::DynamicDirectory)
    }

    /// Whether it is a symlink.
    #[must_use]
    pub const fn is_symlink(self) -> bool {
        matches!(self, Self::Symlink)
    }

    /// Whether it has bytes to read.
    #[must_use]
    pub const fn is_file(self) -> bool {
        !self.is_directory() && !self.is_symlink()
    }

    /// Whether its rows can be queried: a table or a series, stored or dynamic.
    #[must_use]
    pub const fn is_tabular(self) -> bool {
        matches!(self, Self::Table | Self::Series | Self::DynamicTable | Self::DynamicSeries)
    }

    /// Whether its versions together are one table in time.
    #[must_use]
    pub const fn is_series(self) -> bool {
        matches!(self, Self::Series | Self::DynamicSeries)
    }

    /// Whether a factory computes it.
    #[must_use]
    pub const fn is_dynamic(self) -> bool {
        matches!(
            self,
            Self::DynamicDirectory | Self::DynamicData | Self::DynamicTable | Self::DynamicSeries
        )
    }
}

impl fmt::Display for EntryType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl FromStr for EntryType {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        Self::ALL
            .into_iter()
            .find(|entry_type| entry_type.as_str() == text)
            .ok_or_else(|| Error::BadEntryType { text: text.to_owned() })
    }
}

/// A name in a directory and the node it stands for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// The name.
    pub name: Name,
    /// The node.
    pub node: NodeId,
    /// What the node is.
    pub entry_type: EntryType,
}

/// Properties of a node or of a version: small texts by name.
pub type Attributes = BTreeMap<String, String>;

/// A node, whatever it is called.
#[derive(Clone, Debug, PartialEq)]
pub struct Node {
    /// Its id.
    pub id: NodeId,
    /// What it is.
    pub entry_type: EntryType,
    /// Properties that hold for all its versions, such as those of a
    /// [`SeriesSpec`](crate::SeriesSpec).
    pub attributes: Attributes,
    /// The factory that computes it, for the dynamic kinds.
    pub factory: Option<String>,
    /// The newest version, for files.
    pub newest: Option<Version>,
}

/// BLAKE3 of a content's plain bytes.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ContentHash([u8; 32]);

impl ContentHash {
    /// The hash with these bytes.
    #[must_use]
    pub const fn new(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The hash of `bytes`.
    #[must_use]
    pub fn of(bytes: &[u8]) -> Self {
        Self(*blake3::hash(bytes).as_bytes())
    }

    /// The 32 bytes.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl fmt::Display for ContentHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(blake3::Hash::from_bytes(self.0).to_hex().as_str())
    }
}

impl fmt::Debug for ContentHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ContentHash({self})")
    }
}

impl FromStr for ContentHash {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        blake3::Hash::from_hex(text)
            .map(|hash| Self(*hash.as_bytes()))
            .map_err(|_| Error::BadHash { text: text.to_owned() })
    }
}

/// How the bytes of a version are to be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Format {
    /// As bytes: nothing is known of what they mean.
    Bytes,
    /// As one Parquet file.
    Parquet,
}

impl Format {
    /// The name used on disk and in output.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Bytes => "bytes",
            Self::Parquet => "parquet",
        }
    }
}

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl FromStr for Format {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        match text {
            "bytes" => Ok(Self::Bytes),
            "parquet" => Ok(Self::Parquet),
            _ => Err(Error::BadFormat { text: text.to_owned() }),
        }
    }
}

/// Where a store keeps the bytes of a version.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Place {
    /// Beside the metadata: cheap when small.
    Inline,
    /// In a file of its own.
    Large,
}

/// Event times from `min_us` to `max_us`, both included, in microseconds since
/// 1970-01-01T00:00:00Z; finer times are rounded outwards.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct TimeRange {
    /// The earliest.
    pub min_us: i64,
    /// The latest.
    pub max_us: i64,
}

impl TimeRange {
    /// Whether the two share an instant.
    #[must_use]
    pub const fn overlaps(&self, other: &Self) -> bool {
        self.min_us <= other.max_us && other.min_us <= self.max_us
    }

    /// The smallest range with both in it.
    #[must_use]
    pub fn union(&self, other: &Self) -> Self {
        Self { min_us: self.min_us.min(other.min_us), max_us: self.max_us.max(other.max_us) }
    }
}

/// One version of a file, or one merged run of a series' versions.
#[derive(Clone, Debug, PartialEq)]
pub struct Version {
    /// Its number, from 1; for a run, the highest version it covers.
    pub number: u64,
    /// The versions a merged run stands for; `None` for a version as written.
    pub covers: Option<RangeInclusive<u64>>,
    /// The transaction that wrote it.
    pub txn_seq: u64,
    /// When that transaction ended, in microseconds since 1970 UTC, by the
    /// writer's clock; for people to read, never to order by.
    pub written_us: i64,
    /// Size of the plain bytes.
    pub size_bytes: u64,
    /// Hash of the plain bytes.
    pub hash: ContentHash,
    /// How the bytes are to be read.
    pub format: Format,
    /// Where they lie.
    pub place: Place,
    /// Rows, for Parquet.
    pub rows: Option<u64>,
    /// Event times of its rows, absent when it has none.
    pub time_range: Option<TimeRange>,
    /// Properties of this version alone.
    pub attributes: Attributes,
}
