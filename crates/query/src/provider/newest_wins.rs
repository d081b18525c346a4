//! Of the rows with one key, the newest.
//!
//! Input: one partition, sorted by the key, each row with two ordinals: the
//! version it comes from and its place in that version. Output: for each key
//! the row whose ordinals are highest, in the order of the keys, without the
//! ordinals.
//!
//! Always true: one row is held between batches, whatever the input; nulls of
//! a key column equal each other; the optimizer is told what the input must be
//! and so puts in the sorts and merges that it lacks.
//!
//! Filters on key columns pass below, because they drop either all rows of a
//! key or none. A filter that tightens while the query runs (a TopK threshold)
//! may drop the newest row after an older one of the same key went by; its
//! owner drops that one too, since it looks at the key alone. Other filters,
//! and limits, stay above.

use std::cmp::Ordering;
use std::collections::HashSet;
use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use arrow::array::{ArrayRef, AsArray, RecordBatch, RecordBatchOptions, make_comparator};
use arrow::compute::{SortOptions, interleave_record_batch, partition};
use arrow::datatypes::{Int64Type, SchemaRef, UInt64Type};
use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::common::{Statistics, internal_err};
use datafusion::config::ConfigOptions;
use datafusion::error::{DataFusionError, Result};
use datafusion::execution::TaskContext;
use datafusion::physical_expr::expressions::Column;
use datafusion::physical_expr::{
    EquivalenceProperties, LexOrdering, OrderingRequirements, Partitioning, PhysicalExpr,
    PhysicalSortExpr,
};
use datafusion::physical_plan::execution_plan::{Boundedness, EmissionType};
use datafusion::physical_plan::filter_pushdown::{
    ChildFilterDescription, FilterDescription, FilterPushdownPhase,
};
use datafusion::physical_plan::metrics::{
    BaselineMetrics, Count, ExecutionPlanMetricsSet, MetricBuilder, MetricsSet, RecordOutput,
};
use datafusion::physical_plan::{
    ChildStats, ChildrenPropertiesMode, DisplayAs, DisplayFormatType, Distribution, ExecutionPlan,
    InputDistributionRequirements, PlanProperties, RecordBatchStream, ReplaceChildrenOptions,
    SendableRecordBatchStream, StatisticsArgs,
};
use futures::{Stream, StreamExt};

/// Where things are in the input.
#[derive(Clone, Debug)]
pub(crate) struct Roles {
    /// The columns of the key, the time first.
    pub(crate) key: Vec<usize>,
    /// The version ordinal, `UInt64`.
    pub(crate) version: usize,
    /// The row ordinal, `Int64`.
    pub(crate) row: usize,
    /// The columns that are put out, in their order.
    pub(crate) output: Vec<usize>,
}

/// Keeps the newest row of each key.
#[derive(Clone, Debug)]
pub(crate) struct NewestWinsExec {
    input: Arc<dyn ExecutionPlan>,
    roles: Roles,
    properties: Arc<PlanProperties>,
    metrics: ExecutionPlanMetricsSet,
}

impl NewestWinsExec {
    pub(crate) fn try_new(input: Arc<dyn ExecutionPlan>, roles: Roles) -> Result<Self> {
        let schema = Arc::new(input.schema().project(&roles.output)?);
        // Rows come in the order of the key, as far as the key is put out.
        let ordering: Vec<PhysicalSortExpr> = roles
            .key
            .iter()
            .map_while(|at| roles.output.iter().position(|out| out == at))
            .map(|at| ascending(&schema, at))
            .collect();
        let equivalence = EquivalenceProperties::new_with_orderings(schema, [ordering]);
        let properties = Arc::new(PlanProperties::new(
            equivalence,
            Partitioning::UnknownPartitioning(1),
            EmissionType::Incremental,
            Boundedness::Bounded,
        ));
        Ok(Self { input, roles, properties, metrics: ExecutionPlanMetricsSet::new() })
    }

    fn key_ordering(&self) -> Option<LexOrdering> {
        let schema = self.input.schema();
        LexOrdering::new(self.roles.key.iter().map(|&at| ascending(&schema, at)))
    }
}

/// The order of keys: ascending, nulls first, as everywhere in this crate.
pub(crate) fn ascending(schema: &SchemaRef, at: usize) -> PhysicalSortExpr {
    PhysicalSortExpr::new(Arc::new(Column::new(schema.field(at).name(), at)), SORT)
}

const SORT: SortOptions = SortOptions { descending: false, nulls_first: true };

