//! The path of every node at a moment of the history, from the links of the log.

use std::collections::HashMap;

use futures::TryStreamExt as _;
use oplog::{LinkRow, Snapshot};
use tinyfs::{EntryType, NodeId};

use crate::{Error, Result};

/// Deeper than any path: what does not end by then goes round in a circle.
const MAX_DEPTH: usize = 4_096;

/// Where every node is.
#[derive(Clone, Debug)]
pub(crate) struct Paths {
    root: NodeId,
    children: HashMap<(NodeId, String), NodeId>,
    names: HashMap<NodeId, Named>,
}

/// The name of a node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Named {
    pub(crate) parent: NodeId,
    pub(crate) name: String,
    pub(crate) entry_type: EntryType,
}

impl Paths {
    /// The paths of a snapshot.
    pub(crate) async fn of(snapshot: &Snapshot) -> Result<Self> {
        let mut paths = Self::nothing(snapshot);
        let mut links = snapshot.scan_links();
        while let Some(link) =
            links.try_next().await.map_err(Error::log("cannot read the names in the log"))?
        {
            paths.apply(link.row);
        }
        Ok(paths)
    }

    /// No paths but the root.
    pub(crate) fn nothing(snapshot: &Snapshot) -> Self {
        let root = NodeId::new(snapshot.identity().pond_id);
        Self { root, children: HashMap::new(), names: HashMap::new() }
    }

    /// Takes the next link into account.
    pub(crate) fn apply(&mut self, link: LinkRow) {
        let LinkRow { parent, name, child, entry_type } = link;
        let place = (parent, name);
        if let Some(gone) = self.children.remove(&place) {
            // A node that has moved meanwhile keeps its new name.
            if self.names.get(&gone).is_some_and(|n| n.parent == place.0 && n.name == place.1) {
                self.names.remove(&gone);
            }
        }
        if let Some(child) = child {
            let (parent, name) = place.clone();
            self.names.insert(child, Named { parent, name, entry_type });
            self.children.insert(place, child);
        }
    }

    /// The node of a name.
    pub(crate) fn child(&self, parent: NodeId, name: &str) -> Option<NodeId> {
        self.children.get(&(parent, name.to_owned())).copied()
    }

    /// The name of a node; `None` for the root and for what has none.
    pub(crate) fn named(&self, node: NodeId) -> Option<&Named> {
        self.names.get(&node)
    }

    /// Every node with a name.
    pub(crate) fn nodes(&self) -> impl Iterator<Item = (NodeId, &Named)> {
        self.names.iter().map(|(node, named)| (*node, named))
    }

    /// The root.
    pub(crate) const fn root(&self) -> NodeId {
        self.root
    }

    /// The path of a node; `None` when it can not be reached from the root.
    pub(crate) fn path(&self, node: NodeId) -> Option<String> {
        let mut components = Vec::new();
        let mut at = node;
        while at != self.root {
            let named = self.names.get(&at)?;
            components.push(named.name.as_str());
            if components.len() > MAX_DEPTH {
                return None;
            }
            at = named.parent;
        }
        components.reverse();
        Some(format!("/{}", components.join("/")))
    }
}
