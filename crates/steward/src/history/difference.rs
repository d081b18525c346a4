//! The difference between two states of a pond.

use std::collections::HashMap;

use futures::TryStreamExt as _;
use tinyfs::{EntryType, NodeId};

use super::Paths;
use crate::read_view::ReadView;
use crate::{Error, Result};

/// One thing that differs between two states.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    /// Where it is in the later state; where it was, when it is gone.
    pub path: String,
    /// The node, in the later state if it is there.
    pub node: NodeId,
    /// What differs.
    pub kind: DifferenceKind,
}

/// What differs.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum DifferenceKind {
    /// It is there only in the later state.
    Added {
        /// What it is.
        entry_type: EntryType,
    },
    /// It is there only in the earlier state.
    Removed {
        /// What it was.
        entry_type: EntryType,
    },
    /// It has another path.
    Moved {
        /// The earlier one.
        from: String,
        /// What it is.
        entry_type: EntryType,
    },
    /// Another node has its path.
    Replaced {
        /// What was there.
        from: EntryType,
        /// What is there.
        to: EntryType,
    },
    /// It has other versions.
    Versions {
        /// What it is.
        entry_type: EntryType,
        /// The newest version in the earlier state.
        from: Option<u64>,
        /// The newest version in the later state.
        to: Option<u64>,
    },
    /// Its properties differ.
    Attributes {
        /// What it is.
        entry_type: EntryType,
    },
}

/// What was written of a node between two states.
struct Touched {
    entry_type: EntryType,
    /// The lowest and the highest version added.
    versions: Option<(u64, u64)>,
    /// Whether its own row was written.
    itself: bool,
}

impl ReadView {
    /// What is different in `later`, at `path` and below when one is named;
    /// ordered by path.
    ///
    /// # Errors
    /// [`tinyfs::Error::NotFound`] when neither state has `path`; what the log
    /// says.
    pub async fn diff(&self, later: &Self, path: Option<&str>) -> Result<Vec<Difference>> {
        if self.txn_seq() > later.txn_seq() {
            return Box::pin(later.diff(self, path)).await.map(reversed);
        }
        let (before, after) =
            (Paths::of(self.snapshot()).await?, Paths::of(later.snapshot()).await?);
        let mut found = named(&before, &after);
        found.extend(self.touched(later, &before, &after).await?);
        if let Some(path) = path {
            let path = self.path_in_either(later, path).await?;
            found.retain(|difference| difference.concerns(&path));
        }
        found.sort_by(|a, b| a.path.cmp(&b.path));
        Ok(found)
    }

    /// The normal form of a path that one of the states has.
    async fn path_in_either(&self, later: &Self, path: &str) -> Result<String> {
        match later.fs().resolve_link(path).await {
            Ok(found) => Ok(found.path),
            Err(tinyfs::Error::NotFound { .. }) => Ok(self.fs().resolve_link(path).await?.path),
            Err(error) => Err(error.into()),
        }
    }

    /// Nodes of both states that have rows in between.
    async fn touched(
        &self,
        later: &Self,
        before: &Paths,
        after: &Paths,
    ) -> Result<Vec<Difference>> {
        let mut nodes: HashMap<NodeId, Touched> = HashMap::new();
        let mut rows = later.snapshot().versions_since(self.txn_seq());
        while let Some(row) =
            rows.try_next().await.map_err(Error::log("cannot read the versions in the log"))?
        {
            if row.row.covers.is_some() {
                continue;
            }
            let (node, number) = (row.row.node, row.row.version);
            let entry_type = row.row.entry_type;
            let seen =
                nodes.entry(node).or_insert(Touched { entry_type, versions: None, itself: false });
            if number == 0 {
                seen.itself = true;
            } else if entry_type.is_file() || entry_type.is_dynamic() {
                let (low, high) = seen.versions.unwrap_or((number, number));
                seen.versions = Some((low.min(number), high.max(number)));
            }
        }
        let mut found = Vec::new();
        for (node, Touched { entry_type, versions, itself }) in nodes {
            let there_before = node == before.root() || before.path(node).is_some();
            let Some(path) = after.path(node).filter(|_| there_before) else { continue };
            // That a row says it again does not make it different.
            if itself {
                let (was, is) = (self.store().node(node).await?, later.store().node(node).await?);
                if (was.attributes, was.factory) != (is.attributes, is.factory) {
                    let kind = DifferenceKind::Attributes { entry_type };
                    found.push(Difference { path: path.clone(), node, kind });
                }
            }
            if let Some((low, high)) = versions {
                let from = (low > 1).then(|| low - 1);
                let kind = DifferenceKind::Versions { entry_type, from, to: Some(high) };
                found.push(Difference { path, node, kind });
            }
        }
        Ok(found)
    }
}

