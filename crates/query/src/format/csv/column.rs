//! Columns under construction.
//!
//! What always holds: a value that the first reading classified is taken here
//! without loss; one that can not be taken means that the file changed.

use std::sync::Arc;

use arrow::array::{
    ArrayRef, BooleanBuilder, Date32Builder, Float64Builder, Int64Builder, NullArray,
    StringBuilder, TimestampMicrosecondArray, TimestampNanosecondArray,
};

use crate::format::time::{Time, iso};

use super::infer::{Kind, parse_bool, parse_float, parse_int};

/// A value that is not what the first reading saw.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Surprise;

/// A column under construction.
#[derive(Debug)]
pub(super) enum Column {
    Null(usize),
    Bool(BooleanBuilder),
    Int(Int64Builder),
    Float(Float64Builder),
    Date(Date32Builder),
    Time { values: Vec<Option<i64>>, kind: Kind },
    Text(StringBuilder),
}

impl Column {
    pub(super) fn new(kind: Kind, rows: usize) -> Self {
        match kind {
            Kind::Null => Self::Null(0),
            Kind::Bool => Self::Bool(BooleanBuilder::with_capacity(rows)),
            Kind::Int64 => Self::Int(Int64Builder::with_capacity(rows)),
            Kind::Float64 => Self::Float(Float64Builder::with_capacity(rows)),
            Kind::Date => Self::Date(Date32Builder::with_capacity(rows)),
            Kind::Local { .. } | Kind::Instant { .. } => {
                Self::Time { values: Vec::with_capacity(rows), kind }
            }
            Kind::Text => Self::Text(StringBuilder::with_capacity(rows, rows * 8)),
        }
    }

    /// Appends a value as it is written; `null` says that it stands for none.
    pub(super) fn append(&mut self, raw: &[u8], null: bool) -> Result<(), Surprise> {
        let text = raw.trim_ascii();
        let null_here = null || text.is_empty();
        match self {
            Self::Text(column) if null => column.append_null(),
            // Only blanks are text too.
            Self::Text(column) => {
                column.append_value(std::str::from_utf8(raw).map_err(|_| Surprise)?);
            }
            Self::Null(rows) if null_here => *rows += 1,
            Self::Null(_) => return Err(Surprise),
            Self::Bool(column) if null_here => column.append_null(),
            Self::Bool(column) => column.append_value(parse_bool(text).ok_or(Surprise)?),
            Self::Int(column) if null_here => column.append_null(),
            Self::Int(column) => column.append_value(parse_int(text).ok_or(Surprise)?),
            Self::Float(column) if null_here => column.append_null(),
            Self::Float(column) => column.append_value(parse_float(text).ok_or(Surprise)?),
            Self::Date(column) if null_here => column.append_null(),
            Self::Date(column) => {
                let civil = iso::parse(text).ok_or(Surprise)?;
                let days = i32::try_from(civil.local.div_euclid(86_400)).map_err(|_| Surprise)?;
                column.append_value(days);
            }
            Self::Time { values, .. } if null_here => values.push(None),
            Self::Time { values, kind } => {
                let civil = iso::parse(text).ok_or(Surprise)?;
                let secs = civil.local - i64::from(civil.offset.unwrap_or(0));
                values.push(Some(count(*kind, secs, civil.nanos)?));
            }
        }
        Ok(())
    }

    /// Appends a time that was read already.
    pub(super) fn append_time(&mut self, secs: i64, nanos: u32) -> Result<(), Surprise> {
        let Self::Time { values, kind } = self else { return Err(Surprise) };
        values.push(Some(count(*kind, secs, nanos)?));
        Ok(())
    }

    /// Replaces the time of a row.
    pub(super) fn set_time(&mut self, row: usize, secs: i64, nanos: u32) -> Result<(), Surprise> {
        let Self::Time { values, kind } = self else { return Err(Surprise) };
        *values.get_mut(row).ok_or(Surprise)? = Some(count(*kind, secs, nanos)?);
        Ok(())
    }

    /// The column.
    pub(super) fn finish(self) -> ArrayRef {
        match self {
            Self::Null(rows) => Arc::new(NullArray::new(rows)),
            Self::Bool(mut column) => Arc::new(column.finish()),
            Self::Int(mut column) => Arc::new(column.finish()),
            Self::Float(mut column) => Arc::new(column.finish()),
            Self::Date(mut column) => Arc::new(column.finish()),
            Self::Text(mut column) => Arc::new(column.finish()),
            Self::Time { values, kind } => {
                let zone = matches!(kind, Kind::Instant { .. }).then_some("UTC");
                if is_nanos(kind) {
                    Arc::new(TimestampNanosecondArray::from(values).with_timezone_opt(zone))
                } else {
                    Arc::new(TimestampMicrosecondArray::from(values).with_timezone_opt(zone))
                }
            }
        }
    }
}

fn is_nanos(kind: Kind) -> bool {
    matches!(kind, Kind::Local { nanos: true } | Kind::Instant { nanos: true })
}

fn count(kind: Kind, secs: i64, nanos: u32) -> Result<i64, Surprise> {
    if is_nanos(kind) {
        Time::nanos(secs, nanos).ok_or(Surprise)
    } else {
        Ok(Time::micros(secs, nanos))
    }
}
