//! Copying out of the pond: to files of the host, or to stdout.

use std::io::Write;
use std::path::PathBuf;
use std::pin::Pin;
use std::task::{Context as TaskContext, Poll};

use diagnostics::Unit;
use query::format::{Compression, Format, SourceUrl};
use tinyfs::{EntryType, NodePath};
use tokio::io::AsyncReadExt as _;

use super::CopyArgs;
use super::host_write::{HostDirectory, HostFile};
use super::outgoing::{self, Outgoing};
use crate::context::{Context, Verify, View};
use crate::error::{CommandError, OrFail as _, Result};
use crate::host::{HostPath, Operand, show};
use crate::output::{RowFormat, RowLimit, Stdout, row_sink, write_rows};
use crate::{quantity, quote};

/// The size of the pieces in which bytes go out.
const PIECE_BYTES: usize = 256 << 10;

/// Copies out of the pond.
pub(super) async fn run(
    context: &Context,
    args: &CopyArgs,
    sources: Vec<Operand>,
    dest: Operand,
) -> Result<()> {
    if args.check {
        return Err(CommandError::usage("--check is for copying into the pond")
            .hint("what leaves the pond is always compared with its hash"));
    }
    let paths = sources.into_iter().map(pond_path).collect::<Result<Vec<_>>>()?;
    let view = context.read(args.as_of.as_of).await?;
    match dest {
        Operand::Stdio => to_stdout(context, &view, args, &paths).await,
        Operand::Host(host) => to_host(context, &view, args, &paths, &host).await,
        Operand::Table(url) => to_table(context, &view, args, &paths, &url).await,
        Operand::Pond(path) => Err(CommandError::usage(format!("`{path}` is in the pond"))),
    }
}

fn pond_path(source: Operand) -> Result<String> {
    match source {
        Operand::Pond(path) => Ok(path),
        Operand::Host(host) => Err(CommandError::usage(format!(
            "`{}` and the destination are both outside of the pond",
            show(&host.path)
        ))
        .hint("cp copies files of this machine")),
        Operand::Table(url) => Err(CommandError::usage(format!(
            "`{url}` and the destination are both outside of the pond"
        ))
        .hint(format!("pond cat {} prints its rows", quote::shell(&url.to_string())))),
        Operand::Stdio => {
            Err(CommandError::usage("standard input can only be copied into the pond"))
        }
    }
}

async fn to_stdout(
    context: &Context,
    view: &View,
    args: &CopyArgs,
    paths: &[String],
) -> Result<()> {
    let [path] = paths else {
        return Err(CommandError::usage("only one file at a time can go to standard output"));
    };
    let file = view.fs.file(path).await.or_fail(|| format!("cannot copy `{path}`"))?;
    if file.node.entry_type.is_tabular() {
        Stdout::refuse_binary(context.stdout_is_terminal(), "Parquet")?;
    }
    let mut out = Stdout::new();
    write_file(context, view, &file, args.version, &mut out, CommandError::stdout).await?;
    out.finish()
}

