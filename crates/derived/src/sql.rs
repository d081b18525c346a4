//! The factories `sql-derived-table` and `sql-derived-series`: a query over
//! other tables, as a table.
//!
//! Always true: the query knows the names that its configuration gives and no
//! others; it is planned into whatever asks, so that what that filters is
//! filtered at the stored files. The order of rows is not promised.

use std::collections::BTreeMap;
use std::sync::Arc;

use async_trait::async_trait;
use datafusion::catalog::TableProvider;
use datafusion::common::Column;
use datafusion::datasource::ViewTable;
use datafusion::datasource::empty::EmptyTable;
use datafusion::logical_expr::{Expr, LogicalPlan, LogicalPlanBuilder};
use factory::config::{Field, Schema};
use factory::{About, Config, Factory};
use query::{ComputedTable, Inputs, Locality};
use serde::Deserialize;
use tinyfs::{EntryType, NodePath, TimeUnit};

use crate::column_glob::no_column;
use crate::computed::{Derived, Planned, Planner};
use crate::input;
use crate::locality::of_query;
use crate::times::{is_time, unit_of};
use crate::transform::{self, TransformRef};
use crate::{Error, Result};

/// A query as a table.
#[derive(Debug)]
pub(crate) struct SqlTable;

/// A query as a series.
#[derive(Debug)]
pub(crate) struct SqlSeries;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct SqlTableConfig {
    patterns: BTreeMap<String, String>,
    query: String,
    #[serde(default)]
    transforms: Vec<TransformRef>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct SqlSeriesConfig {
    patterns: BTreeMap<String, String>,
    query: String,
    time_column: Option<String>,
    #[serde(default)]
    transforms: Vec<TransformRef>,
}

fn fields() -> [Field; 3] {
    let patterns = Schema::map(Schema::text());
    [
        Field::required("patterns", patterns, "Names in the query, and the path or glob of each"),
        Field::required("query", Schema::text(), "One SELECT over these names"),
        transform::field("What each input goes through first"),
    ]
}

impl Factory for SqlTable {
    fn about(&self) -> About {
        About {
            name: "sql-derived-table",
            summary: "a query over other tables, as a table",
            schema: Schema::object(fields()).into_json(),
            example: "\
patterns:
  readings: /sensors/*.series
query: SELECT count(*) AS readings, avg(level) AS level FROM readings
",
            raw: &[],
            runs: false,
            hidden: false,
        }
    }

    fn check(&self, config: &Config) -> factory::Result<EntryType> {
        let read: SqlTableConfig = config.read()?;
        check(config, &read.patterns, &read.query)?;
        transform::check(config, "transforms", &read.transforms)?;
        Ok(EntryType::DynamicTable)
    }
}

impl Factory for SqlSeries {
    fn about(&self) -> About {
        let time_column = Field::optional(
            "time_column",
            Schema::text(),
            "The column of times; that of the inputs unless given",
        );
        About {
            name: "sql-derived-series",
            summary: "a query over other series, as a series",
            schema: Schema::object(fields().into_iter().chain([time_column])).into_json(),
            example: "\
patterns:
  readings: /sensors/dock.series
query: SELECT time, level * 100 AS level_cm FROM readings WHERE level IS NOT NULL
",
            raw: &[],
            runs: false,
            hidden: false,
        }
    }

    fn check(&self, config: &Config) -> factory::Result<EntryType> {
        let read: SqlSeriesConfig = config.read()?;
        check(config, &read.patterns, &read.query)?;
        transform::check(config, "transforms", &read.transforms)?;
        Ok(EntryType::DynamicSeries)
    }
}

fn check(config: &Config, patterns: &BTreeMap<String, String>, query: &str) -> factory::Result<()> {
    for (name, pattern) in patterns {
        let at = format!("patterns.{name}");
        input::check(pattern).map_err(|error| config.complaint(&at, error.to_string()))?;
    }
    query::check_view(query).map_err(|error| config.complaint("query", error.to_string()))?;
    Ok(())
}

/// The tables that the names of a query stand for.
async fn tables(
    patterns: &BTreeMap<String, String>,
    transforms: &[TransformRef],
    inputs: &Inputs,
    derived: &Derived,
) -> Result<BTreeMap<String, ComputedTable>> {
    let mut tables = BTreeMap::new();
    for (name, pattern) in patterns {
        let table = input::table(pattern, inputs, derived).await?;
        tables.insert(name.clone(), transform::apply(table, transforms, inputs).await?);
    }
    Ok(tables)
}

/// The query's plan. Its columns have names that differ.
async fn view(
    query: &str,
    tables: &BTreeMap<String, ComputedTable>,
    inputs: &Inputs,
) -> Result<LogicalPlan> {
    let names = tables.iter().map(|(name, table)| (name.clone(), Arc::clone(&table.provider)));
    let plan = inputs.sql(query, names.collect()).await?;
    let mut seen = BTreeMap::new();
    for (qualifier, field) in plan.schema().iter() {
        let from = qualifier.map_or("the query".to_owned(), |from| format!("`{}`", from.table()));
        if let Some(first) = seen.insert(field.name().clone(), from.clone()) {
            return Err(Error::NameTwice { name: field.name().clone(), first, second: from });
        }
    }
    Ok(plan)
}

#[async_trait]
impl Planner for SqlTable {
    async fn plan(
        &self,
        _node: &NodePath,
        config: &Config,
        inputs: &Inputs,
        derived: &Derived,
    ) -> Result<Planned> {
        let config: SqlTableConfig = config.read()?;
        let tables = tables(&config.patterns, &config.transforms, inputs, derived).await?;
        let plan = view(&config.query, &tables, inputs).await?;
        Ok(Planned {
            provider: Arc::new(ViewTable::new(plan, Some(config.query))),
            time_column: None,
            time_unit: None,
            inputs: tables.values().map(|table| Arc::clone(&table.lineage)).collect(),
            locality: Locality::Everything,
            notes: Vec::new(),
        })
    }
}

#[async_trait]
impl Planner for SqlSeries {
    async fn plan(
        &self,
        _node: &NodePath,
        config: &Config,
        inputs: &Inputs,
        derived: &Derived,
    ) -> Result<Planned> {
        let config: SqlSeriesConfig = config.read()?;
        let tables = tables(&config.patterns, &config.transforms, inputs, derived).await?;
        let plan = view(&config.query, &tables, inputs).await?;
        let (time_column, time_unit) = times(&plan, config.time_column.as_deref(), &tables)?;

        let opaque = tables.iter().map(|(name, table)| {
            let table: Arc<dyn TableProvider> = Arc::new(EmptyTable::new(table.provider.schema()));
            (name.clone(), table)
        });
        let outline = inputs.sql(&config.query, opaque.collect()).await?;
        let locality = of_query(&outline, &time_column, &tables);

        let mut notes = Vec::new();
        let mut plan = LogicalPlanBuilder::from(plan);
        let field = plan.schema().field_with_unqualified_name(&time_column)?;
        if field.is_nullable() {
            plan =
                plan.filter(Expr::Column(Column::new_unqualified(&time_column)).is_not_null())?;
            notes.push(format!("rows whose `{time_column}` is null are left out"));
        }
        Ok(Planned {
            provider: Arc::new(ViewTable::new(plan.build()?, Some(config.query))),
            time_column: Some(Arc::from(time_column)),
            time_unit,
            inputs: tables.values().map(|table| Arc::clone(&table.lineage)).collect(),
            locality,
            notes,
        })
    }
}

/// The column of times of a query's rows, and its unit where its type does not
/// tell.
fn times(
    plan: &LogicalPlan,
    said: Option<&str>,
    tables: &BTreeMap<String, ComputedTable>,
) -> Result<(String, Option<TimeUnit>)> {
    let fields = plan.schema().fields();
    let named = |name: &str| fields.iter().find(|field| field.name() == name);
    let of_inputs = || {
        let mut columns = tables.values().map(|table| table.time_column.as_deref());
        let first = columns.next().flatten()?;
        columns.all(|column| column == Some(first)).then_some(first)
    };
    let field = match said {
        Some(name) => named(name)
            .ok_or_else(|| no_column(name, fields.iter().map(|field| field.name().as_str())))?,
        None => of_inputs().and_then(named).ok_or_else(|| Error::TimeColumn {
            candidates: fields
                .iter()
                .filter(|field| is_time(field.data_type()))
                .map(|field| field.name().clone())
                .collect(),
        })?,
    };
    let unit = unit_of(field, tables.values())?;
    Ok((field.name().clone(), unit))
}
