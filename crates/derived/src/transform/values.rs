//! Other types and other units for columns.

use std::collections::BTreeMap;

use arrow::datatypes::{DataType, Field, TimeUnit};
use datafusion::common::metadata::FieldMetadata;
use datafusion::logical_expr::{Expr, cast as cast_to, lit, try_cast};
use query::UNIT_KEY;

use super::Table;
use super::config::{Cast, Convert, Type};
use crate::column_glob::ColumnGlob;
use crate::{Error, Result, units};

/// The type as the engine knows it.
pub(super) fn data_type(of: Type) -> DataType {
    match of {
        Type::Bool => DataType::Boolean,
        Type::Int64 => DataType::Int64,
        Type::Float64 => DataType::Float64,
        Type::Utf8 => DataType::Utf8,
        Type::Timestamp => DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into())),
    }
}

/// Other types.
pub(super) fn cast(cast: &Cast, table: Table) -> Result<Table> {
    each(&cast.columns, table, |to, expr, field| {
        let to = data_type(*to);
        let expr = if cast.r#try { try_cast(expr, to) } else { cast_to(expr, to) };
        Ok((expr, field.name().clone(), metadata(field, None)))
    })
}

/// Other units.
pub(super) fn convert(convert: &Convert, table: Table) -> Result<Table> {
    each(&convert.columns, table, |change, expr, field| {
        let name = field.name();
        if !field.data_type().is_numeric() {
            let actual = field.data_type().to_string();
            return Err(Error::NotNumeric { column: name.clone(), actual });
        }
        let from = field.metadata().get(UNIT_KEY).or(change.from.as_ref());
        let from = from.ok_or_else(|| Error::NoUnit { column: name.clone() })?;
        let linear = units::convert(from, &change.to)?;
        let value = cast_to(expr, DataType::Float64);
        let scaled = if linear.scale == 1.0 { value } else { value * lit(linear.scale) };
        let shifted = if linear.shift == 0.0 { scaled } else { scaled + lit(linear.shift) };
        let ending = format!(".{from}");
        let name = match name.strip_suffix(&ending) {
            Some(begin) => format!("{begin}.{}", change.to),
            None => name.clone(),
        };
        Ok((shifted, name, metadata(field, Some(&change.to))))
    })
}

/// A field's metadata, with another unit where one is given.
fn metadata(field: &Field, unit: Option<&str>) -> FieldMetadata {
    let mut all: BTreeMap<String, String> =
        field.metadata().iter().map(|(key, value)| (key.clone(), value.clone())).collect();
    if let Some(unit) = unit {
        all.insert(UNIT_KEY.to_owned(), unit.to_owned());
    }
    FieldMetadata::from(all)
}

/// Changes each column by the first pattern of `rules` that it matches. A
/// pattern that no column matches is an error; the column of times is left
/// alone.
fn each<R>(
    rules: &BTreeMap<String, R>,
    table: Table,
    change: impl Fn(&R, Expr, &Field) -> Result<(Expr, String, FieldMetadata)>,
) -> Result<Table> {
    let globs = rules
        .iter()
        .map(|(pattern, rule)| Ok((ColumnGlob::parse(pattern)?, rule)))
        .collect::<Result<Vec<_>>>()?;
    let names = table.names();
    let changes = |name: &String| !table.is_time(name);
    for (glob, _) in &globs {
        if !names.iter().filter(|name| changes(name)).any(|name| glob.matches(name)) {
            return Err(glob.no_match(names.iter().map(String::as_str)));
        }
    }
    let mut columns = Vec::with_capacity(names.len());
    for (expr, field) in table.columns() {
        let rule = globs
            .iter()
            .find(|(glob, _)| changes(field.name()) && glob.matches(field.name()))
            .map(|(_, rule)| rule);
        columns.push(match rule {
            None => (expr, field.name().clone()),
            Some(rule) => {
                let (expr, name, metadata) = change(rule, expr, &field)?;
                (expr.alias_with_metadata(name.clone(), Some(metadata)), name)
            }
        });
    }
    table.project(columns)
}
