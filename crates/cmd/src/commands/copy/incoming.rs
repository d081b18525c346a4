//! What a copy into the pond will do, found out before the lock is taken.
//!
//! Always true: every host file that is to be read as a table has been read
//! once when the plan is there, so what is malformed is refused before anything
//! is written.

use std::collections::{HashMap, HashSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow::datatypes::{DataType, Schema, SchemaRef};
use parquet::arrow::arrow_reader::{ArrowReaderMetadata, ArrowReaderOptions};
use query::format::{Compression, Format, OpenedSource, SourceUrl, TableKind, epoch_format, open};
use tinyfs::{EntryType, Fs, NodePath, SeriesSpec};

use super::CopyArgs;
use super::host_tree::{self, TreeKind};
use crate::context::Context;
use crate::error::{CommandError, OrFail as _, Result};
use crate::host::{HostPath, Operand, show};
use crate::quote;
use crate::table_args::Floor;

/// One step of a copy.
#[derive(Debug)]
pub(super) enum Step {
    /// A directory that is to be there.
    Directory(String),
    /// A symbolic link.
    Link { target: String, to: String },
    /// A file of the host, as bytes.
    File { from: PathBuf, size_bytes: u64, to: String },
    /// Standard input, as bytes.
    Stdin { to: String },
    /// A Parquet file of the host, byte for byte.
    Parquet { from: PathBuf, kind: TableKind, declare: Box<Declare>, to: String },
    /// Rows that were read from a file of another format.
    Rows { from: Box<OpenedSource>, kind: TableKind, declare: Box<Declare>, to: String },
    /// A file that is in the pond.
    Pond { from: Box<NodePath>, to: String },
}

/// What a copy declares of a series.
#[derive(Clone, Debug, Default)]
pub(super) struct Declare {
    /// The declaration of a new series, or one that the existing must agree with.
    pub(super) spec: Option<SeriesSpec>,
    /// Another floor for a series that exists.
    pub(super) floor: Option<Floor>,
}

impl Step {
    /// Where it goes.
    pub(super) fn to(&self) -> &str {
        match self {
            Self::Directory(to)
            | Self::Link { to, .. }
            | Self::File { to, .. }
            | Self::Stdin { to }
            | Self::Parquet { to, .. }
            | Self::Rows { to, .. }
            | Self::Pond { to, .. } => to,
        }
    }

    const fn appends(&self) -> bool {
        matches!(
            self,
            Self::Directory(_)
                | Self::Parquet { kind: TableKind::Series, .. }
                | Self::Rows { kind: TableKind::Series, .. }
        )
    }
}

/// Makes the plan.
pub(super) async fn plan(
    context: &Context,
    fs: &Fs,
    args: &CopyArgs,
    sources: Vec<Operand>,
    dest: &str,
) -> Result<Vec<Step>> {
    let mut sources = expand(fs, sources).await?;
    let dest_is_directory = super::super::is_directory(fs, dest).await?;
    // Several snapshots may go to one series, one version each.
    let one_series = sources.iter().all(
        |source| matches!(source, Source::Table(url) if url.kind() == Some(TableKind::Series)),
    );
    let into = dest.ends_with('/') || dest_is_directory || (sources.len() > 1 && !one_series);
    let mut steps = Vec::new();
    // What is there already, by path: many files may go to one series.
    let mut held = HashMap::new();
    if into && !dest_is_directory {
        if !args.parents {
            return Err(CommandError::not_found(format!("there is no directory `{dest}`"))
                .hint(format!("pond mkdir -p {}", quote::shell(dest))));
        }
        steps.push(Step::Directory(dest.to_owned()));
    } else if !into
        && args.parents
        && let Some(parent) = tinyfs::path::parent(dest)
    {
        steps.push(Step::Directory(parent.to_owned()));
    }
    for source in sources.drain(..) {
        let place = |name: &str| {
            if into {
                tinyfs::path::join(dest.trim_end_matches('/'), name)
            } else {
                dest.to_owned()
            }
        };
        match source {
            Source::Stdin if into => {
                return Err(CommandError::usage("standard input has no name in a directory")
                    .hint("name the file: pond copy - /path/in/pond"));
            }
            Source::Stdin => steps.push(Step::Stdin { to: dest.to_owned() }),
            Source::Host(host) => host_steps(args, &host, into, place, &mut steps)?,
            Source::Table(url) => {
                steps.push(table_step(context, fs, args, url, into, place, &mut held).await?);
            }
            Source::Pond(from) => pond_steps(fs, args, *from, place, &mut steps).await?,
        }
    }
    refuse_twice(&steps)?;
    Ok(steps)
}

/// A source with globs of the pond taken apart.
enum Source {
    Stdin,
    Host(HostPath),
    Table(SourceUrl),
    Pond(Box<NodePath>),
}

async fn expand(fs: &Fs, sources: Vec<Operand>) -> Result<Vec<Source>> {
    let mut expanded = Vec::new();
    for source in sources {
        match source {
            Operand::Stdio => expanded.push(Source::Stdin),
            Operand::Host(host) => expanded.push(Source::Host(host)),
            Operand::Table(url) => expanded.push(Source::Table(url)),
            Operand::Pond(path) => {
                let found = super::super::expand(fs, &path).await?;
                expanded.extend(found.into_iter().map(|one| Source::Pond(Box::new(one))));
            }
        }
    }
    Ok(expanded)
}

/// Two sources of one name would silently become versions of one file.
fn refuse_twice(steps: &[Step]) -> Result<()> {
    let mut seen = HashSet::new();
    match steps.iter().find(|step| !seen.insert(step.to()) && !step.appends()) {
        None => Ok(()),
        Some(step) => {
            Err(CommandError::usage(format!("two sources would be copied to `{}`", step.to()))
                .hint("copy them one after the other to make them versions of one file"))
        }
    }
}

fn host_steps(
    args: &CopyArgs,
    host: &HostPath,
    into: bool,
    place: impl Fn(&str) -> String,
    steps: &mut Vec<Step>,
) -> Result<()> {
    let shown = show(&host.path);
    // The operand itself may be a link: the user named it.
    let metadata = std::fs::metadata(&host.path).or_fail(|| format!("cannot read `{shown}`"))?;
    let name = || host_tree::pond_name(&named(&host.path)?);
    if metadata.is_file() {
        if host.wants_directory {
            return Err(CommandError::failure(format!("`{shown}` is a file, not a directory")));
        }
        let to = if into { place(&name()?) } else { place("") };
        steps.push(Step::File { from: host.path.clone(), size_bytes: metadata.len(), to });
        return Ok(());
    }
    if !metadata.is_dir() {
        return Err(host_tree::refuse_special(&host.path));
    }
    if !args.recursive {
        return Err(CommandError::usage(format!("`{shown}` is a directory"))
            .hint("`pond copy -r` copies it with all that is in it"));
    }
    let top = if into { place(&name()?) } else { place("") };
    steps.push(Step::Directory(top.clone()));
    for entry in host_tree::walk(&host.path)? {
        let to = format!("{}/{}", top.trim_end_matches('/'), entry.below);
        steps.push(match entry.kind {
            TreeKind::Directory => Step::Directory(to),
            TreeKind::Link { target } => Step::Link { target, to },
            TreeKind::File { path, size_bytes } => Step::File { from: path, size_bytes, to },
        });
    }
    Ok(())
}

/// The path with a last name: `.` and `x/..` have one only when resolved.
fn named(path: &Path) -> Result<PathBuf> {
    if path.file_name().is_some() {
        return Ok(path.to_path_buf());
    }
    path.canonicalize().or_fail(|| format!("cannot find the name of `{}`", show(path)))
}

async fn pond_steps(
    fs: &Fs,
    args: &CopyArgs,
    from: NodePath,
    place: impl Fn(&str) -> String,
    steps: &mut Vec<Step>,
) -> Result<()> {
    let top = place(from.name());
    // The entry and where it goes, the next last.
    let mut left = vec![(from, top)];
    while let Some((from, to)) = left.pop() {
        let entry_type = from.node.entry_type;
        if entry_type.is_symlink() {
            let target = fs.store().read_link(from.id()).await;
            let target = target.or_fail(|| format!("cannot read the link `{}`", from.path))?;
            steps.push(Step::Link { target, to });
        } else if entry_type.is_directory() {
            if !args.recursive {
                return Err(CommandError::usage(format!("`{}` is a directory", from.path))
                    .hint("`pond copy -r` copies it with all that is in it"));
            }
            if to == from.path || to.starts_with(&format!("{}/", from.path.trim_end_matches('/'))) {
                return Err(CommandError::failure(format!("cannot copy `{}`", from.path))
                    .because(tinyfs::Error::IntoItself { from: from.path, to }));
            }
            let inside = fs.list(&from.path).await;
            let inside = inside.or_fail(|| format!("cannot list `{}`", from.path))?;
            steps.push(Step::Directory(to.clone()));
            left.extend(inside.into_iter().rev().map(|entry| {
                let to = tinyfs::path::join(&to, entry.name());
                (entry, to)
            }));
        } else {
            steps.push(Step::Pond { from: Box::new(from), to });
        }
    }
    Ok(())
}

async fn table_step(
    context: &Context,
    fs: &Fs,
    args: &CopyArgs,
    url: SourceUrl,
    into: bool,
    place: impl Fn(&str) -> String,
    held: &mut HashMap<String, SchemaRef>,
) -> Result<Step> {
    let Some(kind) = url.kind() else {
        let shown = url.to_string();
        let (scheme, path) = shown.split_once(':').unwrap_or(("host", &shown));
        return Err(CommandError::usage(format!("`{shown}` does not say what it is to become"))
            .hint(format!("a table, of which each copy is a new version: {scheme}+table:{path}"))
            .hint(format!("a series, to which each copy appends: {scheme}+series:{path}")));
    };
    let to = if into { place(&table_name(&url, kind)?) } else { place("") };
    let existing = existing_spec(fs, &to, kind).await?;
    if let Some((spec, column)) = existing.as_ref().zip(args.table.time_column.as_ref())
        && spec.time_column != *column
    {
        return Err(CommandError::bad_input(format!(
            "the time column of `{to}` is `{}`, not `{column}`",
            spec.time_column
        ))
        .hint("leave --time-column out: a series that exists knows its own"));
    }
    let url = with_default_format(url);
    let shown = url.to_string();
    let resolved = url.resolve().map_err(|error| {
        CommandError::usage(format!("cannot tell what `{shown}` is")).because(error)
    })?;
    let as_it_is = resolved.format == Format::Parquet
        && resolved.compression == Compression::Plain
        && args.table.time_zone.is_none()
        && args.table.time_format.is_none();
    if as_it_is && let Some(path) = url.path() {
        let path = path.to_path_buf();
        let declare = match kind {
            TableKind::Table => Declare::default(),
            TableKind::Series => {
                let schema = parquet_schema(&path).await?;
                declare(args, existing.as_ref(), &schema, &to)?
            }
        };
        return Ok(Step::Parquet { from: path, kind, declare: Box::new(declare), to });
    }
    let read = async |types: &[String]| {
        let mut options = args.table.read_options(existing.as_ref())?;
        // Whole numbers of a unit are times since 1970, in text as elsewhere.
        if options.time_format.is_none()
            && let Some(unit) = args.series.time_unit
        {
            options.time_format = Some(epoch_format(unit).to_owned());
        }
        for declaration in types {
            options
                .declare_type(declaration)
                .or_fail(|| format!("cannot hold `{to}` to its types"))?;
        }
        open(context.host_source(url.clone()), options).await.map_err(|error| {
            CommandError::failure(format!("cannot read `{shown}` as {}", resolved.format.word()))
                .because(error)
        })
    };
    let mut opened = read(&[]).await?;
    // Standard input can not be read again.
    if existing.is_some() && url.path().is_some() {
        let before = match held.get(&to) {
            Some(before) => Arc::clone(before),
            None => {
                let before = before(context, fs, &to).await?;
                held.insert(to.clone(), Arc::clone(&before));
                before
            }
        };
        let mut types = held_types(&before, &opened.schema());
        types.retain(|one| !args.table.types.iter().any(|given| same_column(given, one)));
        if !types.is_empty() {
            opened = read(&types).await?;
        }
    }
    let report = opened.report();
    if report.rows == 0
        && let Some(first) = report.skipped_rows.first()
    {
        return Err(CommandError::bad_input(format!("no row of `{shown}` can be read"))
            .hint(format!("the first of {} malformed rows: {first}", report.skipped)));
    }
    let declare = match kind {
        TableKind::Table => Declare::default(),
        TableKind::Series => declare(args, existing.as_ref(), &opened.schema(), &to)?,
    };
    Ok(Step::Rows { from: Box::new(opened), kind, declare: Box::new(declare), to })
}

/// The columns of the series at `path`.
async fn before(context: &Context, fs: &Fs, path: &str) -> Result<SchemaRef> {
    let view = context.read(None).await?;
    let session = context.session(&view, crate::context::ALL_TIME)?;
    let found = fs.resolve(path).await.or_fail(|| format!("cannot look at `{path}`"))?;
    let table = session.table(&found.path).await.or_fail(|| format!("cannot read `{path}`"))?;
    Ok(table.schema())
}

/// Whether two declarations `COLUMN=TYPE` are of one column.
fn same_column(one: &str, other: &str) -> bool {
    let column = |text: &str| text.rsplit_once('=').map(|(column, _)| column.to_owned());
    column(one) == column(other)
}

/// What to declare of columns that are text in a file because some value is no
/// number, where the series has numbers: so the reader names those values.
fn held_types(before: &Schema, rows: &Schema) -> Vec<String> {
    let is_text = |name: &str| {
        rows.field_with_name(name).is_ok_and(|field| field.data_type() == &DataType::Utf8)
    };
    before
        .fields()
        .iter()
        .filter(|field| is_text(field.name()))
        .filter_map(|field| {
            let held = match field.data_type() {
                integer if integer.is_integer() => "int64",
                float if float.is_floating() => "float64",
                DataType::Boolean => "bool",
                _ => return None,
            };
            Some(format!("{}={held}", field.name()))
        })
        .collect()
}

/// `host+series:///x` without a format word is Parquet, unless the extension
/// says otherwise.
fn with_default_format(url: SourceUrl) -> SourceUrl {
    if url.resolve().is_ok() { url } else { url.with_format(Format::Parquet) }
}

/// `dock.csv.gz` becomes `dock.series`.
fn table_name(url: &SourceUrl, kind: TableKind) -> Result<String> {
    let Some(path) = url.path() else {
        return Err(CommandError::usage("standard input has no name in a directory")
            .hint("name the table or series in full"));
    };
    let name = host_tree::pond_name(path)?;
    let mut stem = name.as_str();
    for extension in [".gz", ".gzip", ".zst", ".zstd", ".bz2"] {
        stem = stem.strip_suffix(extension).unwrap_or(stem);
    }
    let stem = match stem.rsplit_once('.') {
        Some((stem, _)) if !stem.is_empty() => stem,
        _ => stem,
    };
    Ok(format!("{stem}.{}", kind.word()))
}

/// The declaration of the series at `to`, when there is one.
async fn existing_spec(fs: &Fs, to: &str, kind: TableKind) -> Result<Option<SeriesSpec>> {
    let found = match fs.resolve(to).await {
        Ok(found) => found,
        Err(tinyfs::Error::NotFound { .. }) => return Ok(None),
        Err(error) => {
            return Err(CommandError::failure(format!("cannot look at `{to}`")).because(error));
        }
    };
    let wanted = match kind {
        TableKind::Table => EntryType::Table,
        TableKind::Series => EntryType::Series,
    };
    let actual = found.node.entry_type;
    if actual != wanted {
        return Err(CommandError::failure(format!("cannot copy to `{to}`"))
            .because(tinyfs::Error::WrongType { path: found.path, wanted, actual })
            .hint("copy to another name; a name keeps its type"));
    }
    SeriesSpec::read_from(&found.node.attributes)
        .or_fail(|| format!("the declaration of `{to}` can not be read"))
}

/// What the copy declares of the series at `to`.
fn declare(
    args: &CopyArgs,
    existing: Option<&SeriesSpec>,
    schema: &Schema,
    to: &str,
) -> Result<Declare> {
    if let Some(spec) = existing {
        let given = args.series.is_given().then(|| {
            args.series.spec(&spec.time_column, spec.time_unit, spec.time_zone.as_deref())
        });
        return Ok(Declare { spec: given, floor: args.series.floor });
    }
    let column = match &args.table.time_column {
        Some(column) => column.clone(),
        None => only_time_column(schema, to)?,
    };
    let implied = tlogfs::implied_unit(to, schema, &column)
        .or_fail(|| format!("`{column}` can not be the time of `{to}`"))?;
    let unit = implied.or(args.series.time_unit).ok_or_else(|| {
        CommandError::bad_input(format!(
            "the times in column `{column}` are numbers without a unit"
        ))
        .hint("say it: --time-unit s, ms, us or ns")
    })?;
    let spec = args.series.spec(&column, unit, args.table.time_zone.as_deref());
    Ok(Declare { spec: Some(spec), floor: None })
}

/// The one column that is a timestamp; by its type, never by its name.
fn only_time_column(schema: &Schema, to: &str) -> Result<String> {
    let mut times =
        schema.fields().iter().filter(|field| matches!(field.data_type(), DataType::Timestamp(..)));
    match (times.next(), times.next()) {
        (Some(only), None) => Ok(only.name().clone()),
        _ => Err(CommandError::usage(format!(
            "`{to}` is a new series, and needs its time column named"
        ))
        .hint(format!("--time-column COLUMN; the columns are {}", names(schema).join(", ")))),
    }
}

fn names(schema: &Schema) -> Vec<String> {
    schema.fields().iter().map(|field| field.name().clone()).collect()
}

/// The Arrow schema in a Parquet file's footer.
async fn parquet_schema(path: &Path) -> Result<Schema> {
    let owned = path.to_path_buf();
    let fail = || format!("`{}` is not a Parquet file", show(path));
    // On a thread of its own: a decoder that panics on hostile bytes ends that
    // thread, not the program.
    let read = tokio::task::spawn_blocking(move || {
        let file = std::fs::File::open(&owned).map_err(CommandErrorSource::from)?;
        let metadata = ArrowReaderMetadata::load(&file, ArrowReaderOptions::default())
            .map_err(CommandErrorSource::from)?;
        Ok::<_, CommandErrorSource>(metadata.schema().as_ref().clone())
    });
    match read.await {
        Ok(Ok(schema)) => Ok(schema),
        Ok(Err(error)) => {
            if find_io(&error) {
                return Err(
                    CommandError::failure(format!("cannot read `{}`", show(path))).because(error)
                );
            }
            Err(CommandError::bad_input(fail()).because(error))
        }
        Err(_) => Err(CommandError::bad_input(fail())),
    }
}

type CommandErrorSource = Box<dyn std::error::Error + Send + Sync>;

fn find_io(error: &CommandErrorSource) -> bool {
    error.downcast_ref::<std::io::Error>().is_some()
}
