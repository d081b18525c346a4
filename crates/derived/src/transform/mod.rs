//! Transforms: what any input may go through before it is used.
//!
//! Each is a logical plan over the one before, so filters and columns that are
//! asked for pass through to the stored files.
//!
//! Always true: a row of the result comes from rows of the input at the same
//! instant; the column of times is never dropped or converted; a column that a
//! transform names and that is not there is an error with the nearest name.
//!
//! Deliberately not here: what combines several inputs.

mod config;
mod deduplicate;
mod factory;
mod rename;
mod shape;
mod values;

use std::sync::Arc;

use arrow::datatypes::FieldRef;
use datafusion::common::Column;
use datafusion::datasource::{ViewTable, provider_as_source};
use datafusion::logical_expr::{Expr, LogicalPlan, LogicalPlanBuilder};
use query::{ComputedTable, Inputs, Lineage, Locality};
use tinyfs::ContentHash;

pub(crate) use self::config::{TransformRef, check, field};
pub(crate) use self::factory::{ColumnRename, TransformSteps};

use self::config::Step;
use crate::{Error, Result};

/// The input after its transforms, in their order.
pub(crate) async fn apply(
    input: ComputedTable,
    transforms: &[TransformRef],
    inputs: &Inputs,
) -> Result<ComputedTable> {
    if transforms.is_empty() {
        return Ok(input);
    }
    let steps = factory::resolve(transforms, inputs).await?;
    let definition = ContentHash::of(format!("transforms 1\n{steps:?}\n").as_bytes());
    let source = provider_as_source(Arc::clone(&input.provider));
    let mut table = Table {
        plan: LogicalPlanBuilder::scan("input", source, None)?.build()?,
        time_column: input.time_column.as_deref().map(str::to_owned),
        input,
    };
    for step in &steps {
        table = step.apply(table)?;
    }
    let Table { plan, time_column, input } = table;
    Ok(ComputedTable {
        provider: Arc::new(ViewTable::new(plan, None)),
        time_column: time_column.map(Arc::from),
        lineage: Arc::new(Lineage::Computed {
            path: "transforms".to_owned(),
            definition,
            locality: Locality::Same,
            inputs: vec![Arc::clone(&input.lineage)],
        }),
        ..input
    })
}

/// A table on its way through transforms.
struct Table {
    plan: LogicalPlan,
    time_column: Option<String>,
    /// What it was before the first of them.
    input: ComputedTable,
}

impl Table {
    /// The columns with the expressions that are they.
    fn columns(&self) -> Vec<(Expr, FieldRef)> {
        self.plan
            .schema()
            .iter()
            .map(|(qualifier, field)| {
                let column = Column::new(qualifier.cloned(), field.name());
                (Expr::Column(column), Arc::clone(field))
            })
            .collect()
    }

    /// The names of the columns.
    fn names(&self) -> Vec<String> {
        self.plan.schema().fields().iter().map(|field| field.name().clone()).collect()
    }

    fn is_time(&self, name: &str) -> bool {
        self.time_column.as_deref() == Some(name)
    }

    /// The same rows with these columns, which must have names that differ.
    fn project(self, columns: Vec<(Expr, String)>) -> Result<Self> {
        let mut names: Vec<&str> = columns.iter().map(|(_, name)| name.as_str()).collect();
        names.sort_unstable();
        if let Some(pair) = names.windows(2).find(|pair| pair[0] == pair[1]) {
            let of = |nth: usize| {
                let mut made = columns.iter().filter(|(_, name)| name == pair[0]);
                made.nth(nth).map_or_else(String::new, |(expr, _)| format!("`{expr}`"))
            };
            return Err(Error::NameTwice { name: pair[0].to_owned(), first: of(0), second: of(1) });
        }
        let exprs = columns.into_iter().map(|(expr, name)| match expr {
            Expr::Alias(alias) if alias.name == name => Expr::Alias(alias),
            expr => expr.alias(name),
        });
        let plan = LogicalPlanBuilder::from(self.plan).project(exprs)?.build()?;
        Ok(Self { plan, ..self })
    }

    fn filter(self, condition: Expr) -> Result<Self> {
        let plan = LogicalPlanBuilder::from(self.plan).filter(condition)?.build()?;
        Ok(Self { plan, ..self })
    }
}

impl Step {
    fn apply(&self, table: Table) -> Result<Table> {
        match self {
            Self::Rename(rules) => rename::apply(rules, table),
            Self::Cast(cast) => values::cast(cast, table),
            Self::Convert(convert) => values::convert(convert, table),
            Self::Drop(columns) => shape::drop(columns, table),
            Self::Keep(columns) => shape::keep(columns, table),
            Self::Floor(floor) => shape::floor(*floor, table),
            Self::Deduplicate(how) => deduplicate::apply(how, table),
        }
    }
}
