//! Groups that are gathered before they are dealt out in order.
//!
//! A series declares the order of its times, so that a downsample is aggregated
//! in that order, each piece of the scan by itself. The groups of all pieces
//! then go through a repartition that keeps the order, which takes of the later
//! pieces no more than a few batches until the first has ended; and an
//! aggregate in order gives out a small batch for each that it takes. So one
//! processor was busy and the others waited. Gathered, the groups of a piece
//! are one batch, unless they are very many: then it goes as it went, in little
//! memory.

use std::sync::Arc;

use datafusion::common::Result;
use datafusion::common::config::ConfigOptions;
use datafusion::common::tree_node::{Transformed, TransformedResult as _, TreeNode as _};
use datafusion::physical_optimizer::PhysicalOptimizerRule;
use datafusion::physical_plan::aggregates::{AggregateExec, AggregateMode};
#[expect(deprecated, reason = "what took its place is inside operators, and not in this one")]
use datafusion::physical_plan::coalesce_batches::CoalesceBatchesExec;
use datafusion::physical_plan::repartition::RepartitionExec;
use datafusion::physical_plan::{
    ExecutionPlan, ExecutionPlanProperties as _, replace_children_if_necessary,
};

/// Groups of a piece that are gathered.
const GROUPS: usize = 64 << 10;

/// The rule that gathers them.
#[derive(Debug)]
pub(crate) struct GatherGroups;

impl PhysicalOptimizerRule for GatherGroups {
    fn optimize(
        &self,
        plan: Arc<dyn ExecutionPlan>,
        _: &ConfigOptions,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        plan.transform_up(gather).data()
    }

    fn name(&self) -> &'static str {
        "gather_groups"
    }

    fn schema_check(&self) -> bool {
        true
    }
}

fn gather(plan: Arc<dyn ExecutionPlan>) -> Result<Transformed<Arc<dyn ExecutionPlan>>> {
    let in_order = plan.downcast_ref::<RepartitionExec>().filter(|one| one.preserve_order());
    let Some(groups) = in_order.map(RepartitionExec::input) else {
        return Ok(Transformed::no(plan));
    };
    let partial = groups.downcast_ref::<AggregateExec>();
    let of_pieces = partial.is_some_and(|one| *one.mode() == AggregateMode::Partial)
        && groups.output_partitioning().partition_count() > 1;
    if !of_pieces {
        return Ok(Transformed::no(plan));
    }
    #[expect(deprecated, reason = "as above")]
    let gathered = Arc::new(CoalesceBatchesExec::new(Arc::clone(groups), GROUPS));
    Ok(Transformed::yes(replace_children_if_necessary(plan, vec![gathered])?))
}

#[cfg(test)]
mod tests {
    use arrow::array::{AsArray, Int64Array, RecordBatch, TimestampMicrosecondArray};
    use arrow::datatypes::{DataType, Field, Int64Type, Schema, TimeUnit};
    use datafusion::datasource::MemTable;
    use datafusion::execution::SessionStateBuilder;
    use datafusion::physical_plan::displayable;
    use datafusion::prelude::{SessionConfig, SessionContext, col};

    use super::*;

    const SECOND_US: i64 = 1_000_000;

    /// Two pieces of a series in the order of time.
    fn pieces() -> MemTable {
        let time = DataType::Timestamp(TimeUnit::Microsecond, None);
        let fields = [("t", time), ("v", DataType::Int64)];
        let fields = fields.map(|(name, data_type)| Field::new(name, data_type, false));
        let schema = Arc::new(Schema::new(fields.to_vec()));
        let piece = |from: i64| {
            let batches = (0..20).map(|batch| {
                let rows = from + batch * 1_000..from + (batch + 1) * 1_000;
                let times = rows.clone().map(|row| row * SECOND_US);
                let times = TimestampMicrosecondArray::from_iter_values(times);
                let values = Int64Array::from_iter_values(rows);
                let columns: Vec<arrow::array::ArrayRef> = vec![Arc::new(times), Arc::new(values)];
                RecordBatch::try_new(Arc::clone(&schema), columns).unwrap()
            });
            batches.collect::<Vec<_>>()
        };
        let table = MemTable::try_new(Arc::clone(&schema), vec![piece(0), piece(20_000)]).unwrap();
        table.with_sort_order(vec![vec![col("t").sort(true, false)]])
    }

    #[tokio::test]
    async fn groups_in_order_are_gathered_before_they_are_dealt_out() {
        let state = SessionStateBuilder::new()
            .with_default_features()
            .with_config(SessionConfig::new().with_target_partitions(2).with_batch_size(1_000))
            .with_physical_optimizer_rule(Arc::new(GatherGroups))
            .build();
        let context = SessionContext::new_with_state(state);
        context.register_table("s", Arc::new(pieces())).unwrap();
        let sql = "SELECT date_trunc('minute', t) AS m, sum(v) AS v FROM s GROUP BY 1 ORDER BY 1";
        let frame = context.sql(sql).await.unwrap();
        let plan = frame.clone().create_physical_plan().await.unwrap();
        let plan = displayable(plan.as_ref()).indent(false).to_string();
        assert!(plan.contains("preserve_order=true"), "{plan}");
        assert!(plan.contains("CoalesceBatchesExec: target_batch_size=65536"), "{plan}");
        let mut sums = Vec::new();
        for batch in frame.collect().await.unwrap() {
            sums.extend(batch.column(1).as_primitive::<Int64Type>().values().to_vec());
        }
        let expected = (0..40_000_i64).collect::<Vec<_>>();
        let expected: Vec<i64> = expected.chunks(60).map(|rows| rows.iter().sum()).collect();
        assert_eq!(sums, expected);
    }
}
