//! Files of the pond in a format, as tables.
//!
//! A version of a file is read once, into Parquet, and that is kept under the
//! hash of its bytes and of how they were read; so it is read again only when
//! it changes.
//!
//! Always true: what is kept is compared with the hash in its name before it is
//! first used, and removed where that differs; where nothing can be kept it is
//! read anew; a file is never held in memory.
//!
//! Deliberately not here: which files, and in which format.

use std::collections::HashMap;
use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use datafusion::error::DataFusionError;
use diagnostics::log_warn;
use futures::StreamExt;
use parquet::arrow::ArrowWriter;
use parquet::basic::{Compression, ZstdLevel};
use parquet::file::properties::WriterProperties;
use query::format::{HostSource, OpenedSource, ReadOptions, Resolved, SourceUrl};
use query::{ComputedTable, Inputs, Lineage};
use tempfile::{NamedTempFile, TempPath};
use tinyfs::{ContentHash, EntryType, NodePath};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::input::Input;
use crate::{Error, Place, Result};

/// Changes when the same bytes are read as other rows.
const VERSION: u32 = 1;
/// What is kept goes after so long, and is read again.
const KEPT_FOR: Duration = Duration::from_secs(30 * 86_400);
/// Letters of the hashes in a name.
const HEX: usize = 32;
const CHUNK_BYTES: usize = 1 << 16;
/// A row group, which is held in memory as it is written, ends with so many
/// rows or bytes.
const ROW_GROUP_ROWS: usize = 256 << 10;
const ROW_GROUP_BYTES: usize = 16 << 20;

/// Files in a format, as Parquet.
#[derive(Debug)]
pub(crate) struct Parsed {
    /// Where they are kept; `None` keeps them while this lives.
    root: Option<PathBuf>,
    temp_dir: PathBuf,
    now_us: NowUs,
    /// What is kept nowhere else, by its key.
    held: Mutex<HashMap<String, Arc<TempPath>>>,
    /// What is kept and was compared with its hash, by its key.
    checked: Mutex<HashMap<String, PathBuf>>,
    /// Whether what was kept too long has been removed.
    is_swept: AtomicBool,
}

struct NowUs(Arc<dyn Fn() -> i64 + Send + Sync>);

impl std::fmt::Debug for NowUs {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("NowUs")
    }
}

impl Parsed {
    pub(crate) fn new(place: &Place) -> Self {
        Self {
            root: place.formats.clone(),
            temp_dir: place.temp_dir.clone(),
            now_us: NowUs(Arc::clone(&place.now_us)),
            held: Mutex::default(),
            checked: Mutex::default(),
            is_swept: AtomicBool::new(false),
        }
    }

    /// The table of a file, read as `input` says.
    ///
    /// # Errors
    /// [`Error::Input`] for what is no stored file; what reading it says.
    pub(crate) async fn table(
        &self,
        input: &Input,
        found: &NodePath,
        inputs: &Inputs,
    ) -> Result<ComputedTable> {
        let one = input.at(&found.path);
        let text = one.to_string();
        let newest = found.node.newest.clone().filter(|_| one.takes(found.node.entry_type));
        let Some(newest) = newest else {
            let what = format!("`{}` is a {}, no stored file", found.path, found.node.entry_type);
            return Err(Error::Input { text, what });
        };
        let resolved = SourceUrl::parse(&text)?.resolve()?;
        let key = key_of(&newest.hash, &resolved);
        let path = match self.kept(&key).await? {
            Some(path) => path,
            None => self.read(&key, &resolved, found, inputs).await?,
        };
        Ok(ComputedTable {
            provider: inputs.parquet(&text, &path).await?,
            time_column: None,
            time_unit: None,
            lineage: Arc::new(Lineage::Stored {
                node: found.id(),
                path: found.path.clone(),
                entry_type: EntryType::Data,
            }),
            notes: Vec::new(),
        })
    }

    /// What was read before, when it is whole.
    async fn kept(&self, key: &str) -> Result<Option<PathBuf>> {
        if let Some(path) = self.held_at(key) {
            return Ok(Some(path));
        }
        let Some(root) = self.root.clone() else { return Ok(None) };
        let (own, checked) = (key.to_owned(), self.checked_at(key));
        let found = blocking(move || {
            // Somebody may have removed it since.
            let checked = checked.filter(|path| path.is_file());
            Ok(checked.or_else(|| find(&root, &own)))
        });
        let found = found.await?;
        if let Some(path) = &found {
            self.note_checked(key, path);
        }
        Ok(found)
    }

