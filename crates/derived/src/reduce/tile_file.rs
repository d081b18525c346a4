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
//!
//! Always true: a tile is written in pieces, of which about as much is held as
//! one row group; a [`TileReader`] holds one piece; before the first piece is
//! given out all of the file is compared.
//!
//! A tile may have a [tail](super::tail): what has come at its end lately, in a
//! file of its own, so that a minute more does not write all of a tile again.

use std::fs::File;
use std::io::{self, BufWriter, Seek, Write};
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, RecordBatch};
use arrow::compute::{BatchCoalescer, concat_batches};
use arrow::datatypes::{DataType, FieldRef, Int64Type, SchemaRef};
use arrow::error::ArrowError;
use parquet::arrow::ArrowWriter;
use parquet::arrow::arrow_reader::{ParquetRecordBatchReader, ParquetRecordBatchReaderBuilder};
use parquet::basic::{Compression, ZstdLevel};
use parquet::errors::ParquetError;
use parquet::file::metadata::KeyValue;
use parquet::file::properties::{EnabledStatistics, WriterProperties};
use serde::{Deserialize, Serialize};

use super::tail::{self, Tail};

/// What a number takes.
const NUMBER_BYTES: usize = 8;
/// From here on a tile is compressed.
const COMPRESSED_FROM_BYTES: usize = 1 << 20;
/// About how large a row group is.
const ROW_GROUP_BYTES: usize = 8 << 20;
/// About how much of a tile is handled at once, within these bounds.
const PIECE_BYTES: usize = 1 << 20;
const MIN_PIECE_ROWS: usize = 64;
const MAX_PIECE_ROWS: usize = 4_096;

/// About how much a sketch takes: one of a thousand different readings. A bucket
/// of time with more has up to four times as much.
const SKETCH_BYTES: usize = 4 << 10;

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
    /// The buckets that stand in the place of the file's from some time on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) tail: Option<Tail>,
}

impl Tile {
    /// Whether buckets of it may begin in `range`.
    pub(crate) fn may_have(&self, range: &Range<i64>) -> bool {
        let of = |min_us, max_us| min_us < range.end && max_us >= range.start;
        of(self.min_us, self.max_us)
            || self.tail.as_ref().is_some_and(|tail| of(tail.min_us, tail.max_us))
    }

    /// Where its last bucket begins, with those of its tail.
    pub(crate) fn last_us(&self) -> i64 {
        self.tail.as_ref().map_or(self.max_us, |tail| tail.max_us)
    }

    /// What tells it from a tile with other buckets.
    pub(crate) fn identity(&self) -> String {
        match &self.tail {
            None => self.hash.clone(),
            Some(tail) => format!("{}+{}@{}", self.hash, tail.hash, tail.from_us),
        }
    }

    /// Its files, in the directory of its resolution.
    pub(crate) fn files(&self) -> impl Iterator<Item = &str> {
        let tail = self.tail.as_ref().map(|tail| tail.file.as_str());
        std::iter::once(self.file.as_str()).chain(tail)
    }
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
    #[error("its tail does not decode")]
    Tail(#[from] ArrowError),
}

/// A tile under way. Its buckets come in order, in any pieces: what is written
/// depends on the buckets alone, because they are cut into pieces anew.
pub(crate) struct TileWriter {
    dir: PathBuf,
    stem: String,
    about: String,
    schema: SchemaRef,
    pieces: BatchCoalescer,
    /// What has come while it is not known whether the tile is a large one.
    held: Vec<RecordBatch>,
    held_bytes: usize,
    writer: Option<ArrowWriter<Hashing>>,
    rows: u64,
    times: Option<(i64, i64)>,
}

impl TileWriter {
    /// A tile in `dir`. `stem` is how its name begins, `about` what its footer
    /// says of it.
    pub(crate) fn new(dir: &Path, stem: String, about: String, schema: &SchemaRef) -> Self {
        Self {
            dir: dir.to_owned(),
            stem,
            about,
            schema: Arc::clone(schema),
            pieces: BatchCoalescer::new(Arc::clone(schema), piece_rows(schema)),
            held: Vec::new(),
            held_bytes: 0,
            writer: None,
            rows: 0,
            times: None,
        }
    }

    /// Adds buckets.
    pub(crate) fn write(&mut self, buckets: RecordBatch) -> io::Result<()> {
        let times = buckets.column(0).as_primitive::<Int64Type>().values();
        let Some((&first, &last)) = times.first().zip(times.last()) else {
            return Ok(());
        };
        self.times = Some((self.times.map_or(first, |(first, _)| first), last));
        self.rows += buckets.num_rows() as u64;
        self.pieces.push_batch(buckets).map_err(io::Error::other)?;
        self.write_pieces()
    }

    fn write_pieces(&mut self) -> io::Result<()> {
        while let Some(piece) = self.pieces.next_completed_batch() {
            match &mut self.writer {
                Some(writer) => writer.write(&piece).map_err(io::Error::other)?,
                None => {
                    self.held_bytes += size(&piece);
                    self.held.push(piece);
                    if self.held_bytes >= COMPRESSED_FROM_BYTES {
                        let level = ZstdLevel::try_new(1).map_err(io::Error::other)?;
                        self.begin(Compression::ZSTD(level))?;
                    }
                }
            }
        }
        Ok(())
    }

