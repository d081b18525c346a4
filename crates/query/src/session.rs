//! Running SQL.
//!
//! Always true: only queries run (`SELECT`, `EXPLAIN`, `SHOW`, `DESCRIBE`);
//! the runtime knows one object store, the pond's, so that no text reaches a
//! host file or the network; times without zone are UTC; a query keeps within
//! the memory, the temporary space and the time that the session was given, or
//! fails and says which.

use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use datafusion::catalog::TableProvider;
use datafusion::catalog::information_schema::INFORMATION_SCHEMA;
use datafusion::error::{DataFusionError, Result as DfResult};
use datafusion::execution::disk_manager::{DiskManagerBuilder, DiskManagerMode};
use datafusion::execution::memory_pool::TrackConsumersPool;
use datafusion::execution::runtime_env::RuntimeEnvBuilder;
use datafusion::execution::{
    RecordBatchStream, SendableRecordBatchStream, SessionState, SessionStateBuilder,
};
use datafusion::prelude::{SQLOptions, SessionConfig, SessionContext};
use datafusion::sql::parser::{DFParserBuilder, Statement};
use datafusion::sql::sqlparser::ast::Statement as SqlStatement;
use futures::{Stream, StreamExt};
use tinyfs::Store;

use crate::again::TellApart;
use crate::alarm::Alarm;
use crate::bounded;
use crate::catalog::{Binding, CATALOG, Catalog, OneCatalog, Opened, PATHS, PondCatalog};
use crate::civil;
use crate::content_store::{ContentStore, OnlyPond};
use crate::depth;
use crate::format::{self, HostSource, HostTable, OpenedSource, ReadOptions};
use crate::gather::GatherGroups;
use crate::joins;
use crate::memory::SharedPool;
use crate::provider::Opener;
use crate::system::History;
use crate::{Computer, Error, Inputs, Result, Rows, SessionOptions};

/// Nesting of SQL beyond this is refused.
const RECURSION_LIMIT: usize = 50;

/// Footers kept, in bytes.
const FOOTER_CACHE_BYTES: usize = 32 << 20;

/// The part of the memory limit that is left to what operators do not count:
/// batches on their way, pages that are decoded.
const UNCOUNTED: usize = 8;

/// How many holders of memory an error names.
const NAMED_CONSUMERS: usize = 5;

/// A place to run queries over one view of a pond.
///
/// 1. Names resolve as [`Session::bind`] said, then as paths and globs.
/// 2. What a query sees does not change while it runs, nor between queries,
///    because the store is one consistent view.
/// 3. Any number of queries may run at once; they share the memory limit.
#[derive(Clone)]
pub struct Session {
    pub(crate) catalog: Arc<Catalog>,
    context: SessionContext,
    options: Arc<SessionOptions>,
}

impl std::fmt::Debug for Session {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Session").field("options", &self.options).finish_non_exhaustive()
    }
}

impl Session {
    /// A session over `store`.
    ///
    /// # Errors
    /// [`Error::Execution`] when the temporary directory can not be used.
    pub fn new(store: Arc<dyn Store>, options: SessionOptions) -> Result<Self> {
        let contents = Arc::new(ContentStore::new(Arc::clone(&store)));
        let mode = match &options.temp_dir {
            Some(dir) => DiskManagerMode::Directories(vec![dir.clone()]),
            None => DiskManagerMode::OsTmpDirectory,
        };
        let disk = DiskManagerBuilder::default()
            .with_mode(mode)
            .with_max_temp_directory_size(options.temp_limit_bytes);
        let mut runtime = RuntimeEnvBuilder::new()
            .with_object_store_registry(Arc::new(OnlyPond(Arc::clone(&contents))))
            .with_disk_manager_builder(disk)
            .with_metadata_cache_limit(FOOTER_CACHE_BYTES);
        if let Some(limit) = options.memory_limit_bytes {
            let named =
                std::num::NonZeroUsize::new(NAMED_CONSUMERS).unwrap_or(std::num::NonZeroUsize::MIN);
            let pool = SharedPool::new(limit - limit / UNCOUNTED);
            let pool = TrackConsumersPool::new(pool, named);
            runtime = runtime.with_memory_pool(Arc::new(pool));
        }
        let runtime = runtime.build_arc()?;
        options.scratch.add_runtime(&runtime);
        let footers = runtime.cache_manager.get_file_metadata_cache();
        let opener = Arc::new(Opener::new(store, contents, footers, options.verify_reads));
        // Two states: one that knows no name, for plans of computed nodes, so
        // that no name leaks into them and the catalog does not hold itself;
        // and the same with our names.
        let nameless = SessionStateBuilder::new()
            .with_default_features()
            .with_config(config(&options))
            .with_runtime_env(runtime)
            .with_analyzer_rule(Arc::new(TellApart))
            .with_physical_optimizer_rule(Arc::new(GatherGroups))
            .build();
        let context = SessionContext::new_with_state(nameless);
        if let Some(limit) = options.memory_limit_bytes {
            for function in bounded::functions(&context, limit)? {
                context.register_udf(function);
            }
        }
        for function in civil::functions() {
            context.register_udf(function);
        }
        let nameless = context.state();
        let catalog = Arc::new(Catalog::new(opener, nameless.clone(), options.time_range));
        let catalogs = OneCatalog(Arc::new(PondCatalog::new(Arc::clone(&catalog))));
        let state = SessionStateBuilder::new_from_existing(nameless)
            .with_catalog_list(Arc::new(catalogs))
            .build();
        let context = SessionContext::new_with_state(state);
        Ok(Self { catalog, context, options: Arc::new(options) })
    }

