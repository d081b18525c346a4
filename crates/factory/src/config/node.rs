//! What a configuration is made of before anybody asks for types: a tree of
//! values, each with the place where it stands.
//!
//! Always true: a tree has no aliases, no templates and no duplicate keys; a
//! place is where the user wrote the value, also after a template was put in.
//!
//! Deliberately not here: reading text ([`super::yaml`]) and types
//! ([`super::typed`]).

use std::fmt;
use std::sync::Arc;

/// Where something stands in a file, both counted from one.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Place {
    /// The file, as the user named it; a node's path for what is stored.
    pub file: Arc<str>,
    /// The line; 0 is unknown.
    pub line: u64,
    /// The column, in characters.
    pub column: u64,
}

impl Place {
    /// Somewhere in `file`.
    pub fn in_file(file: &str) -> Self {
        Self { file: Arc::from(file), line: 0, column: 0 }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&*self.file, self.line) {
            (file, 0) => f.write_str(file),
            ("", line) => write!(f, "{line}:{}", self.column),
            (file, line) => write!(f, "{file}:{line}:{}", self.column),
        }
    }
}

/// A value and where it stands.
#[derive(Clone, Debug)]
pub struct Node {
    /// What it is.
    pub value: Value,
    /// Where it stands.
    pub place: Place,
    /// Whether a text may be taken for the number or the boolean that it
    /// spells: it came out of a template, or out of a configuration that was
    /// checked before it was stored.
    pub loose: bool,
}

/// A value of a configuration.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// Nothing.
    Null,
    /// True or false.
    Bool(bool),
    /// A whole number.
    Int(i64),
    /// A finite number.
    Float(f64),
    /// Text.
    Text(String),
    /// A list.
    Seq(Vec<Node>),
    /// A map, in the order in which it was written.
    Map(Vec<(Key, Node)>),
}

/// A key of a map.
#[derive(Clone, Debug)]
pub struct Key {
    /// What it says.
    pub text: String,
    /// Where it stands.
    pub place: Place,
}

/// Two trees are equal when their values are, wherever they stand.
impl PartialEq for Node {
    fn eq(&self, other: &Self) -> bool {
        self.value == other.value
    }
}

/// Two keys are equal when their texts are.
impl PartialEq for Key {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

impl Node {
    /// A value that was written at this place.
    pub const fn new(value: Value, place: Place) -> Self {
        Self { value, place, loose: false }
    }

    /// An empty map at this place.
    pub const fn empty(place: Place) -> Self {
        Self::new(Value::Map(Vec::new()), place)
    }

    /// The value under a key of a map.
    pub fn get(&self, key: &str) -> Option<&Self> {
        match &self.value {
            Value::Map(entries) => {
                entries.iter().find(|(name, _)| name.text == key).map(|(_, node)| node)
            }
            _ => None,
        }
    }

    /// The text, where it is one.
    pub fn text(&self) -> Option<&str> {
        match &self.value {
            Value::Text(text) => Some(text),
            _ => None,
        }
    }

    /// The items, where it is a list.
    pub fn items(&self) -> &[Self] {
        match &self.value {
            Value::Seq(items) => items,
            _ => &[],
        }
    }

    /// What a path such as `inputs[1].range.begin` names; where it names
    /// nothing, the last thing on the way that is there.
    pub fn find(&self, path: &str) -> &Self {
        let mut found = self;
        for step in path.split('.').flat_map(|part| part.split_inclusive('[')) {
            let step = step.trim_end_matches('[');
            let next = match step.strip_suffix(']').and_then(|index| index.parse::<usize>().ok()) {
                Some(index) => found.items().get(index),
                None if step.is_empty() => Some(found),
                None => found.get(step),
            };
            match next {
                Some(next) => found = next,
                None => break,
            }
        }
        found
    }

    /// The same tree, in which any text may stand for what it spells.
    pub(crate) fn loosened(mut self) -> Self {
        self.loose = true;
        self.value = match self.value {
            Value::Seq(items) => Value::Seq(items.into_iter().map(Self::loosened).collect()),
            Value::Map(entries) => {
                Value::Map(entries.into_iter().map(|(key, node)| (key, node.loosened())).collect())
            }
            other => other,
        };
        self
    }
}
