//! Opening a host file and streaming its rows.
//!
//! What always holds: [`open`] has read every record when it returns, so the
//! schema and the report are final, and a stream that follows it only fails
//! when the file can no longer be read as it was. Parsing runs on threads of
//! its own; the stream buffers a few batches.
//!
//! What is deliberately not here: the formats, each in its own module behind
//! the table in [`dispatch`].

use diagnostics::nearest_one;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use futures::Stream;
use tokio::sync::mpsc;

use super::error::{Error, Result};
use super::input::{HostSource, Input};
use super::options::{OnError, ReadOptions};
use super::parquet::HostParquet;
use super::report::ReadReport;
use super::url::{Format, Resolved, SourceUrl};
use super::{csv, json, oteljson, parquet, weblog};

/// How many batches wait for a slow consumer.
const QUEUE: usize = 2;

/// Takes the batches of a pass; `false` means that nobody wants more.
pub(crate) type Sink<'a> = dyn FnMut(RecordBatch) -> bool + 'a;

/// A format's file after its first pass.
pub(crate) trait Opened: Send + Sync {
    /// The columns of the whole file.
    fn schema(&self) -> SchemaRef;

    /// The file to be read by ranges, where its format allows it.
    fn ranges(&self) -> Option<Result<HostParquet>> {
        None
    }

    /// Reads the file again and gives its rows, in order, to the sink. With a
    /// projection only those columns, in that order. Blocks.
    fn read(&self, projection: Option<&[usize]>, sink: &mut Sink<'_>) -> Result<()>;
}

/// Opens a host file: looks at all of it, once, for its columns' types and for
/// rows that can not be read.
///
/// # Errors
/// Whatever [`Error`] says; with [`super::OnError::Fail`] the first malformed
/// row of the file.
pub async fn open(source: HostSource, options: ReadOptions) -> Result<OpenedSource> {
    let file = source.url().to_string();
    tokio::task::spawn_blocking(move || {
        let resolved = source.url().resolve()?;
        options.check(resolved.format)?;
        let input = source.prepare()?;
        let first_pass = input.first_pass().clone();
        let (opened, report) = dispatch(&source, &resolved, input, &options)?;
        first_pass.end();
        Ok(OpenedSource { url: source.url().clone(), resolved, opened, report: Arc::new(report) })
    })
    .await
    .unwrap_or_else(|error| Err(Error::Decoder { file, reason: error.to_string() }))
}

/// Which module reads which format.
fn dispatch(
    source: &HostSource,
    resolved: &Resolved,
    input: Input,
    options: &ReadOptions,
) -> Result<(Arc<dyn Opened>, ReadReport)> {
    match resolved.format {
        Format::Csv => csv::open(input, options),
        Format::Json => json::open(input, options, json::Layout::Array),
        Format::Ndjson => json::open(input, options, json::Layout::Lines),
        Format::Parquet => parquet::open(input, options, source.temp_dir()),
        Format::JsonLogs => {
            // Other lines among the records are what this format is about.
            let tolerant = ReadOptions { on_error: OnError::Skip, ..options.clone() };
            json::open(input, &tolerant, json::Layout::Lines)
        }
        Format::WebLog => weblog::open(input, options),
        Format::ExcelHtml => csv::open(input.into_html(), &options.with_comma()),
        Format::OtelJson => oteljson::open(input, options),
    }
}

/// The place of a declared column.
pub(crate) fn find_column(file: &str, column: &str, columns: Vec<String>) -> Result<usize> {
    match columns.iter().position(|each| each == column) {
        Some(place) => Ok(place),
        None => Err(Error::NoColumn {
            file: file.to_owned(),
            column: column.to_owned(),
            nearest: nearest_one(column, columns.clone()),
            columns,
        }),
    }
}

/// A host file whose columns are known.
#[derive(Clone)]
pub struct OpenedSource {
    url: SourceUrl,
    resolved: Resolved,
    opened: Arc<dyn Opened>,
    report: Arc<ReadReport>,
}

impl std::fmt::Debug for OpenedSource {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("OpenedSource")
            .field("url", &self.url)
            .field("schema", &self.opened.schema())
            .finish_non_exhaustive()
    }
}

impl OpenedSource {
    /// Its columns. Final: no later value changes a type.
    #[must_use]
    pub fn schema(&self) -> SchemaRef {
        self.opened.schema()
    }

    /// What the read has to tell. Complete before the first row is handed out.
    #[must_use]
    pub fn report(&self) -> &ReadReport {
        &self.report
    }

    /// What was opened.
    #[must_use]
    pub fn url(&self) -> &SourceUrl {
        &self.url
    }

    /// As what it was read, and who said so.
    #[must_use]
    pub fn resolved(&self) -> Resolved {
        self.resolved
    }

    /// The file to be read by ranges, where its format allows it. Blocks.
    pub(crate) fn ranges(&self) -> Option<Result<HostParquet>> {
        self.opened.ranges()
    }

    /// All rows. Needs a Tokio runtime; dropping the stream ends the reading.
    #[must_use]
    pub fn into_stream(self) -> BatchStream {
        self.stream(None)
    }

    /// The rows again, with all columns or those at the given places. Each
    /// stream reads the file anew.
    ///
    /// # Panics
    /// When it is called outside of a Tokio runtime.
    #[must_use]
    pub fn stream(&self, projection: Option<Vec<usize>>) -> BatchStream {
        let schema = match &projection {
            // A place beyond the columns is the caller's broken invariant.
            Some(places) => Arc::new(
                self.schema().project(places).expect("a projection names columns that exist"),
            ),
            None => self.schema(),
        };
        let (sender, receiver) = mpsc::channel(QUEUE);
        let opened = Arc::clone(&self.opened);
        let file = self.url.to_string();
        let worker = tokio::task::spawn_blocking(move || {
            let mut sink = |batch| sender.blocking_send(Ok(batch)).is_ok();
            if let Err(error) = opened.read(projection.as_deref(), &mut sink) {
                // Nobody listens any more: then nobody needs the error.
                let _ = sender.blocking_send(Err(error));
            }
        });
        BatchStream { schema, receiver, worker: Some(worker), file }
    }
}

/// The rows of a host file, in its order.
#[derive(Debug)]
pub struct BatchStream {
    schema: SchemaRef,
    receiver: mpsc::Receiver<Result<RecordBatch>>,
    worker: Option<tokio::task::JoinHandle<()>>,
    file: String,
}

impl BatchStream {
    /// The columns of its batches.
    #[must_use]
    pub fn schema(&self) -> SchemaRef {
        Arc::clone(&self.schema)
    }
}

impl Stream for BatchStream {
    type Item = Result<RecordBatch>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        if let Some(next) = std::task::ready!(self.receiver.poll_recv(context)) {
            return Poll::Ready(Some(next));
        }
        // The channel closes when the worker ends, or when it panics: rows
        // that are missing then must not look like the end of the file.
        let Some(worker) = &mut self.worker else { return Poll::Ready(None) };
        let ended = std::task::ready!(Pin::new(worker).poll(context));
        self.worker = None;
        Poll::Ready(ended.err().map(|error| {
            Err(Error::Decoder { file: self.file.clone(), reason: error.to_string() })
        }))
    }
}
