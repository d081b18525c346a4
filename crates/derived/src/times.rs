//! Which columns hold times.

use arrow::datatypes::{DataType, Field};
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
