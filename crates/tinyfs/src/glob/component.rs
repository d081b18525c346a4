//! One component of a pattern, as something that matches names.
//!
//! Each wildcard becomes one group of a regular expression, so matching is
//! linear in the name whatever the pattern. Names that begin with a dot have an
//! expression of their own, with what of the pattern begins with a dot.

use regex::{Regex, RegexBuilder};

use super::GlobOptions;
use crate::Name;

/// The most memory that one compiled component takes.
const COMPILED_MAX_BYTES: usize = 256 * 1024;

/// A component of a pattern.
#[derive(Clone, Debug)]
pub(super) enum Segment {
    /// One name.
    Literal(Name),
    /// Names of a form.
    Wild(Box<Wild>),
    /// `**`.
    AnyDepth,
}

impl Segment {
    pub(super) fn captures_len(&self) -> usize {
        match self {
            Self::Literal(_) => 0,
            Self::Wild(wild) => wild.any.captures_len() - 1,
            Self::AnyDepth => 1,
        }
    }

    /// Whether one name is a match. `**` matches a name as part of a path, not
    /// as a component, and so none here.
    pub(super) fn is_match(&self, name: &str, options: GlobOptions) -> bool {
        match self {
            Self::Literal(literal) => literal.as_str() == name,
            Self::Wild(wild) => wild.for_name(name, options).is_some_and(|r| r.is_match(name)),
            Self::AnyDepth => false,
        }
    }

    pub(super) fn captures(&self, name: &str, options: GlobOptions) -> Option<Vec<String>> {
        match self {
            Self::Literal(literal) => (literal.as_str() == name).then(Vec::new),
            Self::Wild(wild) => {
                let groups = wild.for_name(name, options)?.captures(name)?;
                // A group always takes part, if only with nothing in it.
                let texts = groups.iter().skip(1);
                Some(texts.map(|group| group.map_or("", |m| m.as_str()).to_owned()).collect())
            }
            Self::AnyDepth => None,
        }
    }
}

/// A component with wildcards.
#[derive(Clone, Debug)]
pub(super) struct Wild {
    /// For names without a leading dot, and for all when hidden names count.
    any: Regex,
    /// For names with one; `None` when nothing in the pattern begins with a dot.
    dotted: Option<Regex>,
}

impl Wild {
    /// Compiles `items`; the error says why it can not be.
    pub(super) fn compile(items: &[Item]) -> Result<Self, String> {
        let any = compile(items)?;
        let dotted = match (items.first(), dotted(items)) {
            (Some(Item::Text(_)), Some(_)) => Some(any.clone()),
            (_, Some(items)) => Some(compile(&items)?),
            (_, None) => None,
        };
        Ok(Self { any, dotted })
    }

    fn for_name(&self, name: &str, options: GlobOptions) -> Option<&Regex> {
        if options.hidden || !name.starts_with('.') {
            Some(&self.any)
        } else {
            self.dotted.as_ref()
        }
    }
}

/// A part of a component.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Item {
    /// These characters.
    Text(String),
    /// `*`
    Many,
    /// `?`
    One,
    /// `[...]`
    Set {
        /// Whether it is the characters outside the ranges.
        negated: bool,
        /// From and to, both included.
        ranges: Vec<(char, char)>,
    },
    /// `{...}`
    Choice(Vec<Vec<Item>>),
}

/// The part of a pattern that begins with a dot.
fn dotted(items: &[Item]) -> Option<Vec<Item>> {
    let (first, rest) = items.split_first()?;
    match first {
        Item::Text(text) => text.starts_with('.').then(|| items.to_vec()),
        Item::Choice(choices) => {
            let rest_dotted = dotted(rest);
            let kept: Vec<Vec<Item>> = choices
                .iter()
                .filter_map(|choice| match choice.as_slice() {
                    [] => rest_dotted.is_some().then(Vec::new),
                    choice => dotted(choice),
                })
                .collect();
            // An empty choice leaves the dot to what follows.
            let only_empty = kept.iter().all(Vec::is_empty);
            let rest = match rest_dotted {
                Some(rest) if only_empty => rest,
                _ => rest.to_vec(),
            };
            let whole = std::iter::once(Item::Choice(kept.clone())).chain(rest).collect();
            (!kept.is_empty()).then_some(whole)
        }
        Item::Many | Item::One | Item::Set { .. } => None,
    }
}

fn compile(items: &[Item]) -> Result<Regex, String> {
    let mut source = String::from("^");
    for item in items {
        match item {
            Item::Text(text) => source.push_str(&regex::escape(text)),
            wildcard => {
                source.push('(');
                write(&mut source, wildcard);
                source.push(')');
            }
        }
    }
    source.push('$');
    RegexBuilder::new(&source)
        .dot_matches_new_line(true)
        .size_limit(COMPILED_MAX_BYTES)
        .build()
        .map_err(|error| match error {
            regex::Error::CompiledTooBig(limit) => {
                format!("one of its components takes more than {limit} bytes compiled")
            }
            other => other.to_string(),
        })
}

fn write(source: &mut String, item: &Item) {
    match item {
        Item::Text(text) => source.push_str(&regex::escape(text)),
        Item::Many => source.push_str(".*"),
        Item::One => source.push('.'),
        Item::Set { negated, ranges } => {
            source.push_str(if *negated { "[^" } else { "[" });
            for (from, to) in ranges {
                source.push_str(&format!("\\x{{{:x}}}-\\x{{{:x}}}", *from as u32, *to as u32));
            }
            source.push(']');
        }
        Item::Choice(choices) => {
            source.push_str("(?:");
            for (at, choice) in choices.iter().enumerate() {
                if at > 0 {
                    source.push('|');
                }
                choice.iter().for_each(|item| write(source, item));
            }
            source.push(')');
        }
    }
}
