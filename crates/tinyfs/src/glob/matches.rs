//! Finding what a pattern matches, one by one.
//!
//! Each open directory carries the positions in the pattern that it can be at,
//! so it is read once however many ways lead to it, and only when one of them
//! has a wildcard; for the rest, names are looked up.
//!
//! Always true: matches come in the order of the bytes of their paths, each
//! once; a symlink that leads nowhere or round in a circle ends no search; `**`
//! follows no symlinks, so every search ends.
//!
//! Deliberately not here: seeing changes that are made while it runs; they may
//! or may not be seen.

use std::cmp::Ordering;
use std::fmt;

use super::component::Segment;
use super::{Glob, GlobOptions, Match, Step, deep, divide};
use crate::{Entry, Error, Fs, Node, NodeId, NodePath, Result, Store, path};

/// How many nodes are asked for at once.
const NODES_AT_ONCE: usize = 256;

/// The matches of a pattern, found as they are asked for.
///
/// It holds the listings of the directories on the way to the match at hand,
/// and nothing of the others.
pub struct Matches<S: ?Sized = dyn Store> {
    fs: Fs<S>,
    glob: Glob,
    options: GlobOptions,
    started: bool,
    /// The path of the directory at hand, as the pattern came to it.
    shown: String,
    /// The path of the directory at hand, without symlinks.
    physical: String,
    frames: Vec<Frame>,
    /// Whether to go on past computed directories that fail, and which did.
    past_failures: bool,
    failures: Vec<(String, Error)>,
}

impl<S: ?Sized> fmt::Debug for Matches<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Matches").field("pattern", &self.glob.pattern).finish_non_exhaustive()
    }
}

/// An open directory.
struct Frame {
    /// How it was come to; `None` for where the search starts.
    way: Option<Way>,
    /// What is left to do in it, the next last.
    left: Vec<Item>,
}

/// The way into a directory, and back.
struct Way {
    name: String,
    /// How long the shown path was before.
    shown_bytes: usize,
    /// What the physical path was before, when a symlink led elsewhere.
    from: Option<String>,
}

enum Item {
    Found { entry: Entry, node: Option<Box<Node>> },
    Enter(Enter),
}

/// A directory to go into.
struct Enter {
    name: String,
    dir: NodeId,
    /// Its path without symlinks, where the name is a symlink's.
    target: Option<String>,
    states: Vec<usize>,
}

impl Item {
    /// Orders as the bytes of the paths do: `a`, then `a-b`, then what is in
    /// `a`, then `a0`, because `/` comes after `-` and before `0`.
    fn order(&self, other: &Self) -> Ordering {
        self.key().cmp(other.key())
    }

    fn key(&self) -> impl Iterator<Item = u8> {
        let (name, slash) = match self {
            Self::Found { entry, .. } => (entry.name.as_str(), None),
            Self::Enter(enter) => (enter.name.as_str(), Some(b'/')),
        };
        name.bytes().chain(slash)
    }
}

/// Where a name leads from the states of a directory.
#[derive(Default)]
struct Moves {
    /// Whether the name ends a match.
    found: bool,
    /// States for what is in it, by components that name it.
    named: Vec<usize>,
    /// States for what is in it, by `**`.
    deep: Vec<usize>,
}

impl<S: Store + ?Sized> Matches<S> {
    pub(super) const fn new(fs: Fs<S>, glob: Glob, options: GlobOptions) -> Self {
        let shown = String::new();
        let physical = String::new();
        Self {
            fs,
            glob,
            options,
            started: false,
            shown,
            physical,
            frames: Vec::new(),
            past_failures: false,
            failures: Vec::new(),
        }
    }

    /// Goes on past computed directories whose entries can not be computed, for
    /// listings; [`Matches::take_failures`] tells of them.
    #[must_use]
    pub const fn past_failures(mut self) -> Self {
        self.past_failures = true;
        self
    }

    /// The directories that were passed over since the last call, by their
    /// paths, and why.
    pub fn take_failures(&mut self) -> Vec<(String, Error)> {
        std::mem::take(&mut self.failures)
    }

    /// What there is, or `none` where a directory at `path` can not be computed
    /// and is passed over.
    fn pass_over<T>(&mut self, path: String, found: Result<T>, none: T) -> Result<T> {
        match found {
            Err(error) if self.past_failures && error.is_uncomputed() => {
                self.failures.push((path, error));
                Ok(none)
            }
            found => found,
        }
    }

