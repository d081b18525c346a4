//! Checkpoints of the Delta log, as the kernel of delta-rs makes them.
//!
//! The store that is handed to delta-rs is rooted at the table, and the table
//! is given the location `file:///` in it, so that no host path is turned into
//! a URL and back.
//!
//! Always true: what the store has named as a checkpoint carries a sum of all
//! its bytes in its own footer, and one whose sum does not hold is damage. One
//! without a sum was made before there were sums, and is taken at its word.

use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;

use arrow::array::{Array, AsArray, Int64Array, MapArray, RecordBatch, StringArray, StructArray};
use bytes::Bytes;
use delta_kernel::Snapshot;
use deltalake::DeltaTableBuilder;
use object_store::ObjectStore;
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::{ArrowReaderOptions, ParquetRecordBatchReaderBuilder};
use parquet::errors::{ParquetError, Result as ParquetResult};
use parquet::file::FOOTER_SIZE;
use parquet::file::metadata::{
    FileMetaData, FooterTail, KeyValue, ParquetMetaData, ParquetMetaDataReader,
    ParquetMetaDataWriter,
};
use url::Url;

use crate::delta::{
    OUR_KEYS, TableState, checkpoint_name, checkpoint_path, configuration, sort_files,
};
use crate::file::LiveFile;
use crate::medium::blocking;
use crate::own_sum::{self, BLANK};
use crate::{Error, Result};

/// The key in a checkpoint's footer that has its sum.
const SUM: &str = "pond.blake3";
/// The key that has the version of the table that it is of, so that one in the
/// place of another is noticed.
const VERSION: &str = "pond.version";

/// A table as a checkpoint has it.
#[derive(Debug)]
pub(crate) struct Loaded {
    pub(crate) configuration: HashMap<String, String>,
    pub(crate) files: Vec<LiveFile>,
}

/// What is asked of a checkpoint before it is believed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Trust {
    /// Its sum, where it has one.
    Sum,
    /// That it decodes: for saving what can be had when nothing else is left.
    Decoding,
}

/// Reads the checkpoint of a version in the log's directory.
///
/// It is read here and not through delta-rs, because every command reads it:
/// one read of the file gives all that is needed.
///
/// # Errors
/// [`Error::DamagedFile`], [`Error::Io`].
pub(crate) async fn load(dir: &Arc<Path>, version: u64, trust: Trust) -> Result<Loaded> {
    let (dir, name) = (Arc::clone(dir), checkpoint_path(version).to_string());
    let decoding = tokio::task::spawn_blocking({
        let name = name.clone();
        move || {
            let read = std::fs::read(dir.join(checkpoint_name(version)));
            let read =
                read.map_err(|error| Error::io(format!("reading checkpoint {version}"), error))?;
            decode(&name, version, &read.into(), trust)
        }
    });
    // The decoder may panic on a malformed file.
    decoding.await.unwrap_or_else(|_| Err(damaged(&name, &"its pages do not decode")))
}

/// The checkpoint of a version with a sum of itself in its footer.
///
/// # Errors
/// Why it can not be read.
pub(crate) fn seal(file: &Bytes, version: u64) -> ParquetResult<Vec<u8>> {
    let metadata = ParquetMetaDataReader::new().parse_and_finish(file)?;
    let told = metadata.file_metadata();
    let mut pairs = told.key_value_metadata().cloned().unwrap_or_default();
    pairs.push(KeyValue::new(VERSION.to_owned(), version.to_string()));
    pairs.push(KeyValue::new(SUM.to_owned(), BLANK.to_owned()));
    let told = FileMetaData::new(
        told.version(),
        told.num_rows(),
        told.created_by().map(str::to_owned),
        Some(pairs),
        told.schema_descr_ptr(),
        told.column_orders().cloned(),
    );
    let sealed = ParquetMetaData::new(told, metadata.row_groups().to_vec());
    let footer = footer_start(file)?;
    let mut bytes = file[..footer].to_vec();
    ParquetMetaDataWriter::new(&mut bytes, &sealed).finish()?;
    let end = bytes.len();
    own_sum::put(&mut bytes, footer..end)
        .ok_or_else(|| ParquetError::General("its footer has no place for a sum".into()))?;
    Ok(bytes)
}

