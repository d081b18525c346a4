//! Patterns over names of columns.
//!
//! `*` and `?` are any characters and one, `[..]` one of a set, `{a,b}` one of
//! alternatives, as in a path's component; dots mean nothing.

use diagnostics::nearest;
use tinyfs::path::FsPath;
use tinyfs::{Glob, GlobOptions};

use crate::{Error, Result};

/// How many names an error suggests.
const SUGGESTIONS: usize = 3;

/// What stands for a slash, which a column's name may have and a component of
/// a path may not.
const SLASH: &str = "\u{2044}";

/// A pattern over names of columns.
#[derive(Clone, Debug)]
pub(crate) struct ColumnGlob {
    text: String,
    glob: Glob,
}

impl ColumnGlob {
    pub(crate) fn parse(text: &str) -> Result<Self> {
        let glob = Glob::parse(&text.replace('/', SLASH))?;
        Ok(Self { text: text.to_owned(), glob })
    }

    pub(crate) fn matches(&self, column: &str) -> bool {
        if self.text == column {
            return true;
        }
        // A name that is no component of a path, such as `..`, is matched by
        // itself alone.
        let Ok(path) = FsPath::parse(&column.replace('/', SLASH)) else { return false };
        let options = GlobOptions { hidden: true, follow: false };
        self.glob.captures(&path, options).is_some()
    }

    /// The error for a pattern that no column of `columns` matches.
    pub(crate) fn no_match<'a>(&self, columns: impl IntoIterator<Item = &'a str>) -> Error {
        no_column(&self.text, columns)
    }
}

/// The error for a name that no column of `columns` has.
pub(crate) fn no_column<'a>(wish: &str, columns: impl IntoIterator<Item = &'a str>) -> Error {
    let columns: Vec<&str> = columns.into_iter().collect();
    let mut named = nearest(wish, columns.iter().copied(), SUGGESTIONS);
    if named.is_empty() {
        named = columns.into_iter().take(SUGGESTIONS).collect();
    }
    let columns = named.into_iter().map(str::to_owned).collect();
    Error::NoColumn { column: wish.to_owned(), columns }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dots_and_slashes_of_names_mean_nothing() {
        let matches = |pattern: &str, name: &str| ColumnGlob::parse(pattern).unwrap().matches(name);
        assert!(matches("*.temperature.*", "Probe.temperature.degC"));
        assert!(!matches("*.temperature.*", "Probe.depth.m"));
        assert!(matches("DO.mg/L", "DO.mg/L"));
        assert!(matches("DO.*", "DO.mg/L"));
        assert!(matches("{a,b}?", "b1"));
        assert!(matches("*", ".hidden"));
        assert!(matches("..", ".."));
    }
}
