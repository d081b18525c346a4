//! One stored version, opened: what its footer says.
//!
//! Always true: the footer of a version is parsed once a session (versions
//! never change); footers of many versions are read concurrently, a bounded
//! number at a time; equal schemas share one allocation.

use std::collections::HashMap;
use std::panic::AssertUnwindSafe;
use std::sync::{Arc, Mutex, PoisonError};

use arrow::datatypes::SchemaRef;
use datafusion::common::stats::Precision;
use datafusion::common::{ColumnStatistics, ScalarValue, Statistics};
use datafusion::datasource::physical_plan::parquet::metadata::DFParquetMetadata;
use datafusion::error::{DataFusionError, Result as DfResult};
use datafusion::execution::cache::cache_manager::FileMetadataCache;
use futures::FutureExt;
use futures::stream::{self, StreamExt, TryStreamExt};
use object_store::path::Path;
use object_store::{ObjectMeta, ObjectStore};
use parquet::arrow::parquet_to_arrow_schema;
use parquet::file::metadata::PageIndexPolicy;
use tinyfs::{
    Attributes, Format, NodeId, Reader, SeriesSpec, Store, TimeRange, VerifiedReader, Version,
};

use crate::content_store::ContentStore;
use crate::format::HostParquet;
use crate::schema::Source;
use crate::time::{Rounding, instant_us};
use crate::{Error, Result};

/// Magic at both ends, the length of the footer, and a footer of one byte.
const SMALLEST_PARQUET: u64 = 13;

/// Footers read at once.
const CONCURRENT_FOOTERS: usize = 16;

/// How much of a file's end is read in the hope that it holds the footer.
pub(crate) const FOOTER_HINT_BYTES: usize = 64 << 10;

/// What is wrong where the decoder gives no reason.
const SENSELESS: &str = "its footer makes no sense";

/// How the rows of a version follow each other in time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Order {
    /// In no order that is known.
    None,
    /// Never backwards.
    Sorted,
    /// Always forwards.
    Strict,
}

/// A version whose footer has been read.
#[derive(Debug)]
pub(crate) struct VersionFile {
    /// The node's path, for errors.
    pub(crate) path: Arc<str>,
    /// Its number, for errors and to tell the later of two.
    pub(crate) number: u64,
    /// What is written down of it beside the file.
    attributes: Attributes,
    noted_range: Option<TimeRange>,
    pub(crate) meta: ObjectMeta,
    /// The schema of the file itself.
    pub(crate) schema: SchemaRef,
    /// Exact where the footer says so, column by column of `schema`.
    pub(crate) statistics: Statistics,
}

impl VersionFile {
    /// Its schema, to be united with others.
    pub(crate) fn source(&self) -> Source<'_> {
        Source {
            path: &self.path,
            version: self.number,
            schema: &self.schema,
            statistics: Some(&self.statistics),
        }
    }

    /// Rows, as stored.
    pub(crate) fn rows(&self) -> u64 {
        self.statistics.num_rows.get_value().map_or(0, |rows| *rows as u64)
    }

    /// How its rows follow each other in time.
    pub(crate) fn order(&self) -> Order {
        match self.attributes.get("order").map(String::as_str) {
            Some("strict") => Order::Strict,
            Some("sorted") => Order::Sorted,
            _ if self.rows() <= 1 => Order::Strict,
            _ => Order::None,
        }
    }

    /// The times of its rows, never narrower than they are. `None` when it has
    /// no rows.
    pub(crate) fn time_range(&self, spec: &SeriesSpec) -> Option<TimeRange> {
        if self.rows() == 0 {
            return None;
        }
        let from_footer = || {
            let (at, _) = self.schema.column_with_name(&spec.time_column)?;
            let stats = &self.statistics.column_statistics[at];
            Some(TimeRange {
                min_us: instant_us(exact(&stats.min_value)?, spec.time_unit, Rounding::Down)?,
                max_us: instant_us(exact(&stats.max_value)?, spec.time_unit, Rounding::Up)?,
            })
        };
        // Absent in both: the rows may lie anywhere.
        let anywhere = TimeRange { min_us: i64::MIN, max_us: i64::MAX };
        Some(from_footer().or(self.noted_range).unwrap_or(anywhere))
    }

    /// Its statistics in the columns of a united schema.
    pub(crate) fn statistics_as(&self, united: &SchemaRef) -> Statistics {
        let column_statistics = united
            .fields()
            .iter()
            .map(|field| {
                let Some((at, own)) = self.schema.column_with_name(field.name()) else {
                    return ColumnStatistics {
                        null_count: self.statistics.num_rows,
                        ..ColumnStatistics::new_unknown()
                    };
                };
                let stats = &self.statistics.column_statistics[at];
                if own.data_type() == field.data_type() {
                    return stats.clone();
                }
                let cast = |bound: &Precision<ScalarValue>| match exact(bound)
                    .and_then(|value| value.cast_to(field.data_type()).ok())
                {
                    Some(value) if !value.is_null() => Precision::Exact(value),
                    // A bound that can not be cast is a bound unknown.
                    _ => Precision::Absent,
                };
                ColumnStatistics {
                    null_count: stats.null_count,
                    min_value: cast(&stats.min_value),
                    max_value: cast(&stats.max_value),
                    ..ColumnStatistics::new_unknown()
                }
            })
            .collect();
        Statistics {
            num_rows: self.statistics.num_rows,
            total_byte_size: self.statistics.total_byte_size.to_inexact(),
            column_statistics,
        }
    }
}

