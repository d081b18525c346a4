//! The time column of a table: where it is, what it counts, and its values in
//! microseconds.
//!
//! A time column is a top-level timestamp, date or integer. Integers carry no
//! unit, so the declaration of the series says it.
//!
//! Deliberately not here: parsing of texts into times, which is the readers'.

use arrow::array::{Array, ArrayRef, AsArray};
use arrow::datatypes::{
    ArrowPrimitiveType, DataType, Date32Type, Date64Type, Field, Int32Type, Int64Type, Schema,
    TimeUnit as ArrowUnit, TimestampMicrosecondType, TimestampMillisecondType,
    TimestampNanosecondType, TimestampSecondType, UInt32Type,
};
use tinyfs::TimeUnit;

use crate::{Error, Result};

/// What one step of a stored time value is worth.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    /// Days, of `Date32`.
    Day,
    /// A unit of [`TimeUnit`].
    Unit(TimeUnit),
}

impl Step {
    /// The microsecond at or before the value; `None` when out of range.
    pub(crate) fn floor_us(self, value: i64) -> Option<i64> {
        match self {
            Self::Day => value.checked_mul(86_400_000_000),
            Self::Unit(TimeUnit::Second) => value.checked_mul(1_000_000),
            Self::Unit(TimeUnit::Millisecond) => value.checked_mul(1_000),
            Self::Unit(TimeUnit::Microsecond) => Some(value),
            Self::Unit(TimeUnit::Nanosecond) => Some(value.div_euclid(1_000)),
        }
    }

    /// The microsecond at or after the value; `None` when out of range.
    pub(crate) fn ceil_us(self, value: i64) -> Option<i64> {
        match self {
            Self::Unit(TimeUnit::Nanosecond) => {
                Some(value.div_euclid(1_000) + i64::from(value.rem_euclid(1_000) != 0))
            }
            _ => self.floor_us(value),
        }
    }
}

/// The unit of an Arrow timestamp.
pub(crate) const fn unit_of(unit: ArrowUnit) -> TimeUnit {
    match unit {
        ArrowUnit::Second => TimeUnit::Second,
        ArrowUnit::Millisecond => TimeUnit::Millisecond,
        ArrowUnit::Microsecond => TimeUnit::Microsecond,
        ArrowUnit::Nanosecond => TimeUnit::Nanosecond,
    }
}

/// The unit that a column's type implies for the declaration of a series:
/// that of a timestamp, seconds for dates of days, milliseconds for dates of
/// milliseconds. `None` for integers, whose unit must be said.
///
/// # Errors
/// [`Error::NoColumn`], [`Error::NotTime`].
pub fn implied_unit(path: &str, schema: &Schema, column: &str) -> Result<Option<TimeUnit>> {
    let field = find(path, schema, column)?;
    match field.data_type() {
        DataType::Timestamp(unit, _) => Ok(Some(unit_of(*unit))),
        DataType::Date32 => Ok(Some(TimeUnit::Second)),
        DataType::Date64 => Ok(Some(TimeUnit::Millisecond)),
        DataType::Int64 | DataType::Int32 | DataType::UInt32 => Ok(None),
        other => Err(not_time(path, column, other)),
    }
}

/// The field of this name.
pub(crate) fn find<'a>(path: &str, schema: &'a Schema, column: &str) -> Result<&'a Field> {
    schema.fields().iter().find(|field| field.name() == column).map(AsRef::as_ref).ok_or_else(
        || Error::NoColumn {
            path: path.to_owned(),
            column: column.to_owned(),
            nearest: nearest(schema, column),
        },
    )
}

/// What a step of the column is worth in a series declared in `declared`.
pub(crate) fn step(path: &str, schema: &Schema, column: &str, declared: TimeUnit) -> Result<Step> {
    let field = find(path, schema, column)?;
    let given = match field.data_type() {
        DataType::Date32 => return Ok(Step::Day),
        DataType::Int64 | DataType::Int32 | DataType::UInt32 => return Ok(Step::Unit(declared)),
        DataType::Date64 => TimeUnit::Millisecond,
        DataType::Timestamp(unit, _) => unit_of(*unit),
        other => return Err(not_time(path, column, other)),
    };
    if given > declared {
        return Err(Error::UnitMismatch {
            path: path.to_owned(),
            column: column.to_owned(),
            declared,
            given,
        });
    }
    Ok(Step::Unit(given))
}

/// The values of a time column as 64-bit integers in its own unit. The array
/// has no nulls where the result is read.
pub(crate) fn values(array: &ArrayRef) -> Option<Vec<i64>> {
    fn wide<T: ArrowPrimitiveType>(array: &ArrayRef) -> Vec<i64>
    where
        T::Native: Into<i64>,
    {
        array.as_primitive::<T>().values().iter().map(|value| (*value).into()).collect()
    }
    Some(match array.data_type() {
        DataType::Timestamp(ArrowUnit::Second, _) => wide::<TimestampSecondType>(array),
        DataType::Timestamp(ArrowUnit::Millisecond, _) => wide::<TimestampMillisecondType>(array),
        DataType::Timestamp(ArrowUnit::Microsecond, _) => wide::<TimestampMicrosecondType>(array),
        DataType::Timestamp(ArrowUnit::Nanosecond, _) => wide::<TimestampNanosecondType>(array),
        DataType::Date32 => wide::<Date32Type>(array),
        DataType::Date64 => wide::<Date64Type>(array),
        DataType::Int64 => wide::<Int64Type>(array),
        DataType::Int32 => wide::<Int32Type>(array),
        DataType::UInt32 => wide::<UInt32Type>(array),
        _ => return None,
    })
}

/// The first row without a time, counted from 0 within the array.
pub(crate) fn first_null(array: &ArrayRef) -> Option<usize> {
    if array.null_count() == 0 {
        return None;
    }
    (0..array.len()).find(|row| array.is_null(*row))
}

pub(crate) fn not_time(path: &str, column: &str, actual: &DataType) -> Error {
    Error::NotTime { path: path.to_owned(), column: column.to_owned(), actual: actual.to_string() }
}

/// All columns, those with a name most like `wanted` first.
fn nearest(schema: &Schema, wanted: &str) -> Vec<String> {
    let mut names: Vec<_> = schema.fields().iter().map(|field| field.name().clone()).collect();
    let lower = wanted.to_lowercase();
    names.sort_by(|a, b| {
        let likeness = |name: &str| strsim::jaro_winkler(&lower, &name.to_lowercase());
        likeness(b).total_cmp(&likeness(a))
    });
    names
}
