//! Nodes as tables: one path for every kind of node.
//!
//! [`Member`] is a node with the footers of its versions read; [`PondTable`]
//! is one member, or all that a glob matches, under one schema. A scan sorts
//! the versions into those that are read as they are and those whose rows may
//! supersede each other ([`series`]), and builds DataFusion's own Parquet
//! scans for both ([`scan`]).

mod newest_wins;
mod overlap;
mod scan;
mod series;
mod table;
mod union;
mod version_file;
mod versions_exec;

pub(crate) use table::{Member, PondTable};
pub(crate) use union::union_of;
pub(crate) use version_file::Opener;
