//! Tiles as files: one Parquet file each, named by where its span begins and by
//! what it holds.
//!
//! A file is written under a temporary name and renamed, and it is never
//! changed after; what replaces it has another name. Nothing is fsynced,
//! because all of it can be made again: a file is read only when its bytes have
//! the hash that the index has for it.
//!
//! Values are plain, without dictionaries, statistics and indexes: a tile is
//! read as a whole. Below 1 MiB they are not compressed either, because an
//! update writes one tile of each resolution and compressing would take longer
//! than all the rest of it.

use std::fs;
use std::io;
use std::io::Write;
use std::path::Path;

use arrow::array::{AsArray, RecordBatch};
use arrow::compute::concat_batches;
use arrow::datatypes::{Int64Type, SchemaRef};
use bytes::Bytes;
use parquet::arrow::ArrowWriter;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use parquet::basic::{Compression, ZstdLevel};
use parquet::errors::ParquetError;
use parquet::file::metadata::KeyValue;
use parquet::file::properties::{EnabledStatistics, WriterProperties};
use serde::{Deserialize, Serialize};
use tinyfs::ContentHash;

/// From here on a tile is compressed.
const COMPRESSED_FROM_BYTES: usize = 1 << 20;
/// About how large a row group is.
const ROW_GROUP_BYTES: usize = 8 << 20;

/// A tile, as the index knows it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Tile {
    /// The file's name in the directory of its resolution.
    pub(crate) file: String,
    /// How many buckets it has.
    pub(crate) rows: u64,
    /// The size of the file.
    pub(crate) bytes: u64,
    /// BLAKE3 of the file, in hex.
    pub(crate) hash: String,
    /// Where its first bucket begins.
    pub(crate) min_us: i64,
    /// Where its last bucket begins.
    pub(crate) max_us: i64,
}

/// Why a tile is not what the index says.
#[derive(Debug, thiserror::Error)]
pub(crate) enum TileProblem {
    #[error("it can not be read")]
    Io(#[from] io::Error),
    #[error("its bytes are not those that were written")]
    Changed,
    #[error("it is no tile of this kind")]
    Layout,
    #[error("it does not decode")]
    Parquet(#[from] ParquetError),
}

/// Writes `rows`, of which there is at least one, into `dir` as a tile. `stem`
/// is how its name begins, `about` what its footer says of it.
pub(crate) fn write(dir: &Path, stem: &str, about: &str, rows: &RecordBatch) -> io::Result<Tile> {
    let width = rows.num_columns().max(1) * 8;
    let compression = if rows.num_rows() * width < COMPRESSED_FROM_BYTES {
        Compression::UNCOMPRESSED
    } else {
        Compression::ZSTD(ZstdLevel::try_new(1).map_err(io::Error::other)?)
    };
    let properties = WriterProperties::builder()
        .set_compression(compression)
        .set_dictionary_enabled(false)
        .set_statistics_enabled(EnabledStatistics::None)
        .set_offset_index_disabled(true)
        .set_max_row_group_row_count(Some((ROW_GROUP_BYTES / width).max(1_024)))
        .set_created_by("duckpond".to_owned())
        .set_key_value_metadata(Some(vec![KeyValue::new(
            "duckpond.tile".to_owned(),
            about.to_owned(),
        )]))
        .build();
    let mut writer = ArrowWriter::try_new(Vec::new(), rows.schema(), Some(properties))
        .map_err(io::Error::other)?;
    writer.write(rows).map_err(io::Error::other)?;
    let bytes = writer.into_inner().map_err(io::Error::other)?;

    let hash = ContentHash::of(&bytes).to_string();
    let file = format!("{stem}-{}.parquet", &hash[..16]);
    let mut temporary = tempfile::NamedTempFile::new_in(dir)?;
    temporary.write_all(&bytes)?;
    temporary.persist(dir.join(&file)).map_err(|error| error.error)?;
    let times = rows.column(0).as_primitive::<Int64Type>().values();
    Ok(Tile {
        file,
        rows: rows.num_rows() as u64,
        bytes: bytes.len() as u64,
        hash,
        min_us: times.first().copied().unwrap_or_default(),
        max_us: times.last().copied().unwrap_or_default(),
    })
}

/// The rows of a tile, when the file is the one that was written.
pub(crate) fn read(
    dir: &Path,
    tile: &Tile,
    schema: &SchemaRef,
) -> Result<RecordBatch, TileProblem> {
    let bytes = fs::read(dir.join(&tile.file))?;
    if bytes.len() as u64 != tile.bytes || ContentHash::of(&bytes).to_string() != tile.hash {
        return Err(TileProblem::Changed);
    }
    let reader = ParquetRecordBatchReaderBuilder::try_new(Bytes::from(bytes))?;
    if reader.schema().fields() != schema.fields() {
        return Err(TileProblem::Layout);
    }
    let batches: Result<Vec<RecordBatch>, _> =
        reader.with_batch_size(usize::try_from(tile.rows).unwrap_or(8_192)).build()?.collect();
    let batches = batches.map_err(ParquetError::from)?;
    Ok(concat_batches(schema, &batches).map_err(ParquetError::from)?)
}
