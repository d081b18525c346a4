//! A store in which computed directories have their entries.
//!
//! What a factory says of a directory's [`Child`]ren becomes nodes like any
//! other: each is again an entry type, a factory and a configuration, which is
//! its one version. So whoever walks, lists and matches sees one tree.
//!
//! Always true: an entry's id follows from its directory's id and its name, and
//! so is the same each time; a directory is listed once for all who look
//! through the same view; a circle of directories is [`Error::Cycle`], told by
//! the one who closes it; nobody waits for another's listing, so two who enter
//! a circle at two ends both see it.
//!
//! Deliberately not here: writing. What is written goes to the store below.

use std::collections::HashMap;
use std::fmt;
use std::io;
use std::ops::Range;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use bytes::Bytes;
use tinyfs::{
    Attributes, Entry, EntryType, Error, Format, Fs, Name, Node, NodeId, NodePath, Place, Result,
    Store, Version, path,
};
use tokio::task::JoinSet;
use uuid::Uuid;

use crate::{Child, Config, Error as FactoryError, Look, Registry, read_config};

/// Directories on the way from one that is listed to what it looks at.
const MAX_LEVELS: usize = 64;

/// The most entries of a computed directory.
const MAX_ENTRIES: usize = 100_000;

/// A store with the entries of its computed directories.
pub struct ComputedStore {
    inner: Arc<dyn Store>,
    registry: Registry,
    /// Shared by all that look through this view, however deep.
    known: Arc<Mutex<Known>>,
    /// The directories that are being listed on the way here, outermost first.
    chain: Vec<(NodeId, String)>,
}

impl fmt::Debug for ComputedStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("ComputedStore").field(&self.inner).finish()
    }
}

/// What was seen so far.
#[derive(Default)]
struct Known {
    /// Where directories are, as they were come by.
    dirs: HashMap<NodeId, Dir>,
    /// Nodes that are nowhere stored.
    nodes: HashMap<NodeId, Arc<Computed>>,
    /// The entries of computed directories, by the bytes of their names.
    lists: HashMap<NodeId, Arc<Vec<Entry>>>,
}

struct Dir {
    parent: NodeId,
    name: Name,
    entry_type: EntryType,
}

/// A node that a directory's factory made.
struct Computed {
    node: Node,
    config: Config,
}

impl ComputedStore {
    /// `inner`, with the entries that the factories of `registry` make.
    #[must_use]
    pub fn new(inner: Arc<dyn Store>, registry: Registry) -> Arc<Self> {
        let (known, chain) = (Arc::default(), Vec::new());
        Arc::new(Self { inner, registry, known, chain })
    }