    /// The next match; `None` after the last and after an error.
    ///
    /// # Errors
    /// The store's.
    pub async fn next(&mut self) -> Result<Option<Match>> {
        let next = self.advance().await;
        if next.is_err() {
            self.frames.clear();
        }
        next
    }

    async fn advance(&mut self) -> Result<Option<Match>> {
        if !self.started {
            self.started = true;
            if let Some(found) = self.start().await? {
                return Ok(Some(found));
            }
        }
        while let Some(frame) = self.frames.last_mut() {
            match frame.left.pop() {
                None => self.leave(),
                Some(Item::Enter(enter)) => self.go_into(enter).await?,
                Some(Item::Found { entry, node: None }) => {
                    frame.left.push(Item::Found { entry, node: None });
                    self.fetch().await?;
                }
                Some(Item::Found { entry, node: Some(node) }) => {
                    if let Some(found) = self.found(&entry, *node).await? {
                        return Ok(Some(found));
                    }
                }
            }
        }
        Ok(None)
    }

    /// The matches as a stream, which ends with the first error.
    pub fn into_stream(self) -> impl futures::Stream<Item = Result<Match>> + Send {
        futures::stream::try_unfold(self, |mut matches| async move {
            Ok(matches.next().await?.map(|found| (found, matches)))
        })
    }

    /// Opens the directory that the search starts in; when the pattern is that
    /// directory's path, it is the match.
    async fn start(&mut self) -> Result<Option<Match>> {
        let base = match absent(self.fs.resolve(&self.glob.base.to_string()).await)? {
            Some(base) if base.node.entry_type.is_directory() => base,
            _ => return Ok(None),
        };
        if self.glob.segments.is_empty() {
            return Ok(Some(Match { path: base, captures: Vec::new() }));
        }
        self.shown.clone_from(&base.path);
        let dir = base.id();
        self.physical = base.path;
        let left = self.plan(dir, &[0]).await;
        let left = self.pass_over(self.shown.clone(), left, Vec::new())?;
        self.frames.push(Frame { way: None, left });
        Ok(None)
    }

    async fn go_into(&mut self, enter: Enter) -> Result<()> {
        let shown_bytes = self.shown.len();
        path::push(&mut self.shown, &enter.name);
        let from = match enter.target {
            Some(target) => Some(std::mem::replace(&mut self.physical, target)),
            None => {
                path::push(&mut self.physical, &enter.name);
                None
            }
        };
        let left = self.plan(enter.dir, &enter.states).await;
        let left = self.pass_over(self.shown.clone(), left, Vec::new())?;
        let way = Some(Way { name: enter.name, shown_bytes, from });
        self.frames.push(Frame { way, left });
        Ok(())
    }

    fn leave(&mut self) {
        let Some(Frame { way: Some(way), .. }) = self.frames.pop() else { return };
        self.shown.truncate(way.shown_bytes);
        match way.from {
            Some(from) => self.physical = from,
            None => {
                let parent = path::parent(&self.physical).unwrap_or(path::ROOT).len();
                self.physical.truncate(parent);
            }
        }
    }

    /// Finds out what is to be done in the directory at hand.
    async fn plan(&mut self, dir: NodeId, states: &[usize]) -> Result<Vec<Item>> {
        let states = self.closure(states);
        let mut left = Vec::new();
        for entry in self.candidates(dir, &states).await? {
            let moves = self.moves(&states, entry.name.as_str());
            left.extend(self.enter(&entry, &moves).await?.map(Item::Enter));
            if moves.found {
                left.push(Item::Found { entry, node: None });
            }
        }
        left.sort_by(|one, other| other.order(one));
        Ok(left)
    }

    /// The states with those that `**` reaches by standing for nothing.
    fn closure(&self, states: &[usize]) -> Vec<usize> {
        let segments = &self.glob.segments;
        let mut all = Vec::with_capacity(states.len());
        for &state in states {
            let mut state = state;
            all.push(state);
            while matches!(segments[state], Segment::AnyDepth) && state + 1 < segments.len() {
                state += 1;
                all.push(state);
            }
        }
        all.sort_unstable();
        all.dedup();
        all
    }

