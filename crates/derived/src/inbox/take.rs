//! Takes files into the pond, and notes them in the ledger: one transaction.
//!
//! Always true: a version that is named has the very bytes that were hashed,
//! or the rows of them; a file that was written to meanwhile names none.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::task::{Context, Poll};

use arrow::array::RecordBatch;
use arrow::datatypes::{DataType, Schema, TimeUnit as ArrowUnit};
use async_trait::async_trait;
use diagnostics::{Progress, Unit};
use factory::{BoxError, RunContext, Sink, Step};
use futures::{StreamExt as _, stream};
use query::format::{HostSource, OpenedSource, open};
use tinyfs::{ContentHash, EntryType, SeriesSpec, Target, TimeUnit};
use tokio::io::{AsyncRead, AsyncReadExt as _, ReadBuf};

use super::config::{Becomes, InboxConfig};
use super::fingerprint::Fingerprint;
use super::ledger::{Entry, Ledger, Noted};
use super::listing::{Pattern, State};
use super::plan::{CHANGES, Plan, Reading};
use super::{Outcome, counted};

/// A plan on its way into the pond.
pub(super) struct Take<'a> {
    context: &'a RunContext<'a>,
    config: &'a InboxConfig,
    ledger: &'a Ledger,
    pattern: &'a Pattern,
    began_us: i64,
    plan: Plan,
    /// What it came to; `None` when the plan does not hold any more.
    done: Option<Done>,
}

/// What a transaction came to.
pub(super) struct Done {
    /// What became of the files.
    pub(super) outcomes: Vec<(String, Outcome)>,
    pub(super) noted: Option<Noted>,
}

/// What taking a file came to.
struct Took {
    /// Rows in all of it.
    rows: Option<u64>,
    version: Option<u64>,
    line: String,
}

impl<'a> Take<'a> {
    pub(super) const fn new(
        context: &'a RunContext<'a>,
        config: &'a InboxConfig,
        ledger: &'a Ledger,
        pattern: &'a Pattern,
        began_us: i64,
        plan: Plan,
    ) -> Self {
        Self { context, config, ledger, pattern, began_us, plan, done: None }
    }

    /// What it came to, once the transaction is committed; `None` when somebody
    /// else wrote to the ledger before.
    pub(super) fn finish(self) -> Option<Done> {
        let mut done = self.done?;
        done.outcomes.extend(self.plan.dealt);
        Some(done)
    }

