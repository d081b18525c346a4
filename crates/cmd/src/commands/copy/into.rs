//! Copying into the pond: the plan carried out in one transaction.

use std::path::Path;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context as TaskContext, Poll};

use diagnostics::{Progress, Unit};
use futures::{StreamExt as _, TryStreamExt as _};
use query::format::{OpenedSource, TableKind};
use tinyfs::{
    Attributes, EntryType, Fs, NewVersion, NodePath, Reader, SeriesSpec, Target, VerifiedReader,
    WriteStore,
};
use tlogfs::{Look, ParquetWriteExt as _, Written};
use tokio::io::{AsyncRead, ReadBuf};

use super::CopyArgs;
use super::incoming::{self, Declare, Step};
use super::report::{self, Copied, Tally};
use crate::context::Context;
use crate::error::{CommandError, OrFail as _, Result};
use crate::host::{Operand, show};

/// Copies into the pond.
pub(super) async fn run(
    context: &Context,
    args: &CopyArgs,
    sources: Vec<Operand>,
    dest: &str,
) -> Result<()> {
    if args.strip_prefix.is_some() || args.version.is_some() || args.as_of.as_of.is_some() {
        return Err(CommandError::usage(
            "--strip-prefix, --version and --as-of are for copying out of the pond",
        )
        .hint("write a host destination as host:DIR/"));
    }
    if sources.iter().filter(|source| matches!(source, Operand::Stdio)).count() > 1 {
        return Err(CommandError::usage("standard input can be read only once"));
    }
    let view = context.read(None).await?;
    let steps = incoming::plan(context, &view.fs, args, sources, dest).await?;
    if args.dry_run {
        return report::dry_run(context, &view.fs, &steps).await;
    }
    drop(view);
    let look = if args.check { Look::Everything } else { Look::Times };
    let copied = context
        .write(async |fs| {
            let mut tally = Tally::default();
            // Each step goes as it is done: there may be very many.
            for step in steps {
                let done = apply(context, fs, &step, look)
                    .await
                    .map_err(|error| explain(error, step.to()))?;
                if let Some(one) = done {
                    tally.add(context, one);
                }
            }
            Ok(tally)
        })
        .await?;
    copied.tell(context);
    Ok(())
}

/// A hint for what a user meets first.
pub(super) fn explain(error: CommandError, to: &str) -> CommandError {
    match error.find() {
        Some(tinyfs::Error::NotFound { .. }) if !error.has_hints() => {
            let parent = tinyfs::path::parent(to).unwrap_or("/");
            error.hint(format!("pond mkdir -p {}", crate::quote::shell(parent)))
        }
        _ => error,
    }
}

/// Carries out one step.
pub(super) async fn apply(
    context: &Context,
    fs: &Fs<dyn WriteStore>,
    step: &Step,
    look: Look,
) -> Result<Option<Copied>> {
    match step {
        Step::Directory(to) => {
            fs.create_dir_all(to).await.or_fail(|| format!("cannot make `{to}`"))?;
            Ok(None)
        }
        Step::Link { target, to } => {
            fs.symlink(target, to).await.or_fail(|| format!("cannot make the link `{to}`"))?;
            Ok(Some(Copied::link(to)))
        }
        Step::Stdin { to } => {
            let progress = context.monitor().begin("copying stdin", None, Unit::Bytes);
            let stream = Counted { inner: tokio::io::stdin(), progress };
            bytes(fs, stream, to).await.map(Some)
        }
        Step::File { from, size_bytes, to } => {
            let task = format!("copying {}", show(from));
            let progress = context.monitor().begin(&task, Some(*size_bytes), Unit::Bytes);
            let stream = Counted { inner: open_host(from).await?, progress };
            bytes(fs, stream, to).await.map(Some)
        }
        Step::Parquet { from, kind, declare, to } => {
            let file = open_host(from).await?;
            let size_bytes = file.metadata().await.map(|found| found.len()).ok();
            let task = format!("copying {}", show(from));
            let progress = context.monitor().begin(&task, size_bytes, Unit::Bytes);
            let mut stream = Counted { inner: file, progress };
            let spec = declare.spec.clone();
            let written = fs
                .take_parquet_after(look, to, entry_type(*kind), spec, &mut stream)
                .await
                .or_fail(|| format!("cannot copy `{}` to `{to}`", show(from)))?;
            declare_floor(fs, to, declare).await?;
            Ok(Some(Copied::rows(to, *kind, &written, None)))
        }
        Step::Rows { from, kind, declare, to } => {
            let written = rows(context, fs, from, *kind, declare, to).await?;
            declare_floor(fs, to, declare).await?;
            Ok(Some(Copied::rows(to, *kind, &written, Some(from.report().clone()))))
        }
        Step::Pond { from, to } => within(fs, from, to).await.map(Some),
    }
}

const fn entry_type(kind: TableKind) -> EntryType {
    match kind {
        TableKind::Table => EntryType::Table,
        TableKind::Series => EntryType::Series,
    }
}

/// Opens a host file that was regular when the plan was made, and must be still.
async fn open_host(path: &Path) -> Result<tokio::fs::File> {
    let fail = || format!("cannot read `{}`", show(path));
    let file = tokio::fs::File::open(path).await.or_fail(fail)?;
    if !file.metadata().await.or_fail(fail)?.is_file() {
        return Err(super::host_tree::refuse_special(path));
    }
    Ok(file)
}

async fn bytes(
    fs: &Fs<dyn WriteStore>,
    stream: impl AsyncRead + Unpin,
    to: &str,
) -> Result<Copied> {
    refuse_table(fs, to).await?;
    let made = fs.write_from(to, stream).await.or_fail(|| format!("cannot copy to `{to}`"))?;
    Ok(Copied::file(&made))
}

