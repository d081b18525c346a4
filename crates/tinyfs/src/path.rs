//! Paths: how a text is taken apart, and how one is written.
//!
//! A path is names and `..` between slashes. `.`, doubled slashes and a slash
//! at the end are dropped when it is parsed; that it ended in a slash (or in
//! `.` or `..`), and so means a directory, is remembered. `..` is kept, because
//! after a symlink only the file system knows where it leads.
//!
//! Always true: a parsed path has only valid names; writing it and parsing it
//! again gives the same path.
//!
//! Deliberately not here: what a path leads to; see [`Fs`](crate::Fs).

use std::fmt;
use std::str::FromStr;

use crate::{Error, Name, NameProblem, Result};

/// The longest path as a text, in bytes.
pub const PATH_MAX_BYTES: usize = 65_536;

/// The path of the root directory.
pub const ROOT: &str = "/";

/// One step of a path.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Component {
    /// To the entry of this name.
    Name(Name),
    /// To the directory above: `..`.
    Parent,
}

impl fmt::Display for Component {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Name(name) => name.fmt(f),
            Self::Parent => f.write_str(".."),
        }
    }
}

/// A path, taken apart and checked.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct FsPath {
    absolute: bool,
    components: Vec<Component>,
    directory: bool,
}

impl FsPath {
    /// Takes `text` apart.
    ///
    /// # Errors
    /// [`Error::BadPath`] names the path and the component that is not a name.
    pub fn parse(text: &str) -> Result<Self> {
        if text.is_empty() {
            return Err(bad(text, "it is empty"));
        }
        if text.len() > PATH_MAX_BYTES {
            return Err(bad(text, format!("it has more than {PATH_MAX_BYTES} bytes")));
        }
        let mut components = Vec::new();
        for part in text.split('/') {
            match part {
                "" | "." => {}
                ".." => components.push(Component::Parent),
                name => components.push(Component::Name(checked(text, name)?)),
            }
        }
        let last = text.rsplit('/').next().unwrap_or(text);
        Ok(Self {
            absolute: text.starts_with('/'),
            components,
            directory: matches!(last, "" | "." | ".."),
        })
    }

    /// Whether it starts at the root.
    #[must_use]
    pub const fn is_absolute(&self) -> bool {
        self.absolute
    }

    /// Whether it was written as the path of a directory: with a slash, `.` or
    /// `..` at its end.
    #[must_use]
    pub const fn means_directory(&self) -> bool {
        self.directory
    }

    /// Its steps.
    #[must_use]
    pub fn components(&self) -> &[Component] {
        &self.components
    }

    /// The path without its last name, and that name; `None` when it has no
    /// steps or ends in `..`.
    #[must_use]
    pub fn split_last(mut self) -> Option<(Self, Name)> {
        match self.components.pop()? {
            Component::Name(name) => Some((Self { directory: true, ..self }, name)),
            Component::Parent => None,
        }
    }

    /// The path with every `..` worked out by text alone, which is where it
    /// leads if no symlink is on the way. An absolute path stays below the
    /// root; a relative one may begin with `..`.
    #[must_use]
    pub fn lexical(&self) -> Self {
        let mut components: Vec<Component> = Vec::with_capacity(self.components.len());
        for component in &self.components {
            match (component, components.last()) {
                (Component::Parent, Some(Component::Name(_))) => drop(components.pop()),
                (Component::Parent, None) if self.absolute => {}
                _ => components.push(component.clone()),
            }
        }
        Self { absolute: self.absolute, components, directory: self.directory }
    }
}

impl fmt::Display for FsPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.components.is_empty() {
            return f.write_str(if self.absolute { "/" } else { "." });
        }
        for (at, component) in self.components.iter().enumerate() {
            if at > 0 || self.absolute {
                f.write_str("/")?;
            }
            component.fmt(f)?;
        }
        let ends_in_name = matches!(self.components.last(), Some(Component::Name(_)));
        if self.directory && ends_in_name { f.write_str("/") } else { Ok(()) }
    }
}

impl FromStr for FsPath {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        Self::parse(text)
    }
}

/// `dir` and `name` as one path; both are taken to be normal already.
#[must_use]
pub fn join(dir: &str, name: &str) -> String {
    let mut path = String::with_capacity(dir.len() + 1 + name.len());
    path.push_str(dir);
    push(&mut path, name);
    path
}

/// Makes the path of a directory that of a name in it.
pub(crate) fn push(path: &mut String, name: &str) {
    if !path.ends_with('/') {
        path.push('/');
    }
    path.push_str(name);
}

/// The directory part of a normal absolute path; `None` for the root.
#[must_use]
pub fn parent(path: &str) -> Option<&str> {
    match path.rsplit_once('/')? {
        (_, "") => None,
        ("", _) => Some(ROOT),
        (dir, _) => Some(dir),
    }
}

/// The last name of a normal path; `None` for the root.
#[must_use]
pub fn file_name(path: &str) -> Option<&str> {
    path.rsplit('/').next().filter(|name| !name.is_empty())
}

/// One spelling for every path that is the same but for symlinks: no `.`, no
/// doubled or closing slashes, `..` worked out by text.
///
/// # Errors
/// [`Error::BadPath`].
pub fn normalise(text: &str) -> Result<String> {
    let mut path = FsPath::parse(text)?.lexical();
    path.directory = false;
    Ok(path.to_string())
}

fn checked(path: &str, name: &str) -> Result<Name> {
    Name::new(name).map_err(|error| match error {
        Error::BadName { problem: NameProblem::TooLong, .. } => {
            bad(path, format!("`{}` in it has more than 255 bytes", shortened(name)))
        }
        Error::BadName { problem, .. } => {
            bad(path, format!("`{}` in it is not a name: {problem}", name.escape_debug()))
        }
        other => other,
    })
}

fn bad(path: &str, reason: impl Into<String>) -> Error {
    Error::BadPath { path: shortened(path), reason: reason.into() }
}

/// A text that fits into a message, for what may be of any length.
pub(crate) fn shortened(text: &str) -> String {
    const SHOWN: usize = 512;
    match text.char_indices().nth(SHOWN) {
        Some((end, _)) => format!("{}...", &text[..end]),
        None => text.to_owned(),
    }
}
