//! `pond reference`: the reference page, made from the command line's own
//! definition so that the two can not differ. Hidden: the page is
//! `docs/reference.md`, and a test compares it.

use std::fmt::Write as _;

use clap::{Arg, Args, Command, CommandFactory as _};

use crate::args::Cli;
use crate::error::{EXIT_CODES, Result};
use crate::output::Stdout;

/// Print the reference page of the command line as Markdown
#[derive(Args, Debug)]
pub(crate) struct ReferenceArgs {}

/// Prints the page.
pub(crate) fn run() -> Result<()> {
    let mut out = Stdout::new();
    out.line(page().trim_end())?;
    out.finish()
}

fn page() -> String {
    let mut root = Cli::command().term_width(0);
    root.build();
    let mut page = String::from(
        "# The `pond` command\n\n\
         This page is made by the program (`UPDATE_REFERENCE=1 cargo test -p cmd --test it reference`); \
         `pond help VERB` says the same at the terminal.\n\n",
    );
    if let Some(about) = root.get_about() {
        section(&mut page, &format!("{about}."));
    }
    let verbs: Vec<&Command> = root
        .get_subcommands()
        .filter(|verb| !verb.is_hide_set() && verb.get_name() != "help")
        .collect();
    page.push_str("| verb | what it does |\n|---|---|\n");
    for verb in &verbs {
        let about = verb.get_about().map(ToString::to_string).unwrap_or_default();
        let _ = writeln!(page, "| [`{0}`](#pond-{0}) | {1} |", verb.get_name(), cell(&about));
    }
    page.push('\n');
    if let Some(after) = root.get_after_long_help() {
        let text = after.to_string().replace(EXIT_CODES, "");
        let _ = write!(page, "```text\n{}\n```\n\n", text.trim());
    }
    page.push_str("## Global options\n\nEvery verb takes these.\n\n");
    options(&mut page, root.get_arguments().filter(|arg| arg.is_global_set()));
    page.push_str("## Exit codes\n\n```text\n");
    page.push_str(EXIT_CODES.trim_start_matches("Exit codes:\n"));
    page.push_str("\n```\n\n");
    for verb in verbs {
        verb_page(&mut page, verb, "pond");
    }
    page
}

fn verb_page(page: &mut String, verb: &Command, parent: &str) {
    let name = format!("{parent} {}", verb.get_name());
    let _ = write!(page, "## {name}\n\n");
    let usage = verb.clone().render_usage().to_string();
    let usage = usage.trim_start_matches("Usage: ").trim();
    let _ = write!(page, "```text\n{usage}\n```\n\n");
    if let Some(about) = verb.get_long_about().or(verb.get_about()) {
        section(page, &about.to_string());
    }
    let own = || verb.get_arguments().filter(|arg| !arg.is_global_set() && !arg.is_hide_set());
    if own().any(|arg| !is_help(arg)) {
        options(page, own());
    }
    if let Some(after) = verb.get_after_long_help().or(verb.get_after_help()) {
        let _ = write!(page, "```text\n{}\n```\n\n", after.to_string().trim());
    }
    for inner in verb.get_subcommands().filter(|inner| inner.get_name() != "help") {
        verb_page(page, inner, &name);
    }
}

fn section(page: &mut String, text: &str) {
    let _ = write!(page, "{}\n\n", text.trim());
}

fn is_help(arg: &Arg) -> bool {
    arg.get_id() == "help" || arg.get_id() == "version"
}

fn options<'a>(page: &mut String, args: impl Iterator<Item = &'a Arg>) {
    for arg in args.filter(|arg| !is_help(arg)) {
        let _ = write!(page, "- {}", names(arg));
        let help =
            arg.get_long_help().or(arg.get_help()).map(ToString::to_string).unwrap_or_default();
        let help = help.split_whitespace().collect::<Vec<_>>().join(" ");
        if !help.is_empty() {
            let _ = write!(page, ": {help}");
        }
        let values: Vec<String> = arg
            .get_possible_values()
            .iter()
            .filter(|value| !value.is_hide_set() && arg.get_action().takes_values())
            .map(|value| format!("`{}`", value.get_name()))
            .collect();
        if !values.is_empty() {
            let _ = write!(page, " ({})", values.join(", "));
        }
        let defaults: Vec<_> =
            arg.get_default_values().iter().map(|value| value.to_string_lossy()).collect();
        if !defaults.is_empty() && arg.get_action().takes_values() {
            let _ = write!(page, "; default `{}`", defaults.join(" "));
        }
        if let Some(variable) = arg.get_env() {
            let _ = write!(page, "; environment `{}`", variable.to_string_lossy());
        }
        page.push('\n');
    }
    page.push('\n');
}

fn names(arg: &Arg) -> String {
    let values = arg.get_value_names().map_or_else(String::new, |names| {
        names.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ")
    });
    if arg.is_positional() {
        return format!("`{values}`");
    }
    let mut all = Vec::new();
    if let Some(short) = arg.get_short() {
        all.push(format!("-{short}"));
    }
    if let Some(long) = arg.get_long() {
        all.push(format!("--{long}"));
    }
    let takes = arg.get_action().takes_values() && !values.is_empty();
    let value = if takes { format!(" {values}") } else { String::new() };
    format!("`{}{value}`", all.join("`, `"))
}

fn cell(text: &str) -> String {
    text.replace('|', "\\|")
}
