//! Checkpoints of the Delta log, as delta-rs makes and reads them.
//!
//! The store that is handed to delta-rs is rooted at the table, and the table
//! is given the location `file:///` in it, so that no host path is turned into
//! a URL and back.

use std::collections::HashMap;
use std::sync::Arc;

use deltalake::{DeltaTable, DeltaTableBuilder, ObjectStore};
use url::Url;

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
