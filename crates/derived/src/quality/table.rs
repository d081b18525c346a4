//! A series with flags, as a table.
//!
//! A scan reads from the input the columns that are asked for and those whose
//! flags are, of the times that are asked for and so long before as the tests
//! look back. A scan without any flag is one of the input.

use std::sync::Arc;

use arrow::datatypes::{DataType, Field, FieldRef, Schema, SchemaRef};
use async_trait::async_trait;
use datafusion::catalog::{Session, TableProvider};
use datafusion::common::Column;
use datafusion::datasource::provider_as_source;
use datafusion::error::Result as DfResult;
use datafusion::logical_expr::{Expr, LogicalPlanBuilder, TableProviderFilterPushDown, TableType};
use datafusion::physical_plan::ExecutionPlan;
use query::ComputedTable;

use super::FLAG;
use super::exec::{Output, QualityExec};
use super::flags::Test;
use crate::column_glob::no_column;
use crate::time_filter::times_in;
use crate::times::{instant_type, within};
use crate::{Error, Result};

/// A column that is tested.
#[derive(Clone, Debug)]
pub(super) struct Tested {
    /// Its place in the input.
    pub(super) column: usize,
    pub(super) tests: Vec<Test>,
}

/// Where a column of the table comes from.
#[derive(Clone, Copy, Debug)]
enum Source {
    /// A column of the input.
    Input(usize),
    /// The flags of a tested column.
    Flags(usize),
}

/// A series with flags.
#[derive(Debug)]
pub(super) struct QualityTable {
    input: ComputedTable,
    /// What errors call the input.
    name: Arc<str>,
    /// The column of times, in the input.
    time: FieldRef,
    tested: Vec<Tested>,
    schema: SchemaRef,
    sources: Vec<Source>,
}

impl QualityTable {
    /// The table of `input`, which errors call `name` and whose times are in
    /// `time`; `tested` is in the order of its columns.
    ///
    /// # Errors
    /// When there are no such times, or a column would come twice.
    pub(super) fn new(
        input: ComputedTable,
        name: &str,
        time: &str,
        tested: Vec<Tested>,
    ) -> Result<Self> {
        let own = input.provider.schema();
        let names = || own.fields().iter().map(|field| field.name().as_str());
        let Some((_, time)) = own.fields().find(time) else { return Err(no_column(time, names())) };
        if instant_type(time.data_type(), input.time_unit).is_none() {
            let (column, actual) = (time.name().clone(), time.data_type().to_string());
            return Err(Error::NotTime { column, actual });
        }
        let time = Arc::clone(time);
        let mut fields: Vec<FieldRef> = Vec::new();
        let mut sources = Vec::new();
        let mut flags = tested.iter().enumerate().peekable();
        for (at, field) in own.fields().iter().enumerate() {
            fields.push(Arc::clone(field));
            sources.push(Source::Input(at));
            if let Some((flag, _)) = flags.next_if(|(_, tested)| tested.column == at) {
                let name = format!("{}{FLAG}", field.name());
                if names().any(|other| other == name) {
                    let (first, second) = ("the input".to_owned(), "its tests".to_owned());
                    return Err(Error::NameTwice { name, first, second });
                }
                fields.push(Arc::new(Field::new(name, DataType::Int8, false)));
                sources.push(Source::Flags(flag));
            }
        }
        let schema = Arc::new(Schema::new(fields));
        Ok(Self { input, name: name.into(), time, tested, schema, sources })
    }

    /// Whether a filter is about columns of the input alone, row by row.
    fn is_about_input(&self, filter: &Expr) -> bool {
        let of_input = |name: &str| {
            let place = self.schema.index_of(name);
            place.is_ok_and(|at| matches!(self.sources[at], Source::Input(_)))
        };
        !filter.is_volatile() && filter.column_refs().iter().all(|column| of_input(&column.name))
    }

