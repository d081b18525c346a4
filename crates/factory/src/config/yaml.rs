//! YAML as trees of values with their places.
//!
//! Always true: what one file may cost is bounded before it is read (its size)
//! and while it is read (depth, nodes, aliases); a key stands once in a map;
//! `yes` and `on` are text.
//!
//! Deliberately not here: what the values mean, and templates.

use std::fmt;
use std::sync::Arc;

use serde::Deserialize;
use serde::de::{self, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_saphyr::Spanned;

use super::error::ConfigError;
use super::node::{Key, Node, Place, Value};

/// A file of more is not read.
pub const MAX_TEXT_BYTES: usize = 1 << 20;
/// How deep lists and maps nest: more than directories within directories
/// take, and little enough for the stack of a small thread.
const MAX_DEPTH: usize = 40;
/// Values in one file.
const MAX_NODES: usize = 100_000;
/// Events of the parser, of which a value makes up to three.
const MAX_EVENTS: usize = 400_000;
/// Uses of anchors in one file.
const MAX_ALIASES: usize = 1_000;
/// Anchors in one file.
const MAX_ANCHORS: usize = 200;
/// Events that aliases stand for, all together.
const MAX_REPLAYED: usize = 200_000;
/// Documents in one file.
const MAX_DOCUMENTS: usize = 1_000;

/// The documents of one file; empty ones are left out.
///
/// # Errors
/// The first thing that is no YAML, or is beyond a limit, with its place.
pub fn parse_documents(file: &str, text: &str) -> Result<Vec<Node>, ConfigError> {
    let file: Arc<str> = Arc::from(file);
    let whole = || Place { file: Arc::clone(&file), line: 0, column: 0 };
    if text.len() > MAX_TEXT_BYTES {
        return Err(ConfigError::new(
            whole(),
            format!("has {} bytes, and {MAX_TEXT_BYTES} are the most that is read", text.len()),
        ));
    }
    let documents: Vec<Spanned<Any>> = serde_saphyr::from_multiple_with_options(text, options())
        .map_err(|error| {
            let place = error.location().map_or_else(whole, |at| place_of(&file, &at));
            ConfigError::new(place, words_of(&error))
        })?;
    documents.into_iter().map(|document| node_of(&file, document)).collect()
}

fn options() -> serde_saphyr::Options {
    serde_saphyr::options! {
        strict_booleans: true,
        with_snippet: false,
        underscored_numbers_as_strings: true,
        leading_zero_numbers_as_strings: true,
        budget: serde_saphyr::budget! {
            max_depth: MAX_DEPTH,
            max_nodes: MAX_NODES,
            max_events: MAX_EVENTS,
            max_aliases: MAX_ALIASES,
            max_anchors: MAX_ANCHORS,
            max_documents: MAX_DOCUMENTS,
            max_total_scalar_bytes: MAX_TEXT_BYTES,
            enforce_alias_anchor_ratio: true,
        },
        alias_limits: serde_saphyr::alias_limits! {
            max_total_replayed_events: MAX_REPLAYED,
        },
    }
}

/// The parser's words without the place, which is told apart from them.
fn words_of(error: &serde_saphyr::Error) -> String {
    let text = error.to_string();
    let first = text.lines().next().unwrap_or_default();
    if let Some(breach) = first.split("budget breached: ").nth(1) {
        return words_of_breach(breach);
    }
    let Some(location) = error.location() else { return first.to_owned() };
    let (line, column) = (location.line(), location.column());
    first
        .replace(&format!(" at line {line}, column {column}"), "")
        .replace(&format!("line {line} column {column}: "), "")
        .trim_start_matches("error: ")
        .to_owned()
}

/// The limit that a text is beyond, in our words.
fn words_of_breach(breach: &str) -> String {
    let limits = [
        ("Depth", format!("nests deeper than {MAX_DEPTH} lists and maps")),
        ("Nodes", format!("holds more than {MAX_NODES} values, those of aliases included")),
        ("Events", format!("holds more than {MAX_NODES} values, those of aliases included")),
        ("Aliases", format!("uses aliases more than {MAX_ALIASES} times")),
        ("Anchors", format!("has more than {MAX_ANCHORS} anchors")),
        ("Documents", format!("has more than {MAX_DOCUMENTS} documents")),
    ];
    limits
        .into_iter()
        .find(|(name, _)| breach.starts_with(name))
        .map_or_else(|| format!("costs more to read than is allowed: {breach}"), |(_, text)| text)
}

fn place_of(file: &Arc<str>, at: &serde_saphyr::Location) -> Place {
    Place { file: Arc::clone(file), line: at.line(), column: at.column() }
}

fn node_of(file: &Arc<str>, any: Spanned<Any>) -> Result<Node, ConfigError> {
    // What an alias stands for is told where the alias stands, because the
    // same text may be right in one place and wrong in another.
    let place = place_of(file, &any.referenced);
    let value = match any.value {
        Any::Null => Value::Null,
        Any::Bool(value) => Value::Bool(value),
        Any::Int(value) => Value::Int(value),
        Any::Float(value) => Value::Float(value),
        Any::Text(value) => Value::Text(value),
        Any::TooLarge(value) => {
            return Err(ConfigError::new(place, format!("the number {value} is too large")));
        }
        Any::Seq(items) => {
            Value::Seq(items.into_iter().map(|item| node_of(file, item)).collect::<Result<_, _>>()?)
        }
        Any::Map(entries) => {
            let mut map = Vec::with_capacity(entries.len());
            for (key, value) in entries {
                let node = node_of(file, value)?;
                let at = place_of(file, &key.referenced);
                // A key that the parser can not place stands before its value.
                let place = if at.line == 0 { node.place.clone() } else { at };
                map.push((Key { text: key.value, place }, node));
            }
            Value::Map(map)
        }
    };
    Ok(Node::new(value, place))
}

/// Any YAML value. Its places are around it, so that serde never buffers it,
/// which would lose them.
enum Any {
    Null,
    Bool(bool),
    Int(i64),
    Float(f64),
    Text(String),
    TooLarge(u64),
    Seq(Vec<Spanned<Any>>),
    Map(Vec<(Spanned<String>, Spanned<Any>)>),
}

impl<'de> Deserialize<'de> for Any {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(AnyVisitor)
    }
}

