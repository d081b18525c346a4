//! The byte view of a node.
//!
//! Always true: of a series, and of a computed table, the bytes are one Parquet
//! file of exactly the rows of its SQL view, of a series in the order of its
//! key; of a computed file, what its factory makes; of everything else, the
//! stored bytes of the newest version, checked against their hash; memory is
//! bounded by a row group, not by the node.
//!
//! Deliberately not here: one version of a file, which is `Fs::verified`.

use std::collections::HashMap;
use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::compute::cast;
use arrow::datatypes::{DataType, Field, FieldRef, Schema, SchemaRef};
use datafusion::prelude::ident;
use futures::StreamExt;
use parquet::arrow::AsyncArrowWriter;
use parquet::basic::{Compression, ZstdLevel};
use parquet::file::properties::WriterProperties;
use tinyfs::EntryType;
use tokio::io::{AsyncWrite, AsyncWriteExt};

use crate::catalog::Opened;
use crate::{Error, Result, Session};

/// The most rows of a row group.
const ROW_GROUP_ROWS: usize = 256 << 10;

/// The most bytes of a row group before it is encoded and let go.
const ROW_GROUP_BYTES: usize = 16 << 20;

/// Writes the bytes of the node at `path` to `out`, and returns how many.
///
/// # Errors
/// [`Error::NoSuchTable`] and the others of a query; [`Error::Store`] for a
/// content that is damaged; [`Error::Write`] when `out` fails.
pub async fn write_bytes(
    session: &Session,
    path: &str,
    out: &mut (impl AsyncWrite + Send + Unpin),
) -> Result<u64> {
    let found = session.catalog.fs.resolve(path).await?;
    if found.node.entry_type == EntryType::DynamicData
        && let Some(bytes) = session.catalog.computed_bytes(&found, out).await?
    {
        return Ok(bytes);
    }
    let rows = found.node.entry_type == EntryType::Series
        || found.node.entry_type.is_tabular() && found.node.entry_type.is_dynamic();
    if !rows {
        let mut stored = session.catalog.fs.verified(path, None).await?;
        let bytes = tokio::io::copy(&mut stored, out).await.map_err(failed)?;
        out.flush().await.map_err(failed)?;
        return Ok(bytes);
    }
    let opened = session.opened(path).await?;
    let key: Vec<String> = match &opened {
        Opened::Stored(table) => {
            let specs = table.members().iter().filter_map(|member| member.spec.as_ref());
            specs.flat_map(|spec| spec.key.clone()).collect()
        }
        Opened::Computed(table) => table.time_column.iter().map(ToString::to_string).collect(),
    };
    let mut frame = session.context().read_table(opened.provider())?;
    if !key.is_empty() {
        frame = frame.sort(key.iter().map(|name| ident(name).sort(true, true)).collect())?;
    }
    let mut rows = frame.execute_stream().await.map_err(|error| session.complete(error.into()))?;
    let schema = open_schema(&rows.schema());
    let mut writer = AsyncArrowWriter::try_new(&mut *out, Arc::clone(&schema), Some(properties()))
        .map_err(parquet_failed)?;
    while let Some(batch) = rows.next().await {
        let batch = batch.map_err(|error| session.complete(error.into()))?;
        let batch = as_open(&batch, &schema)?;
        writer.write(&batch).await.map_err(parquet_failed)?;
        if writer.in_progress_size() >= ROW_GROUP_BYTES {
            writer.flush().await.map_err(parquet_failed)?;
        }
    }
    writer.finish().await.map_err(parquet_failed)?;
    let bytes = writer.bytes_written() as u64;
    drop(writer);
    out.flush().await.map_err(failed)?;
    Ok(bytes)
}

fn properties() -> WriterProperties {
    WriterProperties::builder()
        .set_compression(Compression::ZSTD(ZstdLevel::default()))
        .set_max_row_group_row_count(Some(ROW_GROUP_ROWS))
        .set_created_by("duckpond".to_owned())
        .build()
}

/// The same schema in types that every Parquet reader knows: views of text and
/// bytes are how they are worked with, not what they are.
#[must_use]
pub fn open_schema(schema: &SchemaRef) -> SchemaRef {
    let field = |field: &FieldRef| -> FieldRef {
        let data_type = match field.data_type() {
            DataType::Utf8View => DataType::Utf8,
            DataType::BinaryView => DataType::Binary,
            other => other.clone(),
        };
        let renamed = Field::new(field.name(), data_type, field.is_nullable());
        Arc::new(renamed.with_metadata(field.metadata().clone()))
    };
    let fields: Vec<FieldRef> = schema.fields().iter().map(field).collect();
    Arc::new(Schema::new_with_metadata(fields, HashMap::new()))
}

/// A batch in an [`open_schema`].
///
/// # Errors
/// [`Error::Execution`] where a column is not of the schema's type.
pub fn as_open(batch: &RecordBatch, schema: &SchemaRef) -> Result<RecordBatch> {
    let columns = batch
        .columns()
        .iter()
        .zip(schema.fields())
        .map(|(column, field)| cast(column, field.data_type()))
        .collect::<Result<Vec<_>, _>>();
    columns
        .and_then(|columns| RecordBatch::try_new(Arc::clone(schema), columns))
        .map_err(|error| Error::from(datafusion::error::DataFusionError::from(error)))
}

fn failed(error: std::io::Error) -> Error {
    // A damaged content ends a read with the store's own error inside.
    match error.get_ref().and_then(|inner| inner.downcast_ref::<tinyfs::Error>()) {
        Some(store) => Error::Store(store.clone()),
        None => Error::Write(Arc::new(error)),
    }
}

fn parquet_failed(error: parquet::errors::ParquetError) -> Error {
    // The writer wraps the output's error, sometimes twice.
    let mut next: Option<&(dyn std::error::Error + 'static)> = Some(&error);
    while let Some(cause) = next {
        if let Some(io) = cause.downcast_ref::<std::io::Error>() {
            return failed(std::io::Error::new(io.kind(), error));
        }
        next = cause.source();
    }
    Error::Write(Arc::new(std::io::Error::other(error)))
}
