//! What the pond says of itself: `pond.entries`, `pond.versions` and
//! `pond.transactions`.
//!
//! Always true: rows stream from a walk of the store, or from the history, a
//! batch at a time; `pond.transactions` has no rows where there is no history
//! (a memory store).

use std::fmt;
use std::sync::Arc;

use arrow::array::{
    ArrayRef, RecordBatch, StringBuilder, TimestampMicrosecondBuilder, UInt64Builder,
};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef, TimeUnit};
use datafusion::catalog::TableProvider;
use datafusion::catalog::streaming::StreamingTable;
use datafusion::error::Result as DfResult;
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::streaming::PartitionStream;
use futures::stream::{self, BoxStream, StreamExt, TryStreamExt};
use tinyfs::{Fs, Glob, GlobOptions, NodePath, SeriesSpec, Version};

use crate::left_out::LeftOut;
use crate::{Error, Result};

/// The tables, without their schema.
pub(crate) const TABLES: [&str; 3] = ["entries", "versions", "transactions"];

/// Rows of a batch.
const BATCH_ROWS: usize = 1024;

/// A transaction, as plain data.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TransactionRecord {
    /// Its number.
    pub txn_seq: u64,
    /// Its id.
    pub txn_id: String,
    /// `user` or `maintenance`.
    pub kind: String,
    /// The command line, with secrets removed.
    pub command: String,
    /// The user's name.
    pub user: String,
    /// The host's name.
    pub host: String,
    /// When it began, in microseconds since 1970 UTC.
    pub started_us: i64,
    /// When it ended, in microseconds since 1970 UTC.
    pub ended_us: i64,
    /// Names it made, changed or took away.
    pub links: u64,
    /// Versions it wrote.
    pub versions: u64,
    /// Bytes of content it wrote.
    pub content_bytes: u64,
    /// Its hash.
    pub hash: String,
}

/// What is known beyond the store, implemented by whoever knows the log.
pub trait History: fmt::Debug + Send + Sync + 'static {
    /// All transactions, ascending by number.
    fn transactions(&self) -> BoxStream<'static, Result<TransactionRecord>>;
}

/// The system table of this name; `None` when there is none.
pub(crate) fn table(
    name: &str,
    fs: &Fs,
    history: Option<Arc<dyn History>>,
    left_out: LeftOut,
) -> Result<Option<Arc<dyn TableProvider>>> {
    let source = match name {
        "entries" => Source::Entries(fs.clone(), left_out),
        "versions" => Source::Versions(fs.clone(), left_out),
        "transactions" => Source::Transactions(history),
        _ => return Ok(None),
    };
    let schema = source.schema();
    let rows = Arc::new(Rows { source, schema: Arc::clone(&schema) });
    Ok(Some(Arc::new(StreamingTable::try_new(schema, vec![rows])?)))
}

#[derive(Clone, Debug)]
enum Source {
    Entries(Fs, LeftOut),
    Versions(Fs, LeftOut),
    Transactions(Option<Arc<dyn History>>),
}

#[derive(Debug)]
struct Rows {
    source: Source,
    schema: SchemaRef,
}

impl PartitionStream for Rows {
    fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    fn execute(&self, _context: Arc<TaskContext>) -> SendableRecordBatchStream {
        let batches = match self.source.clone() {
            Source::Entries(fs, left_out) => batches(&self.schema, walk(&fs, left_out), put_entry),
            Source::Versions(fs, left_out) => {
                batches(&self.schema, all_versions(fs, left_out), put_version)
            }
            Source::Transactions(None) => stream::empty().boxed(),
            Source::Transactions(Some(history)) => {
                batches(&self.schema, history.transactions(), put_transaction)
            }
        };
        Box::pin(RecordBatchStreamAdapter::new(Arc::clone(&self.schema), batches))
    }
}

