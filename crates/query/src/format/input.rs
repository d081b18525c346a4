//! The bytes of a host file: opened, decompressed, read as often as needed.
//!
//! What always holds: every pass sees the same bytes or is refused with
//! [`Error::Changed`]. What can be read only once (standard input, a pipe) is
//! kept in a temporary file that is gone when its last user is. Compressed data
//! may be any number of frames; data that ends in the middle of one is an
//! error, never a short file.
//!
//! What is deliberately not here: records. Reading blocks; callers are on a
//! thread of their own.

use std::fs::{self, File};
use std::io::{self, BufReader, Read, Take};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::SystemTime;

use diagnostics::{Monitor, Progress, Unit};

use super::error::{Error, Result};
use super::excelhtml::TableRows;
use super::url::{Compression, Location, Resolved, SourceUrl};
use crate::Scratch;

/// A host file to be read: its URL and the directories around it.
#[derive(Clone, Debug)]
pub struct HostSource {
    url: SourceUrl,
    base: PathBuf,
    temp_dir: PathBuf,
    monitor: Arc<dyn Monitor>,
    scratch: Scratch,
    prefix_bytes: Option<u64>,
    name: Option<String>,
}

impl HostSource {
    /// A source whose relative path is under the process's working directory.
    #[must_use]
    pub fn new(url: SourceUrl) -> Self {
        Self {
            url,
            base: PathBuf::new(),
            temp_dir: std::env::temp_dir(),
            monitor: diagnostics::silent(),
            scratch: Scratch::default(),
            prefix_bytes: None,
            name: None,
        }
    }

    /// Only so many bytes from its beginning count, whatever is written after
    /// them meanwhile: for a file of lines that grows. Not for formats that
    /// are read from their end, such as Parquet.
    #[must_use]
    pub fn with_prefix(mut self, bytes: u64) -> Self {
        self.prefix_bytes = Some(bytes);
        self
    }

    /// Who is told how far the first reading got.
    #[must_use]
    pub fn with_monitor(mut self, monitor: Arc<dyn Monitor>) -> Self {
        self.monitor = monitor;
        self
    }

    /// Is told of the temporary files that reading makes.
    #[must_use]
    pub fn with_scratch(mut self, scratch: Scratch) -> Self {
        self.scratch = scratch;
        self
    }

    /// Relative paths are under this directory.
    #[must_use]
    pub fn with_base(mut self, base: impl Into<PathBuf>) -> Self {
        self.base = base.into();
        self
    }

    /// Where input that can be read only once is kept while it is read.
    #[must_use]
    pub fn with_temp_dir(mut self, temp_dir: impl Into<PathBuf>) -> Self {
        self.temp_dir = temp_dir.into();
        self
    }

    /// Messages call it so instead of by its path: for a copy of what is
    /// elsewhere.
    #[must_use]
    pub fn with_name(mut self, name: &str) -> Self {
        self.name = Some(name.to_owned());
        self
    }

    /// Its URL.
    #[must_use]
    pub fn url(&self) -> &SourceUrl {
        &self.url
    }

    pub(crate) fn temp_dir(&self) -> &Path {
        &self.temp_dir
    }

    /// Blocks while it looks the file up, and copies it if it can be read only
    /// once.
    pub(crate) fn prepare(&self) -> Result<Input> {
        let resolved = self.url.resolve()?;
        let name = self.name.clone().unwrap_or_else(|| self.url.location().to_string());
        let file = name.escape_debug().to_string();
        let path = match self.url.location() {
            Location::Stdin => return self.spool(file, &resolved, &mut io::stdin().lock()),
            Location::Path(path) => self.base.join(path),
        };
        let open_error = |source| Error::Open { file: file.clone(), source };
        let metadata = fs::metadata(&path).map_err(open_error)?;
        if metadata.is_dir() {
            return Err(Error::IsDirectory { file });
        }
        if !metadata.is_file() {
            let mut pipe = File::open(&path).map_err(open_error)?;
            return self.spool(file, &resolved, &mut pipe);
        }
        Ok(self.input(file, path, FileState::of(&metadata), &resolved, None))
    }

    fn spool(&self, file: String, resolved: &Resolved, from: &mut dyn Read) -> Result<Input> {
        let spool_error =
            |source| Error::Spool { file: file.clone(), dir: self.temp_dir.clone(), source };
        let mut spool = tempfile::NamedTempFile::new_in(&self.temp_dir).map_err(spool_error)?;
        self.scratch.add_file(spool.path());
        io::copy(from, spool.as_file_mut()).map_err(spool_error)?;
        let metadata = spool.as_file().metadata().map_err(spool_error)?;
        let spool = spool.into_temp_path();
        let path = spool.to_path_buf();
        Ok(self.input(file, path, FileState::of(&metadata), resolved, Some(Arc::new(spool))))
    }

