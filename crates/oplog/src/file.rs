//! The data files of the log: what is known of each, and how one is written.
//!
//! Every file has the same shape inside: the transaction rows, then links by
//! directory and name, then versions by node, then such links and versions that
//! those before supersede, then contents by node and version. Row groups are
//! limited by rows and bytes; contents are in row groups of their own and have
//! no statistics on their bytes, so that reading names never touches contents.
//!
//! A file of few rows and little content, as most commits write it, does without
//! dictionaries and an index of pages, and compresses contents alone: a thousand
//! bytes of rows would have ten times as much of these around them, and each
//! reader would pay for them until the file is merged.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::Arc;

use arrow::record_batch::RecordBatch;
use parquet::arrow::ArrowWriter;
use parquet::arrow::arrow_writer::ArrowWriterOptions;
use parquet::basic::{Compression, ZstdLevel};
use parquet::file::metadata::KeyValue;
use parquet::file::properties::{EnabledStatistics, WriterProperties};
use parquet::schema::types::ColumnPath;
use tinyfs::ContentHash;
use tokio::sync::mpsc;

use crate::columns::{self, BatchBuilder, ContentRow, schema};
use crate::filter::{Filter, Key, Keys};
use crate::medium::{Medium, Naming, Staged};
use crate::sections::{Sections, Summing};
use crate::{Error, LinkRow, Result, Stamped, TransactionRow, VersionRow};

/// Rows of metadata in a row group: what a lookup in a compacted file reads.
pub(crate) const GROUP_ROWS: usize = 4_096;
/// Rows of metadata in a piece of a row group: what a lookup decodes.
const PIECE_ROWS: usize = 256;
/// Bytes of content in a page: what reading one content decodes.
const PAGE_BYTES: usize = 64 << 10;
/// Rows of metadata up to which a file is [`Packing::Plain`].
const PLAIN_ROWS: usize = 64;
/// Bytes of content up to which a file is [`Packing::Plain`].
const PLAIN_BYTES: u64 = 16 << 10;
/// Bytes of content in a row group, before compression.
pub(crate) const GROUP_BYTES: usize = 1 << 20;

/// What rows a file holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Parts {
    /// Every row of its transactions: as a commit writes it.
    All,
    /// Links, versions and transactions.
    Metadata,
    /// Contents.
    Content,
}

impl Parts {
    const fn as_str(self) -> &'static str {
        match self {
            Self::All => "all",
            Self::Metadata => "metadata",
            Self::Content => "content",
        }
    }

    fn parse(text: &str) -> Option<Self> {
        [Self::All, Self::Metadata, Self::Content].into_iter().find(|part| part.as_str() == text)
    }

    pub(crate) const fn has_metadata(self) -> bool {
        matches!(self, Self::All | Self::Metadata)
    }

    pub(crate) const fn has_content(self) -> bool {
        matches!(self, Self::All | Self::Content)
    }
}

/// A live data file: what its `add` action says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct LiveFile {
    /// Relative to the log.
    pub(crate) path: String,
    pub(crate) size_bytes: u64,
    pub(crate) hash: ContentHash,
    pub(crate) rows: u64,
    pub(crate) modified_ms: i64,
    pub(crate) parts: Parts,
    /// How many merges deep it is; 0 as a commit wrote it.
    pub(crate) level: u32,
    /// The first transaction whose rows it holds.
    pub(crate) from: u64,
    /// The last.
    pub(crate) to: u64,
    /// The hash of the last transaction.
    pub(crate) chain: ContentHash,
    /// The latest end of its transactions.
    pub(crate) ended_max_us: i64,
    /// The horizon it was last rewritten for; 0 for none.
    pub(crate) pruned: u64,
    /// Sums over its parts.
    pub(crate) sections: Sections,
    /// What it has rows about; `None` where that is not known.
    pub(crate) about: Option<Filter>,
}

const BLAKE3: &str = "pond.blake3";
const PARTS: &str = "pond.parts";
const LEVEL: &str = "pond.level";
const FROM: &str = "pond.txn_from";
const TO: &str = "pond.txn_to";
const CHAIN: &str = "pond.txn_hash";
const ENDED: &str = "pond.ended_max_us";
const ROWS: &str = "pond.rows";
const PRUNED: &str = "pond.pruned";
const SECTIONS: &str = "pond.sections";
const ABOUT: &str = "pond.about";