impl DisplayAs for NewestWinsExec {
    fn fmt_as(&self, format: DisplayFormatType, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let schema = self.input.schema();
        let key: Vec<&str> =
            self.roles.key.iter().map(|&at| schema.field(at).name().as_str()).collect();
        match format {
            DisplayFormatType::Default | DisplayFormatType::Verbose => {
                write!(f, "NewestWinsExec: key=[{}]", key.join(", "))
            }
            DisplayFormatType::TreeRender => write!(f, "key={}", key.join(", ")),
        }
    }
}

impl ExecutionPlan for NewestWinsExec {
    fn name(&self) -> &'static str {
        "NewestWinsExec"
    }

    fn properties(&self) -> &Arc<PlanProperties> {
        &self.properties
    }

    fn required_input_distribution(&self) -> Vec<Distribution> {
        vec![Distribution::SinglePartition]
    }

    fn input_distribution_requirements(&self) -> InputDistributionRequirements {
        InputDistributionRequirements::new(vec![Distribution::SinglePartition])
    }

    fn required_input_ordering(&self) -> Vec<Option<OrderingRequirements>> {
        vec![self.key_ordering().map(OrderingRequirements::from)]
    }

    fn maintains_input_order(&self) -> Vec<bool> {
        vec![true]
    }

    fn benefits_from_input_partitioning(&self) -> Vec<bool> {
        vec![false]
    }

    fn children(&self) -> Vec<&Arc<dyn ExecutionPlan>> {
        vec![&self.input]
    }

    fn apply_expressions(
        &self,
        _f: &mut dyn FnMut(&Arc<dyn PhysicalExpr>) -> Result<TreeNodeRecursion>,
    ) -> Result<TreeNodeRecursion> {
        Ok(TreeNodeRecursion::Continue)
    }

    fn replace_children(
        self: Arc<Self>,
        mut children: Vec<Arc<dyn ExecutionPlan>>,
        _options: ReplaceChildrenOptions,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        match (children.pop(), children.is_empty()) {
            (Some(input), true) => Ok(Arc::new(Self::try_new(input, self.roles.clone())?)),
            _ => internal_err!("NewestWinsExec has one child"),
        }
    }

    fn with_new_children(
        self: Arc<Self>,
        children: Vec<Arc<dyn ExecutionPlan>>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        self.replace_children(
            children,
            ReplaceChildrenOptions::new(ChildrenPropertiesMode::Recompute),
        )
    }

    fn execute(&self, at: usize, context: Arc<TaskContext>) -> Result<SendableRecordBatchStream> {
        if at != 0 {
            return internal_err!("NewestWinsExec has one partition, not {at}");
        }
        Ok(Box::pin(NewestWins {
            input: self.input.execute(0, context)?,
            roles: self.roles.clone(),
            schema: self.schema(),
            held: None,
            metrics: BaselineMetrics::new(&self.metrics, at),
            superseded: MetricBuilder::new(&self.metrics).counter("rows_superseded", at),
        }))
    }

    fn metrics(&self) -> Option<MetricsSet> {
        Some(self.metrics.clone_inner())
    }

    fn child_stats_requests(&self, _partition: Option<usize>) -> Vec<ChildStats> {
        vec![ChildStats::At(None)]
    }

    fn statistics_from_inputs(
        &self,
        inputs: &[Arc<Statistics>],
        _args: &StatisticsArgs,
    ) -> Result<Arc<Statistics>> {
        let Some(input) = inputs.first() else {
            return internal_err!("NewestWinsExec has one child");
        };
        // How many rows are superseded is known only once they are read.
        let input = input.as_ref().clone().to_inexact();
        Ok(Arc::new(input.project(Some(&self.roles.output))))
    }

    fn gather_filters_for_pushdown(
        &self,
        _phase: FilterPushdownPhase,
        parent_filters: Vec<Arc<dyn PhysicalExpr>>,
        _config: &ConfigOptions,
    ) -> Result<FilterDescription> {
        let key_columns: HashSet<usize> = (0..self.roles.output.len())
            .filter(|&out| self.roles.key.contains(&self.roles.output[out]))
            .collect();
        let child = ChildFilterDescription::from_child_with_allowed_indices(
            &parent_filters,
            key_columns,
            &self.input,
        )?;
        Ok(FilterDescription::new().with_child(child))
    }
}

struct NewestWins {
    input: SendableRecordBatchStream,
    roles: Roles,
    schema: SchemaRef,
    /// The newest row so far of the last key seen.
    held: Option<Held>,
    metrics: BaselineMetrics,
    superseded: Count,
}

