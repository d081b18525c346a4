//! Parquet read from a store by ranges, without a file system underneath.
//!
//! Always true: no more is held than the footer and the ranges asked for, and
//! a footer of more than 64 MiB is refused before it is read.

use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;
use futures::future::BoxFuture;
use futures::{FutureExt as _, TryFutureExt as _};
use parquet::arrow::arrow_reader::ArrowReaderOptions;
use parquet::arrow::async_reader::{AsyncFileReader, MetadataFetch};
use parquet::errors::{ParquetError, Result as ParquetResult};
use parquet::file::FOOTER_SIZE;
use parquet::file::metadata::{
    FooterTail, PageIndexPolicy, ParquetMetaData, ParquetMetaDataReader,
};
use tinyfs::{Content, NodeId, SoFar, Store, Version, WriteStore};

/// The largest footer read.
const FOOTER_MAX_BYTES: usize = 64 << 20;
/// How much of the end is read at first: the whole footer, in most files.
const TAIL_BYTES: u64 = 64 << 10;

/// Bytes that can be read by range.
pub(crate) trait Ranges: fmt::Debug + Send + Sync + 'static {
    /// How many bytes there are.
    fn size_bytes(&self) -> u64;
    /// The bytes of a range within them.
    fn read(&self, range: Range<u64>) -> BoxFuture<'_, tinyfs::Result<Bytes>>;
}

/// A version of a file.
#[derive(Debug)]
pub(crate) struct Stored<S: Store + ?Sized> {
    pub(crate) store: Arc<S>,
    pub(crate) node: NodeId,
    pub(crate) version: Version,
}

impl<S: Store + ?Sized> Ranges for Stored<S> {
    fn size_bytes(&self) -> u64 {
        self.version.size_bytes
    }

    fn read(&self, range: Range<u64>) -> BoxFuture<'_, tinyfs::Result<Bytes>> {
        self.store.read(self.node, &self.version, range).boxed()
    }
}

/// Finished content that no version names yet.
#[derive(Debug)]
pub(crate) struct Unnamed<S: WriteStore + ?Sized> {
    pub(crate) store: Arc<S>,
    pub(crate) content: Content,
}

impl<S: WriteStore + ?Sized> Ranges for Unnamed<S> {
    fn size_bytes(&self) -> u64 {
        self.content.size_bytes
    }

    fn read(&self, range: Range<u64>) -> BoxFuture<'_, tinyfs::Result<Bytes>> {
        self.store.read_content(&self.content, range).boxed()
    }
}

/// Content that may not be finished yet.
#[derive(Debug)]
pub(crate) struct Arriving(pub(crate) Arc<dyn SoFar>);

impl Ranges for Arriving {
    fn size_bytes(&self) -> u64 {
        self.0.size_bytes()
    }

    fn read(&self, range: Range<u64>) -> BoxFuture<'_, tinyfs::Result<Bytes>> {
        self.0.read(range)
    }
}

/// Gives ranges to the Parquet reader.
#[derive(Clone, Debug)]
pub(crate) struct RangeReader(pub(crate) Arc<dyn Ranges>);

impl RangeReader {
    pub(crate) async fn get(&self, range: Range<u64>) -> ParquetResult<Bytes> {
        let size = self.0.size_bytes();
        if range.start > range.end || range.end > size {
            return Err(ParquetError::EOF(format!(
                "bytes {} to {} were asked of a file of {size}",
                range.start, range.end
            )));
        }
        self.0.read(range).map_err(|error| ParquetError::External(Box::new(error))).await
    }

    async fn metadata(&self, page_index: PageIndexPolicy) -> ParquetResult<Arc<ParquetMetaData>> {
        let size = self.0.size_bytes();
        if size < FOOTER_SIZE as u64 {
            return Err(ParquetError::EOF(format!("{size} bytes are too few")));
        }
        let tail = self.get(size.saturating_sub(TAIL_BYTES)..size).await?;
        let mut end = [0; FOOTER_SIZE];
        end.copy_from_slice(&tail[tail.len() - FOOTER_SIZE..]);
        let footer_bytes = FooterTail::try_new(&end)?.metadata_length();
        if footer_bytes > FOOTER_MAX_BYTES {
            return Err(ParquetError::General(format!(
                "its footer claims {footer_bytes} bytes; at most {FOOTER_MAX_BYTES} are read"
            )));
        }
        let metadata = ParquetMetaDataReader::new()
            .with_page_index_policy(page_index)
            .load_and_finish(self.clone(), size)
            .await?;
        Ok(Arc::new(metadata))
    }
}

impl MetadataFetch for RangeReader {
    fn fetch(&mut self, range: Range<u64>) -> BoxFuture<'_, ParquetResult<Bytes>> {
        self.get(range).boxed()
    }
}

impl AsyncFileReader for RangeReader {
    fn get_bytes(&mut self, range: Range<u64>) -> BoxFuture<'_, ParquetResult<Bytes>> {
        self.get(range).boxed()
    }

    fn get_metadata<'a>(
        &'a mut self,
        _options: Option<&'a ArrowReaderOptions>,
    ) -> BoxFuture<'a, ParquetResult<Arc<ParquetMetaData>>> {
        self.metadata(PageIndexPolicy::Skip).boxed()
    }
}