    /// Gives the session what is known beyond the store: its transactions.
    #[must_use]
    pub fn with_history(self, history: Arc<dyn History>) -> Self {
        self.catalog.set_history(history);
        self
    }

    /// Gives the session who computes the nodes that are computed. Without, they
    /// have no rows.
    #[must_use]
    pub fn with_computer(self, computer: Arc<dyn Computer>) -> Self {
        self.catalog.set_computer(computer);
        self
    }

    /// The tables of the session as a computed node sees them: at all times,
    /// with what is known of how they come about.
    #[must_use]
    pub fn inputs(&self) -> Inputs {
        Inputs { catalog: Arc::clone(&self.catalog), chain: Arc::default() }
    }

    /// The same session, whose queries may take so long and no longer.
    #[must_use]
    pub fn with_deadline(mut self, deadline: Duration) -> Self {
        Arc::make_mut(&mut self.options).deadline = Some(deadline);
        self
    }

    /// Lets `name` stand for a path or a glob. An unquoted name in SQL is in
    /// lower case.
    pub fn bind(&self, name: &str, path: impl Into<String>) {
        self.catalog.bind(name, Binding::Path { path: path.into(), version: None });
    }

    /// Lets `name` stand for one version of a file, as stored.
    pub fn bind_version(&self, name: &str, path: impl Into<String>, version: u64) {
        let path = path.into();
        self.catalog.bind(name, Binding::Path { path, version: Some(version) });
    }

    /// Lets `name` stand for a table from elsewhere.
    pub fn bind_table(&self, name: &str, table: Arc<dyn TableProvider>) {
        self.catalog.bind(name, Binding::Table(table));
    }

    /// Opens a host file and lets `name` stand for it. What the read had to
    /// tell is in the answer's report.
    ///
    /// # Errors
    /// [`Error::Host`].
    pub async fn bind_host(
        &self,
        name: &str,
        source: HostSource,
        options: ReadOptions,
    ) -> Result<OpenedSource> {
        let opened =
            format::open(source, options).await.map_err(|error| Error::Host(Arc::new(error)))?;
        let table: Arc<dyn TableProvider> = match opened.ranges() {
            Some(file) => {
                let file = file.map_err(|error| Error::Host(Arc::new(error)))?;
                Arc::new(self.catalog.host_table(&opened.url().to_string(), file).await?)
            }
            None => Arc::new(HostTable::new(opened.clone())),
        };
        self.bind_table(name, table);
        Ok(opened)
    }

    /// Plans a query and starts it.
    ///
    /// # Errors
    /// [`Error::Parse`], [`Error::Refused`], [`Error::NoSuchTable`] and the
    /// others that planning may end in. What goes wrong later is in the rows.
    pub async fn sql(&self, text: &str) -> Result<Rows> {
        let alarm = self.options.deadline.map(Alarm::after);
        let start = self.start(text);
        let (stream, alarm) = match alarm {
            None => (start.await, None),
            Some(mut alarm) => tokio::select! {
                stream = start => (stream, Some(alarm)),
                () = &mut alarm => return Err(Error::Deadline { deadline: alarm.waited() }),
            },
        };
        let stream = stream.map_err(|error| self.complete(error))?;
        let guarded = Guarded::new(stream, alarm, self.options.memory_limit_bytes);
        Ok(Rows { stream: Box::pin(guarded) })
    }

