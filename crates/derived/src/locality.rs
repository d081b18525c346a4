//! Where a change of its inputs can change the rows of a query.
//!
//! Always true: an answer of [`Locality::Same`] is proven by the form of the
//! plan; whatever is not understood is [`Locality::Everything`].

use std::collections::BTreeMap;

use datafusion::common::tree_node::{TreeNode, TreeNodeRecursion};
use datafusion::logical_expr::{Expr, LogicalPlan, Volatility};
use query::{ComputedTable, Locality};

/// The locality of a plan whose scans are the inputs themselves.
pub(crate) fn of_query(
    plan: &LogicalPlan,
    time_column: &str,
    inputs: &BTreeMap<String, ComputedTable>,
) -> Locality {
    let at = plan.schema().index_of_column_by_name(None, time_column);
    match at {
        Some(at) if row_by_row(plan) && is_input_time(plan, at, inputs) => Locality::Same,
        _ => Locality::Everything,
    }
}

/// Whether each row of the plan comes from one row of one input, by itself.
fn row_by_row(plan: &LogicalPlan) -> bool {
    let mut yes = true;
    let walked = plan.apply(|node| {
        yes &= matches!(
            node,
            LogicalPlan::Projection(_)
                | LogicalPlan::Filter(_)
                | LogicalPlan::SubqueryAlias(_)
                | LogicalPlan::TableScan(_)
                | LogicalPlan::Union(_)
        );
        node.apply_expressions(|expr| {
            yes &= !expr.exists(|expr| Ok(looks_elsewhere(expr)))?;
            Ok(TreeNodeRecursion::Continue)
        })
    });
    yes && walked.is_ok()
}

/// Whether an expression depends on more than its row.
fn looks_elsewhere(expr: &Expr) -> bool {
    match expr {
        Expr::AggregateFunction(_)
        | Expr::WindowFunction(_)
        | Expr::ScalarSubquery(_)
        | Expr::InSubquery(_)
        | Expr::SetComparison(_)
        | Expr::Exists(_)
        | Expr::Unnest(_)
        | Expr::OuterReferenceColumn(..) => true,
        Expr::ScalarFunction(function) => {
            function.func.signature().volatility != Volatility::Immutable
        }
        _ => false,
    }
}

/// Whether a column of the plan is the time of an input, unchanged.
fn is_input_time(plan: &LogicalPlan, at: usize, inputs: &BTreeMap<String, ComputedTable>) -> bool {
    match plan {
        LogicalPlan::Projection(projection) => {
            let Some(expr) = projection.expr.get(at) else { return false };
            let Expr::Column(column) = expr.clone().unalias() else { return false };
            let below = projection.input.schema().maybe_index_of_column(&column);
            below.is_some_and(|at| is_input_time(&projection.input, at, inputs))
        }
        LogicalPlan::Filter(filter) => is_input_time(&filter.input, at, inputs),
        LogicalPlan::SubqueryAlias(alias) => is_input_time(&alias.input, at, inputs),
        LogicalPlan::Union(union) => {
            union.inputs.iter().all(|input| is_input_time(input, at, inputs))
        }
        LogicalPlan::TableScan(scan) => {
            let input = inputs.get(scan.table_name.table());
            let time = input.and_then(|input| input.time_column.as_deref());
            let column = scan.projected_schema.fields().get(at);
            column.is_some_and(|column| Some(column.name().as_str()) == time)
        }
        _ => false,
    }
}
