//! tinyfs on the oplog: snapshots, transactions, tables and series.
//!
//! A [`View`] is the file system as it was at one transaction; a
//! [`Transaction`] is one that takes changes until they are committed.
//! [`ParquetExt`] and [`ParquetWriteExt`] read and write tables and series on
//! any tinyfs store, streaming; [`merge`] joins the small versions of a series
//! into runs.
//!
//! Always true: a view never changes and writes nothing; a transaction that is
//! dropped leaves nothing; a version of a table or series is refused before it
//! is named, never after.
//!
//! Deliberately not here: the lock and the commit (the steward's), SQL and the
//! uniting of overlapping versions for readers (`query`'s).

mod content;
mod error;
pub mod merge;
mod node_rows;
mod overlay;
mod parquet_ext;
mod parquet_intake;
mod parquet_reader;
mod parquet_sink;
mod parquet_times;
mod parquet_write_ext;
mod series;
mod spool;
mod transaction;
mod view;

pub use error::{BoxError, Error, Result};
pub use parquet_ext::{Batches, ParquetExt};
pub use parquet_sink::{ROW_GROUP_BYTES, ROW_GROUP_ROWS};
pub use parquet_write_ext::{BatchStream, Look, ParquetWriteExt, Written};
pub use series::order::{ORDER, Order};
pub use series::time_column::implied_unit;
pub use transaction::Transaction;
pub use view::View;
