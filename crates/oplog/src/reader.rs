//! Reading data files: groups of metadata rows, groups of contents, and what is
//! kept of both.
//!
//! A footer is read once and kept. A row group consists of pieces of a few
//! hundred rows; a piece is decoded when a lookup needs it, only the columns of
//! the kind of rows that are looked for, and kept while there is room. Groups
//! and pieces are chosen by the least and greatest node, version and
//! transaction that the footer states ([`crate::footer`]). So what a lookup costs does not grow
//! with the file it looks into, and names are read without contents.
//!
//! Rows that rows of the same file supersede are in groups of their own, the
//! history of the file. Who sees all transactions of a file needs none of it.

use std::collections::BTreeMap;
use std::ops::Range;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use arrow::compute::concat_batches;
use arrow::record_batch::RecordBatch;
use bytes::Bytes;
use futures::future::BoxFuture;
use futures::{FutureExt, TryStreamExt};
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt};
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::{ArrowReaderOptions, RowSelection};
use parquet::arrow::async_reader::{AsyncFileReader, ParquetRecordBatchStreamBuilder};
use parquet::errors::ParquetError;
use parquet::file::metadata::{
    PageIndexPolicy, ParquetMetaData, ParquetMetaDataOptions, ParquetMetaDataReader,
    ParquetStatisticsPolicy,
};
use tinyfs::{ContentHash, NodeId};

use crate::cache::Cache;
use crate::columns::{self, BatchReader, ContentRow, at, kind};
use crate::file::LiveFile;
use crate::footer::{About, Footer};
use crate::{Error, LinkRow, Result, Stamped, TransactionRow, VersionRow};

/// How much of a file's end is read at once in the hope that it is the footer.
const FOOTER_GUESS: u64 = 64 * 1024;

/// Groups of content up to this are read whole: looking for one row takes two reads.
const SMALL_GROUP_BYTES: u64 = 64 * 1024;

/// A file up to this is read at once: to open it takes longer than to read it.
const SMALL_FILE_BYTES: u64 = 32 << 10;

/// Small files that are kept for their next part.
const SMALL_FILES_BYTES: usize = 4 << 20;

/// Metadata rows of a row group or a piece of one, each kind ordered for
/// lookups.
#[derive(Debug, Default)]
pub(crate) struct Block {
    pub(crate) transactions: Vec<Stamped<TransactionRow>>,
    /// By directory, name and order.
    pub(crate) links: Vec<Stamped<LinkRow>>,
    /// By node and order.
    pub(crate) versions: Vec<Stamped<VersionRow>>,
}

impl Block {
    /// Takes the rows of a batch, or those of one kind.
    fn read(file: &str, batch: &RecordBatch, only: Option<&str>, block: &mut Self) -> Result<()> {
        let reader = BatchReader::new(file, batch);
        for row in 0..batch.num_rows() {
            let kind = reader.kind(row)?;
            if only.is_some_and(|only| only != kind) {
                continue;
            }
            match kind {
                kind::LINK => block.links.push(reader.stamp(row, reader.link(row)?)?),
                kind::VERSION => block.versions.push(reader.stamp(row, reader.version(row)?)?),
                kind::TRANSACTION => {
                    block.transactions.push(reader.stamp(row, reader.transaction(row)?)?);
                }
                kind::CONTENT => {}
                other => {
                    return Err(Error::DamagedFile {
                        file: file.to_owned(),
                        what: format!("it has a row of kind `{}`", other.escape_debug()),
                    });
                }
            }
        }
        Ok(())
    }

    fn sort(&mut self) {
        self.transactions.sort_by_key(Stamped::order);
        self.links.sort_by(|a, b| link_key(a).cmp(&link_key(b)));
        self.versions.sort_by_key(version_key);
    }

