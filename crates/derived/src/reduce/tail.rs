//! What has come at the end of a tile lately, in a small file of its own.
//!
//! A minute more changes the newest bucket of each resolution, and to write
//! whole tiles for it would hand megabytes to a disk every minute. So the
//! newest buckets of a tile lie beside it, and are written into it when they
//! have become many, or when another tile has become the newest.
//!
//! The file is a stream of Arrow's, because it is read and written once for
//! each that comes: to encode a dozen rows of a hundred columns as Parquet
//! takes longer than to compute them. It is never changed, and is read only
//! when its bytes have the hash that the index has for it.

use std::fs;
use std::io::{self, Write};
use std::path::Path;

use arrow::array::{AsArray, RecordBatch};
use arrow::compute::concat_batches;
use arrow::datatypes::{Int64Type, SchemaRef};
use arrow::error::ArrowError;
use arrow::ipc::reader::StreamReader;
use arrow::ipc::writer::StreamWriter;
use serde::{Deserialize, Serialize};

use super::tile_file::TileProblem;

/// Buckets of a tail, at most.
pub(crate) const MAX_ROWS: usize = 64;
/// Bytes of their values, at most.
pub(crate) const MAX_BYTES: usize = 256 << 10;

/// The end of a tile, as the index knows it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Tail {
    /// The file's name in the directory of its resolution.
    pub(crate) file: String,
    /// The size of the file.
    bytes: u64,
    /// BLAKE3 of the file, in hex.
    pub(crate) hash: String,
    /// From here on its buckets stand in the place of the tile's own.
    pub(crate) from_us: i64,
    /// Where its first bucket begins.
    pub(crate) min_us: i64,
    /// Where its last bucket begins.
    pub(crate) max_us: i64,
}

/// Writes buckets as the tail of a tile whose name begins with `stem`; `None`
/// when there are none.
pub(crate) fn write(
    dir: &Path,
    stem: &str,
    from_us: i64,
    schema: &SchemaRef,
    buckets: &[RecordBatch],
) -> io::Result<Option<Tail>> {
    let buckets = concat_batches(schema, buckets).map_err(io::Error::other)?;
    let times = buckets.column(0).as_primitive::<Int64Type>().values();
    let Some((&min_us, &max_us)) = times.first().zip(times.last()) else { return Ok(None) };
    let encoded = encode(schema, &buckets).map_err(io::Error::other)?;
    let hash = blake3::hash(&encoded).to_hex().to_string();
    let file = format!("{stem}-{}.arrow", &hash[..16]);
    let mut temporary = tempfile::NamedTempFile::new_in(dir)?;
    temporary.write_all(&encoded)?;
    temporary.persist(dir.join(&file)).map_err(|error| error.error)?;
    Ok(Some(Tail { file, bytes: encoded.len() as u64, hash, from_us, min_us, max_us }))
}

fn encode(schema: &SchemaRef, buckets: &RecordBatch) -> Result<Vec<u8>, ArrowError> {
    let mut writer = StreamWriter::try_new(Vec::new(), schema)?;
    writer.write(buckets)?;
    writer.into_inner()
}

/// The buckets of a tail, when its file is the one that was written.
pub(crate) fn read(
    dir: &Path,
    tail: &Tail,
    schema: &SchemaRef,
) -> Result<RecordBatch, TileProblem> {
    let bytes = fs::read(dir.join(&tail.file))?;
    if bytes.len() as u64 != tail.bytes || blake3::hash(&bytes).to_hex().as_str() != tail.hash {
        return Err(TileProblem::Changed);
    }
    let reader = StreamReader::try_new(bytes.as_slice(), None)?;
    if reader.schema().fields() != schema.fields() {
        return Err(TileProblem::Layout);
    }
    let batches = reader.collect::<Result<Vec<_>, _>>()?;
    Ok(concat_batches(schema, &batches)?)
}
