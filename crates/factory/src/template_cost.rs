//! What a template can cost, told from its text.
//!
//! A render is stopped by its time and by the length of what it makes. What is
//! left is memory in between: a variable that is made of itself doubles each
//! time, long before the time is over. So:
//! - a variable that was set is only computed with as a number when another is
//!   set from it; so is a loop's variable over such;
//! - lists and maps that are written down hold no variables;
//! - an expression has few concatenations;
//! - loops nest three deep, those of included texts counted in;
//! - texts are included by literal paths of the pond; nothing is extended, and
//!   there are no components.
//!
//! Deliberately not here: whether a template is right, which the engine says.

use std::collections::{BTreeSet, HashMap};

/// Concatenations in one expression.
const MAX_CONCATENATIONS: usize = 16;
/// How deep loops may nest.
const MAX_LOOPS: usize = 3;
/// How deep texts may include each other.
const MAX_INCLUDES: usize = 16;

/// A template is refused for what it could cost.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct TooCostly {
    pub(crate) message: String,
    pub(crate) line: u64,
}

/// What a text asks for.
#[derive(Debug, Default)]
pub(crate) struct Scanned {
    /// The texts that it includes.
    pub(crate) includes: Vec<String>,
    assignments: Vec<Assignment>,
    /// Loops around each place that counts: the deepest, and each include.
    loops: Vec<(usize, Option<String>, u64)>,
}

/// A variable that is set, or runs through a loop.
#[derive(Debug)]
struct Assignment {
    name: String,
    /// It is set, not a loop's.
    is_set: bool,
    /// Variables on its right side.
    of: Vec<String>,
    /// The right side does more than arithmetic.
    can_grow: bool,
    line: u64,
}