    async fn one(&self, sink: &dyn Sink, reading: &Reading) -> Result<Took, BoxError> {
        match self.config.r#as {
            Becomes::Data => self.data(sink, reading).await,
            Becomes::Table | Becomes::Series => self.rows(sink, reading).await,
        }
    }

    async fn data(&self, sink: &dyn Sink, reading: &Reading) -> Result<Took, BoxError> {
        let (fs, target, name) = (sink.fs(), reading.target.as_str(), &reading.found.name);
        make_parent(sink, target).await?;
        if let Target::Existing(found) = fs.target(target).await? {
            let actual = found.node.entry_type;
            if actual != EntryType::Data {
                let (path, wanted) = (found.path, EntryType::Data);
                return Err(tinyfs::Error::WrongType { path, wanted, actual }.into());
            }
            if let Some(newest) = found.node.newest.filter(|newest| newest.hash == reading.hash) {
                let line = format!("{name}: is version {} of {target} already", newest.number);
                return Ok(Took { rows: None, version: Some(newest.number), line });
            }
        }
        let path = self.pattern.path_of(name);
        let file = reading.found.state.open(&path)?;
        let task = format!("reading {name}");
        let progress = self.context.monitor.begin(&task, Some(reading.size_bytes), Unit::Bytes);
        let stream = Watched {
            inner: tokio::fs::File::from_std(file).take(reading.size_bytes),
            hasher: blake3::Hasher::new(),
            wanted: reading.hash,
            path,
            state: reading.found.state,
            progress,
        };
        let made = fs.write_from(target, stream).await?;
        let version = made.node.newest.as_ref().map(|newest| newest.number);
        let bytes = counted(reading.size_bytes, "byte");
        let line = format!("{name}: {bytes} to {target}, version {}", version.unwrap_or(0));
        Ok(Took { rows: None, version, line })
    }

    async fn rows(&self, sink: &dyn Sink, reading: &Reading) -> Result<Took, BoxError> {
        let (target, name) = (reading.target.as_str(), &reading.found.name);
        let declared = declared(sink, target).await?;
        let url = self.config.source(name)?;
        let format = url.resolve()?.format;
        let options = self.config.options(Some(format), declared.as_ref());
        let options = options.map_err(|(at, what)| format!("`{at}`: {what}"))?;
        let mut source = HostSource::new(url)
            .with_base(self.pattern.dir())
            .with_temp_dir(self.context.temp_dir)
            .with_monitor(std::sync::Arc::clone(self.context.monitor));
        if reading.is_lines {
            source = source.with_prefix(reading.size_bytes);
        }
        let opened = open(source, options).await?;
        let rows = opened.report().rows;
        let skipped = match opened.report().skipped {
            0 => String::new(),
            skipped => format!(", {} skipped", counted(skipped, "malformed row")),
        };
        let skip_rows = reading.skip_rows.min(rows);
        if self.config.r#as == Becomes::Series && rows == skip_rows {
            check(self.pattern.path_of(name), reading.clone()).await?;
            let line = format!("{name}: no new row{skipped}");
            return Ok(Took { rows: Some(rows), version: None, line });
        }
        make_parent(sink, target).await?;
        let schema = opened.schema();
        let batches = self.batches(&opened, reading, skip_rows);
        let written = match self.config.r#as {
            Becomes::Series => {
                let spec = self.spec(declared, &schema)?;
                sink.append_rows(target, spec, schema, batches).await?
            }
            _ => sink.write_table(target, schema, batches).await?,
        };
        let new = if skip_rows > 0 { "new row" } else { "row" };
        let new = counted(written.rows, new);
        let mut line = format!("{name}: {new} to {target}, version {}", written.version);
        line.push_str(&skipped);
        if written.below_floor > 0 {
            line.push_str(&format!(", {} before the floor", written.below_floor));
        }
        Ok(Took { rows: Some(rows), version: Some(written.version), line })
    }

    /// The rows after the first `skip_rows`, which fail at their end when they
    /// are not those of the bytes that were hashed.
    fn batches<'b>(
        &'b self,
        opened: &OpenedSource,
        reading: &'b Reading,
        skip_rows: u64,
    ) -> factory::Batches<'b> {
        let mut left = skip_rows;
        let rows = opened.stream(None).filter_map(move |batch| {
            let batch = batch.map_err(BoxError::from).map(|batch| rest_of(&batch, &mut left));
            futures::future::ready(batch.transpose())
        });
        let check = check(self.pattern.path_of(&reading.found.name), reading.clone());
        let end = stream::once(async move { check.await.err().map(Err) });
        rows.chain(end.filter_map(futures::future::ready)).boxed()
    }

    /// What is declared of the series that rows go to.
    fn spec(
        &self,
        declared: Option<SeriesSpec>,
        schema: &Schema,
    ) -> Result<Option<SeriesSpec>, BoxError> {
        let given = self.config.declaration().map_err(|(at, what)| format!("`{at}`: {what}"))?;
        let Some(mut given) = given else { return Ok(None) };
        match declared {
            Some(declared) if self.config.declares_key() => {
                given.time_unit = declared.time_unit;
                Ok(Some(given))
            }
            Some(_) => Ok(None),
            None => {
                if let Ok(field) = schema.field_with_name(&given.time_column)
                    && let DataType::Timestamp(unit, _) = field.data_type()
                {
                    given.time_unit = match unit {
                        ArrowUnit::Second => TimeUnit::Second,
                        ArrowUnit::Millisecond => TimeUnit::Millisecond,
                        ArrowUnit::Microsecond => TimeUnit::Microsecond,
                        ArrowUnit::Nanosecond => TimeUnit::Nanosecond,
                    };
                }
                Ok(Some(given))
            }
        }
    }
}

