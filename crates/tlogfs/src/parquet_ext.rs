//! Tables and series read by callers: typed items and record batches, streaming.
//!
//! Deliberately not here: SQL, and the resolving of overlapping versions. What
//! is read here are versions as they are stored.

use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use async_trait::async_trait;
use futures::stream::{self, BoxStream};
use futures::{StreamExt as _, TryStreamExt as _};
use oplog::ForArrow;
use parquet::arrow::ParquetRecordBatchStreamBuilder;
use parquet::arrow::async_reader::ParquetRecordBatchStream;
use tinyfs::{EntryType, Format, Fs, NodeId, Store, Version};

use crate::parquet_reader::{RangeReader, Ranges, Stored};
use crate::{Error, Result};

/// Rows of a batch when versions are read.
pub(crate) const BATCH_ROWS: usize = 8192;

/// Record batches on their way out.
pub type Batches = BoxStream<'static, Result<RecordBatch>>;

/// Reading of tables and series through a file system.
#[async_trait]
pub trait ParquetExt {
    /// The Arrow schema of a version; of the newest when none is named.
    ///
    /// # Errors
    /// [`tinyfs::Error::NotFound`] and its like, [`Error::NotParquet`].
    async fn read_schema(&self, path: &str, version: Option<u64>) -> Result<SchemaRef>;

    /// The rows of a version as they are stored. When none is named: of the
    /// newest version of a table, of all versions of a series in turn (each
    /// batch then has the schema of its own version).
    ///
    /// # Errors
    /// As [`ParquetExt::read_schema`]; later ones come in the stream.
    async fn read_batches(&self, path: &str, version: Option<u64>) -> Result<Batches>;

    /// The rows of [`ParquetExt::read_batches`] as typed items.
    ///
    /// # Errors
    /// As [`ParquetExt::read_batches`]; rows that do not fit the type are an
    /// error in the stream.
    async fn read_items<T>(
        &self,
        path: &str,
        version: Option<u64>,
    ) -> Result<BoxStream<'static, Result<T>>>
    where
        T: ForArrow + Send + 'static;
}

#[async_trait]
impl<S: Store + ?Sized> ParquetExt for Fs<S> {
    async fn read_schema(&self, path: &str, version: Option<u64>) -> Result<SchemaRef> {
        let (node, mut versions) = tabular(self, path, version).await?;
        let newest = versions.pop().ok_or_else(|| no_version(path, version))?;
        Ok(Arc::clone(open_version(path, self.store(), node, newest).await?.schema()))
    }

    async fn read_batches(&self, path: &str, version: Option<u64>) -> Result<Batches> {
        let (node, versions) = tabular(self, path, version).await?;
        let store = Arc::clone(self.store());
        let path = path.to_owned();
        let streams = stream::iter(versions).then(move |version| {
            let (store, path) = (Arc::clone(&store), path.clone());
            async move { rows_of_version(&path, &store, node, version).await }
        });
        Ok(streams.try_flatten().boxed())
    }

    async fn read_items<T>(
        &self,
        path: &str,
        version: Option<u64>,
    ) -> Result<BoxStream<'static, Result<T>>>
    where
        T: ForArrow + Send + 'static,
    {
        let batches = self.read_batches(path, version).await?;
        let path = path.to_owned();
        let items = batches.map(move |batch| {
            let items = T::from_batch(&batch?).map_err(|source| Error::Log {
                doing: format!("rows of `{path}` do not fit the type they are read as"),
                source,
            })?;
            Ok::<_, Error>(stream::iter(items.into_iter().map(Ok)))
        });
        Ok(items.try_flatten().boxed())
    }
}

/// The node at `path` and the versions to read there.
async fn tabular<S: Store + ?Sized>(
    fs: &Fs<S>,
    path: &str,
    version: Option<u64>,
) -> Result<(NodeId, Vec<Version>)> {
    let found = fs.resolve(path).await?;
    let wanted = found.node.entry_type;
    if !matches!(wanted, EntryType::Table | EntryType::Series) {
        return Err(tinyfs::Error::WrongType {
            path: path.to_owned(),
            wanted: EntryType::Table,
            actual: wanted,
        }
        .into());
    }
    let id = found.node.id;
    let versions = match version {
        Some(number) => {
            let versions = fs.store().versions(id).await?;
            let newest = versions.last().map_or(0, |version| version.number);
            let found = versions.into_iter().find(|version| version.number == number);
            vec![found.ok_or_else(|| tinyfs::Error::NoSuchVersion {
                path: path.to_owned(),
                version: number,
                newest,
            })?]
        }
        None if wanted == EntryType::Series => fs.store().runs(id).await?,
        None => found.node.newest.into_iter().collect(),
    };
    Ok((id, versions))
}

fn no_version(path: &str, version: Option<u64>) -> Error {
    let version = version.unwrap_or(1);
    tinyfs::Error::NoSuchVersion { path: path.to_owned(), version, newest: 0 }.into()
}

/// Opens the Parquet of a version.
pub(crate) async fn open_version<S: Store + ?Sized>(
    path: &str,
    store: &Arc<S>,
    node: NodeId,
    version: Version,
) -> Result<ParquetRecordBatchStreamBuilder<RangeReader>> {
    if version.format != Format::Parquet {
        return Err(Error::NotParquet {
            path: path.to_owned(),
            source: format!("version {} was stored as {}", version.number, version.format).into(),
        });
    }
    open(path, Arc::new(Stored { store: Arc::clone(store), node, version })).await
}

/// Opens Parquet wherever it lies.
pub(crate) async fn open(
    path: &str,
    ranges: Arc<dyn Ranges>,
) -> Result<ParquetRecordBatchStreamBuilder<RangeReader>> {
    ParquetRecordBatchStreamBuilder::new(RangeReader(ranges))
        .await
        .map_err(|source| not_parquet(path, source))
}

/// The cause of an unreadable Parquet: the store where the store failed.
pub(crate) fn not_parquet(path: &str, source: parquet::errors::ParquetError) -> Error {
    match source {
        parquet::errors::ParquetError::External(cause) => match cause.downcast::<tinyfs::Error>() {
            Ok(error) => Error::FileSystem(*error),
            Err(source) => Error::NotParquet { path: path.to_owned(), source },
        },
        source => Error::NotParquet { path: path.to_owned(), source: Box::new(source) },
    }
}

/// All rows of one version.
pub(crate) async fn rows_of_version<S: Store + ?Sized>(
    path: &str,
    store: &Arc<S>,
    node: NodeId,
    version: Version,
) -> Result<Batches> {
    let builder = open_version(path, store, node, version).await?;
    let stream: ParquetRecordBatchStream<RangeReader> =
        builder.with_batch_size(BATCH_ROWS).build().map_err(|source| not_parquet(path, source))?;
    let path = path.to_owned();
    Ok(stream.map_err(move |source| not_parquet(&path, source)).boxed())
}