    /// Reads a file, and keeps what comes of it.
    async fn read(
        &self,
        key: &str,
        resolved: &Resolved,
        found: &NodePath,
        inputs: &Inputs,
    ) -> Result<PathBuf> {
        let made = self.parse(resolved, found, inputs).await?;
        if let Some(root) = self.root.clone() {
            let (own, now_us) = (key.to_owned(), (self.now_us.0)());
            let sweeps = !self.is_swept.swap(true, Ordering::Relaxed);
            let kept = blocking(move || {
                if sweeps && let Err(error) = sweep(&root, now_us) {
                    let dir = root.display().to_string();
                    log_warn!(
                        "what was kept too long in {dir} is not removed: {error}",
                        dir,
                        error
                    );
                }
                let dir = dir_of(&root, &own);
                match keep(&root, &own, &made) {
                    Ok(path) => Ok(Ok(path)),
                    Err(source) => Ok(Err((made, Error::Cache { path: dir, source }))),
                }
            });
            match kept.await? {
                Ok(path) => {
                    self.note_checked(key, &path);
                    return Ok(path);
                }
                Err((made, error)) => {
                    let cause = std::error::Error::source(&error).map(ToString::to_string);
                    let cause = cause.unwrap_or_default();
                    log_warn!("{error}: {cause}; it is read again next time", error, cause);
                    return Ok(self.hold(key, made));
                }
            }
        }
        Ok(self.hold(key, made))
    }

    fn held_at(&self, key: &str) -> Option<PathBuf> {
        let held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        held.get(key).map(|path| path.to_path_buf())
    }

    fn checked_at(&self, key: &str) -> Option<PathBuf> {
        let checked = self.checked.lock().unwrap_or_else(PoisonError::into_inner);
        checked.get(key).cloned()
    }

    fn note_checked(&self, key: &str, path: &Path) {
        let mut checked = self.checked.lock().unwrap_or_else(PoisonError::into_inner);
        checked.insert(key.to_owned(), path.to_owned());
    }

    fn hold(&self, key: &str, made: NamedTempFile) -> PathBuf {
        let path = Arc::new(made.into_temp_path());
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        // Somebody else may have read it meanwhile, and be using that.
        held.entry(key.to_owned()).or_insert(path).to_path_buf()
    }

    /// The rows of a file as Parquet, in a temporary file.
    async fn parse(
        &self,
        resolved: &Resolved,
        found: &NodePath,
        inputs: &Inputs,
    ) -> Result<NamedTempFile> {
        let copy = self.copied(found, inputs).await?;
        let format = resolved.format.word();
        let words = match resolved.compression {
            query::format::Compression::Plain => format.to_owned(),
            compression => format!("{format}+{}", compression.word()),
        };
        let path = copy.path().to_string_lossy().into_owned();
        let source = HostSource::new(SourceUrl::parse(&format!("{words}:{path}"))?)
            .with_name(&found.path)
            .with_temp_dir(&self.temp_dir);
        let opened = query::format::open(source, ReadOptions::default()).await?;
        self.written(opened).await
    }

    /// The bytes of a file, checked, in a temporary file.
    async fn copied(&self, found: &NodePath, inputs: &Inputs) -> Result<NamedTempFile> {
        let copy = self.temporary()?;
        let failed = |source| self.failed(source);
        let mut reader = inputs.fs().verified(&found.path, None).await?;
        let mut file = tokio::fs::File::from_std(copy.reopen().map_err(failed)?);
        let mut chunk = vec![0; CHUNK_BYTES];
        loop {
            let read = reader.read(&mut chunk).await;
            let read = read.map_err(|error| {
                tinyfs::Error::from_io(format!("can not read `{}`", found.path), error)
            })?;
            if read == 0 {
                break;
            }
            file.write_all(&chunk[..read]).await.map_err(failed)?;
        }
        file.flush().await.map_err(failed)?;
        Ok(copy)
    }

