//! Making a pond.
//!
//! The log is made under another name and renamed when it is whole. So a
//! directory has either a `data` that is a log or none, and an `init` that was
//! cut short is taken up again by the next.

use std::fs;
use std::io::ErrorKind;
use std::path::Path;
use std::time::Duration;

use oplog::{Disk, FORMAT_VERSION, Location, Log, LogOptions, Medium};

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
        make_directory(&Disk, dir).map_err(|source| io("cannot make", dir, source))?;
        // Two `init`s at once: the second finds the pond of the first.
        let wait = Duration::from_secs(10);
        let lock = WriterLock::take(&layout, "pond init", wait, &environment).await?;
        must_be_free(&layout)?;
        let unfinished = dir.join(UNFINISHED);
        remove_unfinished(&unfinished)?;
        let identity = Identity {
            pond_id: environment.ids.next_id(),
            birthplace: birthplace.to_owned(),
            created_us: environment.clock.now_us(),
            format_version: FORMAT_VERSION,
        };
        Log::create(&Location::Local(unfinished.clone()), &identity, LogOptions::default())
            .await
            .map_err(Error::log("cannot make the pond's log"))?;
        fs::rename(&unfinished, layout.data())
            .map_err(|source| io("cannot name", &layout.data(), source))?;
        sync_directory(dir)?;
        drop(lock);
        let log = Log::open(&Location::Local(layout.data()), LogOptions::default())
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

fn remove_unfinished(path: &Path) -> Result<()> {
    match fs::remove_dir_all(path) {
        Ok(()) => Ok(()),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
        Err(source) => Err(io("cannot remove", path, source)),
    }
}

/// Makes a directory and those above it that are missing, and brings each new
/// name to the disk.
fn make_directory(medium: &dyn Medium, dir: &Path) -> std::io::Result<()> {
    if dir.as_os_str().is_empty() || dir.is_dir() {
        return Ok(());
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
