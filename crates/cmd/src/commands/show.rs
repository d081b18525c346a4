//! `pond show N|PATH`: one transaction, or the history of one path.

use clap::Args;
use serde::Serialize;
use steward::{Change, ChangeKind, PathHistory};

use super::log::LoggedTransaction;
use crate::args::{self, AsOfArg, ListFormatArg};
use crate::context::{Context, View};
use crate::error::{OrFail as _, Result};
use crate::output::{Stdout, Style, TextTable, print_object};
use crate::{quantity, quote, time_arg};

/// Show what a transaction changed, or the versions of a file
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  pond show 42
  pond show /sensors/dock.series
  pond show --format json 42 | jq '.changes[].path'")]
pub(crate) struct ShowArgs {
    /// The number of a transaction, or a path
    #[arg(value_name = "N|PATH", add = args::pond_path())]
    what: String,
    #[command(flatten)]
    format: ListFormatArg,
    #[command(flatten)]
    as_of: AsOfArg,
}

/// A transaction as `pond show N --format json` prints it.
#[derive(Debug, Serialize)]
struct ShownTransaction {
    #[serde(flatten)]
    transaction: LoggedTransaction,
    /// What it changed.
    changes: Vec<ShownChange>,
}

/// One change of a transaction.
#[derive(Debug, Serialize)]
struct ShownChange {
    /// Where it is, or was; absent for what has no name.
    #[serde(skip_serializing_if = "Option::is_none")]
    path: Option<String>,
    /// The node's id.
    node: String,
    /// What it is.
    #[serde(rename = "type")]
    entry_type: &'static str,
    /// `created`, `removed`, `moved`, `version`, `merged` or `attributes`.
    change: &'static str,
    /// The path it had, of a move.
    #[serde(skip_serializing_if = "Option::is_none")]
    from: Option<String>,
    /// The version that was written; of a merge, the last that was merged.
    #[serde(skip_serializing_if = "Option::is_none")]
    version: Option<u64>,
    /// The first version of a merge.
    #[serde(skip_serializing_if = "Option::is_none")]
    from_version: Option<u64>,
    /// Bytes of the version.
    #[serde(skip_serializing_if = "Option::is_none")]
    size_bytes: Option<u64>,
    /// Rows of the version.
    #[serde(skip_serializing_if = "Option::is_none")]
    rows: Option<u64>,
}

impl From<Change> for ShownChange {
    fn from(change: Change) -> Self {
        let mut shown = Self {
            path: change.path,
            node: change.node.to_string(),
            entry_type: change.entry_type.as_str(),
            change: "changed",
            from: None,
            version: None,
            from_version: None,
            size_bytes: None,
            rows: None,
        };
        match change.kind {
            ChangeKind::Created => shown.change = "created",
            ChangeKind::Removed => shown.change = "removed",
            ChangeKind::Moved { from } => {
                shown.change = "moved";
                shown.from = Some(from);
            }
            ChangeKind::Version { number, size_bytes, rows, .. } => {
                shown.change = "version";
                shown.version = Some(number);
                shown.size_bytes = Some(size_bytes);
                shown.rows = rows;
            }
            ChangeKind::Merged { from, to } => {
                shown.change = "merged";
                shown.from_version = Some(from);
                shown.version = Some(to);
            }
            ChangeKind::Attributes => shown.change = "attributes",
            _ => {}
        }
        shown
    }
}

/// A path as `pond show PATH --format json` prints it.
#[derive(Debug, Serialize)]
struct ShownPath {
    /// The path, links followed.
    path: String,
    /// What is there.
    #[serde(rename = "type")]
    entry_type: &'static str,
    /// The node's id.
    node: String,
    /// The versions that are kept, newest first.
    versions: Vec<ShownVersion>,
}

/// One version of a file.
#[derive(Debug, Serialize)]
struct ShownVersion {
    /// Its number.
    version: u64,
    /// Its bytes.
    size_bytes: u64,
    /// Its rows, of tables and series.
    #[serde(skip_serializing_if = "Option::is_none")]
    rows: Option<u64>,
    /// Its earliest event time, RFC 3339.
    #[serde(skip_serializing_if = "Option::is_none")]
    time_start: Option<String>,
    /// Its latest event time, RFC 3339.
    #[serde(skip_serializing_if = "Option::is_none")]
    time_end: Option<String>,
    /// BLAKE3 of its bytes.
    hash: String,
    /// The transaction that wrote it.
    transaction: u64,
    /// When that ended, RFC 3339.
    written: String,
    /// Its command line; absent when the transaction was pruned.
    #[serde(skip_serializing_if = "Option::is_none")]
    command: Option<String>,
    #[serde(skip)]
    written_us: i64,
}

