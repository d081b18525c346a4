//! From a pattern's text to its components.

use std::iter::Peekable;
use std::str::Chars;

use super::component::{Item, Segment, Wild};
use super::{COMPONENTS_MAX, Glob, NESTING_MAX, PATTERN_MAX_BYTES};
use crate::path::{FsPath, shortened};
use crate::{Error, Name, Result};

/// Why a pattern is none.
type Problem = String;

pub(super) fn parse(pattern: &str) -> Result<Glob> {
    parse_text(pattern).map_err(|reason| Error::BadPattern { pattern: shortened(pattern), reason })
}

fn parse_text(pattern: &str) -> Result<Glob, Problem> {
    if pattern.is_empty() {
        return Err("it is empty".into());
    }
    if pattern.len() > PATTERN_MAX_BYTES {
        return Err(format!("it has more than {PATTERN_MAX_BYTES} bytes"));
    }
    if pattern.contains('\0') {
        return Err("a name has no NUL character".into());
    }
    let parts: Vec<&str> = pattern.split('/').filter(|part| !matches!(*part, "" | ".")).collect();
    if parts.len() > COMPONENTS_MAX {
        return Err(format!("it has more than {COMPONENTS_MAX} components"));
    }
    let up = parts.iter().rposition(|part| *part == "..").map_or(0, |last| last + 1);
    let (base, rest) = parts.split_at(up);
    Ok(Glob {
        pattern: pattern.to_owned(),
        base: base_path(base)?,
        segments: rest.iter().map(|part| segment(part)).collect::<Result<_, _>>()?,
        directory: pattern.ends_with('/') || pattern.ends_with("/.") || pattern == ".",
    })
}

/// What stands before the last `..`, which must be free of wildcards.
fn base_path(parts: &[&str]) -> Result<FsPath, Problem> {
    let mut path = String::from("/");
    for part in parts {
        match segment(part) {
            _ if *part == ".." => path.push_str(".."),
            Ok(Segment::Literal(name)) => path.push_str(name.as_str()),
            Ok(_) => return Err("`..` can not come after a wildcard".into()),
            Err(problem) => return Err(problem),
        }
        path.push('/');
    }
    FsPath::parse(&path).map_err(|error| error.to_string())
}

fn segment(part: &str) -> Result<Segment, Problem> {
    if part == "**" {
        return Ok(Segment::AnyDepth);
    }
    let items = items(&mut part.chars().peekable(), 0)?;
    match items.as_slice() {
        [Item::Text(text)] => {
            let name = Name::new(text.as_str()).map_err(|error| match error {
                Error::BadName { problem, .. } => problem.to_string(),
                other => other.to_string(),
            })?;
            Ok(Segment::Literal(name))
        }
        items => Ok(Segment::Wild(Box::new(Wild::compile(items)?))),
    }
}

/// Reads items to the end of the component or, inside braces, to the `,` or
/// `}` that ends the alternative, which is left to be read.
fn items(text: &mut Peekable<Chars<'_>>, depth: usize) -> Result<Vec<Item>, Problem> {
    let mut items = Vec::new();
    while let Some(&next) = text.peek() {
        if depth > 0 && matches!(next, ',' | '}') {
            break;
        }
        text.next();
        let item = match next {
            '*' if text.peek() == Some(&'*') => {
                return Err("`**` stands alone between slashes".into());
            }
            '*' => Item::Many,
            '?' => Item::One,
            '[' => set(text)?,
            '{' => choice(text, depth + 1)?,
            '\\' => Item::Text(escaped(text)?.to_string()),
            character => Item::Text(character.to_string()),
        };
        match (items.last_mut(), item) {
            (Some(Item::Text(before)), Item::Text(more)) => before.push_str(&more),
            (_, item) => items.push(item),
        }
    }
    Ok(items)
}

fn escaped(text: &mut Peekable<Chars<'_>>) -> Result<char, Problem> {
    text.next().ok_or_else(|| "`\\` has no character after it in its component".into())
}

fn choice(text: &mut Peekable<Chars<'_>>, depth: usize) -> Result<Item, Problem> {
    if depth > NESTING_MAX {
        return Err(format!("`{{` lies more than {NESTING_MAX} deep in others"));
    }
    let mut choices = Vec::new();
    loop {
        choices.push(items(text, depth)?);
        match text.next() {
            Some(',') => {}
            Some(_) => return Ok(Item::Choice(choices)),
            None => return Err("`{` has no `}` in its component".into()),
        }
    }
}

fn set(text: &mut Peekable<Chars<'_>>) -> Result<Item, Problem> {
    let negated = text.next_if(|next| matches!(next, '!' | '^')).is_some();
    let mut ranges = Vec::new();
    loop {
        let from = match text.next() {
            None => return Err("`[` has no `]` in its component".into()),
            // As the first character, `]` means itself.
            Some(']') if !ranges.is_empty() => return Ok(Item::Set { negated, ranges }),
            Some('\\') => escaped(text)?,
            Some(character) => character,
        };
        let to = range_end(text)?.unwrap_or(from);
        if to < from {
            return Err(format!("the range `{from}-{to}` is empty"));
        }
        ranges.push((from, to));
    }
}

/// The end of a range, when a `-` follows that is not the last of its set.
fn range_end(text: &mut Peekable<Chars<'_>>) -> Result<Option<char>, Problem> {
    let mut ahead = text.clone();
    if ahead.next() != Some('-') || matches!(ahead.peek(), None | Some(']')) {
        return Ok(None);
    }
    *text = ahead;
    match text.next() {
        Some('\\') => escaped(text).map(Some),
        end => Ok(end),
    }
}
