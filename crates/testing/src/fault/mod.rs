//! A disk that fails when it is told to.
//!
//! A [`FaultMedium`] does every operation on the real files below its root and
//! keeps beside them what a power cut would leave. It numbers the operations,
//! and at the number that a [`Fault`] names the process dies, the disk answers
//! with an error, or the answer is lost. After that, [`FaultMedium::after_power_loss`]
//! gives what may lie on the disk.
//!
//! Nothing is really synced: the model knows what would have been.

mod model;
mod tree;

use std::fmt;
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use steward::{Disk, Medium};

use model::Model;
pub use tree::Tree;

/// A kind of operation on a disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OpKind {
    /// A file is made.
    Create,
    /// Bytes are written.
    Write,
    /// A file is synced.
    Sync,
    /// A file gets one more name.
    Link,
    /// A file gets another name.
    Rename,
    /// A name goes.
    Unlink,
    /// A directory is made.
    CreateDir,
    /// A directory goes.
    RemoveDir,
    /// The names in a directory are synced.
    SyncDir,
    /// A file's time is set.
    Touch,
}

/// An operation that was asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Op {
    /// What.
    pub kind: OpKind,
    /// On what, below the root; for links and renames the new name.
    pub path: PathBuf,
    /// Whether it happened, whatever was answered.
    pub done: bool,
}

impl Op {
    /// Whether it is of this kind, on a path with this beginning and end.
    #[must_use]
    pub fn is(&self, kind: OpKind, dir: &str, end: &str) -> bool {
        let path = self.path.to_str().unwrap();
        self.kind == kind && path.starts_with(dir) && path.ends_with(end)
    }
}

impl fmt::Display for Op {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let did = match self.kind {
            OpKind::Create => "create",
            OpKind::Write => "write",
            OpKind::Sync => "sync",
            OpKind::Link => "link",
            OpKind::Rename => "rename",
            OpKind::Unlink => "unlink",
            OpKind::CreateDir => "mkdir",
            OpKind::RemoveDir => "rmdir",
            OpKind::SyncDir => "syncdir",
            OpKind::Touch => "touch",
        };
        write!(f, "{did} {}", self.path.display())
    }
}

/// Why a disk refuses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cause {
    /// ENOSPC, from what needs room; of a write, half is done.
    Full,
    /// EIO, from everything.
    Broken,
    /// EACCES, from what changes names.
    Forbidden,
    /// EROFS, from what changes anything.
    ReadOnly,
}

impl Cause {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Full, Self::Broken, Self::Forbidden, Self::ReadOnly];

    /// The operating system's error.
    #[must_use]
    pub fn error(self) -> io::Error {
        io::Error::from_raw_os_error(match self {
            Self::Full => 28,
            Self::Broken => 5,
            Self::Forbidden => 13,
            Self::ReadOnly => 30,
        })
    }

    /// Whether an operation can be answered so.
    #[must_use]
    pub const fn answers(self, kind: OpKind) -> bool {
        use OpKind::{Create, CreateDir, Link, RemoveDir, Rename, Sync, SyncDir, Unlink, Write};
        match self {
            Self::Full => matches!(kind, Create | Write | Sync | Link | Rename | CreateDir),
            Self::Broken => true,
            Self::Forbidden => {
                matches!(kind, Create | Link | Rename | Unlink | CreateDir | RemoveDir)
            }
            Self::ReadOnly => !matches!(kind, Sync | SyncDir),
        }
    }
}

/// What goes wrong.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Fault {
    /// Nothing.
    #[default]
    Nothing,
    /// The process dies before an operation.
    Death {
        /// Its number.
        at: usize,
        /// Whether half of it is done, if it is a write.
        half: bool,
    },
    /// The disk refuses an operation.
    Refusal {
        /// Its number.
        at: usize,
        /// Why.
        cause: Cause,
        /// Whether everything later is refused too.
        lasting: bool,
    },
    /// An operation is done, and answered with [`Cause::Broken`].
    LostAnswer {
        /// Its number.
        at: usize,
    },
}

/// What survives a power cut of that which was not synced.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Survival {
    /// Nothing.
    Synced,
    /// All names, and no bytes.
    NamesWithoutBytes,
    /// Some, each on its own.
    Seeded(u64),
    /// Everything: as if there had been no power cut.
    Everything,
}

/// The medium.
pub struct FaultMedium {
    root: PathBuf,
    state: Mutex<State>,
}

struct State {
    fault: Fault,
    dead: bool,
    trace: Vec<Op>,
    model: Model,
    keep: fn(&Op) -> bool,
    kept: Vec<Tree>,
}

impl fmt::Debug for FaultMedium {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FaultMedium").field("root", &self.root).finish_non_exhaustive()
    }
}

/// What is to become of an operation.
enum Verdict {
    Done,
    HalfDone(io::Error),
    Refused(io::Error),
    Unanswered(io::Error),
}

impl FaultMedium {
    /// A medium for what is below `root`. What is there is safe.
    #[must_use]
    pub fn over(root: &Path) -> Arc<Self> {
        Self::with(root, Model::of(&Tree::read(root)))
    }

    /// A medium for paths anywhere, which does not know what a power cut leaves.
    #[must_use]
    pub fn anywhere() -> Arc<Self> {
        Self::with(Path::new(""), Model::of(&Tree::default()))
    }

