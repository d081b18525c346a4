//! The directory that an export goes to.
//!
//! Always true: a directory that has files in it and is no export of this pond
//! is left alone; one export at a time is at work in it; a file is written
//! under a temporary name beside its place, fsynced and renamed; below the
//! named directory no symbolic link is followed.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File, TryLockError};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::time::UNIX_EPOCH;

use serde::Serialize;
use tempfile::NamedTempFile;
use tinyfs::ContentHash;

use super::error::{ExportError, Result};
use super::journal;
use super::state::{self, Exported, ExportedFile, State};

/// Locked while an export is at work.
const LOCK: &str = ".pond-export.lock";
/// How names of files under way begin and end.
const UNDER_WAY: (&str, &str) = (".pond-", ".part");

/// The directory of an export.
#[derive(Debug)]
pub(crate) struct Directory {
    root: PathBuf,
    /// Held while files are written.
    lock: Option<File>,
}

/// What there is of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Seen {
    pub(crate) bytes: u64,
    pub(crate) modified_ns: i64,
}

impl Directory {
    /// The directory, with what it says of itself; made and locked unless it is
    /// only looked at.
    pub(crate) fn open(root: &Path, pond: &str, look_only: bool) -> Result<(Self, State)> {
        let mut directory = Self { root: root.to_owned(), lock: None };
        let mut state = directory.state(pond)?;
        if !look_only {
            fs::create_dir_all(root)
                .map_err(|source| ExportError::io("make the directory", root, source))?;
            directory.lock = Some(lock(root)?);
            directory.remove_under_way()?;
            // Whoever was at work until now may have changed it.
            state = directory.state(pond)?;
        }
        Ok((directory, state))
    }

