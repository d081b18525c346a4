//! Several series as one, a row an instant.
//!
//! Inputs: one partition each, sorted by their first column, the time, of one
//! type. Output: for each instant that any of them has, one row; a column takes
//! its value from the last of its sources that has one there.
//!
//! Always true: what is held is one batch an input and the rows of one batch of
//! output, however long the inputs are; inputs are decoded side by side.
//!
//! Deliberately not here: several rows of one input at one instant, which
//! [`strictly_ascending`] has made one before.

use std::fmt;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, Int64Array, RecordBatch, RecordBatchOptions};
use arrow::array::{new_empty_array, new_null_array};
use arrow::compute::{SortOptions, cast, interleave};
use arrow::datatypes::{DataType, Int64Type, SchemaRef};
use datafusion::common::internal_err;
use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::error::{DataFusionError, Result};
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
use futures::{StreamExt, stream};

use crate::strictly_ascending::strictly_ascending;

/// Batches of an input that are decoded ahead.
const AHEAD: usize = 2;

/// Where an output column comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Output {
    /// It is the instant.
    Time,
    /// The columns of inputs; of those that have a value the last counts.
    Value(Vec<Origin>),
}

/// A column of an input.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Origin {
    /// The input.
    pub(crate) input: usize,
    /// Its column.
    pub(crate) column: usize,
}

/// Merges series by instants.
#[derive(Clone, Debug)]
pub(crate) struct InstantMergeExec {
    inputs: Vec<Arc<dyn ExecutionPlan>>,
    /// What each input is, for errors.
    names: Arc<[String]>,
    outputs: Arc<[Output]>,
    properties: Arc<PlanProperties>,
    metrics: ExecutionPlanMetricsSet,
}

impl InstantMergeExec {
    pub(crate) fn new(
        inputs: Vec<Arc<dyn ExecutionPlan>>,
        names: Arc<[String]>,
        outputs: Arc<[Output]>,
        schema: SchemaRef,
    ) -> Self {
        let time = outputs.iter().position(|output| *output == Output::Time);
        let ordering = time.map(|at| vec![ascending(&schema, at)]);
        let properties = Arc::new(PlanProperties::new(
            EquivalenceProperties::new_with_orderings(schema, ordering),
            Partitioning::UnknownPartitioning(1),
            EmissionType::Incremental,
            Boundedness::Bounded,
        ));
        Self { inputs, names, outputs, properties, metrics: ExecutionPlanMetricsSet::new() }
    }
}

fn ascending(schema: &SchemaRef, at: usize) -> PhysicalSortExpr {
    let options = SortOptions { descending: false, nulls_first: true };
    PhysicalSortExpr::new(Arc::new(Column::new(schema.field(at).name(), at)), options)
}

impl DisplayAs for InstantMergeExec {
    fn fmt_as(&self, _: DisplayFormatType, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "InstantMergeExec: inputs=[{}]", self.names.join(", "))
    }
}