/// Where the footer begins.
fn footer_start(file: &[u8]) -> ParquetResult<usize> {
    let end = file.last_chunk::<FOOTER_SIZE>();
    let end = end.ok_or_else(|| ParquetError::EOF("it has no footer".into()))?;
    let footer = FooterTail::try_new(end)?.metadata_length();
    let start = (file.len() - FOOTER_SIZE).checked_sub(footer);
    start.ok_or_else(|| ParquetError::EOF("its footer is cut off".into()))
}

/// Makes a checkpoint of the table at its newest version.
///
/// delta-rs would load the table before it makes one, and forget what it has
/// loaded: that was half of the work.
pub(crate) async fn create(store: &Arc<dyn ObjectStore>, version: u64) -> Result<()> {
    let doing = format!("writing checkpoint {version}");
    let io = |error| Error::io(doing.clone(), error);
    let url = Url::parse("file:///").map_err(|error| Error::io(doing.clone(), error))?;
    let table = DeltaTableBuilder::from_url(url.clone()).map_err(io)?;
    let table = table.with_storage_backend(Arc::clone(store), url.clone()).build().map_err(io)?;
    let engine = table.log_store().engine(None);
    let told = doing.clone();
    blocking(doing, move || {
        let made = Snapshot::builder_for(url).at_version(version).build(engine.as_ref());
        let made = made.and_then(|snapshot| snapshot.checkpoint(engine.as_ref(), None));
        made.map(drop).map_err(|error| Error::io(told, error))
    })
    .await
}

fn damaged(file: &str, what: &dyn ToString) -> Error {
    Error::DamagedFile { file: file.to_owned(), what: what.to_string() }
}

/// What a checkpoint says of the table, from every page that matters.
fn decode(name: &str, version: u64, file: &Bytes, trust: Trust) -> Result<Loaded> {
    // The types are Parquet's own, whatever its writer would have them be.
    let options = ArrowReaderOptions::new().with_skip_arrow_metadata(true);
    let builder = ParquetRecordBatchReaderBuilder::try_new_with_options(file.clone(), options)
        .map_err(|error| damaged(name, &error))?;
    if trust == Trust::Sum {
        check_sum(name, version, file, builder.metadata())?;
    }
    let mask = ProjectionMask::columns(builder.parquet_schema(), ["add", "metaData"]);
    let reader = builder.with_projection(mask).build().map_err(|error| damaged(name, &error))?;
    let mut loaded = Loaded { configuration: HashMap::new(), files: Vec::new() };
    for batch in reader {
        let batch = batch.map_err(|error| damaged(name, &error))?;
        let columns = Columns { name, batch: &batch };
        let add = columns.of("add")?;
        let (paths, tags) = (columns.text(add, "path")?, columns.map(add, "tags")?);
        let (sizes, times) = (columns.long(add, "size")?, columns.long(add, "modificationTime")?);
        for row in (0..batch.num_rows()).filter(|row| add.is_valid(*row)) {
            let path = paths.value(row).to_owned();
            let size = u64::try_from(sizes.value(row)).map_err(|_| {
                let what = format!("its entry in the log has a size of {}", sizes.value(row));
                Error::DamagedFile { file: path.clone(), what }
            })?;
            let tags = columns.pairs(tags, row)?;
            loaded.files.push(LiveFile::from_tags(path, size, times.value(row), &tags)?);
        }
        let metadata = columns.of("metaData")?;
        let configuration = columns.map(metadata, "configuration")?;
        for row in (0..batch.num_rows()).filter(|row| metadata.is_valid(*row)) {
            let pairs = columns.pairs(configuration, row)?.into_iter();
            loaded.configuration = pairs.filter_map(|(key, value)| Some((key, value?))).collect();
        }
    }
    Ok(loaded)
}

