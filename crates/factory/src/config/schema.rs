//! A builder of JSON Schemas, as much of them as editors need to complete a
//! configuration and to say what a field is.
//!
//! Deliberately not here: validation by schema. Configurations are read by
//! their types, and a test compares the fields of both.

use serde_json::{Map, Value, json};

/// The schema of one value.
#[derive(Clone, Debug)]
pub struct Schema(Value);

/// A field of an object.
#[derive(Clone, Debug)]
pub struct Field {
    name: &'static str,
    schema: Schema,
    required: bool,
}

impl Field {
    /// A field that has to be there.
    pub fn required(name: &'static str, schema: Schema, about: &'static str) -> Self {
        Self { name, schema: schema.about(about), required: true }
    }

    /// A field that may be left out.
    pub fn optional(name: &'static str, schema: Schema, about: &'static str) -> Self {
        Self { name, schema: schema.about(about), required: false }
    }
}

impl Schema {
    fn typed(name: &str) -> Self {
        Self(json!({ "type": name }))
    }

    fn with(mut self, key: &str, value: Value) -> Self {
        if let Value::Object(map) = &mut self.0 {
            map.insert(key.to_owned(), value);
        }
        self
    }

    /// Says what the value is for.
    #[must_use]
    pub fn about(self, text: &str) -> Self {
        self.with("description", Value::from(text))
    }

    /// The value that holds where none is given.
    #[must_use]
    pub fn default(self, value: impl Into<Value>) -> Self {
        self.with("default", value.into())
    }

    /// Text.
    pub fn text() -> Self {
        Self::typed("string")
    }

    /// A number.
    pub fn number() -> Self {
        Self::typed("number")
    }

    /// A whole number.
    pub fn integer() -> Self {
        Self::typed("integer")
    }

    /// True or false.
    pub fn boolean() -> Self {
        Self::typed("boolean")
    }

    /// A length of time, such as `15m`.
    pub fn interval() -> Self {
        Self::text().with("pattern", Value::from("^([0-9]+(us|ms|s|m|min|h|d|w))+$"))
    }

    /// A moment with an offset.
    pub fn instant() -> Self {
        Self::text().with("format", Value::from("date-time"))
    }

    /// One of these texts.
    pub fn one_of(texts: &[&str]) -> Self {
        Self(json!({ "enum": texts }))
    }

    /// A list.
    pub fn list(item: Self) -> Self {
        Self::typed("array").with("items", item.0)
    }

    /// A map from any name to values of one kind.
    pub fn map(value: Self) -> Self {
        Self::typed("object").with("additionalProperties", value.0)
    }

    /// An object of any fields.
    pub fn any_object() -> Self {
        Self::typed("object")
    }

    /// One of several.
    pub fn any_of(of: impl IntoIterator<Item = Self>) -> Self {
        Self(json!({ "anyOf": of.into_iter().map(|one| one.0).collect::<Vec<_>>() }))
    }

    /// The same, or null.
    #[must_use]
    pub fn or_null(self) -> Self {
        Self::any_of([self, Self::typed("null")])
    }

    /// An object of these fields and no other.
    pub fn object(fields: impl IntoIterator<Item = Field>) -> Self {
        let mut properties = Map::new();
        let mut required = Vec::new();
        for field in fields {
            if field.required {
                required.push(field.name);
            }
            properties.insert(field.name.to_owned(), field.schema.0);
        }
        Self(json!({
            "type": "object",
            "properties": properties,
            "required": required,
            "additionalProperties": false,
        }))
    }

    /// As JSON.
    #[must_use]
    pub fn into_json(self) -> Value {
        self.0
    }
}
