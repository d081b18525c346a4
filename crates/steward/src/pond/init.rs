//! Making a pond.
//!
//! The log is made under another name and renamed when it is whole. So a
//! directory has either a `data` that is a log or none, and an `init` that was
//! cut short is taken up again by the next.

use std::fs;
use std::io::ErrorKind;
use std::path::Path;
use std::time::Duration;

use oplog::{FORMAT_VERSION, Location, Log, Medium};

use super::{Pond, opening};
use crate::control::sync_directory;
use crate::environment::Environment;
use crate::layout::Layout;
use crate::lock::WriterLock;
use crate::{Error, Identity, Result};

/// The name of a log that is not whole yet.
const UNFINISHED: &str = ".data.unfinished";

impl Pond {
    /// Makes a pond in `dir`, which is made when it is missing. `birthplace`
    /// says where it was made, for people to read.
    ///
    /// # Errors
    /// [`Error::AlreadyAPond`], [`Error::NotEmpty`], [`Error::NotADirectory`],
    /// [`Error::ReadOnly`], [`Error::Io`].
    pub async fn init(dir: &Path, birthplace: &str, environment: Environment) -> Result<Self> {
        let layout = Layout::new(dir);
        must_be_free(&layout)?;
        make_directory(&*environment.medium, dir)
            .map_err(|source| io("cannot make", dir, source))?;
        // Two `init`s at once: the second finds the pond of the first.
        let wait = Duration::from_secs(10);
        let lock = WriterLock::take(&layout, "pond init", wait, &environment).await?;
        must_be_free(&layout)?;
        let unfinished = dir.join(UNFINISHED);
        remove_unfinished(&*environment.medium, &unfinished)
            .map_err(|source| io("cannot remove", &unfinished, source))?;
        let identity = Identity {
            pond_id: environment.ids.next_id(),
            birthplace: birthplace.to_owned(),
            created_us: environment.clock.now_us(),
            format_version: FORMAT_VERSION,
        };
        let log_options = environment.log_options();
        Log::create(&Location::Local(unfinished.clone()), &identity, log_options.clone())
            .await
            .map_err(Error::log("cannot make the pond's log"))?;
        environment
            .medium
            .rename(&unfinished, &layout.data())
            .map_err(|source| io("cannot name", &layout.data(), source))?;
        sync_directory(&*environment.medium, dir)?;
        drop(lock);
        let log = Log::open(&Location::Local(layout.data()), log_options)
            .await
            .map_err(|error| opening(dir, error))?;
        Self::from_log(layout, log, environment).await
    }
}

/// Refuses what is no pond, naming what it is.
pub(crate) fn must_be_pond(layout: &Layout) -> Result<()> {
    let path = layout.root();
    match fs::metadata(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => {
            return Err(Error::NoSuchDirectory { path: path.to_owned() });
        }
        Err(source) => return Err(io("cannot look at", path, source)),
        Ok(found) if !found.is_dir() => {
            return Err(Error::NotADirectory { path: path.to_owned() });
        }
        Ok(_) => {}
    }
    let data = layout.data();
    match fs::metadata(&data) {
        Ok(_) => Ok(()),
        Err(error) if error.kind() == ErrorKind::NotFound => {
            let reason = if path.join(UNFINISHED).exists() {
                "its making was cut short; `pond init` takes it up again"
            } else {
                "it has no `data`"
            };
            Err(Error::NotAPond { path: path.to_owned(), reason: reason.to_owned() })
        }
        Err(source) => Err(io("cannot look at", &data, source)),
    }
}

/// Refuses a place that holds anything but what a cut-short `init` left.
fn must_be_free(layout: &Layout) -> Result<()> {
    let path = layout.root();
    let entries = match fs::read_dir(path) {
        Ok(entries) => entries,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
        Err(error) if error.kind() == ErrorKind::NotADirectory => {
            return Err(Error::NotADirectory { path: path.to_owned() });
        }
        Err(source) => return Err(io("cannot look into", path, source)),
    };
    if layout.data().join("_delta_log").exists() {
        return Err(Error::AlreadyAPond { path: path.to_owned() });
    }
    for entry in entries {
        let entry = entry.map_err(|source| io("cannot look into", path, source))?;
        let name = entry.file_name();
        if name != "lock" && name != UNFINISHED {
            let found = name.to_string_lossy().into_owned();
            return Err(Error::NotEmpty { path: path.to_owned(), found });
        }
    }
    Ok(())
}