/// One row that a later batch may still supersede.
struct Held {
    /// All its columns, copied out of the batch it came in.
    row: RecordBatch,
    ordinals: (u64, i64),
}

impl NewestWins {
    /// The rows that `batch` completes; the row of its last key is held back.
    fn merge(&mut self, batch: &RecordBatch) -> Result<Option<RecordBatch>> {
        let rows = batch.num_rows();
        if rows == 0 {
            return Ok(None);
        }
        let key: Vec<ArrayRef> =
            self.roles.key.iter().map(|&at| Arc::clone(batch.column(at))).collect();
        let version = batch.column(self.roles.version).as_primitive::<UInt64Type>();
        let row = batch.column(self.roles.row).as_primitive::<Int64Type>();
        let ordinals = |at: usize| (version.value(at), row.value(at));

        let groups = partition(&key)?.ranges();
        let mut winners: Vec<(usize, usize)> = Vec::with_capacity(groups.len() + 1);
        let mut newest = Vec::with_capacity(groups.len());
        for group in &groups {
            let mut best = group.start;
            for at in group.start + 1..group.end {
                if ordinals(at) > ordinals(best) {
                    best = at;
                }
            }
            newest.push(best);
        }
        self.superseded.add(rows - groups.len());

        let held = self.held.take();
        // The first key may continue that of the row held back.
        let mut first_is_held = false;
        if let Some(held) = &held {
            if self.same_key(&held.row, &key)? {
                self.superseded.add(1);
                first_is_held = held.ordinals > ordinals(newest[0]);
            } else {
                winners.push((0, 0));
            }
        }
        let last = groups.len() - 1;
        for (at, &best) in newest.iter().enumerate().take(last) {
            winners.push(if at == 0 && first_is_held { (0, 0) } else { (1, best) });
        }
        let output = &self.roles.output;
        let done = if winners.is_empty() {
            None
        } else {
            let batch = batch.project(output)?;
            let held = match &held {
                Some(held) => held.row.project(output)?,
                None => batch.slice(0, 0),
            };
            // The common case, nothing superseded, keeps the arrays as they are.
            let untouched = groups.len() == rows && winners.iter().all(|(from, _)| *from == 1);
            Some(if untouched || output.is_empty() {
                first_rows(&batch, winners.len())?
            } else {
                interleave_record_batch(&[&held, &batch], &winners)?
            })
        };
        self.held = match held {
            Some(held) if last == 0 && first_is_held => Some(held),
            _ => Some(Held {
                row: interleave_record_batch(&[batch], &[(0, newest[last])])?,
                ordinals: ordinals(newest[last]),
            }),
        };
        Ok(done)
    }

    fn same_key(&self, held: &RecordBatch, key: &[ArrayRef]) -> Result<bool> {
        for (&at, column) in self.roles.key.iter().zip(key) {
            let compare = make_comparator(held.column(at), column, SORT)?;
            if compare(0, 0) != Ordering::Equal {
                return Ok(false);
            }
        }
        Ok(true)
    }

    fn with_schema(&self, batch: RecordBatch) -> Result<RecordBatch> {
        Ok(batch.with_schema(Arc::clone(&self.schema))?)
    }
}

/// The first `count` rows of a batch; of one without columns, so many rows.
fn first_rows(batch: &RecordBatch, count: usize) -> Result<RecordBatch> {
    if batch.num_columns() > 0 {
        return Ok(batch.slice(0, count));
    }
    let options = RecordBatchOptions::new().with_row_count(Some(count));
    Ok(RecordBatch::try_new_with_options(batch.schema(), vec![], &options)?)
}

impl Stream for NewestWins {
    type Item = Result<RecordBatch>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        loop {
            let next = ready!(self.input.poll_next_unpin(cx));
            let metrics = self.metrics.clone();
            let timer = metrics.elapsed_compute().timer();
            let done = match next {
                Some(Ok(batch)) => match self.merge(&batch) {
                    Ok(None) => continue,
                    Ok(Some(done)) => self.with_schema(done),
                    Err(error) => Err(error),
                },
                Some(Err(error)) => Err(error),
                None => match self.held.take() {
                    None => return Poll::Ready(None),
                    Some(held) => held
                        .row
                        .project(&self.roles.output)
                        .map_err(DataFusionError::from)
                        .and_then(|row| self.with_schema(row)),
                },
            };
            timer.done();
            return Poll::Ready(Some(done.record_output(&metrics)));
        }
    }
}

impl RecordBatchStream for NewestWins {
    fn schema(&self) -> SchemaRef {
        Arc::clone(&self.schema)
    }
}
