//! What a template sees: tables as lists of rows, within bounds.
//!
//! | value | |
//! |---|---|
//! | `path`, `name`, `captures` | of the first match: its path, its name, what its wildcards stand for |
//! | `columns` | of its table: `name`, `type`, `unit` |
//! | `rows` | of its table: a map from names to values each |
//! | `more` | whether the table has more rows than these |
//! | `matches` | the same of every match |
//! | `values` | as configured |
//!
//! Whole and fractional numbers and booleans are themselves; what is missing,
//! NaN or infinite is none; everything else is text, times as RFC 3339.

use arrow::array::{Array, ArrayRef, AsArray, RecordBatch};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Float64Type, Int64Type};
use arrow::util::display::{ArrayFormatter, FormatOptions};
use datafusion::common::Column;
use datafusion::datasource::provider_as_source;
use datafusion::error::DataFusionError;
use datafusion::logical_expr::{Expr, LogicalPlanBuilder};
use query::{ComputedTable, Inputs, UNIT_KEY};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::config::{Taken, TemplateConfig};
use crate::input::Input;
use crate::{Derived, Error, Result};

/// Rows of all tables together.
const MAX_ROWS: usize = 100_000;
/// The bytes of all values together, with so many for each beside its text.
const MAX_BYTES: usize = 8 << 20;
const VALUE_BYTES: usize = 16;

/// What a file is made of.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Matched {
    pub(super) path: String,
    pub(super) captures: Vec<String>,
}

/// How much may still be taken in.
struct Left {
    rows: usize,
    bytes: usize,
}

impl Left {
    fn take(&mut self, rows: usize, bytes: usize) -> Result<()> {
        self.rows = self.rows.checked_sub(rows).ok_or_else(|| {
            let text = "the rows that a template sees".to_owned();
            Error::Input { text, what: format!("there are more than {MAX_ROWS} over all tables") }
        })?;
        self.bytes = self.bytes.checked_sub(bytes).ok_or_else(|| {
            let what = "what a template sees".to_owned();
            factory::Error::TooLong { what, limit_bytes: MAX_BYTES as u64 }
        })?;
        Ok(())
    }
}

/// What a template sees of `matches`.
pub(super) async fn of(
    config: &TemplateConfig,
    matches: &[Matched],
    inputs: &Inputs,
    derived: &Derived,
) -> Result<Value> {
    let mut left = Left { rows: MAX_ROWS, bytes: MAX_BYTES };
    let mut all = Vec::with_capacity(matches.len());
    for matched in matches {
        all.push(Value::Object(one(config, matched, inputs, derived, &mut left).await?));
    }
    let mut values = match all.first() {
        Some(Value::Object(first)) => first.clone(),
        _ => Map::new(),
    };
    values.insert("matches".to_owned(), Value::Array(all));
    values.insert("values".to_owned(), json!(config.values));
    Ok(Value::Object(values))
}

async fn one(
    config: &TemplateConfig,
    matched: &Matched,
    inputs: &Inputs,
    derived: &Derived,
    left: &mut Left,
) -> Result<Map<String, Value>> {
    let input = Input::parse(&matched.path)?;
    let path = input.path();
    let name = path.rsplit('/').next().unwrap_or_default();
    let mut values = Map::new();
    values.insert("path".to_owned(), json!(path));
    values.insert("name".to_owned(), json!(name));
    values.insert("captures".to_owned(), json!(matched.captures));
    // A file that is no table has its name alone.
    let is_table = match inputs.fs().resolve(path).await {
        Ok(found) => input.takes(found.node.entry_type),
        // An input may be a glob; what is not there is the table's to say.
        Err(error) if error.is_absence() => true,
        Err(error) => return Err(error.into()),
    };
    let (mut columns, mut rows, mut more) = (Vec::new(), Vec::new(), false);
    if is_table {
        let table = input.table(inputs, derived).await?;
        for field in table.provider.schema().fields() {
            columns.push(json!({
                "name": field.name(),
                "type": query::plain_type(field.data_type()).to_string(),
                "unit": field.metadata().get(UNIT_KEY),
            }));
        }
        (rows, more) = rows_of(config, &table, inputs, left).await?;
    }
    values.insert("columns".to_owned(), Value::Array(columns));
    values.insert("rows".to_owned(), Value::Array(rows));
    values.insert("more".to_owned(), Value::Bool(more));
    Ok(values)
}