    fn state(&self, pond: &str) -> Result<State> {
        let path = self.root.join(state::FILE);
        let bytes = match fs::read(&path) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return match self.is_empty()? {
                    true => Ok(State::new(pond)),
                    false => Err(ExportError::NotAnExport { dir: self.root.clone() }),
                };
            }
            Err(source) => return Err(ExportError::io("read", path, source)),
        };
        /// What every format has.
        #[derive(serde::Deserialize)]
        struct Any {
            format: u32,
        }
        let bad = |source| ExportError::State { path: path.clone(), source };
        let any: Any = serde_json::from_slice(&bytes).map_err(bad)?;
        if any.format > state::FORMAT {
            let (found, known) = (any.format, state::FORMAT);
            return Err(ExportError::Newer { path, found, known });
        }
        let mut state: State = serde_json::from_slice(&bytes).map_err(bad)?;
        if state.pond != pond {
            return Err(ExportError::OtherPond { dir: self.root.clone(), pond: state.pond });
        }
        journal::go_on(&self.root, &bytes, &mut state)?;
        // `tiles.json` names the column of times to whoever draws them.
        for (path, exported) in &state.tables {
            if exported.tiles.is_some() && exported.time_column.is_none() {
                use serde::de::Error as _;
                let what = format!("the tiles of {path} have no column of times");
                return Err(bad(serde_json::Error::custom(what)));
            }
        }
        Ok(state)
    }

    fn is_empty(&self) -> Result<bool> {
        let failed = |source| ExportError::io("list", &self.root, source);
        let entries = match fs::read_dir(&self.root) {
            Ok(entries) => entries,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(true),
            Err(error) => return Err(failed(error)),
        };
        for entry in entries {
            let entry = entry.map_err(failed)?;
            // These alone are of an export that ended before its first file.
            if entry.file_name() != LOCK && !is_under_way(&entry).map_err(failed)? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Removes what a run that was cut short had under way at the top.
    fn remove_under_way(&self) -> Result<()> {
        let failed = |source| ExportError::io("list", &self.root, source);
        for entry in fs::read_dir(&self.root).map_err(failed)? {
            let entry = entry.map_err(failed)?;
            if is_under_way(&entry).map_err(failed)? {
                remove_file(&entry.path())?;
            }
        }
        Ok(())
    }

    /// Puts what the directory says of itself in place, and returns its hash.
    pub(crate) fn put_state(&self, state: &State) -> Result<ContentHash> {
        self.put_json(state::FILE, state, false)
    }

    /// Puts a small file in place, as JSON, and returns its hash.
    pub(crate) fn put_json(
        &self,
        name: &str,
        value: &impl Serialize,
        pretty: bool,
    ) -> Result<ContentHash> {
        let path = self.root.join(name);
        let text =
            if pretty { serde_json::to_vec_pretty(value) } else { serde_json::to_vec(value) };
        let mut text = text.map_err(|source| ExportError::State { path: path.clone(), source })?;
        text.push(b'\n');
        let hash = ContentHash::of(&text);
        if fs::read(&path).is_ok_and(|there| there == text) {
            return Ok(hash);
        }
        let mut file = OutFile::begin(path)?;
        file.write_all(&text)
            .map_err(|source| ExportError::io("write", self.root.join(name), source))?;
        file.persist()?;
        Ok(hash)
    }

    /// Checks that nothing is there by this name, which is to be a file at the
    /// top.
    pub(crate) fn check_free(&self, name: &str) -> Result<()> {
        let path = self.root.join(name);
        match fs::symlink_metadata(&path) {
            Ok(_) => Err(ExportError::InTheWay { path }),
            Err(error) if is_absent(&error) => Ok(()),
            Err(source) => Err(ExportError::io("look at", path, source)),
        }
    }

    /// Removes a file at the top, where it is there.
    pub(crate) fn remove_at_top(&self, name: &str) -> Result<()> {
        remove_file(&self.root.join(name))
    }

    /// The path of a file on this machine.
    pub(crate) fn place(&self, below: &str) -> PathBuf {
        self.root.join(below)
    }

    /// The files of a table that are as they were written, as their sizes and
    /// times tell.
    pub(crate) fn intact(&self, exported: &Exported) -> Result<BTreeMap<String, ExportedFile>> {
        let mut intact = BTreeMap::new();
        // Files of one directory come one after another.
        let mut parent = (String::new(), false);
        for (name, file) in &exported.files {
            let below = format!("{}/{name}", exported.dir);
            let above = above(&below);
            if parent.0 != above {
                parent = (above.to_owned(), self.is_directory(above)?);
            }
            if parent.1 && self.is_intact(&below, file)? {
                intact.insert(name.clone(), file.clone());
            }
        }
        Ok(intact)
    }

    fn is_intact(&self, below: &str, file: &ExportedFile) -> Result<bool> {
        let path = self.place(below);
        match fs::symlink_metadata(&path) {
            Ok(found) if found.is_file() => {
                let seen = seen(&found, &path)?;
                Ok(seen.bytes == file.bytes && seen.modified_ns == file.modified_ns)
            }
            Ok(_) => Ok(false),
            Err(error) if is_absent(&error) => Ok(false),
            Err(source) => Err(ExportError::io("look at", path, source)),
        }
    }

    /// Whether this is a directory, and no symbolic link leads there.
    fn is_directory(&self, below: &str) -> Result<bool> {
        let mut path = self.root.clone();
        for name in below.split('/') {
            path.push(name);
            match fs::symlink_metadata(&path) {
                Ok(found) if found.is_dir() => {}
                Ok(_) => return Ok(false),
                Err(error) if is_absent(&error) => return Ok(false),
                Err(source) => return Err(ExportError::io("look at", path, source)),
            }
        }
        Ok(true)
    }

    /// Begins a file. Only one that is `ours` may be there already.
    pub(crate) fn begin(&self, below: &str, ours: bool) -> Result<OutFile> {
        debug_assert!(self.lock.is_some(), "only a locked directory is written to");
        let mut dir = self.root.clone();
        let mut names = below.split('/').peekable();
        while let Some(name) = names.next() {
            // Names in a pond are never empty, `.` or `..`; a path made of them
            // can not climb.
            tinyfs::Name::new(name)?;
            if names.peek().is_some() {
                dir.push(name);
                make_directory(&dir)?;
            }
        }
        let place = self.place(below);
        match fs::symlink_metadata(&place) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(source) => return Err(ExportError::io("look at", place, source)),
            Ok(found) if ours && found.is_file() => {}
            Ok(_) => return Err(ExportError::InTheWay { path: place }),
        }
        OutFile::begin(place)
    }

    /// Removes a file, and the directories that are then empty. What a symbolic
    /// link leads to is not the export's.
    pub(crate) fn remove(&self, below: &str) -> Result<()> {
        if !self.is_directory(above(below))? {
            return Ok(());
        }
        remove_file(&self.place(below))?;
        let mut dir = Path::new(below).parent();
        while let Some(below) = dir.filter(|below| !below.as_os_str().is_empty()) {
            // One that is not empty stays, and so does whatever is above.
            if fs::remove_dir(self.root.join(below)).is_err() {
                break;
            }
            dir = below.parent();
        }
        Ok(())
    }

    /// The names of all files of a table, with those of runs that were cut short.
    pub(crate) fn all_of(&self, exported: &Exported) -> Result<BTreeSet<String>> {
        let named = exported.files.keys().chain(&exported.replaced);
        let mut all: BTreeSet<String> = named.cloned().collect();
        if exported.begun {
            all.extend(self.left_over(&exported.dir, &|name| exported.may_have_left(name))?);
        }
        Ok(all)
    }

    /// The files below `dir` whose names `is_ours` takes, of a run that was cut
    /// short; what it left under way is removed.
    fn left_over(&self, dir: &str, is_ours: &dyn Fn(&str) -> bool) -> Result<BTreeSet<String>> {
        let mut found = BTreeSet::new();
        if !self.is_directory(dir)? {
            return Ok(found);
        }
        let mut open = vec![String::new()];
        while let Some(below) = open.pop() {
            let path = self.root.join(dir).join(&below);
            let failed = |source| ExportError::io("list", &path, source);
            let entries = match fs::read_dir(&path) {
                Ok(entries) => entries,
                Err(error) if is_absent(&error) => continue,
                Err(error) => return Err(failed(error)),
            };
            for entry in entries {
                let entry = entry.map_err(failed)?;
                let name = entry.file_name();
                let Some(name) = name.to_str() else { continue };
                let below =
                    if below.is_empty() { name.to_owned() } else { format!("{below}/{name}") };
                let kind = entry.file_type().map_err(failed)?;
                if kind.is_dir() {
                    open.push(below);
                } else if kind.is_file() && is_ours(&below) {
                    found.insert(below);
                } else if self.lock.is_some() && is_under_way(&entry).map_err(failed)? {
                    remove_file(&entry.path())?;
                }
            }
        }
        Ok(found)
    }
}