async fn to_host(
    context: &Context,
    view: &View,
    args: &CopyArgs,
    paths: &[String],
    host: &HostPath,
) -> Result<()> {
    let plan = outgoing::plan(context, &view.fs, args, paths).await?;
    let one_file = plan.len() == 1
        && paths.len() == 1
        && !super::super::is_glob(&paths[0])
        && args.strip_prefix.is_none()
        && plan.iter().all(|one| one.from.node.entry_type.is_file());
    let to_file = one_file && !host.wants_directory && !host.path.is_dir();
    // A directory copied to a name that is free takes that name.
    let renamed = !to_file
        && args.recursive
        && paths.len() == 1
        && !host.path.exists()
        && !host.wants_directory
        && args.strip_prefix.is_none()
        && !super::super::is_glob(&paths[0]);
    let below_of = |one: &Outgoing| -> Option<String> {
        if !renamed {
            return Some(one.below.clone());
        }
        // The first name is the directory's own, which the destination replaces.
        one.below.split_once('/').map(|(_, rest)| rest.to_owned())
    };
    if args.dry_run {
        return dry_run(context, &plan, |one| {
            if to_file {
                Some(host.path.clone())
            } else {
                below_of(one).map(|below| host.path.join(below))
            }
        });
    }
    let mut totals = Totals::default();
    if to_file && let Some(one) = plan.first() {
        let file = HostFile::create(&host.path)?;
        totals.add(write_to(context, view, args, &one.from, file).await?);
    } else {
        let directory = HostDirectory::open(&host.path)?;
        for one in &plan {
            let Some(below) = below_of(one) else { continue };
            if one.from.node.entry_type.is_directory() {
                directory.directory(&below)?;
                continue;
            }
            let place = directory.place(&below)?;
            let file = HostFile::create_below(place.clone())?;
            totals.add(write_to(context, view, args, &one.from, file).await?);
            context.detail(&format!("{} -> {}", one.from.path, show(&place)));
        }
    }
    context.say(&format!(
        "{} copied to {}, {}",
        quantity::counted(totals.files, "file"),
        show(&host.path),
        quantity::bytes(totals.bytes)
    ));
    Ok(())
}

#[derive(Default)]
struct Totals {
    files: u64,
    bytes: u64,
}

impl Totals {
    fn add(&mut self, bytes: u64) {
        self.files += 1;
        self.bytes += bytes;
    }
}

fn dry_run(
    context: &Context,
    plan: &[Outgoing],
    place: impl Fn(&Outgoing) -> Option<PathBuf>,
) -> Result<()> {
    let mut out = Stdout::new();
    for one in plan.iter().filter(|one| one.from.node.entry_type.is_file()) {
        let Some(place) = place(one) else { continue };
        let note = if place.exists() { " (replaces what is there)" } else { "" };
        out.line(&format!("{} -> {}{note}", quote::terminal(&one.from.path), show(&place)))?;
    }
    out.finish()?;
    context.say("dry run: nothing was copied");
    Ok(())
}

async fn write_to(
    context: &Context,
    view: &View,
    args: &CopyArgs,
    from: &NodePath,
    mut file: HostFile,
) -> Result<u64> {
    let cannot = format!("cannot write `{}`", show(file.place()));
    let fail = |error| CommandError::failure(cannot.clone()).because(error);
    let bytes = write_file(context, view, from, args.version, &mut file, fail).await?;
    file.finish()?;
    Ok(bytes)
}

/// Writes the bytes of a file, checked against its hash: of a series one
/// Parquet of all its rows, of a computed file what is computed, unless a
/// version is named.
async fn write_file<W: Write + Send>(
    context: &Context,
    view: &View,
    from: &NodePath,
    version: Option<u64>,
    out: &mut W,
    fail: impl Fn(std::io::Error) -> CommandError,
) -> Result<u64> {
    let whole = from.node.entry_type == EntryType::Series || from.node.entry_type.is_dynamic();
    if whole && version.is_none() {
        return series_bytes(context, view, from, out).await;
    }
    let mut reader = view
        .fs
        .verified(&from.path, version)
        .await
        .or_fail(|| format!("cannot read `{}`", from.path))?;
    let size_bytes = reader.version().size_bytes;
    let task = format!("copying {}", from.path);
    let progress = context.monitor().begin(&task, Some(size_bytes), Unit::Bytes);
    let mut piece = vec![0; PIECE_BYTES];
    loop {
        let read = reader.read(&mut piece).await;
        let read = read.or_fail(|| format!("cannot read `{}`", from.path))?;
        if read == 0 {
            return Ok(size_bytes);
        }
        out.write_all(&piece[..read]).map_err(&fail)?;
        progress.advance(read as u64);
    }
}