    /// The store below.
    #[must_use]
    pub const fn inner(&self) -> &Arc<dyn Store> {
        &self.inner
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn computed(&self, id: NodeId) -> Option<Arc<Computed>> {
        self.known().nodes.get(&id).cloned()
    }

    /// The entries of a directory that a factory computes; `None` for one that
    /// is stored.
    async fn computed_entries(&self, dir: NodeId) -> Result<Option<Arc<Vec<Entry>>>> {
        {
            let known = self.known();
            if let Some(entries) = known.lists.get(&dir) {
                return Ok(Some(Arc::clone(entries)));
            }
            let stored = known.dirs.get(&dir).is_some_and(|dir| !dir.entry_type.is_dynamic());
            if stored || dir == self.inner.root() {
                return Ok(None);
            }
        }
        if let Some(computed) = self.computed(dir)
            && computed.node.entry_type != EntryType::DynamicDirectory
        {
            return Err(Error::NotADirectoryNode { id: dir });
        }
        let node = self.node(dir).await?;
        if node.entry_type != EntryType::DynamicDirectory {
            return Ok(None);
        }
        let found = NodePath { path: self.path_of(dir), node };
        let entries = self.compute(&found).await?;
        Ok(Some(entries))
    }

    async fn compute(&self, dir: &NodePath) -> Result<Arc<Vec<Entry>>> {
        let path = &dir.path;
        if let Some(at) = self.chain.iter().position(|(id, _)| *id == dir.id()) {
            let round = self.chain[at..].iter().map(|(_, path)| path);
            return Err(Error::Cycle { names: round.chain([path]).cloned().collect() });
        }
        if self.chain.len() >= MAX_LEVELS {
            return Err(Error::TooDeep { path: path.clone(), limit: MAX_LEVELS });
        }
        let children = self.children(dir).await.map_err(|error| uncomputed(path, error))?;
        let mut entries = Vec::with_capacity(children.len());
        let mut made = Vec::with_capacity(children.len());
        for child in children {
            let computed = self.make(dir, child);
            entries.push(Entry {
                name: computed.0,
                node: computed.1.node.id,
                entry_type: computed.1.node.entry_type,
            });
            made.push(computed.1);
        }
        entries.sort_by(|a, b| a.name.cmp(&b.name));
        if let Some(pair) = entries.windows(2).find(|pair| pair[0].name == pair[1].name) {
            let taken = Error::NameTaken { dir: dir.id(), name: pair[0].name.to_string() };
            return Err(Error::Uncomputed { path: path.clone(), source: Arc::new(taken) });
        }
        let entries = Arc::new(entries);
        let mut known = self.known();
        for computed in made {
            known.nodes.insert(computed.node.id, Arc::new(computed));
        }
        note(&mut known, dir.id(), &entries);
        known.lists.insert(dir.id(), Arc::clone(&entries));
        Ok(entries)
    }

    async fn children(&self, dir: &NodePath) -> crate::Result<Vec<Child>> {
        let factory = self.registry.get(dir.node.factory.as_deref().unwrap_or_default())?;
        let config = match self.computed(dir.id()) {
            Some(computed) => computed.config.clone(),
            None => read_config(&self.inner, dir).await?,
        };
        let mut chain = self.chain.clone();
        chain.push((dir.id(), dir.path.clone()));
        let (inner, registry) = (Arc::clone(&self.inner), self.registry.clone());
        let deeper = Self { inner, registry, known: Arc::clone(&self.known), chain };
        let look = Look { fs: Fs::new(Arc::new(deeper)), path: dir.path.clone() };
        // A task of its own, so that each level begins with an empty stack. It
        // ends with the one who waits for it.
        let factory = Arc::clone(factory);
        let mut listing = JoinSet::new();
        listing.spawn(async move { factory.children(&look, &config).await });
        let children = match listing.join_next().await {
            Some(Ok(children)) => children?,
            Some(Err(error)) if error.is_panic() => std::panic::resume_unwind(error.into_panic()),
            Some(Err(_)) | None => {
                let doing = format!("listing `{}` was ended from outside", dir.path);
                let source = io::Error::from(io::ErrorKind::Interrupted).into();
                return Err(FactoryError::Run { doing, source });
            }
        };
        if children.len() > MAX_ENTRIES {
            return Err(FactoryError::TooMany { limit: MAX_ENTRIES });
        }
        Ok(children)
    }

    fn make(&self, dir: &NodePath, child: Child) -> (Name, Computed) {
        let Child { name, factory, entry_type, config } = child;
        let id = NodeId::new(Uuid::new_v5(&dir.id().uuid(), name.as_str().as_bytes()));
        // It is as old as the stored node that it comes from.
        let stored = dir.node.newest.as_ref();
        let version = Version {
            number: 1,
            covers: None,
            txn_seq: stored.map_or(0, |version| version.txn_seq),
            written_us: stored.map_or(0, |version| version.written_us),
            size_bytes: config.bytes().len() as u64,
            hash: config.hash(),
            format: Format::Bytes,
            place: Place::Inline,
            rows: None,
            time_range: None,
            attributes: Attributes::new(),
        };
        let node = Node {
            id,
            entry_type,
            attributes: Attributes::new(),
            factory: Some(factory),
            newest: Some(version),
        };
        (name, Computed { node, config })
    }

    /// The path of a directory, as it was come by.
    fn path_of(&self, dir: NodeId) -> String {
        let known = self.known();
        let mut names = Vec::new();
        let mut at = dir;
        while let Some(Dir { parent, name, .. }) = known.dirs.get(&at) {
            names.push(name.as_str());
            at = *parent;
        }
        if names.is_empty() && at != self.inner.root() {
            // Asked for by its id alone.
            return format!("node {dir}");
        }
        names.iter().rev().fold(path::ROOT.to_owned(), |dir, name| path::join(&dir, name))
    }
}

/// Notes where the directories among `entries` are.
fn note(known: &mut Known, parent: NodeId, entries: &[Entry]) {
    for entry in entries.iter().filter(|entry| entry.entry_type.is_directory()) {
        let (name, entry_type) = (entry.name.clone(), entry.entry_type);
        known.dirs.insert(entry.node, Dir { parent, name, entry_type });
    }
}

/// The error of the directory that failed: told once, by the innermost.
fn uncomputed(path: &str, error: FactoryError) -> Error {
    match error {
        FactoryError::Store(
            error @ (Error::Uncomputed { .. } | Error::Cycle { .. } | Error::TooDeep { .. }),
        ) => error,
        error => Error::Uncomputed { path: path.to_owned(), source: Arc::new(error) },
    }
}

#[async_trait]
impl Store for ComputedStore {
    fn root(&self) -> NodeId {
        self.inner.root()
    }