    /// About how many bytes of memory it takes.
    fn weight(&self) -> usize {
        let transactions = self.transactions.iter().map(|row| {
            let row = &row.row;
            row.command.len() + row.user.len() + row.host.len()
        });
        let links = self.links.iter().map(|link| link.row.name.len());
        let versions = self.versions.iter().map(|version| {
            let row = &version.row;
            let texts = [&row.time_column, &row.factory].into_iter().flatten().map(String::len);
            let attributes = row
                .attributes
                .iter()
                .map(|(key, value)| size_of::<(String, String)>() + key.len() + value.len());
            texts.sum::<usize>() + attributes.sum::<usize>()
        });
        size_of::<Self>()
            + size_of_val(&*self.transactions)
            + size_of_val(&*self.links)
            + size_of_val(&*self.versions)
            + transactions.sum::<usize>()
            + links.sum::<usize>()
            + versions.sum::<usize>()
    }

    /// The rows of a directory.
    pub(crate) fn links_of(&self, parent: NodeId) -> &[Stamped<LinkRow>] {
        let from = self.links.partition_point(|link| link.row.parent < parent);
        let to = self.links.partition_point(|link| link.row.parent <= parent);
        &self.links[from..to]
    }

    /// The rows of a node.
    pub(crate) fn versions_of(&self, node: NodeId) -> &[Stamped<VersionRow>] {
        let from = self.versions.partition_point(|version| version.row.node < node);
        let to = self.versions.partition_point(|version| version.row.node <= node);
        &self.versions[from..to]
    }
}

/// What links are ordered by inside files.
pub(crate) fn link_key(link: &Stamped<LinkRow>) -> (NodeId, &str, (u64, u32)) {
    (link.row.parent, &link.row.name, link.order())
}

/// What versions are ordered by inside files.
pub(crate) fn version_key(version: &Stamped<VersionRow>) -> (NodeId, (u64, u32)) {
    (version.row.node, version.order())
}

/// What contents are ordered by inside files.
pub(crate) fn content_key(content: &Stamped<ContentRow>) -> (NodeId, u64, (u64, u32)) {
    (content.row.node, content.row.version, content.order())
}

/// The columns that rows of a kind fill.
fn columns_of(kind: &str) -> &'static [usize] {
    match kind {
        kind::LINK => &[
            at::TXN_SEQ,
            at::POSITION,
            at::WRITTEN,
            at::KIND,
            at::NODE,
            at::NAME,
            at::CHILD,
            at::ENTRY_TYPE,
        ],
        kind::VERSION => &[
            at::TXN_SEQ,
            at::POSITION,
            at::WRITTEN,
            at::KIND,
            at::NODE,
            at::ENTRY_TYPE,
            at::VERSION,
            at::COVERS_FROM,
            at::COVERS_FROM_TXN,
            at::SIZE_BYTES,
            at::HASH,
            at::FORMAT,
            at::INLINE,
            at::ROWS,
            at::MIN_TIME,
            at::MAX_TIME,
            at::TIME_COLUMN,
            at::ATTRIBUTES,
            at::FACTORY,
        ],
        kind::TRANSACTION => &[
            at::TXN_SEQ,
            at::POSITION,
            at::WRITTEN,
            at::KIND,
            at::TXN_ID,
            at::TXN_KIND,
            at::COMMAND,
            at::USER_NAME,
            at::HOST_NAME,
            at::STARTED,
            at::ENDED,
            at::LINKS,
            at::VERSIONS,
            at::CONTENT_BYTES,
            at::ROWS_HASH,
            at::PREVIOUS_HASH,
            at::TXN_HASH,
        ],
        _ => CONTENT_COLUMNS,
    }
}

/// The columns that say which content a row is.
const CONTENT_KEY: &[usize] =
    &[at::TXN_SEQ, at::POSITION, at::WRITTEN, at::KIND, at::NODE, at::VERSION, at::HASH];

const CONTENT_COLUMNS: &[usize] = &[
    at::TXN_SEQ,
    at::POSITION,
    at::WRITTEN,
    at::KIND,
    at::NODE,
    at::VERSION,
    at::HASH,
    at::CONTENT,
];

/// A file as Parquet's async reader wants it.
#[derive(Clone)]
struct Source {
    store: Arc<dyn ObjectStore>,
    path: Path,
    size_bytes: u64,
    /// A part of it that was read and compared with its sum, and where it
    /// begins: nothing else is read then.
    part: Option<(u64, Bytes)>,
}

