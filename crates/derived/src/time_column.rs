//! A column of times in plans: its values as microseconds, and conditions on
//! them.
//!
//! Always true: microseconds are rounded down, and conditions choose the rows
//! whose microseconds lie in a range, whatever the unit of the column.

use std::ops::Range;
use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Int64Type, Schema, TimeUnit};
use arrow::error::ArrowError;
use datafusion::common::{Column, ScalarValue};
use datafusion::logical_expr::{Expr, col, lit};
use tinyfs::TimeUnit as Declared;

use crate::{Error, Result};

/// What a table is called in plans over it.
pub(crate) const INPUT: &str = "input";

/// The column of times.
#[derive(Clone, Debug)]
pub(crate) struct TimeColumn {
    pub(crate) name: String,
    data_type: DataType,
    /// The unit of an integer.
    declared: Option<Declared>,
}

impl TimeColumn {
    /// The column `name` of `schema`; an integer is in the `declared` unit.
    pub(crate) fn of(schema: &Schema, name: &str, declared: Option<Declared>) -> Result<Self> {
        let Ok(field) = schema.field_with_name(name) else {
            let names = schema.fields().iter().map(|field| field.name().as_str());
            return Err(crate::column_glob::no_column(name, names));
        };
        let data_type = field.data_type().clone();
        let is_time = match &data_type {
            DataType::Timestamp(..) | DataType::Date32 | DataType::Date64 => true,
            other => other.is_integer() && declared.is_some(),
        };
        if !is_time {
            return Err(Error::NotTime { column: name.to_owned(), actual: data_type.to_string() });
        }
        let declared = declared.filter(|_| data_type.is_integer());
        Ok(Self { name: name.to_owned(), data_type, declared })
    }

    /// The column, in a plan.
    pub(crate) fn column(&self) -> Expr {
        col(Column::new(Some(INPUT), &self.name))
    }

    /// Its values as microseconds, rounded down.
    pub(crate) fn us(&self, times: &ArrayRef) -> std::result::Result<ArrayRef, ArrowError> {
        let units = cast(times, &DataType::Int64)?;
        let units = units.as_primitive::<Int64Type>();
        let coarse = |us_per_unit: i64| {
            units.try_unary::<_, Int64Type, ArrowError>(|units| {
                units.checked_mul(us_per_unit).ok_or_else(|| {
                    ArrowError::ComputeError(format!("{units} is no time that a calendar holds"))
                })
            })
        };
        let us = match (&self.data_type, self.declared) {
            (DataType::Date32, _) => coarse(86_400_000_000)?,
            (DataType::Timestamp(TimeUnit::Second, _), _) | (_, Some(Declared::Second)) => {
                coarse(1_000_000)?
            }
            (DataType::Timestamp(TimeUnit::Millisecond, _) | DataType::Date64, _)
            | (_, Some(Declared::Millisecond)) => coarse(1_000)?,
            (DataType::Timestamp(TimeUnit::Nanosecond, _), _) | (_, Some(Declared::Nanosecond)) => {
                units.unary::<_, Int64Type>(|units| units.div_euclid(1_000))
            }
            _ => units.clone(),
        };
        Ok(Arc::new(us))
    }

    /// The first of its values that is not before `us`; `None` where the type
    /// holds none that far, so that every value is on the near side.
    fn from(&self, us: i64) -> Option<Expr> {
        let coarse = |per_unit: i64| {
            us.div_euclid(per_unit).checked_add(i64::from(us.rem_euclid(per_unit) != 0))
        };
        let fine = |per_us: i64| us.checked_mul(per_us);
        let value = match &self.data_type {
            DataType::Timestamp(unit, zone) => {
                let zone = zone.clone();
                match unit {
                    TimeUnit::Second => {
                        ScalarValue::TimestampSecond(Some(coarse(1_000_000)?), zone)
                    }
                    TimeUnit::Millisecond => {
                        ScalarValue::TimestampMillisecond(Some(coarse(1_000)?), zone)
                    }
                    TimeUnit::Microsecond => ScalarValue::TimestampMicrosecond(Some(us), zone),
                    TimeUnit::Nanosecond => {
                        ScalarValue::TimestampNanosecond(Some(fine(1_000)?), zone)
                    }
                }
            }
            DataType::Date32 => {
                ScalarValue::Date32(Some(i32::try_from(coarse(86_400_000_000)?).ok()?))
            }
            DataType::Date64 => ScalarValue::Date64(Some(coarse(1_000)?)),
            other => {
                let units = match self.declared {
                    Some(Declared::Second) => coarse(1_000_000)?,
                    Some(Declared::Millisecond) => coarse(1_000)?,
                    Some(Declared::Nanosecond) => fine(1_000)?,
                    Some(Declared::Microsecond) | None => us,
                };
                ScalarValue::Int64(Some(units)).cast_to(other).ok()?
            }
        };
        Some(lit(value))
    }

    /// The condition that a time lies in `range`; `None` for all of time.
    pub(crate) fn within(&self, range: &Range<i64>) -> Option<Expr> {
        let from = (range.start != i64::MIN).then(|| self.from(range.start)).flatten();
        let to = (range.end != i64::MAX).then(|| self.from(range.end)).flatten();
        let from = from.map(|from| self.column().gt_eq(from));
        let to = to.map(|to| self.column().lt(to));
        match (from, to) {
            (Some(from), Some(to)) => Some(from.and(to)),
            (from, to) => from.or(to),
        }
    }
}
