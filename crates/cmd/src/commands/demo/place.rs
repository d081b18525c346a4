//! The demo's directory: what is in it, whose it is, and what may be remade.
//!
//! Always true: a directory that holds anything but a demo is refused; a file
//! that differs from what the demo wrote stops it; a pond is made again only if
//! its id and newest transaction are those that a demo left, otherwise it is
//! kept and the next name is taken.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs::{self, File, TryLockError};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use steward::Pond;

use super::data;
use crate::context::Context;
use crate::error::{CommandError, OrFail as _, Result};
use crate::host;

/// Remembers what the demo made; also the sign that a directory is a demo's.
const MARKER: &str = "demo.json";
/// Held while a demo runs.
const LOCK: &str = "demo.lock";

/// What the demo made here.
#[derive(Debug, Default, Deserialize, Serialize)]
struct Made {
    /// The ponds, by their directory's name.
    ponds: BTreeMap<String, MadePond>,
}

/// A pond that the demo made.
#[derive(Debug, Deserialize, Serialize)]
struct MadePond {
    /// Its id.
    pond_id: String,
    /// Its newest transaction when the demo left it; absent as long as it is
    /// being made.
    transaction: Option<u64>,
}

/// The demo's directory, held against another demo.
pub(super) struct Place {
    dir: PathBuf,
    made: Made,
    /// The pond of this run.
    pond: String,
    _lock: File,
}

impl Place {
    /// Takes the directory, and makes it when it is missing.
    pub(super) fn open(dir: &Path) -> Result<Self> {
        let fail = || format!("cannot use `{}` for a demo", host::show(dir));
        fs::create_dir_all(dir).or_fail(fail)?;
        let dir = dir.canonicalize().or_fail(fail)?;
        let marker = dir.join(MARKER);
        if !marker.exists() && holds_something_else(&dir).or_fail(fail)? {
            return Err(CommandError::usage(fail())
                .because(format!("`{}` holds something else", host::show(&dir)))
                .hint("name a directory that is empty or missing: pond demo --dir DIR"));
        }
        let lock = File::options().create(true).append(true).open(dir.join(LOCK)).or_fail(fail)?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                return Err(CommandError::failure(fail())
                    .because("another demo is running there".to_owned())
                    .hint("wait for it, or name another directory with --dir"));
            }
            Err(TryLockError::Error(error)) => {
                return Err(CommandError::failure(fail()).because(error));
            }
        }
        // Read under the lock, so that it is what the last demo wrote.
        let made = match fs::read(&marker) {
            Ok(bytes) => serde_json::from_slice(&bytes)
                .or_fail(|| format!("cannot read `{}`", host::show(&marker)))?,
            Err(error) if error.kind() == ErrorKind::NotFound => Made::default(),
            Err(error) => return Err(CommandError::failure(fail()).because(error)),
        };
        let place = Self { dir, made, pond: String::new(), _lock: lock };
        place.store()?;
        Ok(place)
    }

    /// The directory, absolute.
    pub(super) fn dir(&self) -> &Path {
        &self.dir
    }

    /// Lays the readings down, unless they lie there.
    pub(super) fn write_data(&self, context: &Context) -> Result<()> {
        let dir = self.dir.join("data");
        fs::create_dir_all(&dir).or_fail(|| format!("cannot make `{}`", host::show(&dir)))?;
        let mut written = 0;
        for file in data::FILES {
            let path = dir.join(file.name);
            match is_exactly(&path, file.bytes) {
                Ok(Some(true)) => continue,
                Ok(Some(false)) => {
                    return Err(CommandError::failure(format!(
                        "`{}` is not as the demo wrote it",
                        host::show(&path)
                    ))
                    .hint("move it away, or name another directory with --dir"));
                }
                Ok(None) => {}
                Err(error) => {
                    let what = format!("cannot read `{}`", host::show(&path));
                    return Err(CommandError::failure(what).because(error));
                }
            }
            crate::commands::copy::write_host_file(&path, file.bytes)?;
            written += 1;
        }
        context.say(&match written {
            0 => "readings are in data/ already: reused".to_owned(),
            _ => format!("readings written to data/: {written} files"),
        });
        Ok(())
    }

    /// Finds a name for the pond. One that a demo left and nobody changed since
    /// is taken away first.
    pub(super) async fn choose_pond(&mut self, context: &Context) -> Result<String> {
        for number in 1_u32.. {
            let name = if number == 1 { "pond".to_owned() } else { format!("pond-{number}") };
            let path = self.dir.join(&name);
            if fs::symlink_metadata(&path).is_err_and(|error| error.kind() == ErrorKind::NotFound) {
                self.pond = name;
                break;
            }
            if self.is_as_made(&name, &path, context).await {
                fs::remove_dir_all(&path)
                    .or_fail(|| format!("cannot remake `{}`", host::show(&path)))?;
                context.say(&format!("{name} is as the last demo left it: made again"));
                self.pond = name;
                break;
            }
            context.say(&format!("{name} was changed since the demo made it: kept"));
        }
        self.made.ponds.remove(&self.pond);
        self.store()?;
        Ok(self.pond.clone())
    }

    /// Whether the pond at `path` is one that a demo made and nobody changed.
    async fn is_as_made(&self, name: &str, path: &Path, context: &Context) -> bool {
        let Some(made) = self.made.ponds.get(name) else { return false };
        // What can not be opened or read is not known to be ours, so it stays.
        let Ok(pond) = Pond::open(path, context.environment().clone()).await else { return false };
        let Ok(view) = pond.read().await else { return false };
        pond.identity().pond_id.to_string() == made.pond_id
            && made.transaction.is_none_or(|transaction| transaction == view.txn_seq())
    }

    /// Remembers that this run makes its pond.
    pub(super) async fn remember_new_pond(&mut self, context: &Context) -> Result<()> {
        self.remember(context, false).await
    }

    /// Remembers how this run leaves its pond.
    pub(super) async fn remember_end(&mut self, context: &Context) -> Result<()> {
        self.remember(context, true).await
    }

    async fn remember(&mut self, context: &Context, is_end: bool) -> Result<()> {
        let path = self.dir.join(&self.pond);
        let fail = || format!("cannot read the pond at `{}`", host::show(&path));
        let pond = Pond::open(&path, context.environment().clone()).await.or_fail(fail)?;
        let view = pond.read().await.or_fail(fail)?;
        let made = MadePond {
            pond_id: pond.identity().pond_id.to_string(),
            transaction: is_end.then(|| view.txn_seq()),
        };
        self.made.ponds.insert(self.pond.clone(), made);
        self.store()
    }

    fn store(&self) -> Result<()> {
        let path = self.dir.join(MARKER);
        let text = serde_json::to_vec_pretty(&self.made)
            .or_fail(|| format!("cannot write `{}`", host::show(&path)))?;
        crate::commands::copy::write_host_file(&path, &text)
    }
}

/// Whether a directory holds more than the lock of a demo that ended early.
fn holds_something_else(dir: &Path) -> std::io::Result<bool> {
    for entry in fs::read_dir(dir)? {
        if entry?.file_name() != OsStr::new(LOCK) {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Whether a file holds these bytes; `None` when there is none.
fn is_exactly(path: &Path, bytes: &[u8]) -> std::io::Result<Option<bool>> {
    match fs::metadata(path) {
        // Its length is compared first, so that no more than ours is read.
        Ok(found) if !found.is_file() || found.len() != bytes.len() as u64 => Ok(Some(false)),
        Ok(_) => Ok(Some(fs::read(path)? == bytes)),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}
