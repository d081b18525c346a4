//! Reading data files: footers, groups of metadata rows, groups of contents.
//!
//! A footer is read once and kept, a row group is read when a lookup needs it
//! and kept while there is room. Groups are chosen by the least and greatest
//! node (and version) that the footer states, so that a lookup in a compacted
//! file reads what it needs, and names are read without contents.

use std::ops::Range;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use arrow::record_batch::RecordBatch;
use bytes::Bytes;
use futures::future::BoxFuture;
use futures::{FutureExt, TryStreamExt};
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt};
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::{ArrowReaderMetadata, ArrowReaderOptions};
use parquet::arrow::async_reader::{AsyncFileReader, ParquetRecordBatchStreamBuilder};
use parquet::errors::ParquetError;
use parquet::file::metadata::{ParquetMetaData, ParquetMetaDataReader, RowGroupMetaData};
use parquet::file::statistics::Statistics;
use tinyfs::{ContentHash, NodeId};

use crate::cache::Cache;
use crate::columns::{self, BatchReader, ContentRow, kind};
use crate::file::LiveFile;
use crate::{Error, LinkRow, Result, Stamped, TransactionRow, VersionRow};

/// How much of a file's end is read at once in the hope that it is the footer.
const FOOTER_GUESS: u64 = 16 * 1024;

/// Metadata rows of one row group, each kind ordered for lookups.
#[derive(Debug, Default)]
pub(crate) struct Block {
    pub(crate) transactions: Vec<Stamped<TransactionRow>>,
    /// By directory, name and order.
    pub(crate) links: Vec<Stamped<LinkRow>>,
    /// By node and order.
    pub(crate) versions: Vec<Stamped<VersionRow>>,
}