    async fn start(&self, text: &str) -> Result<SendableRecordBatchStream> {
        let statement = parse(text)?;
        let state = self.context.state();
        let plan = self.plan(&state, statement).await?;
        SQLOptions::new()
            .with_allow_ddl(false)
            .with_allow_dml(false)
            .with_allow_statements(false)
            .verify_plan(&plan)?;
        let limited = self.options.memory_limit_bytes.is_some();
        Ok(joins::start(&state, &plan, limited).await?)
    }

    async fn plan(
        &self,
        state: &SessionState,
        statement: Statement,
    ) -> Result<datafusion::logical_expr::LogicalPlan> {
        let names = state.resolve_table_references(&statement)?;
        if names.iter().any(|name| name.schema() == Some(INFORMATION_SCHEMA)) {
            self.catalog.paths().await?;
        }
        match state.statement_to_plan(statement).await {
            Ok(plan) => Ok(plan),
            Err(error) => Err(match missing_table(&error) {
                Some(name) => self.catalog.no_such_name(&name).await,
                None => error.into(),
            }),
        }
    }

    /// The table at a path or glob.
    ///
    /// # Errors
    /// [`Error::NoSuchTable`], [`Error::NoMatch`], [`Error::NotATable`], and
    /// conflicts between versions.
    pub async fn table(&self, path: &str) -> Result<Arc<dyn TableProvider>> {
        Ok(self.opened(path).await?.provider())
    }

    /// The columns of a path, a glob or a bound name, for completion.
    ///
    /// # Errors
    /// As [`Session::table`].
    pub async fn schema_of(&self, name: &str) -> Result<SchemaRef> {
        match self.catalog.resolve(name).await? {
            Some(table) => Ok(table.schema()),
            None => Err(self.catalog.no_such_name(name).await),
        }
    }

    /// The paths of all tables and series of the pond, for completion.
    ///
    /// # Errors
    /// The store's.
    pub async fn paths(&self) -> Result<&[String]> {
        self.catalog.paths().await
    }

    /// What listings of this session left out, by path: `information_schema`,
    /// `pond.entries` and `pond.versions` go on past what can not be opened or
    /// computed.
    #[must_use]
    pub fn left_out(&self) -> Vec<(String, Arc<Error>)> {
        self.catalog.left_out().all()
    }

    pub(crate) async fn opened(&self, path: &str) -> Result<Opened> {
        self.catalog.table_at(path, None).await
    }

    pub(crate) fn context(&self) -> &SessionContext {
        &self.context
    }

    /// An error with what only the session knows.
    pub(crate) fn complete(&self, error: Error) -> Error {
        with_limit(error, self.options.memory_limit_bytes)
    }
}

fn with_limit(error: Error, limit: Option<usize>) -> Error {
    match error {
        Error::OutOfMemory { limit_bytes: None, detail } => {
            diagnostics::log_debug!("a query is short of memory: {detail}", detail: detail.as_str());
            Error::OutOfMemory { limit_bytes: limit, detail }
        }
        other => other,
    }
}

fn config(options: &SessionOptions) -> SessionConfig {
    let mut config = SessionConfig::new()
        .with_default_catalog_and_schema(CATALOG, PATHS)
        .with_create_default_catalog_and_schema(false)
        .with_target_partitions(options.threads.max(1))
        .with_batch_size(options.batch_rows.max(1));
    let engine = config.options_mut();
    engine.execution.parquet.pushdown_filters = true;
    engine.execution.parquet.reorder_filters = true;
    engine.execution.time_zone = Some("UTC".into());
    engine.sql_parser.collect_spans = false;
    // A sort must leave room for its own merge within a small limit.
    if let Some(limit) = options.memory_limit_bytes {
        let reserve = (limit / 16).min(engine.execution.sort_spill_reservation_bytes);
        engine.execution.sort_spill_reservation_bytes = reserve;
    }
    config
}

/// Whether a text is one query, such as a view may be.
///
/// # Errors
/// As [`Session::sql`], as far as the text alone tells.
pub fn check_view(text: &str) -> Result<()> {
    only_queries(&parse(text)?)
}