#[async_trait(?Send)]
impl Step for Take<'_> {
    async fn perform(&mut self, sink: &dyn Sink) -> factory::Result<()> {
        if self.ledger.version(sink.fs()).await? != self.plan.version {
            return Ok(());
        }
        let (mut done, mut entries) = (Vec::new(), Vec::new());
        for reading in std::mem::take(&mut self.plan.reads) {
            let name = reading.found.name.clone();
            let outcome = match self.one(sink, &reading).await {
                Ok(took) => {
                    entries.push(entry(reading, &took));
                    Outcome::Taken(took.line)
                }
                Err(error) => match is_unchanged(self.pattern.path_of(&name), reading).await {
                    Ok(true) => Outcome::Failed(error),
                    // Whatever was wrong with it, it is another file by now.
                    Ok(false) => Outcome::Left(format!("{name}: {CHANGES}")),
                    Err(gone) if gone.kind() == io::ErrorKind::NotFound => {
                        Outcome::Left(format!("{name}: is gone"))
                    }
                    Err(_) => Outcome::Failed(error),
                },
            };
            done.push((name, outcome));
        }
        entries.append(&mut self.plan.seen);
        let mut noted = None;
        if !entries.is_empty() || self.plan.must_note() {
            entries.append(&mut self.plan.quiet);
            let (next, now_us) = (self.plan.next, self.began_us);
            noted = Some(self.ledger.add(sink, entries, next, now_us).await?);
        }
        self.done = Some(Done { outcomes: done, noted });
        Ok(())
    }
}

fn entry(reading: Reading, took: &Took) -> Entry {
    Entry {
        event: reading.event,
        name: reading.found.name,
        state: reading.found.state,
        size_bytes: reading.size_bytes,
        hash: reading.hash,
        rows: took.rows,
        target: reading.target,
        version: took.version,
    }
}

async fn make_parent(sink: &dyn Sink, target: &str) -> tinyfs::Result<()> {
    if let Some(parent) = tinyfs::path::parent(target) {
        sink.fs().create_dir_all(parent).await?;
    }
    Ok(())
}

/// What the series at `path` declares, when there is one.
async fn declared(sink: &dyn Sink, path: &str) -> tinyfs::Result<Option<SeriesSpec>> {
    match sink.fs().resolve(path).await {
        Ok(found) => SeriesSpec::read_from(&found.node.attributes),
        Err(error) if error.is_absence() => Ok(None),
        Err(error) => Err(error),
    }
}

/// What of a batch comes after the rows that are left to be skipped.
fn rest_of(batch: &RecordBatch, left: &mut u64) -> Option<RecordBatch> {
    let rows = batch.num_rows();
    let skip = usize::try_from(*left).unwrap_or(usize::MAX).min(rows);
    *left -= skip as u64;
    (skip < rows).then(|| batch.slice(skip, rows - skip))
}

/// Fails when the bytes that were hashed are not there any more.
async fn check(path: PathBuf, reading: Reading) -> Result<(), BoxError> {
    if is_unchanged(path, reading).await? { Ok(()) } else { Err(CHANGES.into()) }
}

/// Whether the bytes that were hashed are there still.
async fn is_unchanged(path: PathBuf, reading: Reading) -> io::Result<bool> {
    let looking = tokio::task::spawn_blocking(move || compare(&path, &reading));
    looking.await.map_err(io::Error::other)?
}

/// The same. Blocks.
fn compare(path: &Path, reading: &Reading) -> io::Result<bool> {
    let state = State::read(path)?;
    if state == reading.found.state {
        return Ok(true);
    }
    if !reading.is_lines || state.size_bytes < reading.size_bytes {
        return Ok(false);
    }
    // It may only have grown.
    let mut file: File = state.open(path)?;
    let print =
        Fingerprint::read(&mut file, reading.size_bytes, &std::collections::BTreeSet::new())?;
    Ok(print.hash == reading.hash)
}

/// A file on its way, which fails at its end when it is not what was hashed.
struct Watched {
    inner: tokio::io::Take<tokio::fs::File>,
    hasher: blake3::Hasher,
    wanted: ContentHash,
    path: PathBuf,
    state: State,
    progress: Box<dyn Progress>,
}

impl AsyncRead for Watched {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if buffer.remaining() == 0 {
            return Poll::Ready(Ok(()));
        }
        let before = buffer.filled().len();
        let read = std::task::ready!(Pin::new(&mut self.inner).poll_read(context, buffer));
        read?;
        let piece = &buffer.filled()[before..];
        if piece.is_empty() {
            let hash = ContentHash::new(*self.hasher.finalize().as_bytes());
            if hash != self.wanted || State::read(&self.path)? != self.state {
                return Poll::Ready(Err(io::Error::other(CHANGES)));
            }
        }
        self.hasher.update(piece);
        self.progress.advance(piece.len() as u64);
        Poll::Ready(Ok(()))
    }
}
