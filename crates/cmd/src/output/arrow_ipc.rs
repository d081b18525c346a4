//! Rows as an Arrow IPC stream.

use std::io::Write;

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use arrow::error::ArrowError;
use arrow::ipc::writer::StreamWriter;

use super::RowSink;
use crate::error::{CommandError, Result};

/// Writes an Arrow IPC stream.
pub(crate) struct ArrowSink<W: Write> {
    writer: StreamWriter<W>,
}

impl<W: Write> ArrowSink<W> {
    /// Writes the schema.
    pub(crate) fn new(out: W, schema: &SchemaRef) -> Result<Self> {
        Ok(Self { writer: StreamWriter::try_new(out, schema).map_err(unwritten)? })
    }
}

impl<W: Write> RowSink for ArrowSink<W> {
    fn write(&mut self, batch: &RecordBatch) -> Result<bool> {
        self.writer.write(batch).map_err(unwritten)?;
        Ok(true)
    }

    fn finish(mut self: Box<Self>) -> Result<()> {
        self.writer.finish().map_err(unwritten)?;
        let mut out = self.writer.into_inner().map_err(unwritten)?;
        out.flush().map_err(CommandError::stdout)
    }
}

/// Tells a stream that is gone from values that can not be written.
fn unwritten(error: ArrowError) -> CommandError {
    match error {
        ArrowError::IoError(_, io) => CommandError::stdout(io),
        other => CommandError::failure("cannot write an Arrow stream").because(other),
    }
}