    async fn node(&self, id: NodeId) -> Result<Node> {
        match self.computed(id) {
            Some(computed) => Ok(computed.node.clone()),
            None => self.inner.node(id).await,
        }
    }

    async fn nodes(&self, ids: &[NodeId]) -> Result<Vec<Node>> {
        let computed: Vec<Option<Arc<Computed>>> = {
            let known = self.known();
            ids.iter().map(|id| known.nodes.get(id).cloned()).collect()
        };
        if computed.iter().all(Option::is_none) {
            return self.inner.nodes(ids).await;
        }
        // In one go, so that a batch stays one.
        let stored = ids.iter().zip(&computed).filter(|(_, computed)| computed.is_none());
        let stored: Vec<NodeId> = stored.map(|(id, _)| *id).collect();
        let mut stored = self.inner.nodes(&stored).await?.into_iter();
        let nodes = ids.iter().zip(computed).map(|(id, computed)| match computed {
            Some(computed) => Ok(computed.node.clone()),
            None => stored.next().ok_or(Error::NoSuchNode { id: *id }),
        });
        nodes.collect()
    }

    async fn lookup(&self, dir: NodeId, name: &str) -> Result<Option<Entry>> {
        if let Some(entries) = self.computed_entries(dir).await? {
            let at = entries.binary_search_by(|entry| entry.name.as_str().cmp(name));
            return Ok(at.ok().map(|at| entries[at].clone()));
        }
        let entry = self.inner.lookup(dir, name).await?;
        if let Some(entry) = &entry {
            note(&mut self.known(), dir, std::slice::from_ref(entry));
        }
        Ok(entry)
    }

    async fn list(&self, dir: NodeId) -> Result<Vec<Entry>> {
        if let Some(entries) = self.computed_entries(dir).await? {
            return Ok(entries.as_ref().clone());
        }
        let entries = self.inner.list(dir).await?;
        note(&mut self.known(), dir, &entries);
        Ok(entries)
    }

    async fn read_link(&self, link: NodeId) -> Result<String> {
        match self.computed(link) {
            Some(_) => Err(Error::NoSuchNode { id: link }),
            None => self.inner.read_link(link).await,
        }
    }

    async fn versions(&self, file: NodeId) -> Result<Vec<Version>> {
        match self.computed(file) {
            Some(computed) => Ok(computed.node.newest.iter().cloned().collect()),
            None => self.inner.versions(file).await,
        }
    }

    async fn version(&self, file: NodeId, number: u64) -> Result<Option<Version>> {
        match self.computed(file) {
            Some(computed) => {
                Ok(computed.node.newest.clone().filter(|version| version.number == number))
            }
            None => self.inner.version(file, number).await,
        }
    }

    async fn runs(&self, series: NodeId) -> Result<Vec<Version>> {
        match self.computed(series) {
            Some(computed) => Ok(computed.node.newest.iter().cloned().collect()),
            None => self.inner.runs(series).await,
        }
    }

    async fn read(&self, file: NodeId, version: &Version, range: Range<u64>) -> Result<Bytes> {
        let Some(computed) = self.computed(file) else {
            return self.inner.read(file, version, range).await;
        };
        let bytes = computed.config.bytes();
        let within = |at: u64| usize::try_from(at).ok().filter(|at| *at <= bytes.len());
        match (within(range.start), within(range.end)) {
            (Some(start), Some(end)) if start <= end => Ok(bytes.slice(start..end)),
            _ => {
                let outside = io::Error::from(io::ErrorKind::UnexpectedEof);
                Err(Error::io(format!("can not read bytes {range:?} of node {file}"), outside))
            }
        }
    }
}
