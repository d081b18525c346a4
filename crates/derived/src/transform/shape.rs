//! Fewer columns, fewer rows.

use arrow::datatypes::{DataType, TimeUnit as ArrowUnit};
use datafusion::common::ScalarValue;
use datafusion::logical_expr::{Expr, lit};
use factory::config::Instant;
use tinyfs::TimeUnit;

use super::Table;
use crate::column_glob::ColumnGlob;
use crate::{Error, Result};

/// Without the columns that match; the column of times stays.
pub(super) fn drop(patterns: &[String], table: Table) -> Result<Table> {
    let dropped = matching(patterns, &table)?;
    chosen(table, |place| !dropped[place])
}

/// With the columns that match, and the column of times.
pub(super) fn keep(patterns: &[String], table: Table) -> Result<Table> {
    let kept = matching(patterns, &table)?;
    chosen(table, |place| kept[place])
}

/// Which columns match one of the patterns; each pattern has to match some.
fn matching(patterns: &[String], table: &Table) -> Result<Vec<bool>> {
    let names = table.names();
    let mut matched = vec![false; names.len()];
    for pattern in patterns {
        let glob = ColumnGlob::parse(pattern)?;
        let mut any = false;
        for (name, matched) in names.iter().zip(&mut matched) {
            if glob.matches(name) {
                (any, *matched) = (true, true);
            }
        }
        if !any {
            return Err(glob.no_match(names.iter().map(String::as_str)));
        }
    }
    Ok(matched)
}

fn chosen(table: Table, is_chosen: impl Fn(usize) -> bool) -> Result<Table> {
    let columns = table
        .columns()
        .into_iter()
        .enumerate()
        .filter(|(place, (_, field))| table.is_time(field.name()) || is_chosen(*place))
        .map(|(_, (expr, field))| (expr, field.name().clone()))
        .collect();
    table.project(columns)
}

/// Without rows before a time. A row without a time goes as well.
pub(super) fn floor(floor: Instant, table: Table) -> Result<Table> {
    let name = table.time_column.clone();
    let column = table.columns().into_iter().find(|(_, field)| Some(field.name()) == name.as_ref());
    let Some((expr, field)) = column else {
        return Err(Error::TimeColumn { candidates: Vec::new() });
    };
    let Some(limit) = at_or_after(floor.us, field.data_type(), table.input.time_unit) else {
        let actual = field.data_type().to_string();
        return Err(Error::NotTime { column: field.name().clone(), actual });
    };
    table.filter(expr.gt_eq(limit))
}

/// The first value of a column of times that is not before `us`.
fn at_or_after(us: i64, data_type: &DataType, unit: Option<TimeUnit>) -> Option<Expr> {
    let up = |divisor: i64| us.div_euclid(divisor) + i64::from(us.rem_euclid(divisor) > 0);
    let of_unit = |unit: &ArrowUnit| match unit {
        ArrowUnit::Second => Some(up(1_000_000)),
        ArrowUnit::Millisecond => Some(up(1_000)),
        ArrowUnit::Microsecond => Some(us),
        ArrowUnit::Nanosecond => us.checked_mul(1_000),
    };
    Some(lit(match data_type {
        DataType::Timestamp(unit, zone) => {
            let (value, zone) = (Some(of_unit(unit)?), zone.clone());
            match unit {
                ArrowUnit::Second => ScalarValue::TimestampSecond(value, zone),
                ArrowUnit::Millisecond => ScalarValue::TimestampMillisecond(value, zone),
                ArrowUnit::Microsecond => ScalarValue::TimestampMicrosecond(value, zone),
                ArrowUnit::Nanosecond => ScalarValue::TimestampNanosecond(value, zone),
            }
        }
        DataType::Date32 => ScalarValue::Date32(Some(i32::try_from(up(86_400_000_000)).ok()?)),
        DataType::Date64 => ScalarValue::Date64(Some(up(1_000))),
        integer if integer.is_integer() => ScalarValue::Int64(Some(match unit? {
            TimeUnit::Second => up(1_000_000),
            TimeUnit::Millisecond => up(1_000),
            TimeUnit::Microsecond => us,
            TimeUnit::Nanosecond => us.checked_mul(1_000)?,
        })),
        _ => return None,
    }))
}