/// The bytes of a series, or of a computed table: one Parquet file of all its
/// rows, as SQL sees them; of another computed file what its factory makes.
pub(crate) async fn series_bytes<W: Write + Send>(
    context: &Context,
    view: &View,
    from: &NodePath,
    out: &mut W,
) -> Result<u64> {
    let session = context.session_that(view, crate::context::ALL_TIME, Verify::Whole)?;
    query::write_bytes(&session, &from.path, &mut AtOnce(out))
        .await
        .or_fail(|| format!("cannot copy `{}`", from.path))
}

/// A writer that never makes anybody wait: files of this machine, stdout.
struct AtOnce<'a, W>(&'a mut W);

impl<W: Write> tokio::io::AsyncWrite for AtOnce<'_, W> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        _: &mut TaskContext<'_>,
        bytes: &[u8],
    ) -> Poll<std::io::Result<usize>> {
        Poll::Ready(self.0.write(bytes))
    }

    fn poll_flush(mut self: Pin<&mut Self>, _: &mut TaskContext<'_>) -> Poll<std::io::Result<()>> {
        Poll::Ready(self.0.flush())
    }

    fn poll_shutdown(
        self: Pin<&mut Self>,
        context: &mut TaskContext<'_>,
    ) -> Poll<std::io::Result<()>> {
        self.poll_flush(context)
    }
}

async fn rows_to<W: Write + Send>(
    context: &Context,
    view: &View,
    from: &NodePath,
    format: RowFormat,
    out: &mut W,
) -> Result<u64> {
    let session = context.session_that(view, crate::context::ALL_TIME, Verify::Whole)?;
    session.bind("source", &*from.path);
    let rows = session
        .sql("SELECT * FROM source")
        .await
        .or_fail(|| format!("cannot read `{}`", from.path))?;
    let sink = row_sink(format, &rows.schema(), out, RowLimit::All, None)?;
    write_rows(rows, sink).await
}

/// Converts the rows of one table or series to a file of another format.
async fn to_table(
    context: &Context,
    view: &View,
    args: &CopyArgs,
    paths: &[String],
    url: &SourceUrl,
) -> Result<()> {
    let [path] = paths else {
        return Err(CommandError::usage(format!(
            "`{url}` is one file, and takes one table or series"
        )));
    };
    if args.version.is_some() {
        return Err(CommandError::usage("--version gives stored bytes, which are not converted")
            .hint("copy to host:FILE"));
    }
    let resolved = url.resolve().map_err(|error| {
        CommandError::usage(format!("cannot tell the format of `{url}`")).because(error)
    })?;
    let format = match resolved.format {
        Format::Csv => RowFormat::Csv,
        Format::Json => RowFormat::Json,
        Format::Ndjson => RowFormat::Ndjson,
        Format::Parquet => RowFormat::Parquet,
        other => {
            return Err(CommandError::usage(format!(
                "{} files can be read but not written",
                other.word()
            ))
            .hint("write csv, json, ndjson or parquet"));
        }
    };
    if resolved.compression != Compression::Plain {
        return Err(CommandError::usage("files are written without compression").hint(format!(
            "pond cat --format {} {} | {} > FILE",
            resolved.format.word(),
            quote::shell(path),
            resolved.compression.word()
        )));
    }
    let Some(place) = url.path() else {
        return Err(CommandError::usage("rows go to standard output with `pond cat --format`"));
    };
    let file = view.fs.file(path).await.or_fail(|| format!("cannot copy `{path}`"))?;
    if !file.node.entry_type.is_tabular() {
        return Err(CommandError::failure(format!(
            "`{path}` is {}, which has no rows to convert",
            file.node.entry_type
        ))
        .hint("copy its bytes to host:FILE"));
    }
    if args.dry_run {
        let note = if place.exists() { " (replaces what is there)" } else { "" };
        let mut out = Stdout::new();
        out.line(&format!("{} -> {}{note}", quote::terminal(path), show(place)))?;
        return out.finish();
    }
    let mut out = HostFile::create(place)?;
    let rows = rows_to(context, view, &file, format, &mut out).await?;
    out.finish()?;
    context.say(&format!("{} written to {}", quantity::counted(rows, "row"), show(place)));
    Ok(())
}
