//! Typed values out of a tree, with errors that know the path and the place.
//!
//! Always true: the first error is the one that is told; a text is never taken
//! for a number, nor a number for a text, unless the text came out of a
//! template or out of what was checked before.
//!
//! A [`Node`] can itself be a field of a typed struct: it is then handed over
//! as it is, places included. So a configuration may hold another one.

use std::cell::RefCell;
use std::fmt;

use serde::de::value::StrDeserializer;
use serde::de::{
    self, DeserializeOwned, DeserializeSeed, Deserializer, EnumAccess, Error as _, Expected,
    IntoDeserializer as _, MapAccess, SeqAccess, Unexpected, VariantAccess, Visitor,
};
use serde::{Deserialize, forward_to_deserialize_any};

use super::error::{ConfigError, nearest};
use super::node::{Key, Node, Place, Value};

/// Asks the reader below to hand over the tree instead of a value.
const AS_NODE: &str = "$factory::Node";

/// A typed value.
///
/// # Errors
/// The first field that is unknown, missing or of another type.
pub fn typed<T: DeserializeOwned>(node: &Node) -> Result<T, ConfigError> {
    let path = Path::Root;
    T::deserialize(Reader { node, path: &path })
        .map_err(|refusal| refusal.placed(&node.place, &path).into())
}

/// The way to a value, kept on the stack while descending.
enum Path<'a> {
    Root,
    Field(&'a Self, &'a str),
    Item(&'a Self, usize),
}

impl fmt::Display for Path<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Root => Ok(()),
            Self::Field(Self::Root, name) => f.write_str(name),
            Self::Field(parent, name) => write!(f, "{parent}.{name}"),
            Self::Item(parent, index) => write!(f, "{parent}[{index}]"),
        }
    }
}

/// Why a value is refused; placed by the innermost reader that knows where.
#[derive(Debug)]
struct Refusal {
    what: String,
    nearest: Option<String>,
    place: Option<(Place, String)>,
}

impl Refusal {
    fn placed(mut self, place: &Place, path: &Path<'_>) -> Self {
        self.place.get_or_insert_with(|| (place.clone(), path.to_string()));
        self
    }
}

impl From<Refusal> for ConfigError {
    fn from(refusal: Refusal) -> Self {
        let (place, at) = refusal.place.unwrap_or_default();
        Self { place, at, what: refusal.what, nearest: refusal.nearest }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.what)
    }
}

impl std::error::Error for Refusal {}

impl de::Error for Refusal {
    fn custom<T: fmt::Display>(message: T) -> Self {
        Self { what: message.to_string(), nearest: None, place: None }
    }

    fn invalid_type(found: Unexpected<'_>, expected: &dyn Expected) -> Self {
        Self::custom(format_args!("is {}, not {}", words_for(found), words_of(expected)))
    }

    fn invalid_value(found: Unexpected<'_>, expected: &dyn Expected) -> Self {
        Self::custom(format_args!("is {}, not {}", words_for(found), words_of(expected)))
    }

    fn invalid_length(length: usize, expected: &dyn Expected) -> Self {
        Self::custom(format_args!("has {length} items, not {expected}"))
    }

    fn unknown_variant(variant: &str, expected: &'static [&'static str]) -> Self {
        let known = expected.join(", ");
        Self {
            nearest: nearest(variant, expected.iter().copied()),
            ..Self::custom(format_args!("`{variant}` is none of {known}"))
        }
    }

    fn unknown_field(field: &str, expected: &'static [&'static str]) -> Self {
        Self {
            nearest: nearest(field, expected.iter().copied()),
            ..Self::custom("there is no such field")
        }
    }

    fn missing_field(field: &'static str) -> Self {
        Self::custom(format_args!("`{field}` is missing"))
    }
}

/// What was found, in the words of a configuration.
fn words_for(found: Unexpected<'_>) -> String {
    match found {
        Unexpected::Bool(value) => format!("`{value}`"),
        Unexpected::Unsigned(value) => format!("the number {value}"),
        Unexpected::Signed(value) => format!("the number {value}"),
        Unexpected::Float(value) => format!("the number {value}"),
        Unexpected::Str(text) => format!("the text `{text}`"),
        Unexpected::Unit | Unexpected::Option => "empty".to_owned(),
        Unexpected::Seq => "a list".to_owned(),
        Unexpected::Map => "a map".to_owned(),
        other => other.to_string(),
    }
}

/// What was expected, in the words of a configuration rather than of Rust.
fn words_of(expected: &dyn Expected) -> String {
    let words = expected.to_string();
    match words.as_str() {
        "f32" | "f64" => "a number".to_owned(),
        "i8" | "i16" | "i32" | "i64" => "a whole number".to_owned(),
        "u8" | "u16" | "u32" | "u64" | "usize" => "a whole number from 0 on".to_owned(),
        "a string" => "text".to_owned(),
        "a sequence" => "a list".to_owned(),
        _ => words,
    }
}

