//! Checkpoints of the Delta log, as delta-rs makes and reads them.
//!
//! The store that is handed to delta-rs is rooted at the table, and the table
//! is given the location `file:///` in it, so that no host path is turned into
//! a URL and back.

use std::collections::HashMap;
use std::fs::File;
use std::sync::Arc;

use arrow::json::LineDelimitedWriter;
use deltalake::{DeltaTable, DeltaTableBuilder, ObjectStore};
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use serde::Deserialize;
use url::Url;

use crate::delta::{TableState, configuration, sort_files};
use crate::file::LiveFile;
use crate::{Error, Result};

/// A table as a checkpoint has it.
#[derive(Debug)]
pub(crate) struct Loaded {
    pub(crate) configuration: HashMap<String, String>,
    pub(crate) files: Vec<LiveFile>,
}

async fn table(store: &Arc<dyn ObjectStore>, version: u64) -> Result<DeltaTable> {
    let doing = || format!("reading checkpoint {version}");
    let url = Url::parse("file:///").map_err(|error| Error::io(doing(), error))?;
    DeltaTableBuilder::from_url(url.clone())
        .map(|builder| builder.with_storage_backend(Arc::clone(store), url).with_version(version))
        .map_err(|error| Error::io(doing(), error))?
        .load()
        .await
        .map_err(|error| Error::io(doing(), error))
}

/// Reads the table at a version that has a checkpoint.
pub(crate) async fn load(store: &Arc<dyn ObjectStore>, version: u64) -> Result<Loaded> {
    let table = table(store, version).await?;
    let state = table
        .snapshot()
        .map_err(|error| Error::io(format!("reading checkpoint {version}"), error))?;
    let mut files = Vec::new();
    for view in state.log_data().iter() {
        #[expect(deprecated, reason = "the tags are offered in no other public way")]
        let add = view.add_action();
        let size = u64::try_from(add.size).map_err(|_| Error::DamagedFile {
            file: add.path.clone(),
            what: format!("its entry in the log has a size of {}", add.size),
        })?;
        let tags = add.tags.unwrap_or_default();
        files.push(LiveFile::from_tags(add.path, size, add.modification_time, &tags)?);
    }
    Ok(Loaded { configuration: state.metadata().configuration().clone(), files })
}

/// Makes a checkpoint of the table at its newest version.
pub(crate) async fn create(store: &Arc<dyn ObjectStore>, version: u64) -> Result<()> {
    let table = table(store, version).await?;
    deltalake::checkpoints::create_checkpoint(&table, None)
        .await
        .map_err(|error| Error::io(format!("writing checkpoint {version}"), error))
}

/// A row of a checkpoint, as far as it says what the table is.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Row {
    add: Option<AddRow>,
    meta_data: Option<MetaDataRow>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct AddRow {
    path: String,
    size: u64,
    modification_time: i64,
    #[serde(default)]
    tags: HashMap<String, Option<String>>,
}

#[derive(Debug, Deserialize)]
struct MetaDataRow {
    configuration: HashMap<String, String>,
}

/// Compares the rows of a checkpoint that has no name yet with the table it
/// must describe; this reads every page of what matters.
///
/// # Errors
/// What differs, or why it can not be read.
pub(crate) fn compare(file: &File, expected: &TableState) -> std::io::Result<()> {
    let differs = |what: &str| Err(std::io::Error::other(format!("the checkpoint {what}")));
    let file = file.try_clone()?;
    let builder = ParquetRecordBatchReaderBuilder::try_new(file).map_err(std::io::Error::other)?;
    let mask = ProjectionMask::columns(builder.parquet_schema(), ["add", "metaData"]);
    let reader = builder.with_projection(mask).build().map_err(std::io::Error::other)?;
    let mut files = Vec::new();
    let mut found = HashMap::new();
    for batch in reader {
        let batch = batch.map_err(std::io::Error::other)?;
        let mut lines = LineDelimitedWriter::new(Vec::new());
        lines.write(&batch).and_then(|()| lines.finish()).map_err(std::io::Error::other)?;
        let lines = lines.into_inner();
        for row in serde_json::Deserializer::from_slice(&lines).into_iter::<Row>() {
            let row = row.map_err(std::io::Error::other)?;
            if let Some(add) = row.add {
                let AddRow { path, size, modification_time, tags } = add;
                let file = LiveFile::from_tags(path, size, modification_time, &tags);
                files.push(file.map_err(std::io::Error::other)?);
            }
            if let Some(metadata) = row.meta_data {
                found = metadata.configuration;
            }
        }
    }
    sort_files(&mut files);
    if files != *expected.files {
        return differs("names other files than the commits");
    }
    let properties = configuration(&expected.identity, &expected.horizon);
    if properties.iter().any(|(key, value)| found.get(key) != Some(value)) {
        return differs("has other properties than the commits");
    }
    Ok(())
}
