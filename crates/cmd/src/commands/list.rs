//! `pond list`: what is where.

use clap::Args;
use futures::future::BoxFuture;
use serde::Serialize;
use tinyfs::{EntryType, Fs, Glob, GlobOptions, NodeId, NodePath};

use crate::args::{self, AsOfArg, ListFormatArg};
use crate::context::Context;
use crate::error::{CommandError, OrFail as _, Result};
use crate::output::{ListFormat, Style, TextTable, print_list};
use crate::{quantity, quote, time_arg};

/// List entries
///
/// A directory lists what is in it, a file itself, a glob whatever matches.
/// Names that begin with a dot are shown with --all, or where they are named.
/// A link that leads nowhere is listed like any other. A directory that can not
/// be computed is told of and does not hide the others; the exit code is then
/// not 0.
#[derive(Args, Debug)]
#[command(
    visible_alias = "ls",
    after_help = "\
Examples:
  pond list
  pond list -l /sensors
  pond list '/**/*.series'
  pond list -R --format json / | jq -r '.[].path'
  pond list --as-of 2026-03-01 /sensors"
)]
pub(crate) struct ListArgs {
    /// Paths or globs
    #[arg(value_name = "PATH", default_value = "/", add = args::pond_path())]
    paths: Vec<String>,
    /// Show type, versions, size, rows, time range and time of the last write
    #[arg(short, long)]
    long: bool,
    /// Show names that begin with a dot
    #[arg(short, long)]
    all: bool,
    /// List directories inside directories
    #[arg(short = 'R', long)]
    recursive: bool,
    #[command(flatten)]
    format: ListFormatArg,
    #[command(flatten)]
    as_of: AsOfArg,
}

/// One entry as `pond list --format json` and `ndjson` print it. Fields that
/// do not apply are absent: a directory has no size, a file no target.
#[derive(Debug, Serialize)]
pub(crate) struct ListedEntry {
    /// Its absolute path.
    path: String,
    /// `directory`, `symlink`, `file:data`, `file:table`, `file:series`, and
    /// these with `:dynamic`.
    #[serde(rename = "type")]
    entry_type: &'static str,
    /// The node's id.
    node: String,
    /// The number of the newest version.
    #[serde(skip_serializing_if = "Option::is_none")]
    version: Option<u64>,
    /// Bytes of the newest version; of a series, of all its versions.
    #[serde(skip_serializing_if = "Option::is_none")]
    size_bytes: Option<u64>,
    /// Rows of a table's newest version; of a series, the rows stored in all
    /// its versions, before overlaps are resolved.
    #[serde(skip_serializing_if = "Option::is_none")]
    rows: Option<u64>,
    /// The earliest event time in a series, RFC 3339.
    #[serde(skip_serializing_if = "Option::is_none")]
    time_start: Option<String>,
    /// The latest event time in a series, RFC 3339.
    #[serde(skip_serializing_if = "Option::is_none")]
    time_end: Option<String>,
    /// BLAKE3 of the newest version.
    #[serde(skip_serializing_if = "Option::is_none")]
    hash: Option<String>,
    /// The transaction that wrote the newest version.
    #[serde(skip_serializing_if = "Option::is_none")]
    transaction: Option<u64>,
    /// When that transaction ended, RFC 3339.
    #[serde(skip_serializing_if = "Option::is_none")]
    written: Option<String>,
    /// Where a symbolic link points.
    #[serde(skip_serializing_if = "Option::is_none")]
    target: Option<String>,
    #[serde(skip)]
    written_us: Option<i64>,
    #[serde(skip)]
    kind: EntryType,
}

/// Lists them.
pub(crate) async fn run(context: &Context, args: &ListArgs) -> Result<()> {
    let view = context.read(args.as_of.as_of).await?;
    let style = context.output_style();
    if !args.long && args.format.format == ListFormat::Text {
        return print_names(context, &view.fs, args, style).await;
    }
    let mut found = Vec::new();
    let mut failures = Failures::default();
    for operand in &args.paths {
        collect(&view.fs, operand, args, &mut found, &mut failures).await?;
    }
    let mut entries = Vec::with_capacity(found.len());
    for node in found {
        entries.push(describe(&view.fs, node).await?);
    }
    if args.format.format == ListFormat::Text {
        print_long(&entries, style)?;
    } else {
        print_list(args.format.format, entries, |out, entry| {
            out.line(&short_text(&entry.path, entry.kind, entry.target.as_deref(), style))
        })?;
    }
    failures.tell(context)
}

