//! The files of the host that a pattern matches.
//!
//! Always true: symbolic links below the pattern's own directory are not
//! followed, and neither they nor special files are among the matches; what
//! can not be looked at is told and stops nothing; a directory is looked into
//! only where a match can be.

use std::fs::{self, FileType, Metadata, ReadDir};
use std::io;
use std::os::unix::fs::{FileTypeExt as _, MetadataExt as _};
use std::path::{Path, PathBuf};

use factory::BoxError;
use tinyfs::glob::{Glob, GlobOptions};
use tinyfs::{FsPath, Name};

/// The most files of one inbox, those that are left out among them.
const MAX_FILES: usize = 500_000;
/// What makes a component of a pattern more than a name.
const WILDCARDS: [char; 5] = ['*', '?', '[', '{', '\\'];

/// A pattern over host files.
#[derive(Debug)]
pub(super) struct Pattern {
    /// The directory before the first wildcard.
    dir: PathBuf,
    /// What is matched below it.
    below: Glob,
    /// What its directories have to match to be looked into, by their depth.
    levels: Vec<Glob>,
    /// Components after a `**`, but for that of the file: directories below the
    /// levels are looked into, and hidden ones where one of these means them.
    deep: Option<Vec<Glob>>,
}

/// What tells a file from the same file written to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct State {
    pub(super) size_bytes: u64,
    /// When it was last written, in microseconds since 1970 UTC.
    pub(super) modified_us: i64,
    /// When it was last changed in any way, which nobody sets back.
    pub(super) changed_us: i64,
    pub(super) inode: u64,
    device: u64,
}

/// A file that matches.
#[derive(Clone, Debug)]
pub(super) struct Found {
    /// Its path below the pattern's directory, which is its name everywhere.
    pub(super) name: String,
    pub(super) captures: Vec<String>,
    pub(super) state: State,
}

/// What a pattern matches.
#[derive(Debug, Default)]
pub(super) struct Listing {
    /// The files, those written first before the others.
    pub(super) files: Vec<Found>,
    /// What matches and is never read, and why.
    pub(super) left_out: Vec<(String, &'static str)>,
    /// What could not be looked at.
    pub(super) failures: Vec<(String, BoxError)>,
}

impl Listing {
    fn len(&self) -> usize {
        self.files.len() + self.left_out.len() + self.failures.len()
    }
}

impl State {
    fn of(metadata: &Metadata) -> Self {
        Self {
            size_bytes: metadata.len(),
            modified_us: micros(metadata.mtime(), metadata.mtime_nsec()),
            changed_us: micros(metadata.ctime(), metadata.ctime_nsec()),
            inode: metadata.ino(),
            device: metadata.dev(),
        }
    }

    /// The state of the regular file at `path`.
    pub(super) fn read(path: &Path) -> io::Result<Self> {
        let metadata = fs::symlink_metadata(path)?;
        match refusal(metadata.file_type()) {
            None => Ok(Self::of(&metadata)),
            Some(why) => Err(io::Error::other(why)),
        }
    }

    /// Opens the file at `path`, provided that it is the one of this state,
    /// whatever was written to it since.
    pub(super) fn open(&self, path: &Path) -> io::Result<fs::File> {
        let file = fs::File::open(path)?;
        let opened = Self::of(&file.metadata()?);
        if (opened.device, opened.inode) == (self.device, self.inode) {
            return Ok(file);
        }
        Err(io::Error::other("it was replaced by another file"))
    }
}

fn micros(seconds: i64, nanos: i64) -> i64 {
    seconds.saturating_mul(1_000_000).saturating_add(nanos / 1_000)
}

/// Why what is no regular file is not read.
fn refusal(kind: FileType) -> Option<&'static str> {
    if kind.is_file() {
        None
    } else if kind.is_symlink() {
        Some("a symbolic link, and only files are read")
    } else if kind.is_fifo() || kind.is_socket() || kind.is_char_device() || kind.is_block_device()
    {
        Some("a special file, and only regular files are read")
    } else {
        Some("no regular file")
    }
}

