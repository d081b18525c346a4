//! One schema for many versions: columns united by name, types widened only
//! where no value changes, units never relabelled.
//!
//! The lattice, from left to right:
//! - null to anything; dictionary to its values;
//! - text of any layout to `Utf8View`, bytes to `BinaryView`;
//! - integers to the narrowest that holds both; integers with floats to
//!   `Float64` (64-bit integers only where the footer proves that every value
//!   is below 2^53 and so stays exact);
//! - decimals to the widest of both sides of the point, within 38 digits;
//! - timestamps to the finest unit; two zones to UTC, and a timestamp without
//!   zone to UTC beside one in UTC (any other zone is a conflict);
//! - lists by their items.
//!
//! Always true: the order of columns is that of their first appearance; a
//! column that a version lacks is nullable; the result does not depend on
//! which versions a filter leaves.
//!
//! Deliberately not here: casting. The scan does it, column by column.

use std::collections::HashMap;
use std::sync::Arc;

use arrow::datatypes::{DataType, Field, FieldRef, Schema, SchemaRef, TimeUnit};
use datafusion::common::stats::Precision;
use datafusion::common::{ScalarValue, Statistics};

use crate::{Error, Result, Side};

/// The key under which a column's metadata holds its unit.
pub const UNIT_KEY: &str = "unit";

/// Integers up to here are exact in `Float64`.
const EXACT_INT: i64 = 1 << 53;

/// A united schema, and what a reader of it should know.
#[derive(Clone, Debug)]
pub(crate) struct United {
    pub(crate) schema: SchemaRef,
    pub(crate) notes: Vec<String>,
}

/// One of the schemas to unite, and whose it is.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Source<'a> {
    /// The path of the node.
    pub(crate) path: &'a str,
    /// The version; 0 for a computed table, which has none.
    pub(crate) version: u64,
    pub(crate) schema: &'a SchemaRef,
    /// What is known of its values, where something is.
    pub(crate) statistics: Option<&'a Statistics>,
}

/// Unites the schemas of versions, oldest first.
///
/// # Errors
/// [`Error::TypeConflict`] and [`Error::UnitConflict`] name both versions.
pub(crate) fn unite<'a>(sources: impl IntoIterator<Item = Source<'a>>) -> Result<United> {
    let files: Vec<Source<'a>> = sources.into_iter().collect();
    let mut columns: Vec<Column> = Vec::new();
    let mut by_name: HashMap<String, usize> = HashMap::new();
    let mut previous: Option<&SchemaRef> = None;
    for (seen, file) in files.iter().enumerate() {
        // Most versions repeat the schema of the one before.
        if previous.is_some_and(|previous| Arc::ptr_eq(previous, file.schema)) {
            for field in file.schema.fields() {
                if let Some(&at) = by_name.get(field.name()) {
                    columns[at].present += 1;
                }
            }
            continue;
        }
        previous = Some(file.schema);
        for field in file.schema.fields() {
            match by_name.get(field.name()) {
                Some(&at) => columns[at].widen_by(file, field)?,
                None => {
                    by_name.insert(field.name().clone(), columns.len());
                    columns.push(Column::new(file, field, seen > 0));
                }
            }
        }
    }
    let mut notes = Vec::new();
    let mut fields = Vec::with_capacity(columns.len());
    for column in columns {
        if column.from_int64 && column.data_type == DataType::Float64 {
            check_exact(&column, &files)?;
        }
        fields.push(column.finish(files.len(), &mut notes));
    }
    Ok(United { schema: Arc::new(Schema::new(fields)), notes })
}

struct Column {
    name: String,
    data_type: DataType,
    nullable: bool,
    metadata: HashMap<String, String>,
    /// The version that last decided the type.
    decided: Side,
    /// The version that first gave a unit.
    unit: Option<Side>,
    /// A version that gives none.
    without_unit: Option<Side>,
    from_int64: bool,
    present: usize,
}

fn side(file: &Source<'_>, says: impl Into<String>) -> Side {
    Side { path: file.path.to_owned(), version: file.version, says: says.into() }
}

