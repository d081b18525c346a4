//! Stored versions as objects, so that Parquet scans read them in place.
//!
//! A location is `NODE/NUMBER`, for a merged run `NODE/FROM-TO`: it alone is
//! enough to find the content, and it never means anything else, because
//! versions and runs are immutable. Ranges go straight to [`Store::read`].
//!
//! A Parquet file of the host that the session was given is `host/NUMBER`.
//!
//! Always true: nothing can be written or listed through it, and no location
//! leads out of the store, but to the very files that it was given.
//!
//! Deliberately not here: footers, which DataFusion's metadata cache keeps.

use std::collections::{HashMap, VecDeque};
use std::fmt;
use std::ops::Range;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use bytes::Bytes;
use datafusion::datasource::listing::PartitionedFile;
use datafusion::execution::object_store::{ObjectStoreRegistry, ObjectStoreUrl};
use futures::stream::{self, BoxStream, StreamExt, TryStreamExt};
use object_store::path::Path;
use object_store::{
    CopyOptions, GetOptions, GetRange, GetResult, GetResultPayload, ListResult, MultipartUpload,
    ObjectMeta, ObjectStore, PutMultipartOptions, PutOptions, PutPayload, PutResult,
};
use tinyfs::{NodeId, Place, Store, Version};
use url::Url;

use crate::Error;
use crate::format::HostParquet;

/// The scheme and authority of every location.
const POND_URL: &str = "pond://content";

/// Ranges closer than this are read as one.
const COALESCE_BYTES: u64 = 32 << 10;

/// How much inline content is kept for the next range of the same version.
const INLINE_CACHE_BYTES: usize = 8 << 20;

/// How much of a large content one message of a whole read carries.
const CHUNK_BYTES: u64 = 1 << 20;

/// The URL under which a session's content store is registered.
pub(crate) fn pond_url() -> ObjectStoreUrl {
    #[expect(clippy::unwrap_used, reason = "a constant, parsed in a test")]
    ObjectStoreUrl::parse(POND_URL).unwrap()
}

/// The stored contents of one view, by location.
pub(crate) struct ContentStore {
    store: Arc<dyn Store>,
    known: Mutex<HashMap<Path, Arc<Known>>>,
    /// How many files of the host there are.
    hosts: AtomicU64,
    inline: Mutex<InlineCache>,
}

enum Known {
    Stored { node: NodeId, version: Box<Version> },
    Host(HostParquet),
}

impl Known {
    fn meta(&self, location: Path) -> ObjectMeta {
        match self {
            Self::Stored { version, .. } => meta(location, version),
            Self::Host(file) => PartitionedFile::new(location, file.len()).object_meta,
        }
    }

    /// Reads a range that lies within.
    async fn read(&self, store: &Arc<dyn Store>, range: Range<u64>) -> object_store::Result<Bytes> {
        match self {
            Self::Stored { node, version } => {
                store.read(*node, version, range).await.map_err(generic)
            }
            Self::Host(file) => {
                let file = file.clone();
                let read = tokio::task::spawn_blocking(move || file.read(range)).await;
                match read {
                    Ok(Ok(bytes)) => Ok(bytes.into()),
                    Ok(Err(error)) => Err(Error::Host(Arc::new(error)).into()),
                    Err(error) => Err(object_store::Error::JoinError { source: error }),
                }
            }
        }
    }
}

impl fmt::Debug for ContentStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ContentStore").field("store", &self.store).finish_non_exhaustive()
    }
}

impl fmt::Display for ContentStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(POND_URL)
    }
}

/// Where a version's content is found.
pub(crate) fn location(node: NodeId, version: &Version) -> Path {
    match &version.covers {
        None => Path::from(format!("{node}/{}", version.number)),
        Some(covers) => Path::from(format!("{node}/{}-{}", covers.start(), covers.end())),
    }
}

fn meta(location: Path, version: &Version) -> ObjectMeta {
    // Contents never change, so the time that DataFusion fills in (1970) does.
    let mut meta = PartitionedFile::new(location, version.size_bytes).object_meta;
    meta.e_tag = Some(version.hash.to_string());
    meta
}

impl ContentStore {
    pub(crate) fn new(store: Arc<dyn Store>) -> Self {
        Self { store, known: Mutex::default(), hosts: AtomicU64::new(0), inline: Mutex::default() }
    }

