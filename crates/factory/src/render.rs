//! Expressions of the template engine, bounded in what they can cost.
//!
//! Always true: nothing outside the given values is read; a text of a
//! configuration is an expression or several and no program, so what it can
//! make is bounded by its length: few concatenations, few filters, no ranges,
//! and filters that can multiply their input stop at [`MAX_OUTPUT_BYTES`].

use std::io::{self, Write};

use tera::{Context, ErrorKind, Kwargs, State, Tera};

use crate::config::{Values, nearest};

/// The longest text of a configuration that is expanded.
const MAX_SCALAR_BYTES: usize = 4 << 10;
/// The longest text that comes out of an expression.
const MAX_OUTPUT_BYTES: usize = 1 << 20;
/// Filters in one text.
const MAX_FILTERS: usize = 8;
/// Concatenations in one text.
const MAX_CONCATENATIONS: usize = 16;
/// What the text is called inside the engine.
const NAME: &str = "text";

/// Why a text does not expand.
#[derive(Debug)]
pub(crate) struct Refusal {
    /// What is wrong.
    pub(crate) what: String,
    /// The variable that may have been meant.
    pub(crate) nearest: Option<String>,
}

impl Refusal {
    fn new(what: impl Into<String>) -> Self {
        Self { what: what.into(), nearest: None }
    }
}

/// The text with its expressions replaced by their values.
pub(crate) fn scalar(text: &str, values: &Values) -> Result<String, Refusal> {
    check_cost(text)?;
    let mut tera = engine();
    tera.add_raw_template(NAME, text).map_err(|error| Refusal::new(words_of(&error)))?;
    check_variables(&tera, text, values)?;
    let mut context = Context::new();
    for (name, value) in values.iter() {
        context.insert(name.to_owned(), value);
    }
    let mut out = Bounded(Vec::new());
    tera.render_to(NAME, &context, &mut out).map_err(|error| match error.kind() {
        ErrorKind::Io(_) => Refusal::new("the expanded text is longer than 1 MiB"),
        _ => Refusal::new(words_of(&error)),
    })?;
    String::from_utf8(out.0).map_err(|_| Refusal::new("the expanded text is not UTF-8"))
}

/// Refuses what would make the cost of an expression depend on more than its
/// length.
fn check_cost(text: &str) -> Result<(), Refusal> {
    if text.len() > MAX_SCALAR_BYTES {
        return Err(Refusal::new("a text with `{{` in it may have 4 KiB at most"));
    }
    if text.contains("{%") || text.contains("{#") {
        return Err(Refusal::new("takes expressions such as `{{ name }}` only, no `{%` or `{#`"));
    }
    if text.contains("__tera") {
        return Err(Refusal::new("takes the variables that are given, nothing of the engine's"));
    }
    if text.matches('|').count() > MAX_FILTERS {
        return Err(Refusal::new(format!("has more than {MAX_FILTERS} filters")));
    }
    if text.matches('~').count() > MAX_CONCATENATIONS {
        return Err(Refusal::new(format!("has more than {MAX_CONCATENATIONS} concatenations")));
    }
    Ok(())
}

/// Refuses a variable that is not given, unless the text says what to take
/// then.
fn check_variables(tera: &Tera, text: &str, values: &Values) -> Result<(), Refusal> {
    let asked =
        tera.get_template_variables(NAME).map_err(|error| Refusal::new(words_of(&error)))?;
    let mut unknown: Vec<&str> = asked
        .into_iter()
        .filter(|name| values.iter().all(|(given, _)| given != *name))
        .filter(|name| !has_default(text, name))
        .collect();
    unknown.sort_unstable();
    match unknown.first() {
        None => Ok(()),
        Some(name) => Err(Refusal {
            what: format!("the variable `{name}` is not given; `-v {name}=VALUE` gives it"),
            nearest: nearest(name, values.iter().map(|(name, _)| name)),
        }),
    }
}

/// Whether each mention of a variable goes right on to the filter `default`.
fn has_default(text: &str, name: &str) -> bool {
    let mut mentions = text.match_indices(name).peekable();
    mentions.peek().is_some()
        && mentions.all(|(at, _)| {
            let after = text[at + name.len()..].trim_start();
            after.strip_prefix('|').is_some_and(|rest| rest.trim_start().starts_with("default"))
        })
}

/// An engine without templates, whose filters can not multiply.
fn engine() -> Tera {
    let mut tera = Tera::new();
    tera.register_function("env", reference);
    tera.register_function("range", |_: Kwargs, _: &State<'_>| -> tera::TeraResult<String> {
        Err(tera::Error::message("`range` is for templates, not for configurations"))
    });
    tera.register_filter("replace", replace);
    for name in ["join", "indent", "newlines_to_br", "group_by"] {
        tera.register_filter(
            name,
            |_: tera::Value, _: Kwargs, _: &State<'_>| -> tera::TeraResult<String> {
                Err(tera::Error::message("this filter is for templates, not for configurations"))
            },
        );
    }
    tera
}

/// The reference to a variable of the environment.
#[expect(clippy::needless_pass_by_value, reason = "the engine hands its arguments over")]
fn reference(arguments: Kwargs, _: &State<'_>) -> tera::TeraResult<String> {
    let name = arguments.must_get::<&str>("name")?;
    let valid = |c: char| c.is_ascii_alphanumeric() || c == '_';
    if name.is_empty() || !name.chars().all(valid) {
        return Err(tera::Error::message("the name of a variable of the environment is wrong"));
    }
    match arguments.get::<&str>("default")? {
        Some(default) if default.contains('}') => {
            Err(tera::Error::message("a default can not hold a closing brace"))
        }
        Some(default) => Ok(format!("${{env:{name}:-{default}}}")),
        None => Ok(format!("${{env:{name}}}")),
    }
}

/// The filter `replace`, up to a length.
#[expect(clippy::needless_pass_by_value, reason = "the engine hands its arguments over")]
fn replace(text: &str, arguments: Kwargs, _: &State<'_>) -> tera::TeraResult<String> {
    let from = arguments.must_get::<&str>("from")?;
    let to = arguments.must_get::<&str>("to")?;
    let times = text.matches(from).count();
    if text.len().saturating_add(times.saturating_mul(to.len())) > MAX_OUTPUT_BYTES {
        return Err(tera::Error::message("`replace` makes more than 1 MiB"));
    }
    Ok(text.replace(from, to))
}

/// The engine's words, without its drawing of the text.
fn words_of(error: &tera::Error) -> String {
    match error.kind() {
        ErrorKind::SyntaxError(report) | ErrorKind::RenderingError(report) => {
            report.message().trim_start_matches("error: ").to_owned()
        }
        kind => {
            let text = kind.to_string();
            text.lines().next().unwrap_or_default().trim_start_matches("error: ").to_owned()
        }
    }
}

/// A buffer that refuses to grow beyond the limit.
struct Bounded(Vec<u8>);

impl Write for Bounded {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.0.len() + bytes.len() > MAX_OUTPUT_BYTES {
            return Err(io::ErrorKind::FileTooLarge.into());
        }
        self.0.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
