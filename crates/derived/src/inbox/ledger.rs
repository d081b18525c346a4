//! What an inbox has read: a series in the pond, asked before each run and
//! added to in the same transaction as what was read.
//!
//! Always true: entries are numbered in the order in which they were written,
//! whatever a clock says; of the ledger only what files that are there now ask
//! for is held in memory, and at most [`MAX_CONTENTS`] contents.
//!
//! Deliberately not here: what follows from what was read; see [`super::plan`].

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray as _, Int64Array, RecordBatch, StringArray, TimestampMicrosecondArray,
};
use arrow::datatypes::{DataType, Field, Int64Type, Schema, SchemaRef, TimeUnit as ArrowUnit};
use factory::{BoxError, Doors, Sink};
use futures::{StreamExt as _, TryStreamExt as _, stream};
use tinyfs::{ContentHash, Fs, NodeId, SeriesSpec, TimeUnit};

use super::listing::State;

/// The directory of all ledgers.
const DIRECTORY: &str = "/system/inbox";
/// The most contents whose growth is recognised: the newest.
const MAX_CONTENTS: usize = 16_384;
/// So long after its last change a file's times tell of the next one, on the
/// coarsest of file systems.
const SETTLED_US: i64 = 2_000_000;

/// An inbox's ledger.
#[derive(Clone, Debug)]
pub(super) struct Ledger {
    path: String,
}

/// A file that was read, or was found to have been.
#[derive(Clone, Debug)]
pub(super) struct Entry {
    pub(super) event: Event,
    pub(super) name: String,
    /// What the file was like when it was read.
    pub(super) state: State,
    /// How many of its bytes were read.
    pub(super) size_bytes: u64,
    pub(super) hash: ContentHash,
    /// Rows in these bytes.
    pub(super) rows: Option<u64>,
    /// Where they went, and as which version.
    pub(super) target: String,
    pub(super) version: Option<u64>,
}

/// Why there is an entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Event {
    /// The file was read.
    Read,
    /// What it had grown by was read.
    Grown,
    /// It was found under another name, or with other times, and not read.
    Seen,
}

impl Event {
    const fn word(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Grown => "grown",
            Self::Seen => "seen",
        }
    }
}

/// What the ledger says of the file of a name: its last entry.
#[derive(Clone, Debug)]
pub(super) struct Latest {
    number: i64,
    pub(super) size_bytes: u64,
    pub(super) hash: ContentHash,
    pub(super) changed_us: i64,
    /// Whether a later change would have shown in the file's times.
    pub(super) was_settled: bool,
}

/// Content that was read before.
#[derive(Clone, Debug)]
pub(super) struct Known {
    pub(super) name: String,
    pub(super) target: String,
    pub(super) inode: u64,
    pub(super) rows: Option<u64>,
    pub(super) version: Option<u64>,
}

/// What a run remembers of it.
#[derive(Debug, Default)]
pub(super) struct Recall {
    /// The ledger's newest version; `None` when there is no ledger.
    pub(super) version: Option<u64>,
    /// The number of the next entry.
    pub(super) next: i64,
    /// The last entry of each name that was asked for.
    pub(super) latest: HashMap<String, Latest>,
    /// Contents by target, size and hash: how many rows they have.
    contents: HashMap<(String, u64, ContentHash), u64>,
}

impl Recall {
    /// The rows of a content that went to this target.
    pub(super) fn rows(&self, target: &str, size_bytes: u64, hash: ContentHash) -> Option<u64> {
        self.contents.get(&(target.to_owned(), size_bytes, hash)).copied()
    }

    /// The sizes of contents.
    pub(super) fn sizes(&self) -> impl Iterator<Item = u64> {
        self.contents.keys().map(|(_, size_bytes, _)| *size_bytes)
    }
}

impl Ledger {
    /// The ledger of this inbox.
    pub(super) fn of(node: NodeId) -> Self {
        Self { path: format!("{DIRECTORY}/{node}.series") }
    }

    pub(super) fn path(&self) -> &str {
        &self.path
    }

