//! Small files of this replica in `control/`: written whole or not at all, and
//! never needed.
//!
//! Always true: a file that is missing reads as absent, and a file that is
//! there is either what was written last or says what is wrong with it.

use std::fs;
use std::io::{ErrorKind, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use oplog::{Disk, Medium as _};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::layout::Layout;
use crate::{Error, Result};

/// The most that is read of such a file.
const MAX_BYTES: u64 = 4 << 20;

/// The directory of this replica's own files.
#[derive(Clone, Debug)]
pub(crate) struct Control {
    directory: PathBuf,
}

impl Control {
    pub(crate) fn new(layout: &Layout) -> Self {
        Self { directory: layout.control() }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.directory.join(name)
    }

    /// The directory, made when it is missing.
    pub(crate) fn directory(&self) -> Result<&Path> {
        fs::create_dir_all(&self.directory).map_err(|source| Error::Io {
            doing: "cannot make",
            path: self.directory.clone(),
            source,
        })?;
        Ok(&self.directory)
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
        self.write_json(name, value, true)
    }

    fn write_json<T: Serialize>(&self, name: &str, value: &T, durable: bool) -> Result<()> {
        let path = self.path(name);
        let directory = self.directory()?;
        let fail = |source| Error::Io { doing: "cannot write", path: path.clone(), source };
        let text = serde_json::to_vec_pretty(value).map_err(|error| fail(error.into()))?;
        let mut file = tempfile::Builder::new()
            .prefix(".")
            .suffix(".new")
            // As any program makes a file (the process's umask takes away):
            // whoever may read the pond may read these.
            .permissions(fs::Permissions::from_mode(0o666))
            .tempfile_in(directory)
            .map_err(fail)?;
        file.write_all(&text).map_err(fail)?;
        file.write_all(b"\n").map_err(fail)?;
        if durable {
            file.as_file().sync_all().map_err(fail)?;
        }
        file.persist(&path).map_err(|error| fail(error.error))?;
        if durable {
            sync_directory(directory)?;
            // The directory may be as new as the file.
            directory.parent().map_or(Ok(()), sync_directory)?;
        }
        Ok(())
    }

    /// Takes a file away; that it was not there is no error.
    pub(crate) fn remove(&self, name: &str) -> Result<()> {
        let path = self.path(name);
        match fs::remove_file(&path) {
            Ok(()) => Ok(()),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
            Err(source) => Err(Error::Io { doing: "cannot remove", path, source }),
        }
    }
}

/// Brings the names in a directory to the disk.
pub(crate) fn sync_directory(path: &Path) -> Result<()> {
    let synced = Disk.sync_dir(path);
    synced.map_err(|source| Error::Io { doing: "cannot sync", path: path.to_owned(), source })
}
