//! Configurations: a tree of values that knows where each was written.
//!
//! Always true: equal configurations have equal canonical bytes (JSON, keys
//! sorted), whatever they were written in; every complaint names a place and a
//! path into the tree; a secret is kept as a reference and never as itself.
//!
//! On the way into a pond a text is read as YAML ([`parse_documents`]), its
//! templates are expanded value by value ([`expand`]), and only then is it
//! read as types, so that no variable can break what is around it.

mod canonical;
mod document;
mod error;
mod expand;
mod fields;
mod node;
mod quantity;
mod schema;
mod secrets;
mod typed;
mod yaml;

use std::sync::Arc;

use bytes::Bytes;
use serde::de::DeserializeOwned;
use tinyfs::ContentHash;

pub use document::{Document, Freshness, Kind, Mknod, NodeAttributes, TimesUs};
pub use error::{ConfigError, nearest};
pub use expand::{Values, expand};
pub use fields::fields_of;
pub use node::{Key, Node, Place, Value};
pub use quantity::{Instant, Interval};
pub use schema::{Field, Schema};
pub use secrets::{Env, resolve};
pub use typed::typed;
pub use yaml::{MAX_TEXT_BYTES, parse_documents};

use crate::{Error, Result};

/// The largest configuration that a pond keeps.
pub const MAX_CONFIG_BYTES: usize = 1 << 20;

/// A configuration.
#[derive(Clone, Debug)]
pub struct Config(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    node: Node,
    bytes: Bytes,
    hash: ContentHash,
}

impl Config {
    /// The configuration that `text` holds, as a pond keeps it: one document,
    /// without templates. `name` is what complaints call it.
    ///
    /// A text in it may stand for the number it spells, because it was checked
    /// before it was kept.
    ///
    /// # Errors
    /// [`Error::Config`].
    pub fn parse(name: &str, text: &str) -> Result<Self> {
        let mut documents = parse_documents(name, text)?;
        match (documents.pop(), documents.len()) {
            (Some(node), 0) => Self::from_node(node.loosened()),
            (None, _) => Self::from_node(Node::empty(Place::in_file(name))),
            (Some(node), more) => {
                let what = format!("has {} documents, where one is read", more + 1);
                Err(ConfigError::new(node.place, what).into())
            }
        }
    }

    /// The configuration that `node` is.
    ///
    /// # Errors
    /// [`Error::Config`] when it is no map, or too large.
    pub fn from_node(node: Node) -> Result<Self> {
        if !matches!(node.value, Value::Map(_)) {
            let what = "is no map of fields, such as `query: SELECT 1`";
            return Err(ConfigError::new(node.place, what).into());
        }
        let bytes = canonical::bytes(&node)
            .map_err(|error| ConfigError::new(node.place.clone(), error.to_string()))?;
        if bytes.len() > MAX_CONFIG_BYTES {
            let what = format!(
                "has {} bytes, and {MAX_CONFIG_BYTES} are the most that is kept",
                bytes.len()
            );
            return Err(ConfigError::new(node.place, what).into());
        }
        let hash = ContentHash::of(&bytes);
        Ok(Self(Arc::new(Inner { node, bytes: Bytes::from(bytes), hash })))
    }

    /// Its values as a type.
    ///
    /// # Errors
    /// [`Error::Config`] names the field that does not fit.
    pub fn read<T: DeserializeOwned>(&self) -> Result<T> {
        typed(&self.0.node).map_err(Error::Config)
    }

    /// What is wrong with the value at a path such as `inputs[1].range`, for a
    /// rule that types alone do not tell.
    #[must_use]
    pub fn complaint(&self, at: &str, what: impl Into<String>) -> ConfigError {
        ConfigError::new(self.0.node.find(at).place.clone(), what).at(at)
    }

    /// Its canonical bytes.
    #[must_use]
    pub fn bytes(&self) -> &Bytes {
        &self.0.bytes
    }

    /// The hash of its canonical bytes.
    #[must_use]
    pub fn hash(&self) -> ContentHash {
        self.0.hash
    }

    /// Its tree.
    #[must_use]
    pub fn node(&self) -> &Node {
        &self.0.node
    }
}
