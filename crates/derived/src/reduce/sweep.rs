//! Removes what the cache keeps for nobody.
//!
//! A key is a reduction of one series, as it is configured; another
//! configuration is another key, and what was kept for the first one is of no
//! more use. What an index does not name was left by a run that was cut short.
//!
//! Always true: nothing younger than a day is removed, because somebody may
//! still be reading or writing it; nothing that is removed is more than work to
//! make again.

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::path::Path;
use std::time::UNIX_EPOCH;

use diagnostics::log_warn;
use factory::read_config;
use query::Session;
use serde::Serialize;
use tinyfs::{FsPath, Glob, GlobOptions};

use super::index::{self, Index};
use super::series::{REDUCED_SERIES, ReducedSeriesConfig, Reduction};
use super::tiles::Tiles;
use crate::{Derived, Error, Result};

/// Younger files stay.
const DAY_US: i64 = 86_400 * 1_000_000;
/// A key whose series can not be told stays for so long.
const UNTOLD_US: i64 = 30 * DAY_US;

/// What was removed of the cache; of a dry run, what would be.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Swept {
    /// Reductions that are no longer configured so.
    pub reductions: u64,
    /// Files, of these and of runs that were cut short.
    pub files: u64,
    /// Their bytes.
    pub bytes: u64,
}

impl Derived {
    /// Removes the tiles that no reduction of `session` has any more, and what
    /// runs that were cut short have left; with `dry_run` only counts them.
    ///
    /// # Errors
    /// What finding the reductions says; [`Error::Cache`].
    pub async fn sweep_tiles(&self, session: &Session, dry_run: bool) -> Result<Swept> {
        let Some(root) = self.tiles().root().filter(|root| root.is_dir()) else {
            return Ok(Swept::default());
        };
        let inputs = session.inputs();
        let mut sources: BTreeSet<(String, String)> = BTreeSet::new();
        let mut named: BTreeSet<String> = BTreeSet::new();
        let mut all_told = true;
        let options = GlobOptions { hidden: true, follow: false };
        let mut below = inputs.fs().matches(Glob::below(&FsPath::parse("/")?), options);
        while let Some(found) = below.next().await? {
            if found.path.node.factory.as_deref() != Some(REDUCED_SERIES) {
                continue;
            }
            let config = read_config(inputs.fs().store(), &found.path).await?;
            let config: ReducedSeriesConfig = config.read()?;
            if !sources.insert((config.source.clone(), config.reduce.meaning())) {
                continue;
            }
            match Reduction::open(&config.source, &config.reduce, &inputs, self).await {
                Ok(reduction) => {
                    named.insert(reduction.source.shape.key.clone());
                }
                Err(error) => {
                    let path = config.source;
                    log_warn!("tiles of {path} can not be told: {error}", path, error);
                    all_told = false;
                }
            }
        }
        let now_us = (self.place().now_us)();
        let (root, tiles) = (root.to_owned(), std::sync::Arc::clone(self.tiles()));
        let swept = tokio::task::spawn_blocking(move || {
            sweep(&root, &tiles, &named, all_told, now_us, dry_run)
                .map_err(|source| Error::Cache { path: root.clone(), source })
        });
        swept.await.map_err(|panic| crate::handover::broken_off("a sweep", panic))?
    }
}

fn sweep(
    root: &Path,
    tiles: &Tiles,
    named: &BTreeSet<String>,
    all_told: bool,
    now_us: i64,
    dry_run: bool,
) -> io::Result<Swept> {
    let mut swept = Swept::default();
    for entry in fs::read_dir(root)? {
        let entry = entry?;
        let dir = entry.path();
        if !entry.file_type()?.is_dir() {
            continue;
        }
        let name = entry.file_name();
        let key = name.to_str().unwrap_or_default();
        // Nobody here makes its tiles meanwhile.
        let lock = tiles.lock_of(key);
        let Ok(_one) = lock.try_lock() else { continue };
        let keep_us = if all_told { DAY_US } else { UNTOLD_US };
        let is_named = named.contains(key);
        if !is_named && age_us(youngest(&dir)?, now_us) < keep_us {
            continue;
        }
        // Without an index none of the files is of any use.
        let index = if is_named { Index::read(&dir) } else { None };
        let in_use = index.map(|index| index.files()).unwrap_or_default();
        remove_but(&dir, "", &in_use, now_us, dry_run, &mut swept)?;
        if !is_named {
            swept.reductions += 1;
            if !dry_run {
                remove_empty(&dir)?;
            }
        }
    }
    Ok(swept)
}

/// Removes the files below `dir` that are a day old and not in use.
fn remove_but(
    dir: &Path,
    below: &str,
    in_use: &BTreeSet<String>,
    now_us: i64,
    dry_run: bool,
    swept: &mut Swept,
) -> io::Result<()> {
    for entry in fs::read_dir(dir.join(below))? {
        let entry = entry?;
        let name = entry.file_name().to_string_lossy().into_owned();
        let at = if below.is_empty() { name } else { format!("{below}/{name}") };
        let found = entry.metadata()?;
        if found.is_dir() {
            remove_but(dir, &at, in_use, now_us, dry_run, swept)?;
            continue;
        }
        if in_use.contains(&at) || age_us(modified_us(&found)?, now_us) < DAY_US {
            continue;
        }
        if !dry_run {
            match fs::remove_file(entry.path()) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                _ => {}
            }
        }
        swept.files += 1;
        swept.bytes += found.len();
    }
    Ok(())
}

/// Removes a directory with the empty ones in it.
fn remove_empty(dir: &Path) -> io::Result<()> {
    for entry in fs::read_dir(dir)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            remove_empty(&entry.path())?;
        }
    }
    match fs::remove_dir(dir) {
        // Somebody has begun to use it.
        Err(error) if error.kind() == io::ErrorKind::DirectoryNotEmpty => Ok(()),
        done => done,
    }
}

/// When a key was last written to, in microseconds since 1970.
fn youngest(dir: &Path) -> io::Result<i64> {
    let of = match fs::metadata(dir.join(index::FILE)) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => fs::metadata(dir)?,
        found => found?,
    };
    modified_us(&of)
}

fn modified_us(found: &fs::Metadata) -> io::Result<i64> {
    // Before 1970 is as old as can be.
    let since = found.modified()?.duration_since(UNIX_EPOCH).unwrap_or_default();
    Ok(i64::try_from(since.as_micros()).unwrap_or(i64::MAX))
}

const fn age_us(modified_us: i64, now_us: i64) -> i64 {
    now_us.saturating_sub(modified_us)
}
