//! Rows to stdout or a file, in one of the formats.

use std::io::Write;

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use query::Rows;

use super::{Stdout, arrow_ipc, csv, json, parquet_file, table};
use crate::error::{CommandError, OrFail as _, Result};

/// `--format` of a command that prints rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum RowFormat {
    /// Columns aligned for people; the default on a terminal.
    Table,
    /// Comma-separated values with a header; null is empty; the default
    /// elsewhere.
    Csv,
    /// One JSON array of objects; null is null.
    Json,
    /// One JSON object a line.
    Ndjson,
    /// One Parquet file.
    Parquet,
    /// An Arrow IPC stream.
    Arrow,
    /// The bytes as they are stored; of files only.
    Raw,
}

impl RowFormat {
    /// Whether a terminal shows it without harm.
    pub(crate) const fn is_text(self) -> bool {
        matches!(self, Self::Table | Self::Csv | Self::Json | Self::Ndjson)
    }
}

/// How many rows a table shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum RowLimit {
    /// At most so many.
    Most(usize),
    /// All of them.
    All,
}

/// Takes rows, batch by batch.
pub(crate) trait RowSink {
    /// Writes a batch; `false` says that no more rows are wanted.
    fn write(&mut self, batch: &RecordBatch) -> Result<bool>;

    /// Ends the rows. What was written is only whole after this.
    fn finish(self: Box<Self>) -> Result<()>;
}

/// The sink that writes `format` to `out`.
///
/// # Errors
/// A usage error for `raw`, which is not a format of rows.
pub(crate) fn row_sink<'a, W: Write + Send + 'a>(
    format: RowFormat,
    schema: &SchemaRef,
    out: W,
    limit: RowLimit,
    width: Option<usize>,
) -> Result<Box<dyn RowSink + 'a>> {
    Ok(match format {
        RowFormat::Table => Box::new(table::TableSink::new(out, schema, limit, width)?),
        RowFormat::Csv => Box::new(csv::CsvSink::new(out, schema)?),
        RowFormat::Json => Box::new(json::JsonSink::array(out)),
        RowFormat::Ndjson => Box::new(json::JsonSink::lines(out)),
        RowFormat::Parquet => Box::new(parquet_file::ParquetSink::new(out, schema)?),
        RowFormat::Arrow => Box::new(arrow_ipc::ArrowSink::new(out, schema)?),
        RowFormat::Raw => {
            return Err(CommandError::usage("`--format raw` is for files, not for rows")
                .hint("use --format table, csv, json, ndjson, parquet or arrow"));
        }
    })
}

/// Streams rows into a sink; returns how many there were.
///
/// # Errors
/// Of the rows or of the sink.
pub(crate) async fn write_rows(mut rows: Rows, mut sink: Box<dyn RowSink + '_>) -> Result<u64> {
    let mut count = 0;
    while let Some(batch) = rows.next().await.or_fail(|| "cannot read all rows".to_owned())? {
        count += batch.num_rows() as u64;
        if !sink.write(&batch)? {
            break;
        }
    }
    sink.finish()?;
    Ok(count)
}

impl Stdout {
    /// Refuses bytes that would play with a terminal.
    pub(crate) fn refuse_binary(is_terminal: bool, what: &str) -> Result<()> {
        if is_terminal {
            return Err(CommandError::usage(format!("{what} would be written to a terminal"))
                .hint("send it to a file or a program: pond ... > FILE"));
        }
        Ok(())
    }
}