    /// The entries that may match: those named, or all where there is a
    /// wildcard.
    async fn candidates(&self, dir: NodeId, states: &[usize]) -> Result<Vec<Entry>> {
        let store = self.fs.store();
        let mut names: Vec<&str> = Vec::with_capacity(states.len());
        for &state in states {
            match &self.glob.segments[state] {
                Segment::Literal(name) => names.push(name.as_str()),
                _ => return store.list(dir).await,
            }
        }
        names.sort_unstable();
        names.dedup();
        let mut entries = Vec::with_capacity(names.len());
        for name in names {
            entries.extend(store.lookup(dir, name).await?);
        }
        Ok(entries)
    }

    fn moves(&self, states: &[usize], name: &str) -> Moves {
        let mut moves = Moves::default();
        for &state in states {
            let segment = &self.glob.segments[state];
            let closing = state + 1 == self.glob.segments.len();
            if matches!(segment, Segment::AnyDepth) {
                if deep(&Step { name, link: false }, self.options) {
                    moves.deep.push(state);
                    moves.found |= closing;
                }
            } else if segment.is_match(name, self.options) {
                if closing {
                    moves.found = true;
                } else {
                    moves.named.push(state + 1);
                }
            }
        }
        moves
    }

    /// How to go into an entry; `None` when there is nothing to go into, or no
    /// reason to.
    async fn enter(&mut self, entry: &Entry, moves: &Moves) -> Result<Option<Enter>> {
        let name = String::from(entry.name.clone());
        if entry.entry_type.is_directory() {
            let states: Vec<usize> = moves.named.iter().chain(&moves.deep).copied().collect();
            let enter = Enter { name, dir: entry.node, target: None, states };
            return Ok((!enter.states.is_empty()).then_some(enter));
        }
        if !entry.entry_type.is_symlink() || moves.named.is_empty() {
            return Ok(None);
        }
        let target = self.follow(&name).await?;
        Ok(target.filter(|target| target.node.entry_type.is_directory()).map(|target| Enter {
            name,
            dir: target.id(),
            target: Some(target.path),
            states: moves.named.clone(),
        }))
    }

    /// Where the symlink of this name in the directory at hand leads.
    async fn follow(&mut self, name: &str) -> Result<Option<NodePath>> {
        let found = absent(self.fs.resolve(&path::join(&self.physical, name)).await);
        self.pass_over(path::join(&self.shown, name), found, None)
    }

    /// Asks for the nodes of the next matches in the directory at hand.
    async fn fetch(&mut self) -> Result<()> {
        let Some(frame) = self.frames.last_mut() else { return Ok(()) };
        let mut slots = Vec::new();
        let mut entries = Vec::new();
        for item in frame.left.iter_mut().rev() {
            if let Item::Found { entry, node: slot @ None } = item {
                entries.push(entry.clone());
                slots.push(slot);
            }
            if slots.len() == NODES_AT_ONCE {
                break;
            }
        }
        let nodes = self.fs.nodes(&entries).await?;
        for (slot, node) in slots.into_iter().zip(nodes) {
            *slot = Some(Box::new(node));
        }
        Ok(())
    }

    /// Makes a match of an entry in the directory at hand; `None` when the
    /// pattern wants directories and it is none.
    async fn found(&mut self, entry: &Entry, node: Node) -> Result<Option<Match>> {
        let name = entry.name.as_str();
        let mut node = node;
        if node.entry_type.is_symlink() && (self.options.follow || self.glob.directory) {
            node = self.follow(name).await?.map_or(node, |target| target.node);
        }
        if self.glob.directory && !node.entry_type.is_directory() {
            return Ok(None);
        }
        let path = NodePath { path: path::join(&self.shown, name), node };
        Ok(Some(Match { path, captures: self.captures(name) }))
    }

    fn captures(&self, name: &str) -> Vec<String> {
        let ways = self.frames.iter().filter_map(|frame| frame.way.as_ref());
        let mut steps: Vec<Step<'_>> =
            ways.map(|way| Step { name: &way.name, link: way.from.is_some() }).collect();
        steps.push(Step { name, link: false });
        // The search came here by the pattern, so there is a way to divide it.
        divide(&self.glob.segments, &steps, self.options).unwrap_or_default()
    }
}

/// `None` for what is not there, and for a symlink that leads nowhere, in a
/// circle or through a file, or whose target is no path.
fn absent(found: Result<NodePath>) -> Result<Option<NodePath>> {
    match found {
        Ok(found) => Ok(Some(found)),
        Err(error) if error.is_absence() => Ok(None),
        Err(Error::BadPath { .. }) => Ok(None),
        Err(error) => Err(error),
    }
}
