//! A projection over an equal projection, told apart before they are merged.
//!
//! `SELECT a * 2 AS a FROM (SELECT a * 2 AS a FROM (SELECT a * 2 AS a FROM t))`
//! doubles three times. DataFusion 55 takes a projection whose expressions
//! equal those of the one below for a repetition and drops one of them
//! (`merge_consecutive_projections`), which is right for plain columns alone:
//! it answers `a * 4`. So the columns of the lower one get names of their own.

use datafusion::common::config::ConfigOptions;
use datafusion::common::tree_node::{Transformed, TreeNode as _};
use datafusion::common::{Column, Result};
use datafusion::logical_expr::expr_rewriter::NamePreserver;
use datafusion::logical_expr::{Expr, LogicalPlan, Projection};
use datafusion::optimizer::AnalyzerRule;
use std::sync::Arc;

/// The rule that tells them apart.
#[derive(Debug)]
pub(crate) struct TellApart;

impl AnalyzerRule for TellApart {
    fn analyze(&self, plan: LogicalPlan, _: &ConfigOptions) -> Result<LogicalPlan> {
        Ok(plan.transform_up_with_subqueries(tell_apart)?.data)
    }

    fn name(&self) -> &'static str {
        "tell_equal_projections_apart"
    }
}

fn tell_apart(plan: LogicalPlan) -> Result<Transformed<LogicalPlan>> {
    if let LogicalPlan::Projection(upper) = &plan
        && let LogicalPlan::Projection(lower) = upper.input.as_ref()
        && upper.expr == lower.expr
        && !upper.expr.iter().all(|expr| matches!(expr, Expr::Column(_)))
    {
        return Ok(Transformed::yes(LogicalPlan::Projection(renamed(upper, lower)?)));
    }
    Ok(Transformed::no(plan))
}

fn renamed(upper: &Projection, lower: &Projection) -> Result<Projection> {
    let name = |at: usize| format!("__lower_{at}");
    let exprs = lower.expr.iter().enumerate();
    let exprs = exprs.map(|(at, expr)| expr.clone().unalias().alias(name(at))).collect();
    let input = LogicalPlan::Projection(Projection::try_new(exprs, Arc::clone(&lower.input))?);
    let names = NamePreserver::new_for_projection();
    let exprs = upper.expr.iter().map(|expr| {
        let kept = names.save(expr);
        let renamed = expr.clone().transform(|expr| {
            let Expr::Column(column) = &expr else { return Ok(Transformed::no(expr)) };
            let at = lower.schema.index_of_column(column)?;
            Ok(Transformed::yes(Expr::Column(Column::new_unqualified(name(at)))))
        })?;
        Ok(kept.restore(renamed.data))
    });
    let exprs = exprs.collect::<Result<Vec<_>>>()?;
    Projection::try_new_with_schema(exprs, Arc::new(input), Arc::clone(&upper.schema))
}
