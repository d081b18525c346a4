//! The documents of `pond apply`: what each declares.
//!
//! ```yaml
//! version: v1
//! kind: mknod
//! metadata: { path: /combined }
//! spec: { factory: dynamic-dir, config: { entries: [] } }
//! ```
//!
//! Deliberately not here: what a factory makes of its configuration, and
//! whether the path is free.

use serde::Deserialize;

use super::error::ConfigError;
use super::node::{Node, Place};
use super::typed::typed;

/// One document.
#[derive(Clone, Debug)]
pub struct Document {
    /// The path that it is about.
    pub path: String,
    /// Where the path stands.
    pub path_place: Place,
    /// What is declared of it.
    pub kind: Kind,
}

/// What a document declares.
#[derive(Clone, Debug)]
pub enum Kind {
    /// A directory.
    Mkdir,
    /// A computed node.
    Mknod(Mknod),
}

/// A computed node.
#[derive(Clone, Debug)]
pub struct Mknod {
    /// Its factory.
    pub factory: String,
    /// Where the factory's name stands.
    pub factory_place: Place,
    /// Its configuration.
    pub config: Node,
}

/// The frame of every document.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Frame {
    version: Version,
    kind: KindName,
    metadata: Metadata,
    #[serde(default)]
    spec: Option<Node>,
}

#[derive(Clone, Copy, Deserialize)]
enum Version {
    #[serde(rename = "v1")]
    V1,
}

#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "lowercase")]
enum KindName {
    Mkdir,
    Mknod,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Metadata {
    path: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct MkdirSpec {}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct MknodSpec {
    factory: String,
    #[serde(default)]
    config: Option<Node>,
}

impl Document {
    /// What a document that was expanded declares.
    ///
    /// # Errors
    /// The first field that is unknown, missing or of another type.
    pub fn read(node: &Node) -> Result<Self, ConfigError> {
        let frame: Frame = typed(node)?;
        let Version::V1 = frame.version;
        let spec = frame.spec.unwrap_or_else(|| Node::empty(node.place.clone()));
        let inside = |error: ConfigError| error.inside("spec");
        let kind = match frame.kind {
            KindName::Mkdir => {
                let MkdirSpec {} = typed(&spec).map_err(inside)?;
                Kind::Mkdir
            }
            KindName::Mknod => {
                let read: MknodSpec = typed(&spec).map_err(inside)?;
                Kind::Mknod(Mknod {
                    factory: read.factory,
                    factory_place: spec.find("factory").place.clone(),
                    config: read.config.unwrap_or_else(|| Node::empty(spec.place.clone())),
                })
            }
        };
        let path_place = node.find("metadata.path").place.clone();
        Ok(Self { path: frame.metadata.path, path_place, kind })
    }
}
