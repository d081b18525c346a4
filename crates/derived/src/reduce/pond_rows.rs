//! The rows of a table of the pond, as a reduction reads them.
//!
//! One plan a range: filtered by time, sorted by time, and cast. Where the
//! table's order is declared nothing is sorted; else the sort spills.
//!
//! Always true: what is held here does not hold the session that it is of,
//! which holds this.

use std::ops::Range;
use std::sync::Arc;

use arrow::array::{Array, RecordBatch};
use arrow::datatypes::{DataType, Schema};
use async_trait::async_trait;
use datafusion::catalog::TableProvider;
use datafusion::common::{Column, ScalarValue};
use datafusion::datasource::provider_as_source;
use datafusion::logical_expr::{Expr, LogicalPlanBuilder, cast as cast_to, col, lit, when};
use datafusion::physical_plan::SendableRecordBatchStream;
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use futures::StreamExt;
use query::{Lineage, Runner};
use tinyfs::Store;

use super::partial::{Reduced, TIME};
use super::rows::RowSource;
use crate::changes::{self, Changed, Stamp};
use crate::time_column::{INPUT, TimeColumn};
use crate::{Error, Result};

/// The rows of a table.
pub(crate) struct PondRows {
    pub(crate) provider: Arc<dyn TableProvider>,
    pub(crate) time: TimeColumn,
    pub(crate) columns: Arc<[Reduced]>,
    pub(crate) exclude_flags: Vec<u8>,
    pub(crate) lineage: Arc<Lineage>,
    pub(crate) store: Arc<dyn Store>,
    pub(crate) runner: Runner,
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
        let stream = self.runner.run(plan).await?.stream;
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