fn lock(root: &Path) -> Result<File> {
    let path = root.join(LOCK);
    let file = File::options().create(true).truncate(false).write(true).open(&path);
    let file = file.map_err(|source| ExportError::io("write", &path, source))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(ExportError::Busy { dir: root.to_owned() }),
        Err(TryLockError::Error(source)) => Err(ExportError::io("lock", path, source)),
    }
}

/// The directory of a file below that of the export.
fn above(below: &str) -> &str {
    below.rsplit_once('/').map_or("", |(above, _)| above)
}

/// Whether this is a file that was under way to its place.
fn is_under_way(entry: &fs::DirEntry) -> io::Result<bool> {
    let name = entry.file_name();
    let is_named = name
        .to_str()
        .is_some_and(|name| name.starts_with(UNDER_WAY.0) && name.ends_with(UNDER_WAY.1));
    Ok(is_named && entry.file_type()?.is_file())
}

fn is_absent(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory)
}

fn make_directory(path: &Path) -> Result<()> {
    match fs::symlink_metadata(path) {
        Ok(found) if found.is_dir() => Ok(()),
        Ok(_) => Err(ExportError::InTheWay { path: path.to_owned() }),
        Err(error) if error.kind() == io::ErrorKind::NotFound => fs::create_dir(path)
            .map_err(|source| ExportError::io("make the directory", path, source)),
        Err(source) => Err(ExportError::io("look at", path, source)),
    }
}

fn remove_file(path: &Path) -> Result<()> {
    match fs::remove_file(path) {
        Err(error) if !is_absent(&error) => Err(ExportError::io("remove", path, error)),
        _ => Ok(()),
    }
}

fn seen(found: &fs::Metadata, path: &Path) -> Result<Seen> {
    let modified = found.modified().map_err(|source| ExportError::io("look at", path, source))?;
    // Before 1970 or beyond 2262 is a time that is never equal to ours.
    let since = modified.duration_since(UNIX_EPOCH).unwrap_or_default();
    let modified_ns = i64::try_from(since.as_nanos()).unwrap_or(i64::MAX);
    Ok(Seen { bytes: found.len(), modified_ns })
}

/// A file under way to its place, hashed as it is written. Dropping it leaves
/// nothing.
#[derive(Debug)]
pub(crate) struct OutFile {
    temporary: NamedTempFile,
    hasher: blake3::Hasher,
    bytes: u64,
    place: PathBuf,
}

impl OutFile {
    fn begin(place: PathBuf) -> Result<Self> {
        let dir = place.parent().unwrap_or(Path::new("."));
        let mut builder = tempfile::Builder::new();
        builder.prefix(UNDER_WAY.0).suffix(UNDER_WAY.1);
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt as _;
            // As any program makes a file: the process's umask takes away.
            builder.permissions(fs::Permissions::from_mode(0o666));
        }
        let temporary =
            builder.tempfile_in(dir).map_err(|source| ExportError::io("write in", dir, source))?;
        Ok(Self { temporary, hasher: blake3::Hasher::new(), bytes: 0, place })
    }

    /// Where it is to be.
    pub(crate) fn place(&self) -> &Path {
        &self.place
    }

    /// The hash of what was written, in hex.
    pub(crate) fn hash(&self) -> String {
        self.hasher.finalize().to_hex().to_string()
    }

    /// Puts the file in its place; what was there is replaced.
    pub(crate) fn persist(self) -> Result<Seen> {
        let failed = |source| ExportError::io("write", &self.place, source);
        self.temporary.as_file().sync_all().map_err(failed)?;
        let file = self.temporary.persist(&self.place).map_err(|error| failed(error.error))?;
        let found = file.metadata().map_err(failed)?;
        let seen = seen(&found, &self.place)?;
        debug_assert_eq!(seen.bytes, self.bytes, "a file is as long as what was written");
        Ok(seen)
    }
}

impl Write for OutFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.temporary.write(bytes)?;
        self.hasher.update(&bytes[..written]);
        self.bytes += written as u64;
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.temporary.flush()
    }
}
