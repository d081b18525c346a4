//! Which columns hold times.

use arrow::datatypes::{DataType, Field, TimeUnit as ArrowUnit};
use datafusion::common::Column;
use datafusion::logical_expr::{Expr, Operator, binary_expr, lit};
use query::ComputedTable;
use tinyfs::TimeUnit;

use crate::{Error, Result};

/// Whether the type alone says that these are times.
pub(crate) const fn is_time(data_type: &DataType) -> bool {
    matches!(data_type, DataType::Timestamp(..) | DataType::Date32 | DataType::Date64)
}

/// The unit of a column of times where its type does not tell: that of the
/// integers of the inputs, where all agree.
///
/// # Errors
/// [`Error::NotTime`].
pub(crate) fn unit_of<'a>(
    field: &Field,
    inputs: impl IntoIterator<Item = &'a ComputedTable>,
) -> Result<Option<TimeUnit>> {
    if is_time(field.data_type()) {
        return Ok(None);
    }
    let mut units = inputs.into_iter().map(|input| input.time_unit);
    let first = units.next().flatten().filter(|_| field.data_type().is_integer());
    match first {
        Some(unit) if units.all(|other| other == Some(unit)) => Ok(Some(unit)),
        _ => Err(Error::NotTime {
            column: field.name().clone(),
            actual: field.data_type().to_string(),
        }),
    }
}

/// The type of the instants that a column of times holds, without a zone where
/// it has none: `unit` is that of an integer. `None` where these are no times.
pub(crate) fn instant_type(data_type: &DataType, unit: Option<TimeUnit>) -> Option<DataType> {
    Some(match data_type {
        DataType::Timestamp(..) => data_type.clone(),
        DataType::Date32 => DataType::Timestamp(ArrowUnit::Second, None),
        DataType::Date64 => DataType::Timestamp(ArrowUnit::Millisecond, None),
        integer if integer.is_integer() => {
            let unit = match unit? {
                TimeUnit::Second => ArrowUnit::Second,
                TimeUnit::Millisecond => ArrowUnit::Millisecond,
                TimeUnit::Microsecond => ArrowUnit::Microsecond,
                TimeUnit::Nanosecond => ArrowUnit::Nanosecond,
            };
            DataType::Timestamp(unit, None)
        }
        _ => return None,
    })
}

/// The condition that a column of times is at or after (`GtEq`), or at or
/// before (`LtEq`) an instant; `None` without an instant.
pub(crate) fn limit(
    field: &Field,
    unit: Option<TimeUnit>,
    us: Option<i64>,
    operator: Operator,
) -> Option<Expr> {
    let value = query::time_bound(us?, field.data_type(), unit, operator == Operator::GtEq)?;
    let column = Expr::Column(Column::new_unqualified(field.name()));
    Some(binary_expr(column, operator, lit(value)))
}