impl Pattern {
    /// The pattern that `text` is, references resolved.
    ///
    /// # Errors
    /// What is wrong with it.
    pub(super) fn parse(text: &str) -> Result<Self, BoxError> {
        if !text.starts_with('/') {
            return Err("it is no absolute path of the host".into());
        }
        let components: Vec<&str> = text.split('/').filter(|part| !part.is_empty()).collect();
        let fixed = components.iter().take_while(|part| !part.contains(WILDCARDS)).count();
        let fixed = fixed.min(components.len().saturating_sub(1));
        let (above, below) = components.split_at(fixed);
        if below.is_empty() {
            return Err("it names no file".into());
        }
        if below.contains(&"..") {
            return Err("`..` can not come after a wildcard".into());
        }
        let deep_at = below.iter().position(|part| *part == "**");
        let dirs = deep_at.unwrap_or(below.len() - 1);
        let levels = (1..=dirs).map(|depth| Glob::parse(&below[..depth].join("/")));
        let deep = deep_at.map(|at| {
            let after = below.get(at + 1..below.len() - 1).unwrap_or_default();
            let after = after.iter().filter(|part| **part != "**");
            after.map(|part| Glob::parse(part)).collect::<Result<Vec<_>, _>>()
        });
        Ok(Self {
            dir: Path::new("/").join(above.join("/")),
            below: Glob::parse(&below.join("/"))?,
            levels: levels.collect::<Result<_, _>>()?,
            deep: deep.transpose()?,
        })
    }

    /// How many captures each file has.
    pub(super) fn captures_len(&self) -> usize {
        self.below.captures_len()
    }

    /// The directory that names are below.
    pub(super) fn dir(&self) -> &Path {
        &self.dir
    }

    /// Where a file is.
    pub(super) fn path_of(&self, name: &str) -> PathBuf {
        self.dir.join(name)
    }

    /// The files that match. Blocks.
    ///
    /// # Errors
    /// What looking into the pattern's own directory says.
    pub(super) fn list(&self) -> io::Result<Listing> {
        self.list_at_most(MAX_FILES)
    }

    fn list_at_most(&self, most: usize) -> io::Result<Listing> {
        let mut listing = Listing::default();
        // Names, since directories that are open are few.
        let mut left = Vec::new();
        self.look_into("", fs::read_dir(&self.dir)?, most, &mut left, &mut listing)?;
        while let Some(dir) = left.pop() {
            match fs::read_dir(self.path_of(&dir)) {
                Ok(entries) => self.look_into(&dir, entries, most, &mut left, &mut listing)?,
                // It went meanwhile.
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => listing.failures.push((dir, error.into())),
            }
        }
        listing
            .files
            .sort_by(|a, b| (a.state.modified_us, &a.name).cmp(&(b.state.modified_us, &b.name)));
        listing.left_out.sort_unstable();
        Ok(listing)
    }

    /// Adds what matches in a directory, and to `left` the directories in it
    /// that are to be looked into.
    fn look_into(
        &self,
        above: &str,
        entries: ReadDir,
        most: usize,
        left: &mut Vec<String>,
        listing: &mut Listing,
    ) -> io::Result<()> {
        let at =
            |name: &str| if above.is_empty() { name.to_owned() } else { format!("{above}/{name}") };
        for entry in entries {
            let entry = match entry {
                Ok(entry) => entry,
                Err(error) => {
                    listing.failures.push((at(""), error.into()));
                    continue;
                }
            };
            let raw = entry.file_name();
            match (raw.to_str().map(at), entry.metadata()) {
                (None, _) => {
                    let shown = at(&raw.to_string_lossy());
                    listing.failures.push((shown, "its name is not UTF-8".into()));
                }
                (Some(name), Ok(metadata)) if metadata.is_dir() => {
                    if self.may_hold(&name) {
                        left.push(name);
                    }
                }
                (Some(name), Ok(metadata)) => self.see(name, &metadata, listing),
                // It went meanwhile.
                (_, Err(error)) if error.kind() == io::ErrorKind::NotFound => {}
                (Some(name), Err(error)) => listing.failures.push((name, error.into())),
            }
            // Asked of each, since one directory may hold more than memory does.
            if listing.len() > most {
                return Err(io::Error::other(format!("there are more than {most} files in it")));
            }
        }
        Ok(())
    }

    /// Whether a directory is to be looked into.
    fn may_hold(&self, name: &str) -> bool {
        let depth = name.split('/').count();
        match self.levels.get(depth - 1) {
            Some(level) => matches(level, name).is_some(),
            None => self.deep.as_ref().is_some_and(|after| {
                let last = name.rsplit('/').next().unwrap_or(name);
                let is_meant =
                    !last.starts_with('.') || after.iter().any(|one| matches(one, last).is_some());
                is_meant
                    && self.levels.last().is_none_or(|level| {
                        let above: Vec<&str> = name.split('/').take(self.levels.len()).collect();
                        matches(level, &above.join("/")).is_some()
                    })
            }),
        }
    }

