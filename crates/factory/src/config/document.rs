//! The documents of `pond apply`: what each declares.
//!
//! ```yaml
//! version: v1
//! kind: mknod
//! metadata: { path: /combined }
//! spec: { factory: dynamic-dir, config: { entries: [] } }
//! ---
//! version: v1
//! kind: attributes
//! metadata: { path: /sensors/dock.series, freshness: 3h }
//! spec: { temporal_bounds: { start: 2024-01-01T00:00:00Z } }
//! ```
//!
//! Deliberately not here: what a factory makes of its configuration, and
//! whether the path is free.

use std::str::FromStr;

use serde::{Deserialize, Deserializer};

use super::error::ConfigError;
use super::node::{Node, Place};
use super::quantity::{Instant, Interval, Parsed};
use super::typed::typed;

/// One document.
#[derive(Clone, Debug)]
pub struct Document {
    /// The path that it is about.
    pub path: String,
    /// Where the path stands.
    pub path_place: Place,
    /// How old its newest event may be, if that is declared.
    pub freshness: Option<Freshness>,
    /// What is declared of it.
    pub kind: Kind,
}

/// How old the newest event of something may be: a length of time, or `none`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Freshness {
    /// As old as it likes.
    Any,
    /// So many seconds.
    Within(u64),
}

impl FromStr for Freshness {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text == "none" {
            return Ok(Self::Any);
        }
        let interval: Interval = text.parse()?;
        let seconds = interval.us.div_euclid(1_000_000);
        let more = i64::from(interval.us.rem_euclid(1_000_000) > 0);
        Ok(Self::Within((seconds + more).unsigned_abs()))
    }
}

impl<'de> Deserialize<'de> for Freshness {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_str(Parsed::new("a length of time such as 3h, or `none`"))
    }
}

/// What a document declares.
#[derive(Clone, Debug)]
pub enum Kind {
    /// A directory.
    Mkdir,
    /// A computed node.
    Mknod(Mknod),
    /// What is said of something that is there.
    Attributes(NodeAttributes),
    /// A file of the host, to be copied as this says.
    Copy(Node),
}

/// The first and the last of some times, in microseconds since 1970 UTC, where
/// there are such.
pub type TimesUs = (Option<i64>, Option<i64>);

/// What is said of a node, whatever it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NodeAttributes {
    /// The first and the last time of a series that queries see, if they are
    /// declared; neither takes the bounds away.
    pub temporal_bounds: Option<TimesUs>,
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
    Attributes,
    Copy,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Metadata {
    path: String,
    freshness: Option<Freshness>,
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

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct AttributesSpec {
    freshness: Option<Freshness>,
    temporal_bounds: Option<Bounds>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Bounds {
    start: Option<Instant>,
    end: Option<Instant>,
}

impl AttributesSpec {
    fn bounds(&self, spec: &Node) -> Result<Option<TimesUs>, ConfigError> {
        let Some(Bounds { start, end }) = &self.temporal_bounds else { return Ok(None) };
        if let (Some(start), Some(end)) = (start, end)
            && end < start
        {
            let place = spec.find("temporal_bounds.end").place.clone();
            let error = ConfigError::new(place, "is before the start");
            return Err(error.at("spec.temporal_bounds.end"));
        }
        let us = |time: &Option<Instant>| time.map(|time| time.us);
        Ok(Some((us(start), us(end))))
    }
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
        let mut freshness = frame.metadata.freshness;
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
            KindName::Copy => Kind::Copy(spec),
            KindName::Attributes => {
                let read: AttributesSpec = typed(&spec).map_err(inside)?;
                let temporal_bounds = read.bounds(&spec)?;
                if freshness.is_some() && read.freshness.is_some() {
                    let place = spec.find("freshness").place.clone();
                    let error = ConfigError::new(place, "stands under `metadata` already");
                    return Err(error.at("spec.freshness"));
                }
                freshness = freshness.or(read.freshness);
                if freshness.is_none() && temporal_bounds.is_none() {
                    let what = "says nothing: it takes `freshness` and `temporal_bounds`";
                    return Err(ConfigError::new(spec.place.clone(), what).at("spec"));
                }
                Kind::Attributes(NodeAttributes { temporal_bounds })
            }
        };
        let path_place = node.find("metadata.path").place.clone();
        Ok(Self { path: frame.metadata.path, path_place, freshness, kind })
    }
}
