//! A column of times in plans: its values as microseconds, and conditions on
//! them.
//!
//! Always true: microseconds are rounded down, and conditions choose the rows
//! whose microseconds lie in a range, whatever the unit of the column.

use std::ops::Range;

use arrow::array::ArrayRef;
use arrow::datatypes::{DataType, Schema};
use arrow::error::ArrowError;
use datafusion::common::Column;
use datafusion::logical_expr::{Expr, col};
use tinyfs::TimeUnit as Declared;

use crate::times::{is_time, microseconds, within};
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
        let is_counted = data_type.is_integer() && declared.is_some();
        if !is_time(&data_type) && !is_counted {
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
        microseconds(times, self.declared)
    }

    /// The condition that a time lies in `range`; `None` for all of time.
    pub(crate) fn within(&self, range: &Range<i64>) -> Option<Expr> {
        within(&self.column(), &self.data_type, self.declared, range)
    }
}
