//! What a node's run is given, and what it tells.
//!
//! [`Doors`] is implemented by whoever holds the pond. Futures are local: a
//! run is awaited where it was started.
//!
//! Deliberately not here: changing the pond. What runs now keeps what it makes
//! beside the pond, where it can be made again.

use futures::future::LocalBoxFuture;

use crate::{BoxError, Result};

/// What a run may ask of the pond's newest state.
pub trait Doors {
    /// Brings what is kept of a computed directory up to date.
    ///
    /// # Errors
    /// What finding it says; what fails of it is in the report.
    fn refresh<'a>(&'a self, path: &'a str) -> LocalBoxFuture<'a, Result<RunReport>>;
}

/// What a run is given.
#[derive(Clone, Copy)]
pub struct RunContext<'a> {
    /// The path of the node that runs.
    pub path: &'a str,
    /// What the command line says after the path.
    pub args: &'a [String],
    /// The ways into the pond.
    pub doors: &'a dyn Doors,
}

/// What a run did.
#[derive(Debug, Default)]
pub struct RunReport {
    /// What was done, a line each.
    pub lines: Vec<String>,
    /// What failed, by what it was about, while the rest went on.
    pub failures: Vec<(String, BoxError)>,
}
