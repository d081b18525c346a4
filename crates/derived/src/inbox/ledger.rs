//! What an inbox has read: a series in the pond, asked before each run and
//! added to in the same transaction as what was read.
//!
//! Always true: entries are numbered in the order in which they were written,
//! whatever a clock says; of the ledger only the last entries of the files that
//! are there now are held in memory, at most [`MAX_CONTENTS`] contents of others,
//! and at most [`MAX_HASHES`] beginnings of hashes.
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
/// The most contents whose growth is recognised under any name: the newest.
const MAX_CONTENTS: usize = 16_384;
/// Of so many contents it is remembered that they are there.
const MAX_HASHES: usize = 1 << 20;
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
    pub(super) size_bytes: u64,
    pub(super) hash: ContentHash,
    pub(super) changed_us: i64,
    /// Whether a later change would have shown in the file's times.
    pub(super) was_settled: bool,
    pub(super) known: Known,
}

/// Content that was read before.
#[derive(Clone, Debug)]
pub(super) struct Known {
    /// The number of the entry.
    number: i64,
    pub(super) name: String,
    pub(super) target: String,
    pub(super) inode: u64,
    pub(super) modified_us: i64,
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
    contents: Contents,
    hashes: Hashes,
}

/// The newest contents that have rows.
#[derive(Debug, Default)]
struct Contents {
    /// Their rows, and the number of the entry that says so.
    rows: HashMap<Content, (i64, u64)>,
    by_number: BTreeMap<i64, Content>,
}

/// A target, a size in bytes and a hash.
type Content = (String, u64, ContentHash);

/// The beginnings of the hashes of all contents, so that the ledger is not read
/// for files that it can not know.
#[derive(Debug, Default)]
struct Hashes {
    beginnings: HashSet<u64>,
    /// There are more than are remembered, and none is.
    are_many: bool,
}

/// What was added to the ledger.
#[derive(Debug)]
pub(super) struct Noted {
    /// The ledger's version that this is.
    version: u64,
    entries: Vec<Entry>,
    /// When.
    now_us: i64,
}

/// An entry as the ledger has it.
#[derive(Clone, Copy)]
struct Row<'a> {
    number: i64,
    time_us: i64,
    name: &'a str,
    size_bytes: u64,
    hash: ContentHash,
    rows: Option<u64>,
    target: &'a str,
    version: Option<u64>,
    modified_us: i64,
    changed_us: i64,
    inode: u64,
}

impl Row<'_> {
    fn known(&self) -> Known {
        Known {
            number: self.number,
            name: self.name.to_owned(),
            target: self.target.to_owned(),
            inode: self.inode,
            modified_us: self.modified_us,
            rows: self.rows,
            version: self.version,
        }
    }
}

impl Contents {
    fn add(&mut self, row: &Row<'_>, rows: u64, most: usize) {
        let content = (row.target.to_owned(), row.size_bytes, row.hash);
        let kept = self.rows.entry(content.clone()).or_insert((row.number, rows));
        if kept.0 < row.number {
            *kept = (row.number, rows);
        }
        self.by_number.insert(row.number, content);
        if self.by_number.len() > most
            && let Some((number, oldest)) = self.by_number.pop_first()
            && self.rows.get(&oldest).is_some_and(|kept| kept.0 == number)
        {
            self.rows.remove(&oldest);
        }
    }
}

impl Hashes {
    fn beginning(hash: &ContentHash) -> u64 {
        let [a, b, c, d, e, f, g, h, ..] = *hash.as_bytes();
        u64::from_le_bytes([a, b, c, d, e, f, g, h])
    }

    fn add(&mut self, hash: &ContentHash) {
        if !self.are_many {
            self.beginnings.insert(Self::beginning(hash));
            if self.beginnings.len() > MAX_HASHES {
                *self = Self { beginnings: HashSet::new(), are_many: true };
            }
        }
    }
}

impl Recall {
    /// The rows of a content that went to this target, be it the last of the
    /// file of a name or one of the newest of any.
    pub(super) fn rows(
        &self,
        name: &str,
        target: &str,
        size_bytes: u64,
        hash: ContentHash,
    ) -> Option<u64> {
        let own = self.latest.get(name).filter(|latest| {
            (latest.size_bytes, latest.hash) == (size_bytes, hash) && latest.known.target == target
        });
        own.and_then(|latest| latest.known.rows).or_else(|| {
            self.contents.rows.get(&(target.to_owned(), size_bytes, hash)).map(|kept| kept.1)
        })
    }

