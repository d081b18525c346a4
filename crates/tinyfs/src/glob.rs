//! Patterns over paths, and what they captured.
//!
//! A pattern is components between slashes, as a path is. In a component
//!
//! | wildcard | stands for |
//! |---|---|
//! | `*` | any characters, also none |
//! | `?` | one character |
//! | `[a-z_]`, `[!x]`, `[^x]` | one character that is in the set, or is not |
//! | `{csv,json}` | one of the alternatives, which may hold wildcards |
//! | `**`, alone in its component | any number of directories, also none |
//! | `\*` | the character itself, whatever it is |
//!
//! Each wildcard is one capture, in the order of the pattern; a `{...}` is one
//! capture as a whole, and `**` is one: the names it stands for joined by `/`.
//! So every match of a pattern has equally many captures. Where a text can be
//! divided in several ways, earlier wildcards take as much as they can. At the
//! end of a pattern `**` stands for at least one name: `/a/**` is all below
//! `/a` and not `/a` itself.
//!
//! A pattern that ends in a slash matches directories only; a symlink to one is
//! given as the directory. Other symlinks are given as themselves.
//!
//! Names that begin with a dot match where the pattern's component begins with
//! a dot, and elsewhere only with [`GlobOptions::hidden`].
//!
//! Always true: matching takes time linear in the name (there is no
//! backtracking), and a pattern that would take much memory is refused.
//!
//! Deliberately not here: reading directories; see [`Matches`].

mod component;
mod matches;
mod parse;

use std::ops::ControlFlow;

use async_trait::async_trait;

use component::Segment;
pub use matches::Matches;

use crate::path::{Component, FsPath};
use crate::{Fs, NodePath, Result, Store};

/// The longest pattern, in bytes.
pub const PATTERN_MAX_BYTES: usize = 4_096;

/// The most components that a pattern has.
pub const COMPONENTS_MAX: usize = 128;

/// How deep `{...}` can lie in one another.
pub const NESTING_MAX: usize = 4;

/// A pattern over paths, checked and compiled.
#[derive(Clone, Debug)]
pub struct Glob {
    pattern: String,
    /// What comes before the segments: everything up to the last `..`.
    base: FsPath,
    segments: Vec<Segment>,
    /// Whether it ends in a slash, and so means directories only.
    directory: bool,
}

/// What counts as a match.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct GlobOptions {
    /// Whether wildcards match names that begin with a dot.
    pub hidden: bool,
    /// Whether a symlink that matches is given as the node it leads to, under
    /// its own path; one that leads nowhere is given as itself all the same.
    pub follow: bool,
}

/// Something that a pattern matched.
#[derive(Clone, Debug, PartialEq)]
pub struct Match {
    /// What was found. Its path is the one that matched, so it can lead through
    /// symlinks that the pattern named.
    pub path: NodePath,
    /// What each wildcard of the pattern stood for.
    pub captures: Vec<String>,
}

impl Glob {
    /// Checks and compiles `pattern`. A pattern without a leading slash starts
    /// at the root all the same.
    ///
    /// # Errors
    /// [`Error::BadPattern`](crate::Error::BadPattern) says what is wrong.
    pub fn parse(pattern: &str) -> Result<Self> {
        parse::parse(pattern)
    }

    /// Everything below the directory at `path`; what is read has to include
    /// [hidden](GlobOptions::hidden) names for it to be everything.
    #[must_use]
    pub fn below(path: &FsPath) -> Self {
        Self {
            pattern: format!("{}/**", escape(&path.to_string())),
            base: path.clone(),
            segments: vec![Segment::AnyDepth],
            directory: false,
        }
    }

    /// The pattern's text.
    #[must_use]
    pub fn pattern(&self) -> &str {
        &self.pattern
    }

    /// Whether it has no wildcards, and so at most one match.
    #[must_use]
    pub fn is_literal(&self) -> bool {
        self.captures_len() == 0
    }

    /// How many captures each match has.
    #[must_use]
    pub fn captures_len(&self) -> usize {
        self.segments.iter().map(Segment::captures_len).sum()
    }

    /// Matches a path by its text alone: what each wildcard stands for, `None`
    /// when it does not match. `..` is worked out by text in both, and what is
    /// a directory is not known here.
    #[must_use]
    pub fn captures(&self, path: &FsPath, options: GlobOptions) -> Option<Vec<String>> {
        let (path, base) = (path.lexical(), self.base.lexical());
        let names = path.components().strip_prefix(base.components())?;
        let names: Option<Vec<&str>> = names
            .iter()
            .map(|component| match component {
                Component::Name(name) => Some(name.as_str()),
                Component::Parent => None,
            })
            .collect();
        let names: Vec<Step<'_>> =
            names?.into_iter().map(|name| Step { name, link: false }).collect();
        divide(&self.segments, &names, options)
    }
}

/// `text` as a pattern that matches it and nothing else.
#[must_use]
pub fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        if is_special(character) {
            escaped.push('\\');
        }
        escaped.push(character);
    }
    escaped
}

/// Whether `text`, read as a pattern, has a wildcard or an escape in it.
#[must_use]
pub fn is_pattern(text: &str) -> bool {
    text.contains(is_special)
}

