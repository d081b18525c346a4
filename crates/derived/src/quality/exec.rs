//! Flags the rows of a series, in the order of time.
//!
//! Input: one partition, sorted by its first column, the time. Output: the same
//! rows in the same order.
//!
//! Always true: what is held is the readings that the tests look back to, and
//! the rows of one batch and of its last instant.

use std::fmt;
use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, Int8Array, RecordBatch, RecordBatchOptions};
use arrow::compute::{SortOptions, cast};
use arrow::datatypes::{DataType, Float64Type, Int64Type, SchemaRef, TimeUnit};
use datafusion::common::internal_err;
use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::error::Result;
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::physical_expr::expressions::Column;
use datafusion::physical_expr::{
    EquivalenceProperties, LexOrdering, OrderingRequirements, Partitioning, PhysicalExpr,
    PhysicalSortExpr,
};
use datafusion::physical_plan::common::spawn_buffered;
use datafusion::physical_plan::execution_plan::{Boundedness, EmissionType};
use datafusion::physical_plan::metrics::{
    BaselineMetrics, ExecutionPlanMetricsSet, MetricsSet, RecordOutput,
};
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::{
    ChildrenPropertiesMode, DisplayAs, DisplayFormatType, Distribution, ExecutionPlan,
    InputDistributionRequirements, PlanProperties, ReplaceChildrenOptions,
};
use futures::stream;
use tinyfs::TimeUnit as Declared;

use super::flags::{Flags, Test};
use crate::strictly_ascending::WholeInstants;
use crate::times::instant_type;

/// Batches of the input that are decoded ahead.
const AHEAD: usize = 2;

/// Where a column of the output comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Output {
    /// A column of the input.
    Column(usize),
    /// The flags of one of the tested columns.
    Flags(usize),
}

/// A tested column, by its place in the input, and its tests.
pub(super) type TestedColumn = (usize, Vec<Test>);

/// Flags the rows of a series.
#[derive(Clone, Debug)]
pub(super) struct QualityExec {
    input: Arc<dyn ExecutionPlan>,
    /// What errors call the input.
    name: Arc<str>,
    /// The unit of times that are integers.
    unit: Option<Declared>,
    tested: Arc<[TestedColumn]>,
    outputs: Arc<[Output]>,
    properties: Arc<PlanProperties>,
    metrics: ExecutionPlanMetricsSet,
}

impl QualityExec {
    pub(super) fn new(
        input: Arc<dyn ExecutionPlan>,
        name: Arc<str>,
        unit: Option<Declared>,
        tested: Arc<[TestedColumn]>,
        outputs: Arc<[Output]>,
        schema: SchemaRef,
    ) -> Self {
        let time = outputs.iter().position(|output| *output == Output::Column(0));
        let ordering = time.map(|at| vec![ascending(&schema, at)]);
        let properties = Arc::new(PlanProperties::new(
            EquivalenceProperties::new_with_orderings(schema, ordering),
            Partitioning::UnknownPartitioning(1),
            EmissionType::Incremental,
            Boundedness::Bounded,
        ));
        let metrics = ExecutionPlanMetricsSet::new();
        Self { input, name, unit, tested, outputs, properties, metrics }
    }
}

fn ascending(schema: &SchemaRef, at: usize) -> PhysicalSortExpr {
    let options = SortOptions { descending: false, nulls_first: true };
    PhysicalSortExpr::new(Arc::new(Column::new(schema.field(at).name(), at)), options)
}

impl DisplayAs for QualityExec {
    fn fmt_as(&self, _: DisplayFormatType, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let schema = self.input.schema();
        let names = self.tested.iter().map(|(at, _)| schema.field(*at).name().as_str());
        write!(f, "QualityExec: tested=[{}]", names.collect::<Vec<_>>().join(", "))
    }
}