/// Refuses a checkpoint whose sum does not hold, or that is of another version.
fn check_sum(name: &str, version: u64, file: &[u8], metadata: &ParquetMetaData) -> Result<()> {
    let pairs = metadata.file_metadata().key_value_metadata();
    let value = |key: &str| {
        let pair = pairs.into_iter().flatten().find(|pair| pair.key == key)?;
        Some(pair.value.as_deref().unwrap_or_default())
    };
    let (sum, of) = match (value(SUM), value(VERSION)) {
        (None, None) => return Ok(()),
        (sum, of) => (sum.unwrap_or_default(), of.unwrap_or_default()),
    };
    let footer = footer_start(file).map_err(|error| damaged(name, &error))?;
    if !own_sum::holds(file, footer..file.len(), sum) {
        return Err(damaged(name, &"its bytes are not what was written"));
    }
    if of != version.to_string() {
        return Err(damaged(name, &format!("it is the checkpoint of version {of}")));
    }
    Ok(())
}

/// The nested columns of a checkpoint.
struct Columns<'a> {
    name: &'a str,
    batch: &'a RecordBatch,
}

impl<'a> Columns<'a> {
    fn missing(&self, column: &str) -> Error {
        damaged(self.name, &format!("it has no good column `{column}`"))
    }

    fn of(&self, column: &str) -> Result<&'a StructArray> {
        let found = self.batch.column_by_name(column).and_then(|found| found.as_struct_opt());
        found.ok_or_else(|| self.missing(column))
    }

    fn text(&self, of: &'a StructArray, column: &str) -> Result<&'a StringArray> {
        let found = of.column_by_name(column).and_then(|found| found.as_string_opt());
        found.ok_or_else(|| self.missing(column))
    }

    fn long(&self, of: &'a StructArray, column: &str) -> Result<&'a Int64Array> {
        let found = of.column_by_name(column).and_then(|found| found.as_primitive_opt());
        found.ok_or_else(|| self.missing(column))
    }

    fn map(&self, of: &'a StructArray, column: &str) -> Result<&'a MapArray> {
        let found = of.column_by_name(column).and_then(|found| found.as_map_opt());
        found.ok_or_else(|| self.missing(column))
    }

    /// One map's pairs; none when it is null.
    fn pairs(&self, map: &MapArray, row: usize) -> Result<HashMap<String, Option<String>>> {
        if map.is_null(row) {
            return Ok(HashMap::new());
        }
        let pairs = map.value(row);
        let texts = |column: usize| {
            let found = pairs.columns().get(column).and_then(|found| found.as_string_opt::<i32>());
            found.ok_or_else(|| self.missing("tags"))
        };
        let (keys, values) = (texts(0)?, texts(1)?);
        let pair = |at| (keys.value(at).to_owned(), values.is_valid(at).then(|| values.value(at)));
        Ok((0..pairs.len()).map(pair).map(|(key, value)| (key, value.map(str::to_owned))).collect())
    }
}

/// Compares a checkpoint that has no name yet with the table it must describe;
/// this reads every page of what matters.
///
/// # Errors
/// What differs, or why it can not be read.
pub(crate) fn compare(file: &Bytes, expected: &TableState) -> std::io::Result<()> {
    let differs = |what: &str| Err(std::io::Error::other(format!("the checkpoint {what}")));
    let Loaded { configuration: found, mut files } =
        decode("the checkpoint", expected.delta_version, file, Trust::Sum)
            .map_err(std::io::Error::other)?;
    sort_files(&mut files);
    if files != *expected.files {
        return differs("names other files than the commits");
    }
    // What is said to other programs may be what an earlier version said.
    let properties = configuration(&expected.identity, &expected.horizon);
    let mut ours = properties.iter().filter(|(key, _)| key.starts_with(OUR_KEYS));
    if ours.any(|(key, value)| found.get(key) != Some(value)) {
        return differs("has other properties than the commits");
    }
    Ok(())
}