impl LiveFile {
    pub(crate) fn tags(&self) -> HashMap<String, Option<String>> {
        let tag = |key: &str, value: String| (key.to_owned(), Some(value));
        let mut tags = HashMap::from([
            tag(BLAKE3, self.hash.to_string()),
            tag(PARTS, self.parts.as_str().to_owned()),
            tag(LEVEL, self.level.to_string()),
            tag(FROM, self.from.to_string()),
            tag(TO, self.to.to_string()),
            tag(CHAIN, self.chain.to_string()),
            tag(ENDED, self.ended_max_us.to_string()),
            tag(ROWS, self.rows.to_string()),
            tag(PRUNED, self.pruned.to_string()),
        ]);
        if !self.sections.is_empty() {
            tags.extend([tag(SECTIONS, self.sections.to_string())]);
        }
        tags.extend(self.about.iter().map(|about| tag(ABOUT, about.to_string())));
        tags
    }

    /// Whether it may have rows about this.
    pub(crate) fn may_have(&self, key: Key) -> bool {
        self.about.as_ref().is_none_or(|about| about.may_have(key))
    }

    /// Reads an `add` action back.
    pub(crate) fn from_tags(
        path: String,
        size_bytes: u64,
        modified_ms: i64,
        tags: &HashMap<String, Option<String>>,
    ) -> Result<Self> {
        fn tag<T: std::str::FromStr>(
            path: &str,
            tags: &HashMap<String, Option<String>>,
            key: &str,
        ) -> Result<T> {
            tags.get(key).and_then(Option::as_deref).and_then(|text| text.parse().ok()).ok_or_else(
                || Error::DamagedFile {
                    file: path.to_owned(),
                    what: format!("its entry in the log has no good tag `{key}`"),
                },
            )
        }
        let parts: String = tag(&path, tags, PARTS)?;
        let parts = Parts::parse(&parts).ok_or_else(|| Error::DamagedFile {
            file: path.clone(),
            what: format!("its entry in the log has tag `{PARTS}` = `{parts}`"),
        })?;
        let has = |key: &str| tags.get(key).is_some_and(Option::is_some);
        let sections =
            if has(SECTIONS) { tag(&path, tags, SECTIONS)? } else { Sections::default() };
        let about = if has(ABOUT) { Some(tag(&path, tags, ABOUT)?) } else { None };
        Ok(Self {
            sections,
            about,
            size_bytes,
            modified_ms,
            hash: tag(&path, tags, BLAKE3)?,
            rows: tag(&path, tags, ROWS)?,
            parts,
            level: tag(&path, tags, LEVEL)?,
            from: tag(&path, tags, FROM)?,
            to: tag(&path, tags, TO)?,
            chain: tag(&path, tags, CHAIN)?,
            ended_max_us: tag(&path, tags, ENDED)?,
            pruned: tag(&path, tags, PRUNED)?,
            path,
        })
    }
}

/// The key in a file's footer that says which row group is the first of its
/// history; without it there is none.
pub(crate) const HISTORY: &str = "pond.history";

/// How the rows of a file are encoded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Packing {
    /// Few rows, quick to write and to read.
    Plain,
    /// Many rows in little room.
    Dense,
}

impl Packing {
    /// What suits a commit of so many rows of metadata and bytes of content.
    pub(crate) const fn of(rows: usize, content_bytes: u64) -> Self {
        if rows <= PLAIN_ROWS && content_bytes <= PLAIN_BYTES { Self::Plain } else { Self::Dense }
    }
}

fn properties(packing: Packing) -> WriterProperties {
    let content = ColumnPath::from(columns::CONTENT);
    let zstd = Compression::ZSTD(ZstdLevel::default());
    let mut properties =
        WriterProperties::builder().set_statistics_enabled(EnabledStatistics::None);
    let level = match packing {
        Packing::Plain => {
            properties = properties
                .set_compression(Compression::UNCOMPRESSED)
                .set_column_compression(content.clone(), zstd)
                .set_dictionary_enabled(false)
                .set_offset_index_disabled(true);
            EnabledStatistics::Chunk
        }
        Packing::Dense => {
            properties = properties.set_compression(zstd);
            EnabledStatistics::Page
        }
    };
    properties = properties
        .set_max_row_group_row_count(Some(GROUP_ROWS * 2))
        .set_data_page_row_count_limit(PIECE_ROWS)
        .set_write_batch_size(PIECE_ROWS)
        .set_data_page_size_limit(PAGE_BYTES)
        .set_column_dictionary_enabled(content, false)
        .set_created_by("duckpond".to_owned());
    // A piece is read with all of a column's dictionary, which for what hardly
    // repeats is all of the row group.
    for column in columns::DISTINCT {
        properties = properties.set_column_dictionary_enabled(ColumnPath::from(*column), false);
    }
    // What lookups go by, for each piece of a row group.
    for column in ["txn_seq", columns::KIND, columns::NODE, "name", "version", "ended"] {
        properties = properties.set_column_statistics_enabled(ColumnPath::from(column), level);
    }
    properties.build()
}

