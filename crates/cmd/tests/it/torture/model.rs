//! What a pond should hold, as a plain map.

use std::collections::BTreeMap;

use tinyfs::ContentHash;

/// What stands at a path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Node {
    Directory,
    Link(String),
    File {
        version: u64,
        hash: String,
    },
    /// The value at each time, the newest version's where several have one.
    Series {
        version: u64,
        rows: BTreeMap<i64, i64>,
    },
}

/// Paths and what stands there; the root goes without saying.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Tree(pub(super) BTreeMap<String, Node>);

impl Tree {
    pub(super) fn get(&self, path: &str) -> Option<&Node> {
        self.0.get(path)
    }

    /// The directories, the root (as the empty text) included.
    pub(super) fn directories(&self) -> Vec<String> {
        let below = self.0.iter().filter(|(_, node)| **node == Node::Directory);
        std::iter::once(String::new()).chain(below.map(|(path, _)| path.clone())).collect()
    }

    pub(super) fn paths(&self) -> Vec<String> {
        self.0.keys().cloned().collect()
    }

    pub(super) fn paths_of(&self, kind: impl Fn(&Node) -> bool) -> Vec<String> {
        self.0.iter().filter(|(_, node)| kind(node)).map(|(path, _)| path.clone()).collect()
    }

    pub(super) fn insert(&mut self, path: &str, node: Node) {
        self.0.insert(path.to_owned(), node);
    }

    /// A new version of a file, or its first.
    pub(super) fn write(&mut self, path: &str, bytes: &[u8]) {
        let version = match self.0.get(path) {
            Some(Node::File { version, .. }) => version + 1,
            _ => 1,
        };
        self.insert(path, Node::File { version, hash: ContentHash::of(bytes).to_string() });
    }

    /// More rows of a series, or its first.
    pub(super) fn append(&mut self, path: &str, new: &[(i64, i64)]) {
        let (version, mut rows) = match self.0.remove(path) {
            Some(Node::Series { version, rows }) => (version + 1, rows),
            _ => (1, BTreeMap::new()),
        };
        rows.extend(new.iter().copied());
        self.insert(path, Node::Series { version, rows });
    }

    /// Takes away a path and what is below it.
    pub(super) fn remove(&mut self, path: &str) -> Vec<(String, Node)> {
        let below = format!("{path}/");
        let gone = |at: &str| at == path || at.starts_with(&below);
        let taken: Vec<_> =
            self.0.iter().filter(|(at, _)| gone(at)).map(|(a, n)| (a.clone(), n.clone())).collect();
        self.0.retain(|at, _| !gone(at));
        taken
    }

    pub(super) fn rename(&mut self, from: &str, to: &str) {
        for (path, node) in self.remove(from) {
            self.insert(&format!("{to}{}", &path[from.len()..]), node);
        }
    }
}