impl ExecutionPlan for QualityExec {
    fn name(&self) -> &'static str {
        "QualityExec"
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
        let by_time = LexOrdering::new([ascending(&self.input.schema(), 0)]);
        vec![by_time.map(OrderingRequirements::from)]
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
        inputs: Vec<Arc<dyn ExecutionPlan>>,
        _options: ReplaceChildrenOptions,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let [input] = inputs.as_slice() else {
            return internal_err!("QualityExec has one child, not {}", inputs.len());
        };
        let (tested, outputs) = (Arc::clone(&self.tested), Arc::clone(&self.outputs));
        let (input, name) = (Arc::clone(input), Arc::clone(&self.name));
        Ok(Arc::new(Self::new(input, name, self.unit, tested, outputs, self.schema())))
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
            return internal_err!("QualityExec has one partition, not {at}");
        }
        let input = spawn_buffered(self.input.execute(0, context)?, AHEAD);
        let rows = Rows {
            instants: WholeInstants::new(input, &self.name),
            ns_per_unit: self.ns_per_unit(),
            flags: self.tested.iter().map(|(at, tests)| (*at, Flags::new(tests))).collect(),
            outputs: Arc::clone(&self.outputs),
            schema: self.schema(),
            metrics: BaselineMetrics::new(&self.metrics, at),
        };
        let batches = stream::try_unfold(rows, |mut rows| async move {
            Ok(rows.next().await?.map(|batch| (batch, rows)))
        });
        Ok(Box::pin(RecordBatchStreamAdapter::new(self.schema(), batches)))
    }

    fn metrics(&self) -> Option<MetricsSet> {
        Some(self.metrics.clone_inner())
    }
}

impl QualityExec {
    /// How many nanoseconds a unit of the column of times has.
    fn ns_per_unit(&self) -> i128 {
        let schema = self.input.schema();
        let data_type = schema.field(0).data_type();
        match (data_type, instant_type(data_type, self.unit)) {
            (DataType::Date32, _) => 86_400_000_000_000,
            (_, Some(DataType::Timestamp(TimeUnit::Second, _))) => 1_000_000_000,
            (_, Some(DataType::Timestamp(TimeUnit::Millisecond, _))) => 1_000_000,
            (_, Some(DataType::Timestamp(TimeUnit::Microsecond, _))) => 1_000,
            // The table has seen to it that these are times.
            _ => 1,
        }
    }
}

/// The rows on their way.
struct Rows {
    instants: WholeInstants,
    ns_per_unit: i128,
    /// The places of the tested columns, with the state of their tests.
    flags: Vec<(usize, Flags)>,
    outputs: Arc<[Output]>,
    schema: SchemaRef,
    metrics: BaselineMetrics,
}

impl Rows {
    async fn next(&mut self) -> Result<Option<RecordBatch>> {
        let Some(batch) = self.instants.next().await? else { return Ok(None) };
        self.flagged(&batch).map(Some)
    }

    /// Whole instants with their flags.
    fn flagged(&mut self, batch: &RecordBatch) -> Result<RecordBatch> {
        let timer = self.metrics.elapsed_compute().timer();
        let times = units(batch)?;
        let mut flags: Vec<ArrayRef> = Vec::with_capacity(self.flags.len());
        for (at, tests) in &mut self.flags {
            let values = cast(batch.column(*at), &DataType::Float64)?;
            let readings = values.as_primitive::<Float64Type>().iter();
            let readings: Vec<Option<f64>> =
                readings.map(|value| value.filter(|value| value.is_finite())).collect();
            let mut made = Vec::with_capacity(readings.len());
            let mut from = 0;
            for instant in times.chunk_by(|a, b| a == b) {
                let to = from + instant.len();
                let ns = i128::from(instant[0]) * self.ns_per_unit;
                tests.instant(ns, &readings[from..to], &mut made);
                from = to;
            }
            flags.push(Arc::new(Int8Array::from(made)));
        }
        let columns = self.outputs.iter().map(|output| match *output {
            Output::Column(at) => Arc::clone(batch.column(at)),
            Output::Flags(at) => Arc::clone(&flags[at]),
        });
        let options = RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
        let schema = Arc::clone(&self.schema);
        let made = RecordBatch::try_new_with_options(schema, columns.collect(), &options)?;
        timer.done();
        Ok(made.record_output(&self.metrics))
    }
}

/// The times of a batch, in the units of their column.
fn units(batch: &RecordBatch) -> Result<Vec<i64>> {
    let units = cast(batch.column(0), &DataType::Int64)?;
    Ok(units.as_primitive::<Int64Type>().values().to_vec())
}