impl Source {
    /// The bytes of a range of the part that was read.
    fn slice(start: u64, part: &Bytes, range: &Range<u64>) -> parquet::errors::Result<Bytes> {
        let within = |at: u64| usize::try_from(at.checked_sub(start)?).ok();
        match (within(range.start), within(range.end)) {
            (Some(from), Some(to)) if from <= to && to <= part.len() => Ok(part.slice(from..to)),
            _ => Err(ParquetError::EOF(format!(
                "bytes {} to {} are not in the part that they belong to",
                range.start, range.end
            ))),
        }
    }
}

fn external(error: object_store::Error) -> ParquetError {
    ParquetError::External(Box::new(error))
}

impl AsyncFileReader for Source {
    fn get_bytes(&mut self, range: Range<u64>) -> BoxFuture<'_, parquet::errors::Result<Bytes>> {
        async move {
            match &self.part {
                Some((start, part)) => Self::slice(*start, part, &range),
                None => self.store.get_range(&self.path, range).await.map_err(external),
            }
        }
        .boxed()
    }

    fn get_byte_ranges(
        &mut self,
        ranges: Vec<Range<u64>>,
    ) -> BoxFuture<'_, parquet::errors::Result<Vec<Bytes>>> {
        async move {
            match &self.part {
                Some((start, part)) => {
                    ranges.iter().map(|range| Self::slice(*start, part, range)).collect()
                }
                None => self.store.get_ranges(&self.path, &ranges).await.map_err(external),
            }
        }
        .boxed()
    }

    fn get_metadata<'a>(
        &'a mut self,
        _options: Option<&'a ArrowReaderOptions>,
    ) -> BoxFuture<'a, parquet::errors::Result<Arc<ParquetMetaData>>> {
        async move {
            let size_bytes = self.size_bytes;
            let guess = self.part.as_ref().map_or(FOOTER_GUESS, |(_, part)| part.len() as u64);
            let guess = usize::try_from(guess.min(size_bytes)).ok();
            // Of the statistics only those that lookups go by.
            let wanted = ParquetStatisticsPolicy::skip_except(&[
                at::TXN_SEQ,
                at::KIND,
                at::NODE,
                at::NAME,
                at::VERSION,
                at::ENDED,
            ]);
            let options = ParquetMetaDataOptions::new()
                .with_column_stats_policy(wanted)
                .with_encoding_stats_policy(ParquetStatisticsPolicy::SkipAll)
                .with_size_stats_policy(ParquetStatisticsPolicy::SkipAll);
            ParquetMetaDataReader::new()
                .with_prefetch_hint(guess)
                .with_metadata_options(Some(options))
                .with_page_index_policy(PageIndexPolicy::Optional)
                .load_and_finish(self, size_bytes)
                .await
                .map(Arc::new)
        }
        .boxed()
    }
}

/// What went wrong with a file: gone, unreadable, or not what it must be.
fn file_error(file: &LiveFile, error: ParquetError) -> Error {
    let damaged = |what: String| Error::DamagedFile { file: file.path.clone(), what };
    match error {
        ParquetError::External(source) => match source.downcast::<object_store::Error>() {
            Ok(error) if matches!(*error, object_store::Error::NotFound { .. }) => {
                damaged("it is missing".into())
            }
            Ok(error) => Error::io(format!("reading data file `{}`", file.path), *error),
            Err(other) => damaged(other.to_string()),
        },
        other => damaged(other.to_string()),
    }
}

