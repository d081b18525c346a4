//! The form in which a pond keeps a configuration: JSON, the keys of every map
//! sorted by bytes, indented by two, a newline at the end.
//!
//! So equal configurations are equal bytes, whichever order and style they were
//! written in, and the hash of the bytes is the definition.

use std::collections::BTreeMap;

use serde::{Serialize, Serializer};

use super::node::{Node, Value};

/// The canonical bytes of a tree.
pub(super) fn bytes(node: &Node) -> serde_json::Result<Vec<u8>> {
    let mut bytes = serde_json::to_vec_pretty(node)?;
    bytes.push(b'\n');
    Ok(bytes)
}

impl Serialize for Node {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match &self.value {
            Value::Null => serializer.serialize_unit(),
            Value::Bool(value) => serializer.serialize_bool(*value),
            Value::Int(value) => serializer.serialize_i64(*value),
            Value::Float(value) => serializer.serialize_f64(*value),
            Value::Text(text) => serializer.serialize_str(text),
            Value::Seq(items) => serializer.collect_seq(items),
            Value::Map(entries) => {
                let sorted: BTreeMap<&str, &Self> =
                    entries.iter().map(|(key, node)| (key.text.as_str(), node)).collect();
                serializer.collect_map(sorted)
            }
        }
    }
}
