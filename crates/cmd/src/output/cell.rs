//! The text of single values, the same in tables and CSV.

use arrow::array::{Array, RecordBatch};
use arrow::datatypes::{DataType, SchemaRef};
use arrow::util::display::{ArrayFormatter, DurationFormat, FormatOptions};

use crate::error::{OrFail as _, Result};

/// Values as text: null is empty, times are RFC 3339.
pub(crate) const OPTIONS: FormatOptions<'static> =
    FormatOptions::new().with_null("").with_duration_format(DurationFormat::Pretty);

/// One formatter a column.
pub(crate) fn formatters(batch: &RecordBatch) -> Result<Vec<ArrayFormatter<'_>>> {
    batch
        .columns()
        .iter()
        .map(|column| {
            ArrayFormatter::try_new(column.as_ref(), &OPTIONS)
                .or_fail(|| format!("values of type {} have no text", column.data_type()))
        })
        .collect()
}

/// The text of one value.
pub(crate) fn text(formatter: &ArrayFormatter<'_>, row: usize) -> Result<String> {
    formatter
        .value(row)
        .try_to_string()
        .or_fail(|| format!("row {row} of the batch has a value that can not be shown"))
}

/// Which columns read best when they end at the same place.
pub(crate) fn right_aligned(schema: &SchemaRef) -> Vec<bool> {
    schema.fields().iter().map(|field| is_number(field.data_type())).collect()
}

fn is_number(data_type: &DataType) -> bool {
    match data_type {
        DataType::Dictionary(_, value) => is_number(value),
        other => other.is_numeric(),
    }
}

/// Whether a column's value is absent. An array of type null has no bitmap
/// that says so.
pub(crate) fn is_null(batch: &RecordBatch, column: usize, row: usize) -> bool {
    let column = batch.column(column);
    column.data_type().is_null() || column.is_null(row)
}

/// One row as `name=value` pairs, for examples.
pub(crate) fn row_text(batch: &RecordBatch, row: usize) -> Result<String> {
    let schema = batch.schema();
    let mut texts = Vec::with_capacity(batch.num_columns());
    for (field, formatter) in schema.fields().iter().zip(formatters(batch)?) {
        texts.push(format!("{}={}", field.name(), text(&formatter, row)?));
    }
    Ok(crate::quote::terminal(&texts.join(" ")).into_owned())
}
