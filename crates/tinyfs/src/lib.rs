//! What a file system means to DuckPond: paths, nodes, entries, versions, and
//! the [`Store`] that holds them.
//!
//! A store answers a handful of questions about nodes by id; everything a
//! caller wants (paths, symlinks, globs, recursion, streaming) is built on
//! those questions once, in [`Fs`], and so is the same on every store.
//!
//! Always true: a name and its first content appear together; versions of a
//! file are numbered densely from 1 and never change; listings are ordered by
//! the bytes of their names; nothing here holds a whole file in memory.
//!
//! Deliberately not here: storage, Arrow, SQL, clocks and randomness.

pub mod contract;
mod error;
pub mod fs;
pub mod glob;
mod ids;
pub mod memory;
mod name;
mod node;
pub mod path;
mod reader;
mod series;
mod store;

pub use error::{Error, Result, Source};
pub use fs::{Fs, NodePath, Target, WorkingDir};
pub use glob::{Glob, GlobOptions, Match, Matches, Visitor};
pub use ids::{IdSource, SequentialIds};
pub use memory::{MemoryDirectory, MemoryFile, MemoryNode, MemoryStore, MemorySymlink, MemoryView};
pub use name::{NAME_MAX_BYTES, Name, NameProblem};
pub use node::{
    Attributes, ContentHash, Entry, EntryType, Format, Node, NodeId, Place, TimeRange, Version,
};
pub use path::FsPath;
pub use reader::{Reader, VerifiedReader};
pub use series::{DEFAULT_FLOOR_US, SeriesSpec, TimeUnit};
pub use store::{Content, ContentWriter, NewNode, NewVersion, Store, WriteStore};
