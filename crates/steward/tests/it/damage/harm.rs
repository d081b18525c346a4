//! Ways to hurt a file.

use std::fs;
use std::path::Path;

/// What is done to a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Harm {
    Deleted,
    Emptied,
    Halved,
    /// One bit, at so many per mille of the file.
    Flipped(usize),
    /// The bytes of another file of its kind.
    Swapped,
    Appended,
    /// A directory in its place.
    Directory,
}

impl Harm {
    pub(super) const ALL: [Self; 11] = [
        Self::Deleted,
        Self::Emptied,
        Self::Halved,
        Self::Flipped(2),
        Self::Flipped(250),
        Self::Flipped(500),
        Self::Flipped(800),
        Self::Flipped(999),
        Self::Swapped,
        Self::Appended,
        Self::Directory,
    ];

    /// Does it; whether the file is another one now.
    pub(super) fn inflict(self, file: &Path, other: Option<&Path>) -> bool {
        let bytes = fs::read(file).unwrap();
        match self {
            Self::Deleted => fs::remove_file(file).unwrap(),
            Self::Emptied => fs::write(file, "").unwrap(),
            Self::Halved => fs::write(file, &bytes[..bytes.len() / 2]).unwrap(),
            Self::Flipped(per_mille) => {
                let Some(last) = bytes.len().checked_sub(1) else { return false };
                let mut changed = bytes.clone();
                changed[(bytes.len() * per_mille / 1_000).min(last)] ^= 4;
                fs::write(file, changed).unwrap();
            }
            Self::Swapped => {
                let Some(other) = other else { return false };
                let theirs = fs::read(other).unwrap();
                if theirs == bytes {
                    return false;
                }
                fs::write(file, theirs).unwrap();
            }
            Self::Appended => {
                let garbage = b"\0garbage at the end of it\n";
                fs::write(file, [bytes.as_slice(), garbage.as_slice()].concat()).unwrap();
            }
            Self::Directory => {
                fs::remove_file(file).unwrap();
                fs::create_dir(file).unwrap();
            }
        }
        bytes != fs::read(file).unwrap_or_default() || !file.is_file()
    }
}

/// Copies a directory with all that is in it.
pub(super) fn copy_tree(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy_tree(&entry.path(), &target);
        } else {
            fs::copy(entry.path(), target).unwrap();
        }
    }
}