impl Source {
    fn schema(&self) -> SchemaRef {
        let columns: &[(&str, Kind, bool)] = match self {
            Self::Entries(..) => &[
                ("path", Kind::Text, false),
                ("type", Kind::Text, false),
                ("node", Kind::Text, false),
                ("version", Kind::Count, true),
                ("size_bytes", Kind::Count, true),
                ("rows", Kind::Count, true),
                ("min_time", Kind::Time, true),
                ("max_time", Kind::Time, true),
                ("time_column", Kind::Text, true),
                ("factory", Kind::Text, true),
                ("modified", Kind::Time, true),
                ("txn_seq", Kind::Count, true),
            ],
            Self::Versions(..) => &[
                ("path", Kind::Text, false),
                ("node", Kind::Text, false),
                ("version", Kind::Count, false),
                ("txn_seq", Kind::Count, false),
                ("written", Kind::Time, false),
                ("size_bytes", Kind::Count, false),
                ("hash", Kind::Text, false),
                ("format", Kind::Text, false),
                ("place", Kind::Text, false),
                ("rows", Kind::Count, true),
                ("min_time", Kind::Time, true),
                ("max_time", Kind::Time, true),
            ],
            Self::Transactions(_) => &[
                ("txn_seq", Kind::Count, false),
                ("txn_id", Kind::Text, false),
                ("kind", Kind::Text, false),
                ("command", Kind::Text, false),
                ("user", Kind::Text, false),
                ("host", Kind::Text, false),
                ("started", Kind::Time, false),
                ("ended", Kind::Time, false),
                ("links", Kind::Count, false),
                ("versions", Kind::Count, false),
                ("content_bytes", Kind::Count, false),
                ("hash", Kind::Text, false),
            ],
        };
        let field = |(name, kind, nullable): &(&str, Kind, bool)| {
            Field::new(*name, kind.data_type(), *nullable)
        };
        Arc::new(Schema::new(columns.iter().map(field).collect::<Vec<_>>()))
    }
}

#[derive(Clone, Copy)]
enum Kind {
    Text,
    Count,
    Time,
}

impl Kind {
    fn data_type(self) -> DataType {
        match self {
            Self::Text => DataType::Utf8,
            Self::Count => DataType::UInt64,
            Self::Time => DataType::Timestamp(TimeUnit::Microsecond, Some(Arc::from("UTC"))),
        }
    }
}

/// One row being put together, column by column.
struct Columns {
    builders: Vec<Builder>,
    at: usize,
}

enum Builder {
    Text(StringBuilder),
    Count(UInt64Builder),
    Time(TimestampMicrosecondBuilder),
}

impl Columns {
    fn new(schema: &Schema) -> Self {
        let builders = schema.fields().iter().map(|field| match field.data_type() {
            DataType::UInt64 => Builder::Count(UInt64Builder::new()),
            DataType::Timestamp(_, _) => {
                Builder::Time(TimestampMicrosecondBuilder::new().with_timezone("UTC"))
            }
            _ => Builder::Text(StringBuilder::new()),
        });
        Self { builders: builders.collect(), at: 0 }
    }

    fn next(&mut self) -> Option<&mut Builder> {
        let columns = self.builders.len();
        let builder = self.builders.get_mut(self.at);
        self.at = (self.at + 1) % columns.max(1);
        builder
    }

    fn text<'a>(&mut self, value: impl Into<Option<&'a str>>) {
        if let Some(Builder::Text(builder)) = self.next() {
            builder.append_option(value.into());
        }
    }

    fn count(&mut self, value: impl Into<Option<u64>>) {
        if let Some(Builder::Count(builder)) = self.next() {
            builder.append_option(value.into());
        }
    }

    fn time(&mut self, value_us: impl Into<Option<i64>>) {
        if let Some(Builder::Time(builder)) = self.next() {
            builder.append_option(value_us.into());
        }
    }

    fn finish(self) -> Vec<ArrayRef> {
        let array = |builder| -> ArrayRef {
            match builder {
                Builder::Text(mut builder) => Arc::new(builder.finish()),
                Builder::Count(mut builder) => Arc::new(builder.finish()),
                Builder::Time(mut builder) => Arc::new(builder.finish()),
            }
        };
        self.builders.into_iter().map(array).collect()
    }
}