    async fn written(&self, opened: OpenedSource) -> Result<NamedTempFile> {
        let made = self.temporary()?;
        let file = made.reopen().map_err(|source| self.failed(source))?;
        let properties = WriterProperties::builder()
            .set_compression(Compression::ZSTD(ZstdLevel::default()))
            .set_max_row_group_row_count(Some(ROW_GROUP_ROWS))
            .set_max_row_group_bytes(Some(ROW_GROUP_BYTES))
            .set_created_by("duckpond".to_owned())
            .build();
        let of_parquet = DataFusionError::from;
        let mut writer =
            ArrowWriter::try_new(file, opened.schema(), Some(properties)).map_err(of_parquet)?;
        let mut rows = opened.into_stream();
        while let Some(batch) = rows.next().await {
            let batch = batch?;
            writer = blocking(move || {
                writer.write(&batch).map_err(of_parquet)?;
                Ok(writer)
            })
            .await?;
        }
        blocking(move || Ok(writer.close().map_err(of_parquet)?)).await?;
        Ok(made)
    }

    fn temporary(&self) -> Result<NamedTempFile> {
        NamedTempFile::new_in(&self.temp_dir).map_err(|source| self.failed(source))
    }

    fn failed(&self, source: io::Error) -> Error {
        let dir = self.temp_dir.clone();
        query::format::Error::Spool { file: "a file of the pond".to_owned(), dir, source }.into()
    }
}

/// Runs what waits for disks on a thread of its own.
async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T> + Send + 'static,
) -> Result<T> {
    match tokio::task::spawn_blocking(work).await {
        Ok(done) => done,
        Err(error) => Err(DataFusionError::External(Box::new(error)).into()),
    }
}

/// The name of what is read of these bytes in this way.
fn key_of(hash: &ContentHash, resolved: &Resolved) -> String {
    let (format, compression) = (resolved.format.word(), resolved.compression.word());
    let text = format!("duckpond parsed {VERSION}\n{hash}\n{format}\n{compression}\n");
    let mut hex = ContentHash::of(text.as_bytes()).to_string();
    hex.truncate(HEX);
    hex
}

fn dir_of(root: &Path, key: &str) -> PathBuf {
    root.join(&key[..2])
}

/// The file of a key that has the hash in its name; others of the key go.
fn find(root: &Path, key: &str) -> Option<PathBuf> {
    // Absence is the normal answer, and a directory that can not be read has
    // the same remedy.
    for entry in fs::read_dir(dir_of(root, key)).ok()?.flatten() {
        let name = entry.file_name();
        let Some(hash) = name
            .to_str()
            .and_then(|name| name.strip_prefix(key)?.strip_prefix('-')?.strip_suffix(".parquet"))
        else {
            continue;
        };
        let path = entry.path();
        match hash_of(&path) {
            Ok(found) if found == hash => return Some(path),
            Ok(_) => {
                log_warn!("a file that was read before is not whole and is read again: {key}", key);
                // What can not be removed is passed over again.
                let _ = fs::remove_file(path);
            }
            // Somebody removed it meanwhile.
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => {
                let path = path.display().to_string();
                log_warn!("cannot read {path}, and the file is read again: {error}", path, error);
            }
        }
    }
    None
}

fn hash_of(path: &Path) -> io::Result<String> {
    let mut hasher = blake3::Hasher::new();
    hasher.update_reader(File::open(path)?)?;
    let mut hex = hasher.finalize().to_hex().to_string();
    hex.truncate(HEX);
    Ok(hex)
}

/// Puts what was read where it is kept.
fn keep(root: &Path, key: &str, made: &NamedTempFile) -> io::Result<PathBuf> {
    let dir = dir_of(root, key);
    fs::create_dir_all(&dir)?;
    let path = dir.join(format!("{key}-{}.parquet", hash_of(made.path())?));
    let mut temporary = NamedTempFile::new_in(&dir)?;
    io::copy(&mut File::open(made.path())?, &mut temporary)?;
    temporary.flush()?;
    temporary.persist(&path).map_err(|error| error.error)?;
    Ok(path)
}

/// Removes what was kept too long, which others may do at the same time.
fn sweep(root: &Path, now_us: i64) -> io::Result<()> {
    let now = SystemTime::UNIX_EPOCH + Duration::from_micros(now_us.max(0).unsigned_abs());
    for dir in unless_gone(fs::read_dir(root))?.into_iter().flatten() {
        for entry in unless_gone(fs::read_dir(dir?.path()))?.into_iter().flatten() {
            let entry = entry?;
            let Some(metadata) = unless_gone(entry.metadata())? else { continue };
            if now.duration_since(metadata.modified()?).is_ok_and(|age| age > KEPT_FOR) {
                unless_gone(fs::remove_file(entry.path()))?;
            }
        }
    }
    Ok(())
}

fn unless_gone<T>(asked: io::Result<T>) -> io::Result<Option<T>> {
    match asked {
        Ok(answer) => Ok(Some(answer)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}