enum Message {
    Batch(RecordBatch),
    EndGroup,
    /// Row groups from here on are history.
    BeginHistory,
    Finish,
}

/// What a finished file is.
#[derive(Debug)]
pub(crate) struct Written {
    pub(crate) path: String,
    pub(crate) size_bytes: u64,
    pub(crate) hash: ContentHash,
    pub(crate) rows: u64,
    pub(crate) sections: Sections,
    /// What it has rows about; `None` for too much.
    pub(crate) about: Option<Filter>,
}

/// How a file gets its name when its hash is known.
pub(crate) enum FileName {
    /// This name.
    Given(String),
    /// These words and the beginning of the hash: the same rows, the same name.
    Hashed(String),
}

/// A data file being written. Rows must come in the order of the file's
/// shape; dropping it leaves nothing.
pub(crate) struct FileWriter {
    builder: BatchBuilder,
    messages: mpsc::Sender<Message>,
    worker: tokio::task::JoinHandle<Result<Written>>,
    root: PathBuf,
    group_rows: usize,
    group_bytes: usize,
    in_content: bool,
    keys: Keys,
}

impl FileWriter {
    /// Begins a file in the log at `root`.
    pub(crate) fn create(
        medium: &Arc<dyn Medium>,
        root: PathBuf,
        name: FileName,
        packing: Packing,
    ) -> Self {
        let (messages, mut receiver) = mpsc::channel(2);
        let (medium, dir) = (Arc::clone(medium), root.clone());
        let worker = tokio::task::spawn_blocking(move || {
            write_file(&medium, &dir, name, packing, &mut receiver)
        });
        Self {
            builder: BatchBuilder::new(),
            messages,
            worker,
            root,
            group_rows: 0,
            group_bytes: 0,
            in_content: false,
            keys: Keys::default(),
        }
    }

    pub(crate) async fn transaction(&mut self, row: &Stamped<TransactionRow>) -> Result<()> {
        self.builder.transaction(row);
        self.advance(256).await
    }

    pub(crate) async fn link(&mut self, row: &Stamped<LinkRow>) -> Result<()> {
        self.keys.add(Key::directory(row.row.parent));
        self.keys.add(Key::name(row.row.parent, &row.row.name));
        self.builder.link(row);
        self.advance(128).await
    }

    pub(crate) async fn version(&mut self, row: &Stamped<VersionRow>) -> Result<()> {
        self.keys.add(Key::node(row.row.node));
        self.builder.version(row);
        self.advance(256).await
    }

    pub(crate) async fn content(&mut self, row: &Stamped<ContentRow>) -> Result<()> {
        if !self.in_content {
            self.end_group().await?;
            self.in_content = true;
        }
        self.builder.content(row);
        self.advance(row.row.bytes.len() + 128).await
    }

    /// Ends a row group where the kind of rows changes, unless it is small.
    pub(crate) async fn end_section(&mut self) -> Result<()> {
        if self.group_rows >= GROUP_ROWS / 8 {
            self.end_group().await?;
        }
        Ok(())
    }

    /// What comes now are rows that other rows of the file supersede.
    pub(crate) async fn begin_history(&mut self) -> Result<()> {
        self.end_group().await?;
        self.send(Message::BeginHistory).await
    }

    async fn advance(&mut self, bytes: usize) -> Result<()> {
        self.group_rows += 1;
        self.group_bytes += bytes;
        let full = self.group_rows >= GROUP_ROWS || self.group_bytes >= GROUP_BYTES;
        if full {
            self.end_group().await?;
        }
        Ok(())
    }

    async fn end_group(&mut self) -> Result<()> {
        if self.builder.rows() > 0 {
            let batch = self.builder.finish()?;
            self.send(Message::Batch(batch)).await?;
            self.send(Message::EndGroup).await?;
        }
        self.group_rows = 0;
        self.group_bytes = 0;
        Ok(())
    }