    /// The sizes of the newest contents.
    pub(super) fn sizes(&self) -> impl Iterator<Item = u64> {
        self.contents.rows.keys().map(|(_, size_bytes, _)| *size_bytes)
    }

    /// The size of the last content of the file of a name, where it has rows.
    pub(super) fn size_of(&self, name: &str) -> Option<u64> {
        let latest = self.latest.get(name).filter(|latest| latest.known.rows.is_some());
        latest.map(|latest| latest.size_bytes)
    }

    /// Whether a content may have been read before.
    pub(super) fn may_know(&self, hash: &ContentHash) -> bool {
        self.hashes.are_many || self.hashes.beginnings.contains(&Hashes::beginning(hash))
    }

    /// What this run itself added to the ledger.
    pub(super) fn note(&mut self, noted: &Noted) {
        let first = self.next;
        for (number, entry) in (first..).zip(&noted.entries) {
            let row = Row {
                number,
                time_us: noted.now_us,
                name: &entry.name,
                size_bytes: entry.size_bytes,
                hash: entry.hash,
                rows: entry.rows,
                target: &entry.target,
                version: entry.version,
                modified_us: entry.state.modified_us,
                changed_us: entry.state.changed_us,
                inode: entry.state.inode,
            };
            self.add(&row, true, MAX_CONTENTS);
        }
        self.version = Some(noted.version);
    }

