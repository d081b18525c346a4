//! Tables and series written by callers: record batches, typed items, and
//! Parquet files taken in as they came (how, is in `parquet_intake`).
//!
//! Always true: what is refused is refused before a version names it; the
//! time column of a series is never null; a version's rows, time range and
//! order are those of its bytes.

use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::{Schema, SchemaRef};
use async_trait::async_trait;
use futures::StreamExt as _;
use futures::stream::BoxStream;
use oplog::ForArrow;
use tinyfs::{
    Attributes, Content, EntryType, Format, Fs, NewVersion, NodeId, SeriesSpec, TimeRange, Version,
    WriteStore,
};
use tokio::io::AsyncRead;

use crate::parquet_ext::open_version;
use crate::parquet_intake;
use crate::parquet_sink::{ParquetSink, with_time_required};
use crate::series::order::{ORDER, Order, TimeWatch};
use crate::series::{schema, time_column};
use crate::{BoxError, Error, Result};

/// Record batches on their way in.
pub type BatchStream<'a> = BoxStream<'a, Result<RecordBatch, BoxError>>;

/// A version that was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Written {
    /// The file.
    pub node: NodeId,
    /// The number of the version.
    pub version: u64,
    /// Its rows.
    pub rows: u64,
    /// Its size.
    pub size_bytes: u64,
    /// Event times of its rows: `None` without rows, and for tables.
    pub time_range: Option<TimeRange>,
    /// How its times follow each other; `None` for tables.
    pub order: Option<Order>,
    /// Rows of a series that lie before its plausibility floor: they are kept,
    /// and left out when the series is read.
    pub below_floor: u64,
}

/// How much of a Parquet file that is taken in as it came is read first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Look {
    /// The footer, and for a series its time column.
    #[default]
    Times,
    /// Every value of every column: what does not decode is refused. (A changed
    /// bit that decodes to another value can not be seen; Parquet has no sums
    /// that every writer fills in.)
    Everything,
}

/// Writing of tables and series through a file system.
#[async_trait]
pub trait ParquetWriteExt {
    /// Adds rows to a series as one version. A series that does not exist is
    /// made, and needs a `spec`; one that exists keeps its own, and a given
    /// `spec` must agree with it.
    ///
    /// # Errors
    /// [`Error::NoSpec`], [`Error::SpecMismatch`], [`Error::NoColumn`],
    /// [`Error::NotTime`], [`Error::UnitMismatch`], [`Error::NullTime`],
    /// [`Error::SchemaConflict`], [`Error::Input`] and those of the store.
    async fn append_series(
        &self,
        path: &str,
        spec: Option<SeriesSpec>,
        schema: SchemaRef,
        batches: BatchStream<'_>,
    ) -> Result<Written>;

    /// Writes rows as the next version of a table, which is made when it does
    /// not exist.
    ///
    /// # Errors
    /// [`Error::Input`] and those of the store.
    async fn write_table(
        &self,
        path: &str,
        schema: SchemaRef,
        batches: BatchStream<'_>,
    ) -> Result<Written>;

    /// Takes a Parquet file in, byte for byte, as the next version of a table
    /// or series, after a look at its footer and, for a series, at its times.
    ///
    /// # Errors
    /// As [`ParquetWriteExt::append_series`], and [`Error::NotParquet`].
    async fn take_parquet(
        &self,
        path: &str,
        entry_type: EntryType,
        spec: Option<SeriesSpec>,
        bytes: &mut (dyn AsyncRead + Send + Unpin),
    ) -> Result<Written> {
        self.take_parquet_after(Look::Times, path, entry_type, spec, bytes).await
    }

    /// The same, after as long a look as is wished for.
    ///
    /// # Errors
    /// As [`ParquetWriteExt::take_parquet`].
    async fn take_parquet_after(
        &self,
        look: Look,
        path: &str,
        entry_type: EntryType,
        spec: Option<SeriesSpec>,
        bytes: &mut (dyn AsyncRead + Send + Unpin),
    ) -> Result<Written>;

    /// Adds typed items to a series as one version.
    ///
    /// # Errors
    /// As [`ParquetWriteExt::append_series`].
    async fn append_items<T>(
        &self,
        path: &str,
        spec: Option<SeriesSpec>,
        items: &[T],
    ) -> Result<Written>
    where
        T: ForArrow + Sync;
}