impl Column {
    fn new(file: &Source<'_>, field: &FieldRef, late: bool) -> Self {
        let data_type = plain(field.data_type());
        let mut column = Self {
            name: field.name().clone(),
            decided: side(file, data_type.to_string()),
            from_int64: is_int64(&data_type),
            data_type,
            nullable: field.is_nullable() || late,
            metadata: field.metadata().clone(),
            unit: None,
            without_unit: None,
            present: 1,
        };
        column.note_unit(file, field);
        column
    }

    fn widen_by(&mut self, file: &Source<'_>, field: &FieldRef) -> Result<()> {
        self.present += 1;
        let theirs = plain(field.data_type());
        self.from_int64 |= is_int64(&theirs);
        let wide = widen(&self.data_type, &theirs).map_err(|reason| Error::TypeConflict {
            column: self.name.clone(),
            left: Box::new(self.decided.clone()),
            right: Box::new(side(file, theirs.to_string())),
            reason: reason.to_owned(),
        })?;
        if wide != self.data_type {
            self.decided = side(file, wide.to_string());
            self.data_type = wide;
        }
        self.nullable |= field.is_nullable();
        self.note_unit(file, field);
        match (&self.unit, field.metadata().get(UNIT_KEY)) {
            (Some(ours), Some(theirs)) if ours.says != *theirs => {
                return Err(Error::UnitConflict {
                    column: self.name.clone(),
                    left: Box::new(ours.clone()),
                    right: Box::new(side(file, theirs)),
                });
            }
            _ => {}
        }
        // What only some versions say of a column does not hold for it.
        self.metadata.retain(|key, value| field.metadata().get(key) == Some(value));
        Ok(())
    }

    fn note_unit(&mut self, file: &Source<'_>, field: &FieldRef) {
        match field.metadata().get(UNIT_KEY) {
            Some(unit) if self.unit.is_none() => self.unit = Some(side(file, unit)),
            None if self.without_unit.is_none() => {
                self.without_unit = Some(side(file, "no unit"));
            }
            _ => {}
        }
    }

    fn finish(self, files: usize, notes: &mut Vec<String>) -> FieldRef {
        if let (Some(unit), Some(without)) = (&self.unit, &self.without_unit) {
            notes.push(format!(
                "column `{}` has no unit as a whole: it is {unit}, but has {without}",
                self.name
            ));
        }
        let nullable = self.nullable || self.present < files;
        let field = Field::new(self.name, self.data_type, nullable);
        Arc::new(field.with_metadata(self.metadata))
    }
}

fn is_int64(data_type: &DataType) -> bool {
    matches!(data_type, DataType::Int64 | DataType::UInt64)
}