impl ExecutionPlan for InstantMergeExec {
    fn name(&self) -> &'static str {
        "InstantMergeExec"
    }

    fn properties(&self) -> &Arc<PlanProperties> {
        &self.properties
    }

    fn required_input_distribution(&self) -> Vec<Distribution> {
        vec![Distribution::SinglePartition; self.inputs.len()]
    }

    fn input_distribution_requirements(&self) -> InputDistributionRequirements {
        let one = vec![Distribution::SinglePartition; self.inputs.len()];
        InputDistributionRequirements::new(one)
    }

    fn required_input_ordering(&self) -> Vec<Option<OrderingRequirements>> {
        let by_time = |input: &Arc<dyn ExecutionPlan>| {
            LexOrdering::new([ascending(&input.schema(), 0)]).map(OrderingRequirements::from)
        };
        self.inputs.iter().map(by_time).collect()
    }

    fn maintains_input_order(&self) -> Vec<bool> {
        vec![true; self.inputs.len()]
    }

    fn benefits_from_input_partitioning(&self) -> Vec<bool> {
        vec![false; self.inputs.len()]
    }

    fn children(&self) -> Vec<&Arc<dyn ExecutionPlan>> {
        self.inputs.iter().collect()
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
        if inputs.len() != self.inputs.len() {
            return internal_err!("InstantMergeExec has {} children", self.inputs.len());
        }
        let (names, outputs) = (Arc::clone(&self.names), Arc::clone(&self.outputs));
        Ok(Arc::new(Self::new(inputs, names, outputs, self.schema())))
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
            return internal_err!("InstantMergeExec has one partition, not {at}");
        }
        let context = sharing(&context, self.inputs.len());
        let mut cursors = Vec::with_capacity(self.inputs.len());
        for (input, name) in self.inputs.iter().zip(self.names.iter()) {
            let rows = input.execute(0, Arc::clone(&context))?;
            cursors.push(Cursor::new(strictly_ascending(spawn_buffered(rows, AHEAD), name)));
        }
        let merge = Merge {
            cursors,
            outputs: Arc::clone(&self.outputs),
            schema: self.schema(),
            batch_rows: context.session_config().batch_size(),
            metrics: BaselineMetrics::new(&self.metrics, at),
        };
        let batches = stream::try_unfold(merge, |mut merge| async move {
            Ok(merge.next().await?.map(|batch| (batch, merge)))
        });
        Ok(Box::pin(RecordBatchStreamAdapter::new(self.schema(), batches)))
    }

    fn metrics(&self) -> Option<MetricsSet> {
        Some(self.metrics.clone_inner())
    }
}

/// What runs one of so many inputs that run at once: a sort sets memory aside
/// for its merge before it begins, and all of them together as much as one.
fn sharing(context: &TaskContext, inputs: usize) -> Arc<TaskContext> {
    let mut config = context.session_config().clone();
    config.options_mut().execution.sort_spill_reservation_bytes /= inputs.max(1);
    Arc::new(TaskContext::new(
        context.task_id(),
        context.session_id(),
        config,
        context.scalar_functions().clone(),
        context.higher_order_functions().clone(),
        context.aggregate_functions().clone(),
        context.window_functions().clone(),
        context.runtime_env(),
    ))
}

/// A row of an input: its batch among those that are held, and its place there.
type Row = Option<(u32, u32)>;

/// An input on its way.
struct Cursor {
    rows: SendableRecordBatchStream,
    /// What the rows of this output batch come from, the current one last.
    batches: Vec<RecordBatch>,
    /// The times of the current batch.
    times: Int64Array,
    at: usize,
    done: bool,
    /// Of each row of this output batch, the input's row at that instant.
    taken: Vec<Row>,
}

impl Cursor {
    fn new(rows: SendableRecordBatchStream) -> Self {
        let times = new_empty_array(&DataType::Int64).as_primitive::<Int64Type>().clone();
        Self { rows, batches: Vec::new(), times, at: 0, done: false, taken: Vec::new() }
    }

    /// Sees to it that there is a next row, unless there is none.
    async fn fill(&mut self) -> Result<()> {
        while !self.done && self.at == self.times.len() {
            match self.rows.next().await.transpose()? {
                None => self.done = true,
                Some(batch) if batch.num_rows() == 0 => {}
                Some(batch) => {
                    let times = cast(batch.column(0), &DataType::Int64)?;
                    self.times = times.as_primitive::<Int64Type>().clone();
                    self.at = 0;
                    self.batches.push(batch);
                }
            }
        }
        Ok(())
    }

    fn head(&self) -> Option<i64> {
        (self.at < self.times.len()).then(|| self.times.value(self.at))
    }

    /// Takes the next row when it is at this instant.
    fn take(&mut self, instant: i64) {
        let row = (self.head() == Some(instant)).then(|| {
            self.at += 1;
            // A batch has far fewer rows than 2^32, and an output batch takes
            // no more batches than it has rows.
            ((self.batches.len() - 1) as u32, (self.at - 1) as u32)
        });
        self.taken.push(row);
    }