/// The directories that could not be listed. They do not stop the others, and
/// are told of at the end.
#[derive(Default)]
struct Failures(Vec<CommandError>);

impl Failures {
    fn note(&mut self, path: &str, error: tinyfs::Error) {
        self.0.push(CommandError::failure(format!("cannot list `{path}`")).because(error));
    }

    /// Fails when there were any.
    fn tell(mut self, context: &Context) -> Result<()> {
        if self.0.len() <= 1 {
            return self.0.pop().map_or(Ok(()), Err);
        }
        let count = quantity::counted(self.0.len() as u64, "directory");
        let is_damage = self.0.iter().any(CommandError::is_damage);
        for error in self.0 {
            error.print(context.error_style());
        }
        let what = format!("{count} could not be listed, as told above");
        Err(match is_damage {
            true => CommandError::damage(what),
            false => CommandError::failure(what),
        })
    }
}

/// What one operand names, as [`super::expand`] finds it, past directories that
/// can not be computed.
async fn expand(fs: &Fs, operand: &str, failures: &mut Failures) -> Result<Vec<NodePath>> {
    match fs.resolve_link(operand).await {
        Err(tinyfs::Error::NotFound { .. }) if super::is_glob(operand) => {}
        _ => return super::expand(fs, operand).await,
    }
    let cannot = || format!("cannot search for `{operand}`");
    let glob = Glob::parse(operand).or_fail(cannot)?;
    let mut matches = fs.matches(glob, GlobOptions::default()).past_failures();
    let mut found = Vec::new();
    let before = failures.0.len();
    while let Some(next) = matches.next().await.or_fail(cannot)? {
        found.push(next.path);
    }
    for (path, error) in matches.take_failures() {
        failures.note(&path, error);
    }
    if found.is_empty() && failures.0.len() == before {
        return Err(CommandError::not_found(format!("nothing matches `{operand}`")));
    }
    Ok(found)
}

/// The path of the directory that an operand names, if it names one.
async fn named_directory(fs: &Fs, operand: &str) -> Option<String> {
    // Names tell: what the directory itself says need not be read. An error is a
    // file, a glob, a dangling link, or nothing; `expand` tells which.
    fs.working_dir(operand).await.ok().map(|dir| dir.path().to_owned())
}

async fn collect(
    fs: &Fs,
    operand: &str,
    args: &ListArgs,
    found: &mut Vec<NodePath>,
    failures: &mut Failures,
) -> Result<()> {
    if let Some(directory) = named_directory(fs, operand).await {
        inside(fs, directory, args, found, failures).await;
        return Ok(());
    }
    for entry in expand(fs, operand, failures).await? {
        let is_directory = entry.node.entry_type.is_directory();
        let path = entry.path.clone();
        found.push(entry);
        if args.recursive && is_directory {
            inside(fs, path, args, found, failures).await;
        }
    }
    Ok(())
}

fn inside<'a>(
    fs: &'a Fs,
    path: String,
    args: &'a ListArgs,
    found: &'a mut Vec<NodePath>,
    failures: &'a mut Failures,
) -> BoxFuture<'a, ()> {
    Box::pin(async move {
        let entries = match fs.list(&path).await {
            Ok(entries) => entries,
            Err(error) => return failures.note(&path, error),
        };
        for entry in entries {
            if entry.name().starts_with('.') && !args.all {
                continue;
            }
            let deeper = (args.recursive && entry.node.entry_type.is_directory())
                .then(|| entry.path.clone());
            found.push(entry);
            if let Some(path) = deeper {
                inside(fs, path, args, found, failures).await;
            }
        }
    })
}

/// A name, for which nothing is read of what it stands for.
struct Name {
    path: String,
    node: NodeId,
    kind: EntryType,
}

/// Prints names alone, which the directories themselves tell.
async fn print_names(context: &Context, fs: &Fs, args: &ListArgs, style: Style) -> Result<()> {
    let mut names = Vec::new();
    let mut failures = Failures::default();
    for operand in &args.paths {
        if let Some(directory) = named_directory(fs, operand).await {
            names_inside(fs, directory, args, &mut names, &mut failures).await;
            continue;
        }
        for entry in expand(fs, operand, &mut failures).await? {
            let (node, kind) = (entry.id(), entry.node.entry_type);
            names.push(Name { path: entry.path.clone(), node, kind });
            if args.recursive && kind.is_directory() {
                names_inside(fs, entry.path, args, &mut names, &mut failures).await;
            }
        }
    }
    let mut out = crate::output::Stdout::new();
    for Name { path, node, kind } in &names {
        let target = target(fs, path, *node, *kind).await?;
        out.line(&short_text(path, *kind, target.as_deref(), style))?;
    }
    out.finish()?;
    failures.tell(context)
}

