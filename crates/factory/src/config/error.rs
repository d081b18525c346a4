//! What is wrong with a configuration, and where.

use std::fmt;

use super::node::Place;

/// What is wrong with a configuration.
///
/// It reads `pond.yaml:31:13: inputs[1].patern: there is no such field`; what
/// was meant instead is for the caller to show as a hint.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigError {
    /// Where it stands.
    pub place: Place,
    /// Which value, such as `inputs[1].range.begin`; empty for the whole.
    pub at: String,
    /// What is wrong with it.
    pub what: String,
    /// The valid name that is nearest to what was written.
    pub nearest: Option<String>,
}

impl ConfigError {
    /// What is wrong with the whole of a configuration.
    pub fn new(place: Place, what: impl Into<String>) -> Self {
        Self { place, at: String::new(), what: what.into(), nearest: None }
    }

    /// Names the value.
    #[must_use]
    pub fn at(mut self, at: impl Into<String>) -> Self {
        self.at = at.into();
        self
    }

    /// The same of a value that stands inside another: its path begins there.
    #[must_use]
    pub fn inside(mut self, outer: &str) -> Self {
        self.at = match (outer.is_empty(), self.at.as_str()) {
            (true, _) => self.at,
            (false, "") => outer.to_owned(),
            (false, at) if at.starts_with('[') => format!("{outer}{at}"),
            (false, at) => format!("{outer}.{at}"),
        };
        self
    }
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let place = self.place.to_string();
        if !place.is_empty() {
            write!(f, "{place}: ")?;
        }
        if !self.at.is_empty() {
            write!(f, "{}: ", self.at)?;
        }
        f.write_str(&self.what)
    }
}

impl std::error::Error for ConfigError {}

/// The valid name that was meant, when one is near and no other as near.
pub fn nearest<'a>(written: &str, valid: impl IntoIterator<Item = &'a str>) -> Option<String> {
    diagnostics::nearest_one(written, valid).map(str::to_owned)
}
