//! The times of a computed table that are seen.
//!
//! Always true: bounds are closed, and let every row within them through,
//! whatever the unit of the column.

use std::sync::Arc;

use datafusion::common::Column;
use datafusion::datasource::{ViewTable, provider_as_source};
use datafusion::logical_expr::{Expr, LogicalPlanBuilder, Operator, binary_expr, lit};
use tinyfs::{Attributes, ContentHash, END_US, START_US, TimeUnit};

use crate::time::{Rounding, bound};
use crate::{ComputedTable, Lineage, Locality, Result, TimeBounds};

/// The bounds that a node declares among its attributes.
///
/// # Errors
/// [`tinyfs::Error::BadAttribute`].
pub fn declared_bounds(attributes: &Attributes) -> Result<TimeBounds> {
    let read = |key: &str| -> Result<Option<i64>> {
        let Some(value) = attributes.get(key) else { return Ok(None) };
        value.parse().map(Some).map_err(|_| {
            tinyfs::Error::BadAttribute { key: key.to_owned(), value: value.clone() }.into()
        })
    };
    Ok(TimeBounds { start_us: read(START_US)?, end_us: read(END_US)? })
}

/// The rows of `table` within the bounds that its node declares. They are part
/// of what it is computed by, so that whoever keeps results made of it sees
/// that they changed.
///
/// # Errors
/// [`tinyfs::Error::BadAttribute`], and what planning the filter says.
pub(crate) fn bounded_as_declared(
    table: ComputedTable,
    attributes: &Attributes,
) -> Result<ComputedTable> {
    let bounds = declared_bounds(attributes)?;
    if bounds == TimeBounds::ALL {
        return Ok(table);
    }
    let table = bounded_to(table, bounds)?;
    let hash = |of: &str| {
        let text = format!("{of} bounds {:?} {:?}", bounds.start_us, bounds.end_us);
        ContentHash::of(text.as_bytes())
    };
    let lineage = match table.lineage.as_ref() {
        Lineage::Computed { path, definition, locality, inputs } => Lineage::Computed {
            path: path.clone(),
            definition: hash(&definition.to_string()),
            locality: *locality,
            inputs: inputs.clone(),
        },
        _ => Lineage::Computed {
            path: "bounds".to_owned(),
            definition: hash(""),
            locality: Locality::Same,
            inputs: vec![Arc::clone(&table.lineage)],
        },
    };
    Ok(ComputedTable { lineage: Arc::new(lineage), ..table })
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