    /// The times that decide the flags of what the filters leave.
    fn times(&self, filters: &[Expr], looks_back_us: i64) -> Option<Expr> {
        let unit = self.input.time_unit;
        let mut times = i64::MIN..i64::MAX;
        for filter in filters {
            if let Some(some) = times_in(filter, self.time.name(), unit) {
                times = times.start.max(some.start)..times.end.min(some.end);
            }
        }
        let times = times.start.saturating_sub(looks_back_us)..times.end;
        within(&column(self.time.name()), self.time.data_type(), unit, &times)
    }
}

fn column(name: &str) -> Expr {
    Expr::Column(Column::new_unqualified(name))
}

#[async_trait]
impl TableProvider for QualityTable {
    fn schema(&self) -> SchemaRef {
        Arc::clone(&self.schema)
    }

    fn table_type(&self) -> TableType {
        TableType::View
    }

    fn supports_filters_pushdown(
        &self,
        filters: &[&Expr],
    ) -> DfResult<Vec<TableProviderFilterPushDown>> {
        // A row that a filter leaves out may decide the flag of one that it
        // leaves, so each filter stays where it is as well.
        let push = |filter: &&Expr| match self.is_about_input(filter) {
            true => TableProviderFilterPushDown::Inexact,
            false => TableProviderFilterPushDown::Unsupported,
        };
        Ok(filters.iter().map(push).collect())
    }

    async fn scan(
        &self,
        state: &dyn Session,
        projection: Option<&Vec<usize>>,
        filters: &[Expr],
        _limit: Option<usize>,
    ) -> DfResult<Arc<dyn ExecutionPlan>> {
        let wanted: Vec<usize> = match projection {
            Some(projection) => projection.clone(),
            None => (0..self.schema.fields().len()).collect(),
        };
        let schema: SchemaRef = Arc::new(self.schema.project(&wanted)?);
        let own = self.input.provider.schema();
        let source = provider_as_source(Arc::clone(&self.input.provider));
        let mut plan = LogicalPlanBuilder::scan("input", source, None)?;
        let flags: Vec<&Tested> = wanted
            .iter()
            .filter_map(|&at| match self.sources[at] {
                Source::Flags(flag) => Some(&self.tested[flag]),
                Source::Input(_) => None,
            })
            .collect();
        if flags.is_empty() {
            if let Some(all) = filters.iter().cloned().reduce(Expr::and) {
                plan = plan.filter(all)?;
            }
            let columns = schema.fields().iter().map(|field| column(field.name()));
            let plan = plan.project(columns.collect::<Vec<_>>())?.build()?;
            return state.create_physical_plan(&plan).await;
        }

        let looks_back = flags.iter().flat_map(|one| &one.tests).map(Test::looks_back_us).max();
        if let Some(times) = self.times(filters, looks_back.unwrap_or_default()) {
            plan = plan.filter(times)?;
        }
        // The time first, then what is asked for or tested.
        let mut read: Vec<&FieldRef> = vec![&self.time];
        let mut place = |at: usize| {
            let field = &own.fields()[at];
            read.iter().position(|one| one.name() == field.name()).unwrap_or_else(|| {
                read.push(field);
                read.len() - 1
            })
        };
        let mut tests = Vec::with_capacity(flags.len());
        let mut outputs = Vec::with_capacity(wanted.len());
        for &at in &wanted {
            outputs.push(match self.sources[at] {
                Source::Input(at) => Output::Column(place(at)),
                Source::Flags(flag) => {
                    let Tested { column, tests: own } = &self.tested[flag];
                    tests.push((place(*column), own.clone()));
                    Output::Flags(tests.len() - 1)
                }
            });
        }
        let columns: Vec<Expr> = read.iter().map(|field| column(field.name())).collect();
        let by_time = column(self.time.name()).sort(true, true);
        let plan = plan.project(columns)?.sort([by_time])?.build()?;
        let input = state.create_physical_plan(&plan).await?;
        let (name, unit) = (Arc::clone(&self.name), self.input.time_unit);
        Ok(Arc::new(QualityExec::new(input, name, unit, tests.into(), outputs.into(), schema)))
    }
}
