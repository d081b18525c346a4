//! What a node's run is given, and what it tells.
//!
//! [`Doors`] are the ways into the pond, implemented by whoever holds it: the
//! newest state to read and to ask, and transactions. A change is a [`Step`],
//! which a transaction performs through its [`Sink`].
//!
//! Always true: a run sees nothing of the host but what its configuration
//! names, nor a clock or an environment other than those it is given; a step
//! is one transaction, whole or nothing; futures are local: a run is awaited
//! where it was started.
//!
//! Deliberately not here: locks, commits and recovery.

use std::fmt;
use std::path::Path;
use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use async_trait::async_trait;
use diagnostics::Monitor;
use futures::stream::BoxStream;
use tinyfs::{Fs, NodeId, SeriesSpec, TimeRange, WriteStore};

use crate::{BoxError, Env, Result};

/// Record batches on their way in or out.
pub type Batches<'a> = BoxStream<'a, Result<RecordBatch, BoxError>>;

/// The ways into a pond that a run has.
#[async_trait(?Send)]
pub trait Doors {
    /// The newest state, which does not change while it is looked at.
    ///
    /// # Errors
    /// What reading the pond says.
    async fn read(&self) -> Result<Fs>;

    /// The rows of a query over the newest state.
    ///
    /// # Errors
    /// What the query says, at once or in the stream.
    async fn query(&self, sql: &str) -> Result<Batches<'static>>;

    /// Performs a step as one transaction, and returns its number; `None` when
    /// the step changed nothing. Where the step fails, nothing is changed.
    ///
    /// # Errors
    /// The step's own, as they are; those of the lock and the commit.
    async fn write(&self, step: &mut dyn Step) -> Result<Option<u64>>;

    /// Brings what is kept of a computed directory up to date.
    ///
    /// # Errors
    /// What finding it says; what fails of it is in the report.
    async fn refresh(&self, path: &str) -> Result<RunReport>;
}

/// One change of the pond.
#[async_trait(?Send)]
pub trait Step {
    /// Makes the change. What it learns on the way it keeps to itself: it
    /// holds only once the transaction is committed.
    ///
    /// # Errors
    /// Any error undoes the transaction.
    async fn perform(&mut self, sink: &dyn Sink) -> Result<()>;
}

/// A transaction, as a step sees and changes it.
#[async_trait(?Send)]
pub trait Sink {
    /// The file system, with the changes that the transaction has made.
    fn fs(&self) -> &Fs<dyn WriteStore>;

    /// Adds rows to a series as one version. A series that does not exist is
    /// made and needs a `spec`; one that exists must agree with a given one.
    ///
    /// # Errors
    /// What is wrong with the rows, whose version is then not made; the
    /// store's.
    async fn append_rows(
        &self,
        path: &str,
        spec: Option<SeriesSpec>,
        schema: SchemaRef,
        rows: Batches<'_>,
    ) -> Result<Appended>;

    /// Writes rows as the next version of a table, which is made when it does
    /// not exist.
    ///
    /// # Errors
    /// As [`Sink::append_rows`].
    async fn write_table(
        &self,
        path: &str,
        schema: SchemaRef,
        rows: Batches<'_>,
    ) -> Result<Appended>;
}

/// A version that was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Appended {
    /// Its number.
    pub version: u64,
    /// Its rows.
    pub rows: u64,
    /// The times of its rows; `None` without rows, and for tables.
    pub time_range: Option<TimeRange>,
    /// Rows before the series' floor, which are kept and not shown.
    pub below_floor: u64,
}

/// What a run is given.
#[derive(Clone, Copy)]
pub struct RunContext<'a> {
    /// The path of the node that runs.
    pub path: &'a str,
    /// The node, which is the same whatever its path is.
    pub node: NodeId,
    /// What the command line says after the path.
    pub args: &'a [String],
    /// The ways into the pond.
    pub doors: &'a dyn Doors,
    /// What `${env:NAME}` and `${file:PATH}` stand for.
    pub env: &'a dyn Env,
    /// The time, in microseconds since 1970 UTC.
    pub now_us: &'a dyn Fn() -> i64,
    /// Where temporary files may be made.
    pub temp_dir: &'a Path,
    /// Who is told how the run gets on.
    pub monitor: &'a Arc<dyn Monitor>,
}

impl fmt::Debug for RunContext<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RunContext")
            .field("path", &self.path)
            .field("args", &self.args)
            .finish_non_exhaustive()
    }
}

/// What a run did.
#[derive(Debug, Default)]
pub struct RunReport {
    /// What was done, a line each.
    pub lines: Vec<String>,
    /// What failed, by what it was about, while the rest went on.
    pub failures: Vec<(String, BoxError)>,
}