#[async_trait]
impl<S: WriteStore + ?Sized> ParquetWriteExt for Fs<S> {
    async fn append_series(
        &self,
        path: &str,
        spec: Option<SeriesSpec>,
        schema: SchemaRef,
        batches: BatchStream<'_>,
    ) -> Result<Written> {
        let target = Destination::of_series(self, path, spec).await?;
        let mut watch = target.check(self, &schema).await?;
        let column = target.spec_of()?.time_column.clone();
        let schema = with_time_required(&schema, &column);
        let index = schema.index_of(&column).map_err(|source| arrow_error(path, source))?;
        let content = self.store().writer().await?;
        let sink = ParquetSink::new(path, content, Arc::clone(&schema), Some(&column), &[])?;
        let content =
            drain(path, &schema, batches, sink, |batch| watch.see(batch.column(index))).await?;
        target.name(self, content, Some(&watch), watch.rows()).await
    }

    async fn write_table(
        &self,
        path: &str,
        schema: SchemaRef,
        batches: BatchStream<'_>,
    ) -> Result<Written> {
        let target = Destination::of_table(self, path).await?;
        schema::check_names(path, &schema)?;
        let content = self.store().writer().await?;
        let sink = ParquetSink::new(path, content, Arc::clone(&schema), None, &[])?;
        let mut rows = 0;
        let content = drain(path, &schema, batches, sink, |batch| {
            rows += batch.num_rows() as u64;
            Ok(())
        })
        .await?;
        target.name(self, content, None, rows).await
    }

    async fn take_parquet_after(
        &self,
        look: Look,
        path: &str,
        entry_type: EntryType,
        spec: Option<SeriesSpec>,
        bytes: &mut (dyn AsyncRead + Send + Unpin),
    ) -> Result<Written> {
        let target = match entry_type {
            EntryType::Series => Destination::of_series(self, path, spec).await?,
            _ => Destination::of_table(self, path).await?,
        };
        let taken = parquet_intake::take(self, &target, look, bytes).await?;
        target.name(self, taken.content, taken.watch.as_ref(), taken.rows).await
    }

    async fn append_items<T>(
        &self,
        path: &str,
        spec: Option<SeriesSpec>,
        items: &[T],
    ) -> Result<Written>
    where
        T: ForArrow + Sync,
    {
        let batch = T::to_batch(items).map_err(|source| Error::Log {
            doing: format!("cannot convert rows for `{path}`"),
            source,
        })?;
        let schema = batch.schema();
        self.append_series(path, spec, schema, futures::stream::iter([Ok(batch)]).boxed()).await
    }
}

/// Where a version is to go, and what is known of the place.
#[derive(Debug)]
pub(crate) struct Destination<'a> {
    pub(crate) path: &'a str,
    pub(crate) entry_type: EntryType,
    /// The declaration, for series.
    spec: Option<SeriesSpec>,
    /// The file, when it exists, and its newest version.
    existing: Option<(NodeId, Option<Version>)>,
}

impl<'a> Destination<'a> {
    async fn of_series<S: WriteStore + ?Sized>(
        fs: &Fs<S>,
        path: &'a str,
        given: Option<SeriesSpec>,
    ) -> Result<Self> {
        let mut target = Self::find(fs, path, EntryType::Series).await?;
        target.spec = Some(match target.existing {
            None => given.ok_or_else(|| Error::NoSpec { path: path.to_owned() })?,
            Some((node, _)) => {
                let attributes = fs.store().node(node).await?.attributes;
                let declared = SeriesSpec::read_from(&attributes)?
                    .ok_or_else(|| Error::NotDeclared { path: path.to_owned() })?;
                agree(path, &declared, given.as_ref())?;
                declared
            }
        });
        Ok(target)
    }

    async fn of_table<S: WriteStore + ?Sized>(fs: &Fs<S>, path: &'a str) -> Result<Self> {
        Self::find(fs, path, EntryType::Table).await
    }

