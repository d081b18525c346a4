//! An object store on a local directory that keeps what it acknowledged.
//!
//! `object_store`'s local store never syncs. This one writes to a temporary
//! name, syncs the file, gives it its name (by hard link where the name must
//! be absent, by rename otherwise), and syncs the directory, new directories
//! and their parents included. A checkpoint is given a sum of itself, read back,
//! decoded and compared with the table before it gets its name, because readers
//! find checkpoints by listing.
//!
//! Reads are the local store's own, but for the names in the log, its commits and
//! checkpoints, which [`DeltaLog`](crate::delta::DeltaLog) reads itself. The store
//! is rooted at the log's directory, so no host path ever passes through a URL.

use std::fmt;
use std::io;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use futures::StreamExt;
use futures::stream::BoxStream;
use object_store::local::LocalFileSystem;
use object_store::path::Path;
use object_store::{
    CopyMode, CopyOptions, Error, GetOptions, GetResult, ListResult, MultipartUpload, ObjectMeta,
    ObjectStore, PutMode, PutMultipartOptions, PutOptions, PutPayload, PutResult, Result,
    UploadPart,
};

use crate::checkpoint;
use crate::delta::TableState;
use crate::medium::{Medium, Naming, Staged, ensure_dir};

const STORE: &str = "DurableStore";

/// The store.
#[derive(Debug)]
pub(crate) struct DurableStore {
    root: PathBuf,
    reads: LocalFileSystem,
    medium: Arc<dyn Medium>,
    /// What a checkpoint that is written must say.
    expected: Option<Arc<TableState>>,
}

impl DurableStore {
    /// A store on `root`, which exists.
    pub(crate) fn new(root: PathBuf, medium: Arc<dyn Medium>) -> Result<Self> {
        let reads = LocalFileSystem::new_with_prefix(&root)?;
        Ok(Self { root, reads, medium, expected: None })
    }

    /// The store, with the state that checkpoints are compared with.
    pub(crate) fn expecting(self, state: TableState) -> Self {
        Self { expected: Some(Arc::new(state)), ..self }
    }

    fn host_path(&self, location: &Path) -> PathBuf {
        location.parts().fold(self.root.clone(), |path, part| path.join(part.as_ref()))
    }
}

impl fmt::Display for DurableStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{STORE}({})", self.root.display())
    }
}

fn generic(source: impl std::error::Error + Send + Sync + 'static) -> Error {
    Error::Generic { store: STORE, source: Box::new(source) }
}

fn named(error: io::Error, location: &Path) -> Error {
    match error.kind() {
        io::ErrorKind::AlreadyExists => {
            Error::AlreadyExists { path: location.to_string(), source: Box::new(error) }
        }
        io::ErrorKind::NotFound => {
            Error::NotFound { path: location.to_string(), source: Box::new(error) }
        }
        _ => generic(error),
    }
}

async fn blocking<T, F>(work: F) -> Result<T>
where
    T: Send + 'static,
    F: FnOnce() -> Result<T> + Send + 'static,
{
    tokio::task::spawn_blocking(work)
        .await
        .unwrap_or_else(|join| Err(generic(io::Error::other(join))))
}

fn is_checkpoint(location: &Path) -> bool {
    location.as_ref().ends_with(".checkpoint.parquet")
}

/// Seals and checks where that is called for, syncs and names a staged file.
fn settle(
    staged: Staged,
    location: &Path,
    expected: Option<&TableState>,
    to: &std::path::Path,
    naming: Naming,
) -> Result<()> {
    let staged = match expected.filter(|_| is_checkpoint(location)) {
        Some(expected) => {
            let file = staged.read_back().map_err(generic)?;
            let sealed = checkpoint::seal(&file, expected.delta_version);
            staged.instead(&sealed.map_err(generic)?).map_err(generic)?
        }
        None => staged,
    };
    staged.sync().map_err(generic)?;
    if is_checkpoint(location) {
        decode_all(&staged)?;
        if let Some(expected) = expected {
            let file = staged.read_back().map_err(generic)?;
            checkpoint::compare(&file, expected).map_err(generic)?;
        }
    }
    staged.name(to, naming).map_err(|error| named(error, location))
}

/// Decodes every page of a Parquet file as it lies on the disk.
fn decode_all(staged: &Staged) -> Result<()> {
    use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
    let file = staged.file().try_clone().map_err(generic)?;
    let reader = ParquetRecordBatchReaderBuilder::try_new(file)
        .map_err(generic)?
        .build()
        .map_err(generic)?;
    for batch in reader {
        batch.map_err(generic)?;
    }
    Ok(())
}