impl Block {
    fn read(file: &str, batch: &RecordBatch, block: &mut Self) -> Result<()> {
        let reader = BatchReader::new(file, batch);
        for row in 0..batch.num_rows() {
            match reader.kind(row)? {
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

    fn weight(&self) -> usize {
        1 + self.transactions.len() + self.links.len() + self.versions.len()
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

/// What a footer says of a row group.
#[derive(Debug)]
pub(crate) struct Group {
    kinds: Option<(String, String)>,
    nodes: Option<(NodeId, NodeId)>,
    versions: Option<(i64, i64)>,
}

impl Group {
    fn read(group: &RowGroupMetaData, columns: &Positions) -> Self {
        let text = |column: usize| -> Option<(String, String)> {
            let Some(Statistics::ByteArray(range)) = group.column(column).statistics() else {
                return None;
            };
            let text = |bytes: &parquet::data_type::ByteArray| {
                std::str::from_utf8(bytes.data()).ok().map(str::to_owned)
            };
            Some((text(range.min_opt()?)?, text(range.max_opt()?)?))
        };
        let versions = match group.column(columns.version).statistics() {
            Some(Statistics::Int64(range)) => {
                range.min_opt().copied().zip(range.max_opt().copied())
            }
            _ => None,
        };
        Self {
            kinds: text(columns.kind),
            nodes: text(columns.node)
                .and_then(|(min, max)| Some((min.parse().ok()?, max.parse().ok()?))),
            versions,
        }
    }

    /// Whether rows of this kind may be in it. Without statistics: yes.
    pub(crate) fn may_have(&self, kind: &str) -> bool {
        self.kinds.as_ref().is_none_or(|(min, max)| min.as_str() <= kind && kind <= max.as_str())
    }

    /// Whether anything but contents may be in it.
    pub(crate) fn may_have_metadata(&self) -> bool {
        self.kinds.as_ref().is_none_or(|(_, max)| max != kind::CONTENT)
    }

    /// Whether rows about this node may be in it.
    pub(crate) fn may_be_about(&self, node: NodeId) -> bool {
        self.nodes.is_none_or(|(min, max)| min <= node && node <= max)
    }

    fn may_have_content(&self, node: NodeId, version: u64) -> bool {
        let alone = self.nodes.is_some_and(|(min, max)| min == max);
        let version = i64::try_from(version).unwrap_or(i64::MAX);
        self.may_have(kind::CONTENT)
            && self.may_be_about(node)
            && !(alone && self.versions.is_some_and(|(min, max)| version < min || max < version))
    }
}

/// Where the columns that lookups prune by stand.
struct Positions {
    kind: usize,
    node: usize,
    version: usize,
}

/// A footer, read and understood.
#[derive(Debug)]
pub(crate) struct Footer {
    metadata: ArrowReaderMetadata,
    pub(crate) groups: Vec<Group>,
    without_content: ProjectionMask,
    only_content: ProjectionMask,
}

impl Footer {
    fn read(file: &str, metadata: Arc<ParquetMetaData>) -> Result<Self> {
        let damaged = |what: String| Error::DamagedFile { file: file.to_owned(), what };
        let metadata = ArrowReaderMetadata::try_new(metadata, ArrowReaderOptions::new())
            .map_err(|error| damaged(error.to_string()))?;
        let descriptor = metadata.parquet_schema();
        let names: Vec<_> = descriptor.columns().iter().map(|c| c.name().to_owned()).collect();
        let at = |name: &str| {
            names
                .iter()
                .position(|column| column == name)
                .ok_or_else(|| damaged(format!("it has no column `{name}`")))
        };
        let positions = Positions {
            kind: at(columns::KIND)?,
            node: at(columns::NODE)?,
            version: at("version")?,
        };
        let content = at(columns::CONTENT)?;
        let without_content = ProjectionMask::leaves(
            descriptor,
            (0..names.len()).filter(|column| *column != content),
        );
        let wanted =
            ["txn_seq", "position", "written", "kind", "node", "version", "hash", "content"];
        let only_content = ProjectionMask::leaves(
            descriptor,
            (0..names.len()).filter(|column| wanted.contains(&names[*column].as_str())),
        );
        let groups = metadata
            .metadata()
            .row_groups()
            .iter()
            .map(|group| Group::read(group, &positions))
            .collect();
        Ok(Self { metadata, groups, without_content, only_content })
    }
}

/// A file as Parquet's async reader wants it.
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
            ParquetMetaDataReader::new()
                .with_prefetch_hint(guess)
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

/// The reading side of a log: shared by all its snapshots.
#[derive(Debug)]
pub(crate) struct Reads {
    store: Arc<dyn ObjectStore>,
    footers: Cache<String, Arc<Footer>>,
    blocks: Cache<GroupKey, Arc<Block>>,
    contents: Cache<GroupKey, Arc<Vec<Stamped<ContentRow>>>>,
}

impl Reads {
    pub(crate) fn new(store: Arc<dyn ObjectStore>, cache_rows: usize, cache_bytes: usize) -> Self {
        Self {
            store,
            footers: Cache::new(4096),
            blocks: Cache::new(cache_rows),
            contents: Cache::new(cache_bytes),
        }
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
        let damaged = |what: String| Error::DamagedFile { file: file.path.clone(), what };
        let bytes = match self.store.get_range(&source.path, range.clone()).await {
            Ok(bytes) => bytes,
            Err(object_store::Error::NotFound { .. }) => {
                return Err(damaged("it is missing".into()));
            }
            Err(error) => {
                let io = Error::io(format!("reading data file `{}`", file.path), error);
                return Err(self.cut_short(file).await.unwrap_or(io));
            }
        };
        if !file.sections.fits(part, &bytes) {
            let what = self.cut_short(file).await;
            return Err(what.unwrap_or_else(|| {
                damaged(format!(
                    "its bytes from {} to {} are not what was written",
                    range.start, range.end
                ))
            }));
        }
        Ok(Source { part: Some((range.start, bytes)), ..source })
    }

    pub(crate) async fn footer(&self, file: &LiveFile) -> Result<Arc<Footer>> {
        if let Some(footer) = self.footers.get(&file.path) {
            return Ok(footer);
        }
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
        self.footers.put(file.path.clone(), Arc::clone(&footer), 1);
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

    async fn batches(
        &self,
        file: &LiveFile,
        footer: &Footer,
        group: usize,
        columns: &ProjectionMask,
    ) -> Result<Vec<RecordBatch>> {
        let source = if file.sections.is_empty() {
            self.source(file)
        } else {
            self.part(file, group).await?
        };
        let stream = ParquetRecordBatchStreamBuilder::new_with_metadata(
            source,
            footer.metadata.clone(),
        )
        .with_row_groups(vec![group])
        .with_projection(columns.clone())
        .with_batch_size(crate::file::GROUP_ROWS)
        .build()
        .map_err(|error| file_error(file, error))?;
        guarded(file, stream.try_collect()).await
    }

    /// The metadata rows of a row group, not kept.
    pub(crate) async fn read_block(
        &self,
        file: &LiveFile,
        footer: &Footer,
        group: usize,
    ) -> Result<Block> {
        let mut block = Block::default();
        for batch in self.batches(file, footer, group, &footer.without_content).await? {
            Block::read(&file.path, &batch, &mut block)?;
        }
        block.sort();
        Ok(block)
    }

    /// The metadata rows of a row group, kept for the next lookup.
    pub(crate) async fn block(
        &self,
        file: &LiveFile,
        footer: &Footer,
        group: usize,
    ) -> Result<Arc<Block>> {
        let key = (file.path.clone(), group);
        if let Some(block) = self.blocks.get(&key) {
            return Ok(block);
        }
        let block = Arc::new(self.read_block(file, footer, group).await?);
        self.blocks.put(key, Arc::clone(&block), block.weight());
        Ok(block)
    }

    /// The blocks of a file that may hold what is looked for.
    pub(crate) async fn blocks(
        &self,
        file: &LiveFile,
        wanted: impl Fn(&Group) -> bool,
    ) -> Result<Vec<Arc<Block>>> {
        let footer = self.footer(file).await?;
        let mut blocks = Vec::new();
        for (group, about) in footer.groups.iter().enumerate() {
            if about.may_have_metadata() && wanted(about) {
                blocks.push(self.block(file, &footer, group).await?);
            }
        }
        Ok(blocks)
    }

    /// The contents of a row group, in the order of the file, not kept.
    pub(crate) async fn read_contents(
        &self,
        file: &LiveFile,
        footer: &Footer,
        group: usize,
    ) -> Result<Vec<Stamped<ContentRow>>> {
        let mut rows = Vec::new();
        for batch in self.batches(file, footer, group, &footer.only_content).await? {
            let reader = BatchReader::new(&file.path, &batch);
            for row in 0..batch.num_rows() {
                if reader.kind(row)? == kind::CONTENT {
                    rows.push(reader.stamp(row, reader.content(row)?)?);
                }
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
        let footer = self.footer(file).await?;
        for (group, about) in footer.groups.iter().enumerate() {
            if !about.may_have_content(node, version) {
                continue;
            }
            let key = (file.path.clone(), group);
            let rows = match self.contents.get(&key) {
                Some(rows) => rows,
                None => {
                    let rows = Arc::new(self.read_contents(file, &footer, group).await?);
                    let weight = rows.iter().map(|row| 128 + row.row.bytes.len()).sum();
                    self.contents.put(key, Arc::clone(&rows), weight);
                    rows
                }
            };
            let found = rows.iter().find(|row| {
                row.row.node == node && row.row.version == version && row.row.hash == hash
            });
            if let Some(found) = found {
                return Ok(Some(found.row.bytes.clone()));
            }
        }
        Ok(None)
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
