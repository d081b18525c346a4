//! Parquet files taken in byte for byte, and what is looked at before they count.
//!
//! Always true: what is told of a file (rows, range, order) was learnt from the
//! bytes that are kept, never from where they came from. Where the store shows
//! bytes before they are on the disk, they are looked at while they get there.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use futures::{FutureExt as _, StreamExt as _};
use parquet::arrow::ParquetRecordBatchStreamBuilder;
use parquet::arrow::ProjectionMask;
use tinyfs::{Content, ContentWriter, EntryType, Fs, WriteStore};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWriteExt as _};

use crate::parquet_ext::{BATCH_ROWS, not_parquet, open};
use crate::parquet_reader::{Arriving, RangeReader, Ranges, Unnamed};
use crate::parquet_times::TimeColumn;
use crate::parquet_write_ext::{Destination, Look, arrow_error};
use crate::series::order::TimeWatch;
use crate::series::schema;
use crate::{Error, Result};

/// The bytes every Parquet file begins with.
const MAGIC: &[u8; 4] = b"PAR1";
/// The size of the pieces in which bytes are taken in.
const PIECE_BYTES: usize = 256 << 10;

/// A Parquet file that is kept and may be named.
pub(crate) struct Taken {
    pub(crate) content: Content,
    pub(crate) rows: u64,
    /// What was learnt of its times, for a series.
    pub(crate) watch: Option<TimeWatch>,
}

/// Keeps bytes and looks at them.
pub(crate) async fn take<S: WriteStore + ?Sized>(
    fs: &Fs<S>,
    target: &Destination<'_>,
    look: Look,
    bytes: &mut (dyn AsyncRead + Send + Unpin),
) -> Result<Taken> {
    let mut arriving = keep_bytes(fs, target.path, bytes).await?;
    let (content, looked_at) = match arriving.so_far().await? {
        Some(so_far) => {
            let look = look_at(fs, target, Arc::new(Arriving(so_far)), look);
            let (content, looked_at) = tokio::join!(arriving.finish(), look);
            (content?, looked_at)
        }
        None => {
            let content = arriving.finish().await?;
            let kept = Unnamed { store: Arc::clone(fs.store()), content: content.clone() };
            (content, look_at(fs, target, Arc::new(kept), look).await)
        }
    };
    let (watch, rows) = looked_at?;
    Ok(Taken { content, rows, watch })
}

/// Copies bytes into content, refusing at once what can not be Parquet.
async fn keep_bytes<S: WriteStore + ?Sized>(
    fs: &Fs<S>,
    path: &str,
    bytes: &mut (dyn AsyncRead + Send + Unpin),
) -> Result<Box<dyn ContentWriter>> {
    let input =
        |source: std::io::Error| Error::Input { path: path.to_owned(), source: source.into() };
    let output = |source| {
        Error::from(tinyfs::Error::io(format!("cannot write content for `{path}`"), source))
    };
    let mut start = Vec::with_capacity(MAGIC.len());
    (&mut *bytes).take(MAGIC.len() as u64).read_to_end(&mut start).await.map_err(input)?;
    if start != MAGIC {
        let source = match start.len() {
            0 => "it is empty".into(),
            n if n < MAGIC.len() => "it is too short".into(),
            _ => "it does not begin with `PAR1`".into(),
        };
        return Err(Error::NotParquet { path: path.to_owned(), source });
    }
    let mut content = fs.store().writer().await?;
    content.write_all(&start).await.map_err(output)?;
    let mut piece = vec![0; PIECE_BYTES];
    loop {
        let filled = bytes.read(&mut piece).await.map_err(input)?;
        if filled == 0 {
            break;
        }
        content.write_all(&piece[..filled]).await.map_err(output)?;
    }
    Ok(content)
}

/// Looks at a Parquet that has arrived: its footer, for a series its whole
/// time column, and all other columns when that is asked for.
async fn look_at<S: WriteStore + ?Sized>(
    fs: &Fs<S>,
    target: &Destination<'_>,
    ranges: Arc<dyn Ranges>,
    look: Look,
) -> Result<(Option<TimeWatch>, u64)> {
    // The decoder is not ours and the bytes are not either: a panic in it
    // is one more way of not being Parquet.
    let looked_at = AssertUnwindSafe(look_inside(fs, target, ranges, look)).catch_unwind().await;
    looked_at.unwrap_or_else(|_| Err(broken(target.path, "the decoder gave up on it")))
}

async fn look_inside<S: WriteStore + ?Sized>(
    fs: &Fs<S>,
    target: &Destination<'_>,
    ranges: Arc<dyn Ranges>,
    look: Look,
) -> Result<(Option<TimeWatch>, u64)> {
    let path = target.path;
    let builder = open(path, Arc::clone(&ranges)).await?;
    let rows = u64::try_from(builder.metadata().file_metadata().num_rows())
        .map_err(|_| broken(path, "its footer claims a negative number of rows"))?;
    let series = target.entry_type == EntryType::Series;
    let time = if series {
        let watch = target.check(fs, builder.schema()).await?;
        let index = builder.schema().index_of(&target.spec_of()?.time_column);
        Some((watch, index.map_err(|source| arrow_error(path, source))?))
    } else {
        schema::check_names(path, builder.schema())?;
        None
    };
    let columns = match (look, time) {
        (Look::Times, None) => return Ok((None, rows)),
        (Look::Times, Some((watch, index))) => {
            let metadata = builder.metadata();
            let of = builder.schema().field(index).data_type();
            if let Some(column) = TimeColumn::of(metadata, index, of) {
                let reader = RangeReader(ranges);
                let watch = column.see_all(path, &reader, metadata, watch).await?;
                claimed(path, rows, watch.rows())?;
                return Ok((Some(watch), rows));
            }
            // Where the time stands among the columns that are read.
            (vec![index], Some((watch, 0)))
        }
        (Look::Everything, time) => ((0..builder.schema().fields().len()).collect(), time),
    };
    see_columns(path, builder, columns.0, columns.1, rows).await
}

/// Decodes columns, and shows the watch the one that stands for the time.
async fn see_columns(
    path: &str,
    builder: ParquetRecordBatchStreamBuilder<RangeReader>,
    columns: Vec<usize>,
    mut time: Option<(TimeWatch, usize)>,
    rows: u64,
) -> Result<(Option<TimeWatch>, u64)> {
    if columns.is_empty() {
        return Ok((None, rows));
    }
    let mask = ProjectionMask::roots(builder.parquet_schema(), columns);
    let mut batches = builder
        .with_projection(mask)
        .with_batch_size(BATCH_ROWS)
        .build()
        .map_err(|source| not_parquet(path, source))?;
    let mut found = 0;
    while let Some(batch) = batches.next().await {
        let batch = batch.map_err(|source| not_parquet(path, source))?;
        found += batch.num_rows() as u64;
        if let Some((watch, index)) = &mut time {
            watch.see(batch.column(*index))?;
        }
    }
    claimed(path, rows, found)?;
    Ok((time.map(|(watch, _)| watch), rows))
}

/// Refuses a file with other than the rows its footer claims.
fn claimed(path: &str, rows: u64, found: u64) -> Result<()> {
    if found == rows {
        return Ok(());
    }
    Err(broken(path, &format!("its footer claims {rows} rows but it has {found}")))
}

/// A file that is not what it says.
pub(crate) fn broken(path: &str, what: &str) -> Error {
    Error::NotParquet { path: path.to_owned(), source: what.into() }
}