/// Reads one node.
#[derive(Clone, Copy)]
struct Reader<'a> {
    node: &'a Node,
    path: &'a Path<'a>,
}

impl Reader<'_> {
    /// The number that a loose text spells.
    fn number(&self) -> Option<Value> {
        if !self.node.loose {
            return None;
        }
        let text = self.node.text()?.trim();
        if let Ok(number) = text.parse::<i64>() {
            return Some(Value::Int(number));
        }
        text.parse::<f64>().ok().filter(|number| number.is_finite()).map(Value::Float)
    }

    /// The boolean that a loose text spells.
    fn boolean(&self) -> Option<bool> {
        match (self.node.loose, self.node.text()?.trim()) {
            (true, "true") => Some(true),
            (true, "false") => Some(false),
            _ => None,
        }
    }
}

macro_rules! numbers {
    ($($method:ident)*) => {$(
        fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Refusal> {
            match self.number() {
                Some(Value::Int(number)) => visitor.visit_i64(number),
                Some(Value::Float(number)) => visitor.visit_f64(number),
                _ => self.deserialize_any(visitor),
            }
        }
    )*};
}

macro_rules! texts {
    ($($method:ident)*) => {$(
        fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Refusal> {
            match &self.node.value {
                Value::Int(_) | Value::Float(_) | Value::Bool(_) => Err(Refusal::custom(
                    "is a number or a boolean, not text: put it in quotes",
                )),
                _ => self.deserialize_any(visitor),
            }
        }
    )*};
}

impl<'de> Deserializer<'de> for Reader<'_> {
    type Error = Refusal;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Refusal> {
        match &self.node.value {
            Value::Null => visitor.visit_unit(),
            Value::Bool(value) => visitor.visit_bool(*value),
            Value::Int(value) => visitor.visit_i64(*value),
            Value::Float(value) => visitor.visit_f64(*value),
            Value::Text(text) => visitor.visit_str(text),
            Value::Seq(items) => {
                let mut rest = Items { items, index: 0, path: self.path };
                let value = visitor.visit_seq(&mut rest)?;
                match items.len() {
                    all if rest.index < all => Err(Refusal::custom(format_args!(
                        "has {all} items, where {} are read",
                        rest.index
                    ))),
                    _ => Ok(value),
                }
            }
            Value::Map(entries) => {
                visitor.visit_map(Entries { entries, index: 0, path: self.path })
            }
        }
    }

    numbers! {
        deserialize_i8 deserialize_i16 deserialize_i32 deserialize_i64
        deserialize_u8 deserialize_u16 deserialize_u32 deserialize_u64
        deserialize_f32 deserialize_f64
    }

    texts! { deserialize_char deserialize_str deserialize_string deserialize_identifier }

    fn deserialize_bool<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Refusal> {
        match self.boolean() {
            Some(value) => visitor.visit_bool(value),
            None => self.deserialize_any(visitor),
        }
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Refusal> {
        match &self.node.value {
            Value::Null => visitor.visit_none(),
            _ => visitor.visit_some(self),
        }
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        visitor: V,
    ) -> Result<V::Value, Refusal> {
        if name == AS_NODE {
            HANDED_OVER.with_borrow_mut(|slot| *slot = Some(self.node.clone()));
            return visitor.visit_unit();
        }
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _name: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Refusal> {
        match &self.node.value {
            Value::Text(text) => visitor.visit_enum(text.as_str().into_deserializer()),
            Value::Map(entries) => match entries.as_slice() {
                [(key, node)] => visitor.visit_enum(Variant { key, node, path: self.path }),
                _ => Err(Refusal::custom(format_args!(
                    "has {} fields, and takes exactly one of {}",
                    entries.len(),
                    variants.join(", ")
                ))),
            },
            _ => Err(Refusal::custom(format_args!("is none of {}", variants.join(", ")))),
        }
    }

    /// Fields have names: a list is not taken for them, place by place.
    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Refusal> {
        match &self.node.value {
            Value::Seq(_) => {
                Err(Refusal::custom(format_args!("is a list, not a map of {}", fields.join(", "))))
            }
            _ => self.deserialize_any(visitor),
        }
    }

    forward_to_deserialize_any! {
        i128 u128 bytes byte_buf unit unit_struct seq tuple tuple_struct map ignored_any
    }
}

/// The items of a list, one by one.
struct Items<'a> {
    items: &'a [Node],
    index: usize,
    path: &'a Path<'a>,
}

