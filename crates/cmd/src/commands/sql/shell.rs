//! The SQL shell: lines with history and completion, one query at a time.
//!
//! Always true: it sees one snapshot from beginning to end; an error ends the
//! query, not the shell; a line that begins with a dot is for the shell.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use query::Session;
use rustyline::completion::Completer;
use rustyline::error::ReadlineError;
use rustyline::highlight::Highlighter;
use rustyline::history::DefaultHistory;
use rustyline::validate::{ValidationContext, ValidationResult, Validator};
use rustyline::{Config, Editor, Helper, Hinter};

use crate::args::RowFormatArgs;
use crate::context::{Context, View};
use crate::error::{CommandError, OrFail as _, Result};
use crate::output::Stdout;
use crate::{quote, time_arg};

const HELP: &str = "\
A query ends with a semicolon. Tables are paths in quotes: FROM '/sensors/dock.series'
  .tables [GLOB]   tables and series, and their rows
  .columns PATH    the columns of one
  .help            this
  .quit            leave (so does Ctrl-D)";

/// Words that complete; what a reader of a pond types most.
const WORDS: [&str; 40] = [
    "SELECT",
    "FROM",
    "WHERE",
    "GROUP BY",
    "ORDER BY",
    "LIMIT",
    "JOIN",
    "LEFT JOIN",
    "FULL OUTER JOIN",
    "ON",
    "USING",
    "AS",
    "AND",
    "OR",
    "NOT",
    "NULL",
    "IS",
    "IN",
    "BETWEEN",
    "CASE",
    "WHEN",
    "THEN",
    "ELSE",
    "END",
    "DISTINCT",
    "HAVING",
    "UNION ALL",
    "WITH",
    "EXPLAIN",
    "count(",
    "sum(",
    "avg(",
    "min(",
    "max(",
    "date_trunc(",
    "date_bin(",
    "DESC",
    "ASC",
    "pond.entries",
    "pond.transactions",
];

/// Runs the shell until the user leaves.
pub(super) async fn run(
    context: &Context,
    format: RowFormatArgs,
    view: &View,
    session: &Session,
) -> Result<()> {
    let known = Arc::new(Mutex::new(Known::default()));
    learn_paths(session, &known).await;
    let helper = PondHelper { known: Arc::clone(&known) };
    let config = Config::builder().max_history_size(1_000).map_or_else(
        |_| Config::builder().auto_add_history(false).build(),
        |builder| builder.auto_add_history(false).build(),
    );
    let mut editor: Editor<PondHelper, DefaultHistory> =
        Editor::with_config(config).or_fail(|| "cannot start the shell".to_owned())?;
    editor.set_helper(Some(helper));
    let history = history_file();
    if let Some(file) = &history {
        // A first run has no history, and an unreadable one is no reason not to work.
        let _ = editor.load_history(file);
    }
    context.say(&format!("transaction {}; .help for help, .quit to leave", view.txn_seq()));
    loop {
        // Blocking here is what a shell is for; nothing else runs.
        match editor.readline("pond> ") {
            Ok(line) if line.trim().is_empty() => {}
            Ok(line) => {
                let _ = editor.add_history_entry(line.trim());
                if matches!(line.trim(), ".quit" | ".exit" | ".q") {
                    break;
                }
                let result = match line.trim().strip_prefix('.') {
                    Some(command) => dot(view, session, command).await,
                    None => query(context, format, session, &known, &line).await,
                };
                match result {
                    Ok(()) => {}
                    Err(error) if error.kind() == crate::error::Kind::BrokenPipe => {
                        return Err(error);
                    }
                    Err(error) => {
                        crate::suggest::complete(context, error).await.print(context.error_style());
                    }
                }
            }
            Err(ReadlineError::Interrupted) => {}
            Err(ReadlineError::Eof) => break,
            Err(error) => {
                return Err(CommandError::failure("cannot read the next line").because(error));
            }
        }
    }
    save_history(&mut editor, history);
    Ok(())
}

async fn query(
    context: &Context,
    format: RowFormatArgs,
    session: &Session,
    known: &Mutex<Known>,
    text: &str,
) -> Result<()> {
    let text = text.trim().trim_end_matches(';');
    let rows = session.sql(text).await.or_fail(|| "cannot run the query".to_owned())?;
    let names = rows.schema().fields().iter().map(|field| field.name().clone()).collect::<Vec<_>>();
    known.lock().unwrap_or_else(PoisonError::into_inner).columns.extend(names);
    context.print_rows(format, rows).await
}