    fn with(root: &Path, model: Model) -> Arc<Self> {
        let state = State {
            fault: Fault::Nothing,
            dead: false,
            trace: Vec::new(),
            model,
            keep: |_| false,
            kept: Vec::new(),
        };
        Arc::new(Self { root: root.to_owned(), state: Mutex::new(state) })
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Lets this go wrong from here on, and counts operations from 0 again.
    pub fn set(&self, fault: Fault) {
        let mut state = self.state();
        state.fault = fault;
        state.dead = false;
        state.trace.clear();
    }

    /// Keeps what is there after each operation that `keep` picks.
    pub fn keep_after(&self, keep: fn(&Op) -> bool) {
        self.state().keep = keep;
    }

    /// What was kept.
    #[must_use]
    pub fn kept(&self) -> Vec<Tree> {
        self.state().kept.clone()
    }

    /// The operations asked for since the last [`FaultMedium::set`].
    #[must_use]
    pub fn trace(&self) -> Vec<Op> {
        self.state().trace.clone()
    }

    /// What a power cut now may leave.
    #[must_use]
    pub fn after_power_loss(&self, survival: Survival) -> Tree {
        self.state().model.tree(survival)
    }

    fn run<T>(
        &self,
        kind: OpKind,
        path: &Path,
        disk: impl FnOnce() -> io::Result<T>,
        note: impl FnOnce(&mut Model, &Path),
    ) -> io::Result<T> {
        self.run_half(kind, path, disk, note, |_, _| Ok(()))
    }

    fn run_half<T>(
        &self,
        kind: OpKind,
        path: &Path,
        disk: impl FnOnce() -> io::Result<T>,
        note: impl FnOnce(&mut Model, &Path),
        half: impl FnOnce(&mut Model, &Path) -> io::Result<()>,
    ) -> io::Result<T> {
        let mut state = self.state();
        let state = &mut *state;
        let path = path.strip_prefix(&self.root).unwrap_or(path).to_owned();
        let (fault, at) = (state.fault, state.trace.len());
        let verdict = judge(fault, at, kind, &mut state.dead);
        state.trace.push(Op { kind, path: path.clone(), done: false });
        let answer = match verdict {
            Verdict::Refused(error) => {
                if kind == OpKind::Sync && !state.dead {
                    state.model.fail_sync(&path);
                }
                return Err(error);
            }
            Verdict::HalfDone(error) => {
                half(&mut state.model, &path)?;
                return Err(error);
            }
            Verdict::Done => None,
            Verdict::Unanswered(error) => Some(error),
        };
        let value = disk()?;
        note(&mut state.model, &path);
        state.trace[at].done = true;
        if (state.keep)(&state.trace[at]) {
            state.kept.push(state.model.live());
        }
        answer.map_or(Ok(value), Err)
    }
}

fn judge(fault: Fault, at: usize, kind: OpKind, dead: &mut bool) -> Verdict {
    let died = || io::Error::other("the process has died");
    match fault {
        _ if *dead => Verdict::Refused(died()),
        Fault::Death { at: stop, half } if at >= stop => {
            *dead = true;
            if half && at == stop && kind == OpKind::Write {
                Verdict::HalfDone(died())
            } else {
                Verdict::Refused(died())
            }
        }
        Fault::Refusal { at: first, cause, lasting }
            if (at == first || (lasting && at > first)) && cause.answers(kind) =>
        {
            if cause == Cause::Full && kind == OpKind::Write {
                Verdict::HalfDone(cause.error())
            } else {
                Verdict::Refused(cause.error())
            }
        }
        Fault::LostAnswer { at: lost } if at == lost => Verdict::Unanswered(Cause::Broken.error()),
        _ => Verdict::Done,
    }
}

impl Medium for FaultMedium {
    fn create_new(&self, path: &Path) -> io::Result<File> {
        self.run(OpKind::Create, path, || Disk.create_new(path), Model::create)
    }

    fn write_at(&self, path: &Path, file: &File, offset: u64, bytes: &[u8]) -> io::Result<()> {
        let part = &bytes[..bytes.len() / 2];
        self.run_half(
            OpKind::Write,
            path,
            || Disk.write_at(path, file, offset, bytes),
            |model, path| model.write(path, offset, bytes),
            |model, below| {
                model.write(below, offset, part);
                Disk.write_at(path, file, offset, part)
            },
        )
    }

    fn sync_file(&self, path: &Path, _: &File) -> io::Result<()> {
        self.run(OpKind::Sync, path, || Ok(()), Model::sync_file)
    }

    fn link(&self, from: &Path, to: &Path) -> io::Result<()> {
        let below = from.strip_prefix(&self.root).unwrap_or(from);
        self.run(OpKind::Link, to, || Disk.link(from, to), |model, to| model.link(below, to))
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        let below = from.strip_prefix(&self.root).unwrap_or(from);
        self.run(OpKind::Rename, to, || Disk.rename(from, to), |model, to| model.rename(below, to))
    }

    fn unlink(&self, path: &Path) -> io::Result<()> {
        self.run(OpKind::Unlink, path, || Disk.unlink(path), Model::unlink)
    }

    fn create_dir(&self, path: &Path) -> io::Result<()> {
        self.run(OpKind::CreateDir, path, || Disk.create_dir(path), Model::create_dir)
    }

    fn remove_dir(&self, path: &Path) -> io::Result<()> {
        self.run(OpKind::RemoveDir, path, || Disk.remove_dir(path), Model::unlink)
    }

    fn touch(&self, path: &Path) -> io::Result<()> {
        self.run(OpKind::Touch, path, || Disk.touch(path), |_, _| {})
    }

    fn sync_dir(&self, path: &Path) -> io::Result<()> {
        self.run(OpKind::SyncDir, path, || Ok(()), Model::sync_dir)
    }
}