fn names_inside<'a>(
    fs: &'a Fs,
    path: String,
    args: &'a ListArgs,
    names: &'a mut Vec<Name>,
    failures: &'a mut Failures,
) -> BoxFuture<'a, ()> {
    Box::pin(async move {
        let entries = match fs.entries(&path).await {
            Ok(entries) => entries,
            Err(error) => return failures.note(&path, error),
        };
        for entry in entries {
            if entry.name.as_str().starts_with('.') && !args.all {
                continue;
            }
            let path = tinyfs::path::join(&path, entry.name.as_str());
            let kind = entry.entry_type;
            names.push(Name { path: path.clone(), node: entry.node, kind });
            if args.recursive && kind.is_directory() {
                names_inside(fs, path, args, names, failures).await;
            }
        }
    })
}

/// Where a symbolic link points; `None` for anything else.
async fn target(fs: &Fs, path: &str, node: NodeId, kind: EntryType) -> Result<Option<String>> {
    if !kind.is_symlink() {
        return Ok(None);
    }
    let target = fs.store().read_link(node).await;
    target.map(Some).or_fail(|| format!("cannot read the link `{path}`"))
}

async fn describe(fs: &Fs, found: NodePath) -> Result<ListedEntry> {
    let kind = found.node.entry_type;
    let target = target(fs, &found.path, found.id(), kind).await?;
    let newest = found.node.newest.as_ref();
    // What is computed has no bytes and rows of its own: its versions are
    // configurations.
    let stored = newest.filter(|_| !kind.is_dynamic());
    let mut size_bytes = stored.map(|version| version.size_bytes);
    let mut rows = stored.and_then(|version| version.rows);
    let mut times = None;
    if kind == EntryType::Series {
        // What is read of it now: to look through all its versions would cost
        // more with each.
        let versions = fs.store().runs(found.id()).await;
        let versions =
            versions.or_fail(|| format!("cannot read the versions of `{}`", found.path))?;
        size_bytes = Some(versions.iter().map(|version| version.size_bytes).sum());
        rows = Some(versions.iter().filter_map(|version| version.rows).sum());
        times = super::time_range(&versions);
    }
    Ok(ListedEntry {
        entry_type: kind.as_str(),
        node: found.id().to_string(),
        version: newest.map(|version| version.number),
        size_bytes,
        rows,
        time_start: times.map(|range| time_arg::text(range.min_us)),
        time_end: times.map(|range| time_arg::text(range.max_us)),
        hash: newest.map(|version| version.hash.to_string()),
        transaction: newest.map(|version| version.txn_seq),
        written: newest.map(|version| time_arg::text(version.written_us)),
        written_us: newest.map(|version| version.written_us),
        target,
        kind,
        path: found.path,
    })
}

fn name_text(path: &str, kind: EntryType, style: Style) -> String {
    let slash = if path == "/" { "" } else { "/" };
    let path = quote::terminal(path);
    if kind.is_directory() {
        return style.directory(format!("{path}{slash}"));
    }
    if kind.is_symlink() {
        return style.link(path);
    }
    path.into_owned()
}

fn short_text(path: &str, kind: EntryType, target: Option<&str>, style: Style) -> String {
    let name = name_text(path, kind, style);
    match target {
        Some(target) => format!("{name} -> {}", quote::terminal(target)),
        None => name,
    }
}

fn print_long(entries: &[ListedEntry], style: Style) -> Result<()> {
    let mut table = TextTable::new("<>>><<");
    table.push(
        ["type", "versions", "bytes", "rows", "last write (UTC)", "path"]
            .map(|text| style.heading(text)),
    );
    let shown = |value: Option<u64>| value.map(quantity::count).unwrap_or_default();
    for entry in entries {
        table.push([
            entry.entry_type.to_owned(),
            shown(entry.version),
            shown(entry.size_bytes),
            shown(entry.rows),
            entry.written_us.map(time_arg::short).unwrap_or_default(),
            short_text(&entry.path, entry.kind, entry.target.as_deref(), style),
        ]);
    }
    let mut out = crate::output::Stdout::new();
    table.print(&mut out)?;
    out.finish()
}
