//! The table of a glob that also matches computed nodes.
//!
//! Always true: it is the union of its members under the rules of
//! [`PondTable`](super::PondTable), with the same column of paths at its end;
//! it is a plan over its members, so that what is asked of it is asked of them.

use std::sync::Arc;

use arrow::datatypes::{DataType, Schema, SchemaRef};
use datafusion::catalog::TableProvider;
use datafusion::common::{Column, ScalarValue};
use datafusion::datasource::{ViewTable, provider_as_source};
use datafusion::logical_expr::{Expr, LogicalPlan, LogicalPlanBuilder, cast, lit};

use super::table::{PATH_COLUMN, PondTable};
use crate::schema::{Source, United, free_name, unite};
use crate::{ComputedTable, Result};

/// The union of the stored members of a glob, if there are any, and of its
/// computed ones with their paths.
///
/// # Errors
/// What uniting schemas says.
pub(crate) fn union_of(
    stored: Option<Arc<PondTable>>,
    computed: &[(String, ComputedTable)],
) -> Result<(Arc<dyn TableProvider>, Vec<String>)> {
    let schemas: Vec<SchemaRef> =
        computed.iter().map(|(_, table)| table.provider.schema()).collect();
    let computed_sources = computed.iter().zip(&schemas).map(|((path, _), schema)| Source {
        path,
        version: 0,
        schema,
        statistics: None,
    });
    let files = stored.iter().flat_map(|table| table.members()).flat_map(|member| &member.files);
    let United { schema, notes } = unite(files.map(|file| file.source()).chain(computed_sources))?;
    let path_column = free_name(&schema, PATH_COLUMN);

    let mut branches = Vec::new();
    if let Some(table) = stored {
        let own = table.schema();
        let path = own.fields().last().map(|field| column(field.name()));
        let path = path.unwrap_or_else(|| lit(ScalarValue::Utf8View(None)));
        branches.push(branch(table, &own, &schema, path, &path_column)?);
    }
    for ((path, table), own) in computed.iter().zip(&schemas) {
        let path = lit(ScalarValue::Utf8View(Some(path.clone())));
        branches.push(branch(Arc::clone(&table.provider), own, &schema, path, &path_column)?);
    }
    let mut branches = branches.into_iter();
    let mut plan = match branches.next() {
        Some(first) => LogicalPlanBuilder::from(first),
        None => LogicalPlanBuilder::empty(false),
    };
    for next in branches {
        plan = plan.union(next)?;
    }
    Ok((Arc::new(ViewTable::new(plan.build()?, None)), notes))
}

/// The rows of one member in the columns of all.
fn branch(
    table: Arc<dyn TableProvider>,
    own: &Schema,
    united: &Schema,
    path: Expr,
    path_column: &str,
) -> Result<LogicalPlan> {
    let mut columns = Vec::with_capacity(united.fields().len() + 1);
    for field in united.fields() {
        let wanted = field.data_type();
        let expr = match own.field_with_name(field.name()) {
            Ok(own) if own.data_type() == wanted => column(field.name()),
            Ok(_) => cast(column(field.name()), wanted.clone()),
            Err(_) => cast(lit(ScalarValue::Null), wanted.clone()),
        };
        let metadata = Some(field.metadata().clone().into());
        columns.push(expr.alias_with_metadata(field.name(), metadata));
    }
    columns.push(cast(path, DataType::Utf8View).alias(path_column));
    let plan = LogicalPlanBuilder::scan("member", provider_as_source(table), None)?;
    Ok(plan.project(columns)?.build()?)
}

fn column(name: &str) -> Expr {
    Expr::Column(Column::new_unqualified(name))
}
