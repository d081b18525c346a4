//! The time column of a Parquet file, decoded as a whole: for its range, its
//! order, and that no time is missing.
//!
//! A footer's word is not enough: range and missing values it may tell, order
//! it can not. Row groups are decoded side by side, each straight from its pages
//! into integers, and what is learnt of them is joined in the order of rows.
//!
//! Always true: each of at most [`LANES`] threads holds one window of the file
//! and one page; a row group with other than the rows it claims is refused.
//!
//! Deliberately not here: times whose stored numbers are not those of their
//! Arrow type (96-bit timestamps, days read as milliseconds), which are decoded
//! with all else.

use std::io::{self, Read};
use std::ops::Range;
use std::sync::{Arc, Mutex, PoisonError};

use arrow::datatypes::DataType;
use bytes::Bytes;
use futures::{StreamExt as _, stream};
use parquet::basic::Type as PhysicalType;
use parquet::column::reader::{ColumnReader, ColumnReaderImpl, get_column_reader};
use parquet::data_type::DataType as Stored;
use parquet::errors::Result as ParquetResult;
use parquet::file::metadata::ParquetMetaData;
use parquet::file::reader::{ChunkReader, Length};
use parquet::file::serialized_reader::SerializedPageReader;
use tokio::runtime::Handle;

use crate::Result;
use crate::parquet_ext::not_parquet;
use crate::parquet_intake::broken;
use crate::parquet_reader::RangeReader;
use crate::series::order::TimeWatch;

/// The most row groups decoded side by side.
const LANES: usize = 4;
/// How much of the file is read at once.
const WINDOW_BYTES: u64 = 4 << 20;
/// How many times are decoded at once.
const BATCH_TIMES: usize = 8192;

/// A time column whose stored numbers are the times.
#[derive(Clone, Copy, Debug)]
pub(crate) struct TimeColumn {
    /// Which of the file's leaf columns it is.
    leaf: usize,
    /// What a stored 32-bit number stands for.
    widen: fn(i32) -> i64,
}

impl TimeColumn {
    /// The column at `index` of the schema, if its stored numbers are its times.
    pub(crate) fn of(metadata: &ParquetMetaData, index: usize, of: &DataType) -> Option<Self> {
        let schema = metadata.file_metadata().schema_descr();
        let leaf =
            (0..schema.num_columns()).find(|leaf| schema.get_column_root_idx(*leaf) == index)?;
        let column = schema.column(leaf);
        if column.max_rep_level() > 0 || column.max_def_level() > 1 {
            return None;
        }
        let widen: fn(i32) -> i64 = match (column.physical_type(), of) {
            (PhysicalType::INT64, DataType::Timestamp(..) | DataType::Int64)
            | (PhysicalType::INT32, DataType::Int32 | DataType::Date32) => i64::from,
            (PhysicalType::INT32, DataType::UInt32) => |stored| i64::from(stored.cast_unsigned()),
            _ => return None,
        };
        Some(Self { leaf, widen })
    }

    /// Shows the watch all times of the file.
    ///
    /// # Errors
    /// [`Error::NotParquet`], and those of the watch for the first row that has one.
    pub(crate) async fn see_all(
        self,
        path: &str,
        reader: &RangeReader,
        metadata: &Arc<ParquetMetaData>,
        mut watch: TimeWatch,
    ) -> Result<TimeWatch> {
        let mut before = watch.rows();
        let mut parts = Vec::with_capacity(metadata.num_row_groups());
        for group in 0..metadata.num_row_groups() {
            let rows = u64::try_from(metadata.row_group(group).num_rows());
            let rows = rows.map_err(|_| broken(path, "a row group claims less than no rows"))?;
            parts.push((group, rows, watch.part(before)));
            let total = before.checked_add(rows);
            before = total.ok_or_else(|| broken(path, "its row groups claim too many rows"))?;
        }
        let lanes = std::thread::available_parallelism().map_or(1, Into::into).min(LANES);
        let mut seen = stream::iter(parts)
            .map(|(group, rows, part)| {
                let (path, reader) = (path.to_owned(), reader.clone());
                let (metadata, runtime) = (Arc::clone(metadata), Handle::current());
                tokio::task::spawn_blocking(move || {
                    let windows = Windows::new(reader, runtime, metadata.row_group(group), self);
                    let column = self.open(windows, &metadata, group);
                    let column = column.map_err(|source| not_parquet(&path, source))?;
                    self.see_group(&path, column, rows, part)
                })
            })
            .buffered(lanes);
        while let Some(part) = seen.next().await {
            // The decoder may panic on a malformed file.
            watch.join(&part.unwrap_or_else(|_| Err(broken(path, "the decoder gave up on it")))?);
        }
        Ok(watch)
    }

