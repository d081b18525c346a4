//! The pond as tables: SQL over any [`tinyfs::Store`].
//!
//! A [`Session`] resolves tables by path (`SELECT * FROM '/sensors/*.series'`)
//! and scans the stored Parquet versions in place. Nothing is collected into
//! memory to be scanned again.
//!
//! Always true: one path makes a table of a node, whatever its kind; the byte
//! view of a node ([`write_bytes`]) equals its SQL view; SQL text is never
//! edited and can not reach the host, whose files come in only through
//! [`Session::bind_host`]; a session never changes what it reads.
//!
//! Deliberately not here: printing, the log (what it knows comes through
//! [`History`]), and anything that writes to a pond.

pub mod format;

mod again;
mod alarm;
mod bounded;
mod bounds;
mod bytes;
mod catalog;
mod civil;
mod computed;
mod content_store;
mod depth;
mod error;
mod facts;
mod gather;
mod inputs;
mod joins;
mod left_out;
mod memory;
mod newest;
mod options;
mod provider;
mod rows;
mod schema;
mod scratch;
mod session;
mod system;
mod time;

pub use bounds::declared_bounds;
pub use bytes::{as_open, open_schema, write_bytes};
pub use civil::{CivilSpan, CivilUnit, civil_span};
pub use computed::{ComputedTable, Computer, Lineage, Locality};
pub use error::{Error, Result, Side};
pub use facts::{ColumnFacts, ComputedFacts, TableFacts};
pub use inputs::{Inputs, Runner};
pub use newest::{Newest, NewestEvent};
pub use options::{SessionOptions, TimeBounds};
pub use rows::Rows;
pub use schema::{UNIT_KEY, common_type, plain_type};
pub use scratch::Scratch;
pub use session::{Session, check_view};
pub use system::{History, TransactionRecord};
pub use time::time_bound;