    /// Adds something that is no directory, if it matches.
    fn see(&self, name: String, metadata: &Metadata, listing: &mut Listing) {
        let Some(captures) = matches(&self.below, &name) else { return };
        if let Some(why) = refusal(metadata.file_type()) {
            listing.left_out.push((name, why));
            return;
        }
        if let Some(Err(error)) = name.split('/').map(Name::new).find(Result::is_err) {
            listing.failures.push((name, error.into()));
            return;
        }
        listing.files.push(Found { name, captures, state: State::of(metadata) });
    }
}

fn matches(glob: &Glob, name: &str) -> Option<Vec<String>> {
    let path = FsPath::parse(&format!("/{name}")).ok()?;
    glob.captures(&path, GlobOptions::default())
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn names(pattern: &str, dir: &Path) -> Vec<String> {
        let pattern = Pattern::parse(&format!("{}/{pattern}", dir.display())).unwrap();
        let mut names: Vec<_> =
            pattern.list().unwrap().files.into_iter().map(|found| found.name).collect();
        names.sort();
        names
    }

    #[test]
    fn a_pattern_lists_what_it_matches_and_looks_into_nothing_else() {
        let dir = tempfile::tempdir().unwrap();
        for file in ["a.csv", "b.txt", "x/a.csv", "x/y/a.csv", "z/deep/er/a.csv", ".h.csv"] {
            let path = dir.path().join(file);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, file).unwrap();
        }
        assert_eq!(names("*.csv", dir.path()), ["a.csv"]);
        assert_eq!(names("*/*.csv", dir.path()), ["x/a.csv"]);
        assert_eq!(names("x/a.csv", dir.path()), ["a.csv"], "named from the last directory on");
        assert_eq!(
            names("**/*.csv", dir.path()),
            ["a.csv", "x/a.csv", "x/y/a.csv", "z/deep/er/a.csv"]
        );
        assert_eq!(names("x*/**/*.csv", dir.path()), ["x/a.csv", "x/y/a.csv"]);
        let pattern = Pattern::parse("/d/x*/y/*.csv").unwrap();
        let into = |name| pattern.may_hold(name);
        assert!(into("x1") && into("x1/y"));
        assert!(!into("z") && !into("x1/z") && !into("x1/y/z"));
        let pattern = Pattern::parse("/d/x*/**/{.keep,in}/*.csv").unwrap();
        let into = |name| pattern.may_hold(name);
        assert!(into("x1") && into("x1/y/z") && into("x1/.keep") && into("x1/.keep/y"));
        assert!(!into("z/y") && !into("x1/.git") && !into("x1/y/.git"), "hidden, and not meant");
    }

    #[test]
    fn a_directory_of_too_many_files_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        for file in ["a.csv", "b.csv", "c.txt"] {
            fs::write(dir.path().join(file), file).unwrap();
        }
        let pattern = Pattern::parse(&format!("{}/*.csv", dir.path().display())).unwrap();
        assert_eq!(pattern.list_at_most(2).unwrap().files.len(), 2);
        let told = pattern.list_at_most(1).unwrap_err().to_string();
        assert_eq!(told, "there are more than 1 files in it");
    }

    #[test]
    fn links_and_special_files_are_told_of_and_left_out() {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("a.csv"), "a").unwrap();
        std::os::unix::fs::symlink("a.csv", dir.path().join("link.csv")).unwrap();
        std::os::unix::fs::symlink("/", dir.path().join("root")).unwrap();
        let socket = std::os::unix::net::UnixListener::bind(dir.path().join("s.csv")).unwrap();
        let pattern = Pattern::parse(&format!("{}/**/*.csv", dir.path().display())).unwrap();
        let listing = pattern.list().unwrap();
        assert_eq!(listing.files.len(), 1);
        let left: Vec<_> = listing.left_out.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(left, ["link.csv", "s.csv"]);
        drop(socket);
    }

    #[test]
    fn a_pattern_without_a_file_or_with_a_way_back_is_refused() {
        for text in ["rel/*.csv", "/", "/a/*/../b"] {
            assert!(Pattern::parse(text).is_err(), "{text}");
        }
    }
}
