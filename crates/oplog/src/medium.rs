//! The few operations on files whose order makes a commit durable.
//!
//! Everything that a pond writes to a local disk and counts on goes through a
//! [`Medium`], so that a test can stop at each operation in turn, forget what
//! was never synced, or answer with an error. Reads do not come this way, nor
//! does what nobody counts on once its process is gone: the writer's lock, and
//! files that never had a name.

use std::fmt;
use std::fs::{File, FileTimes, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::{Error, Result};

/// Operations on a local disk. The defaults are the real ones; what overrides
/// them must keep their meaning or fail.
pub trait Medium: fmt::Debug + Send + Sync + 'static {
    /// Makes a file that does not exist and opens it for writing.
    ///
    /// # Errors
    /// Those of the operating system.
    fn create_new(&self, path: &Path) -> io::Result<File> {
        OpenOptions::new().read(true).write(true).create_new(true).open(path)
    }

    /// Writes all of `bytes` at `offset` of an open file.
    ///
    /// # Errors
    /// Those of the operating system.
    fn write_at(&self, path: &Path, file: &File, offset: u64, bytes: &[u8]) -> io::Result<()> {
        let _ = path;
        file.write_all_at(bytes, offset)
    }

    /// Brings a file's bytes to the disk. An error is final for the file: what
    /// the kernel could not write it forgets, and a second sync would succeed.
    ///
    /// # Errors
    /// Those of the operating system.
    fn sync_file(&self, path: &Path, file: &File) -> io::Result<()> {
        let _ = path;
        file.sync_all()
    }

    /// Gives a file a second name, which must not exist.
    ///
    /// # Errors
    /// Those of the operating system.
    fn link(&self, from: &Path, to: &Path) -> io::Result<()> {
        std::fs::hard_link(from, to)
    }

    /// Gives a file another name, replacing what has it.
    ///
    /// # Errors
    /// Those of the operating system.
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        std::fs::rename(from, to)
    }

    /// Takes a name away.
    ///
    /// # Errors
    /// Those of the operating system.
    fn unlink(&self, path: &Path) -> io::Result<()> {
        std::fs::remove_file(path)
    }

    /// Makes a directory whose parent exists.
    ///
    /// # Errors
    /// Those of the operating system.
    fn create_dir(&self, path: &Path) -> io::Result<()> {
        std::fs::create_dir(path)
    }

    /// Takes an empty directory away.
    ///
    /// # Errors
    /// Those of the operating system.
    fn remove_dir(&self, path: &Path) -> io::Result<()> {
        std::fs::remove_dir(path)
    }

    /// Sets the time of a file's last change to now. Whether a power cut undoes
    /// that is nobody's concern.
    ///
    /// # Errors
    /// Those of the operating system.
    fn touch(&self, path: &Path) -> io::Result<()> {
        File::open(path)?.set_times(FileTimes::new().set_modified(now()))
    }

    /// Brings the names in a directory to the disk.
    ///
    /// # Errors
    /// Those of the operating system.
    fn sync_dir(&self, path: &Path) -> io::Result<()> {
        File::open(path)?.sync_all()
    }
}

#[expect(clippy::disallowed_methods, reason = "times of files are the operating system's")]
fn now() -> std::time::SystemTime {
    std::time::SystemTime::now()
}

/// The disk as it is.
#[derive(Clone, Copy, Debug, Default)]
pub struct Disk;

impl Medium for Disk {}

/// How a finished file gets its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Naming {
    /// The name must be free: of two writers one fails.
    Absent,
    /// The name may exist: what had it is replaced at once.
    Replace,
}

/// What temporary names begin with. Delta Lake leaves such names alone, and
/// the ending (`#` and digits) hides them from `object_store`'s listings.
pub(crate) const TEMPORARY_PREFIX: &str = ".tmp-";

/// Whether a file of this name is on its way to another, or a leftover of an
/// interrupted write.
#[must_use]
pub fn is_temporary(name: &str) -> bool {
    name.starts_with(TEMPORARY_PREFIX) && name.ends_with("#0")
}

fn temporary_name() -> String {
    static COUNT: AtomicU64 = AtomicU64::new(0);
    let count = COUNT.fetch_add(1, Ordering::Relaxed);
    format!("{TEMPORARY_PREFIX}{}-{count}#0", std::process::id())
}

/// A file under a temporary name, which `finish` gives its own. Dropping it
/// leaves nothing.
#[derive(Debug)]
pub(crate) struct Staged {
    medium: Arc<dyn Medium>,
    path: PathBuf,
    file: File,
    len: u64,
    named: bool,
}

impl Staged {
    /// Begins a file in `dir`, which exists.
    pub(crate) fn create(medium: &Arc<dyn Medium>, dir: &Path) -> io::Result<Self> {
        loop {
            let path = dir.join(temporary_name());
            match medium.create_new(&path) {
                Ok(file) => {
                    let medium = Arc::clone(medium);
                    return Ok(Self { medium, path, file, len: 0, named: false });
                }
                // A leftover of an earlier process with this process's id.
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                Err(error) => return Err(error),
            }
        }
    }

