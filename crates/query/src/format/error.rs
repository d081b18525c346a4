//! What can go wrong between a host file and its rows.
//!
//! What always holds: an error names the file as the user wrote it, and where
//! there is one the line (from 1, of the decompressed file as it lies, lines
//! inside quotes counted) and the column's name. Values are quoted shortened
//! and escaped, so that no error carries control characters to a terminal.
//!
//! What is deliberately not here: hints that name commands.

use std::fmt;
use std::io;
use std::path::PathBuf;

use super::url::{Compression, UrlError};

/// The result of reading a host file.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// A row that can not be read, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Malformed {
    /// The file, as the user named it.
    pub file: String,
    /// The line on which the row, or where it is known the field, begins.
    pub line: u64,
    /// The name of the column, when one is to blame.
    pub column: Option<String>,
    /// The value, escaped and shortened; empty when none is to blame.
    pub value: String,
    /// What is wrong.
    pub reason: String,
    /// What the user could declare to make it right.
    pub hint: Option<String>,
}

impl Malformed {
    /// How much of a value is quoted, in characters.
    const SHOWN: usize = 60;

    pub(crate) fn new(file: &str, line: u64, reason: impl Into<String>) -> Self {
        Self {
            file: file.to_owned(),
            line,
            column: None,
            value: String::new(),
            reason: reason.into(),
            hint: None,
        }
    }

    pub(crate) fn in_column(mut self, column: &str, value: &[u8]) -> Self {
        self.column = Some(column.to_owned());
        self.value = shorten(value);
        self
    }

    pub(crate) fn hint(mut self, hint: Option<String>) -> Self {
        self.hint = hint;
        self
    }
}

/// A value as errors quote it.
pub(crate) fn shorten(value: &[u8]) -> String {
    // Four bytes a character is the most that the shown part can need.
    let head = &value[..value.len().min(Malformed::SHOWN * 4)];
    let text = String::from_utf8_lossy(head);
    let mut shown: String = text.chars().take(Malformed::SHOWN).collect();
    if shown.len() < value.len() && text.chars().count() > Malformed::SHOWN {
        shown.push('…');
    }
    shown.escape_debug().to_string()
}