/// One statement, of a kind that only reads.
pub(crate) fn parse(text: &str) -> Result<Statement> {
    depth::check_text(text)?;
    let mut statements = DFParserBuilder::new(text)
        .with_recursion_limit(RECURSION_LIMIT)
        .build()
        .and_then(|mut parser| parser.parse_statements())?;
    let count = statements.len();
    match statements.pop_front() {
        Some(statement) if count == 1 => {
            depth::check_statement(&statement)?;
            only_reads(&statement)?;
            Ok(statement)
        }
        _ => Err(Error::StatementCount { count }),
    }
}

/// Refuses what is not a query: a view has nothing to explain or show.
pub(crate) fn only_queries(statement: &Statement) -> Result<()> {
    match statement {
        Statement::Statement(inner) if matches!(inner.as_ref(), SqlStatement::Query(_)) => Ok(()),
        other => {
            let text = other.to_string();
            let word = text.split_whitespace().next().unwrap_or_default();
            Err(Error::Refused { statement: format!("{word} in a view") })
        }
    }
}

fn only_reads(statement: &Statement) -> Result<()> {
    let refused = |what: &str| Err(Error::Refused { statement: what.to_owned() });
    match statement {
        Statement::Explain(explain) => only_reads(&explain.statement),
        Statement::CreateExternalTable(_) => refused("CREATE EXTERNAL TABLE"),
        Statement::CopyTo(_) => refused("COPY"),
        Statement::Reset(_) => refused("RESET"),
        Statement::Statement(statement) => match statement.as_ref() {
            SqlStatement::Query(_)
            | SqlStatement::ExplainTable { .. }
            | SqlStatement::ShowTables { .. }
            | SqlStatement::ShowColumns { .. }
            | SqlStatement::ShowFunctions { .. }
            | SqlStatement::ShowVariable { .. } => Ok(()),
            SqlStatement::Explain { statement, .. } => {
                only_reads(&Statement::Statement(statement.clone()))
            }
            other => {
                let text = other.to_string();
                let words: Vec<&str> = text.split_whitespace().take(2).collect();
                refused(&words.join(" "))
            }
        },
    }
}

/// The name in the planner's complaint that a table is missing.
pub(crate) fn missing_table(error: &DataFusionError) -> Option<String> {
    let DataFusionError::Plan(message) = error.find_root() else { return None };
    let name = message.strip_prefix("table '")?.strip_suffix("' not found")?;
    let prefix = format!("{CATALOG}.{PATHS}.");
    Some(name.strip_prefix(&prefix).or(name.strip_prefix("duckpond.")).unwrap_or(name).to_owned())
}

/// The rows of a query until its deadline, its errors made ours.
pub(crate) struct Guarded {
    input: Option<SendableRecordBatchStream>,
    schema: SchemaRef,
    alarm: Option<Alarm>,
    memory_limit_bytes: Option<usize>,
}

impl Guarded {
    pub(crate) fn new(
        input: SendableRecordBatchStream,
        alarm: Option<Alarm>,
        memory_limit_bytes: Option<usize>,
    ) -> Self {
        let schema = input.schema();
        Self { input: Some(input), schema, alarm, memory_limit_bytes }
    }
}

impl Stream for Guarded {
    type Item = DfResult<RecordBatch>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = &mut *self;
        let Some(input) = &mut this.input else { return Poll::Ready(None) };
        if let Some(alarm) = &mut this.alarm
            && Pin::new(&mut *alarm).poll(cx).is_ready()
        {
            let error = Error::Deadline { deadline: alarm.waited() };
            this.input = None;
            return Poll::Ready(Some(Err(error.into())));
        }
        // A decoder that panics on a damaged or hostile file ends this query
        // alone.
        let next = catch_unwind(AssertUnwindSafe(|| input.poll_next_unpin(cx)));
        let Ok(next) = next else {
            this.input = None;
            return Poll::Ready(Some(Err(joins::panicked())));
        };
        next.map(|next| {
            next.map(|batch| {
                batch.map_err(|error| with_limit(error.into(), this.memory_limit_bytes).into())
            })
        })
    }
}

impl RecordBatchStream for Guarded {
    fn schema(&self) -> SchemaRef {
        Arc::clone(&self.schema)
    }
}
