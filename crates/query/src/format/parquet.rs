//! Host files that are Parquet already: their batches as they are stored.
//!
//! What always holds: rows and columns are the file's own; nothing is retyped
//! or filtered. A damaged file is an error, also where the decoder panics.
//!
//! What is deliberately not here: taking the bytes as they are into a pond,
//! which needs no decoding. SQL does not stream the rows: it reads ranges of
//! [`HostParquet`] as it does of stored files, and prunes.

use std::fs::File;
use std::ops::Range;
use std::os::unix::fs::FileExt as _;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::Arc;

use arrow::datatypes::{DataType, SchemaRef};
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::{
    ArrowReaderMetadata, ArrowReaderOptions, ParquetRecordBatchReaderBuilder,
};

use super::error::{Error, Result};
use super::input::Input;
use super::options::ReadOptions;
use super::reader::{Opened, Sink, find_column};
use super::report::ReadReport;
use super::url::Compression;

/// Rows of a batch.
const BATCH_ROWS: usize = 8192;

pub(crate) fn open(
    input: Input,
    options: &ReadOptions,
    temp_dir: &Path,
) -> Result<(Arc<dyn Opened>, ReadReport)> {
    let (input, unpacked) = match input.compression() {
        Compression::Plain => (input, None),
        _ => unpack(&input, temp_dir)?,
    };
    let file = File::open(input.path())
        .map_err(|source| Error::Open { file: input.file().to_owned(), source })?;
    let metadata = guarded(&input, || {
        ArrowReaderMetadata::load(&file, ArrowReaderOptions::new())
            .map_err(|error| not_parquet(&input, &error))
    })?;
    if let Some(name) = &options.time_column {
        check_time_column(&input, metadata.schema(), name)?;
    }
    // Negative only in a lying footer, which reading the rows will show.
    let rows = u64::try_from(metadata.metadata().file_metadata().num_rows()).unwrap_or(0);
    let report = ReadReport { rows, ..ReadReport::default() };
    let unpacked = unpacked.map(Arc::new);
    Ok((Arc::new(ParquetSource { input, metadata, unpacked }), report))
}

/// Parquet is read from its end, so compressed input is unpacked to a file.
fn unpack(input: &Input, dir: &Path) -> Result<(Input, Option<tempfile::TempPath>)> {
    let spool_error =
        |source| Error::Spool { file: input.file().to_owned(), dir: dir.to_owned(), source };
    let mut spool = tempfile::NamedTempFile::new_in(dir).map_err(spool_error)?;
    input.scratch().add_file(spool.path());
    input.read()?.copy_to(spool.as_file_mut(), dir)?;
    let path = spool.into_temp_path();
    Ok((input.unpacked_at(&path).map_err(spool_error)?, Some(path)))
}

fn check_time_column(input: &Input, schema: &SchemaRef, name: &str) -> Result<()> {
    let names = schema.fields().iter().map(|field| field.name().clone()).collect();
    let place = find_column(input.file(), name, names)?;
    match schema.field(place).data_type() {
        DataType::Timestamp(..) | DataType::Date32 | DataType::Date64 => Ok(()),
        kind if kind.is_integer() => Ok(()),
        kind => Err(Error::TimeColumn {
            file: input.file().to_owned(),
            column: name.to_owned(),
            reason: format!("holds {kind}, which is no time"),
        }),
    }
}

fn not_parquet(input: &Input, error: &dyn std::fmt::Display) -> Error {
    Error::NotFormat {
        file: input.file().to_owned(),
        what: "a readable Parquet file",
        reason: error.to_string(),
    }
}

/// Runs the decoder, which answers some damaged files with a panic.
fn guarded<T>(input: &Input, decode: impl FnOnce() -> Result<T>) -> Result<T> {
    // Nothing of the decoder is used after a panic.
    catch_unwind(AssertUnwindSafe(decode))
        .unwrap_or_else(|_| Err(not_parquet(input, &"its pages contradict its footer")))
}

#[derive(Debug)]
struct ParquetSource {
    input: Input,
    metadata: ArrowReaderMetadata,
    unpacked: Option<Arc<tempfile::TempPath>>,
}

/// A Parquet file of the host that is read by ranges. Blocks.
#[derive(Clone, Debug)]
pub(crate) struct HostParquet {
    input: Input,
    file: Arc<File>,
    _unpacked: Option<Arc<tempfile::TempPath>>,
}

impl HostParquet {
    /// Its length in bytes.
    pub(crate) fn len(&self) -> u64 {
        self.input.len()
    }

    /// The bytes of a range.
    ///
    /// # Errors
    /// When the file is no longer as it was opened.
    pub(crate) fn read(&self, range: Range<u64>) -> Result<Vec<u8>> {
        self.input.check_same(&self.file)?;
        let wanted = usize::try_from(range.end.saturating_sub(range.start));
        let mut bytes = vec![0; wanted.map_err(|_| self.input.changed())?];
        self.file.read_exact_at(&mut bytes, range.start).map_err(|source| Error::Read {
            file: self.input.file().to_owned(),
            offset: range.start,
            source,
        })?;
        Ok(bytes)
    }
}

impl Opened for ParquetSource {
    fn schema(&self) -> SchemaRef {
        Arc::clone(self.metadata.schema())
    }

    fn ranges(&self) -> Option<Result<HostParquet>> {
        let opened = File::open(self.input.path())
            .map_err(|source| Error::Open { file: self.input.file().to_owned(), source });
        Some(opened.map(|file| HostParquet {
            input: self.input.clone(),
            file: Arc::new(file),
            _unpacked: self.unpacked.clone(),
        }))
    }

    fn read(&self, projection: Option<&[usize]>, sink: &mut Sink<'_>) -> Result<()> {
        self.input.check_unchanged()?;
        let input = &self.input;
        let file = File::open(input.path())
            .map_err(|source| Error::Open { file: input.file().to_owned(), source })?;
        guarded(input, || {
            let mut builder =
                ParquetRecordBatchReaderBuilder::new_with_metadata(file, self.metadata.clone())
                    .with_batch_size(BATCH_ROWS);
            if let Some(places) = projection {
                let mask = ProjectionMask::roots(builder.parquet_schema(), places.iter().copied());
                builder = builder.with_projection(mask);
            }
            let order = projection.map(positions);
            for batch in builder.build().map_err(|error| not_parquet(input, &error))? {
                let mut batch = batch.map_err(|error| not_parquet(input, &error))?;
                if let Some(order) = &order {
                    batch = batch.project(order).map_err(|error| not_parquet(input, &error))?;
                }
                if !sink(batch) {
                    break;
                }
            }
            Ok(())
        })
    }
}

/// A mask reads columns in the file's order; this is how to put them into the
/// order that was asked for.
fn positions(places: &[usize]) -> Vec<usize> {
    let mut sorted = places.to_vec();
    sorted.sort_unstable();
    sorted.dedup();
    places.iter().map(|place| sorted.partition_point(|each| each < place)).collect()
}