struct AnyVisitor;

impl<'de> Visitor<'de> for AnyVisitor {
    type Value = Any;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_unit<E: de::Error>(self) -> Result<Any, E> {
        Ok(Any::Null)
    }

    fn visit_none<E: de::Error>(self) -> Result<Any, E> {
        Ok(Any::Null)
    }

    fn visit_bool<E: de::Error>(self, value: bool) -> Result<Any, E> {
        Ok(Any::Bool(value))
    }

    fn visit_i64<E: de::Error>(self, value: i64) -> Result<Any, E> {
        Ok(Any::Int(value))
    }

    fn visit_u64<E: de::Error>(self, value: u64) -> Result<Any, E> {
        Ok(i64::try_from(value).map_or(Any::TooLarge(value), Any::Int))
    }

    fn visit_f64<E: de::Error>(self, value: f64) -> Result<Any, E> {
        Ok(Any::Float(value))
    }

    fn visit_str<E: de::Error>(self, value: &str) -> Result<Any, E> {
        Ok(Any::Text(value.to_owned()))
    }

    fn visit_string<E: de::Error>(self, value: String) -> Result<Any, E> {
        Ok(Any::Text(value))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Any, A::Error> {
        let mut items = Vec::new();
        while let Some(item) = seq.next_element()? {
            items.push(item);
        }
        Ok(Any::Seq(items))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Any, A::Error> {
        let mut entries = Vec::new();
        while let Some(entry) = map.next_entry()? {
            entries.push(entry);
        }
        Ok(Any::Map(entries))
    }
}
