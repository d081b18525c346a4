//! What is wrong with a configuration, and where.

use std::fmt;

use super::node::Place;

/// How alike two names have to be for one to be proposed for the other
/// (Jaro-Winkler, 0 to 1).
const ALIKE: f64 = 0.7;

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

/// The name that is most like what was written, when one is like it at all;
/// among names that differ in their case alone the one in the case written.
pub fn nearest<'a>(written: &str, valid: impl IntoIterator<Item = &'a str>) -> Option<String> {
    let lower = written.to_lowercase();
    valid
        .into_iter()
        .map(|name| {
            let alike = strsim::jaro_winkler(&lower, &name.to_lowercase());
            (alike, strsim::jaro_winkler(written, name), name)
        })
        .filter(|(alike, ..)| *alike > ALIKE)
        .max_by(|a, b| a.0.total_cmp(&b.0).then(a.1.total_cmp(&b.1)))
        .map(|(.., name)| name.to_owned())
}
