//! Host files as the command line names them.
//!
//! `host:///abs/path` and `host:rel/path` are the files of the machine; the
//! path after `host:` is taken as it stands, byte by byte, and needs no
//! escaping. `-` is stdin or stdout. A text with another scheme in front of
//! `:` is a format URL, which `query` reads; anything else is a path in the
//! pond.
//!
//! Always true: nothing here touches the host; it only says what was named.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};

use query::format::SourceUrl;

use crate::error::{CommandError, Result};

/// What an operand of the command line names.
#[derive(Clone, Debug)]
pub(crate) enum Operand {
    /// `-`.
    Stdio,
    /// A file or directory of the host.
    Host(HostPath),
    /// A file, of the host or the pond, read as a table.
    Table(SourceUrl),
    /// A path or glob in the pond.
    Pond(String),
}

/// A path on the host.
#[derive(Clone, Debug)]
pub(crate) struct HostPath {
    /// The path.
    pub(crate) path: PathBuf,
    /// Whether it was written as a directory, with a `/` at its end.
    pub(crate) wants_directory: bool,
}

impl HostPath {
    fn new(bytes: &[u8]) -> Self {
        Self {
            path: PathBuf::from(OsString::from_vec(bytes.to_vec())),
            wants_directory: bytes.ends_with(b"/"),
        }
    }
}

impl Operand {
    /// Reads one operand.
    ///
    /// # Errors
    /// A usage error when it has a scheme that nobody knows, or is not UTF-8
    /// where it has to be.
    pub(crate) fn parse(operand: &OsStr) -> Result<Self> {
        let bytes = operand.as_bytes();
        if bytes == b"-" {
            return Ok(Self::Stdio);
        }
        if let Some(rest) = bytes.strip_prefix(b"host:") {
            let path = match rest.strip_prefix(b"//") {
                None => rest,
                Some(absolute) if absolute.starts_with(b"/") => absolute,
                Some(_) => {
                    return Err(CommandError::usage(format!(
                        "`{}` names a machine, and only this one can be read",
                        operand.to_string_lossy()
                    ))
                    .hint("write host:///absolute/path or host:relative/path"));
                }
            };
            if path.is_empty() {
                return Err(CommandError::usage("`host:` names no file")
                    .hint("write host:///absolute/path or host:relative/path"));
            }
            return Ok(Self::Host(HostPath::new(path)));
        }
        let Some(text) = operand.to_str() else {
            return Err(CommandError::bad_input(format!(
                "`{}` is not UTF-8, as every path in a pond is",
                operand.to_string_lossy()
            )));
        };
        if SourceUrl::looks_like(text) {
            return Ok(Self::Table(parse_url(text)?));
        }
        Ok(Self::Pond(text.to_owned()))
    }
}

/// Reads a format URL.
fn parse_url(text: &str) -> Result<SourceUrl> {
    SourceUrl::parse(text).map_err(|error| {
        CommandError::usage("this is not the URL of a file").because(error).hint(
            "write [host+]FORMAT[+zstd|gzip|bzip2][+table|series]:///path, such as host+csv+series:///data/dock.csv",
        )
    })
}

/// A host path as it is shown: the path, with what is not UTF-8 replaced and
/// control characters escaped.
pub(crate) fn show(path: &Path) -> String {
    crate::quote::terminal(&path.to_string_lossy()).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn host(text: &str) -> String {
        match Operand::parse(OsStr::new(text)) {
            Ok(Operand::Host(host)) => host.path.to_string_lossy().into_owned(),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn host_paths_are_absolute_or_relative() {
        assert_eq!(host("host:///a/b c#1"), "/a/b c#1");
        assert_eq!(host("host:rel/x"), "rel/x");
        assert_eq!(host("host:./x"), "./x");
    }

    #[test]
    fn a_format_makes_it_a_table() {
        for text in ["host+csv:///a.csv", "csv:a.csv", "host+series:///a.parquet", "csv+series:-"] {
            assert!(matches!(Operand::parse(OsStr::new(text)), Ok(Operand::Table(_))), "{text}");
        }
    }

    #[test]
    fn another_machine_is_refused() {
        assert!(Operand::parse(OsStr::new("host://server/x")).is_err());
        assert!(Operand::parse(OsStr::new("host:")).is_err());
    }

    #[test]
    fn what_has_no_scheme_is_in_the_pond() {
        for text in ["/a/b", "a:b", "/x:///y", "12:30"] {
            assert!(matches!(Operand::parse(OsStr::new(text)), Ok(Operand::Pond(_))), "{text}");
        }
    }

    #[test]
    fn a_dash_is_a_stream() {
        assert!(matches!(Operand::parse(OsStr::new("-")), Ok(Operand::Stdio)));
    }

    #[test]
    fn invalid_utf8_is_kept_for_the_host_and_refused_for_the_pond() {
        let name = OsStr::from_bytes(b"host:/a/\xff");
        assert!(matches!(Operand::parse(name), Ok(Operand::Host(_))));
        assert!(Operand::parse(OsStr::from_bytes(b"/a/\xff")).is_err());
    }
}
