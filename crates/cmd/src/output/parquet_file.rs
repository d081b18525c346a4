//! Rows as one Parquet file, zstd, a row group at a time.

use std::io::Write;

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use parquet::arrow::ArrowWriter;
use parquet::basic::{Compression, ZstdLevel};
use parquet::errors::ParquetError;
use parquet::file::properties::WriterProperties;

use super::RowSink;
use crate::error::{CommandError, Result};

/// A row group is held in memory until it is written.
const ROW_GROUP_BYTES: usize = 16 << 20;

/// Writes Parquet.
pub(crate) struct ParquetSink<W: Write + Send> {
    writer: ArrowWriter<W>,
}

impl<W: Write + Send> ParquetSink<W> {
    /// Begins the file.
    pub(crate) fn new(out: W, schema: &SchemaRef) -> Result<Self> {
        let properties = WriterProperties::builder()
            .set_compression(Compression::ZSTD(ZstdLevel::default()))
            .build();
        let writer =
            ArrowWriter::try_new(out, schema.clone(), Some(properties)).map_err(unwritten)?;
        Ok(Self { writer })
    }
}

impl<W: Write + Send> RowSink for ParquetSink<W> {
    fn write(&mut self, batch: &RecordBatch) -> Result<bool> {
        self.writer.write(batch).map_err(unwritten)?;
        if self.writer.in_progress_size() >= ROW_GROUP_BYTES {
            self.writer.flush().map_err(unwritten)?;
        }
        Ok(true)
    }

    fn finish(self: Box<Self>) -> Result<()> {
        let mut out = self.writer.into_inner().map_err(unwritten)?;
        out.flush().map_err(CommandError::stdout)
    }
}

/// Tells a stream that is gone from values that Parquet can not hold.
fn unwritten(error: ParquetError) -> CommandError {
    match error {
        ParquetError::External(cause) => match cause.downcast::<std::io::Error>() {
            Ok(io) => CommandError::stdout(*io),
            Err(cause) => CommandError::failure("cannot write Parquet").because(cause),
        },
        other => CommandError::failure("these rows can not be written as Parquet").because(other),
    }
}
