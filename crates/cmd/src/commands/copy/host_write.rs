//! Files written to the host: whole or not at all, and never outside of the
//! directory that was named.
//!
//! Always true: a file is written under a temporary name beside its place,
//! fsynced and renamed; a name of the pond becomes one name on the host; below
//! the named directory no symbolic link is followed.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

use tempfile::NamedTempFile;

use crate::error::{CommandError, OrFail as _, Result};
use crate::host::show;

/// A directory of the host that files go into.
#[derive(Debug)]
pub(super) struct HostDirectory {
    root: PathBuf,
}

impl HostDirectory {
    /// The directory, made when it is missing.
    pub(super) fn open(root: &Path) -> Result<Self> {
        fs::create_dir_all(root)
            .or_fail(|| format!("cannot make the directory `{}`", show(root)))?;
        Ok(Self { root: root.to_path_buf() })
    }

    /// Where a file goes, its directories made. `below` has `/` between names.
    pub(super) fn place(&self, below: &str) -> Result<PathBuf> {
        let mut path = self.root.clone();
        let mut names = below.split('/').peekable();
        while let Some(name) = names.next() {
            // Names in a pond are never empty, `.` or `..`; a path made of them
            // can not climb.
            tinyfs::Name::new(name).or_fail(|| format!("`{below}` can not be a file here"))?;
            path.push(name);
            if names.peek().is_some() {
                make_directory(&path)?;
            }
        }
        Ok(path)
    }

    /// An empty directory at this place.
    pub(super) fn directory(&self, below: &str) -> Result<()> {
        make_directory(&self.place(below)?)
    }
}

fn make_directory(path: &Path) -> Result<()> {
    match fs::symlink_metadata(path) {
        Ok(found) if found.is_dir() => Ok(()),
        Ok(_) => Err(CommandError::failure(format!(
            "`{}` is in the way: it is not a directory",
            show(path)
        ))),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            fs::create_dir(path).or_fail(|| format!("cannot make the directory `{}`", show(path)))
        }
        Err(error) => {
            Err(CommandError::failure(format!("cannot look at `{}`", show(path))).because(error))
        }
    }
}

/// The regular file, there or not, that a write to `place` is about: what a
/// link leads to, and never a device or pipe, which a rename would replace.
fn replaceable(place: &Path) -> Result<PathBuf> {
    let cannot = || format!("cannot write `{}`", show(place));
    match fs::symlink_metadata(place) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(place.to_path_buf()),
        Err(error) => Err(CommandError::failure(cannot()).because(error)),
        Ok(found) if found.is_file() => Ok(place.to_path_buf()),
        Ok(found) if found.is_symlink() => {
            let target = fs::canonicalize(place).or_fail(cannot)?;
            replaceable(&target)
        }
        Ok(found) if found.is_dir() => {
            Err(CommandError::failure(format!("`{}` is a directory", show(place))))
        }
        Ok(_) => Err(CommandError::failure(format!(
            "`{}` is a device, pipe or socket, which a file would replace",
            show(place)
        ))
        .hint("write to `-` and let the shell send it there: pond copy /path - > PLACE")),
    }
}

/// A file under way to its place. Dropping it leaves nothing.
#[derive(Debug)]
pub(super) struct HostFile {
    temporary: NamedTempFile,
    place: PathBuf,
}

impl HostFile {
    /// Begins a file that is to be at `place`, which somebody named: where
    /// that is a link, what it leads to is written.
    pub(super) fn create(place: &Path) -> Result<Self> {
        Self::begin(replaceable(place)?)
    }

    /// Begins a file that is to be at a place below a directory that somebody
    /// named: a link there is replaced and not followed.
    pub(super) fn create_below(place: PathBuf) -> Result<Self> {
        match fs::symlink_metadata(&place) {
            Ok(found) if found.is_symlink() => Self::begin(place),
            _ => Self::begin(replaceable(&place)?),
        }
    }

    fn begin(place: PathBuf) -> Result<Self> {
        let directory = match place.parent() {
            Some(parent) if !parent.as_os_str().is_empty() => parent,
            _ => Path::new("."),
        };
        let mut builder = tempfile::Builder::new();
        builder.prefix(".pond-").suffix(".part");
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt as _;
            // As any program makes a file: the process's umask takes away.
            builder.permissions(fs::Permissions::from_mode(0o666));
        }
        let temporary = builder
            .tempfile_in(directory)
            .or_fail(|| format!("cannot write in `{}`", show(directory)))?;
        Ok(Self { temporary, place })
    }

    /// Where it is to be.
    pub(super) fn place(&self) -> &Path {
        &self.place
    }

    /// Puts the file in its place; what was there is replaced.
    pub(super) fn finish(self) -> Result<()> {
        let fail = || format!("cannot write `{}`", show(&self.place));
        self.temporary.as_file().sync_all().or_fail(fail)?;
        self.temporary.persist(&self.place).map_err(|error| {
            CommandError::failure(format!("cannot write `{}`", show(&self.place)))
                .because(error.error)
        })?;
        Ok(())
    }
}

impl Write for HostFile {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.temporary.write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        self.temporary.flush()
    }
}

/// Writes a short file: whole or not at all.
pub(crate) fn write_host_file(place: &Path, bytes: &[u8]) -> Result<()> {
    let mut file = HostFile::create(place)?;
    file.write_all(bytes).or_fail(|| format!("cannot write `{}`", show(place)))?;
    file.finish()
}
