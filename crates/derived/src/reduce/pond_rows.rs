//! The rows of a table of the pond, as a reduction reads them.
//!
//! One plan a range: filtered by time, sorted by time, and cast. Where the
//! table's order is declared nothing is sorted; else the sort spills.
//!
//! Always true: what is held here does not hold the session that it is of,
//! which holds this.

use std::ops::Range;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, RecordBatch};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Int64Type, Schema, TimeUnit};
use arrow::error::ArrowError;
use async_trait::async_trait;
use datafusion::catalog::TableProvider;
use datafusion::common::{Column, ScalarValue};
use datafusion::datasource::provider_as_source;
use datafusion::execution::SessionState;
use datafusion::logical_expr::{Expr, LogicalPlanBuilder, cast as cast_to, col, lit, when};
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::{SendableRecordBatchStream, execute_stream};
use futures::StreamExt;
use query::Lineage;
use tinyfs::{Store, TimeUnit as Declared};

use super::build::ALWAYS;
use super::partial::{Reduced, TIME};
use super::rows::RowSource;
use crate::changes::{self, Changed, Stamp};
use crate::{Error, Result};

/// What the input is called in plans.
const INPUT: &str = "input";

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

    fn column(&self) -> Expr {
        col(Column::new(Some(INPUT), &self.name))
    }

    /// Its values as microseconds, rounded down.
    fn us(&self, times: &ArrayRef) -> std::result::Result<ArrayRef, ArrowError> {
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

    fn within(&self, range: &Range<i64>) -> Option<Expr> {
        let from = (range.start != ALWAYS.start).then(|| self.from(range.start)).flatten();
        let to = (range.end != ALWAYS.end).then(|| self.from(range.end)).flatten();
        let from = from.map(|from| self.column().gt_eq(from));
        let to = to.map(|to| self.column().lt(to));
        match (from, to) {
            (Some(from), Some(to)) => Some(from.and(to)),
            (from, to) => from.or(to),
        }
    }
}

/// The rows of a table.
pub(crate) struct PondRows {
    pub(crate) provider: Arc<dyn TableProvider>,
    pub(crate) time: TimeColumn,
    pub(crate) columns: Arc<[Reduced]>,
    pub(crate) exclude_flags: Vec<u8>,
    pub(crate) lineage: Arc<Lineage>,
    pub(crate) store: Arc<dyn Store>,
    pub(crate) state: SessionState,
    pub(crate) path: String,
}

impl std::fmt::Debug for PondRows {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("PondRows").field("path", &self.path).finish_non_exhaustive()
    }
}

impl PondRows {
    /// A column's readings as numbers.
    fn value(&self, name: &str) -> Result<Expr> {
        let schema = self.provider.schema();
        let column = col(Column::new(Some(INPUT), name));
        let is_number =
            schema.field_with_name(name).is_ok_and(|field| field.data_type().is_numeric());
        // Of what is no number it only counts whether it is there.
        let value = if is_number {
            cast_to(column.clone(), DataType::Float64)
        } else {
            when(column.clone().is_not_null(), lit(0.0_f64)).end()?
        };
        let flag = format!("{name}.flag");
        if self.exclude_flags.is_empty() || schema.field_with_name(&flag).is_err() {
            return Ok(value);
        }
        let flag = cast_to(col(Column::new(Some(INPUT), flag)), DataType::Int64);
        let excluded = self.exclude_flags.iter().map(|&flag| lit(i64::from(flag))).collect();
        let null = lit(ScalarValue::Float64(None));
        Ok(when(flag.in_list(excluded, false), null).otherwise(value)?)
    }
}

#[async_trait]
impl RowSource for PondRows {
    async fn stamp(&self) -> Result<Stamp> {
        changes::stamp(self.store.as_ref(), &self.lineage).await
    }

    async fn changed(&self, old: &Stamp, new: &Stamp) -> Result<Changed> {
        changes::changed(old, new, &self.lineage, self.store.as_ref()).await
    }

    async fn rows(&self, range: &Range<i64>) -> Result<SendableRecordBatchStream> {
        let source = provider_as_source(Arc::clone(&self.provider));
        let mut plan = LogicalPlanBuilder::scan(INPUT, source, None)?;
        if let Some(within) = self.time.within(range) {
            plan = plan.filter(within)?;
        }
        let mut columns = vec![self.time.column().alias(TIME)];
        for (at, column) in self.columns.iter().enumerate() {
            columns.push(self.value(&column.name)?.alias(format!("c{at}")));
        }
        // The sort is the last step, because only there is its order kept; by
        // the column itself, whose order may be declared.
        let time = col(Column::new_unqualified(TIME));
        let plan = plan.project(columns)?.sort([time.sort(true, true)])?.build()?;
        let plan = self.state.create_physical_plan(&plan).await?;
        let stream = execute_stream(plan, self.state.task_ctx())?;
        let schema = Arc::new(row_schema(self.columns.len()));
        let (time, path, as_rows) = (self.time.clone(), self.path.clone(), Arc::clone(&schema));
        let rows = stream.map(move |batch| {
            let batch = batch?;
            if batch.column(0).null_count() > 0 {
                let error = Error::NullTime { input: format!("`{path}`") };
                let source = Arc::new(error);
                return Err(query::Error::Computed { path: path.clone(), source }.into());
            }
            let mut columns = batch.columns().to_vec();
            columns[0] = time.us(&columns[0])?;
            Ok(RecordBatch::try_new(Arc::clone(&as_rows), columns)?)
        });
        Ok(Box::pin(RecordBatchStreamAdapter::new(schema, rows)))
    }
}

/// The schema of rows of so many columns.
pub(crate) fn row_schema(columns: usize) -> Schema {
    use arrow::datatypes::Field;
    let mut fields = vec![Field::new(TIME, DataType::Int64, true)];
    fields.extend((0..columns).map(|at| Field::new(format!("c{at}"), DataType::Float64, true)));
    Schema::new(fields)
}