impl<'de> SeqAccess<'de> for &mut Items<'_> {
    type Error = Refusal;

    fn next_element_seed<T: DeserializeSeed<'de>>(
        &mut self,
        seed: T,
    ) -> Result<Option<T::Value>, Refusal> {
        let Some(node) = self.items.get(self.index) else { return Ok(None) };
        let path = Path::Item(self.path, self.index);
        self.index += 1;
        seed.deserialize(Reader { node, path: &path })
            .map(Some)
            .map_err(|refusal| refusal.placed(&node.place, &path))
    }

    fn size_hint(&self) -> Option<usize> {
        Some(self.items.len() - self.index)
    }
}

/// The entries of a map, one by one.
struct Entries<'a> {
    entries: &'a [(Key, Node)],
    index: usize,
    path: &'a Path<'a>,
}

impl<'de> MapAccess<'de> for Entries<'_> {
    type Error = Refusal;

    fn next_key_seed<K: DeserializeSeed<'de>>(
        &mut self,
        seed: K,
    ) -> Result<Option<K::Value>, Refusal> {
        let Some((key, _)) = self.entries.get(self.index) else { return Ok(None) };
        let reader: StrDeserializer<'_, Refusal> = key.text.as_str().into_deserializer();
        seed.deserialize(reader)
            .map(Some)
            .map_err(|refusal| refusal.placed(&key.place, &Path::Field(self.path, &key.text)))
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, Refusal> {
        let Some((key, node)) = self.entries.get(self.index) else {
            return Err(Refusal::custom("has no value"));
        };
        self.index += 1;
        let path = Path::Field(self.path, &key.text);
        seed.deserialize(Reader { node, path: &path })
            .map_err(|refusal| refusal.placed(&node.place, &path))
    }
}

/// A map of one entry as a variant and what it holds.
struct Variant<'a> {
    key: &'a Key,
    node: &'a Node,
    path: &'a Path<'a>,
}

impl<'de, 'a> EnumAccess<'de> for Variant<'a> {
    type Error = Refusal;
    type Variant = Self;

    fn variant_seed<V: DeserializeSeed<'de>>(
        self,
        seed: V,
    ) -> Result<(V::Value, Variant<'a>), Refusal> {
        let reader: StrDeserializer<'_, Refusal> = self.key.text.as_str().into_deserializer();
        match seed.deserialize(reader) {
            Ok(value) => Ok((value, self)),
            Err(refusal) => {
                Err(refusal.placed(&self.key.place, &Path::Field(self.path, &self.key.text)))
            }
        }
    }
}

impl Variant<'_> {
    fn read<T>(&self, read: impl FnOnce(Reader<'_>) -> Result<T, Refusal>) -> Result<T, Refusal> {
        let path = Path::Field(self.path, &self.key.text);
        read(Reader { node: self.node, path: &path })
            .map_err(|refusal| refusal.placed(&self.node.place, &path))
    }
}

impl<'de> VariantAccess<'de> for Variant<'_> {
    type Error = Refusal;

    fn unit_variant(self) -> Result<(), Refusal> {
        self.read(|reader| reader.deserialize_any(NothingVisitor))
    }

    fn newtype_variant_seed<T: DeserializeSeed<'de>>(self, seed: T) -> Result<T::Value, Refusal> {
        self.read(|reader| seed.deserialize(reader))
    }

    fn tuple_variant<V: Visitor<'de>>(
        self,
        _length: usize,
        visitor: V,
    ) -> Result<V::Value, Refusal> {
        self.read(|reader| reader.deserialize_any(visitor))
    }

    fn struct_variant<V: Visitor<'de>>(
        self,
        _fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Refusal> {
        self.read(|reader| reader.deserialize_any(visitor))
    }
}

/// Takes nothing but emptiness.
struct NothingVisitor;

impl Visitor<'_> for NothingVisitor {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("nothing")
    }

    fn visit_unit<E: de::Error>(self) -> Result<(), E> {
        Ok(())
    }
}

thread_local! {
    /// The way around serde's data model: what a reader hands over to the
    /// [`Node`] that asks for it, taken before anything else is read.
    static HANDED_OVER: RefCell<Option<Node>> = const { RefCell::new(None) };
}

impl<'de> Deserialize<'de> for Node {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_newtype_struct(AS_NODE, NodeVisitor)
    }
}

struct NodeVisitor;

impl<'de> Visitor<'de> for NodeVisitor {
    type Value = Node;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a configuration")
    }

    fn visit_unit<E: de::Error>(self) -> Result<Node, E> {
        HANDED_OVER
            .with_borrow_mut(Option::take)
            .ok_or_else(|| E::custom("a configuration inside another is read from a tree only"))
    }
}
