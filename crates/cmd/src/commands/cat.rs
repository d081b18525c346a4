//! `pond cat`: what is in a file.

use std::io::Write as _;
use std::sync::Arc;
use std::time::Duration;

use clap::Args;
use query::Session;
use query::format::SourceUrl;
use tinyfs::{EntryType, NodePath, Reader, SeriesSpec, VerifiedReader};
use tokio::io::AsyncReadExt as _;

use crate::args::{self, AsOfArg, RowFormatArgs, TimeWindowArgs};
use crate::context::{Context, Verify, View};
use crate::deadline::Deadline;
use crate::error::{CommandError, OrFail as _, Result};
use crate::host::Operand;
use crate::output::{RowFormat, Stdout};
use crate::quantity;
use crate::quote;
use crate::table_args::TableArgs;

const PIECE_BYTES: usize = 256 << 10;

/// Print a file: bytes as they are, tables and series as rows
///
/// With --sql, the rows go through a query in which the file is called
/// `source`. A glob is the table of all that match. A file of this machine is
/// read as a table without a pond: pond cat host+csv:x.csv.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  pond cat /docs/notes.txt
  pond cat /sensors/dock.series --time-start 2026-03-01 --format csv
  pond cat /sensors/dock.series --sql 'SELECT max(level) FROM source'
  pond cat --version 3 --format raw /sensors/dock.series > v3.parquet
  pond cat --config /views/daily
  pond cat host+csv:dock.csv --sql 'SELECT count(*) FROM source'")]
pub(crate) struct CatArgs {
    /// A path or glob in the pond, or a file as host+FORMAT:FILE
    #[arg(value_name = "PATH", add = args::pond_path())]
    path: std::ffi::OsString,
    /// A query over the rows, which it calls `source`
    #[arg(long, value_name = "QUERY")]
    sql: Option<String>,
    /// Version N alone, as it was written
    #[arg(long, value_name = "N", conflicts_with_all = ["time_start", "time_end"])]
    version: Option<u64>,
    /// Of a computed node: how it is configured, instead of what comes out
    #[arg(long, conflicts_with_all = ["sql", "time_start", "time_end", "format"])]
    config: bool,
    /// With --sql: compare all content with its hash before the first row (without
    /// --sql that is always done)
    #[arg(long, requires = "sql")]
    verify_reads: bool,
    /// With --sql: give up when there is no whole answer by then, such as 30s or
    /// 5min
    #[arg(long, value_name = "DURATION", requires = "sql", value_parser = quantity::parse_duration)]
    timeout: Option<Duration>,
    #[command(flatten)]
    format: RowFormatArgs,
    #[command(flatten)]
    window: TimeWindowArgs,
    #[command(flatten)]
    as_of: AsOfArg,
    #[command(flatten)]
    table: TableArgs,
}

/// Prints it.
pub(crate) async fn run(context: &Context, args: &CatArgs) -> Result<()> {
    let _deadline = args.timeout.map(|timeout| Deadline::start(context, timeout));
    match Operand::parse(&args.path)? {
        Operand::Table(url) => host_table(context, args, url).await,
        Operand::Host(host) => {
            let shown = crate::host::show(&host.path);
            Err(CommandError::usage(format!("`{shown}` is a file of this machine")).hint(format!(
                "say how it is to be read: pond cat {}",
                quote::shell(&format!("host+csv:{shown}"))
            )))
        }
        Operand::Stdio => Err(CommandError::usage("cat reads a file, not standard input")
            .hint("read rows from standard input with pond cat host+csv:-")),
        Operand::Pond(path) => pond_file(context, args, &path).await,
    }
}

async fn host_table(context: &Context, args: &CatArgs, url: SourceUrl) -> Result<()> {
    if args.version.is_some() || args.as_of.as_of.is_some() {
        return Err(CommandError::usage("a file of this machine has no versions"));
    }
    let shown = url.to_string();
    let session = context.session_without_pond(args.window)?;
    let options = args.table.read_options(None)?;
    let opened = session
        .bind_host("source", context.host_source(url), options)
        .await
        .or_fail(|| format!("cannot read `{shown}`"))?;
    let text = args.sql.as_deref().unwrap_or("SELECT * FROM source");
    let answer = async {
        let rows = session.sql(text).await.or_fail(|| "cannot run the query".to_owned())?;
        context.print_rows(args.format, rows).await
    };
    answer.await.map_err(CommandError::of_host_file)?;
    super::copy::tell(context, opened.report());
    Ok(())
}