    /// Lets go of what no further row comes from.
    fn release(&mut self) {
        self.taken.clear();
        if self.batches.len() > 1 {
            self.batches.drain(..self.batches.len() - 1);
        }
    }
}

struct Merge {
    cursors: Vec<Cursor>,
    outputs: Arc<[Output]>,
    schema: SchemaRef,
    batch_rows: usize,
    metrics: BaselineMetrics,
}

impl Merge {
    async fn next(&mut self) -> Result<Option<RecordBatch>> {
        let mut instants: Vec<i64> = Vec::with_capacity(self.batch_rows);
        while instants.len() < self.batch_rows {
            for cursor in &mut self.cursors {
                if cursor.at == cursor.times.len() {
                    cursor.fill().await?;
                }
            }
            let Some(instant) = self.cursors.iter().filter_map(Cursor::head).min() else { break };
            for cursor in &mut self.cursors {
                cursor.take(instant);
            }
            instants.push(instant);
        }
        if instants.is_empty() {
            return Ok(None);
        }
        let metrics = self.metrics.clone();
        let timer = metrics.elapsed_compute().timer();
        let batch = self.batch(&instants)?;
        for cursor in &mut self.cursors {
            cursor.release();
        }
        timer.done();
        Ok(Some(batch.record_output(&metrics)))
    }

    fn batch(&self, instants: &[i64]) -> Result<RecordBatch> {
        let columns = self.outputs.iter().zip(self.schema.fields()).map(|(output, field)| {
            let data_type = field.data_type();
            match output {
                Output::Time => {
                    let times = Int64Array::from(instants.to_vec());
                    Ok(cast(&times, data_type)?)
                }
                Output::Value(origins) => self.column(origins, data_type),
            }
        });
        let columns = columns.collect::<Result<Vec<ArrayRef>>>()?;
        let options = RecordBatchOptions::new().with_row_count(Some(instants.len()));
        RecordBatch::try_new_with_options(Arc::clone(&self.schema), columns, &options)
            .map_err(DataFusionError::from)
    }

    fn column(&self, origins: &[Origin], data_type: &DataType) -> Result<ArrayRef> {
        if let [origin] = origins
            && let Some(whole) = self.slice(*origin)
        {
            return Ok(whole);
        }
        // The first array is where rows without a value are taken from.
        let nothing = new_null_array(data_type, 1);
        let mut arrays: Vec<&dyn Array> = vec![nothing.as_ref()];
        let mut begins = Vec::with_capacity(origins.len());
        for origin in origins {
            begins.push(arrays.len());
            let batches = &self.cursors[origin.input].batches;
            arrays.extend(batches.iter().map(|batch| batch.column(origin.column).as_ref()));
        }
        let rows = self.cursors.first().map_or(0, |cursor| cursor.taken.len());
        let pick = |row: usize| {
            let found = origins.iter().zip(&begins).rev().find_map(|(origin, begin)| {
                let (batch, at) = self.cursors[origin.input].taken[row]?;
                let (array, at) = (begin + batch as usize, at as usize);
                // The last of them may as well be null.
                arrays[array].is_valid(at).then_some((array, at))
            });
            found.unwrap_or((0, 0))
        };
        let picked: Vec<(usize, usize)> = (0..rows).map(pick).collect();
        Ok(interleave(&arrays, &picked)?)
    }

    /// The rows of one input's column as they lie, where they are all there and
    /// follow each other.
    fn slice(&self, origin: Origin) -> Option<ArrayRef> {
        let cursor = &self.cursors[origin.input];
        let (batch, start) = (*cursor.taken.first()?)?;
        let mut wanted = (start..).map(|row| Some((batch, row)));
        let follows = cursor.taken.iter().all(|taken| wanted.next() == Some(*taken));
        let column = cursor.batches.get(batch as usize)?.column(origin.column);
        follows.then(|| column.slice(start as usize, cursor.taken.len()))
    }
}