/// A piece of an expression.
#[derive(Clone, Debug, PartialEq)]
enum Token<'a> {
    Ident(&'a str),
    Text(&'a str),
    Number,
    Mark(char),
}

/// Looks through one text.
///
/// # Errors
/// What can be told from it alone.
pub(crate) fn scan(text: &str) -> Result<Scanned, TooCostly> {
    let mut scanned = Scanned::default();
    let mut depth = 0_usize;
    let mut rest = text;
    let line_of = |rest: &str| 1 + text[..text.len() - rest.len()].matches('\n').count() as u64;
    while let Some(at) = rest.find('{') {
        rest = &rest[at..];
        let line = line_of(rest);
        if let Some(comment) = rest.strip_prefix("{#") {
            // One that has no end is the engine's to refuse.
            rest = comment.split_once("#}").map_or("", |(_, after)| after);
            continue;
        }
        let (inside, end) = match (rest.strip_prefix("{{"), rest.strip_prefix("{%")) {
            (Some(inside), _) => (inside, "}}"),
            (_, Some(inside)) => {
                let inside = inside.strip_prefix('-').unwrap_or(inside);
                if let Some(raw) = after_tag(inside, "raw") {
                    rest = after_raw(raw);
                    continue;
                }
                (inside, "%}")
            }
            _ => {
                rest = &rest[1..];
                continue;
            }
        };
        let (tokens, after) = tokens(inside, end);
        rest = after;
        let refuse = |message: &str| TooCostly { message: message.to_owned(), line };
        check_expression(&tokens).map_err(refuse)?;
        if end == "}}" {
            continue;
        }
        match tokens.as_slice() {
            [Token::Ident("for"), of @ ..] => {
                depth += 1;
                if depth > MAX_LOOPS {
                    return Err(refuse("loops nest three deep at most"));
                }
                scanned.loops.push((depth, None, line));
                let Some(split) = of.iter().position(|token| *token == Token::Ident("in")) else {
                    continue;
                };
                let (names, of) = of.split_at(split);
                for name in names {
                    if let Token::Ident(name) = name {
                        scanned.assign(name, false, of, line);
                    }
                }
            }
            [Token::Ident("endfor"), ..] => depth = depth.saturating_sub(1),
            [Token::Ident("set" | "set_global"), Token::Ident(name), Token::Mark('='), of @ ..] => {
                scanned.assign(name, true, of, line);
            }
            [Token::Ident("set" | "set_global"), ..] => {
                return Err(refuse("`set` takes `name = expression` here, no text up to `endset`"));
            }
            [Token::Ident("include"), Token::Text(name), ..] => {
                if !name.starts_with('/') {
                    return Err(refuse(
                        "`include` takes a path of the pond, which begins with `/`",
                    ));
                }
                scanned.includes.push((*name).to_owned());
                scanned.loops.push((depth, Some((*name).to_owned()), line));
            }
            [Token::Ident("if" | "elif" | "else" | "endif" | "break" | "continue"), ..] => {}
            [Token::Ident(tag), ..] => {
                return Err(refuse(&format!(
                    "there is no tag `{tag}` here: only if, for, set and include"
                )));
            }
            // The engine says what is wrong.
            _ => {}
        }
    }
    scanned.includes.sort();
    scanned.includes.dedup();
    Ok(scanned)
}

impl Scanned {
    fn assign(&mut self, name: &str, is_set: bool, of: &[Token<'_>], line: u64) {
        let can_grow = of.iter().any(|token| {
            matches!(token, Token::Text(_) | Token::Mark('~' | '|' | '(' | '[' | '{'))
        });
        let of = variables(of).map(str::to_owned).collect();
        self.assignments.push(Assignment { name: name.to_owned(), is_set, of, can_grow, line });
    }
}

/// The variables of an expression: names that are no attribute and no argument.
fn variables<'a>(tokens: &'a [Token<'a>]) -> impl Iterator<Item = &'a str> {
    tokens.iter().enumerate().filter_map(|(at, token)| match token {
        Token::Ident(name) if at == 0 || tokens[at - 1] != Token::Mark('.') => Some(*name),
        _ => None,
    })
}

/// Refuses what costs more than its length tells.
fn check_expression(tokens: &[Token<'_>]) -> Result<(), &'static str> {
    if tokens.iter().filter(|token| **token == Token::Mark('~')).count() > MAX_CONCATENATIONS {
        return Err("an expression has 16 concatenations at most");
    }
    if variables(tokens).any(|name| name.starts_with("__tera")) {
        return Err("takes the values that are given, nothing of the engine's");
    }
    let mut literals = 0_usize;
    // Of each bracket that is open, whether it begins a list or a map.
    let mut open = Vec::new();
    for (at, token) in tokens.iter().enumerate() {
        match token {
            Token::Mark(mark @ ('[' | '{')) => {
                let before = at.checked_sub(1).map(|at| &tokens[at]);
                let is_index = *mark == '['
                    && match before {
                        Some(Token::Ident(name)) => !matches!(
                            *name,
                            "in" | "and" | "or" | "not" | "if" | "elif" | "is" | "else"
                        ),
                        Some(Token::Text(_) | Token::Mark(')' | ']' | '?')) => true,
                        _ => false,
                    };
                open.push(!is_index);
                literals += usize::from(!is_index);
            }
            Token::Mark(']' | '}') => {
                literals = literals.saturating_sub(usize::from(open.pop() == Some(true)));
            }
            Token::Ident(name)
                if literals > 0
                    && !matches!(*name, "true" | "false" | "none" | "None" | "null") =>
            {
                return Err("a list or a map that is written down holds no variables");
            }
            _ => {}
        }
    }
    Ok(())
}

/// Checks texts that include each other; the last is the one that is rendered.
///
/// # Errors
/// The name of the text, and what is wrong with it.
pub(crate) fn check(at: &str, all: &[(&str, &str)]) -> Result<(), (String, TooCostly)> {
    let mut scanned: HashMap<&str, Scanned> = HashMap::new();
    for (name, text) in all {
        let one = scan(text).map_err(|refusal| ((*name).to_owned(), refusal))?;
        scanned.insert(name, one);
    }
    // What was set, and what runs through it.
    let mut set: BTreeSet<&str> = BTreeSet::new();
    let assignments = || scanned.values().flat_map(|one| &one.assignments);
    set.extend(assignments().filter(|one| one.is_set).map(|one| one.name.as_str()));
    loop {
        let more: Vec<&str> = assignments()
            .filter(|one| one.of.iter().any(|name| set.contains(name.as_str())))
            .map(|one| one.name.as_str())
            .filter(|name| !set.contains(name))
            .collect();
        if more.is_empty() {
            break;
        }
        set.extend(more);
    }
    for (name, one) in &scanned {
        for assignment in one.assignments.iter().filter(|one| one.is_set && one.can_grow) {
            if let Some(of) = assignment.of.iter().find(|name| set.contains(name.as_str())) {
                let message = format!(
                    "`{}` is set from `{of}`, which was set: only numbers may be computed so",
                    assignment.name
                );
                let refusal = TooCostly { message, line: assignment.line };
                return Err(((*name).to_owned(), refusal));
            }
        }
    }
    loops(at, &scanned, 0, 0)
}

fn loops(
    at: &str,
    all: &HashMap<&str, Scanned>,
    around: usize,
    level: usize,
) -> Result<(), (String, TooCostly)> {
    // An include that is not there is the engine's to refuse.
    let Some(scanned) = all.get(at) else { return Ok(()) };
    for (depth, include, line) in &scanned.loops {
        let refuse =
            |message: &str| (at.to_owned(), TooCostly { message: message.to_owned(), line: *line });
        if around + depth > MAX_LOOPS {
            return Err(refuse("loops nest three deep at most, those of what is included too"));
        }
        if let Some(include) = include {
            if level >= MAX_INCLUDES {
                return Err(refuse("texts include each other 16 deep at most"));
            }
            loops(include, all, around + depth, level + 1)?;
        }
    }
    Ok(())
}

/// The tokens up to `end`, and what comes after it.
fn tokens<'a>(text: &'a str, end: &str) -> (Vec<Token<'a>>, &'a str) {
    let mut tokens = Vec::new();
    let mut rest = text;
    // The mark that takes white space away.
    rest = rest.strip_prefix('-').unwrap_or(rest);
    while let Some(first) = rest.chars().next() {
        let trimmed = rest.strip_prefix('-').unwrap_or(rest);
        if let Some(after) = trimmed.strip_prefix(end) {
            return (tokens, after);
        }
        let is_word = |c: char| c.is_alphanumeric() || c == '_';
        let length = match first {
            quote @ ('"' | '\'' | '`') => {
                let text = &rest[1..];
                let length = end_of_text(text, quote);
                tokens.push(Token::Text(&text[..length]));
                (length + 2).min(rest.len())
            }
            digit if digit.is_ascii_digit() => {
                tokens.push(Token::Number);
                // A number with a point, or an attribute's place.
                let more = |c: char| !is_word(c) && c != '.';
                rest.find(more).unwrap_or(rest.len())
            }
            letter if is_word(letter) => {
                let length = rest.find(|c: char| !is_word(c)).unwrap_or(rest.len());
                tokens.push(Token::Ident(&rest[..length]));
                length
            }
            mark => {
                if !mark.is_whitespace() {
                    tokens.push(Token::Mark(mark));
                }
                mark.len_utf8()
            }
        };
        rest = &rest[length..];
    }
    (tokens, "")
}

/// How long a quoted text is, up to its quote.
fn end_of_text(text: &str, quote: char) -> usize {
    let mut is_escaped = false;
    for (at, c) in text.char_indices() {
        match c {
            _ if is_escaped => is_escaped = false,
            '\\' => is_escaped = true,
            c if c == quote => return at,
            _ => {}
        }
    }
    text.len()
}

/// What comes after the tag `endraw`; nothing where there is none, which the
/// engine refuses.
fn after_raw(text: &str) -> &str {
    let mut rest = text;
    while let Some((_, inside)) = rest.split_once("{%") {
        if let Some(after) = after_tag(inside, "endraw") {
            return after;
        }
        rest = inside;
    }
    ""
}

/// What comes after the tag `name`, if `inside` begins with it and it says no
/// more. This is the engine's rule to the letter: what one takes for raw and
/// the other does not would be rendered without being looked at.
fn after_tag<'a>(inside: &'a str, name: &str) -> Option<&'a str> {
    let inside = inside.strip_prefix('-').unwrap_or(inside).trim_ascii_start();
    let after = inside.strip_prefix(name)?.trim_ascii_start();
    after.strip_prefix('-').unwrap_or(after).strip_prefix("%}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(text: &str) -> String {
        check("t", &[("t", text)]).expect_err(text).1.message
    }

    fn passes(text: &str) {
        assert_eq!(check("t", &[("t", text)]), Ok(()), "{text}");
    }

    #[test]
    fn what_can_double_is_refused() {
        for text in [
            "{% set x = 'a' %}{% set x = x ~ x %}",
            "{% set x = 'a' %}{% for i in rows %}{% set_global x = x ~ i.v %}{% endfor %}",
            "{% set x = v ~ v %}{% set y = x ~ x %}",
            "{% set x = 'a' %}{% set y = x %}{% set_global x = y ~ '!' %}",
            "{% set x = 'a' %}{% set x = x | replace(from='a', to='aa') %}",
            "{% set y = 'a' %}{% for x in y | split(pat='zz') %}{% set_global y = x ~ x %}{% endfor %}",
            "{%- set x = \"a\" -%}{%- set x = \"{% }}\" ~ x -%}",
            // Only what the engine takes for raw is passed over.
            "{% raw %}{% endrawing %}{# {% endraw %}{% set x = v %}{% set x = x ~ x %}{% raw %} #}{% endraw %}",
            "{%--raw%}{# {%endraw%}{% set x = v %}{% set x = x ~ x %}{% raw %} #}{% endraw %}",
        ] {
            assert!(refusal(text).contains("only numbers may be computed so"), "{text}");
        }
        for text in [
            "{{ [rows, rows] }}",
            "{% for x in [a] %}{% endfor %}",
            "{{ {\"a\": b} }}",
            "{{ [x for x in y] }}",
        ] {
            assert!(refusal(text).contains("holds no variables"), "{text}");
        }
        let long = format!("{{{{ {} }}}}", vec!["a"; 18].join(" ~ "));
        assert!(refusal(&long).contains("16 concatenations"), "{long}");
        let deep = "{% for a in r %}".repeat(4);
        assert!(refusal(&deep).contains("three deep"));
        assert!(refusal("{{ __tera_context }}").contains("nothing of the engine's"));
        assert!(refusal("{% set x %}a{% endset %}").contains("no text up to"));
        for tag in ["extends \"/a\"", "block a", "filter upper", "component a()", "macro a()"] {
            assert!(refusal(&format!("{{% {tag} %}}")).contains("there is no tag"), "{tag}");
        }
        assert!(refusal("{% include \"a.html\" %}").contains("a path of the pond"));
    }

    #[test]
    fn what_reports_are_made_of_passes() {
        for text in [
            "",
            "{ not } {",
            "{{ rows[0].v }} {{ rows[0]['a b'] }} {{ a.b[c] | round(precision=2) }}",
            "{% set n = 0 %}{% for r in rows %}{% set_global n = n + 1 %}{% endfor %}{{ n }}",
            "{% for s in ['a', 'b'] %}{{ s ~ '-' ~ name }}{% endfor %}",
            "{% for a in r %}{% endfor %}".repeat(9).as_str(),
            "{% raw %}{% extends %}{{ [a] }}{% endraw %}{% if a in rows %}{% elif not b %}{% else %}{% endif %}",
            "{# {% block %} #}{{- \"{% block %}\" -}}",
        ] {
            passes(text);
        }
    }

    #[test]
    fn loops_of_included_texts_count_in() {
        let outer =
            "{% for a in r %}{% for b in r %}{% include '/inner' %}{% endfor %}{% endfor %}";
        let twice = "\n{% for a in r %}{% for b in r %}{% endfor %}{% endfor %}";
        let told = check("t", &[("/inner", twice), ("t", outer)]).expect_err("four loops");
        assert_eq!((told.0.as_str(), told.1.line), ("/inner", 2));
        let circle = "{% include '/c' %}";
        assert!(check("t", &[("/c", circle), ("t", circle)]).is_err());
        assert_eq!(scan(outer).unwrap().includes, ["/inner"]);
    }

    #[test]
    fn a_refusal_names_its_line() {
        let told = scan("a\n{{ b }}\n  {% extends '/x' %}").expect_err("a tag");
        assert_eq!(told.line, 3);
    }
}