async fn pond_file(context: &Context, args: &CatArgs, path: &str) -> Result<()> {
    let view = context.read(args.as_of.as_of).await?;
    if args.config {
        return configuration(&view, args, path).await;
    }
    let file = match view.fs.file(path).await {
        Ok(file) => Some(file),
        Err(tinyfs::Error::NotFound { .. }) if super::is_glob(path) => None,
        Err(error) => {
            return Err(CommandError::failure(format!("cannot read `{path}`")).because(error));
        }
    };
    if let Some(file) = &file {
        let is_table = file.node.entry_type.is_tabular();
        if args.window.is_given() && !file.node.entry_type.is_series() {
            return Err(CommandError::usage(format!(
                "`{}` is {}, which has no times to choose by",
                file.path, file.node.entry_type
            ))
            .hint("--time-start and --time-end are for series; of a table, say it in --sql"));
        }
        // The versions of a computed node are its configurations.
        if args.version.is_some() && file.node.entry_type.is_dynamic() && args.sql.is_none() {
            return configuration(&view, args, path).await;
        }
        let wants_bytes = args.format.format == Some(RowFormat::Raw) || !is_table;
        if wants_bytes && args.sql.is_none() {
            if !is_table && args.format.format.is_some_and(|format| format != RowFormat::Raw) {
                return Err(CommandError::usage(format!(
                    "`{}` is bytes, which have no rows to format",
                    file.path
                ))
                .hint("leave --format out"));
            }
            return bytes(context, &view, file, args.version).await;
        }
    } else if args.version.is_some() {
        return Err(CommandError::usage("--version needs one file, not a glob"));
    }
    let fail = || format!("cannot read `{path}`");
    let whole = args.sql.is_none() || args.verify_reads;
    let verify = if whole { Verify::Whole } else { Verify::Ranges };
    let session = context.session_that(&view, args.window, verify)?;
    match args.version {
        None => session.bind("source", path),
        Some(version) => {
            // What is not there is told by its own name, before SQL meets it.
            view.fs.verify(path, Some(version)).await.or_fail(fail)?;
            session.bind_version("source", path, version);
        }
    }
    let text = match &args.sql {
        Some(text) => text.clone(),
        None => all_rows(&session, file.as_ref()).await.or_fail(fail)?,
    };
    let rows = session.sql(&text).await.or_fail(|| "cannot run the query".to_owned())?;
    context.print_rows(args.format, rows).await
}

/// The query for all rows: of a series in the order of its key, so that the
/// same rows print the same.
async fn all_rows(session: &Session, file: Option<&NodePath>) -> query::Result<String> {
    let key = match file {
        Some(file) if file.node.entry_type == EntryType::DynamicSeries => {
            let table = session.inputs().table(&file.path).await?;
            table.time_column.iter().map(ToString::to_string).collect()
        }
        Some(file) => {
            SeriesSpec::read_from(&file.node.attributes)?.map(|spec| spec.key).unwrap_or_default()
        }
        None => Vec::new(),
    };
    let mut text = "SELECT * FROM source".to_owned();
    for (at, column) in key.iter().enumerate() {
        text.push_str(if at == 0 { " ORDER BY " } else { ", " });
        text.push_str(&format!("\"{}\"", column.replace('"', "\"\"")));
    }
    Ok(text)
}

/// How a computed node is configured, or was.
async fn configuration(view: &View, args: &CatArgs, path: &str) -> Result<()> {
    let fail = || format!("cannot read `{path}`");
    let found = view.fs.resolve(path).await.or_fail(fail)?;
    if !found.node.entry_type.is_dynamic() {
        let what = format!("`{}` is {}, not computed", found.path, found.node.entry_type);
        return Err(CommandError::usage(what).hint("leave --config out"));
    }
    let store = view.fs.store();
    let version = view.fs.version(&found, args.version).await.or_fail(fail)?;
    let reader = Reader::new(Arc::clone(store), found.id(), version).named(found.path);
    let mut text = Vec::new();
    VerifiedReader::new(reader).read_to_end(&mut text).await.or_fail(fail)?;
    let mut out = Stdout::new();
    out.write_all(&text).map_err(CommandError::stdout)?;
    out.finish()
}

/// Bytes, checked against their hash while they go out.
async fn bytes(
    context: &Context,
    view: &View,
    file: &NodePath,
    version: Option<u64>,
) -> Result<()> {
    let fail = || format!("cannot read `{}`", file.path);
    let is_table = file.node.entry_type.is_tabular();
    if is_table {
        Stdout::refuse_binary(context.stdout_is_terminal(), "Parquet")?;
    }
    let mut out = Stdout::new();
    let whole = file.node.entry_type == EntryType::Series || file.node.entry_type.is_dynamic();
    if whole && version.is_none() {
        super::copy::series_bytes(context, view, file, &mut out).await?;
        return out.finish();
    }
    let mut reader = view.fs.verified(&file.path, version).await.or_fail(fail)?;
    let mut piece = vec![0; PIECE_BYTES];
    loop {
        let read = reader.read(&mut piece).await.or_fail(fail)?;
        if read == 0 {
            return out.finish();
        }
        out.write_all(&piece[..read]).map_err(CommandError::stdout)?;
    }
}