    /// Takes in an entry, which may be of a file that was asked for.
    fn add(&mut self, row: &Row<'_>, is_asked: bool, most_contents: usize) {
        self.next = self.next.max(row.number + 1);
        self.hashes.add(&row.hash);
        if is_asked
            && self.latest.get(row.name).is_none_or(|latest| latest.known.number < row.number)
        {
            let latest = Latest {
                size_bytes: row.size_bytes,
                hash: row.hash,
                changed_us: row.changed_us,
                was_settled: row.changed_us.saturating_add(SETTLED_US) < row.time_us,
                known: row.known(),
            };
            self.latest.insert(row.name.to_owned(), latest);
        }
        if let Some(rows) = row.rows {
            self.contents.add(row, rows, most_contents);
        }
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

    /// What it says of the files of these names, as of a version.
    ///
    /// # Errors
    /// What reading it says.
    pub(super) async fn recall(
        &self,
        doors: &dyn Doors,
        version: Option<u64>,
        names: &HashSet<&str>,
    ) -> factory::Result<Recall> {
        let mut recall = Recall { version, ..Recall::default() };
        if version.is_some() {
            self.each(doors, |row| recall.add(&row, names.contains(row.name), MAX_CONTENTS))
                .await?;
        }
        Ok(recall)
    }

    /// Whatever was read of these contents, in the order in which it was.
    ///
    /// # Errors
    /// What reading it says.
    pub(super) async fn known(
        &self,
        doors: &dyn Doors,
        hashes: &HashSet<ContentHash>,
    ) -> factory::Result<HashMap<ContentHash, Vec<Known>>> {
        let mut known: HashMap<ContentHash, Vec<Known>> = HashMap::new();
        self.each(doors, |row| {
            if !hashes.contains(&row.hash) {
                return;
            }
            let of = known.entry(row.hash).or_default();
            // Of each name and target the last is enough.
            let is_it = |one: &&mut Known| one.name == row.name && one.target == row.target;
            match of.iter_mut().find(is_it) {
                Some(one) if one.number < row.number => *one = row.known(),
                Some(_) => {}
                None => of.push(row.known()),
            }
        })
        .await?;
        for of in known.values_mut() {
            of.sort_unstable_by_key(|one| one.number);
        }
        Ok(known)
    }

    /// Shows all its entries, in no order.
    async fn each(&self, doors: &dyn Doors, mut see: impl FnMut(Row<'_>)) -> factory::Result<()> {
        let sql = format!(
            "SELECT number, time, file, read_bytes, hash, \"rows\", target, version, modified, \
             changed, inode FROM '{}'",
            self.path
        );
        let mut batches = doors.query(&sql).await?;
        while let Some(batch) = batches.try_next().await.map_err(|error| self.unreadable(error))? {
            let columns = Columns::of(&batch).map_err(|error| self.unreadable(error))?;
            for row in 0..batch.num_rows() {
                see(columns.row(row)?);
            }
        }
        Ok(())
    }

    /// Adds entries, as of a time; the first is number `next`.
    ///
    /// # Errors
    /// What writing says.
    pub(super) async fn add(
        &self,
        sink: &dyn Sink,
        entries: Vec<Entry>,
        next: i64,
        now_us: i64,
    ) -> factory::Result<Noted> {
        sink.fs().create_dir_all(DIRECTORY).await?;
        let mut spec = SeriesSpec::new("time", TimeUnit::Microsecond);
        spec.append = true;
        // When a file was read is never implausible.
        spec.floor_us = None;
        let rows = batch(&entries, next, now_us).map_err(|error| factory::Error::Run {
            doing: format!("cannot write to `{}`", self.path),
            source: error.into(),
        })?;
        let rows = stream::iter([Ok(rows)]).boxed();
        let written = sink.append_rows(&self.path, Some(spec), schema(), rows).await?;
        Ok(Noted { version: written.version, entries, now_us })
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

    fn row(&self, row: usize) -> factory::Result<Row<'_>> {
        Ok(Row {
            number: self.int("number", row)?,
            time_us: self.int("time", row)?,
            name: self.text("file", row)?,
            size_bytes: self.int("read_bytes", row)?.unsigned_abs(),
            hash: self.text("hash", row)?.parse()?,
            rows: self.maybe("rows", row)?.map(i64::unsigned_abs),
            target: self.text("target", row)?,
            version: self.maybe("version", row)?.map(i64::unsigned_abs),
            modified_us: self.int("modified", row)?,
            changed_us: self.int("changed", row)?,
            inode: self.int("inode", row)?.cast_unsigned(),
        })
    }
}

fn bad_entry(column: &str) -> factory::Error {
    factory::Error::Run {
        doing: "cannot read what was read before".to_owned(),
        source: format!("the ledger's column `{column}` is not as an inbox writes it").into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_content_of_a_file_is_known_beyond_the_newest_of_all() {
        let mut recall = Recall::default();
        let row = |number: i64, name, hash| Row {
            number,
            time_us: 0,
            name,
            size_bytes: 10,
            hash,
            rows: Some(number.unsigned_abs() + 1),
            target: "/a",
            version: Some(1),
            modified_us: 0,
            changed_us: 0,
            inode: 7,
        };
        let hashes: Vec<_> = (0..5_u8).map(|at| ContentHash::of(&[at])).collect();
        let names = ["a.csv", "b.csv", "b.csv", "b.csv", "b.csv"];
        for ((number, name), hash) in (0..).zip(names).zip(&hashes) {
            recall.add(&row(number, name, *hash), true, 2);
        }
        let rows = |name, at: usize| recall.rows(name, "/a", 10, hashes[at]);
        assert_eq!(rows("a.csv", 0), Some(1), "the last of its own");
        assert_eq!(recall.size_of("a.csv"), Some(10));
        assert_eq!(rows("b.csv", 0), None);
        assert_eq!(
            (rows("c.csv", 2), rows("c.csv", 3), rows("c.csv", 4)),
            (None, Some(4), Some(5))
        );
        assert!(hashes.iter().all(|hash| recall.may_know(hash)));
        assert!(!recall.may_know(&ContentHash::of(b"another")));
        assert_eq!(recall.next, 5);
    }

    #[test]
    fn what_a_run_noted_itself_is_as_if_it_had_been_read() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let state = State::read(file.path()).unwrap();
        let entry = |name: &str, at: u8| Entry {
            event: Event::Read,
            name: name.to_owned(),
            state,
            size_bytes: 10,
            hash: ContentHash::of(&[at]),
            rows: Some(3),
            target: "/a".to_owned(),
            version: Some(1),
        };
        let mut recall = Recall { next: 4, ..Recall::default() };
        let entries = vec![entry("a.csv", 1), entry("b.csv", 2)];
        recall.note(&Noted { version: 9, entries, now_us: 1_000_000 });
        assert_eq!((recall.version, recall.next), (Some(9), 6));
        assert_eq!(recall.rows("new.csv", "/a", 10, ContentHash::of(&[2])), Some(3));
        assert!(!recall.latest["b.csv"].was_settled);
    }
}
