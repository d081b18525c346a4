//! How configurations name what they read.
//!
//! A path or a glob of the pond, plain (`/raw/north`) or as an address
//! (`series:///raw/north`, `table:///…`, `file:///…`); or files of the pond in a
//! format, `csv:///logs/*.csv`, `json+gzip:///…`, in the words of the command
//! line. Nothing of the host.

use std::fmt;
use std::sync::Arc;

use query::format::SourceUrl;
use query::{ComputedTable, Inputs};
use tinyfs::{EntryType, Glob, GlobOptions, Match};

use crate::{Derived, Error, Result};

/// The words before `://` that mean a path of the pond and no more.
const WORDS: [&str; 3] = ["series", "table", "file"];

/// What a configuration reads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Input {
    /// A path or glob of tables and series.
    Tables(String),
    /// A path or glob of files, and the words of their format.
    Files { words: String, path: String },
}

impl fmt::Display for Input {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tables(path) => f.write_str(path),
            Self::Files { words, path } => write!(f, "{words}://{path}"),
        }
    }
}

impl Input {
    /// What `text` names.
    ///
    /// # Errors
    /// [`Error::HostPath`], [`Error::Input`] and [`Error::Format`].
    pub(crate) fn parse(text: &str) -> Result<Self> {
        let wrong = |what: &str| Error::Input { text: text.to_owned(), what: what.to_owned() };
        if text.starts_with("host+") || text.starts_with("host:") {
            return Err(Error::HostPath { text: text.to_owned() });
        }
        let (words, path) = match text.split_once("://") {
            Some((words, path)) => (words, path),
            None => ("table", text),
        };
        if !path.starts_with('/') {
            return Err(wrong("a path of the pond begins with `/`"));
        }
        if WORDS.contains(&words) {
            return Ok(Self::Tables(path.to_owned()));
        }
        let url = SourceUrl::parse(text)?;
        if url.format().is_none() {
            return Err(wrong("before `://` stands a format such as `csv`"));
        }
        if url.kind().is_some() {
            return Err(wrong("`+table` and `+series` are for what is copied into a pond"));
        }
        Ok(Self::Files { words: words.to_owned(), path: path.to_owned() })
    }

    /// Its path or glob.
    pub(crate) fn path(&self) -> &str {
        match self {
            Self::Tables(path) | Self::Files { path, .. } => path,
        }
    }

    /// The same of another path.
    pub(crate) fn at(&self, path: &str) -> Self {
        match self {
            Self::Tables(_) => Self::Tables(path.to_owned()),
            Self::Files { words, .. } => {
                Self::Files { words: words.clone(), path: path.to_owned() }
            }
        }
    }

    /// Whether entries of this type are read.
    pub(crate) fn takes(&self, entry_type: EntryType) -> bool {
        match self {
            Self::Tables(_) => entry_type.is_tabular(),
            Self::Files { .. } => entry_type == EntryType::Data,
        }
    }

    /// Its table: of a glob, all that it matches, one after another.
    ///
    /// # Errors
    /// As [`Inputs::table`]; what reading a file as its format says.
    pub(crate) async fn table(&self, inputs: &Inputs, derived: &Derived) -> Result<ComputedTable> {
        let Self::Files { path, .. } = self else {
            return Ok(inputs.table(self.path()).await?);
        };
        if !self.is_pattern(inputs).await? {
            let found = inputs.fs().resolve(path).await?;
            return derived.parsed().table(self, &found, inputs).await;
        }
        let members = self.members(inputs, derived).await?;
        let members: Vec<(String, ComputedTable)> =
            members.into_iter().map(|(found, table)| (found.path.path, table)).collect();
        Ok(Inputs::union(path, &members)?)
    }

    /// What it matches, one by one in the order of paths, with what its
    /// wildcards stand for.
    ///
    /// # Errors
    /// As [`Inputs::members`]; what reading a file as its format says.
    pub(crate) async fn members(
        &self,
        inputs: &Inputs,
        derived: &Derived,
    ) -> Result<Vec<(Match, ComputedTable)>> {
        let Self::Files { path, .. } = self else {
            return Ok(inputs.members(self.path()).await?);
        };
        let options = GlobOptions { hidden: false, follow: true };
        let mut matches = inputs.fs().matches(Glob::parse(path)?, options);
        let mut members = Vec::new();
        while let Some(found) = matches.next().await? {
            if self.takes(found.path.node.entry_type) {
                let table = derived.parsed().table(self, &found.path, inputs).await?;
                members.push((found, table));
            }
        }
        if members.is_empty() {
            return Err(query::Error::NoMatch { pattern: path.clone() }.into());
        }
        Ok(members)
    }

    /// Whether it is a pattern: what is there by its very name comes before
    /// what it matches.
    pub(crate) async fn is_pattern(&self, inputs: &Inputs) -> Result<bool> {
        Ok(tinyfs::glob::is_pattern(self.path()) && !inputs.fs().exists(self.path()).await?)
    }
}

/// The path that a text names, where no format is read.
///
/// # Errors
/// As [`Input::parse`], and for a format.
pub(crate) fn pond_path(text: &str) -> Result<String> {
    match Input::parse(text)? {
        Input::Tables(path) => Ok(path),
        Input::Files { .. } => {
            let what = "before `://` stands `series`, `table` or `file` here".to_owned();
            Err(Error::Input { text: text.to_owned(), what })
        }
    }
}

/// Checks what a configuration says it reads.
///
/// # Errors
/// As [`Input::parse`].
pub(crate) fn check(text: &str) -> Result<()> {
    Input::parse(text).map(drop)
}

/// The table of what a text names.
///
/// # Errors
/// As [`Input::table`].
pub(crate) async fn table(text: &str, inputs: &Inputs, derived: &Derived) -> Result<ComputedTable> {
    Input::parse(text)?.table(inputs, derived).await
}

/// Keeps the error of a format with what it is of.
impl From<query::format::Error> for Error {
    fn from(error: query::format::Error) -> Self {
        Self::Query(query::Error::Host(Arc::new(error)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn inputs_are_paths_of_the_pond_and_nothing_else() {
        assert_eq!(pond_path("/raw/*.series").unwrap(), "/raw/*.series");
        assert_eq!(pond_path("series:///raw/north").unwrap(), "/raw/north");
        for host in ["host+csv:///etc/passwd", "host+csv:x.csv", "host:/etc/passwd"] {
            assert!(matches!(pond_path(host), Err(Error::HostPath { .. })), "{host}");
        }
        for wrong in ["raw/north", "series://raw", "", "csv:x.csv", "csv:///x", "csv+table:///x"] {
            assert!(matches!(pond_path(wrong), Err(Error::Input { .. })), "{wrong}");
        }
        for wrong in ["s3:///bucket/x", "cvs:///x.csv", "csv+gzap:///x"] {
            assert!(matches!(pond_path(wrong), Err(Error::Format(_))), "{wrong}");
        }
        let near = Input::parse("cvs:///x.csv").unwrap_err().to_string();
        assert!(near.contains("did you mean `csv`"), "{near}");
    }

    #[test]
    fn files_are_named_in_the_words_of_the_command_line() {
        for text in ["csv:///logs/*.csv", "json+gzip:///a", "excelhtml:///a b.xls"] {
            let input = Input::parse(text).unwrap();
            assert_eq!(input.to_string(), text);
            assert!(input.takes(EntryType::Data) && !input.takes(EntryType::Series));
            assert_eq!(input.at("/x").path(), "/x");
        }
        assert!(Input::parse("/a").unwrap().takes(EntryType::Series));
    }
}
