//! What a filter leaves of a column of times, as arithmetic.

use std::ops::Range;

use arrow::datatypes::DataType;
use datafusion::common::ScalarValue;
use datafusion::logical_expr::{Expr, Operator, TableProviderFilterPushDown};
use tinyfs::TimeUnit;

/// For each filter whether it tells a table which times to make; it is applied
/// to the rows as well.
pub(crate) fn narrowing(filters: &[&Expr], time: &str) -> Vec<TableProviderFilterPushDown> {
    let pushed = |filter: &&Expr| match times_of(filter, time) {
        Some(_) => TableProviderFilterPushDown::Inexact,
        None => TableProviderFilterPushDown::Unsupported,
    };
    filters.iter().map(pushed).collect()
}

/// The times, in microseconds, that a filter leaves of a column of
/// microseconds; `None` when it is about something else. The end is not within.
pub(crate) fn times_of(filter: &Expr, time: &str) -> Option<Range<i64>> {
    times_in(filter, time, None)
}

/// The same of a column of times of any type; `unit` is that of an integer.
/// What lies between two microseconds is within on either side.
pub(crate) fn times_in(filter: &Expr, time: &str, unit: Option<TimeUnit>) -> Option<Range<i64>> {
    match filter {
        Expr::BinaryExpr(both) if both.op == Operator::And => {
            let left = times_in(&both.left, time, unit)?;
            let right = times_in(&both.right, time, unit)?;
            Some(left.start.max(right.start)..left.end.min(right.end))
        }
        Expr::BinaryExpr(compared) => {
            let (op, value) = match (compared.left.as_ref(), compared.right.as_ref()) {
                (Expr::Column(column), Expr::Literal(value, _)) if column.name == time => {
                    (compared.op, value)
                }
                (Expr::Literal(value, _), Expr::Column(column)) if column.name == time => {
                    (compared.op.swap()?, value)
                }
                _ => return None,
            };
            let moment = Moment::of(value, unit)?;
            let next_us = moment.us.saturating_add(1);
            match op {
                Operator::Eq => Some(moment.us..next_us),
                Operator::Lt if moment.is_whole => Some(i64::MIN..moment.us),
                Operator::Lt | Operator::LtEq => Some(i64::MIN..next_us),
                // The next nanosecond is within the same microsecond.
                Operator::Gt if moment.is_fine => Some(moment.us..i64::MAX),
                Operator::Gt => Some(next_us..i64::MAX),
                Operator::GtEq => Some(moment.us..i64::MAX),
                _ => None,
            }
        }
        Expr::Between(between) if !between.negated => {
            let Expr::Column(column) = between.expr.as_ref() else { return None };
            let (Expr::Literal(low, _), Expr::Literal(high, _)) =
                (between.low.as_ref(), between.high.as_ref())
            else {
                return None;
            };
            let (low, high) = (Moment::of(low, unit)?, Moment::of(high, unit)?);
            (column.name == time).then(|| low.us..high.us.saturating_add(1))
        }
        _ => None,
    }
}

/// A value that a column of times is compared with.
struct Moment {
    /// The microsecond that it lies in.
    us: i64,
    /// It is the beginning of that microsecond.
    is_whole: bool,
    /// The column has values within a microsecond.
    is_fine: bool,
}

impl Moment {
    fn of(value: &ScalarValue, unit: Option<TimeUnit>) -> Option<Self> {
        let coarse = |units: i64, us_per_unit: i64| {
            let us = units.checked_mul(us_per_unit)?;
            Some(Self { us, is_whole: true, is_fine: false })
        };
        let fine = |ns: i64| {
            let is_whole = ns.rem_euclid(1_000) == 0;
            Some(Self { us: ns.div_euclid(1_000), is_whole, is_fine: true })
        };
        match value {
            ScalarValue::TimestampSecond(units, _) => coarse((*units)?, 1_000_000),
            ScalarValue::TimestampMillisecond(units, _) | ScalarValue::Date64(units) => {
                coarse((*units)?, 1_000)
            }
            ScalarValue::TimestampMicrosecond(units, _) => coarse((*units)?, 1),
            ScalarValue::TimestampNanosecond(units, _) => fine((*units)?),
            ScalarValue::Date32(units) => coarse((*units)?.into(), 86_400_000_000),
            integer if integer.data_type().is_integer() => {
                let Ok(ScalarValue::Int64(Some(units))) = integer.cast_to(&DataType::Int64) else {
                    return None;
                };
                match unit? {
                    TimeUnit::Second => coarse(units, 1_000_000),
                    TimeUnit::Millisecond => coarse(units, 1_000),
                    TimeUnit::Microsecond => coarse(units, 1),
                    TimeUnit::Nanosecond => fine(units),
                }
            }
            _ => None,
        }
    }
}
