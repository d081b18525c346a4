//! One row of several at an instant.
//!
//! Always true: which row stays is a function of the set of rows: they are
//! ordered by the columns that are named, then by all others.

use datafusion::functions_window::expr_fn::row_number;
use datafusion::logical_expr::expr::Sort;
use datafusion::logical_expr::{ExprFunctionExt as _, LogicalPlanBuilder, col, lit};

use super::Table;
use super::config::{Deduplicate, Kept};
use crate::column_glob::no_column;
use crate::{Error, Result};

/// The column that numbers the rows of an instant, for a moment.
const NUMBER: &str = "__number of the row";

/// One row an instant and key.
pub(super) fn apply(how: &Deduplicate, table: Table) -> Result<Table> {
    let columns = table.columns();
    let names = table.names();
    let find = |name: &str| {
        let found = columns.iter().find(|(_, field)| field.name() == name);
        found
            .map(|(expr, _)| expr.clone())
            .ok_or_else(|| no_column(name, names.iter().map(String::as_str)))
    };
    let Some(time) = table.time_column.as_deref() else {
        return Err(Error::TimeColumn { candidates: Vec::new() });
    };
    let mut parts = vec![find(time)?];
    for name in &how.key {
        parts.push(find(name)?);
    }
    let mut order = Vec::with_capacity(columns.len());
    for name in &how.by {
        order.push(find(name)?);
    }
    for (expr, _) in &columns {
        if !parts.contains(expr) && !order.contains(expr) {
            order.push(expr.clone());
        }
    }
    let ascending = how.keep == Kept::First;
    // A row with a value is before one without, whichever end is kept.
    let order = order.into_iter().map(|expr| Sort::new(expr, ascending, false)).collect();
    let number = row_number().partition_by(parts).order_by(order).build()?.alias(NUMBER);
    let plan = LogicalPlanBuilder::from(table.plan)
        .window([number])?
        .filter(col(format!("\"{NUMBER}\"")).eq(lit(1_u64)))?
        .build()?;
    let columns = columns.into_iter().map(|(expr, field)| (expr, field.name().clone())).collect();
    Table { plan, ..table }.project(columns)
}