    fn input(
        &self,
        file: String,
        path: PathBuf,
        state: FileState,
        resolved: &Resolved,
        spool: Option<Arc<tempfile::TempPath>>,
    ) -> Input {
        // What is spooled is no file that grows.
        let prefix = self.prefix_bytes.filter(|_| spool.is_none());
        let state = match prefix {
            Some(len) => FileState { len, modified: None, grows: true },
            None => state,
        };
        let task = format!("looking through `{file}`");
        let progress = self.monitor.begin(&task, Some(state.len), Unit::Bytes);
        let first_pass =
            Arc::new(Mutex::new(Some(Arc::new(Task { progress, furthest: AtomicU64::new(0) }))));
        Input {
            file,
            path,
            compression: resolved.compression,
            html: false,
            state,
            first_pass: FirstPass(first_pass),
            scratch: self.scratch.clone(),
            _spool: spool,
        }
    }
}

/// What tells a file from the same file written to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct FileState {
    len: u64,
    // Absent where the file system keeps no time; the length still tells.
    modified: Option<SystemTime>,
    /// Whether it is only the beginning of a file that may grow.
    grows: bool,
}

impl FileState {
    fn of(metadata: &fs::Metadata) -> Self {
        Self { len: metadata.len(), modified: metadata.modified().ok(), grows: false }
    }

    /// Whether a file that is like this has what is to be read.
    fn holds_in(self, metadata: &fs::Metadata) -> bool {
        if self.grows { metadata.len() >= self.len } else { Self::of(metadata) == self }
    }
}

/// How far the first reading of a file got, while it goes on.
#[derive(Clone)]
pub(crate) struct FirstPass(Arc<Mutex<Option<Arc<Task>>>>);

impl std::fmt::Debug for FirstPass {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("FirstPass")
    }
}

impl FirstPass {
    /// Later readings are for somebody else to tell of.
    pub(crate) fn end(&self) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }

    fn task(&self) -> Option<Arc<Task>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

struct Task {
    progress: Box<dyn Progress>,
    /// A format may look at the beginning of the file more than once.
    furthest: AtomicU64,
}

impl Task {
    fn at(&self, offset: u64) {
        let before = self.furthest.fetch_max(offset, Ordering::Relaxed);
        if offset > before {
            self.progress.advance(offset - before);
        }
    }
}

/// A host file that was looked up and can be read any number of times.
#[derive(Clone, Debug)]
pub(crate) struct Input {
    file: String,
    path: PathBuf,
    compression: Compression,
    /// The bytes are HTML that is read as CSV.
    html: bool,
    state: FileState,
    first_pass: FirstPass,
    scratch: Scratch,
    /// Held so that a temporary file lives as long as its readers.
    _spool: Option<Arc<tempfile::TempPath>>,
}

impl Input {
    /// The file as the user named it, safe to print.
    pub(crate) fn file(&self) -> &str {
        &self.file
    }

    pub(crate) fn compression(&self) -> Compression {
        self.compression
    }

    /// The same file, whose bytes are an HTML table to be read as CSV.
    pub(crate) fn into_html(self) -> Self {
        Self { html: true, ..self }
    }

    /// The task that its first reading is.
    pub(crate) fn first_pass(&self) -> &FirstPass {
        &self.first_pass
    }

    pub(crate) fn scratch(&self) -> &Scratch {
        &self.scratch
    }

    pub(crate) fn changed(&self) -> Error {
        Error::Changed { file: self.file.clone() }
    }

    /// Its path, for readers that seek. The bytes there are as they lie.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// The same file after its bytes were decompressed to another path.
    pub(crate) fn unpacked_at(&self, path: &Path) -> io::Result<Self> {
        let state = FileState::of(&fs::metadata(path)?);
        let path = path.to_owned();
        Ok(Self { path, compression: Compression::Plain, state, ..self.clone() })
    }

    /// Whether the file is still the one that was looked up.
    pub(crate) fn check_unchanged(&self) -> Result<()> {
        let metadata = fs::metadata(&self.path)
            .map_err(|source| Error::Open { file: self.file.clone(), source })?;
        if self.state.holds_in(&metadata) { Ok(()) } else { Err(self.changed()) }
    }

