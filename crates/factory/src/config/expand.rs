//! Templates in configurations, expanded value by value after the text was
//! read, so that no variable can change the shape of what is around it.
//!
//! Always true: only texts that hold `{{` are touched; what comes out is one
//! text, and is not looked through again; an unknown variable is an error with
//! the place of the text. `env(name="X")` gives the reference `${env:X}` and
//! never the variable's value.
//!
//! Deliberately not here: loops and conditions, which a declaration does not
//! need and a hostile one would use.

use std::collections::BTreeMap;

use super::error::ConfigError;
use super::node::{Node, Value};
use crate::render;

/// The longest value of a variable.
const MAX_VALUE_BYTES: usize = 64 << 10;

/// Variables by name.
#[derive(Clone, Debug, Default)]
pub struct Values(BTreeMap<String, String>);

impl Values {
    /// Adds a variable.
    ///
    /// # Errors
    /// What is wrong with its name or its length.
    pub fn set(&mut self, name: &str, value: &str) -> Result<(), String> {
        let begins = |c: char| c.is_ascii_alphabetic() || c == '_';
        let goes_on = |c: char| c.is_ascii_alphanumeric() || c == '_';
        if !name.starts_with(begins) || !name.chars().all(goes_on) || name.starts_with("__") {
            return Err(format!(
                "`{name}` is no name of a variable: letters, digits and `_`, a letter first"
            ));
        }
        if value.len() > MAX_VALUE_BYTES {
            return Err(format!("the value of `{name}` is longer than 64 KiB"));
        }
        if self.0.insert(name.to_owned(), value.to_owned()).is_some() {
            return Err(format!("`{name}` is given twice"));
        }
        Ok(())
    }

    /// The variables and their values, by name.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }
}

/// The tree with its templates expanded. `is_raw` says of a path such as
/// `spec.config.template` whether what is there is a template of its own, and
/// left alone.
///
/// # Errors
/// The first text that does not expand.
pub fn expand(
    node: Node,
    values: &Values,
    is_raw: &dyn Fn(&str) -> bool,
) -> Result<Node, ConfigError> {
    expand_at(node, values, is_raw, "")
}

fn expand_at(
    node: Node,
    values: &Values,
    is_raw: &dyn Fn(&str) -> bool,
    path: &str,
) -> Result<Node, ConfigError> {
    if is_raw(path) {
        return Ok(node);
    }
    let Node { value, place, loose } = node;
    match value {
        Value::Text(text) if text.contains("{{") => match render::scalar(&text, values) {
            Ok(text) => Ok(Node { value: Value::Text(text), place, loose: true }),
            Err(refusal) => Err(ConfigError {
                nearest: refusal.nearest,
                ..ConfigError::new(place, refusal.what).at(path)
            }),
        },
        Value::Seq(items) => {
            let items = items.into_iter().enumerate();
            let items = items
                .map(|(index, item)| expand_at(item, values, is_raw, &format!("{path}[{index}]")))
                .collect::<Result<_, _>>()?;
            Ok(Node { value: Value::Seq(items), place, loose })
        }
        Value::Map(entries) => {
            let entries = entries
                .into_iter()
                .map(|(key, item)| {
                    let dot = if path.is_empty() { "" } else { "." };
                    let path = format!("{path}{dot}{}", key.text);
                    if key.text.contains("{{") {
                        let what = "a name of a field is not expanded";
                        return Err(ConfigError::new(key.place, what).at(path));
                    }
                    Ok((key, expand_at(item, values, is_raw, &path)?))
                })
                .collect::<Result<_, _>>()?;
            Ok(Node { value: Value::Map(entries), place, loose })
        }
        value => Ok(Node { value, place, loose }),
    }
}
