//! Rows as JSON: an object a row, in one array or one a line. Nulls are
//! written, times are RFC 3339 texts, bytes are hexadecimal.

use std::io::Write;

use arrow::array::RecordBatch;
use arrow::json::WriterBuilder;
use arrow::json::writer::{JsonArray, LineDelimited, Writer};

use super::RowSink;
use crate::error::{CommandError, OrFail as _, Result};

/// Writes JSON.
pub(crate) enum JsonSink<W: Write> {
    /// One array.
    Array(Writer<W, JsonArray>),
    /// One object a line.
    Lines(Writer<W, LineDelimited>),
}

impl<W: Write> JsonSink<W> {
    /// One array of objects.
    pub(crate) fn array(out: W) -> Self {
        Self::Array(WriterBuilder::new().with_explicit_nulls(true).build(out))
    }

    /// One object a line.
    pub(crate) fn lines(out: W) -> Self {
        Self::Lines(WriterBuilder::new().with_explicit_nulls(true).build(out))
    }
}

impl<W: Write> RowSink for JsonSink<W> {
    fn write(&mut self, batch: &RecordBatch) -> Result<bool> {
        match self {
            Self::Array(writer) => writer.write(batch),
            Self::Lines(writer) => writer.write(batch),
        }
        .map_err(unwritten)?;
        Ok(true)
    }

    fn finish(self: Box<Self>) -> Result<()> {
        let mut out = match *self {
            Self::Array(mut writer) => {
                writer.finish().map_err(unwritten)?;
                let mut out = writer.into_inner();
                out.write_all(b"\n").map_err(CommandError::stdout)?;
                out
            }
            Self::Lines(mut writer) => {
                writer.finish().map_err(unwritten)?;
                writer.into_inner()
            }
        };
        out.flush().map_err(CommandError::stdout)
    }
}

/// Tells a stream that is gone from values that have no JSON.
fn unwritten(error: arrow::error::ArrowError) -> CommandError {
    match error {
        arrow::error::ArrowError::IoError(_, io) => CommandError::stdout(io),
        other => {
            let failed: std::result::Result<(), _> = Err(other);
            match failed.or_fail(|| "these rows can not be written as JSON".to_owned()) {
                Err(error) => error,
                Ok(()) => CommandError::failure("these rows can not be written as JSON"),
            }
        }
    }
}
