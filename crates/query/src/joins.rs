//! Joins larger than memory.
//!
//! A hash join is the fast one, and holds one of its sides as a whole; it can
//! not spill. A merge join sorts both sides, which can. So a query is run with
//! hash joins, and where these run out of memory before its first row is out,
//! it is run once more with merge joins.
//!
//! Always true: a query is begun again only while none of its rows were handed
//! out; what is not short of memory costs nothing; the answer is the same but
//! for the order of rows, which a query without `ORDER BY` does not promise.
//!
//! Deliberately not here: an estimate of a side's size beforehand. Behind
//! filters and aggregates it is a guess, and guessing low is what it is to
//! prevent. Cross joins and joins on inequalities hold a side either way.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use datafusion::common::tree_node::TreeNode;
use datafusion::error::{DataFusionError, Result};
use datafusion::execution::{SendableRecordBatchStream, SessionState};
use datafusion::logical_expr::LogicalPlan;
use datafusion::physical_plan::joins::HashJoinExec;
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::{ExecutionPlan, execute_stream};
use futures::{FutureExt, StreamExt, stream};

use crate::Error;

/// Plans and starts a query; with `limited` memory its first batch is awaited
/// when there is a join that may need to be run in another way.
pub(crate) async fn start(
    state: &SessionState,
    plan: &LogicalPlan,
    limited: bool,
) -> Result<SendableRecordBatchStream> {
    let hashed = state.create_physical_plan(plan).await?;
    let holds_a_side = limited && has_hash_join(&hashed)?;
    let stream = execute_stream(hashed, state.task_ctx())?;
    if !holds_a_side {
        return Ok(stream);
    }
    match begun(stream).await {
        Err(error) if is_short_of_memory(&error) => {
            diagnostics::log_debug!("hash joins do not fit, merge joins are used: {error}", error);
            let mut state = state.clone();
            state.config_mut().options_mut().optimizer.prefer_hash_join = false;
            let merged = state.create_physical_plan(plan).await?;
            execute_stream(merged, state.task_ctx())
        }
        begun => begun,
    }
}

fn has_hash_join(plan: &Arc<dyn ExecutionPlan>) -> Result<bool> {
    plan.exists(|node| Ok(node.is::<HashJoinExec>()))
}

/// The same stream, once it is known that its first batch can be had.
async fn begun(mut stream: SendableRecordBatchStream) -> Result<SendableRecordBatchStream> {
    let schema = stream.schema();
    let first = AssertUnwindSafe(stream.next()).catch_unwind().await;
    let first = first.unwrap_or_else(|_| Some(Err(panicked()))).transpose()?;
    let all = stream::iter(first.map(Ok)).chain(stream);
    Ok(Box::pin(RecordBatchStreamAdapter::new(schema, all)))
}

/// A decoder that panics on a damaged or hostile file ends its query alone.
pub(crate) fn panicked() -> DataFusionError {
    let what = "a step of the query panicked: damaged content, or a defect";
    DataFusionError::Internal(what.to_owned())
}

fn is_short_of_memory(error: &DataFusionError) -> bool {
    // The disk's own limit comes in the same variant, and is ours to tell apart.
    match error.find_root() {
        DataFusionError::ResourcesExhausted(what) => matches!(
            Error::from(DataFusionError::ResourcesExhausted(what.clone())),
            Error::OutOfMemory { .. }
        ),
        _ => false,
    }
}
