//! What a filter leaves of a column of times, as arithmetic.

use std::ops::Range;

use datafusion::common::ScalarValue;
use datafusion::logical_expr::{Expr, Operator, TableProviderFilterPushDown};

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
    match filter {
        Expr::BinaryExpr(both) if both.op == Operator::And => {
            let (left, right) = (times_of(&both.left, time)?, times_of(&both.right, time)?);
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
            let &ScalarValue::TimestampMicrosecond(Some(us), _) = value else { return None };
            let next = us.saturating_add(1);
            match op {
                Operator::Eq => Some(us..next),
                Operator::Lt => Some(i64::MIN..us),
                Operator::LtEq => Some(i64::MIN..next),
                Operator::Gt => Some(next..i64::MAX),
                Operator::GtEq => Some(us..i64::MAX),
                _ => None,
            }
        }
        Expr::Between(between) if !between.negated => {
            let Expr::Column(column) = between.expr.as_ref() else { return None };
            let (
                Expr::Literal(ScalarValue::TimestampMicrosecond(Some(low), _), _),
                Expr::Literal(ScalarValue::TimestampMicrosecond(Some(high), _), _),
            ) = (between.low.as_ref(), between.high.as_ref())
            else {
                return None;
            };
            (column.name == time).then(|| *low..high.saturating_add(1))
        }
        _ => None,
    }
}