/// Shows it.
pub(crate) async fn run(context: &Context, args: &ShowArgs) -> Result<()> {
    let view = context.read(args.as_of.as_of).await?;
    match args.what.parse() {
        Ok(number) => transaction(context, args, &view, number).await,
        // What is no number is a path.
        Err(_) => path(context, args, &view).await,
    }
}

async fn transaction(context: &Context, args: &ShowArgs, view: &View, number: u64) -> Result<()> {
    let (transaction, changes) =
        view.state.show(number).await.or_fail(|| format!("cannot show transaction {number}"))?;
    let shown = ShownTransaction {
        transaction: transaction.into(),
        changes: changes.into_iter().map(ShownChange::from).collect(),
    };
    let style = context.output_style();
    print_object(args.format.format, &shown, |out, shown| {
        super::log::text(out, &shown.transaction, style)?;
        for change in &shown.changes {
            out.line(&change_text(change, style))?;
        }
        Ok(())
    })
}

fn change_text(change: &ShownChange, style: Style) -> String {
    let path = quote::terminal(change.path.as_deref().unwrap_or(&change.node)).into_owned();
    let rows = change
        .rows
        .map_or_else(String::new, |rows| format!(", {}", quantity::counted(rows, "row")));
    match change.change {
        "created" => style.added(format!("  + {path}  {}", change.entry_type)),
        "removed" => style.removed(format!("  - {path}  {}", change.entry_type)),
        "moved" => {
            let from = change.from.as_deref().unwrap_or_default();
            style.changed(format!("  > {path}  moved from {}", quote::terminal(from)))
        }
        "version" => format!(
            "    {path}  version {}, {}{rows}",
            change.version.unwrap_or(0),
            quantity::bytes(change.size_bytes.unwrap_or(0))
        ),
        "merged" => format!(
            "    {path}  versions {} to {} merged",
            change.from_version.unwrap_or(0),
            change.version.unwrap_or(0)
        ),
        other => format!("    {path}  {other}"),
    }
}

async fn path(context: &Context, args: &ShowArgs, view: &View) -> Result<()> {
    let history = view
        .state
        .history_of(&args.what)
        .await
        .or_fail(|| format!("cannot show `{}`", args.what))?;
    let shown = shown_path(history);
    let style = context.output_style();
    print_object(args.format.format, &shown, |out, shown| path_text(out, shown, style))
}

fn shown_path(history: PathHistory) -> ShownPath {
    ShownPath {
        path: history.path,
        entry_type: history.node.entry_type.as_str(),
        node: history.node.id.to_string(),
        versions: history
            .versions
            .into_iter()
            .map(|one| ShownVersion {
                version: one.version.number,
                size_bytes: one.version.size_bytes,
                rows: one.version.rows,
                time_start: one.version.time_range.map(|times| time_arg::text(times.min_us)),
                time_end: one.version.time_range.map(|times| time_arg::text(times.max_us)),
                hash: one.version.hash.to_string(),
                transaction: one.version.txn_seq,
                written: time_arg::text(one.version.written_us),
                written_us: one.version.written_us,
                command: one.transaction.map(|transaction| transaction.command),
            })
            .collect(),
    }
}

fn path_text(out: &mut Stdout, shown: &ShownPath, style: Style) -> Result<()> {
    out.line(&format!("{}  {}", style.heading(quote::terminal(&shown.path)), shown.entry_type))?;
    let mut table = TextTable::new(">>>><<<").indented(2);
    if !shown.versions.is_empty() {
        let heads =
            ["version", "bytes", "rows", "transaction", "written (UTC)", "times", "command"];
        table.push(heads.map(|text| style.faint(text)));
    }
    for one in &shown.versions {
        let times = one.time_start.as_ref().zip(one.time_end.as_ref());
        table.push([
            one.version.to_string(),
            quantity::count(one.size_bytes),
            one.rows.map(quantity::count).unwrap_or_default(),
            one.transaction.to_string(),
            time_arg::short(one.written_us),
            times.map(|(start, end)| format!("{start} to {end}")).unwrap_or_default(),
            quote::terminal(one.command.as_deref().unwrap_or_default()).into_owned(),
        ]);
    }
    table.print(out)
}