    pub(crate) const fn len(&self) -> u64 {
        self.len
    }

    pub(crate) fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.medium.write_at(&self.path, &self.file, self.len, bytes)?;
        self.len += bytes.len() as u64;
        Ok(())
    }

    pub(crate) fn write_at(&self, offset: u64, bytes: &[u8]) -> io::Result<()> {
        self.medium.write_at(&self.path, &self.file, offset, bytes)
    }

    pub(crate) const fn file(&self) -> &File {
        &self.file
    }

    /// All bytes, as the operating system has them.
    pub(crate) fn read_back(&self) -> io::Result<bytes::Bytes> {
        let len = self.file.metadata()?.len();
        let mut bytes = vec![0; usize::try_from(len).map_err(io::Error::other)?];
        self.file.read_exact_at(&mut bytes, 0)?;
        Ok(bytes.into())
    }

    /// Another file of these bytes in its place.
    pub(crate) fn instead(self, bytes: &[u8]) -> io::Result<Self> {
        let dir = self.path.parent().unwrap_or_else(|| Path::new("."));
        let mut other = Self::create(&self.medium, dir)?;
        other.append(bytes)?;
        Ok(other)
    }

    /// Syncs the bytes; nothing may be written afterwards.
    pub(crate) fn sync(&self) -> io::Result<()> {
        self.medium.sync_file(&self.path, &self.file)
    }

    /// Gives a synced file its name and syncs the directory.
    pub(crate) fn name(mut self, to: &Path, naming: Naming) -> io::Result<()> {
        match naming {
            Naming::Replace => {
                self.medium.rename(&self.path, to)?;
                self.named = true;
            }
            // A hard link fails when the name is taken; a rename would not.
            Naming::Absent => self.medium.link(&self.path, to)?,
        }
        let dir = to.parent().unwrap_or(to);
        self.medium.sync_dir(dir)
    }
}

impl Drop for Staged {
    fn drop(&mut self) {
        if !self.named {
            // What stays is cleaned up by maintenance; there is nobody to tell.
            let _ = self.medium.unlink(&self.path);
        }
    }
}

impl Write for Staged {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.append(bytes)?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Replaces a small file as a whole. A durable one is on the disk when this
/// returns, and a power cut before leaves what was there; of one that is not,
/// a power cut may leave anything.
///
/// # Errors
/// Those of the operating system.
pub fn replace_file(
    medium: &Arc<dyn Medium>,
    path: &Path,
    bytes: &[u8],
    durable: bool,
) -> io::Result<()> {
    let dir = path.parent().unwrap_or(path);
    let mut staged = Staged::create(medium, dir)?;
    staged.append(bytes)?;
    if durable {
        staged.sync()?;
        return staged.name(path, Naming::Replace);
    }
    medium.rename(&staged.path, path)?;
    staged.named = true;
    Ok(())
}

/// Makes a directory and those above it, and brings each new name to the disk.
pub(crate) fn ensure_dir(medium: &dyn Medium, dir: &Path) -> io::Result<()> {
    if dir.as_os_str().is_empty() || dir.is_dir() {
        return Ok(());
    }
    let parent = dir.parent().unwrap_or_else(|| Path::new(""));
    ensure_dir(medium, parent)?;
    match medium.create_dir(dir) {
        Ok(()) => {}
        // Another thread made it; its name may not be on the disk yet.
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists && dir.is_dir() => {}
        Err(error) => return Err(error),
    }
    let parent = if parent.as_os_str().is_empty() { Path::new(".") } else { parent };
    medium.sync_dir(parent)
}

/// Runs blocking work off the async threads; a panic in it becomes an error,
/// because a full disk makes Parquet's writer panic inside its dependencies.
pub(crate) async fn blocking<T, F>(doing: impl Into<String>, work: F) -> Result<T>
where
    T: Send + 'static,
    F: FnOnce() -> Result<T> + Send + 'static,
{
    match tokio::task::spawn_blocking(work).await {
        Ok(result) => result,
        Err(join) => Err(Error::io(doing, io::Error::other(join))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dropped_file_leaves_nothing() {
        let dir = tempfile::tempdir().unwrap();
        let medium: Arc<dyn Medium> = Arc::new(Disk);
        let mut staged = Staged::create(&medium, dir.path()).unwrap();
        staged.append(b"x").unwrap();
        drop(staged);
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0);
    }

    #[test]
    fn taken_name_is_not_replaced() {
        let dir = tempfile::tempdir().unwrap();
        let medium: Arc<dyn Medium> = Arc::new(Disk);
        let to = dir.path().join("name");
        std::fs::write(&to, b"first").unwrap();
        let mut staged = Staged::create(&medium, dir.path()).unwrap();
        staged.append(b"second").unwrap();
        staged.sync().unwrap();
        let error = staged.name(&to, Naming::Absent).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::AlreadyExists);
        assert_eq!(std::fs::read(&to).unwrap(), b"first");
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 1);
    }
}