#[async_trait]
impl ObjectStore for DurableStore {
    async fn put_opts(
        &self,
        location: &Path,
        payload: PutPayload,
        options: PutOptions,
    ) -> Result<PutResult> {
        let naming = match options.mode {
            PutMode::Create => Naming::Absent,
            PutMode::Overwrite => Naming::Replace,
            PutMode::Update(_) => {
                return Err(Error::NotImplemented {
                    operation: "put with a version to update".into(),
                    implementer: STORE.into(),
                });
            }
        };
        let (to, medium, location) =
            (self.host_path(location), Arc::clone(&self.medium), location.clone());
        let expected = self.expected.clone();
        blocking(move || {
            let dir = to.parent().unwrap_or(&to);
            ensure_dir(&*medium, dir).map_err(generic)?;
            let mut staged = Staged::create(&medium, dir).map_err(generic)?;
            for bytes in &payload {
                staged.append(bytes).map_err(generic)?;
            }
            settle(staged, &location, expected.as_deref(), &to, naming)?;
            Ok(PutResult { e_tag: None, version: None })
        })
        .await
    }

    async fn put_multipart_opts(
        &self,
        location: &Path,
        _options: PutMultipartOptions,
    ) -> Result<Box<dyn MultipartUpload>> {
        let (to, medium) = (self.host_path(location), Arc::clone(&self.medium));
        let location = location.clone();
        let staged = {
            let to = to.clone();
            blocking(move || {
                let dir = to.parent().unwrap_or(&to);
                ensure_dir(&*medium, dir).map_err(generic)?;
                Staged::create(&medium, dir).map_err(generic)
            })
            .await?
        };
        let staged = Arc::new(Mutex::new(Some(staged)));
        let expected = self.expected.clone();
        Ok(Box::new(Upload { staged, len: 0, location, expected, to }))
    }

    async fn get_opts(&self, location: &Path, options: GetOptions) -> Result<GetResult> {
        self.reads.get_opts(location, options).await
    }

    async fn get_ranges(
        &self,
        location: &Path,
        ranges: &[std::ops::Range<u64>],
    ) -> Result<Vec<bytes::Bytes>> {
        self.reads.get_ranges(location, ranges).await
    }

    fn delete_stream(
        &self,
        locations: BoxStream<'static, Result<Path>>,
    ) -> BoxStream<'static, Result<Path>> {
        let (root, medium) = (self.root.clone(), Arc::clone(&self.medium));
        locations
            .then(move |location| {
                let (root, medium) = (root.clone(), Arc::clone(&medium));
                async move {
                    let location = location?;
                    let path = location.parts().fold(root, |path, part| path.join(part.as_ref()));
                    let told = location.clone();
                    blocking(move || medium.unlink(&path).map_err(|error| named(error, &told)))
                        .await?;
                    Ok(location)
                }
            })
            .boxed()
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        self.reads.list(prefix)
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> Result<ListResult> {
        self.reads.list_with_delimiter(prefix).await
    }

    async fn copy_opts(&self, from: &Path, to: &Path, options: CopyOptions) -> Result<()> {
        let naming = match options.mode {
            CopyMode::Create => Naming::Absent,
            CopyMode::Overwrite => Naming::Replace,
        };
        let (source, target) = (self.host_path(from), self.host_path(to));
        let (medium, location) = (Arc::clone(&self.medium), to.clone());
        let expected = self.expected.clone();
        blocking(move || {
            let dir = target.parent().unwrap_or(&target);
            ensure_dir(&*medium, dir).map_err(generic)?;
            let mut staged = Staged::create(&medium, dir).map_err(generic)?;
            let mut source = std::fs::File::open(&source).map_err(|e| named(e, &location))?;
            io::copy(&mut source, &mut staged).map_err(generic)?;
            settle(staged, &location, expected.as_deref(), &target, naming)
        })
        .await
    }
}

/// A file that arrives in parts.
#[derive(Debug)]
struct Upload {
    staged: Arc<Mutex<Option<Staged>>>,
    len: u64,
    location: Path,
    expected: Option<Arc<TableState>>,
    to: PathBuf,
}

fn gone() -> Error {
    generic(io::Error::other("the upload has ended"))
}

#[async_trait]
impl MultipartUpload for Upload {
    fn put_part(&mut self, data: PutPayload) -> UploadPart {
        let (staged, mut offset) = (Arc::clone(&self.staged), self.len);
        self.len += data.content_length() as u64;
        Box::pin(blocking(move || {
            let guard = staged.lock().map_err(|_| gone())?;
            let staged = guard.as_ref().ok_or_else(gone)?;
            for bytes in &data {
                staged.write_at(offset, bytes).map_err(generic)?;
                offset += bytes.len() as u64;
            }
            Ok(())
        }))
    }

    async fn complete(&mut self) -> Result<PutResult> {
        let staged = self.staged.lock().map_err(|_| gone())?.take().ok_or_else(gone)?;
        let (location, to) = (self.location.clone(), self.to.clone());
        let expected = self.expected.clone();
        blocking(move || settle(staged, &location, expected.as_deref(), &to, Naming::Replace))
            .await?;
        Ok(PutResult { e_tag: None, version: None })
    }

    async fn abort(&mut self) -> Result<()> {
        drop(self.staged.lock().map_err(|_| gone())?.take());
        Ok(())
    }
}
