//! The names of a damaged pond as they are now, as far as they can be read.

use std::collections::{BTreeSet, HashMap, HashSet, VecDeque};

use futures::TryStreamExt as _;
use oplog::{Result, Salvage};
use tinyfs::{EntryType, NodeId};

/// Deeper than any path: what does not end by then goes round in a circle.
const MAX_DEPTH: usize = 4_096;

/// A name and what stands under it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Child {
    pub(crate) name: String,
    pub(crate) node: NodeId,
    pub(crate) entry_type: EntryType,
}

/// Names by directory.
#[derive(Debug)]
pub(crate) struct Tree {
    root: NodeId,
    children: HashMap<NodeId, Vec<Child>>,
    /// The directory and name of each node that has one.
    names: HashMap<NodeId, (NodeId, String)>,
    /// Nodes that had a name at some time.
    ever: HashSet<NodeId>,
}

impl Tree {
    /// Reads the names.
    pub(crate) async fn of(salvage: &Salvage) -> Result<Self> {
        let mut newest =
            HashMap::<(NodeId, String), ((u64, u32), Option<NodeId>, EntryType)>::new();
        let mut ever = HashSet::new();
        let mut links = salvage.links();
        while let Some(link) = links.try_next().await? {
            let order = link.order();
            let row = link.row;
            ever.extend(row.child);
            let known = newest.entry((row.parent, row.name));
            let known = known.or_insert((order, row.child, row.entry_type));
            if known.0 < order {
                *known = (order, row.child, row.entry_type);
            }
        }
        let root = NodeId::new(salvage.identity().pond_id);
        let mut tree = Self { root, children: HashMap::new(), names: HashMap::new(), ever };
        for ((parent, name), (_, child, entry_type)) in newest {
            let Some(node) = child else { continue };
            tree.names.insert(node, (parent, name.clone()));
            tree.children.entry(parent).or_default().push(Child { name, node, entry_type });
        }
        Ok(tree)
    }

    /// The root.
    pub(crate) const fn root(&self) -> NodeId {
        self.root
    }

    /// What is in a directory, in no order.
    pub(crate) fn children(&self, directory: NodeId) -> impl Iterator<Item = Child> {
        self.children.get(&directory).into_iter().flatten().cloned()
    }

    /// Every name with its directory.
    pub(crate) fn entries(&self) -> impl Iterator<Item = (NodeId, &Child)> {
        self.children.iter().flat_map(|(parent, all)| all.iter().map(|child| (*parent, child)))
    }

    /// The path of a node; `None` when it can not be reached from the root.
    pub(crate) fn path(&self, node: NodeId) -> Option<String> {
        let mut components = Vec::new();
        let mut at = node;
        while at != self.root {
            let (parent, name) = self.names.get(&at)?;
            components.push(name.as_str());
            if components.len() > MAX_DEPTH {
                return None;
            }
            at = *parent;
        }
        components.reverse();
        Some(format!("/{}", components.join("/")))
    }

    /// What is known of and never had a name that can be read.
    pub(crate) async fn orphans(&self, salvage: &Salvage) -> Result<VecDeque<Child>> {
        let nameless = |node: &NodeId| *node != self.root && !self.ever.contains(node);
        let mut found: BTreeSet<_> = self
            .children
            .keys()
            .filter(|node| nameless(node))
            .map(|node| (*node, EntryType::Directory.as_str()))
            .collect();
        let mut versions = salvage.versions();
        while let Some(version) = versions.try_next().await? {
            let row = version.row;
            if nameless(&row.node) {
                found.insert((row.node, row.entry_type.as_str()));
            }
        }
        let child = |(node, entry_type): (NodeId, &str)| {
            let name = format!("{node}");
            Some(Child { name, node, entry_type: entry_type.parse().ok()? })
        };
        Ok(found.into_iter().filter_map(child).collect())
    }
}
