//! The durable log of a pond: rows, commits, replay, large files, maintenance.
//!
//! A [`Log`] is one Delta table with a directory of large files beside it. A
//! transaction is one [`Log::commit`]: one Delta commit with one Parquet file
//! of rows, all or nothing, on the disk when it returns. A [`Snapshot`] is the
//! log as it was at a transaction, and never changes.
//!
//! Always true: what was acknowledged survives a power cut; reads commit
//! nothing and lock nothing; state at transaction N is a function of the rows
//! with `txn_seq <= N`; inline content is checked against its hash before it is
//! returned. Large files are read in ranges, which can not be checked; who
//! reads one whole checks it on the way.
//!
//! Deliberately not here: the writer's lock (the steward's), what the rows
//! mean as a file system (`tlogfs`), and clocks and ids (passed in). This is
//! the only crate that names Delta Lake, and no type of it is public.

mod cache;
mod canonical;
mod checkpoint;
mod columns;
mod delta;
mod durable;
mod error;
mod file;
mod filter;
mod footer;
pub mod for_arrow;
mod large;
mod log;
pub mod maintenance;
mod medium;
mod own_sum;
mod reader;
mod rows;
mod salvage;
mod scan;
mod sections;
mod snapshot;
mod verify;

pub use error::{Error, Location, Result, Source};
pub use for_arrow::ForArrow;
pub use large::{ContentSink, Finished, LargeFiles, Unfinished};
pub use log::{Committed, Head, Log, LogOptions, Outcome};
pub use medium::{Disk, Medium, is_temporary, replace_file};
pub use reader::ReadCounts;
pub use rows::{
    Changes, ContentSource, Counts, Covers, FORMAT_VERSION, INLINE_LIMIT, Identity, LinkRow,
    MemoryContents, Stamped, TransactionMeta, TransactionRow, TxnKind, VersionRow,
};
pub use salvage::{DamagedRows, Salvage};
pub use snapshot::Snapshot;
pub use verify::{Finding, Verified};
