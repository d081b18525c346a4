//! Which columns hold times, and conditions on them.

use std::ops::Range;
use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Field, Int64Type, TimeUnit as ArrowUnit};
use arrow::error::ArrowError;
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

/// The condition that a column of times lies in a range of microseconds, the
/// end not within, whatever its type: `unit` is that of an integer. `None` for
/// all of time.
pub(crate) fn within(
    column: &Expr,
    data_type: &DataType,
    unit: Option<TimeUnit>,
    range: &Range<i64>,
) -> Option<Expr> {
    if range.is_empty() {
        return Some(lit(false));
    }
    let limit = |us: i64, first: bool| {
        let value = query::time_bound(us, data_type, unit, first)?;
        // What the type can not hold is clamped to its end, which may lie on the
        // wrong side. Further than microseconds tell is on the right one.
        if let Ok(Ok(at)) = value.to_array().map(|value| microseconds(&value, unit)) {
            let at = at.as_primitive::<Int64Type>().value(0);
            let is_beyond = if first { at < us } else { at > us };
            if is_beyond {
                return Some(lit(false));
            }
        }
        let column = column.clone();
        Some(if first { column.gt_eq(lit(value)) } else { column.lt_eq(lit(value)) })
    };
    let from = (range.start != i64::MIN).then(|| limit(range.start, true)).flatten();
    // By the last within, not by the end, which the type may not reach.
    let to = (range.end != i64::MAX).then(|| limit(range.end - 1, false)).flatten();
    from.into_iter().chain(to).reduce(Expr::and)
}

/// Times as microseconds, rounded down; `unit` is that of integers.
///
/// # Errors
/// A time beyond what microseconds tell.
pub(crate) fn microseconds(
    times: &ArrayRef,
    unit: Option<TimeUnit>,
) -> std::result::Result<ArrayRef, ArrowError> {
    let units = cast(times, &DataType::Int64)?;
    let units = units.as_primitive::<Int64Type>();
    let coarse = |us_per_unit: i64| {
        units.try_unary::<_, Int64Type, ArrowError>(|units| {
            units.checked_mul(us_per_unit).ok_or_else(|| {
                ArrowError::ComputeError(format!("{units} is no time that a calendar holds"))
            })
        })
    };
    let unit = unit.filter(|_| times.data_type().is_integer());
    let us = match (times.data_type(), unit) {
        (DataType::Date32, _) => coarse(86_400_000_000)?,
        (DataType::Timestamp(ArrowUnit::Second, _), _) | (_, Some(TimeUnit::Second)) => {
            coarse(1_000_000)?
        }
        (DataType::Timestamp(ArrowUnit::Millisecond, _) | DataType::Date64, _)
        | (_, Some(TimeUnit::Millisecond)) => coarse(1_000)?,
        (DataType::Timestamp(ArrowUnit::Nanosecond, _), _) | (_, Some(TimeUnit::Nanosecond)) => {
            units.unary::<_, Int64Type>(|units| units.div_euclid(1_000))
        }
        _ => units.clone(),
    };
    Ok(Arc::new(us))
}

#[cfg(test)]
mod tests {
    use datafusion::common::ScalarValue;
    use datafusion::logical_expr::col;

    use super::*;

    #[test]
    fn a_range_takes_what_lies_in_its_microseconds_whatever_the_type() {
        let of = |data_type: &DataType, unit, range: Range<i64>| {
            within(&col("t"), data_type, unit, &range)
        };
        let nanos = DataType::Timestamp(ArrowUnit::Nanosecond, None);
        let ns = |ns| lit(ScalarValue::TimestampNanosecond(Some(ns), None));
        let expected = col("t").gt_eq(ns(2_000)).and(col("t").lt_eq(ns(4_999)));
        assert_eq!(of(&nanos, None, 2..5), Some(expected));
        let expected = col("t").gt_eq(lit(2_i64)).and(col("t").lt_eq(lit(2_i64)));
        let seconds = Some(TimeUnit::Second);
        assert_eq!(of(&DataType::Int64, seconds, 1_000_001..3_000_000), Some(expected));
        // No 32 bits of seconds are beyond the year 2106: none is left out.
        let far = of(&DataType::UInt32, seconds, i64::MIN..i64::MAX - 1);
        assert_eq!(far, Some(col("t").lt_eq(lit(u32::MAX))));
        assert_eq!(of(&nanos, None, i64::MIN..i64::MAX), None);
        // None is in it either, and neither is the last that they hold.
        let beyond = of(&DataType::UInt32, seconds, i64::MAX / 2..i64::MAX);
        assert_eq!(beyond, Some(lit(false)));
        assert_eq!(of(&nanos, None, i64::MAX - 1..i64::MAX), Some(lit(false)));
    }
}