    /// Makes a version known, and says where it is.
    pub(crate) fn add(&self, node: NodeId, version: &Version) -> ObjectMeta {
        let location = location(node, version);
        let meta = meta(location.clone(), version);
        self.known.lock().unwrap_or_else(PoisonError::into_inner).entry(location).or_insert_with(
            || Arc::new(Known::Stored { node, version: Box::new(version.clone()) }),
        );
        meta
    }

    /// Makes a file of the host known, and says where it is.
    pub(crate) fn add_host(&self, file: HostParquet) -> ObjectMeta {
        let number = self.hosts.fetch_add(1, Ordering::Relaxed);
        let location = Path::from(format!("host/{number}"));
        let known = Known::Host(file);
        let meta = known.meta(location.clone());
        self.known.lock().unwrap_or_else(PoisonError::into_inner).insert(location, Arc::new(known));
        meta
    }

    async fn known(&self, location: &Path) -> object_store::Result<Arc<Known>> {
        let found =
            self.known.lock().unwrap_or_else(PoisonError::into_inner).get(location).cloned();
        if let Some(known) = found {
            return Ok(known);
        }
        let missing = || object_store::Error::NotFound {
            path: location.to_string(),
            source: "no such version in this pond".into(),
        };
        let node = location
            .parts()
            .next()
            .and_then(|part| part.as_ref().parse::<NodeId>().ok())
            .ok_or_else(missing)?;
        let mut versions = self.store.versions(node).await.map_err(generic)?;
        versions.extend(self.store.runs(node).await.map_err(generic)?);
        let version = versions
            .into_iter()
            .find(|version| self::location(node, version) == *location)
            .ok_or_else(missing)?;
        self.add(node, &version);
        Ok(Arc::new(Known::Stored { node, version: Box::new(version) }))
    }

    async fn read(&self, location: &Path, range: Range<u64>) -> object_store::Result<Bytes> {
        let known = self.known(location).await?;
        let size = known.meta(location.clone()).size;
        if range.start > range.end || range.end > size {
            return Err(object_store::Error::Generic {
                store: "pond",
                source: format!("{location} has {size} bytes, not {range:?}").into(),
            });
        }
        if range.is_empty() {
            return Ok(Bytes::new());
        }
        let is_inline =
            matches!(&*known, Known::Stored { version, .. } if version.place != Place::Large);
        if !is_inline {
            return known.read(&self.store, range).await;
        }
        // A small content lies in a row of the log: one read fetches it all.
        let cached = self.inline.lock().unwrap_or_else(PoisonError::into_inner).get(location);
        let whole = match cached {
            Some(whole) => whole,
            None => {
                let whole = known.read(&self.store, 0..size).await?;
                self.inline
                    .lock()
                    .unwrap_or_else(PoisonError::into_inner)
                    .put(location.clone(), whole.clone());
                whole
            }
        };
        let bounds = usize::try_from(range.start).ok().zip(usize::try_from(range.end).ok());
        match bounds {
            Some((start, end)) if end <= whole.len() => Ok(whole.slice(start..end)),
            _ => Err(object_store::Error::Generic {
                store: "pond",
                source: format!("{location} gave {} bytes of {size}", whole.len()).into(),
            }),
        }
    }
}

fn generic(error: tinyfs::Error) -> object_store::Error {
    object_store::Error::Generic { store: "pond", source: Box::new(error) }
}

fn read_only<T>() -> object_store::Result<T> {
    Err(object_store::Error::NotSupported { source: "a query only reads".into() })
}

#[async_trait]
impl ObjectStore for ContentStore {
    async fn put_opts(
        &self,
        _location: &Path,
        _payload: PutPayload,
        _options: PutOptions,
    ) -> object_store::Result<PutResult> {
        read_only()
    }

    async fn put_multipart_opts(
        &self,
        _location: &Path,
        _options: PutMultipartOptions,
    ) -> object_store::Result<Box<dyn MultipartUpload>> {
        read_only()
    }

