//! Other names for columns.

use datafusion::logical_expr::{Expr, cast};
use regex::{Regex, RegexBuilder};

use super::Table;
use super::config::{Rule, RuleType};
use super::values::data_type;
use crate::column_glob::no_column;
use crate::{Error, Result};

/// The most bytes that a compiled pattern takes.
const MAX_REGEX_BYTES: usize = 1 << 20;

/// A pattern over names.
pub(super) fn regex(pattern: &str) -> Result<Regex, regex::Error> {
    RegexBuilder::new(pattern).size_limit(MAX_REGEX_BYTES).build()
}

/// The rules one after another, each over the names that the one before made.
pub(super) fn apply(rules: &[Rule], table: Table) -> Result<Table> {
    let before = table.columns();
    let mut columns: Vec<(Expr, String)> =
        before.into_iter().map(|(expr, field)| (expr, field.name().clone())).collect();
    let mut time = table.time_column.clone();
    for rule in rules {
        for place in matching(rule, &columns)? {
            let (expr, name) = &mut columns[place];
            let renamed = new_name(rule, name)?;
            if time.as_deref() == Some(name) {
                time = Some(renamed.clone());
            }
            if let Some(to) = rule.cast {
                *expr = cast(expr.clone(), data_type(to));
            }
            *name = renamed;
        }
    }
    let table = table.project(columns)?;
    Ok(Table { time_column: time, ..table })
}

/// The places of the columns that a rule is about.
fn matching(rule: &Rule, columns: &[(Expr, String)]) -> Result<Vec<usize>> {
    let names = || columns.iter().map(|(_, name)| name.as_str());
    match rule.r#type {
        RuleType::Direct => {
            let from = rule.from.as_deref().unwrap_or_default();
            match names().position(|name| name == from) {
                Some(place) => Ok(vec![place]),
                None if rule.optional => Ok(Vec::new()),
                None => Err(no_column(from, names())),
            }
        }
        RuleType::Pattern => {
            let pattern = compiled(rule)?;
            let found = names().enumerate().filter(|(_, name)| pattern.is_match(name));
            Ok(found.map(|(place, _)| place).collect())
        }
    }
}

fn new_name(rule: &Rule, name: &str) -> Result<String> {
    Ok(match rule.r#type {
        RuleType::Direct => rule.to.clone().unwrap_or_default(),
        RuleType::Pattern => {
            let replacement = rule.replacement.as_deref().unwrap_or_default();
            compiled(rule)?.replace_all(name, replacement).into_owned()
        }
    })
}

fn compiled(rule: &Rule) -> Result<Regex> {
    let pattern = rule.pattern.as_deref().unwrap_or_default();
    regex(pattern)
        .map_err(|error| Error::Input { text: pattern.to_owned(), what: error.to_string() })
}