const fn is_special(character: char) -> bool {
    matches!(character, '*' | '?' | '[' | ']' | '{' | '}' | ',' | '\\')
}

/// One name of a path that is matched.
#[derive(Clone, Copy)]
struct Step<'a> {
    name: &'a str,
    /// Whether it is a symlink that was followed, which `**` never does.
    link: bool,
}

/// Divides `steps` among `segments`, the earlier taking as much as they can.
fn divide(segments: &[Segment], steps: &[Step<'_>], options: GlobOptions) -> Option<Vec<String>> {
    let fits = fits(segments, steps, options);
    if !fits[0][0] {
        return None;
    }
    let mut captures = Vec::new();
    let mut at = 0;
    for (index, segment) in segments.iter().enumerate() {
        if matches!(segment, Segment::AnyDepth) {
            let end = (at..=steps.len()).rev().find(|end| {
                fits[index + 1][*end] && steps[at..*end].iter().all(|step| deep(step, options))
            })?;
            let names: Vec<&str> = steps[at..end].iter().map(|step| step.name).collect();
            captures.push(names.join("/"));
            at = end;
        } else {
            captures.extend(segment.captures(steps.get(at)?.name, options)?);
            at += 1;
        }
    }
    Some(captures)
}

/// For each segment and each step, whether the segments from there on match the
/// steps from there on.
fn fits(segments: &[Segment], steps: &[Step<'_>], options: GlobOptions) -> Vec<Vec<bool>> {
    let mut fits = vec![vec![false; steps.len() + 1]; segments.len() + 1];
    fits[segments.len()][steps.len()] = true;
    for (index, segment) in segments.iter().enumerate().rev() {
        let closing = index + 1 == segments.len();
        for at in (0..=steps.len()).rev() {
            let step = steps.get(at);
            fits[index][at] = match (segment, step) {
                (Segment::AnyDepth, None) => !closing && fits[index + 1][at],
                (Segment::AnyDepth, Some(step)) => {
                    // At the end of the pattern `**` takes all, and at least one.
                    let stays = deep(step, options)
                        && (fits[index][at + 1] || (closing && at + 1 == steps.len()));
                    stays || (!closing && fits[index + 1][at])
                }
                (_, None) => false,
                (segment, Some(step)) => {
                    fits[index + 1][at + 1] && segment.is_match(step.name, options)
                }
            };
        }
    }
    fits
}

/// Whether `**` takes this name.
fn deep(step: &Step<'_>, options: GlobOptions) -> bool {
    !step.link && (options.hidden || !step.name.starts_with('.'))
}

/// Takes matches one by one.
#[async_trait]
pub trait Visitor: Send {
    /// Takes a match; [`ControlFlow::Break`] ends the visit.
    ///
    /// # Errors
    /// Its own; it ends the visit.
    async fn visit(&mut self, found: Match) -> Result<ControlFlow<()>>;
}

#[async_trait]
impl<F> Visitor for F
where
    F: FnMut(Match) -> Result<ControlFlow<()>> + Send,
{
    async fn visit(&mut self, found: Match) -> Result<ControlFlow<()>> {
        self(found)
    }
}

impl<S: Store + ?Sized> Fs<S> {
    /// All that `pattern` matches, in the order of the bytes of their paths.
    /// Hidden names are left out where the pattern does not say them.
    ///
    /// # Errors
    /// [`Error::BadPattern`](crate::Error::BadPattern), and the store's. That
    /// nothing matches is no error.
    pub async fn glob(&self, pattern: &str) -> Result<Vec<Match>> {
        let mut matches = self.matches(Glob::parse(pattern)?, GlobOptions::default());
        let mut found = Vec::new();
        while let Some(next) = matches.next().await? {
            found.push(next);
        }
        Ok(found)
    }

    /// All that lies below the directory at `path`, hidden names and all,
    /// found one by one; symlinks are given as themselves. The one capture of
    /// each is its path from that directory on.
    ///
    /// # Errors
    /// As [`Fs::list`].
    pub async fn below(&self, path: &str) -> Result<Matches<S>> {
        let dir = self.working_dir(path).await?;
        let glob = Glob::below(&FsPath::parse(dir.path())?);
        Ok(self.matches(glob, GlobOptions { hidden: true, follow: false }))
    }

    /// All that `glob` matches, found one by one as they are asked for.
    #[must_use]
    pub fn matches(&self, glob: Glob, options: GlobOptions) -> Matches<S> {
        Matches::new(self.clone(), glob, options)
    }

    /// Shows each match of `pattern` to `visitor`, in order, and keeps none.
    ///
    /// # Errors
    /// As [`Fs::glob`], and the visitor's.
    pub async fn visit(
        &self,
        pattern: &str,
        options: GlobOptions,
        visitor: &mut dyn Visitor,
    ) -> Result<()> {
        let mut matches = self.matches(Glob::parse(pattern)?, options);
        while let Some(found) = matches.next().await? {
            if visitor.visit(found).await?.is_break() {
                break;
            }
        }
        Ok(())
    }
}