/// Takes away what an `init` that was cut short left; there may be nothing.
fn remove_unfinished(medium: &dyn Medium, path: &Path) -> std::io::Result<()> {
    let entries = match fs::read_dir(path) {
        Ok(entries) => entries,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(error),
    };
    for entry in entries {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            remove_unfinished(medium, &entry.path())?;
        } else {
            medium.unlink(&entry.path())?;
        }
    }
    medium.remove_dir(path)
}

/// Makes a directory and those above it that are missing, and brings each new
/// name to the disk.
fn make_directory(medium: &dyn Medium, dir: &Path) -> std::io::Result<()> {
    if dir.as_os_str().is_empty() {
        return Ok(());
    }
    if dir.is_dir() {
        // An `init` that was cut short may have made it, and not synced it.
        return sync_name(medium, dir);
    }
    let parent = dir.parent().unwrap_or_else(|| Path::new(""));
    make_directory(medium, parent)?;
    match medium.create_dir(dir) {
        Ok(()) => {}
        // Another `init` made it; its name may not be on the disk yet.
        Err(error) if error.kind() == ErrorKind::AlreadyExists && dir.is_dir() => {}
        Err(error) => return Err(error),
    }
    medium.sync_dir(if parent.as_os_str().is_empty() { Path::new(".") } else { parent })
}

/// Brings the name of a directory that was there to the disk. Where its parent
/// is not ours to read, it is not ours to sync.
fn sync_name(medium: &dyn Medium, dir: &Path) -> std::io::Result<()> {
    let parent = match dir.parent() {
        None => return Ok(()),
        Some(parent) if parent.as_os_str().is_empty() => Path::new("."),
        Some(parent) => parent,
    };
    match medium.sync_dir(parent) {
        Err(error) if error.kind() == ErrorKind::PermissionDenied => Ok(()),
        result => result,
    }
}

impl Pond {
    /// Brings the names on the way to the log to the disk: the `init` that made
    /// them may have been cut short before it did.
    pub(crate) fn sync_names(&self) -> Result<()> {
        let medium = &*self.environment.medium;
        sync_directory(medium, self.path())?;
        sync_name(medium, self.path()).map_err(|source| io("cannot sync", self.path(), source))
    }
}

fn io(doing: &'static str, path: &Path, source: std::io::Error) -> Error {
    if matches!(source.kind(), ErrorKind::ReadOnlyFilesystem) {
        return Error::ReadOnly { path: path.to_owned(), source };
    }
    Error::Io { doing, path: path.to_owned(), source }
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;
    use std::sync::Mutex;

    use super::*;

    /// Notes what is asked of it and does nothing.
    #[derive(Debug, Default)]
    struct Notes(Mutex<Vec<(&'static str, PathBuf)>>);

    impl Medium for Notes {
        fn create_dir(&self, path: &Path) -> std::io::Result<()> {
            self.0.lock().unwrap().push(("make", path.to_owned()));
            Ok(())
        }

        fn sync_dir(&self, path: &Path) -> std::io::Result<()> {
            self.0.lock().unwrap().push(("sync", path.to_owned()));
            Ok(())
        }
    }

    #[test]
    fn every_new_name_is_brought_to_the_disk() {
        let notes = Notes::default();
        make_directory(&notes, Path::new("no-such/of/these")).unwrap();
        let expected = [
            ("make", "no-such"),
            ("sync", "."),
            ("make", "no-such/of"),
            ("sync", "no-such"),
            ("make", "no-such/of/these"),
            ("sync", "no-such/of"),
        ];
        let noted = notes.0.into_inner().unwrap();
        assert_eq!(noted, expected.map(|(did, path)| (did, PathBuf::from(path))));
    }
}