    async fn get_opts(
        &self,
        location: &Path,
        options: GetOptions,
    ) -> object_store::Result<GetResult> {
        let known = self.known(location).await?;
        let meta = known.meta(location.clone());
        options.check_preconditions(&meta)?;
        let range = match options.range {
            None => 0..meta.size,
            Some(GetRange::Bounded(range)) => range.start..range.end.min(meta.size),
            Some(GetRange::Offset(from)) => from.min(meta.size)..meta.size,
            Some(GetRange::Suffix(count)) => meta.size.saturating_sub(count)..meta.size,
        };
        let payload = if options.head {
            stream::empty().boxed()
        } else if range.end.saturating_sub(range.start) <= CHUNK_BYTES {
            stream::iter([Ok(self.read(location, range.clone()).await?)]).boxed()
        } else {
            let store = Arc::clone(&self.store);
            let end = range.end;
            stream::try_unfold(range.start, move |at| {
                let (store, known) = (Arc::clone(&store), Arc::clone(&known));
                async move {
                    if at >= end {
                        return Ok(None);
                    }
                    let next = end.min(at + CHUNK_BYTES);
                    let bytes = known.read(&store, at..next).await?;
                    Ok(Some((bytes, next)))
                }
            })
            .boxed()
        };
        Ok(GetResult {
            payload: GetResultPayload::Stream(payload),
            range,
            meta,
            attributes: object_store::Attributes::default(),
        })
    }

    async fn get_ranges(
        &self,
        location: &Path,
        ranges: &[Range<u64>],
    ) -> object_store::Result<Vec<Bytes>> {
        object_store::coalesce_ranges(ranges, |range| self.read(location, range), COALESCE_BYTES)
            .await
    }

    fn delete_stream(
        &self,
        locations: BoxStream<'static, object_store::Result<Path>>,
    ) -> BoxStream<'static, object_store::Result<Path>> {
        locations.and_then(|_| async { read_only() }).boxed()
    }

    fn list(&self, _prefix: Option<&Path>) -> BoxStream<'static, object_store::Result<ObjectMeta>> {
        stream::iter([read_only()]).boxed()
    }

    async fn list_with_delimiter(
        &self,
        _prefix: Option<&Path>,
    ) -> object_store::Result<ListResult> {
        read_only()
    }

    async fn copy_opts(
        &self,
        _from: &Path,
        _to: &Path,
        _options: CopyOptions,
    ) -> object_store::Result<()> {
        read_only()
    }
}

/// Whole inline contents, the oldest dropped first.
#[derive(Default)]
struct InlineCache {
    held_bytes: usize,
    contents: HashMap<Path, Bytes>,
    order: VecDeque<Path>,
}

impl InlineCache {
    fn get(&self, location: &Path) -> Option<Bytes> {
        self.contents.get(location).cloned()
    }

    fn put(&mut self, location: Path, content: Bytes) {
        if content.len() > INLINE_CACHE_BYTES || self.contents.contains_key(&location) {
            return;
        }
        self.held_bytes += content.len();
        self.order.push_back(location.clone());
        self.contents.insert(location, content);
        while self.held_bytes > INLINE_CACHE_BYTES {
            let Some(oldest) = self.order.pop_front() else { break };
            let dropped = self.contents.remove(&oldest).map_or(0, |content| content.len());
            self.held_bytes -= dropped;
        }
    }
}

/// Knows the content store of one session and nothing else: no URL in a plan
/// can reach a file of the host or the network.
#[derive(Debug)]
pub(crate) struct OnlyPond(pub(crate) Arc<ContentStore>);

impl ObjectStoreRegistry for OnlyPond {
    fn register_store(
        &self,
        _url: &Url,
        _store: Arc<dyn ObjectStore>,
    ) -> Option<Arc<dyn ObjectStore>> {
        None
    }

    fn get_store(&self, url: &Url) -> datafusion::error::Result<Arc<dyn ObjectStore>> {
        if url.as_str().starts_with(POND_URL) {
            Ok(Arc::clone(&self.0) as Arc<dyn ObjectStore>)
        } else {
            datafusion::common::plan_err!("a query reads nothing but the pond, not `{url}`")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn url_of_the_store_is_a_url() {
        assert!(pond_url().as_str().starts_with(POND_URL));
    }

    #[test]
    fn inline_cache_stays_within_its_limit() {
        let mut cache = InlineCache::default();
        for number in 0..300 {
            cache.put(Path::from(format!("n/{number}")), Bytes::from(vec![0; 64 << 10]));
        }
        assert!(cache.held_bytes <= INLINE_CACHE_BYTES);
        assert_eq!(cache.contents.len(), cache.order.len());
        assert!(cache.get(&Path::from("n/0")).is_none());
        assert!(cache.get(&Path::from("n/299")).is_some());
    }
}
