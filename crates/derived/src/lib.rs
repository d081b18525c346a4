//! The factories: nodes whose rows, bytes or names are computed when they are
//! read.
//!
//! [`registry`] is the table of them; [`Derived`] computes their nodes for a
//! [`query::Session`]. One file a factory: its configuration, its check, its
//! plan.
//!
//! Always true: a view is a logical plan over its inputs, so that filters,
//! columns and limits pass through all levels to stored Parquet; a number does
//! not depend on what is cached.
//!
//! Deliberately not here: writing to a pond, which is the caller's, and
//! printing.

mod captures;
mod changes;
mod column_glob;
mod computed;
mod dynamic_dir;
mod error;
pub mod export;
mod factories;
mod handover;
mod inbox;
mod input;
mod instant_merge;
mod join;
mod join_table;
mod locality;
mod parsed;
mod pivot;
mod quality;
mod reduce;
mod sql;
mod strictly_ascending;
mod synthetic;
mod template;
mod time_column;
mod time_filter;
mod times;
mod transform;
mod units;
mod windows;

pub use changes::{Changed, Stamp, changed, changed_since, stamp};
pub use computed::{Derived, Place};
pub use error::{Error, Result};
pub use factories::registry;
pub use reduce::{Swept, Tiles};
pub use units::UnitError;
