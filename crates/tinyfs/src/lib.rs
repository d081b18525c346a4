//! What a file system means to DuckPond: paths, nodes, entries, versions, and
//! the [`Store`] that holds them.
//!
//! A store answers a handful of questions about nodes by id; everything a
//! caller wants (paths, symlinks, globs, recursion, streaming) is built on
//! those questions once, in [`Fs`], and so is the same on every store.
//!
//! ```
//! use std::sync::Arc;
//! use tinyfs::{Fs, MemoryStore};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> tinyfs::Result<()> {
//! let fs = Fs::new(Arc::new(MemoryStore::new()));
//! fs.create_dir_all("/sensors/dock").await?;
//! fs.write("/sensors/dock/notes.txt", "calibrated").await?;
//! fs.symlink("dock", "/sensors/main").await?;
//! assert_eq!(fs.read_to_end("/sensors/main/notes.txt", 1_000).await?, b"calibrated");
//!
//! let found = fs.glob("/sensors/*/*.txt").await?;
//! assert_eq!(found[0].path.path, "/sensors/dock/notes.txt");
//! assert_eq!(found[0].captures, ["dock", "notes"]);
//! # Ok(())
//! # }
//! ```
//!
//! Begin reading at [`Store`] for what a store must do, at [`Fs`] for what a
//! caller can do, and at [`writing_a_backend`] for a store of your own.
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
pub use fs::{Configured, Fs, NodePath, Target, WorkingDir};
pub use glob::{Glob, GlobOptions, Match, Matches, Visitor};
pub use ids::{IdSource, SequentialIds};
pub use memory::{MemoryDirectory, MemoryFile, MemoryNode, MemoryStore, MemorySymlink, MemoryView};
pub use name::{NAME_MAX_BYTES, Name, NameProblem};
pub use node::{
    Attributes, ContentHash, Entry, EntryType, Format, Node, NodeId, Place, TimeRange, Version,
};
pub use path::FsPath;
pub use reader::{Reader, VerifiedReader};
pub use series::{DEFAULT_FLOOR_US, END_US, START_US, SeriesSpec, TimeUnit};
pub use store::{Content, ContentWriter, NewNode, NewVersion, SoFar, Store, WriteStore};

#[doc = include_str!("../docs/writing-a-backend.md")]
pub mod writing_a_backend {}