async fn dot(view: &View, session: &Session, command: &str) -> Result<()> {
    let (word, rest) = command.split_once(char::is_whitespace).unwrap_or((command, ""));
    let rest = rest.trim();
    let mut out = Stdout::new();
    match word {
        "help" | "h" => out.line(HELP)?,
        "tables" | "d" | "t" => {
            let pattern = if rest.is_empty() { "/**" } else { rest };
            let found = view.fs.glob(pattern).await;
            for found in found.or_fail(|| format!("cannot search for `{pattern}`"))? {
                let node = &found.path.node;
                if node.entry_type.is_tabular() {
                    let rows = node.newest.as_ref().and_then(|version| version.rows).unwrap_or(0);
                    let written = node
                        .newest
                        .as_ref()
                        .map_or(String::new(), |version| time_arg::short(version.written_us));
                    out.line(&format!(
                        "{}  {}  {rows} rows in the newest version, {written}",
                        quote::terminal(&found.path.path),
                        node.entry_type
                    ))?;
                }
            }
        }
        "columns" | "c" if !rest.is_empty() => {
            let path = rest.trim_matches(['\'', '"', ';']);
            let schema =
                session.schema_of(path).await.or_fail(|| format!("cannot read `{path}`"))?;
            for field in schema.fields() {
                let null = if field.is_nullable() { "" } else { " not null" };
                out.line(&format!(
                    "{}  {}{null}",
                    quote::terminal(field.name()),
                    field.data_type()
                ))?;
            }
        }
        _ => {
            return Err(CommandError::usage(format!("there is no command `.{command}`"))
                .hint(".help lists the commands"));
        }
    }
    out.finish()
}

/// What completion knows.
#[derive(Debug, Default)]
struct Known {
    paths: Vec<String>,
    columns: BTreeSet<String>,
}

/// Learns the paths of tables, and the columns of a few of them. A pond that
/// can not be searched just completes nothing.
async fn learn_paths(session: &Session, known: &Mutex<Known>) {
    const MOST_SCHEMAS: usize = 50;
    let Ok(paths) = session.paths().await else { return };
    let paths = paths.to_vec();
    let mut columns = BTreeSet::new();
    for path in paths.iter().take(MOST_SCHEMAS) {
        if let Ok(schema) = session.schema_of(path).await {
            columns.extend(schema.fields().iter().map(|field| field.name().clone()));
        }
    }
    *known.lock().unwrap_or_else(PoisonError::into_inner) = Known { paths, columns };
}

#[derive(Helper, Hinter)]
struct PondHelper {
    known: Arc<Mutex<Known>>,
}

impl Highlighter for PondHelper {
    fn highlight_hint<'h>(&self, hint: &'h str) -> Cow<'h, str> {
        Cow::Borrowed(hint)
    }
}

impl Validator for PondHelper {
    fn validate(&self, input: &mut ValidationContext<'_>) -> rustyline::Result<ValidationResult> {
        let text = input.input().trim();
        if text.is_empty() || text.starts_with('.') || text.ends_with(';') {
            Ok(ValidationResult::Valid(None))
        } else {
            Ok(ValidationResult::Incomplete)
        }
    }
}

impl Completer for PondHelper {
    type Candidate = String;

    fn complete(
        &self,
        line: &str,
        position: usize,
        _: &rustyline::Context<'_>,
    ) -> rustyline::Result<(usize, Vec<String>)> {
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        Ok(candidates(&known, &line[..position]))
    }
}

/// Where the word before the cursor begins, and what it may become.
fn candidates(known: &Known, before: &str) -> (usize, Vec<String>) {
    let begins = |c: char| c.is_whitespace() || "'\"(,=;".contains(c);
    let start = before
        .rfind(begins)
        .map_or(0, |at| at + before[at..].chars().next().map_or(1, char::len_utf8));
    let word = &before[start..];
    let mut found: Vec<String> = Vec::new();
    if word.starts_with('/') {
        found.extend(known.paths.iter().filter(|path| path.starts_with(word)).cloned());
    } else if !word.is_empty() {
        let lower = word.to_lowercase();
        let like = |name: &str| name.to_lowercase().starts_with(&lower);
        found.extend(known.columns.iter().filter(|name| like(name)).map(|name| {
            let plain =
                name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_');
            if plain { name.clone() } else { quote::sql_name(name) }
        }));
        found.extend(WORDS.iter().filter(|name| like(name)).map(|name| (*name).to_owned()));
    }
    (start, found)
}

/// Where the history is kept: `$XDG_STATE_HOME/pond/sql_history`.
fn history_file() -> Option<PathBuf> {
    let state = std::env::var_os("XDG_STATE_HOME")
        .map(PathBuf::from)
        .filter(|path| path.is_absolute())
        .or_else(|| {
            std::env::var_os("HOME").map(|home| PathBuf::from(home).join(".local/state"))
        })?;
    Some(state.join("pond").join("sql_history"))
}

/// Keeps the history; where it can not be kept, the shell has still worked.
fn save_history(editor: &mut Editor<PondHelper, DefaultHistory>, file: Option<PathBuf>) {
    let Some(file) = file else { return };
    if let Some(directory) = file.parent() {
        let _ = std::fs::create_dir_all(directory);
    }
    let _ = editor.save_history(&file);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn known() -> Known {
        Known {
            paths: vec!["/sensors/dock.series".into(), "/tables/sites.table".into()],
            columns: ["level".to_owned(), "Water Temp".to_owned()].into(),
        }
    }

    #[test]
    fn paths_complete_inside_quotes() {
        let (start, found) = candidates(&known(), "SELECT * FROM '/sen");
        assert_eq!((start, found), (15, vec!["/sensors/dock.series".to_owned()]));
    }

    #[test]
    fn columns_complete_quoted_where_sql_needs_it() {
        assert_eq!(candidates(&known(), "SELECT wat").1, ["\"Water Temp\""]);
        assert_eq!(candidates(&known(), "SELECT lev").1, ["level"]);
    }

    #[test]
    fn nothing_typed_offers_nothing() {
        assert!(candidates(&known(), "SELECT ").1.is_empty());
    }
}