/// Refuses a 64-bit integer column that would lose digits as a float.
fn check_exact(column: &Column, files: &[Source<'_>]) -> Result<()> {
    for file in files {
        let Some((at, field)) = file.schema.column_with_name(&column.name) else { continue };
        if !is_int64(field.data_type()) {
            continue;
        }
        let stats = file.statistics.and_then(|known| known.column_statistics.get(at));
        let exact = |bound: &Precision<ScalarValue>| match bound.get_value() {
            Some(ScalarValue::Int64(Some(value))) => value.unsigned_abs() <= EXACT_INT as u64,
            Some(ScalarValue::UInt64(Some(value))) => *value <= EXACT_INT as u64,
            _ => false,
        };
        let all_null = matches!(
            (stats.map(|stats| stats.null_count), file.statistics.map(|known| known.num_rows)),
            (Some(Precision::Exact(nulls)), Some(Precision::Exact(rows))) if nulls == rows
        );
        let bounded = stats.is_some_and(|stats| exact(&stats.min_value) && exact(&stats.max_value));
        if !(all_null || bounded) {
            return Err(Error::TypeConflict {
                column: column.name.clone(),
                left: Box::new(side(file, field.data_type().to_string())),
                right: Box::new(column.decided.clone()),
                reason: "integers of more than 53 bits lose digits as floats".into(),
            });
        }
    }
    Ok(())
}

/// The narrowest type that holds every value of both; `None` where there is
/// none, or where values would have to be looked at to tell.
#[must_use]
pub fn common_type(a: &DataType, b: &DataType) -> Option<DataType> {
    let (a, b) = (plain(a), plain(b));
    let wide = widen(&a, &b).ok()?;
    let loses_digits = wide == DataType::Float64 && (is_int64(&a) || is_int64(&b));
    (!loses_digits).then_some(wide)
}

/// The type in which a column of this type is worked with.
#[must_use]
pub fn plain_type(data_type: &DataType) -> DataType {
    plain(data_type)
}

/// The type in which a column of one version is read.
pub(crate) fn plain(data_type: &DataType) -> DataType {
    match data_type {
        DataType::Dictionary(_, value) => plain(value),
        DataType::Utf8 | DataType::LargeUtf8 => DataType::Utf8View,
        DataType::Binary | DataType::LargeBinary => DataType::BinaryView,
        other => other.clone(),
    }
}

/// The narrowest type that holds every value of both, both being [`plain`].
fn widen(a: &DataType, b: &DataType) -> Result<DataType, &'static str> {
    use DataType::{
        Date32, Date64, Decimal32, Decimal64, Decimal128, Duration, Float16, Float32, Float64,
        LargeList, List, Null, Time32, Time64, Timestamp,
    };
    if a == b {
        return Ok(a.clone());
    }
    let no_common = Err("the two have no common type");
    Ok(match (a, b) {
        (Null, other) | (other, Null) => other.clone(),
        _ if a.is_integer() && b.is_integer() => return widen_integers(a, b),
        (Float16 | Float32, Float16 | Float32) => Float32,
        _ if (a.is_integer() || a.is_floating()) && (b.is_integer() || b.is_floating()) => Float64,
        (
            Decimal32(p1, s1) | Decimal64(p1, s1) | Decimal128(p1, s1),
            Decimal32(p2, s2) | Decimal64(p2, s2) | Decimal128(p2, s2),
        ) => {
            let scale = *s1.max(s2);
            let whole = (i16::from(*p1) - i16::from(*s1)).max(i16::from(*p2) - i16::from(*s2));
            match u8::try_from(whole + i16::from(scale)) {
                Ok(precision) if precision <= 38 => Decimal128(precision, scale),
                _ => return Err("together they need more than 38 digits"),
            }
        }
        (Date32 | Date64, Date32 | Date64) => Date64,
        (Time32(u1) | Time64(u1), Time32(u2) | Time64(u2)) => match finest(*u1, *u2) {
            unit @ (TimeUnit::Second | TimeUnit::Millisecond) => Time32(unit),
            unit => Time64(unit),
        },
        (Duration(u1), Duration(u2)) => Duration(finest(*u1, *u2)),
        (Timestamp(u1, z1), Timestamp(u2, z2)) => Timestamp(finest(*u1, *u2), common_zone(z1, z2)?),
        (List(x), List(y)) => List(widen_items(x, y)?),
        (LargeList(x), LargeList(y) | List(y)) | (List(x), LargeList(y)) => {
            LargeList(widen_items(x, y)?)
        }
        _ => return no_common,
    })
}

fn widen_items(x: &FieldRef, y: &FieldRef) -> Result<FieldRef, &'static str> {
    let data_type = match widen(x.data_type(), y.data_type())? {
        DataType::Float64 if is_int64(x.data_type()) || is_int64(y.data_type()) => {
            return Err("64-bit integers in lists are not widened to floats");
        }
        wide => wide,
    };
    Ok(Arc::new(Field::new(x.name(), data_type, x.is_nullable() || y.is_nullable())))
}

