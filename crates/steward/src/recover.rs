//! What was cut short, and what an operator must agree to.
//!
//! A crash needs no recovery: the next command finds a whole pond. Damage does
//! where it took away what was acknowledged. It is then reported, and only
//! with the operator's word is the pond used on without it. Nothing is deleted:
//! a damaged commit is moved to `control/damaged/`.

use std::fs::File;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use oplog::{Location, Log, Medium};

use crate::control::Control;
use crate::environment::Environment;
use crate::error::TailFound;
use crate::journal::Work;
use crate::layout::Layout;
use crate::lock::WriterLock;
use crate::pond::{Pond, must_be_pond, opening};
use crate::watermark::Watermark;
use crate::{Error, Result};

/// What recovery may do.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RecoverOptions {
    /// Move a damaged newest commit aside, and go on without transactions that
    /// are gone.
    pub accept_loss: bool,
}

/// What recovery found and did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RecoveryReport {
    /// Commands that were cut short, the oldest first. Each transaction is
    /// whole or left nothing.
    pub interrupted: Vec<Work>,
    /// A newest commit that is damaged, and what is wrong with it.
    pub damaged_commit: Option<(String, String)>,
    /// Where it was moved.
    pub moved_to: Option<PathBuf>,
    /// Transactions that are gone: the newest there was, and what is there now.
    pub lost_tail: Option<(u64, TailFound)>,
    /// The newest transaction now; `None` while the pond can not be opened.
    pub newest: Option<u64>,
    /// Whether there is damage left that waits for the operator's word.
    pub needs_consent: bool,
}

impl Pond {
    /// Looks at what was cut short or lost in the pond in `dir`, and goes on
    /// without it where `options` allow.
    ///
    /// # Errors
    /// As [`Pond::open`] for damage that recovery can not pass by;
    /// [`Error::Locked`], [`Error::ReadOnly`].
    pub async fn recover(
        dir: &Path,
        options: RecoverOptions,
        environment: Environment,
    ) -> Result<RecoveryReport> {
        let layout = Layout::new(dir);
        must_be_pond(&layout)?;
        // Looking waits for nobody.
        let lock = match options.accept_loss {
            true => {
                let wait = Duration::from_secs(60);
                Some(WriterLock::take(&layout, "pond recover", wait, &environment).await?)
            }
            false => None,
        };
        let mut report = RecoveryReport::default();
        let location = Location::Local(layout.data());
        let options_of_log = environment.log_options();
        let mut opened = Log::open(&location, options_of_log.clone()).await;
        if let Err(oplog::Error::DamagedCommit { file, version, what }) = &opened {
            report.damaged_commit = Some((file.clone(), what.clone()));
            if !options.accept_loss {
                report.needs_consent = true;
                return Ok(report);
            }
            let control = Control::new(&layout, &environment.medium);
            report.moved_to = Some(move_aside(&layout, &control, &*environment.medium, *version)?);
            Watermark::forget(&control)?;
            opened = Log::open(&location, options_of_log).await;
        }
        let log = opened.map_err(|error| opening(dir, error))?;
        let pond = Self::from_log(layout, log, environment).await?;
        pond.settle(options, &mut report).await?;
        drop(lock);
        Ok(report)
    }

    async fn settle(&self, options: RecoverOptions, report: &mut RecoveryReport) -> Result<()> {
        let log = self.newest().await?;
        report.newest = Some(log.head().txn_seq);
        report.interrupted = self.journal.interrupted();
        // What is under way is cut short when nobody is at it; the next writer
        // notes that.
        if options.accept_loss || WriterLock::is_free(&self.layout) {
            report.interrupted.extend(self.journal.under_way());
        }
        if options.accept_loss {
            self.journal.note_interrupted();
            self.journal.forget_interrupted()?;
        } else {
            self.journal.told_of_interrupted();
        }
        report.lost_tail = self.lost_tail(&log).await?;
        if report.lost_tail.is_some() {
            if options.accept_loss {
                // The next commit sets another.
                Watermark::forget(&self.control)?;
            } else {
                report.needs_consent = true;
            }
        }
        Ok(())
    }
}

/// Moves the newest commit of a log to where nobody reads it.
fn move_aside(
    layout: &Layout,
    control: &Control,
    medium: &dyn Medium,
    version: u64,
) -> Result<PathBuf> {
    let name = format!("{version:020}.json");
    let log = layout.data().join("_delta_log");
    let from = log.join(&name);
    let later = log.join(format!("{:020}.json", version + 1));
    let fail = |doing, path: &Path| {
        let path = path.to_owned();
        move |source| Error::Io { doing, path, source }
    };
    if later.exists() {
        // What follows builds on it: the state without it never was.
        let source = io::Error::other("later commits build on it");
        return Err(fail("cannot move aside", &from)(source));
    }
    let directory = control.directory()?.join("damaged");
    match medium.create_dir(&directory) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => {
            return Err(fail("cannot make", &directory)(error));
        }
        _ => {}
    }
    let mut damaged = File::open(&from).map_err(fail("cannot read", &from))?;
    let (to, copy) = new_file(medium, &directory, version)?;
    let mut at = 0;
    let mut buffer = vec![0; 1 << 16];
    loop {
        let read = damaged.read(&mut buffer).map_err(fail("cannot read", &from))?;
        if read == 0 {
            break;
        }
        medium.write_at(&to, &copy, at, &buffer[..read]).map_err(fail("cannot write", &to))?;
        at += read as u64;
    }
    medium.sync_file(&to, &copy).map_err(fail("cannot sync", &to))?;
    // The copy, and every name on the way to it, is on the disk before the
    // original goes.
    for directory in [directory.as_path(), control.directory()?, layout.root()] {
        control.sync(directory)?;
    }
    medium.unlink(&from).map_err(fail("cannot move aside", &from))?;
    control.sync(&log)?;
    Ok(to)
}

/// A file for a damaged commit. What was moved aside before under that version
/// stays as it is.
fn new_file(medium: &dyn Medium, directory: &Path, version: u64) -> Result<(PathBuf, File)> {
    let mut number = 1;
    loop {
        let path = directory.join(match number {
            1 => format!("{version:020}.json"),
            _ => format!("{version:020}-{number}.json"),
        });
        match medium.create_new(&path) {
            Ok(file) => return Ok((path, file)),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => number += 1,
            Err(source) => return Err(Error::Io { doing: "cannot make", path, source }),
        }
    }
}
