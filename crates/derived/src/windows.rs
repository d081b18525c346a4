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

    /// Whether so many bytes more may be kept; they count until they are
    /// [released](Self::release).
    fn reserve(&self, bytes: usize) -> bool {
        self.bytes.fetch_add(bytes, Ordering::SeqCst) + bytes <= BYTES
    }

    fn release(&self, bytes: usize) {
        self.bytes.fetch_sub(bytes, Ordering::SeqCst);
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
            if !windows.reserve(more) || bytes > WINDOW_BYTES {
                windows.release(bytes);
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

#[cfg(test)]
mod tests {
    use arrow::array::{AsArray, Float64Array, TimestampMicrosecondArray};
    use arrow::datatypes::{DataType, Field, Schema, TimeUnit, TimestampMicrosecondType};
    use datafusion::datasource::MemTable;
    use datafusion::logical_expr::lit;
    use datafusion::prelude::{SessionConfig, SessionContext, col};
    use datafusion::scalar::ScalarValue;
    use query::{ComputedTable, Lineage, Locality};
    use tinyfs::ContentHash;

    use super::*;
    use crate::join_table::Member;

    /// A table that counts how often it is scanned.
    #[derive(Debug)]
    struct Counted(MemTable, Arc<AtomicUsize>);

    #[async_trait]
    impl TableProvider for Counted {
        fn schema(&self) -> SchemaRef {
            self.0.schema()
        }

        fn table_type(&self) -> TableType {
            TableType::Base
        }

        async fn scan(
            &self,
            state: &dyn Session,
            projection: Option<&Vec<usize>>,
            filters: &[Expr],
            limit: Option<usize>,
        ) -> DfResult<Arc<dyn ExecutionPlan>> {
            self.1.fetch_add(1, Ordering::SeqCst);
            self.0.scan(state, projection, filters, limit).await
        }
    }

    /// A join of one series with a row each second.
    fn joined(rows: i64) -> (Arc<Windowed>, Arc<AtomicUsize>) {
        let time = DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into()));
        let schema = Arc::new(Schema::new(vec![
            Field::new("t", time, false),
            Field::new("v", DataType::Float64, true),
            Field::new("w", DataType::Float64, true),
        ]));
        let times = TimestampMicrosecondArray::from_iter_values((0..rows).map(|at| at * 1_000_000));
        let values = || Arc::new(Float64Array::from_iter_values((0..rows).map(|at| at as f64)));
        let batch = RecordBatch::try_new(
            Arc::clone(&schema),
            vec![Arc::new(times.with_timezone("UTC")), values(), values()],
        );
        let scans = Arc::new(AtomicUsize::new(0));
        let table = MemTable::try_new(schema, vec![vec![batch.unwrap()]]).unwrap();
        let (definition, locality) = (ContentHash::of(b""), Locality::Same);
        let path = "test".to_owned();
        let member = Member {
            name: "/s".to_owned(),
            scope: "s".to_owned(),
            table: ComputedTable {
                provider: Arc::new(Counted(table, Arc::clone(&scans))),
                time_column: Some("t".into()),
                time_unit: None,
                lineage: Arc::new(Lineage::Computed {
                    path,
                    definition,
                    locality,
                    inputs: Vec::new(),
                }),
                notes: Vec::new(),
            },
            time_column: "t".to_owned(),
            columns: vec!["v".to_owned(), "w".to_owned()],
            start_us: None,
            end_us: None,
            only_values: false,
        };
        let table = JoinTable::new(vec![member], "time").unwrap();
        (Arc::new(Windowed::new(table)), scans)
    }

    /// The seconds of the rows with a time from `from` to before `to`.
    async fn seconds(
        context: &SessionContext,
        table: &Arc<Windowed>,
        column: &str,
        from: i64,
        to: i64,
    ) -> Vec<i64> {
        let time = |second: i64| {
            lit(ScalarValue::TimestampMicrosecond(Some(second * 1_000_000), Some("UTC".into())))
        };
        let frame = context.read_table(Arc::clone(table) as Arc<dyn TableProvider>).unwrap();
        let within = col("time").gt_eq(time(from)).and(col("time").lt(time(to)));
        let frame = frame.filter(within).unwrap();
        let named = Expr::Column(Named::new_unqualified(column));
        let frame = frame.select(vec![col("time"), named]).unwrap();
        let mut seconds = Vec::new();
        for batch in frame.collect().await.unwrap() {
            let times = batch.column(0).as_primitive::<TimestampMicrosecondType>();
            seconds.extend(times.values().iter().map(|us| us / 1_000_000));
            assert_eq!(batch.column(1).null_count(), 0);
        }
        seconds
    }

    #[tokio::test]
    async fn a_span_is_read_once_whoever_asks() {
        let (table, scans) = joined(10_000);
        let windows = Arc::new(Windows::default());
        let config = SessionConfig::new().with_target_partitions(1).with_extension(windows);
        let context = SessionContext::new_with_config(config);
        for column in ["s.v", "s.w", "s.v"] {
            let found = seconds(&context, &table, column, 100, 160).await;
            assert_eq!(found, (100..160).collect::<Vec<_>>());
        }
        assert_eq!(scans.load(Ordering::SeqCst), 1);
        assert_eq!(seconds(&context, &table, "s.v", 100, 161).await.len(), 61);
        assert_eq!(scans.load(Ordering::SeqCst), 2);
        let plain = SessionContext::new();
        for _ in 0..2 {
            assert_eq!(seconds(&plain, &table, "s.v", 100, 160).await.len(), 60);
        }
        assert_eq!(scans.load(Ordering::SeqCst), 4);
    }

    #[tokio::test]
    async fn what_is_too_much_to_keep_is_read_as_it_is() {
        let (table, scans) = joined(200_000);
        let windows = Arc::new(Windows::default());
        let config = SessionConfig::new().with_target_partitions(1).with_extension(windows);
        let context = SessionContext::new_with_config(config);
        for read in 1..3 {
            let found = seconds(&context, &table, "s.v", 5, 190_000).await;
            assert_eq!(found, (5..190_000).collect::<Vec<_>>());
            // That it is too much is found out once.
            assert_eq!(scans.load(Ordering::SeqCst), 1 + read);
        }
    }
}