    async fn send(&mut self, message: Message) -> Result<()> {
        if self.messages.send(message).await.is_err() {
            // The worker has ended, so it has an error to tell.
            return Err(self.worker_error().await);
        }
        Ok(())
    }

    async fn worker_error(&mut self) -> Error {
        match (&mut self.worker).await {
            Ok(Err(error)) => error,
            Ok(Ok(written)) => Error::DamagedFile {
                file: written.path,
                what: "it was finished before its last rows".into(),
            },
            Err(join) => self.panicked(join),
        }
    }

    /// Parquet's writer panics where a full disk surprises it.
    fn panicked(&self, join: tokio::task::JoinError) -> Error {
        Error::io(
            format!("writing a data file in `{}`", self.root.display()),
            std::io::Error::other(join),
        )
    }

    /// Ends the file: synced, named, and the directory synced.
    pub(crate) async fn finish(mut self) -> Result<Written> {
        self.end_group().await?;
        self.send(Message::Finish).await?;
        match (&mut self.worker).await {
            Ok(Ok(written)) => Ok(Written { about: self.keys.filter(), ..written }),
            Ok(Err(error)) => Err(error),
            Err(join) => Err(self.panicked(join)),
        }
    }
}

/// Hashes what passes on its way into a staged file, as a whole and in parts.
struct HashingFile {
    out: std::io::BufWriter<Staged>,
    hasher: blake3::Hasher,
    parts: Summing,
}

impl std::io::Write for HashingFile {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        let taken = self.out.write(bytes)?;
        self.hasher.update(&bytes[..taken]);
        self.parts.update(&bytes[..taken]);
        Ok(taken)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

fn write_file(
    medium: &Arc<dyn Medium>,
    root: &std::path::Path,
    name: FileName,
    packing: Packing,
    messages: &mut mpsc::Receiver<Message>,
) -> Result<Written> {
    let doing = || format!("writing a data file in `{}`", root.display());
    let io = |error: std::io::Error| Error::io(doing(), error);
    let parquet = |error: parquet::errors::ParquetError| Error::io(doing(), error);
    let staged = Staged::create(medium, root).map_err(io)?;
    let sink = HashingFile {
        out: std::io::BufWriter::with_capacity(1 << 18, staged),
        hasher: blake3::Hasher::new(),
        parts: Summing::default(),
    };
    let options = ArrowWriterOptions::new()
        .with_properties(properties(packing))
        .with_skip_arrow_metadata(true);
    let mut writer = ArrowWriter::try_new_with_options(sink, schema(), options).map_err(parquet)?;
    let mut rows = 0;
    let mut groups = 0;
    let mut history = None;
    loop {
        match messages.blocking_recv() {
            Some(Message::Batch(batch)) => {
                rows += batch.num_rows() as u64;
                writer.write(&batch).map_err(parquet)?;
            }
            Some(Message::EndGroup) => {
                writer.flush().map_err(parquet)?;
                // Parquet's writer has a buffer of its own.
                writer.sync().map_err(io)?;
                writer.inner_mut().parts.end_part();
                groups += 1;
            }
            Some(Message::BeginHistory) => history = Some(groups),
            Some(Message::Finish) => break,
            // Dropped: nobody waits for the answer.
            None => return Err(Error::BadChanges { what: "the file was abandoned".into() }),
        }
    }
    // Without rows in it there is no history.
    if let Some(first) = history.filter(|first| *first < groups) {
        writer.append_key_value_metadata(KeyValue::new(HISTORY.to_owned(), first.to_string()));
    }
    let sink = writer.into_inner().map_err(parquet)?;
    let HashingFile { out, hasher, parts } = sink;
    let staged = out.into_inner().map_err(|e| io(e.into_error()))?;
    let sections = parts.finish();
    let hash = ContentHash::new(*hasher.finalize().as_bytes());
    let size_bytes = staged.len();
    staged.sync().map_err(io)?;
    let path = match name {
        FileName::Given(path) => path,
        FileName::Hashed(stem) => format!("{stem}-{}.parquet", &hash.to_string()[..16]),
    };
    // A name may be taken by what an interrupted attempt at the same left.
    staged.name(&root.join(&path), Naming::Replace).map_err(io)?;
    Ok(Written { path, size_bytes, hash, rows, sections, about: None })
}
