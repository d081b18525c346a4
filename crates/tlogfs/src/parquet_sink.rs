//! Record batches on their way into one Parquet content.
//!
//! Always true: at most one row group is held, encoded, and a row group ends
//! at [`ROW_GROUP_BYTES`] or [`ROW_GROUP_ROWS`], whichever comes first.

use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::{Schema, SchemaRef};
use parquet::arrow::AsyncArrowWriter;
use parquet::basic::{Compression, Encoding, ZstdLevel};
use parquet::errors::ParquetError;
use parquet::file::metadata::SortingColumn;
use parquet::file::properties::{EnabledStatistics, WriterProperties, WriterVersion};
use parquet::schema::types::ColumnPath;
use tinyfs::{Content, ContentWriter};

use crate::{Error, Result};

/// The most rows of a row group.
pub const ROW_GROUP_ROWS: usize = 1 << 20;
/// The most encoded bytes of a row group.
pub const ROW_GROUP_BYTES: usize = 64 << 20;
/// The most bytes of a column's dictionary. A reader of one page of a column reads
/// its dictionary as well, also where most pages do without: so one that grows
/// beyond what pays (32,768 numbers) is given up early.
const DICTIONARY_BYTES: usize = 256 << 10;
/// The most rows taken from a batch before it is seen whether a row group is full.
const SLICE_ROWS: usize = 8192;

/// Writes batches as Parquet into a store's content.
pub(crate) struct ParquetSink {
    path: String,
    writer: AsyncArrowWriter<Box<dyn ContentWriter>>,
}

impl ParquetSink {
    /// A sink for rows of `schema`; `sorted_by` says which columns they ascend
    /// by, when that is known beforehand.
    pub(crate) fn new(
        path: &str,
        content: Box<dyn ContentWriter>,
        schema: SchemaRef,
        time_column: Option<&str>,
        sorted_by: &[String],
    ) -> Result<Self> {
        let properties = properties(&schema, time_column, sorted_by);
        let writer = AsyncArrowWriter::try_new(content, schema, Some(properties))
            .map_err(|source| encoding(path, source))?;
        Ok(Self { path: path.to_owned(), writer })
    }

    /// Adds rows.
    pub(crate) async fn write(&mut self, batch: &RecordBatch) -> Result<()> {
        let mut from = 0;
        while from < batch.num_rows() {
            let rows = SLICE_ROWS.min(batch.num_rows() - from);
            let slice = batch.slice(from, rows);
            self.writer.write(&slice).await.map_err(|source| encoding(&self.path, source))?;
            from += rows;
        }
        Ok(())
    }

    /// Ends the file and the content.
    pub(crate) async fn finish(mut self) -> Result<Content> {
        self.writer.finish().await.map_err(|source| encoding(&self.path, source))?;
        Ok(self.writer.into_inner().finish().await?)
    }
}

/// A store's refusal inside the encoder is the store's, not the encoder's.
fn encoding(path: &str, source: ParquetError) -> Error {
    match source {
        ParquetError::External(cause) => match cause.downcast::<std::io::Error>() {
            Ok(io) => tinyfs::Error::io(format!("cannot write content for `{path}`"), *io).into(),
            Err(cause) => Error::Parquet {
                doing: format!("cannot write rows for `{path}`"),
                source: ParquetError::External(cause),
            },
        },
        source => Error::Parquet { doing: format!("cannot write rows for `{path}`"), source },
    }
}

fn properties(
    schema: &Schema,
    time_column: Option<&str>,
    sorted_by: &[String],
) -> WriterProperties {
    let sorting: Option<Vec<SortingColumn>> = sorted_by
        .iter()
        .map(|name| {
            // Leaf indices equal field indices only while all fields before are flat.
            let index = schema.index_of(name).ok()?;
            let flat = schema.fields()[..=index].iter().all(|field| !field.data_type().is_nested());
            Some(SortingColumn {
                column_idx: flat.then_some(i32::try_from(index).ok()?)?,
                descending: false,
                nulls_first: false,
            })
        })
        .collect();
    let mut properties = WriterProperties::builder()
        .set_writer_version(WriterVersion::PARQUET_1_0)
        .set_compression(Compression::ZSTD(ZstdLevel::default()))
        .set_dictionary_page_size_limit(DICTIONARY_BYTES)
        .set_statistics_enabled(EnabledStatistics::Page)
        .set_max_row_group_row_count(Some(ROW_GROUP_ROWS))
        .set_max_row_group_bytes(Some(ROW_GROUP_BYTES))
        .set_sorting_columns(sorting.filter(|columns| !columns.is_empty()));
    if let Some(name) = time_column {
        // Times ascend by nearly equal steps: deltas are far smaller than a dictionary.
        let column = ColumnPath::from(name);
        properties = properties
            .set_column_dictionary_enabled(column.clone(), false)
            .set_column_encoding(column, Encoding::DELTA_BINARY_PACKED);
    }
    properties.build()
}

/// The schema with the time column declared as never null.
pub(crate) fn with_time_required(schema: &Schema, time_column: &str) -> SchemaRef {
    let fields: Vec<_> = schema
        .fields()
        .iter()
        .map(|field| {
            if field.name() == time_column && field.is_nullable() {
                Arc::new(field.as_ref().clone().with_nullable(false))
            } else {
                Arc::clone(field)
            }
        })
        .collect();
    Arc::new(Schema::new_with_metadata(fields, schema.metadata().clone()))
}