fn widen_integers(a: &DataType, b: &DataType) -> Result<DataType, &'static str> {
    let bits = |t: &DataType| t.primitive_width().unwrap_or(8) * 8;
    let signed = |t: &DataType| t.is_signed_integer();
    let (needed, result_signed) = match (signed(a), signed(b)) {
        (true, true) | (false, false) => (bits(a).max(bits(b)), signed(a)),
        (true, false) => (bits(a).max(bits(b) * 2), true),
        (false, true) => (bits(b).max(bits(a) * 2), true),
    };
    Ok(match (needed, result_signed) {
        (8, true) => DataType::Int8,
        (16, true) => DataType::Int16,
        (32, true) => DataType::Int32,
        (64, true) => DataType::Int64,
        (8, false) => DataType::UInt8,
        (16, false) => DataType::UInt16,
        (32, false) => DataType::UInt32,
        (64, false) => DataType::UInt64,
        _ => return Err("no integer type holds both"),
    })
}

fn finest(a: TimeUnit, b: TimeUnit) -> TimeUnit {
    let rank = |unit| match unit {
        TimeUnit::Second => 0,
        TimeUnit::Millisecond => 1,
        TimeUnit::Microsecond => 2,
        TimeUnit::Nanosecond => 3,
    };
    if rank(a) >= rank(b) { a } else { b }
}

fn is_utc(zone: &str) -> bool {
    matches!(zone, "UTC" | "+00:00" | "Z" | "Etc/UTC" | "utc")
}

fn common_zone(
    a: &Option<Arc<str>>,
    b: &Option<Arc<str>>,
) -> Result<Option<Arc<str>>, &'static str> {
    match (a, b) {
        (None, None) => Ok(None),
        (Some(x), Some(y)) if x == y => Ok(Some(Arc::clone(x))),
        (Some(_), Some(_)) => Ok(Some(Arc::from("UTC"))),
        (Some(zone), None) | (None, Some(zone)) if is_utc(zone) => Ok(Some(Arc::clone(zone))),
        _ => Err("one has a zone that is not UTC, the other none"),
    }
}

/// A column name that `schema` does not have.
pub(crate) fn free_name(schema: &Schema, wish: &str) -> String {
    let mut name = wish.to_owned();
    while schema.column_with_name(&name).is_some() {
        name.insert(0, '_');
    }
    name
}

#[cfg(test)]
mod tests {
    use super::*;

    fn zoned(unit: TimeUnit, zone: Option<&str>) -> DataType {
        DataType::Timestamp(unit, zone.map(Arc::from))
    }

    #[test]
    fn widening_keeps_every_value() {
        use DataType::*;
        for (a, b, wide) in [
            (Int8, Int32, Int32),
            (UInt32, Int8, Int64),
            (UInt8, UInt16, UInt16),
            (Int16, Float32, Float64),
            (Float32, Float64, Float64),
            (Null, Utf8View, Utf8View),
            (Decimal128(10, 2), Decimal128(8, 4), Decimal128(12, 4)),
            (
                zoned(TimeUnit::Second, Some("UTC")),
                zoned(TimeUnit::Nanosecond, None),
                zoned(TimeUnit::Nanosecond, Some("UTC")),
            ),
            (
                zoned(TimeUnit::Millisecond, Some("Europe/Rome")),
                zoned(TimeUnit::Microsecond, Some("UTC")),
                zoned(TimeUnit::Microsecond, Some("UTC")),
            ),
        ] {
            assert_eq!(widen(&a, &b), Ok(wide.clone()), "{a} and {b}");
            assert_eq!(widen(&b, &a), Ok(wide), "{b} and {a}");
        }
    }

    #[test]
    fn types_without_a_common_one_conflict() {
        use DataType::*;
        for (a, b) in [
            (UInt64, Int8),
            (Utf8View, Float64),
            (Boolean, Int8),
            (Date32, zoned(TimeUnit::Second, None)),
            (zoned(TimeUnit::Second, Some("Europe/Rome")), zoned(TimeUnit::Second, None)),
            (Decimal128(38, 0), Decimal128(38, 10)),
        ] {
            assert!(widen(&a, &b).is_err(), "{a} and {b}");
            assert!(widen(&b, &a).is_err(), "{b} and {a}");
        }
    }
}