    /// The length of the file as it lies.
    pub(crate) fn len(&self) -> u64 {
        self.state.len
    }

    /// Whether a file that was opened is still the one that was looked up.
    pub(crate) fn check_same(&self, file: &File) -> Result<()> {
        let metadata =
            file.metadata().map_err(|source| Error::Open { file: self.file.clone(), source })?;
        if self.state.holds_in(&metadata) { Ok(()) } else { Err(self.changed()) }
    }

    /// Opens it for one pass from its beginning, decompressing.
    pub(crate) fn read(&self) -> Result<InputReader> {
        self.check_unchanged()?;
        let open_error = |source| Error::Open { file: self.file.clone(), source };
        let file = File::open(&self.path).map_err(open_error)?;
        let offset = Arc::new(AtomicU64::new(0));
        let task = self.first_pass.task();
        // Some files of the system say they are empty, and are not.
        let file = file.take(if self.state.grows { self.state.len } else { u64::MAX });
        let counted = Counted { file, offset: Arc::clone(&offset), task };
        let buffered = |counted| BufReader::with_capacity(1 << 17, counted);
        if self.compression != Compression::Plain && self.state.len == 0 {
            return Err(Error::Truncated {
                file: self.file.clone(),
                compression: self.compression,
                offset: 0,
            });
        }
        let decoder: Box<dyn Read + Send> = match self.compression {
            Compression::Plain => Box::new(buffered(counted)),
            Compression::Gzip => Box::new(flate2::bufread::MultiGzDecoder::new(buffered(counted))),
            Compression::Bzip2 => Box::new(bzip2::bufread::MultiBzDecoder::new(buffered(counted))),
            Compression::Zstd => Box::new(
                zstd::stream::read::Decoder::with_buffer(buffered(counted)).map_err(open_error)?,
            ),
        };
        let decoder: Box<dyn Read + Send> =
            if self.html { Box::new(TableRows::new(decoder)) } else { decoder };
        Ok(InputReader { decoder, offset, input: self.clone() })
    }
}

/// Counts what was read of the file itself.
struct Counted {
    file: Take<File>,
    offset: Arc<AtomicU64>,
    task: Option<Arc<Task>>,
}

impl Read for Counted {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.file.read(buffer)?;
        let before = self.offset.fetch_add(count as u64, Ordering::Relaxed);
        if let Some(task) = &self.task {
            task.at(before + count as u64);
        }
        Ok(count)
    }
}

/// One pass over the decompressed bytes.
pub(crate) struct InputReader {
    decoder: Box<dyn Read + Send>,
    offset: Arc<AtomicU64>,
    input: Input,
}

impl InputReader {
    /// Fills the buffer as far as the file goes; less than its length means
    /// the end.
    pub(crate) fn fill(&mut self, buffer: &mut [u8]) -> Result<usize> {
        let mut filled = 0;
        while filled < buffer.len() {
            match self.decoder.read(&mut buffer[filled..]) {
                Ok(0) => break,
                Ok(count) => filled += count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(self.error(error)),
            }
        }
        Ok(filled)
    }

    /// Copies the rest to a temporary file, for formats that seek.
    pub(crate) fn copy_to(&mut self, to: &mut dyn io::Write, dir: &Path) -> Result<u64> {
        let mut buffer = vec![0; 1 << 17];
        let mut copied = 0;
        loop {
            let count = self.fill(&mut buffer)?;
            if count == 0 {
                return Ok(copied);
            }
            copied += count as u64;
            to.write_all(&buffer[..count]).map_err(|source| Error::Spool {
                file: self.input.file.clone(),
                dir: dir.to_owned(),
                source,
            })?;
        }
    }

    fn error(&self, source: io::Error) -> Error {
        let file = self.input.file.clone();
        let offset = self.offset.load(Ordering::Relaxed);
        let compression = self.input.compression;
        let at_end = offset >= self.input.state.len;
        match (compression, source.kind()) {
            // What is wrong with the HTML, not with its compression.
            _ if self.input.html && source.kind() == io::ErrorKind::InvalidData => {
                Error::Read { file, offset, source }
            }
            // An error of the system carries its number, a decoder's does not.
            (Compression::Plain, _) => Error::Read { file, offset, source },
            _ if source.raw_os_error().is_some() => Error::Read { file, offset, source },
            (_, io::ErrorKind::UnexpectedEof) if at_end => {
                Error::Truncated { file, compression, offset }
            }
            _ => Error::NotCompressed { file, compression, offset, source },
        }
    }
}
