//! What a node's run may do: read the pond, change it by whole transactions,
//! ask queries, and tell.
//!
//! The traits are implemented by whoever holds the pond. Futures are local: a
//! run is awaited where it was started.
//!
//! Always true: one [`Doors::write`] is one transaction, which happens as a
//! whole or not at all; secrets come from [`Env`] alone.

use std::io;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use async_trait::async_trait;
use diagnostics::Monitor;
use futures::stream::BoxStream;
use tinyfs::{Fs, SeriesSpec, TimeRange, WriteStore};

use crate::{BoxError, Result};

/// Rows on their way into the pond.
pub type Batches = BoxStream<'static, Result<RecordBatch, BoxError>>;

/// The ways into a pond.
#[async_trait(?Send)]
pub trait Doors {
    /// The newest state, to read.
    ///
    /// # Errors
    /// The pond's.
    async fn read(&self) -> Result<Fs>;

    /// Performs `step` in a transaction of its own, and says which; `None`
    /// when the step changed nothing. `what` is for the history.
    ///
    /// # Errors
    /// The pond's, and the step's: then nothing has changed.
    async fn write(&self, what: &str, step: &mut dyn Step) -> Result<Option<u64>>;
}

/// One transaction's worth of changes.
#[async_trait(?Send)]
pub trait Step {
    /// Makes the changes.
    ///
    /// # Errors
    /// Whatever ends the transaction without effect.
    async fn perform(&mut self, sink: &dyn Sink) -> Result<()>;
}

/// What a transaction takes.
#[async_trait(?Send)]
pub trait Sink {
    /// The pond as the transaction sees it, to change.
    fn fs(&self) -> Fs<dyn WriteStore>;

    /// Appends rows to a series as one version; `spec` declares a series that
    /// is not there yet.
    ///
    /// # Errors
    /// The pond's, and the stream's.
    async fn append_rows(
        &self,
        path: &str,
        spec: Option<SeriesSpec>,
        schema: SchemaRef,
        rows: Batches,
    ) -> Result<Appended>;

    /// Writes rows as a table, the next version of what is at `path`.
    ///
    /// # Errors
    /// The pond's, and the stream's.
    async fn write_table(&self, path: &str, schema: SchemaRef, rows: Batches) -> Result<Appended>;
}

/// A version that rows became.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Appended {
    /// Its number.
    pub version: u64,
    /// Its rows.
    pub rows: u64,
    /// The times of its rows, absent when it has none.
    pub time_range: Option<TimeRange>,
}

/// What a run may ask of the newest state.
#[async_trait(?Send)]
pub trait Ask {
    /// Brings what is kept of a computed directory up to date.
    ///
    /// # Errors
    /// What computing it says.
    async fn refresh(&self, path: &str) -> Result<RunReport>;

    /// The answer of a query that is known to be small.
    ///
    /// # Errors
    /// The query's.
    async fn query(&self, sql: &str) -> Result<Vec<RecordBatch>>;
}

/// The host's environment, as far as a configuration refers to it.
pub trait Env {
    /// A variable; `None` when it is not set.
    fn var(&self, name: &str) -> Option<String>;

    /// The text of a host file.
    ///
    /// # Errors
    /// The host's.
    fn file(&self, path: &Path) -> io::Result<String>;
}

/// What a run is given.
pub struct RunContext {
    /// The path of the node that runs.
    pub path: String,
    /// The ways into the pond.
    pub doors: Rc<dyn Doors>,
    /// Is told of progress.
    pub monitor: Arc<dyn Monitor>,
    /// The time, in microseconds since 1970 UTC.
    pub now_us: Box<dyn Fn() -> i64>,
    /// Where temporary files may lie.
    pub temp_dir: PathBuf,
    /// The environment.
    pub env: Box<dyn Env>,
    /// Queries.
    pub ask: Rc<dyn Ask>,
}

/// What a run did.
#[derive(Debug, Default)]
pub struct RunReport {
    /// What was done, a line each.
    pub lines: Vec<String>,
    /// What failed, by what it was about, while the rest went on.
    pub failures: Vec<(String, BoxError)>,
}