/// Paths that came, went, moved or stand for another node.
fn named(before: &Paths, after: &Paths) -> Vec<Difference> {
    let mut found = Vec::new();
    let mut gone: HashMap<String, EntryType> = HashMap::new();
    for (node, named) in before.nodes() {
        if let Some(path) = before.path(node)
            && after.path(node).is_none()
        {
            gone.insert(path, named.entry_type);
        }
    }
    let mut removed_nodes: HashMap<String, NodeId> = before
        .nodes()
        .filter_map(|(node, _)| before.path(node).map(|path| (path, node)))
        .filter(|(path, _)| gone.contains_key(path))
        .collect();
    for (node, named) in after.nodes() {
        let Some(path) = after.path(node) else { continue };
        let entry_type = named.entry_type;
        let kind = match before.path(node) {
            Some(from) if from == path => continue,
            // What moved along with its directory is told of by the directory.
            Some(_) if before.named(node) == Some(named) => continue,
            Some(from) => DifferenceKind::Moved { from, entry_type },
            None => match gone.remove(&path) {
                Some(from) => {
                    removed_nodes.remove(&path);
                    DifferenceKind::Replaced { from, to: entry_type }
                }
                None => DifferenceKind::Added { entry_type },
            },
        };
        found.push(Difference { path, node, kind });
    }
    for (path, entry_type) in gone {
        if let Some(node) = removed_nodes.remove(&path) {
            found.push(Difference { path, node, kind: DifferenceKind::Removed { entry_type } });
        }
    }
    found
}

impl Difference {
    /// Whether it is at `path` or below.
    fn concerns(&self, path: &str) -> bool {
        let within = |other: &str| {
            other == path
                || path == "/"
                || other.strip_prefix(path).is_some_and(|rest| rest.starts_with('/'))
        };
        within(&self.path)
            || matches!(&self.kind, DifferenceKind::Moved { from, .. } if within(from))
    }
}

/// The same differences, seen from the later state.
fn reversed(differences: Vec<Difference>) -> Vec<Difference> {
    let turn = |difference: Difference| {
        let Difference { path, node, kind } = difference;
        let (path, kind) = match kind {
            DifferenceKind::Added { entry_type } => (path, DifferenceKind::Removed { entry_type }),
            DifferenceKind::Removed { entry_type } => (path, DifferenceKind::Added { entry_type }),
            DifferenceKind::Moved { from, entry_type } => {
                (from, DifferenceKind::Moved { from: path, entry_type })
            }
            DifferenceKind::Replaced { from, to } => {
                (path, DifferenceKind::Replaced { from: to, to: from })
            }
            DifferenceKind::Versions { entry_type, from, to } => {
                (path, DifferenceKind::Versions { entry_type, from: to, to: from })
            }
            kind @ DifferenceKind::Attributes { .. } => (path, kind),
        };
        Difference { path, node, kind }
    };
    let mut turned: Vec<_> = differences.into_iter().map(turn).collect();
    turned.sort_by(|a, b| a.path.cmp(&b.path));
    turned
}