    fn begin(&mut self, compression: Compression) -> io::Result<()> {
        let numbers = self.schema.fields().len().max(1) * NUMBER_BYTES;
        let properties = WriterProperties::builder()
            .set_compression(compression)
            .set_dictionary_enabled(false)
            .set_statistics_enabled(EnabledStatistics::None)
            .set_offset_index_disabled(true)
            .set_max_row_group_row_count(Some(ROW_GROUP_BYTES / numbers))
            .set_max_row_group_bytes(Some(ROW_GROUP_BYTES))
            .set_created_by("duckpond".to_owned())
            .set_key_value_metadata(Some(vec![KeyValue::new(
                "duckpond.tile".to_owned(),
                self.about.clone(),
            )]))
            .build();
        let file = Hashing {
            file: BufWriter::new(tempfile::NamedTempFile::new_in(&self.dir)?),
            hasher: blake3::Hasher::new(),
            bytes: 0,
        };
        let writer = ArrowWriter::try_new(file, Arc::clone(&self.schema), Some(properties));
        let writer = self.writer.insert(writer.map_err(io::Error::other)?);
        for piece in self.held.drain(..) {
            writer.write(&piece).map_err(io::Error::other)?;
        }
        Ok(())
    }

    /// Puts the tile in its place; `None` when no bucket came.
    pub(crate) fn finish(mut self) -> io::Result<Option<Tile>> {
        let Some((min_us, max_us)) = self.times else {
            return Ok(None);
        };
        self.pieces.finish_buffered_batch().map_err(io::Error::other)?;
        self.write_pieces()?;
        if self.writer.is_none() {
            self.begin(Compression::UNCOMPRESSED)?;
        }
        let Some(writer) = self.writer else {
            return Ok(None);
        };
        let Hashing { file, hasher, bytes } = writer.into_inner().map_err(io::Error::other)?;
        let hash = hasher.finalize().to_hex().to_string();
        let file_name = format!("{}-{}.parquet", self.stem, &hash[..16]);
        let temporary = file.into_inner().map_err(io::IntoInnerError::into_error)?;
        temporary.persist(self.dir.join(&file_name)).map_err(|error| error.error)?;
        let rows = self.rows;
        Ok(Some(Tile { file: file_name, rows, bytes, hash, min_us, max_us, tail: None }))
    }
}

/// About how many bytes a bucket has.
fn width(schema: &SchemaRef) -> usize {
    let field = |field: &FieldRef| match field.data_type() {
        DataType::Binary => SKETCH_BYTES,
        _ => NUMBER_BYTES,
    };
    schema.fields().iter().map(field).sum::<usize>().max(1)
}

/// How many bytes buckets have. It depends on their values alone.
pub(crate) fn size(buckets: &RecordBatch) -> usize {
    let column = |column: &ArrayRef| match column.as_binary_opt::<i32>() {
        Some(sketches) => {
            let offsets = sketches.value_offsets();
            (offsets[sketches.len()] - offsets[0]) as usize
        }
        None => column.len() * NUMBER_BYTES,
    };
    buckets.columns().iter().map(column).sum()
}

/// Buckets that are handled at once.
fn piece_rows(schema: &SchemaRef) -> usize {
    (PIECE_BYTES / width(schema)).clamp(MIN_PIECE_ROWS, MAX_PIECE_ROWS)
}

/// A file that is hashed while it is written.
struct Hashing {
    file: BufWriter<tempfile::NamedTempFile>,
    hasher: blake3::Hasher,
    bytes: u64,
}

impl Write for Hashing {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.file.write(bytes)?;
        self.hasher.update(&bytes[..written]);
        self.bytes += written as u64;
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

/// Reads the buckets of a tile, piece by piece, forward.
pub(crate) struct TileReader {
    /// The file; `None` at its end, or where nothing of it is wanted.
    pieces: Option<ParquetRecordBatchReader>,
    /// Where the tail takes over, and its buckets.
    tail: Option<(i64, RecordBatch)>,
    /// What was read and is not yet wanted.
    ahead: Option<RecordBatch>,
}

impl TileReader {
    /// The buckets of `tile` that begin at `from` or later, and maybe some
    /// before, when its files are those that were written.
    pub(crate) fn open(
        dir: &Path,
        tile: &Tile,
        schema: &SchemaRef,
        from: i64,
    ) -> Result<Self, TileProblem> {
        let tail = match &tile.tail {
            Some(tail) => Some((tail.from_us, tail::read(dir, tail, schema)?)),
            None => None,
        };
        if tail.as_ref().is_some_and(|(taken_over, _)| from >= *taken_over) {
            return Ok(Self { pieces: None, tail, ahead: None });
        }
        let mut file = File::open(dir.join(&tile.file))?;
        let mut hasher = blake3::Hasher::new();
        let bytes = io::copy(&mut file, &mut hasher)?;
        if bytes != tile.bytes || hasher.finalize().to_hex().as_str() != tile.hash {
            return Err(TileProblem::Changed);
        }
        file.rewind()?;
        let reader = ParquetRecordBatchReaderBuilder::try_new(file)?;
        if reader.schema().fields() != schema.fields() {
            return Err(TileProblem::Layout);
        }
        let pieces = reader.with_batch_size(piece_rows(schema)).build()?;
        Ok(Self { pieces: Some(pieces), tail, ahead: None })
    }

