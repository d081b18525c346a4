//! `pond sql`: questions.

mod shell;

use std::ffi::OsString;
use std::io::Read as _;
use std::path::PathBuf;

use clap::Args;
use query::Session;

use crate::args::{AsOfArg, RowFormatArgs, TimeWindowArgs, TimeoutArg};
use crate::context::{Context, Verify, View};
use crate::deadline::Deadline;
use crate::error::{CommandError, OrFail as _, Result};
use crate::host::Operand;
use crate::table_args::TableArgs;
use crate::{quantity, quote};

/// The longest query that is read from a file or stdin.
const MAX_QUERY_BYTES: u64 = 16 << 20;

/// Ask the pond questions in SQL
///
/// A table is named by its path in quotes: FROM '/sensors/dock.series'. A glob
/// is the table of all that match, with the path of each row in the column
/// _path where it is asked for. Besides there are pond.entries, pond.versions
/// and pond.transactions, and information_schema. SQL only reads, and only the
/// pond; files of this machine are seen only where --bind names them.
///
/// Without a query: on a terminal a shell, otherwise the query is read from
/// standard input.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  pond sql \"SELECT count(*) FROM '/sensors/dock.series'\"
  pond sql --format json \"SELECT date_trunc('day', time) AS day, avg(level) FROM '/sensors/*.series' GROUP BY day\"
  pond sql --time-start 2026-03-01 \"SELECT * FROM '/sensors/dock.series' LIMIT 10\"
  pond sql --bind sites=host+csv:sites.csv \"SELECT * FROM '/tables/sites.table' EXCEPT SELECT * FROM sites\"
  pond sql \"EXPLAIN SELECT max(level) FROM '/sensors/dock.series'\"
  pond sql \"SELECT path, versions FROM pond.entries\"
  pond sql -f monthly.sql")]
pub(crate) struct SqlArgs {
    /// The query
    #[arg(value_name = "QUERY", conflicts_with = "file")]
    query: Option<String>,
    /// Read the query from a file
    #[arg(short, long, value_name = "FILE", value_hint = clap::ValueHint::FilePath)]
    file: Option<PathBuf>,
    /// Give a table a name: NAME=PATH in the pond, or NAME=host+FORMAT:FILE; may
    /// be repeated
    #[arg(short, long = "bind", value_name = "NAME=WHAT")]
    binds: Vec<OsString>,
    /// Compare all content of the tables with its hash before the first row
    #[arg(long)]
    verify_reads: bool,
    #[command(flatten)]
    format: RowFormatArgs,
    #[command(flatten)]
    window: TimeWindowArgs,
    #[command(flatten)]
    as_of: AsOfArg,
    #[command(flatten)]
    timeout: TimeoutArg,
    #[command(flatten)]
    table: TableArgs,
}

/// Runs the query, or the shell.
pub(crate) async fn run(context: &Context, args: &SqlArgs) -> Result<()> {
    let query = match (&args.query, &args.file) {
        (Some(query), _) => Some(query.clone()),
        (None, Some(file)) => Some(read_file(file)?),
        (None, None) if context.stdin_is_terminal() => None,
        (None, None) => Some(read_stdin()?),
    };
    // The shell goes on when a query is given up, and a process does not.
    let limited = args.timeout.timeout.filter(|_| query.is_some());
    let _deadline = limited.map(|timeout| Deadline::start(context, timeout));
    let view = context.read(args.as_of.as_of).await?;
    let session = session(context, args, &view).await?;
    match query {
        None => {
            let session = match args.timeout.timeout {
                Some(timeout) => session.with_deadline(timeout),
                None => session,
            };
            shell::run(context, args.format, &view, &session).await
        }
        Some(query) => {
            let rows = session.sql(&query).await.or_fail(|| "cannot run the query".to_owned())?;
            context.print_rows(args.format, rows).await?;
            left_out(&session)
        }
    }
}

/// Fails when a listing of nodes was not whole.
fn left_out(session: &Session) -> Result<()> {
    let mut all = session.left_out();
    let count = quantity::counted(all.len() as u64, "node");
    let Some((path, error)) = all.pop() else { return Ok(()) };
    let error =
        CommandError::failure(format!("{count} could not be listed: `{path}`")).because(error);
    Err(error.hint(format!("`pond describe {}` says more", quote::shell(&path))))
}

async fn session(context: &Context, args: &SqlArgs, view: &View) -> Result<Session> {
    let verify = if args.verify_reads { Verify::Whole } else { Verify::Ranges };
    let session = context.session_that(view, args.window, verify)?;
    for bind in &args.binds {
        let text = bind.to_str().ok_or_else(|| {
            CommandError::bad_input(format!("`{}` is not UTF-8", bind.to_string_lossy()))
        })?;
        let Some((name, what)) = text.split_once('=').filter(|(name, _)| !name.is_empty()) else {
            return Err(CommandError::usage(format!("`{text}` gives nothing a name"))
                .hint("write --bind NAME=/path or --bind NAME=host+csv:FILE"));
        };
        let fail = || format!("cannot read `{what}`");
        match Operand::parse(what.as_ref())? {
            Operand::Pond(path) => session.bind(name, path),
            Operand::Table(url) => {
                let options = args.table.read_options(None)?;
                let source = context.host_source(url);
                let opened = session.bind_host(name, source, options).await.or_fail(fail)?;
                super::copy::tell(context, opened.report());
            }
            Operand::Host(_) | Operand::Stdio => {
                return Err(CommandError::usage(format!(
                    "`{what}` does not say how it is to be read"
                ))
                .hint(format!("--bind {name}=host+csv:FILE")));
            }
        }
    }
    Ok(session)
}

fn read_file(file: &std::path::Path) -> Result<String> {
    let shown = crate::host::show(file);
    let opened = std::fs::File::open(file).or_fail(|| format!("cannot read `{shown}`"))?;
    read_query(opened, &shown)
}

fn read_stdin() -> Result<String> {
    read_query(std::io::stdin().lock(), "standard input")
}

fn read_query(from: impl std::io::Read, shown: &str) -> Result<String> {
    let mut bytes = Vec::new();
    from.take(MAX_QUERY_BYTES + 1)
        .read_to_end(&mut bytes)
        .or_fail(|| format!("cannot read the query from {shown}"))?;
    if bytes.len() as u64 > MAX_QUERY_BYTES {
        return Err(CommandError::bad_input(format!("the query in {shown} is longer than 16 MiB")));
    }
    let text = String::from_utf8(bytes).map_err(|error| {
        CommandError::bad_input(format!("the query in {shown} is not UTF-8")).because(error)
    })?;
    if text.trim().is_empty() {
        return Err(CommandError::usage(format!("there is no query in {shown}"))
            .hint("pond sql \"SELECT * FROM '/path'\""));
    }
    Ok(text)
}