/// Plain bytes would break a table: its type is kept by refusing them.
async fn refuse_table(fs: &Fs<dyn WriteStore>, to: &str) -> Result<()> {
    match fs.target(to).await.or_fail(|| format!("cannot copy to `{to}`"))? {
        Target::Existing(found) if found.node.entry_type.is_tabular() => {
            let word = if found.node.entry_type.is_series() { "series" } else { "table" };
            Err(CommandError::failure(format!(
                "`{to}` is {}, and plain bytes are not",
                found.node.entry_type
            ))
            .hint(format!(
                "say how the file is to be read: host+parquet+{word}:FILE, host+csv+{word}:FILE"
            )))
        }
        _ => Ok(()),
    }
}

async fn rows(
    context: &Context,
    fs: &Fs<dyn WriteStore>,
    from: &OpenedSource,
    kind: TableKind,
    declare: &Declare,
    to: &str,
) -> Result<Written> {
    let task = format!("copying {}", from.url());
    let progress = context.monitor().begin(&task, Some(from.report().rows), Unit::Rows);
    let batches = from
        .stream(None)
        .inspect_ok(move |batch| progress.advance(batch.num_rows() as u64))
        .map_err(|error| Box::new(error) as tlogfs::BoxError)
        .boxed();
    let schema = from.schema();
    let written = match kind {
        TableKind::Table => fs.write_table(to, schema, batches).await,
        TableKind::Series => fs.append_series(to, declare.spec.clone(), schema, batches).await,
    };
    written.or_fail(|| format!("cannot copy `{}` to `{to}`", from.url()))
}

/// Gives a series that exists another floor.
async fn declare_floor(fs: &Fs<dyn WriteStore>, to: &str, declare: &Declare) -> Result<()> {
    let Some(floor) = declare.floor else { return Ok(()) };
    let fail = || format!("cannot change the floor of `{to}`");
    let mut attributes = fs.resolve(to).await.or_fail(fail)?.node.attributes;
    let Some(mut spec) = SeriesSpec::read_from(&attributes).or_fail(fail)? else { return Ok(()) };
    spec.floor_us = floor.us();
    spec.write_to(&mut attributes);
    fs.set_attributes(to, attributes).await.or_fail(fail)
}

/// What a series declares of its rows. Which times queries see of them is no
/// part of that.
fn without_bounds(spec: SeriesSpec) -> SeriesSpec {
    SeriesSpec { start_us: None, end_us: None, ..spec }
}

/// Copies a file from one place in the pond to another: of a series all that
/// holds its rows (a merged run stands for the versions it covers, which may be
/// gone), of anything else the newest version.
async fn within(fs: &Fs<dyn WriteStore>, from: &NodePath, to: &str) -> Result<Copied> {
    let fail = || format!("cannot copy `{}` to `{to}`", from.path);
    let entry_type = from.node.entry_type;
    if entry_type.is_dynamic() {
        let (path, actual) = (from.path.clone(), entry_type);
        return Err(CommandError::failure(fail())
            .because(tinyfs::Error::Computed { path, actual })
            .hint("copy its rows out and in, or make another node with its configuration")
            .hint(format!("pond cat --config {}", crate::quote::shell(&from.path))));
    }
    // What else is said of the node, such as how fresh it has to be, is of it
    // and not of its copies.
    let said = |error| CommandError::failure(fail()).because(error);
    let spec = SeriesSpec::read_from(&from.node.attributes).map_err(said)?;
    let mut attributes = Attributes::new();
    if let Some(spec) = &spec {
        spec.write_to(&mut attributes);
    }
    let store = fs.store();
    let versions = if entry_type.is_series() {
        store.runs(from.id()).await.or_fail(fail)?
    } else {
        from.node.newest.clone().into_iter().collect()
    };
    for version in versions {
        let reader = Reader::new(Arc::clone(store), from.id(), version.clone());
        let reader = VerifiedReader::new(reader.named(from.path.as_str()));
        let content = fs.content_from(reader).await.or_fail(fail)?;
        let copy = NewVersion {
            content,
            format: version.format,
            rows: version.rows,
            time_range: version.time_range,
            attributes: version.attributes,
        };
        match fs.target(to).await.or_fail(fail)? {
            Target::New { .. } => {
                fs.create_file(to, entry_type, attributes.clone(), copy).await.or_fail(fail)?;
            }
            Target::Existing(found) if found.node.entry_type == entry_type => {
                let other = SeriesSpec::read_from(&found.node.attributes).map_err(said)?;
                if other.map(without_bounds) != spec.clone().map(without_bounds) {
                    return Err(CommandError::failure(format!(
                        "`{to}` declares itself otherwise than `{}`",
                        from.path
                    )));
                }
                fs.append(to, copy).await.or_fail(fail)?;
            }
            Target::Existing(found) => {
                return Err(CommandError::failure(fail()).because(tinyfs::Error::WrongType {
                    path: found.path,
                    wanted: entry_type,
                    actual: found.node.entry_type,
                }));
            }
        }
    }
    Ok(Copied::file(&fs.resolve(to).await.or_fail(fail)?))
}

/// A stream that tells how far it was read.
struct Counted<R> {
    inner: R,
    progress: Box<dyn Progress>,
}

impl<R: AsyncRead + Unpin> AsyncRead for Counted<R> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut TaskContext<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<std::io::Result<()>> {
        let before = buffer.filled().len();
        let read = Pin::new(&mut self.inner).poll_read(context, buffer);
        self.progress.advance((buffer.filled().len() - before) as u64);
        read
    }
}