    /// Its newest version.
    ///
    /// # Errors
    /// The store's.
    pub(super) async fn version<S: tinyfs::Store + ?Sized>(
        &self,
        fs: &Fs<S>,
    ) -> factory::Result<Option<u64>> {
        match fs.resolve(&self.path).await {
            Ok(found) => Ok(Some(found.node.newest.map_or(0, |newest| newest.number))),
            Err(error) if error.is_absence() => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    /// What it says of the files of these names.
    ///
    /// # Errors
    /// What reading it says.
    pub(super) async fn recall(
        &self,
        doors: &dyn Doors,
        names: &HashSet<&str>,
    ) -> factory::Result<Recall> {
        let version = self.version(&doors.read().await?).await?;
        let mut recall = Recall { version, ..Recall::default() };
        if version.is_none() {
            return Ok(recall);
        }
        // By number, so that the newest are kept.
        let mut contents: BTreeMap<i64, (String, u64, ContentHash, u64)> = BTreeMap::new();
        let sql = format!(
            "SELECT number, file, read_bytes, hash, changed, time, target, \"rows\" FROM '{}'",
            self.path
        );
        let mut batches = doors.query(&sql).await?;
        while let Some(batch) = batches.try_next().await.map_err(|error| self.unreadable(error))? {
            let columns = Columns::of(&batch).map_err(|error| self.unreadable(error))?;
            for row in 0..batch.num_rows() {
                let number = columns.int("number", row)?;
                recall.next = recall.next.max(number + 1);
                let hash = columns.hash(row)?;
                let size_bytes = columns.int("read_bytes", row)?.unsigned_abs();
                let file = columns.text("file", row)?;
                if names.contains(file)
                    && recall.latest.get(file).is_none_or(|latest| latest.number < number)
                {
                    let changed_us = columns.int("changed", row)?;
                    let settled_us = changed_us.saturating_add(SETTLED_US);
                    let was_settled = settled_us < columns.int("time", row)?;
                    let latest = Latest { number, size_bytes, hash, changed_us, was_settled };
                    recall.latest.insert(file.to_owned(), latest);
                }
                if let Some(rows) = columns.maybe("rows", row)? {
                    let target = columns.text("target", row)?.to_owned();
                    contents.insert(number, (target, size_bytes, hash, rows.unsigned_abs()));
                    if contents.len() > MAX_CONTENTS {
                        contents.pop_first();
                    }
                }
            }
        }
        recall.contents = contents
            .into_values()
            .map(|(target, size_bytes, hash, rows)| ((target, size_bytes, hash), rows))
            .collect();
        Ok(recall)
    }

    /// Whatever was read of these contents.
    ///
    /// # Errors
    /// What reading it says.
    pub(super) async fn known(
        &self,
        doors: &dyn Doors,
        hashes: &HashSet<ContentHash>,
    ) -> factory::Result<HashMap<ContentHash, Vec<Known>>> {
        let mut known: HashMap<ContentHash, Vec<Known>> = HashMap::new();
        let sql =
            format!("SELECT file, hash, inode, target, \"rows\", version FROM '{}'", self.path);
        let mut batches = doors.query(&sql).await?;
        while let Some(batch) = batches.try_next().await.map_err(|error| self.unreadable(error))? {
            let columns = Columns::of(&batch).map_err(|error| self.unreadable(error))?;
            for row in 0..batch.num_rows() {
                let hash = columns.hash(row)?;
                if !hashes.contains(&hash) {
                    continue;
                }
                let name = columns.text("file", row)?;
                let target = columns.text("target", row)?;
                let of = known.entry(hash).or_default();
                // One of each name and target is enough.
                of.retain(|one| one.name != name || one.target != target);
                of.push(Known {
                    name: name.to_owned(),
                    target: target.to_owned(),
                    inode: columns.int("inode", row)?.cast_unsigned(),
                    rows: columns.maybe("rows", row)?.map(i64::unsigned_abs),
                    version: columns.maybe("version", row)?.map(i64::unsigned_abs),
                });
            }
        }
        Ok(known)
    }

    /// Adds entries, as of a time; the first is number `next`.
    ///
    /// # Errors
    /// What writing says.
    pub(super) async fn add(
        &self,
        sink: &dyn Sink,
        entries: &[Entry],
        next: i64,
        now_us: i64,
    ) -> factory::Result<()> {
        sink.fs().create_dir_all(DIRECTORY).await?;
        let mut spec = SeriesSpec::new("time", TimeUnit::Microsecond);
        spec.append = true;
        // When a file was read is never implausible.
        spec.floor_us = None;
        let rows = batch(entries, next, now_us).map_err(|error| factory::Error::Run {
            doing: format!("cannot write to `{}`", self.path),
            source: error.into(),
        })?;
        let rows = stream::iter([Ok(rows)]).boxed();
        sink.append_rows(&self.path, Some(spec), schema(), rows).await?;
        Ok(())
    }

    fn unreadable(&self, source: impl Into<BoxError>) -> factory::Error {
        factory::Error::Run {
            doing: format!("cannot read what was read before, in `{}`", self.path),
            source: source.into(),
        }
    }
}

fn schema() -> SchemaRef {
    let time = || DataType::Timestamp(ArrowUnit::Microsecond, Some("UTC".into()));
    Arc::new(Schema::new(vec![
        Field::new("time", time(), false),
        Field::new("number", DataType::Int64, false),
        Field::new("event", DataType::Utf8, false),
        Field::new("file", DataType::Utf8, false),
        Field::new("read_bytes", DataType::Int64, false),
        Field::new("hash", DataType::Utf8, false),
        Field::new("rows", DataType::Int64, true),
        Field::new("target", DataType::Utf8, false),
        Field::new("version", DataType::Int64, true),
        Field::new("modified", time(), false),
        Field::new("changed", time(), false),
        Field::new("inode", DataType::Int64, false),
    ]))
}

fn batch(
    entries: &[Entry],
    next: i64,
    now_us: i64,
) -> Result<RecordBatch, arrow::error::ArrowError> {
    let time = |of: &dyn Fn(&Entry) -> i64| -> ArrayRef {
        Arc::new(
            TimestampMicrosecondArray::from_iter_values(entries.iter().map(of))
                .with_timezone("UTC"),
        )
    };
    let text = |of: &dyn Fn(&Entry) -> String| -> ArrayRef {
        Arc::new(StringArray::from_iter_values(entries.iter().map(of)))
    };
    let int = |of: &dyn Fn(&Entry) -> Option<u64>| -> ArrayRef {
        Arc::new(Int64Array::from_iter(entries.iter().map(|one| of(one).map(u64::cast_signed))))
    };
    let numbers = (next..).take(entries.len());
    RecordBatch::try_new(
        schema(),
        vec![
            time(&|_| now_us),
            Arc::new(Int64Array::from_iter_values(numbers)),
            text(&|one| one.event.word().to_owned()),
            text(&|one| one.name.clone()),
            int(&|one| Some(one.size_bytes)),
            text(&|one| one.hash.to_string()),
            int(&|one| one.rows),
            text(&|one| one.target.clone()),
            int(&|one| one.version),
            time(&|one| one.state.modified_us),
            time(&|one| one.state.changed_us),
            int(&|one| Some(one.state.inode)),
        ],
    )
}

/// The columns of a batch by name, texts as `Utf8` and the rest as `Int64`.
struct Columns(HashMap<String, ArrayRef>);

impl Columns {
    fn of(batch: &RecordBatch) -> Result<Self, arrow::error::ArrowError> {
        let mut columns = HashMap::new();
        for (field, column) in batch.schema_ref().fields().iter().zip(batch.columns()) {
            let is_text = matches!(
                field.data_type(),
                DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View
            );
            let to = if is_text { DataType::Utf8 } else { DataType::Int64 };
            columns.insert(field.name().clone(), arrow::compute::cast(column, &to)?);
        }
        Ok(Self(columns))
    }

    fn column(&self, name: &str) -> factory::Result<&ArrayRef> {
        self.0.get(name).ok_or_else(|| bad_entry(name))
    }

    fn maybe(&self, name: &str, row: usize) -> factory::Result<Option<i64>> {
        let column = self.column(name)?;
        let column = column.as_primitive_opt::<Int64Type>().ok_or_else(|| bad_entry(name))?;
        Ok(column.is_valid(row).then(|| column.value(row)))
    }

    fn int(&self, name: &str, row: usize) -> factory::Result<i64> {
        self.maybe(name, row)?.ok_or_else(|| bad_entry(name))
    }

    fn text(&self, name: &str, row: usize) -> factory::Result<&str> {
        let column = self.column(name)?;
        let column = column.as_string_opt::<i32>().ok_or_else(|| bad_entry(name))?;
        if column.is_valid(row) { Ok(column.value(row)) } else { Err(bad_entry(name)) }
    }

    fn hash(&self, row: usize) -> factory::Result<ContentHash> {
        Ok(self.text("hash", row)?.parse()?)
    }
}

fn bad_entry(column: &str) -> factory::Error {
    factory::Error::Run {
        doing: "cannot read what was read before".to_owned(),
        source: format!("the ledger's column `{column}` is not as an inbox writes it").into(),
    }
}