    /// The next buckets that begin before `until`; `None` when there are no
    /// more of these.
    pub(crate) fn before(&mut self, until: i64) -> Result<Option<RecordBatch>, TileProblem> {
        let piece = match self.ahead.take() {
            Some(piece) => piece,
            None => match self.piece()? {
                Some(piece) => piece,
                None => return Ok(None),
            },
        };
        let rows = rows_before(&piece, until);
        if rows == piece.num_rows() {
            return Ok(Some(piece));
        }
        if rows == 0 {
            self.ahead = Some(piece);
            return Ok(None);
        }
        self.ahead = Some(piece.slice(rows, piece.num_rows() - rows));
        Ok(Some(piece.slice(0, rows)))
    }

    /// The next piece, of the file as far as it holds and then of the tail.
    fn piece(&mut self) -> Result<Option<RecordBatch>, TileProblem> {
        let next = self.pieces.as_mut().and_then(Iterator::next);
        if let Some(piece) = next.transpose().map_err(ParquetError::from)? {
            let rows = match &self.tail {
                Some((taken_over, _)) => rows_before(&piece, *taken_over),
                None => piece.num_rows(),
            };
            if rows == piece.num_rows() {
                return Ok(Some(piece));
            }
            self.pieces = None;
            if rows > 0 {
                return Ok(Some(piece.slice(0, rows)));
            }
        }
        self.pieces = None;
        Ok(self.tail.take().map(|(_, buckets)| buckets))
    }

    /// Whether there is nothing more, once [`TileReader::before`] had no more to
    /// give.
    pub(crate) const fn is_done(&self) -> bool {
        self.ahead.is_none()
    }
}

/// How many buckets of a piece begin before a time.
fn rows_before(piece: &RecordBatch, until: i64) -> usize {
    let times = piece.column(0).as_primitive::<Int64Type>().values();
    times.partition_point(|&time| time < until)
}

/// All buckets of a tile, when its files are those that were written.
pub(crate) fn read(
    dir: &Path,
    tile: &Tile,
    schema: &SchemaRef,
) -> Result<RecordBatch, TileProblem> {
    let mut reader = TileReader::open(dir, tile, schema, i64::MIN)?;
    let mut pieces = Vec::new();
    while let Some(piece) = reader.before(i64::MAX)? {
        pieces.push(piece);
    }
    Ok(concat_batches(schema, &pieces).map_err(ParquetError::from)?)
}

#[cfg(test)]
mod tests {
    use arrow::array::{BinaryArray, Int64Array};
    use arrow::datatypes::{Field, Schema};

    use super::*;

    #[test]
    fn tiles_of_sketches_are_handled_in_small_pieces() {
        let schema = Arc::new(Schema::new(vec![
            Field::new("time", DataType::Int64, false),
            Field::new("sketch", DataType::Binary, true),
        ]));
        // Three thousand sketches of 6,000 bytes that do not compress.
        let rows = 3_000_i64;
        let mut noise = blake3::Hasher::new().finalize_xof();
        let sketches = (0..rows).map(|_| {
            let mut sketch = vec![0; 6_000];
            noise.fill(&mut sketch);
            Some(sketch)
        });
        let columns: Vec<ArrayRef> = vec![
            Arc::new(Int64Array::from_iter_values(0..rows)),
            Arc::new(BinaryArray::from_iter(sketches)),
        ];
        let buckets = RecordBatch::try_new(Arc::clone(&schema), columns).unwrap();

        let dir = tempfile::tempdir().unwrap();
        let mut writer = TileWriter::new(dir.path(), "stem".into(), "about".into(), &schema);
        writer.write(buckets.clone()).unwrap();
        let tile = writer.finish().unwrap().unwrap();
        let file = File::open(dir.path().join(&tile.file)).unwrap();
        let reader = ParquetRecordBatchReaderBuilder::try_new(file).unwrap();
        assert!(reader.metadata().num_row_groups() > 1, "18 MB are no one row group");
        let first = reader.metadata().row_group(0).column(0).compression();
        assert!(matches!(first, Compression::ZSTD(_)), "{first:?}");

        let mut reader = TileReader::open(dir.path(), &tile, &schema, i64::MIN).unwrap();
        while let Some(piece) = reader.before(i64::MAX).unwrap() {
            assert!(size(&piece) <= 2 * PIECE_BYTES, "{}", size(&piece));
        }
        assert_eq!(read(dir.path(), &tile, &schema).unwrap(), buckets);
    }
}