    fn open(
        self,
        windows: Windows,
        metadata: &ParquetMetaData,
        group: usize,
    ) -> ParquetResult<ColumnReader> {
        let group = metadata.row_group(group);
        let rows = usize::try_from(group.num_rows())?;
        let chunk = group.column(self.leaf);
        let pages = SerializedPageReader::new(Arc::new(windows), chunk, rows, None)?;
        Ok(get_column_reader(chunk.column_descr_ptr(), Box::new(pages)))
    }

    fn see_group(
        self,
        path: &str,
        column: ColumnReader,
        rows: u64,
        watch: TimeWatch,
    ) -> Result<TimeWatch> {
        match column {
            ColumnReader::Int64ColumnReader(column) => {
                drain(path, column, rows, watch, |stored, watch| watch.see_times(stored))
            }
            ColumnReader::Int32ColumnReader(column) => {
                let mut wide = Vec::with_capacity(BATCH_TIMES);
                drain(path, column, rows, watch, |stored, watch| {
                    wide.clear();
                    wide.extend(stored.iter().map(|stored| (self.widen)(*stored)));
                    watch.see_times(&wide)
                })
            }
            _ => Err(broken(path, "its time column is of another type in one row group")),
        }
    }
}

/// Decodes one row group's column, which must have the rows that are claimed.
fn drain<T: Stored>(
    path: &str,
    mut column: ColumnReaderImpl<T>,
    claimed: u64,
    mut watch: TimeWatch,
    mut see: impl FnMut(&[T::T], &mut TimeWatch) -> Result<()>,
) -> Result<TimeWatch> {
    let mut times = Vec::with_capacity(BATCH_TIMES);
    let mut levels = Vec::with_capacity(BATCH_TIMES);
    let mut found = 0;
    while found <= claimed {
        times.clear();
        levels.clear();
        let read = column.read_records(BATCH_TIMES, Some(&mut levels), None, &mut times);
        let (rows, present, _) = read.map_err(|source| not_parquet(path, source))?;
        if rows == 0 {
            break;
        }
        if present < rows {
            let missing = levels.iter().position(|level| *level == 0).unwrap_or(present);
            return Err(watch.null_at(missing));
        }
        see(&times, &mut watch)?;
        found += rows as u64;
    }
    if found != claimed {
        let what = format!(
            "a row group claims {claimed} rows but its time column has other than that many"
        );
        return Err(broken(path, &what));
    }
    Ok(watch)
}

/// One column chunk, read a window at a time by a thread that may wait.
#[derive(Clone)]
struct Windows {
    reader: RangeReader,
    runtime: Handle,
    /// Where the chunk ends, if it is to be believed.
    end: u64,
    /// The window held, and where it begins.
    held: Arc<Mutex<(u64, Bytes)>>,
}

impl Windows {
    fn new(
        reader: RangeReader,
        runtime: Handle,
        group: &parquet::file::metadata::RowGroupMetaData,
        column: TimeColumn,
    ) -> Self {
        let (start, len) = group.column(column.leaf).byte_range();
        let end = start.saturating_add(len).min(reader.0.size_bytes());
        Self { reader, runtime, end, held: Arc::default() }
    }

    fn fetch(&self, range: Range<u64>) -> ParquetResult<Bytes> {
        self.runtime.block_on(self.reader.get(range))
    }

    /// At least `len` bytes from `start` on.
    fn at_least(&self, start: u64, len: u64) -> ParquetResult<Bytes> {
        let needed = start.saturating_add(len);
        // What a panic leaves behind is whole.
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        let (from, bytes) = &*held;
        if start < *from || needed > from + bytes.len() as u64 {
            let end = start.saturating_add(WINDOW_BYTES).min(self.end).max(needed);
            *held = (start, self.fetch(start..end)?);
        }
        let (from, bytes) = &*held;
        let skip = usize::try_from(start - from)?;
        Ok(bytes.slice(skip..))
    }
}

impl Length for Windows {
    fn len(&self) -> u64 {
        self.reader.0.size_bytes()
    }
}

impl ChunkReader for Windows {
    type T = Rest;

    fn get_read(&self, start: u64) -> ParquetResult<Rest> {
        // Read at once, so that a failing store is told as that and not as a
        // page header that does not decode.
        if start < self.end {
            self.at_least(start, 1)?;
        }
        Ok(Rest { windows: self.clone(), at: start })
    }

    fn get_bytes(&self, start: u64, length: usize) -> ParquetResult<Bytes> {
        Ok(self.at_least(start, length as u64)?.slice(..length))
    }
}

/// What comes after a place in a column chunk.
struct Rest {
    windows: Windows,
    at: u64,
}

impl Read for Rest {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        if self.at >= self.windows.end || into.is_empty() {
            return Ok(0);
        }
        let bytes = self.windows.at_least(self.at, 1).map_err(io::Error::other)?;
        let taken = bytes.len().min(into.len());
        into[..taken].copy_from_slice(&bytes[..taken]);
        self.at += taken as u64;
        Ok(taken)
    }
}