impl fmt::Display for Malformed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}`, line {}", self.file, self.line)?;
        if let Some(column) = &self.column {
            write!(f, ", column `{}`", column.escape_debug())?;
        }
        f.write_str(": ")?;
        if !self.value.is_empty() {
            write!(f, "`{}` ", self.value)?;
        }
        f.write_str(&self.reason)?;
        if let Some(hint) = &self.hint {
            write!(f, " ({hint})")?;
        }
        Ok(())
    }
}

/// What can go wrong between a host file and its rows.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The URL is not one.
    #[error(transparent)]
    Url(#[from] UrlError),
    /// The file can not be opened.
    #[error("cannot open `{file}`")]
    Open {
        /// The file, as the user named it.
        file: String,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// The path is a directory.
    #[error("`{file}` is a directory, not a file")]
    IsDirectory {
        /// The path, as the user named it.
        file: String,
    },
    /// Reading failed.
    #[error("cannot read `{file}` at byte {offset}")]
    Read {
        /// The file, as the user named it.
        file: String,
        /// How far the file itself was read.
        offset: u64,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// Compressed data ends too early.
    #[error("`{file}` is cut off: its {} data ends in the middle, at byte {offset}", compression.word())]
    Truncated {
        /// The file, as the user named it.
        file: String,
        /// What it is compressed with.
        compression: Compression,
        /// The length of the file.
        offset: u64,
    },
    /// The bytes are not what the compression asks for.
    #[error("`{file}` is damaged near byte {offset}, or is not {} data", compression.word())]
    NotCompressed {
        /// The file, as the user named it.
        file: String,
        /// What it should be compressed with.
        compression: Compression,
        /// How far the file itself was read.
        offset: u64,
        /// What the decoder says.
        #[source]
        source: io::Error,
    },
    /// A temporary file for input that can be read only once.
    #[error("cannot keep `{file}` in a temporary file in `{dir}`")]
    Spool {
        /// The source.
        file: String,
        /// The directory for temporary files.
        dir: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// There is nothing in the file.
    #[error("`{file}` is empty: there is no {what}")]
    Empty {
        /// The file, as the user named it.
        file: String,
        /// What was looked for.
        what: &'static str,
    },
    /// A row can not be read.
    #[error("{0}")]
    Malformed(Box<Malformed>),
    /// A quote that is never closed.
    #[error(
        "`{file}`, line {line}: the quote that opens at character {character} of the line is not closed{}",
        if *limited { " within the largest record allowed" } else { "" }
    )]
    UnclosedQuote {
        /// The file, as the user named it.
        file: String,
        /// The line of the quote.
        line: u64,
        /// Its place in the line, in bytes from 1.
        character: u64,
        /// Whether the limit of a record's size was met before the end.
        limited: bool,
    },
    /// A record is larger than is allowed.
    #[error("`{file}`, line {line}: a record of more than {limit} bytes")]
    RecordTooLarge {
        /// The file, as the user named it.
        file: String,
        /// The line on which it begins.
        line: u64,
        /// The limit in bytes.
        limit: usize,
    },
    /// More columns than are allowed.
    #[error("`{file}` has {columns} columns; at most {limit} are read")]
    TooManyColumns {
        /// The file, as the user named it.
        file: String,
        /// How many there are.
        columns: usize,
        /// The limit.
        limit: usize,
    },
    /// A declared column is not in the file.
    #[error(
        "`{file}` has no column `{column}`{}; its columns are {}",
        nearest.as_ref().map_or(String::new(), |near| format!(" (did you mean `{near}`?)")),
        list(columns)
    )]
    NoColumn {
        /// The file, as the user named it.
        file: String,
        /// The column that was asked for.
        column: String,
        /// The column that its name looks like.
        nearest: Option<String>,
        /// The columns that there are.
        columns: Vec<String>,
    },
    /// The time column can not hold times.
    #[error("`{file}`: the time column `{column}` {reason}")]
    TimeColumn {
        /// The file, as the user named it.
        file: String,
        /// The column.
        column: String,
        /// What is wrong with it.
        reason: String,
    },
    /// A declaration makes no sense without another, or is written wrongly.
    #[error("{what} {reason}")]
    Option {
        /// The declaration.
        what: &'static str,
        /// What is wrong with it.
        reason: String,
    },
    /// A zone that is not in the IANA database.
    #[error(
        "`{zone}` is not a time zone of the IANA database{}",
        nearest.as_ref().map_or(String::new(), |near| format!("; did you mean `{near}`?"))
    )]
    UnknownZone {
        /// The zone.
        zone: String,
        /// The zone that it looks like.
        nearest: Option<String>,
    },
    /// A word that is not one of a fixed list.
    #[error(
        "`{word}` is not a {what}{}; one of {}",
        nearest.map_or(String::new(), |near| format!(" (did you mean `{near}`?)")),
        valid.join(", ")
    )]
    UnknownWord {
        /// What was expected.
        what: &'static str,
        /// The word.
        word: String,
        /// The valid word that it looks like.
        nearest: Option<&'static str>,
        /// All valid words.
        valid: Vec<&'static str>,
    },
    /// The file is not what its format asks for, as a whole.
    #[error("`{file}` is not {what}: {reason}")]
    NotFormat {
        /// The file, as the user named it.
        file: String,
        /// The format in words.
        what: &'static str,
        /// What is wrong.
        reason: String,
    },
    /// The file was written to between the two times that it is read.
    #[error("`{file}` changed while it was read; read it again when its writer is done")]
    Changed {
        /// The file, as the user named it.
        file: String,
    },
    /// The decoder of a format broke an invariant of its own.
    #[error("the reader of `{file}` failed: {reason}")]
    Decoder {
        /// The file, as the user named it.
        file: String,
        /// What it said.
        reason: String,
    },
}

impl From<Malformed> for Error {
    fn from(malformed: Malformed) -> Self {
        Self::Malformed(Box::new(malformed))
    }
}

fn list(names: &[String]) -> String {
    const SHOWN: usize = 20;
    let mut text = names
        .iter()
        .take(SHOWN)
        .map(|name| format!("`{}`", name.escape_debug()))
        .collect::<Vec<_>>()
        .join(", ");
    if names.len() > SHOWN {
        text.push_str(&format!(" and {} more", names.len() - SHOWN));
    }
    text
}
