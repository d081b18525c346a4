//! A node together with the path it was found at.

use crate::{Node, NodeId, path};

/// A node and where it is.
#[derive(Clone, Debug, PartialEq)]
pub struct NodePath {
    /// Its path: absolute and normal, without `.`, `..` and closing slash.
    pub path: String,
    /// The node.
    pub node: Node,
}

impl NodePath {
    /// The node's id.
    #[must_use]
    pub const fn id(&self) -> NodeId {
        self.node.id
    }

    /// Its last name; empty for the root.
    #[must_use]
    pub fn name(&self) -> &str {
        path::file_name(&self.path).unwrap_or_default()
    }

    /// The path of an entry in it.
    #[must_use]
    pub fn join(&self, name: &str) -> String {
        path::join(&self.path, name)
    }
}
