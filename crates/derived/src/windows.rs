//! Rows of joined tables that several reductions ask for in one refresh.
//!
//! A minute more in a series makes the same hour dirty in everything that is
//! computed from it: in a join, and in each pivot over that join. While
//! [`Windows`] stand in the configuration of whoever plans, a [`Windowed`]
//! table that is asked for a short span of time is read once, with all its
//! columns, and who asks for the same span again is given these rows.
//!
//! Always true: what is kept is small, of one refresh, and of one view of the
//! pond; without [`Windows`] nothing is kept, and a table is read as it is.

use std::collections::HashMap;
use std::future::Future;
use std::ops::Range;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use arrow::array::RecordBatch;
use arrow::compute::SortOptions;
use arrow::datatypes::SchemaRef;
use async_trait::async_trait;
use datafusion::catalog::{Session, TableProvider};
use datafusion::common::Column as Named;
use datafusion::datasource::memory::MemorySourceConfig;
use datafusion::datasource::provider_as_source;
use datafusion::datasource::source::DataSourceExec;
use datafusion::error::Result as DfResult;
use datafusion::logical_expr::{Expr, LogicalPlanBuilder, TableProviderFilterPushDown, TableType};
use datafusion::physical_expr::expressions::Column;
use datafusion::physical_expr::{LexOrdering, PhysicalSortExpr};
use datafusion::physical_plan::{ExecutionPlan, execute_stream};
use futures::TryStreamExt;
use tokio::sync::OnceCell;

use crate::join_table::JoinTable;
use crate::times::within;

/// Longer spans than this are read by everybody for themselves.
const LONGEST_US: i64 = 8 * 86_400 * 1_000_000;
/// What is kept of one table in one span.
const WINDOW_BYTES: usize = 1 << 20;
/// What is kept of all.
const BYTES: usize = 16 << 20;

/// The table, and the span of time.
type Asked = (u64, (i64, i64));
/// Its rows; `None` where they are too many to be kept.
type Kept = Option<Vec<RecordBatch>>;

/// What is kept in one refresh.
#[derive(Debug, Default)]
pub(crate) struct Windows {
    kept: Mutex<HashMap<Asked, Arc<OnceCell<Kept>>>>,
    bytes: AtomicUsize,
}

impl Windows {
    /// The rows of a table in a span, read by whoever comes first.
    async fn rows<F: Future<Output = DfResult<Kept>>>(
        &self,
        asked: Asked,
        read: impl FnOnce() -> F,
    ) -> DfResult<Kept> {
        let cell = {
            let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
            Arc::clone(kept.entry(asked).or_default())
        };
        cell.get_or_try_init(read).await.cloned()
    }

    /// Whether so many bytes more may be kept.
    fn reserve(&self, bytes: usize) -> bool {
        self.bytes.fetch_add(bytes, Ordering::SeqCst) + bytes <= BYTES
    }
}

/// A joined table that is read once a span where [`Windows`] are at hand.
#[derive(Debug)]
pub(crate) struct Windowed {
    table: Arc<JoinTable>,
    id: u64,
}

impl Windowed {
    pub(crate) fn new(table: JoinTable) -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        Self { table: Arc::new(table), id: NEXT.fetch_add(1, Ordering::Relaxed) }
    }

    /// All columns of the rows in a span of time, ascending, and maybe some
    /// rows more.
    async fn read(
        &self,
        state: &dyn Session,
        windows: &Windows,
        times: &Range<i64>,
    ) -> DfResult<Kept> {
        let source = provider_as_source(Arc::clone(&self.table) as Arc<dyn TableProvider>);
        let mut plan = LogicalPlanBuilder::scan("window", source, None)?;
        let schema = self.table.schema();
        let field = schema.field(0);
        let time = Expr::Column(Named::new_unqualified(field.name()));
        if let Some(filter) =
            within(&time, field.data_type(), None, times).into_iter().reduce(Expr::and)
        {
            plan = plan.filter(filter)?;
        }
        let plan = plan.sort([time.sort(true, true)])?.build()?;
        let plan = state.create_physical_plan(&plan).await?;
        let mut rows = execute_stream(plan, state.task_ctx())?;
        let (mut kept, mut bytes) = (Vec::new(), 0);
        while let Some(batch) = rows.try_next().await? {
            let more = batch.get_array_memory_size();
            bytes += more;
            if bytes > WINDOW_BYTES || !windows.reserve(more) {
                return Ok(None);
            }
            kept.push(batch);
        }
        Ok(Some(kept))
    }
}

#[async_trait]
impl TableProvider for Windowed {
    fn schema(&self) -> SchemaRef {
        self.table.schema()
    }

    fn table_type(&self) -> TableType {
        self.table.table_type()
    }

    fn supports_filters_pushdown(
        &self,
        filters: &[&Expr],
    ) -> DfResult<Vec<TableProviderFilterPushDown>> {
        self.table.supports_filters_pushdown(filters)
    }

    async fn scan(
        &self,
        state: &dyn Session,
        projection: Option<&Vec<usize>>,
        filters: &[Expr],
        limit: Option<usize>,
    ) -> DfResult<Arc<dyn ExecutionPlan>> {
        let windows = state.config().get_extension::<Windows>();
        let times = self.table.span(filters);
        let short = times.filter(|times| {
            let width = times.end.checked_sub(times.start);
            width.is_some_and(|width| (1..=LONGEST_US).contains(&width))
        });
        if let Some((windows, times)) = windows.zip(short) {
            let asked = (self.id, (times.start, times.end));
            let kept = windows.rows(asked, || self.read(state, &windows, &times)).await?;
            if let Some(rows) = kept {
                return in_memory(rows, &self.schema(), projection);
            }
        }
        self.table.scan(state, projection, filters, limit).await
    }
}

/// Rows that are kept, ascending by their first column.
fn in_memory(
    rows: Vec<RecordBatch>,
    schema: &SchemaRef,
    projection: Option<&Vec<usize>>,
) -> DfResult<Arc<dyn ExecutionPlan>> {
    let options = SortOptions { descending: false, nulls_first: true };
    let time = Arc::new(Column::new(schema.field(0).name(), 0));
    let ordering = LexOrdering::new([PhysicalSortExpr::new(time, options)]);
    let source = MemorySourceConfig::try_new(&[rows], Arc::clone(schema), projection.cloned())?
        .try_with_sort_information(ordering.into_iter().collect())?;
    Ok(DataSourceExec::from_data_source(source))
}