fn batches<T: Send + 'static>(
    schema: &SchemaRef,
    items: BoxStream<'static, Result<T>>,
    put: fn(&mut Columns, &T),
) -> BoxStream<'static, DfResult<RecordBatch>> {
    let schema = Arc::clone(schema);
    items
        .try_chunks(BATCH_ROWS)
        .map(move |chunk| {
            let mut columns = Columns::new(&schema);
            for item in chunk.map_err(|error| error.1)? {
                put(&mut columns, &item);
            }
            Ok(RecordBatch::try_new(Arc::clone(&schema), columns.finish())?)
        })
        .boxed()
}

fn walk(fs: &Fs, left_out: LeftOut) -> BoxStream<'static, Result<NodePath>> {
    let options = GlobOptions { hidden: true, follow: false };
    let matches = match Glob::parse("/**") {
        Ok(all) => fs.matches(all, options).past_failures(),
        Err(error) => return stream::iter([Err(error.into())]).boxed(),
    };
    stream::try_unfold((matches, left_out), |(mut matches, left_out)| async move {
        let next = matches.next().await?;
        for (path, error) in matches.take_failures() {
            left_out.note(&path, error.into());
        }
        Ok::<_, Error>(next.map(|found| (found.path, (matches, left_out))))
    })
    .boxed()
}

fn all_versions(fs: Fs, left_out: LeftOut) -> BoxStream<'static, Result<(NodePath, Version)>> {
    walk(&fs, left_out)
        .try_filter(|found| std::future::ready(found.node.entry_type.is_file()))
        .and_then(move |found| {
            let store = Arc::clone(fs.store());
            async move {
                let versions = store.versions(found.node.id).await?;
                let rows = versions.into_iter().map(move |version| Ok((found.clone(), version)));
                Ok(stream::iter(rows))
            }
        })
        .try_flatten()
        .boxed()
}

fn put_entry(columns: &mut Columns, found: &NodePath) {
    let node = &found.node;
    let newest = node.newest.as_ref();
    columns.text(found.path.as_str());
    columns.text(node.entry_type.as_str());
    columns.text(node.id.to_string().as_str());
    columns.count(newest.map(|version| version.number));
    columns.count(newest.map(|version| version.size_bytes));
    columns.count(newest.and_then(|version| version.rows));
    columns.time(newest.and_then(|version| version.time_range).map(|range| range.min_us));
    columns.time(newest.and_then(|version| version.time_range).map(|range| range.max_us));
    // A declaration that can not be read is `describe`'s to report, not a
    // reason to end a listing.
    let spec = SeriesSpec::read_from(&node.attributes).ok().flatten();
    columns.text(spec.as_ref().map(|spec| spec.time_column.as_str()));
    columns.text(node.factory.as_deref());
    columns.time(newest.map(|version| version.written_us));
    columns.count(newest.map(|version| version.txn_seq));
}

fn put_version(columns: &mut Columns, (found, version): &(NodePath, Version)) {
    columns.text(found.path.as_str());
    columns.text(found.node.id.to_string().as_str());
    columns.count(version.number);
    columns.count(version.txn_seq);
    columns.time(version.written_us);
    columns.count(version.size_bytes);
    columns.text(version.hash.to_string().as_str());
    columns.text(version.format.as_str());
    columns.text(match version.place {
        tinyfs::Place::Inline => "inline",
        tinyfs::Place::Large => "large",
    });
    columns.count(version.rows);
    columns.time(version.time_range.map(|range| range.min_us));
    columns.time(version.time_range.map(|range| range.max_us));
}

fn put_transaction(columns: &mut Columns, record: &TransactionRecord) {
    columns.count(record.txn_seq);
    columns.text(record.txn_id.as_str());
    columns.text(record.kind.as_str());
    columns.text(record.command.as_str());
    columns.text(record.user.as_str());
    columns.text(record.host.as_str());
    columns.time(record.started_us);
    columns.time(record.ended_us);
    columns.count(record.links);
    columns.count(record.versions);
    columns.count(record.content_bytes);
    columns.text(record.hash.as_str());
}