    async fn find<S: WriteStore + ?Sized>(
        fs: &Fs<S>,
        path: &'a str,
        wanted: EntryType,
    ) -> Result<Self> {
        let existing = match fs.target(path).await? {
            tinyfs::Target::New { .. } => None,
            tinyfs::Target::Existing(found) if found.node.entry_type == wanted => {
                Some((found.node.id, found.node.newest))
            }
            tinyfs::Target::Existing(found) => {
                return Err(tinyfs::Error::WrongType {
                    path: found.path,
                    wanted,
                    actual: found.node.entry_type,
                }
                .into());
            }
        };
        Ok(Self { path, entry_type: wanted, spec: None, existing })
    }

    pub(crate) fn spec_of(&self) -> Result<&SeriesSpec> {
        self.spec.as_ref().ok_or_else(|| Error::NotDeclared { path: self.path.to_owned() })
    }

    /// Checks the schema of rows for a series, and gives the watch for their times.
    pub(crate) async fn check<S: WriteStore + ?Sized>(
        &self,
        fs: &Fs<S>,
        rows: &Schema,
    ) -> Result<TimeWatch> {
        let spec = self.spec_of()?;
        schema::check_names(self.path, rows)?;
        let step = time_column::step(self.path, rows, &spec.time_column, spec.time_unit)?;
        for column in &spec.key {
            time_column::find(self.path, rows, column)?;
        }
        if let Some((node, Some(newest))) = &self.existing {
            let before = open_version(self.path, fs.store(), *node, newest.clone()).await?;
            schema::check(self.path, newest.number, before.schema(), rows)?;
        }
        Ok(TimeWatch::new(self.path, &spec.time_column, step, spec.floor_us))
    }

    /// Names finished content as the next version.
    async fn name<S: WriteStore + ?Sized>(
        &self,
        fs: &Fs<S>,
        content: Content,
        watch: Option<&TimeWatch>,
        rows: u64,
    ) -> Result<Written> {
        let mut attributes = Attributes::new();
        if let Some(watch) = watch {
            attributes.insert(ORDER.to_owned(), watch.order().to_string());
        }
        let size_bytes = content.size_bytes;
        let time_range = watch.and_then(TimeWatch::range);
        let version = NewVersion {
            content,
            format: Format::Parquet,
            rows: Some(rows),
            time_range,
            attributes,
        };
        let (node, version) = match &self.existing {
            Some((node, _)) => (*node, fs.store().append(*node, version).await?),
            None => {
                let mut attributes = Attributes::new();
                if let Some(spec) = &self.spec {
                    spec.write_to(&mut attributes);
                }
                let made = fs.create_file(self.path, self.entry_type, attributes, version).await?;
                (made.node.id, 1)
            }
        };
        let order = watch.map(TimeWatch::order);
        let below_floor = watch.map_or(0, TimeWatch::below_floor);
        Ok(Written { node, version, rows, size_bytes, time_range, order, below_floor })
    }
}

/// Refuses a declaration that differs from the one the series has.
fn agree(path: &str, declared: &SeriesSpec, given: Option<&SeriesSpec>) -> Result<()> {
    let Some(given) = given else { return Ok(()) };
    let mut properties = [
        ("time column", declared.time_column.clone(), given.time_column.clone()),
        ("time unit", declared.time_unit.to_string(), given.time_unit.to_string()),
        ("key", declared.key.join(", "), given.key.join(", ")),
        ("append", declared.append.to_string(), given.append.to_string()),
    ]
    .into_iter();
    match properties.find(|(_, declared, given)| declared != given) {
        None => Ok(()),
        Some((property, declared, given)) => {
            Err(Error::SpecMismatch { path: path.to_owned(), property, declared, given })
        }
    }
}

/// Moves all batches into the sink, each looked at on its way.
async fn drain(
    path: &str,
    schema: &SchemaRef,
    mut batches: BatchStream<'_>,
    mut sink: ParquetSink,
    mut look: impl FnMut(&RecordBatch) -> Result<()> + Send,
) -> Result<Content> {
    while let Some(batch) = batches.next().await {
        let batch = batch.map_err(|source| Error::Input { path: path.to_owned(), source })?;
        look(&batch)?;
        let batch = RecordBatch::try_new(Arc::clone(schema), batch.columns().to_vec())
            .map_err(|source| arrow_error(path, source))?;
        sink.write(&batch).await?;
    }
    sink.finish().await
}

pub(crate) fn arrow_error(path: &str, source: arrow::error::ArrowError) -> Error {
    Error::Arrow { doing: format!("rows for `{path}` do not have the schema announced"), source }
}