type GroupKey = (String, usize);
/// A piece of a row group, and the kind of rows that were taken from it.
type PieceKey = (String, usize, usize, &'static str);
/// A content row.
type RowKey = (String, NodeId, u64, ContentHash);

/// The reading side of a log: shared by all its snapshots.
#[derive(Debug)]
pub(crate) struct Reads {
    store: Arc<dyn ObjectStore>,
    footers: Cache<String, Arc<Footer>>,
    small: Cache<String, Bytes>,
    pieces: Cache<PieceKey, Arc<Block>>,
    contents: Cache<GroupKey, Arc<Vec<Stamped<ContentRow>>>>,
    /// Contents that were read alone.
    single: Cache<RowKey, Bytes>,
    /// Groups that some content was read from alone: for the next the whole is
    /// worth it.
    touched: Cache<GroupKey, ()>,
    counters: Counters,
}

impl Reads {
    /// Keeps about so many bytes of metadata, and of contents.
    pub(crate) fn new(
        store: Arc<dyn ObjectStore>,
        metadata_bytes: usize,
        content_bytes: usize,
    ) -> Self {
        Self {
            store,
            footers: Cache::new(metadata_bytes / 4),
            small: Cache::new(SMALL_FILES_BYTES),
            pieces: Cache::new(metadata_bytes / 4 * 3),
            contents: Cache::new(content_bytes),
            single: Cache::new(content_bytes / 4),
            touched: Cache::new(4096),
            counters: Counters::default(),
        }
    }

    /// What has been read so far.
    pub(crate) fn counts(&self) -> ReadCounts {
        self.counters.counts()
    }

    pub(crate) fn store(&self) -> &Arc<dyn ObjectStore> {
        &self.store
    }

    fn source(&self, file: &LiveFile) -> Source {
        Source {
            store: Arc::clone(&self.store),
            path: Path::from(file.path.as_str()),
            size_bytes: file.size_bytes,
            part: None,
        }
    }

    /// One part of a file, compared with its sum where that was noted.
    async fn part(&self, file: &LiveFile, part: usize) -> Result<Source> {
        let source = self.source(file);
        let Some(range) = file.sections.range(part) else { return Ok(source) };
        let bytes = if file.size_bytes <= SMALL_FILE_BYTES {
            let whole = match self.small.get(&file.path) {
                Some(whole) => whole,
                None => {
                    let whole = self.bytes(file, 0..file.size_bytes).await?;
                    self.small.put(file.path.clone(), whole.clone(), whole.len());
                    whole
                }
            };
            let within = |at: u64| usize::try_from(at).ok();
            let part = within(range.start).zip(within(range.end));
            part.filter(|(from, to)| from <= to && *to <= whole.len())
                .map(|(from, to)| whole.slice(from..to))
        } else {
            Some(self.bytes(file, range.clone()).await?)
        };
        match bytes.filter(|bytes| file.sections.fits(part, bytes)) {
            Some(bytes) => Ok(Source { part: Some((range.start, bytes)), ..source }),
            None => Err(self.cut_short(file).await.unwrap_or_else(|| Error::DamagedFile {
                file: file.path.clone(),
                what: format!(
                    "its bytes from {} to {} are not what was written",
                    range.start, range.end
                ),
            })),
        }
    }

    /// A range of a file's bytes.
    async fn bytes(&self, file: &LiveFile, range: Range<u64>) -> Result<Bytes> {
        self.counters.bytes.fetch_add(range.end - range.start, Ordering::Relaxed);
        match self.store.get_range(&Path::from(file.path.as_str()), range).await {
            Ok(bytes) => Ok(bytes),
            Err(object_store::Error::NotFound { .. }) => {
                Err(Error::DamagedFile { file: file.path.clone(), what: "it is missing".into() })
            }
            Err(error) => {
                let io = Error::io(format!("reading data file `{}`", file.path), error);
                Err(self.cut_short(file).await.unwrap_or(io))
            }
        }
    }

    pub(crate) async fn footer(&self, file: &LiveFile) -> Result<Arc<Footer>> {
        if let Some(footer) = self.footers.get(&file.path) {
            return Ok(footer);
        }
        self.counters.files.fetch_add(1, Ordering::Relaxed);
        let mut source = self.part(file, file.sections.groups()).await?;
        let metadata = match guarded(file, source.get_metadata(None)).await {
            Ok(metadata) => metadata,
            Err(error) => return Err(self.cut_short(file).await.unwrap_or(error)),
        };
        let footer = Arc::new(Footer::read(&file.path, metadata)?);
        if !file.sections.is_empty() && footer.groups.len() != file.sections.groups() {
            return Err(Error::DamagedFile {
                file: file.path.clone(),
                what: "its footer has other row groups than its entry in the log".into(),
            });
        }
        self.footers.put(file.path.clone(), Arc::clone(&footer), footer.weight());
        Ok(footer)
    }

    /// Damage, when a file that could not be read has not the size it had: a
    /// store answers a range beyond the end as it answers any failure.
    async fn cut_short(&self, file: &LiveFile) -> Option<Error> {
        let found = self.store.head(&Path::from(file.path.as_str())).await.ok()?.size;
        (found != file.size_bytes).then(|| Error::DamagedFile {
            file: file.path.clone(),
            what: format!("it has {found} bytes, not {}", file.size_bytes),
        })
    }

    /// Where the rows of a row group are read from.
    async fn group_source(&self, file: &LiveFile, group: usize) -> Result<Source> {
        if file.sections.is_empty() {
            return Ok(self.source(file));
        }
        self.part(file, group).await
    }

    /// The rows of a row group in these places, in order, as one batch.
    async fn rows(
        &self,
        file: &LiveFile,
        footer: &Footer,
        group: usize,
        columns: ProjectionMask,
        places: Option<&[Range<usize>]>,
    ) -> Result<RecordBatch> {
        let source = self.group_source(file, group).await?;
        self.rows_of(source, file, footer, group, columns, places).await
    }

    async fn rows_of(
        &self,
        source: Source,
        file: &LiveFile,
        footer: &Footer,
        group: usize,
        columns: ProjectionMask,
        places: Option<&[Range<usize>]>,
    ) -> Result<RecordBatch> {
        let rows = footer.groups[group].rows.len();
        let wanted = places.map_or(rows, |places| places.iter().map(Range::len).sum());
        self.counters.rows.fetch_add(wanted as u64, Ordering::Relaxed);
        let mut builder =
            ParquetRecordBatchStreamBuilder::new_with_metadata(source, footer.metadata.clone())
                .with_row_groups(vec![group])
                .with_projection(columns)
                .with_batch_size(wanted.max(1));
        if let Some(places) = places {
            let places = places.iter().cloned();
            builder =
                builder.with_row_selection(RowSelection::from_consecutive_ranges(places, rows));
        }
        let stream = builder.build().map_err(|error| file_error(file, error))?;
        let batches: Vec<_> = guarded(file, stream.try_collect()).await?;
        let damaged = |what: String| Error::DamagedFile { file: file.path.clone(), what };
        let found = batches.iter().map(RecordBatch::num_rows).sum::<usize>();
        if found != wanted {
            return Err(damaged(format!("row group {group} has {found} rows of {wanted}")));
        }
        match &batches[..] {
            [batch] => Ok(batch.clone()),
            [] => Ok(RecordBatch::new_empty(columns::schema())),
            [first, ..] => {
                let schema = first.schema();
                concat_batches(&schema, &batches).map_err(|error| damaged(error.to_string()))
            }
        }
    }

    /// The metadata rows of a row group, not kept.
    pub(crate) async fn read_block(
        &self,
        file: &LiveFile,
        footer: &Footer,
        group: usize,
    ) -> Result<Block> {
        let mut block = Block::default();
        let batch = self.rows(file, footer, group, footer.without_content(), None).await?;
        Block::read(&file.path, &batch, None, &mut block)?;
        block.sort();
        Ok(block)
    }

    /// The rows of one kind in a row group, not kept.
    pub(crate) async fn read_kind(
        &self,
        file: &LiveFile,
        footer: &Footer,
        group: usize,
        kind: &'static str,
    ) -> Result<Block> {
        let mut block = Block::default();
        let columns = footer.columns(columns_of(kind));
        let batch = self.rows(file, footer, group, columns, None).await?;
        Block::read(&file.path, &batch, Some(kind), &mut block)?;
        block.sort();
        Ok(block)
    }

    /// Those pieces of a file that may hold rows of a kind that are looked
    /// for, kept for the next lookup. The file's history is passed over unless
    /// it is asked for.
    pub(crate) async fn blocks(
        &self,
        file: &LiveFile,
        kind: &'static str,
        with_history: bool,
        wanted: impl Fn(&About) -> bool,
    ) -> Result<Vec<Arc<Block>>> {
        let footer = self.footer(file).await?;
        let mut blocks = Vec::new();
        for (number, group) in footer.groups.iter().enumerate() {
            if (group.history && !with_history) || !group.may_have(kind) || !wanted(group) {
                continue;
            }
            let chosen: Vec<_> = group
                .pieces
                .iter()
                .enumerate()
                .filter(|(_, piece)| piece.may_have(kind) && wanted(piece))
                .map(|(piece, _)| piece)
                .collect();
            self.pieces_of(file, &footer, number, kind, &chosen, &mut blocks).await?;
        }
        Ok(blocks)
    }

    /// The rows of one kind in a row group, kept for a while.
    pub(crate) async fn group(
        &self,
        file: &LiveFile,
        footer: &Footer,
        group: usize,
        kind: &'static str,
    ) -> Result<Vec<Arc<Block>>> {
        let mut blocks = Vec::new();
        let all: Vec<_> = (0..footer.groups[group].pieces.len()).collect();
        self.pieces_of(file, footer, group, kind, &all, &mut blocks).await?;
        Ok(blocks)
    }

    /// Pieces of a row group, in the order of the file; those that are not
    /// known yet are read together.
    async fn pieces_of(
        &self,
        file: &LiveFile,
        footer: &Footer,
        group: usize,
        kind: &'static str,
        chosen: &[usize],
        blocks: &mut Vec<Arc<Block>>,
    ) -> Result<()> {
        let key = |piece: usize| (file.path.clone(), group, piece, kind);
        let mut found: BTreeMap<usize, _> =
            chosen.iter().map(|piece| (*piece, self.pieces.get(&key(*piece)))).collect();
        let pieces = &footer.groups[group].pieces;
        let missing: Vec<_> =
            found.iter().filter(|(_, block)| block.is_none()).map(|(piece, _)| *piece).collect();
        if !missing.is_empty() {
            let places: Vec<_> = missing.iter().map(|piece| pieces[*piece].rows.clone()).collect();
            let columns = footer.columns(columns_of(kind));
            let some = (places.len() < pieces.len()).then_some(&places[..]);
            let batch = self.rows(file, footer, group, columns, some).await?;
            let mut from = 0;
            for (piece, place) in missing.into_iter().zip(places) {
                let mut block = Block::default();
                let rows = batch.slice(from, place.len());
                Block::read(&file.path, &rows, Some(kind), &mut block)?;
                from += place.len();
                block.sort();
                let block = Arc::new(block);
                self.pieces.put(key(piece), Arc::clone(&block), block.weight());
                found.insert(piece, Some(block));
            }
        }
        blocks.extend(found.into_values().flatten());
        Ok(())
    }

    /// The contents of a row group, in the order of the file, not kept.
    pub(crate) async fn read_contents(
        &self,
        file: &LiveFile,
        footer: &Footer,
        group: usize,
    ) -> Result<Vec<Stamped<ContentRow>>> {
        let columns = footer.columns(CONTENT_COLUMNS);
        let batch = self.rows(file, footer, group, columns, None).await?;
        let reader = BatchReader::new(&file.path, &batch);
        let mut rows = Vec::new();
        for row in 0..batch.num_rows() {
            if reader.kind(row)? == kind::CONTENT {
                rows.push(reader.stamp(row, reader.content(row)?)?);
            }
        }
        Ok(rows)
    }

    /// The bytes of a content row; `None` when the file has no such row.
    pub(crate) async fn content(
        &self,
        file: &LiveFile,
        node: NodeId,
        version: u64,
        hash: ContentHash,
    ) -> Result<Option<Bytes>> {
        let row = (file.path.clone(), node, version, hash);
        if let Some(bytes) = self.single.get(&row) {
            return Ok(Some(bytes));
        }
        let footer = self.footer(file).await?;
        for (group, about) in footer.groups.iter().enumerate() {
            if !about.may_have_content(node, version) {
                continue;
            }
            let key = (file.path.clone(), group);
            if let Some(rows) = self.contents.get(&key) {
                if let Some(found) = content_among(&rows, node, version, hash) {
                    return Ok(Some(found));
                }
                continue;
            }
            let alone = about.bytes > SMALL_GROUP_BYTES && self.touched.get(&key).is_none();
            if alone {
                self.touched.put(key, (), 1);
                let found = self.one_content(file, &footer, group, node, version, hash).await?;
                if let Some(bytes) = found {
                    self.single.put(row, bytes.clone(), 128 + bytes.len());
                    return Ok(Some(bytes));
                }
                continue;
            }
            let rows = Arc::new(self.read_contents(file, &footer, group).await?);
            let weight = rows.iter().map(|row| 128 + row.row.bytes.len()).sum();
            self.contents.put(key, Arc::clone(&rows), weight);
            if let Some(found) = content_among(&rows, node, version, hash) {
                return Ok(Some(found));
            }
        }
        Ok(None)
    }

    /// One content of a row group, without the others.
    async fn one_content(
        &self,
        file: &LiveFile,
        footer: &Footer,
        group: usize,
        node: NodeId,
        version: u64,
        hash: ContentHash,
    ) -> Result<Option<Bytes>> {
        let pieces = footer.groups[group].pieces.iter();
        let places: Vec<_> = pieces
            .filter(|piece| piece.may_have_content(node, version))
            .map(|piece| piece.rows.clone())
            .collect();
        if places.is_empty() {
            return Ok(None);
        }
        let columns = footer.columns(CONTENT_KEY);
        // Both reads are of one part, which is read and compared once.
        let source = self.group_source(file, group).await?;
        let keys =
            self.rows_of(source.clone(), file, footer, group, columns, Some(&places)).await?;
        let reader = BatchReader::new(&file.path, &keys);
        let mut found = None;
        for (row, place) in places.iter().cloned().flatten().enumerate() {
            if reader.is_content(row, node, version, hash)? {
                found = Some(place);
                break;
            }
        }
        let Some(place) = found else { return Ok(None) };
        let columns = footer.columns(CONTENT_COLUMNS);
        let one = place..place + 1;
        let one = Some(std::slice::from_ref(&one));
        let row = self.rows_of(source, file, footer, group, columns, one).await?;
        Ok(Some(BatchReader::new(&file.path, &row).content(0)?.bytes))
    }
}

fn content_among(
    rows: &[Stamped<ContentRow>],
    node: NodeId,
    version: u64,
    hash: ContentHash,
) -> Option<Bytes> {
    let found = rows
        .iter()
        .find(|row| row.row.node == node && row.row.version == version && row.row.hash == hash);
    found.map(|row| row.row.bytes.clone())
}

/// What has been read of data files: a measure that a busy machine does not
/// change.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ReadCounts {
    /// Files whose footer was read.
    pub files: u64,
    /// Bytes that were asked for.
    pub bytes: u64,
    /// Rows that were decoded.
    pub rows: u64,
}

#[derive(Debug, Default)]
struct Counters {
    files: AtomicU64,
    bytes: AtomicU64,
    rows: AtomicU64,
}

impl Counters {
    fn counts(&self) -> ReadCounts {
        let of = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        ReadCounts { files: of(&self.files), bytes: of(&self.bytes), rows: of(&self.rows) }
    }
}

/// Runs a read of Parquet; a panic on malformed input is damage.
async fn guarded<T>(
    file: &LiveFile,
    work: impl Future<Output = parquet::errors::Result<T>>,
) -> Result<T> {
    match AssertUnwindSafe(work).catch_unwind().await {
        Ok(result) => result.map_err(|error| file_error(file, error)),
        Err(_) => Err(Error::DamagedFile {
            file: file.path.clone(),
            what: "its pages do not decode".into(),
        }),
    }
}
