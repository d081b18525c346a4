//! Rows as CSV: a header, commas, quotes where needed, `\n` line ends. Null is
//! an empty field; an empty text is `""`, so that the two stay apart.

use std::io::Write;

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;

use super::{RowSink, cell};
use crate::error::{CommandError, Result};

/// Writes CSV.
pub(crate) struct CsvSink<W> {
    out: W,
    line: String,
}

impl<W: Write> CsvSink<W> {
    /// Writes the header.
    pub(crate) fn new(out: W, schema: &SchemaRef) -> Result<Self> {
        let mut sink = Self { out, line: String::new() };
        for (at, field) in schema.fields().iter().enumerate() {
            sink.field(at, Some(field.name()));
        }
        sink.end_line()?;
        Ok(sink)
    }

    fn field(&mut self, at: usize, value: Option<&str>) {
        if at > 0 {
            self.line.push(',');
        }
        let Some(value) = value else { return };
        if value.is_empty() || value.contains([',', '"', '\n', '\r']) {
            self.line.push('"');
            self.line.push_str(&value.replace('"', "\"\""));
            self.line.push('"');
        } else {
            self.line.push_str(value);
        }
    }

    fn end_line(&mut self) -> Result<()> {
        self.line.push('\n');
        self.out.write_all(self.line.as_bytes()).map_err(CommandError::stdout)?;
        self.line.clear();
        Ok(())
    }
}

impl<W: Write> RowSink for CsvSink<W> {
    fn write(&mut self, batch: &RecordBatch) -> Result<bool> {
        let formatters = cell::formatters(batch)?;
        for row in 0..batch.num_rows() {
            for (column, formatter) in formatters.iter().enumerate() {
                if cell::is_null(batch, column, row) {
                    self.field(column, None);
                } else {
                    self.field(column, Some(&cell::text(formatter, row)?));
                }
            }
            self.end_line()?;
        }
        Ok(true)
    }

    fn finish(mut self: Box<Self>) -> Result<()> {
        self.out.flush().map_err(CommandError::stdout)
    }
}
