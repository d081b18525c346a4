//! Names of directory entries.
//!
//! A name is any UTF-8 of 1 to 255 bytes without `/` and NUL, other than `.`
//! and `..`. The limit is that of the host file systems a pond is copied to.

use std::borrow::Borrow;
use std::fmt;

use crate::{Error, Result};

/// The longest name, in bytes.
pub const NAME_MAX_BYTES: usize = 255;

/// One component of a path, checked.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Name(String);

/// Why a text is not a [`Name`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NameProblem {
    /// It has no characters.
    Empty,
    /// It is `.` or `..`, which mean places, not entries.
    Reserved,
    /// It has a `/`.
    Slash,
    /// It has a NUL character.
    Nul,
    /// It has more than [`NAME_MAX_BYTES`] bytes.
    TooLong,
}

impl fmt::Display for NameProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Empty => "it is empty",
            Self::Reserved => "`.` and `..` are not names",
            Self::Slash => "a name has no `/`",
            Self::Nul => "a name has no NUL character",
            Self::TooLong => "a name has at most 255 bytes",
        })
    }
}

impl Name {
    /// Checks `text` and makes a name of it.
    ///
    /// # Errors
    /// [`Error::BadName`] says what is wrong with it.
    pub fn new(text: impl Into<String>) -> Result<Self> {
        let text = text.into();
        let problem = if text.is_empty() {
            NameProblem::Empty
        } else if text == "." || text == ".." {
            NameProblem::Reserved
        } else if text.contains('/') {
            NameProblem::Slash
        } else if text.contains('\0') {
            NameProblem::Nul
        } else if text.len() > NAME_MAX_BYTES {
            NameProblem::TooLong
        } else {
            return Ok(Self(text));
        };
        Err(Error::BadName { name: text, problem })
    }

    /// The text of the name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl AsRef<str> for Name {
    fn as_ref(&self) -> &str {
        &self.0
    }
}

impl Borrow<str> for Name {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl From<Name> for String {
    fn from(name: Name) -> Self {
        name.0
    }
}
