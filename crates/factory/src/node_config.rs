//! The configuration that a node keeps.

use std::sync::Arc;

use tinyfs::{Error as FsError, NodePath, Reader, Store, VerifiedReader};
use tokio::io::AsyncReadExt;

use crate::{Config, Result};

/// The most bytes of a configuration.
pub const CONFIG_LIMIT_BYTES: u64 = 1 << 20;

/// The newest configuration of a computed node, whether it is a file or a
/// directory.
///
/// # Errors
/// [`Error::Config`](crate::Error::Config); the store's, also for a node that
/// keeps none.
pub async fn read_config(store: &Arc<dyn Store>, found: &NodePath) -> Result<Config> {
    let path = &found.path;
    let newest = found.node.newest.clone().filter(|_| found.node.entry_type.is_dynamic());
    let Some(version) = newest else {
        return Err(FsError::NoSuchVersion { path: path.clone(), version: 1, newest: 0 }.into());
    };
    let size_bytes = version.size_bytes;
    if size_bytes > CONFIG_LIMIT_BYTES {
        let limit_bytes = CONFIG_LIMIT_BYTES;
        return Err(FsError::TooLong { path: path.clone(), size_bytes, limit_bytes }.into());
    }
    let reader = Reader::new(Arc::clone(store), found.id(), version).named(path.clone());
    let mut text = String::new();
    let read = VerifiedReader::new(reader).read_to_string(&mut text).await;
    read.map_err(|error| FsError::from_io(format!("can not read `{path}`"), error))?;
    Config::parse(path, &text)
}
