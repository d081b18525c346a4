//! The times of a computed table that are seen.
//!
//! Always true: bounds are closed, and let every row within them through,
//! whatever the unit of the column.

use std::sync::Arc;

use datafusion::common::Column;
use datafusion::datasource::{ViewTable, provider_as_source};
use datafusion::logical_expr::{Expr, LogicalPlanBuilder, Operator, binary_expr, lit};
use tinyfs::{Attributes, TimeUnit};

use crate::time::{Rounding, bound};
use crate::{ComputedTable, Result, TimeBounds};

const START: &str = "series.start_us";
const END: &str = "series.end_us";

/// The bounds that a node declares among its attributes.
///
/// # Errors
/// [`tinyfs::Error::BadAttribute`].
pub(crate) fn declared_bounds(attributes: &Attributes) -> Result<TimeBounds> {
    let read = |key: &str| -> Result<Option<i64>> {
        let Some(value) = attributes.get(key) else { return Ok(None) };
        value.parse().map(Some).map_err(|_| {
            tinyfs::Error::BadAttribute { key: key.to_owned(), value: value.clone() }.into()
        })
    };
    Ok(TimeBounds { start_us: read(START)?, end_us: read(END)? })
}

/// The rows of `table` within `bounds`. A table without times has no bounds.
///
/// # Errors
/// What planning the filter says.
pub(crate) fn bounded_to(table: ComputedTable, bounds: TimeBounds) -> Result<ComputedTable> {
    let Some(name) = table.time_column.as_deref().filter(|_| bounds != TimeBounds::ALL) else {
        return Ok(table);
    };
    let schema = table.provider.schema();
    let field = schema.field_with_name(name).map_err(datafusion::error::DataFusionError::from)?;
    let unit = table.time_unit.unwrap_or(TimeUnit::Microsecond);
    let compare = |us: Option<i64>, operator, rounding| {
        let limit = bound(us?, field.data_type(), unit, rounding)?;
        let column = Expr::Column(Column::new_unqualified(name));
        Some(binary_expr(column, operator, lit(limit)))
    };
    let start = compare(bounds.start_us, Operator::GtEq, Rounding::Up);
    let end = compare(bounds.end_us, Operator::LtEq, Rounding::Down);
    let Some(condition) = start.into_iter().chain(end).reduce(Expr::and) else { return Ok(table) };
    let source = provider_as_source(Arc::clone(&table.provider));
    let plan = LogicalPlanBuilder::scan("computed", source, None)?.filter(condition)?.build()?;
    Ok(ComputedTable { provider: Arc::new(ViewTable::new(plan, None)), ..table })
}
