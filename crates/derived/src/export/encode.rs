//! Rows as a file: Parquet or CSV.
//!
//! Always true: equal rows are equal bytes, however they came in batches; what
//! is held in memory is bounded by a row group.

use std::io::{BufWriter, Write};

use arrow::array::{Array, RecordBatch};
use arrow::compute::BatchCoalescer;
use arrow::datatypes::SchemaRef;
use arrow::util::display::{ArrayFormatter, DurationFormat, FormatOptions};
use parquet::arrow::ArrowWriter;
use parquet::basic::{Compression, ZstdLevel};
use parquet::errors::ParquetError;
use parquet::file::properties::WriterProperties;

use super::directory::OutFile;
use super::error::{ExportError, Result};
use super::request::FileFormat;

/// Rows that are encoded at once, so that pages begin at the same rows however
/// the rows came.
const CHUNK_ROWS: usize = 8_192;
/// The most rows of a row group.
const ROW_GROUP_ROWS: usize = 256 << 10;
/// The most bytes of a row group before it is encoded and let go.
const ROW_GROUP_BYTES: usize = 16 << 20;
const BUFFER_BYTES: usize = 256 << 10;

/// Values as text: null is empty, times are RFC 3339.
const TEXT: FormatOptions<'static> =
    FormatOptions::new().with_null("").with_duration_format(DurationFormat::Pretty);

/// A file that rows are written to.
pub(crate) struct Encoder {
    kind: Kind,
    /// For messages.
    path: String,
}

enum Kind {
    Parquet { writer: Box<ArrowWriter<BufWriter<OutFile>>>, chunks: BatchCoalescer },
    Csv { out: Box<BufWriter<OutFile>>, line: String },
}

impl Encoder {
    /// Rows of `schema`, of the table at `path`, into `file`.
    pub(crate) fn new(
        format: FileFormat,
        schema: &SchemaRef,
        file: OutFile,
        path: &str,
    ) -> Result<Self> {
        let path = path.to_owned();
        let mut out = BufWriter::with_capacity(BUFFER_BYTES, file);
        let kind = match format {
            FileFormat::Parquet => {
                let properties = WriterProperties::builder()
                    .set_compression(Compression::ZSTD(ZstdLevel::default()))
                    .set_max_row_group_row_count(Some(ROW_GROUP_ROWS))
                    .set_created_by("duckpond".to_owned())
                    .build();
                let place = out.get_ref().place().to_owned();
                let writer = ArrowWriter::try_new(out, schema.clone(), Some(properties));
                let writer = writer.map_err(|error| unwritten(error, &path, &place))?;
                let chunks = BatchCoalescer::new(schema.clone(), CHUNK_ROWS);
                Kind::Parquet { writer: Box::new(writer), chunks }
            }
            FileFormat::Csv => {
                let mut line = String::new();
                for (at, field) in schema.fields().iter().enumerate() {
                    push_field(&mut line, at, Some(field.name()));
                }
                end_line(&mut line, &mut out)?;
                Kind::Csv { out: Box::new(out), line }
            }
        };
        Ok(Self { kind, path })
    }

    /// Writes rows.
    pub(crate) fn write(&mut self, batch: RecordBatch) -> Result<()> {
        match &mut self.kind {
            Kind::Parquet { writer, chunks } => {
                let pushed = chunks.push_batch(batch);
                pushed.map_err(|error| encode(error, &self.path))?;
                while let Some(chunk) = chunks.next_completed_batch() {
                    write_chunk(writer, &chunk, &self.path)?;
                }
                Ok(())
            }
            Kind::Csv { out, line } => {
                let formatters: Result<Vec<_>, _> = batch
                    .columns()
                    .iter()
                    .map(|column| ArrayFormatter::try_new(column.as_ref(), &TEXT))
                    .collect();
                let formatters = formatters.map_err(|error| encode(error, &self.path))?;
                for row in 0..batch.num_rows() {
                    for (at, formatter) in formatters.iter().enumerate() {
                        let column = batch.column(at);
                        // An array of type null has no bitmap that says so.
                        if column.data_type().is_null() || column.is_null(row) {
                            push_field(line, at, None);
                            continue;
                        }
                        let text = formatter.value(row).try_to_string();
                        let text = text.map_err(|error| encode(error, &self.path))?;
                        push_field(line, at, Some(&text));
                    }
                    end_line(line, out)?;
                }
                Ok(())
            }
        }
    }

    /// Ends the rows. The file is not in its place yet.
    pub(crate) fn finish(self) -> Result<OutFile> {
        let mut out = match self.kind {
            Kind::Parquet { mut writer, mut chunks } => {
                let place = writer.inner().get_ref().place().to_owned();
                let ended = chunks.finish_buffered_batch();
                ended.map_err(|error| encode(error, &self.path))?;
                while let Some(chunk) = chunks.next_completed_batch() {
                    write_chunk(&mut writer, &chunk, &self.path)?;
                }
                writer.into_inner().map_err(|error| unwritten(error, &self.path, &place))?
            }
            Kind::Csv { out, .. } => *out,
        };
        let place = out.get_ref().place().to_owned();
        out.flush().map_err(|source| ExportError::io("write", &place, source))?;
        // Flushed, so that taking the file out loses nothing.
        out.into_inner().map_err(|error| ExportError::io("write", place, error.into_error()))
    }
}

fn write_chunk(
    writer: &mut ArrowWriter<BufWriter<OutFile>>,
    chunk: &RecordBatch,
    path: &str,
) -> Result<()> {
    let mut written = writer.write(chunk);
    if written.is_ok() && writer.in_progress_size() >= ROW_GROUP_BYTES {
        written = writer.flush();
    }
    written.map_err(|error| unwritten(error, path, writer.inner().get_ref().place()))
}

/// Tells a file that takes no more from values that Parquet can not hold.
fn unwritten(error: ParquetError, path: &str, place: &std::path::Path) -> ExportError {
    match error {
        ParquetError::External(cause) => match cause.downcast::<std::io::Error>() {
            Ok(io) => ExportError::io("write", place, *io),
            Err(cause) => ExportError::Encode { path: path.to_owned(), source: cause },
        },
        other => encode(other, path),
    }
}

fn encode(error: impl Into<Box<dyn std::error::Error + Send + Sync>>, path: &str) -> ExportError {
    ExportError::Encode { path: path.to_owned(), source: error.into() }
}

fn push_field(line: &mut String, at: usize, value: Option<&str>) {
    if at > 0 {
        line.push(',');
    }
    let Some(value) = value else { return };
    if value.is_empty() || value.contains([',', '"', '\n', '\r']) {
        line.push('"');
        line.push_str(&value.replace('"', "\"\""));
        line.push('"');
    } else {
        line.push_str(value);
    }
}

fn end_line(line: &mut String, out: &mut BufWriter<OutFile>) -> Result<()> {
    line.push('\n');
    let written = out.write_all(line.as_bytes());
    line.clear();
    written.map_err(|source| ExportError::io("write", out.get_ref().place(), source))
}
