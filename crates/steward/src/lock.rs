//! The writer's lock: one process changes a pond at a time.
//!
//! Always true: the kernel lets go of the lock when its holder dies, however
//! it dies; readers never take it; we never delete the file, for a lock on a
//! deleted file keeps nobody out, and take none that somebody else deleted.
//! What stands in the file says who held it last and is meant for people.

use std::fmt;
use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{ErrorKind, Read as _, Seek as _, SeekFrom, Write as _};
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;
use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::environment::Environment;
use crate::layout::Layout;
use crate::{Error, Result};

/// The first pause between two attempts.
const FIRST_PAUSE: Duration = Duration::from_millis(5);
/// The longest pause between two attempts.
const LONGEST_PAUSE: Duration = Duration::from_millis(200);
/// Nobody is told of a shorter wait.
const SILENT_WAIT: Duration = Duration::from_millis(500);
/// More than this is not a holder that we wrote.
const HOLDER_MAX_BYTES: u64 = 64 << 10;

/// Who holds a lock.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Holder {
    /// The id of its process.
    pub pid: u32,
    /// Its command.
    pub command: String,
    /// When it took the lock, in microseconds since 1970 UTC.
    pub since_us: i64,
}

impl fmt::Display for Holder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "process {} (`{}`", self.pid, self.command)?;
        match Timestamp::from_microsecond(self.since_us) {
            Ok(since) => write!(f, ", since {since:.0})"),
            // A time beyond the calendar is left out: the file is only a hint.
            Err(_) => f.write_str(")"),
        }
    }
}

/// The lock, held until it is dropped.
#[derive(Debug)]
pub(crate) struct WriterLock {
    file: File,
}

impl WriterLock {
    /// Takes the lock, waiting for `timeout` at most.
    ///
    /// # Errors
    /// [`Error::Locked`] with the holder, [`Error::ReadOnly`], [`Error::Io`].
    pub(crate) async fn take(
        layout: &Layout,
        command: &str,
        timeout: Duration,
        environment: &Environment,
    ) -> Result<Self> {
        let path = layout.lock();
        let mut file = open(layout, &path)?;
        let begun = tokio::time::Instant::now();
        let mut pause = FIRST_PAUSE;
        let mut told = false;
        loop {
            match file.try_lock() {
                Ok(()) if is_still(&file, &path)? => break,
                // Somebody took the file away while we waited: whoever comes
                // now locks another, and ours keeps nobody out.
                Ok(()) => {
                    file = open(layout, &path)?;
                    continue;
                }
                Err(TryLockError::WouldBlock) => {}
                Err(TryLockError::Error(source)) => {
                    return Err(Error::Io { doing: "cannot lock", path, source });
                }
            }
            let waited = begun.elapsed();
            if waited >= timeout {
                return Err(Error::Locked {
                    path: layout.root().to_owned(),
                    holder: read_holder(&path),
                    waited_ms: u64::try_from(waited.as_millis()).unwrap_or(u64::MAX),
                });
            }
            if !told && waited >= SILENT_WAIT {
                told = true;
                let holder = read_holder(&path)
                    .map_or_else(|| "another process".to_owned(), |holder| holder.to_string());
                environment.monitor.warn(&format!("waiting for {holder} to finish"));
            }
            tokio::time::sleep(pause.min(timeout.saturating_sub(waited))).await;
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
        let mut lock = Self { file };
        lock.sign(&Holder {
            pid: std::process::id(),
            command: command.to_owned(),
            since_us: environment.clock.now_us(),
        });
        Ok(lock)
    }

    /// Whether nobody holds the lock now.
    pub(crate) fn is_free(layout: &Layout) -> bool {
        // Without a file that can be read nobody can be seen to hold it.
        let Ok(file) = File::open(layout.lock()) else { return true };
        file.try_lock_shared().is_ok()
    }

    /// Writes the holder into the file. Nothing depends on it, so a full disk
    /// must not hinder whoever has the lock.
    fn sign(&mut self, holder: &Holder) {
        let written = serde_json::to_vec(holder).map_err(std::io::Error::from).and_then(|text| {
            self.file.set_len(0)?;
            self.file.seek(SeekFrom::Start(0))?;
            self.file.write_all(&text)
        });
        if let Err(error) = written {
            diagnostics::log_debug!("the lock does not name its holder: {error}", error);
        }
    }
}

impl Drop for WriterLock {
    fn drop(&mut self) {
        // The lock goes with the file; a name left behind would only mislead.
        if let Err(error) = self.file.set_len(0) {
            diagnostics::log_debug!("the lock still names its holder: {error}", error);
        }
    }
}

fn open(layout: &Layout, path: &Path) -> Result<File> {
    let opened = OpenOptions::new().read(true).write(true).create(true).truncate(false).open(path);
    opened.map_err(|source| match source.kind() {
        ErrorKind::PermissionDenied | ErrorKind::ReadOnlyFilesystem => {
            Error::ReadOnly { path: layout.root().to_owned(), source }
        }
        _ => Error::Io { doing: "cannot open", path: path.to_owned(), source },
    })
}

/// Whether a path still names this open file.
fn is_still(file: &File, path: &Path) -> Result<bool> {
    let fail = |source| Error::Io { doing: "cannot look at", path: path.to_owned(), source };
    let ours = file.metadata().map_err(fail)?;
    match fs::metadata(path) {
        Ok(named) => Ok((named.dev(), named.ino()) == (ours.dev(), ours.ino())),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(false),
        Err(error) => Err(fail(error)),
    }
}

/// Who the file says holds the lock; `None` when it says nothing readable,
/// which is normal in the instant between taking the lock and signing it.
fn read_holder(path: &Path) -> Option<Holder> {
    let mut text = String::new();
    File::open(path).ok()?.take(HOLDER_MAX_BYTES).read_to_string(&mut text).ok()?;
    serde_json::from_str(&text).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_lock_on_a_deleted_file_is_none() {
        let directory = tempfile::tempdir().unwrap();
        let layout = Layout::new(directory.path());
        let (environment, _) = Environment::manual(0);
        let take = |wait_ms| {
            let wait = Duration::from_millis(wait_ms);
            WriterLock::take(&layout, "x", wait, &environment)
        };
        let first = take(0).await.unwrap();
        let mut waiting = std::pin::pin!(take(500));
        tokio::select! {
            biased;
            _ = &mut waiting => panic!("two have the lock"),
            () = tokio::task::yield_now() => {}
        }
        fs::remove_file(layout.lock()).unwrap();
        let second = take(0).await.unwrap();
        drop(first);
        assert!(matches!(waiting.await, Err(Error::Locked { .. })));
        drop(second);
        take(0).await.unwrap();
    }
}