/// The rows that are taken of a table, a series in the order of time, and
/// whether there are more.
async fn rows_of(
    config: &TemplateConfig,
    table: &ComputedTable,
    inputs: &Inputs,
    left: &mut Left,
) -> Result<(Vec<Value>, bool)> {
    let source = provider_as_source(std::sync::Arc::clone(&table.provider));
    let mut plan = LogicalPlanBuilder::scan("input", source, None)?;
    let is_last = config.take == Taken::Last;
    match table.time_column.as_deref() {
        Some(time) => {
            let time = Expr::Column(Column::new_unqualified(time));
            plan = plan.sort([time.sort(!is_last, false)])?;
        }
        None if is_last => return Err(Error::TimeColumn { candidates: Vec::new() }),
        None => {}
    }
    let plan = plan.limit(0, Some(config.rows + 1))?.build()?;
    let mut answer = inputs.run(plan).await?;
    let mut rows = Vec::new();
    let mut more = false;
    while let Some(batch) = answer.next().await? {
        // The row that only says that there are more is not taken in.
        let wanted = batch.num_rows().min(config.rows - rows.len());
        more |= wanted < batch.num_rows();
        take_in(&batch.slice(0, wanted), left, &mut rows)?;
    }
    if is_last {
        rows.reverse();
    }
    Ok((rows, more))
}

fn take_in(batch: &RecordBatch, left: &mut Left, rows: &mut Vec<Value>) -> Result<()> {
    let cells = batch.columns().iter().map(Cells::of).collect::<Result<Vec<_>>>()?;
    let schema = batch.schema();
    for at in 0..batch.num_rows() {
        let mut row = Map::new();
        let mut bytes = 0;
        for (field, cells) in schema.fields().iter().zip(&cells) {
            let value = cells.value(at)?;
            bytes += VALUE_BYTES + value.as_str().map_or(0, str::len);
            row.insert(field.name().clone(), value);
        }
        left.take(1, bytes)?;
        rows.push(Value::Object(row));
    }
    Ok(())
}

/// The values of a column, as a template sees them.
enum Cells {
    Whole(ArrayRef),
    Number(ArrayRef),
    Bool(ArrayRef),
    Text(ArrayRef),
}

impl Cells {
    fn of(column: &ArrayRef) -> Result<Self> {
        let cast = |to: &DataType| cast(column, to).map_err(DataFusionError::from);
        Ok(match column.data_type() {
            // Beyond what fits it is text.
            DataType::UInt64 => Self::Text(std::sync::Arc::clone(column)),
            whole if whole.is_integer() => Self::Whole(cast(&DataType::Int64)?),
            number if number.is_floating() => Self::Number(cast(&DataType::Float64)?),
            DataType::Boolean => Self::Bool(std::sync::Arc::clone(column)),
            _ => Self::Text(std::sync::Arc::clone(column)),
        })
    }

    fn value(&self, at: usize) -> Result<Value> {
        let (Self::Whole(array) | Self::Number(array) | Self::Bool(array) | Self::Text(array)) =
            self;
        if array.is_null(at) {
            return Ok(Value::Null);
        }
        Ok(match self {
            Self::Whole(array) => Value::from(array.as_primitive::<Int64Type>().value(at)),
            // What is not finite becomes none.
            Self::Number(array) => Value::from(array.as_primitive::<Float64Type>().value(at)),
            Self::Bool(array) => Value::from(array.as_boolean().value(at)),
            Self::Text(array) => {
                let options = FormatOptions::new();
                let formatter = ArrayFormatter::try_new(array.as_ref(), &options);
                let text = formatter.and_then(|formatter| formatter.value(at).try_to_string());
                Value::from(text.map_err(DataFusionError::from)?)
            }
        })
    }
}