fn exact(bound: &Precision<ScalarValue>) -> Option<&ScalarValue> {
    match bound {
        Precision::Exact(value) if !value.is_null() => Some(value),
        _ => None,
    }
}

/// The path that a version was found by, and where its content is.
type Found = (Arc<str>, Path);

/// Opens versions, and keeps what their footers said.
pub(crate) struct Opener {
    pub(crate) store: Arc<dyn Store>,
    pub(crate) contents: Arc<ContentStore>,
    pub(crate) footers: Arc<FileMetadataCache>,
    verify_reads: bool,
    opened: Mutex<HashMap<Found, Arc<VersionFile>>>,
    schemas: Mutex<Vec<SchemaRef>>,
}

impl std::fmt::Debug for Opener {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Opener").field("store", &self.store).finish_non_exhaustive()
    }
}

/// Distinct schemas looked through for one to share.
const SHARED_SCHEMAS: usize = 64;

impl Opener {
    pub(crate) fn new(
        store: Arc<dyn Store>,
        contents: Arc<ContentStore>,
        footers: Arc<FileMetadataCache>,
        verify_reads: bool,
    ) -> Self {
        let (opened, schemas) = (Mutex::default(), Mutex::default());
        Self { store, contents, footers, verify_reads, opened, schemas }
    }

    /// Opens versions of a node, in the order given.
    pub(crate) async fn open_all(
        &self,
        path: &Arc<str>,
        node: NodeId,
        versions: Vec<Version>,
    ) -> Result<Vec<Arc<VersionFile>>> {
        stream::iter(versions)
            .map(|version| self.open(path, node, version))
            .buffered(CONCURRENT_FOOTERS)
            .try_collect()
            .await
    }

    async fn open(
        &self,
        path: &Arc<str>,
        node: NodeId,
        version: Version,
    ) -> Result<Arc<VersionFile>> {
        let meta = self.contents.add(node, &version);
        let key = (Arc::clone(path), meta.location.clone());
        let found = self.opened.lock().unwrap_or_else(PoisonError::into_inner).get(&key).cloned();
        if let Some(file) = found {
            return Ok(file);
        }
        let number = version.number;
        let not_parquet =
            |what: String| Error::NotParquet { path: path.to_string(), version: number, what };
        if version.format != Format::Parquet {
            return Err(not_parquet(format!("it is stored as {}", version.format)));
        }
        let readable = |error: DataFusionError| match Error::from(error) {
            Error::Execution(cause) => not_parquet(cause.strip_backtrace()),
            other => other,
        };
        if version.size_bytes < SMALLEST_PARQUET {
            return Err(not_parquet(format!("it has only {} bytes", version.size_bytes)));
        }
        if self.verify_reads {
            let reader = Reader::new(Arc::clone(&self.store), node, version.clone());
            VerifiedReader::new(reader.named(Arc::clone(path))).drain().await?;
        }
        let parsed = self.parse_guarded(&meta).await;
        let (schema, statistics) = match parsed {
            Some(parsed) => parsed.map_err(readable)?,
            None => return Err(not_parquet(SENSELESS.to_owned())),
        };
        let file = Arc::new(VersionFile {
            path: Arc::clone(path),
            number,
            attributes: version.attributes,
            noted_range: version.time_range,
            meta,
            schema,
            statistics,
        });
        self.opened.lock().unwrap_or_else(PoisonError::into_inner).insert(key, Arc::clone(&file));
        Ok(file)
    }

    /// Opens a Parquet file of the host.
    pub(crate) async fn open_host(
        &self,
        path: &Arc<str>,
        file: HostParquet,
    ) -> Result<VersionFile> {
        let meta = self.contents.add_host(file);
        let parsed = self.parse_guarded(&meta).await;
        let senseless = || Error::Undecodable { what: format!("`{path}`: {SENSELESS}") };
        let (schema, statistics) = parsed.ok_or_else(senseless)??;
        Ok(VersionFile {
            path: Arc::clone(path),
            number: 1,
            attributes: Attributes::new(),
            noted_range: None,
            meta,
            schema,
            statistics,
        })
    }

    /// The decoder of footers may panic on a hostile one; then `None`.
    async fn parse_guarded(&self, meta: &ObjectMeta) -> Option<DfResult<(SchemaRef, Statistics)>> {
        AssertUnwindSafe(self.parse(meta)).catch_unwind().await.ok()
    }

    async fn parse(&self, meta: &ObjectMeta) -> DfResult<(SchemaRef, Statistics)> {
        let contents: &dyn ObjectStore = self.contents.as_ref();
        let metadata = DFParquetMetadata::new(contents, meta)
            .with_file_metadata_cache(Some(Arc::clone(&self.footers)))
            .with_metadata_size_hint(Some(FOOTER_HINT_BYTES))
            .with_page_index_policy(Some(PageIndexPolicy::Skip))
            .fetch_metadata()
            .await?;
        let about = metadata.file_metadata();
        let schema = parquet_to_arrow_schema(about.schema_descr(), about.key_value_metadata())?;
        let schema = self.shared(Arc::new(schema.with_metadata(HashMap::new())));
        let statistics = DFParquetMetadata::statistics_from_parquet_metadata(&metadata, &schema)?;
        Ok((schema, statistics))
    }

    fn shared(&self, schema: SchemaRef) -> SchemaRef {
        let mut schemas = self.schemas.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(same) = schemas.iter().find(|known| **known == schema) {
            return Arc::clone(same);
        }
        if schemas.len() < SHARED_SCHEMAS {
            schemas.push(Arc::clone(&schema));
        }
        schema
    }
}
