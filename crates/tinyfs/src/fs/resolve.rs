//! From a path to a node, one component at a time.
//!
//! Always true: a [`Position`] is a chain of real directories from the root, so
//! `..` is physical: after a symlink it leads to the parent of the place that
//! the link led to. At most [`MAX_LINKS`] symlinks are followed for one path,
//! so every walk ends.
//!
//! Nothing here recurses: the depth of a path costs memory, not stack.

use super::Fs;
use crate::path::{Component, FsPath, ROOT, join, push};
use crate::{Entry, EntryType, Error, Name, NodeId, Result, Store};

/// How many symlinks are followed for one path.
pub const MAX_LINKS: usize = 40;

/// A real directory and the way to it.
#[derive(Clone, Debug)]
pub(super) struct Position {
    root: NodeId,
    steps: Vec<Step>,
}

#[derive(Clone, Debug)]
struct Step {
    name: Name,
    id: NodeId,
    entry_type: EntryType,
}

impl Position {
    const fn at_root(root: NodeId) -> Self {
        Self { root, steps: Vec::new() }
    }

    pub(super) fn id(&self) -> NodeId {
        self.steps.last().map_or(self.root, |step| step.id)
    }

    pub(super) fn entry_type(&self) -> EntryType {
        self.steps.last().map_or(EntryType::Directory, |step| step.entry_type)
    }

    pub(super) fn path(&self) -> String {
        if self.steps.is_empty() {
            return ROOT.to_owned();
        }
        let mut path = String::new();
        for step in &self.steps {
            path.push('/');
            path.push_str(step.name.as_str());
        }
        path
    }

    /// Whether the way here leads through this directory, or ends in it.
    pub(super) fn passes(&self, dir: NodeId) -> bool {
        self.root == dir || self.steps.iter().any(|step| step.id == dir)
    }

    pub(super) fn enter(&mut self, name: Name, id: NodeId, entry_type: EntryType) {
        self.steps.push(Step { name, id, entry_type });
    }
}

/// Where a walk ended.
#[derive(Debug)]
pub(super) enum Walked {
    /// In a directory.
    Directory(Position),
    /// At something in a directory that is not one: a file, or a symlink that
    /// was not to be followed.
    Leaf { dir: Position, entry: Entry },
}

/// Whether a symlink at the very end of a path is followed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Last {
    Follow,
    Keep,
}

/// A walk along a path, and what remains of it.
pub(super) struct Walk<'a, S: ?Sized> {
    fs: &'a Fs<S>,
    asked: String,
    last: Last,
    here: Position,
    /// What remains, the next step last.
    pending: Vec<Pending>,
    must_be_directory: bool,
    links: usize,
}

#[derive(Clone, Debug)]
struct Pending {
    component: Component,
    from_link: bool,
}

impl<'a, S: Store + ?Sized> Walk<'a, S> {
    pub(super) fn new(fs: &'a Fs<S>, path: &FsPath, last: Last) -> Self {
        let mut walk = Self {
            fs,
            asked: path.to_string(),
            last,
            here: Position::at_root(fs.store.root()),
            pending: Vec::new(),
            must_be_directory: path.means_directory(),
            links: 0,
        };
        walk.push(path, false);
        walk
    }

    fn push(&mut self, path: &FsPath, from_link: bool) {
        let steps = path.components().iter().rev().cloned();
        self.pending.extend(steps.map(|component| Pending { component, from_link }));
    }

    /// Walks until the path is used up; `None` when a name is missing.
    pub(super) async fn run(&mut self) -> Result<Option<Walked>> {
        while let Some(Pending { component, from_link }) = self.pending.pop() {
            let name = match component {
                Component::Parent => {
                    self.here.steps.pop();
                    continue;
                }
                Component::Name(name) => name,
            };
            let Some(entry) = self.lookup(&name).await? else {
                self.pending.push(Pending { component: Component::Name(name), from_link });
                return Ok(None);
            };
            if entry.entry_type.is_directory() {
                self.here.enter(name, entry.node, entry.entry_type);
            } else if entry.entry_type.is_symlink() && self.follows() {
                self.follow(&entry).await?;
            } else if self.pending.is_empty() && !self.must_be_directory {
                return Ok(Some(Walked::Leaf { dir: self.here.clone(), entry }));
            } else {
                let path = join(&self.here.path(), name.as_str());
                return Err(Error::NotADirectory { path, actual: entry.entry_type });
            }
        }
        Ok(Some(Walked::Directory(self.here.clone())))
    }

    /// Walks to the end; a missing name is an error.
    pub(super) async fn finish(mut self) -> Result<Walked> {
        self.run().await?.ok_or_else(|| self.not_found())
    }

    /// The error for the name at which the walk stopped.
    pub(super) fn not_found(&self) -> Error {
        let deepest = self.here.path();
        let mut path = deepest.clone();
        for next in self.pending.iter().rev() {
            push(&mut path, &next.component.to_string());
        }
        Error::NotFound { path, deepest }
    }

    /// The directory and the name at which the walk stopped, when the name was
    /// in the path itself and not in a symlink.
    pub(super) fn missing(&self) -> Option<(&Position, Name)> {
        match self.pending.last()? {
            Pending { component: Component::Name(name), from_link: false } => {
                Some((&self.here, name.clone()))
            }
            _ => None,
        }
    }

    fn follows(&self) -> bool {
        self.last == Last::Follow || self.must_be_directory || !self.pending.is_empty()
    }

    async fn lookup(&self, name: &Name) -> Result<Option<Entry>> {
        self.fs.store.lookup(self.here.id(), name.as_str()).await
    }

    async fn follow(&mut self, link: &Entry) -> Result<()> {
        self.links += 1;
        if self.links > MAX_LINKS {
            return Err(Error::LinkLoop { path: self.asked.clone() });
        }
        let target = self.fs.store.read_link(link.node).await?;
        let target = FsPath::parse(&target).map_err(|error| Error::BadPath {
            path: join(&self.here.path(), link.name.as_str()),
            reason: format!("it is a symlink, and {error}"),
        })?;
        if target.is_absolute() {
            self.here.steps.clear();
        }
        self.must_be_directory |= self.pending.is_empty() && target.means_directory();
        self.push(&target, true);
        Ok(())
    }
}
