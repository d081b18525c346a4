//! How configurations name what they read.
//!
//! A path or a glob of the pond, plain (`/raw/north`) or as an address
//! (`series:///raw/north`, `table:///…`, `file:///…`). Nothing of the host.

use crate::{Error, Result};

/// The words before `://` that mean a path of the pond and no more.
const WORDS: [&str; 3] = ["series", "table", "file"];

/// The path or glob that a text names.
///
/// # Errors
/// [`Error::HostPath`] and [`Error::Input`].
pub(crate) fn pond_path(text: &str) -> Result<String> {
    let wrong = |what: &str| Error::Input { text: text.to_owned(), what: what.to_owned() };
    let path = match text.split_once("://") {
        None => text,
        Some((word, _)) if word.starts_with("host+") => {
            return Err(Error::HostPath { text: text.to_owned() });
        }
        Some((word, path)) if WORDS.contains(&word) => path,
        Some(_) => return Err(wrong("before `://` stands `series`, `table` or `file`")),
    };
    if text.starts_with("host+") {
        return Err(Error::HostPath { text: text.to_owned() });
    }
    if !path.starts_with('/') {
        return Err(wrong("a path of the pond begins with `/`"));
    }
    Ok(path.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn inputs_are_paths_of_the_pond_and_nothing_else() {
        assert_eq!(pond_path("/raw/*.series").unwrap(), "/raw/*.series");
        assert_eq!(pond_path("series:///raw/north").unwrap(), "/raw/north");
        for host in ["host+csv:///etc/passwd", "host+csv:x.csv"] {
            assert!(matches!(pond_path(host), Err(Error::HostPath { .. })), "{host}");
        }
        for wrong in ["raw/north", "s3://bucket/x", "series://raw", ""] {
            assert!(matches!(pond_path(wrong), Err(Error::Input { .. })), "{wrong}");
        }
    }
}
