//! A directory of the host, looked through before anything is copied.
//!
//! Always true: nothing outside the directory is followed or read; what can
//! not be kept (a name that is not UTF-8, a device, a link that leads out) is
//! refused by name, and then nothing is copied at all.

use std::fs;
use std::path::{Component, Path, PathBuf};

use tinyfs::Name;

use crate::error::{CommandError, OrFail as _, Result};
use crate::host::show;

/// One thing in the directory; parents come before what is in them.
#[derive(Debug)]
pub(super) struct TreeEntry {
    /// Its path below the directory, with `/` between names.
    pub(super) below: String,
    /// What it is.
    pub(super) kind: TreeKind,
}

/// What an entry of a host directory is.
#[derive(Debug)]
pub(super) enum TreeKind {
    /// A directory.
    Directory,
    /// A regular file.
    File {
        /// Where it lies.
        path: PathBuf,
        /// Its size when it was looked at.
        size_bytes: u64,
    },
    /// A link that stays inside the directory.
    Link {
        /// Where it points, as it is written.
        target: String,
    },
}

/// Looks through a directory, names in the order of their bytes.
///
/// # Errors
/// For the first thing that can not be kept, by name.
pub(super) fn walk(root: &Path) -> Result<Vec<TreeEntry>> {
    let mut found = Vec::new();
    // The directories to do, the next last, each with its path below the root.
    let mut left = vec![(root.to_path_buf(), String::new())];
    while let Some((directory, below)) = left.pop() {
        let mut inside = Vec::new();
        for entry in read_dir(&directory)? {
            let path = entry.path();
            let name = pond_name(&path)?;
            let below = if below.is_empty() { name } else { format!("{below}/{name}") };
            inside.push((below, path));
        }
        inside.sort();
        let mut deeper = Vec::new();
        for (below, path) in inside {
            let kind = look(&path, &below)?;
            if matches!(kind, TreeKind::Directory) {
                deeper.push((path, below.clone()));
            }
            found.push(TreeEntry { below, kind });
        }
        left.extend(deeper.into_iter().rev());
    }
    Ok(found)
}

fn read_dir(directory: &Path) -> Result<Vec<fs::DirEntry>> {
    fs::read_dir(directory)
        .and_then(Iterator::collect)
        .or_fail(|| format!("cannot list the directory `{}`", show(directory)))
}

/// The last name of a host path, as a pond takes it.
///
/// # Errors
/// When it is not UTF-8, or no name.
pub(super) fn pond_name(path: &Path) -> Result<String> {
    let Some(name) = path.file_name() else {
        return Err(CommandError::usage(format!("`{}` has no name of its own", show(path)))
            .hint("name the destination in full"));
    };
    let Some(name) = name.to_str() else {
        return Err(CommandError::bad_input(format!(
            "the name of `{}` is not UTF-8, as every name in a pond is",
            show(path)
        ))
        .hint("rename the file, or copy it alone and name the destination in full"));
    };
    Name::new(name).or_fail(|| format!("`{}` can not be kept under its name", show(path)))?;
    Ok(name.to_owned())
}

fn look(path: &Path, below: &str) -> Result<TreeKind> {
    let metadata =
        fs::symlink_metadata(path).or_fail(|| format!("cannot look at `{}`", show(path)))?;
    let kind = metadata.file_type();
    if kind.is_dir() {
        return Ok(TreeKind::Directory);
    }
    if kind.is_file() {
        return Ok(TreeKind::File { path: path.to_path_buf(), size_bytes: metadata.len() });
    }
    if kind.is_symlink() {
        return link(path, below);
    }
    Err(refuse_special(path))
}

/// The error for what is neither file, directory nor link.
pub(super) fn refuse_special(path: &Path) -> CommandError {
    CommandError::bad_input(format!(
        "`{}` is a device, pipe or socket, which can not be copied",
        show(path)
    ))
    .hint("send a stream through a pipe: PROGRAM | pond copy - /path/in/pond")
}

fn link(path: &Path, below: &str) -> Result<TreeKind> {
    let target =
        fs::read_link(path).or_fail(|| format!("cannot read the link `{}`", show(path)))?;
    let outside = || {
        CommandError::bad_input(format!(
            "the link `{}` leads to `{}`, outside of what is copied",
            show(path),
            show(&target)
        ))
        .hint("copy what it points to by its own name")
    };
    // How deep below the root the link's directory is.
    let mut depth = below.matches('/').count();
    for component in target.components() {
        match component {
            Component::CurDir => {}
            Component::Normal(_) => depth += 1,
            Component::ParentDir => depth = depth.checked_sub(1).ok_or_else(outside)?,
            Component::RootDir | Component::Prefix(_) => return Err(outside()),
        }
    }
    let Some(text) = target.to_str() else {
        return Err(CommandError::bad_input(format!(
            "the link `{}` leads to `{}`, which is not UTF-8",
            show(path),
            show(&target)
        )));
    };
    Ok(TreeKind::Link { target: text.to_owned() })
}
