//! References to what a pond does not keep: `${env:NAME}`,
//! `${env:NAME:-default}` and `${file:/path}`.
//!
//! Always true: a configuration is kept with its references as they were
//! written; an error names the reference, never what it stands for.

use std::io;
use std::path::Path;

use crate::{Error, Result};

/// The host's environment, as far as a configuration refers to it.
pub trait Env {
    /// A variable; `None` when it is not set.
    fn var(&self, name: &str) -> Option<String>;

    /// The text of a host file.
    ///
    /// # Errors
    /// The host's.
    fn file(&self, path: &Path) -> io::Result<String>;
}

/// How a reference begins, by what it refers to.
const ENV: &str = "${env:";
const FILE: &str = "${file:";

/// The text with its references replaced by what they stand for, for use in a
/// run and nowhere else. What `env` gives is not looked through again.
///
/// # Errors
/// [`Error::Env`] for a variable that is not set and has no default,
/// [`Error::Run`] for a file that can not be read and for a reference without
/// an end.
pub fn resolve(text: &str, env: &dyn Env) -> Result<String> {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = [rest.find(ENV), rest.find(FILE)].into_iter().flatten().min() {
        out.push_str(&rest[..at]);
        let reference = &rest[at..];
        let end = reference.find('}').ok_or_else(|| Error::Run {
            doing: format!("cannot resolve `{}`", shown(reference)),
            source: "the reference has no closing brace".into(),
        })?;
        out.push_str(&one(&reference[..=end], env)?);
        rest = &reference[end + 1..];
    }
    out.push_str(rest);
    Ok(out)
}

/// What one reference, braces included, stands for.
fn one(reference: &str, env: &dyn Env) -> Result<String> {
    let inside = reference.trim_end_matches('}');
    if let Some(path) = inside.strip_prefix(FILE) {
        let text = env.file(Path::new(path)).map_err(|source| Error::Run {
            doing: format!("cannot resolve `{}`", shown(reference)),
            source: Box::new(source),
        })?;
        return Ok(text.trim_end_matches(['\n', '\r']).to_owned());
    }
    let inside = inside.strip_prefix(ENV).unwrap_or(inside);
    let (name, default) = match inside.split_once(":-") {
        Some((name, default)) => (name, Some(default)),
        None => (inside, None),
    };
    env.var(name)
        .or_else(|| default.map(str::to_owned))
        .ok_or_else(|| Error::Env { name: name.to_owned() })
}

/// The beginning of a reference, short enough for a message.
fn shown(reference: &str) -> String {
    reference.chars().take(80).collect()
}
