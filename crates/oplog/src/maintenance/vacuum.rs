//! Taking away files that nothing names.
//!
//! These are data files that a merge replaced, files of commits that failed,
//! large files that no version names, and leftovers of interrupted writes. A
//! file goes when it has not been touched for the retention, so a reader that
//! began within it keeps what it sees.

use std::collections::{HashMap, HashSet};
use std::path::{Path, PathBuf};

use futures::TryStreamExt;
use tinyfs::ContentHash;

use super::{Policy, Report};
use crate::large::LARGE_FILES;
use crate::medium::{blocking, is_temporary};
use crate::{Error, Log, Result};

/// A file that nothing names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Leftover {
    /// Its path, relative to the log.
    pub path: PathBuf,
    /// What it takes.
    pub bytes: u64,
    /// When it was last touched, in microseconds since 1970 UTC.
    pub modified_us: i64,
}

/// Finds what can go at a time.
pub(super) async fn find(log: &Log, policy: &Policy, now_us: i64) -> Result<Vec<Leftover>> {
    let live: HashSet<_> = log.state.files.iter().map(|file| file.path.clone()).collect();
    let (root, cutoff_us) = (log.root.clone(), now_us.saturating_sub(policy.retention_us));
    let with_large = policy.large_files;
    let doing = format!("looking for leftovers in `{}`", root.display());
    let (mut leftovers, mut large) = {
        let doing = doing.clone();
        blocking(doing.clone(), move || {
            walk(&root, &live, cutoff_us, with_large).map_err(|error| Error::io(doing, error))
        })
        .await?
    };
    if !large.is_empty() {
        let mut versions = log.snapshot().scan_versions();
        while let Some(version) = versions.try_next().await? {
            if let Some(hash) = version.row.hash {
                large.remove(&hash);
            }
        }
    }
    leftovers.extend(large.into_values());
    leftovers.sort_by(|a, b| a.path.cmp(&b.path));
    Ok(leftovers)
}

type Found = (Vec<Leftover>, HashMap<ContentHash, Leftover>);

/// Walks the directories of the log. Large files are only candidates.
fn walk(
    root: &Path,
    live: &HashSet<String>,
    cutoff_us: i64,
    with_large: bool,
) -> std::io::Result<Found> {
    let mut leftovers = Vec::new();
    let mut large = HashMap::new();
    old_files(root, Path::new(""), cutoff_us, |name, leftover| {
        if is_temporary(name) || (name.ends_with(".parquet") && !live.contains(name)) {
            leftovers.push(leftover);
        }
    })?;
    for dir in [Path::new("_delta_log"), Path::new(LARGE_FILES)] {
        old_files(root, dir, cutoff_us, |name, leftover| {
            if is_temporary(name) {
                leftovers.push(leftover);
            }
        })?;
    }
    if with_large && root.join(LARGE_FILES).is_dir() {
        for entry in std::fs::read_dir(root.join(LARGE_FILES))? {
            let entry = entry?;
            if !entry.file_type()?.is_dir() {
                continue;
            }
            let dir = Path::new(LARGE_FILES).join(entry.file_name());
            old_files(root, &dir, cutoff_us, |name, leftover| {
                if let Some(hash) = name.strip_prefix("blake3=").and_then(|hex| hex.parse().ok()) {
                    large.insert(hash, leftover);
                } else if is_temporary(name) {
                    leftovers.push(leftover);
                }
            })?;
        }
    }
    Ok((leftovers, large))
}

/// Hands over the files directly in a directory that are older than a time.
fn old_files(
    root: &Path,
    dir: &Path,
    cutoff_us: i64,
    mut found: impl FnMut(&str, Leftover),
) -> std::io::Result<()> {
    let entries = match std::fs::read_dir(root.join(dir)) {
        Ok(entries) => entries,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(error),
    };
    for entry in entries {
        let entry = entry?;
        let name = entry.file_name();
        // Names that are not UTF-8 are not ours.
        let Some(name) = name.to_str() else { continue };
        let meta = match entry.metadata() {
            Ok(meta) if meta.is_file() => meta,
            Ok(_) => continue,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => continue,
            Err(error) => return Err(error),
        };
        let modified_us = modified_us(&meta)?;
        if modified_us < cutoff_us {
            found(name, Leftover { path: dir.join(name), bytes: meta.len(), modified_us });
        }
    }
    Ok(())
}

fn modified_us(meta: &std::fs::Metadata) -> std::io::Result<i64> {
    let modified = meta.modified()?;
    let us = modified
        .duration_since(std::time::UNIX_EPOCH)
        .map_or(0, |since| i64::try_from(since.as_micros()).unwrap_or(i64::MAX));
    Ok(us)
}

/// Takes leftovers away. Those that are gone already are passed over, and a
/// file that has come to be live, or was touched, since is kept.
pub(super) async fn remove(log: &Log, leftovers: &[Leftover], report: &mut Report) -> Result<()> {
    let live: HashSet<_> = log.state.files.iter().map(|file| file.path.clone()).collect();
    // The commit that let go of them may be of a process that died before it
    // was on the disk.
    log.sync_names().await?;
    for leftover in leftovers {
        // A merge that was interrupted gives the same file when done again.
        if leftover.path.to_str().is_some_and(|path| live.contains(path)) {
            continue;
        }
        let path = log.root.join(&leftover.path);
        let medium = std::sync::Arc::clone(&log.medium);
        let doing = format!("removing `{}`", path.display());
        let told = doing.clone();
        let seen_us = leftover.modified_us;
        let gone = blocking(doing, move || {
            // Content that was written again, or that a merge let go only now.
            let untouched = std::fs::symlink_metadata(&path)
                .and_then(|meta| modified_us(&meta))
                .map(|now_us| now_us <= seen_us);
            match untouched
                .and_then(|yes| if yes { medium.unlink(&path).map(|()| true) } else { Ok(false) })
            {
                Ok(gone) => Ok(gone),
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(false),
                Err(error) => Err(Error::io(told, error)),
            }
        })
        .await?;
        if gone {
            report.leftovers_removed += 1;
            report.bytes_freed += leftover.bytes;
        }
    }
    Ok(())
}
