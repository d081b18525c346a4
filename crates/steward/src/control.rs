//! Small files of this replica in `control/`: written whole or not at all, and
//! never needed.
//!
//! Always true: a file that is missing reads as absent, and a file that is
//! there is either what was written last or says what is wrong with it.

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use oplog::Medium;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::layout::Layout;
use crate::{Error, Result};

/// The most that is read of such a file.
const MAX_BYTES: u64 = 4 << 20;
const DAY_US: i64 = 86_400_000_000;

/// Locked by whoever reads a file to write it again.
const TURN: &str = "turn";

/// The directory of this replica's own files.
#[derive(Clone, Debug)]
pub(crate) struct Control {
    directory: PathBuf,
    medium: Arc<dyn Medium>,
}

impl Control {
    pub(crate) fn new(layout: &Layout, medium: &Arc<dyn Medium>) -> Self {
        Self { directory: layout.control(), medium: Arc::clone(medium) }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.directory.join(name)
    }

    /// The directory, made when it is missing.
    pub(crate) fn directory(&self) -> Result<&Path> {
        match self.medium.create_dir(&self.directory) {
            Err(source) if source.kind() != ErrorKind::AlreadyExists => {
                Err(Error::Io { doing: "cannot make", path: self.directory.clone(), source })
            }
            _ => Ok(&self.directory),
        }
    }

    /// The text of a file; `None` when there is none.
    pub(crate) fn read(&self, name: &str) -> Result<Option<String>> {
        let path = self.path(name);
        let fail = |source| Error::Io { doing: "cannot read", path: path.clone(), source };
        match fs::metadata(&path) {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(fail(error)),
            Ok(found) if found.len() > MAX_BYTES => {
                return Err(fail(std::io::Error::new(
                    ErrorKind::FileTooLarge,
                    "it is far too large",
                )));
            }
            Ok(_) => {}
        }
        match fs::read_to_string(&path) {
            Ok(text) => Ok(Some(text)),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            Err(error) => Err(fail(error)),
        }
    }

    /// The value in a file; `None` when there is none.
    ///
    /// # Errors
    /// [`Error::BadSettings`] when the file holds something else.
    pub(crate) fn read_json<T: DeserializeOwned>(&self, name: &str) -> Result<Option<T>> {
        let Some(text) = self.read(name)? else { return Ok(None) };
        serde_json::from_str(&text)
            .map(Some)
            .map_err(|source| Error::BadSettings { path: self.path(name), source })
    }

    /// Replaces a file. A power cut may leave it empty: good enough for a hint.
    pub(crate) fn write_hint<T: Serialize>(&self, name: &str, value: &T) -> Result<()> {
        self.write_json(name, value, false)
    }

    /// Replaces a file that someone counts on: when this returns, it is on the
    /// disk, and a power cut before leaves what was there.
    pub(crate) fn write_durable<T: Serialize>(&self, name: &str, value: &T) -> Result<()> {
        self.write_json(name, value, true)?;
        self.sync_directory_itself()
    }

    fn write_json<T: Serialize>(&self, name: &str, value: &T, durable: bool) -> Result<()> {
        self.directory()?;
        let path = self.path(name);
        let fail = |source| Error::Io { doing: "cannot write", path: path.clone(), source };
        let mut text = serde_json::to_vec_pretty(value).map_err(|error| fail(error.into()))?;
        text.push(b'\n');
        oplog::replace_file(&self.medium, &path, &text, durable).map_err(fail)
    }

    /// The right to read a file that a user chose and write it again, as long
    /// as what is returned is kept. It is apart from the writer's lock, so
    /// that a setting can be chosen while a long transaction runs.
    pub(crate) fn turn(&self) -> Result<fs::File> {
        let path = self.directory()?.join(TURN);
        let fail = |doing| {
            let path = path.clone();
            move |source| Error::Io { doing, path, source }
        };
        let opened = fs::OpenOptions::new().write(true).create(true).truncate(false).open(&path);
        let file = opened.map_err(fail("cannot open"))?;
        file.lock().map_err(fail("cannot lock"))?;
        Ok(file)
    }

    /// Takes a file away; that it was not there is no error.
    pub(crate) fn remove(&self, name: &str) -> Result<()> {
        let path = self.path(name);
        match self.medium.unlink(&path) {
            Ok(()) => Ok(()),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
            Err(source) => Err(Error::Io { doing: "cannot remove", path, source }),
        }
    }

    /// Takes a file away so that no power cut brings it back.
    pub(crate) fn remove_durable(&self, name: &str) -> Result<()> {
        self.remove(name)?;
        if self.directory.is_dir() { self.sync(&self.directory) } else { Ok(()) }
    }

    /// Takes away what writes that were cut short left. Another process may be
    /// at such a write now, so only what is older than a day goes.
    pub(crate) fn sweep(&self, now_us: i64) -> Result<()> {
        let fail = |doing, path: &Path| {
            let path = path.to_owned();
            move |source| Error::Io { doing, path, source }
        };
        let entries = match fs::read_dir(&self.directory) {
            Ok(entries) => entries,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
            Err(error) => return Err(fail("cannot look into", &self.directory)(error)),
        };
        for entry in entries {
            let entry = entry.map_err(fail("cannot look into", &self.directory))?;
            let name = entry.file_name();
            // One that goes meanwhile needs no sweeping.
            let (Some(name), Ok(found)) = (name.to_str(), entry.metadata()) else { continue };
            let age_us = found.modified().ok().map(|at| now_us.saturating_sub(micros(at)));
            if oplog::is_temporary(name) && age_us.is_some_and(|age| age > DAY_US) {
                self.remove(name)?;
            }
        }
        Ok(())
    }

    /// Brings the name of the directory, which may be as new as what is in it,
    /// to the disk.
    fn sync_directory_itself(&self) -> Result<()> {
        self.directory.parent().map_or(Ok(()), |parent| self.sync(parent))
    }

    /// Brings the names in a directory to the disk.
    pub(crate) fn sync(&self, path: &Path) -> Result<()> {
        sync_directory(&*self.medium, path)
    }
}

fn micros(at: SystemTime) -> i64 {
    // A file from before 1970 is old enough.
    let since = at.duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_micros()).unwrap_or(i64::MAX)
}

/// Brings the names in a directory to the disk.
pub(crate) fn sync_directory(medium: &dyn Medium, path: &Path) -> Result<()> {
    let synced = medium.sync_dir(path);
    synced.map_err(|source| Error::Io { doing: "cannot sync", path: path.to_owned(), source })
}
