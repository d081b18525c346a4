//! Stored versions as scans of DataFusion's own Parquet source.
//!
//! Always true: file sizes, row counts and bounds that a scan is given come
//! from footers and are exact or absent; order is declared only where every
//! version says that it has it; a scan of one version is split by row groups
//! over the session's threads by DataFusion itself.
//!
//! Deliberately not here: what a row means (precedence, floor).

use std::sync::Arc;

use arrow::datatypes::{DataType, Field, FieldRef, SchemaRef};
use datafusion::catalog::Session;
use datafusion::common::pruning::PrunableStatistics;
use datafusion::common::stats::Precision;
use datafusion::common::{ColumnStatistics, ScalarValue, Statistics};
use datafusion::datasource::listing::PartitionedFile;
use datafusion::datasource::physical_plan::parquet::CachedParquetFileReaderFactory;
use datafusion::datasource::physical_plan::{FileGroup, FileScanConfigBuilder, ParquetSource};
use datafusion::datasource::source::DataSourceExec;
use datafusion::datasource::table_schema::TableSchema;
use datafusion::error::Result;
use datafusion::physical_expr::utils::collect_columns;
use datafusion::physical_expr::{LexOrdering, Partitioning, PhysicalExpr, conjunction};
use datafusion::physical_optimizer::pruning::PruningPredicateBuilder;
use datafusion::physical_plan::ExecutionPlan;
use parquet::arrow::RowNumber;
use tinyfs::TimeRange;

use super::newest_wins::ascending;
use super::overlap::lanes;
use super::version_file::{FOOTER_HINT_BYTES, Opener, Order, VersionFile};
use crate::content_store::pond_url;
use crate::schema::free_name;

/// More sorted lanes than this are sorted again instead: each holds a batch.
const MAX_LANES: usize = 64;

/// The columns of a table, and which of them versions hold.
#[derive(Clone, Debug)]
pub(crate) struct Shape {
    /// Columns that versions hold.
    pub(crate) file_schema: SchemaRef,
    /// The column of a glob that says which path a row is from.
    pub(crate) path_column: Option<FieldRef>,
}

/// A version that a query may read.
#[derive(Clone, Debug)]
pub(crate) struct Candidate {
    pub(crate) file: Arc<VersionFile>,
    /// Its times, where it has a time column.
    pub(crate) range: Option<TimeRange>,
    /// What is known of the table's columns (with the path) in it.
    statistics: Arc<Statistics>,
}

impl Candidate {
    pub(crate) fn new(file: &Arc<VersionFile>, range: Option<TimeRange>, pruner: &Pruner) -> Self {
        let mut statistics = file.statistics_as(&pruner.shape.file_schema);
        if pruner.shape.path_column.is_some() {
            let path = Precision::Exact(path_value(&file.path));
            statistics.column_statistics.push(ColumnStatistics {
                null_count: Precision::Exact(0),
                min_value: path.clone(),
                max_value: path,
                ..ColumnStatistics::new_unknown()
            });
        }
        Self { file: Arc::clone(file), range, statistics: Arc::new(statistics) }
    }
}

fn path_value(path: &str) -> ScalarValue {
    ScalarValue::Utf8View(Some(path.to_owned()))
}

/// Rules versions out by what is known of them.
#[derive(Debug)]
pub(crate) struct Pruner {
    shape: Shape,
    schema: SchemaRef,
    filters: Vec<Arc<dyn PhysicalExpr>>,
}

impl Pruner {
    /// A pruner for filters over `schema`, which is `shape` as a whole.
    pub(crate) fn new(
        shape: Shape,
        schema: SchemaRef,
        filters: Vec<Arc<dyn PhysicalExpr>>,
    ) -> Self {
        Self { shape, schema, filters }
    }

    /// Those in which some row may pass all filters.
    pub(crate) fn keep_any(&self, versions: Vec<Candidate>, out: &mut usize) -> Vec<Candidate> {
        self.keep(versions, self.filters.iter().collect(), out)
    }

    /// Those in which some row may pass the filters on nothing but the key.
    pub(crate) fn keep_by_key(
        &self,
        versions: Vec<Candidate>,
        key: &[String],
        out: &mut usize,
    ) -> Vec<Candidate> {
        let of_key = |filter: &&Arc<dyn PhysicalExpr>| {
            collect_columns(filter).iter().all(|column| {
                let path = self.shape.path_column.as_ref();
                key.iter().any(|name| name == column.name())
                    || path.is_some_and(|path| path.name() == column.name())
            })
        };
        self.keep(versions, self.filters.iter().filter(of_key).collect(), out)
    }

    fn keep(
        &self,
        mut versions: Vec<Candidate>,
        filters: Vec<&Arc<dyn PhysicalExpr>>,
        out: &mut usize,
    ) -> Vec<Candidate> {
        if filters.is_empty() || versions.is_empty() {
            return versions;
        }
        let predicate = conjunction(filters.into_iter().cloned());
        let builder = PruningPredicateBuilder::new().with_file_schema(Arc::clone(&self.schema));
        // A filter that statistics can not answer rules nothing out.
        let Some(pruning) = builder.build(predicate) else { return versions };
        let statistics: Vec<Arc<Statistics>> =
            versions.iter().map(|version| Arc::clone(&version.statistics)).collect();
        let known = PrunableStatistics::new(statistics, Arc::clone(&self.schema));
        let kept = match pruning.prune(&known) {
            Ok(kept) => kept,
            // The filter still stands above: this costs reading, not rows.
            Err(error) => {
                diagnostics::log_debug!("versions are not pruned: {error}", error);
                return versions;
            }
        };
        let before = versions.len();
        let mut kept = kept.into_iter();
        versions.retain(|_| kept.next().unwrap_or(true));
        *out += before - versions.len();
        versions
    }
}

/// Versions dealt into groups that are read one file after the other.
#[derive(Debug)]
pub(crate) struct Layout {
    groups: Vec<Vec<Candidate>>,
    /// Whether each group as a whole is sorted by time.
    sorted: bool,
}

impl Layout {
    /// Deals versions into groups: sorted where all versions are and few
    /// enough overlap, otherwise of even size.
    pub(crate) fn new(
        versions: Vec<Candidate>,
        sortable: bool,
        threads: usize,
        few: usize,
    ) -> Self {
        let sortable = sortable
            && versions
                .iter()
                .all(|version| version.range.is_some() && version.file.order() >= Order::Sorted);
        if sortable {
            let ranges: Vec<TimeRange> = versions.iter().map(Candidate::range).collect();
            let lanes = lanes(&ranges);
            if lanes.len() <= few.min(MAX_LANES) {
                let mut slots: Vec<Option<Candidate>> = versions.into_iter().map(Some).collect();
                let groups = lanes
                    .into_iter()
                    .map(|lane| lane.into_iter().filter_map(|at| slots[at].take()).collect())
                    .collect();
                return Self { groups: split_for(groups, threads), sorted: true };
            }
        }
        Self { groups: even(versions, threads), sorted: false }
    }
}

fn bytes_of(group: &[Candidate]) -> u64 {
    group.iter().map(|version| version.file.meta.size).sum()
}

/// Cuts groups of several files until every thread has one. DataFusion itself
/// cuts files, but not groups whose order matters.
fn split_for(mut groups: Vec<Vec<Candidate>>, threads: usize) -> Vec<Vec<Candidate>> {
    while groups.len() < threads {
        let Some(largest) = (0..groups.len())
            .filter(|&at| groups[at].len() > 1)
            .max_by_key(|&at| bytes_of(&groups[at]))
        else {
            break;
        };
        let half = bytes_of(&groups[largest]) / 2;
        let mut sum = 0;
        let cut = groups[largest]
            .iter()
            .position(|version| {
                sum += version.file.meta.size;
                sum >= half
            })
            .map_or(1, |at| (at + 1).min(groups[largest].len() - 1));
        let rest = groups[largest].split_off(cut);
        groups.insert(largest + 1, rest);
    }
    groups
}

/// Groups of about the same size, one a thread.
fn even(mut versions: Vec<Candidate>, threads: usize) -> Vec<Vec<Candidate>> {
    versions.sort_by_key(|version| std::cmp::Reverse(version.file.meta.size));
    let mut groups: Vec<(u64, Vec<Candidate>)> =
        vec![(0, Vec::new()); threads.clamp(1, versions.len().max(1))];
    for version in versions {
        if let Some((bytes, group)) = groups.iter_mut().min_by_key(|(bytes, _)| *bytes) {
            *bytes += version.file.meta.size;
            group.push(version);
        }
    }
    groups.into_iter().map(|(_, group)| group).collect()
}

/// A scan, and where its ordinals are.
pub(crate) struct Scan {
    pub(crate) plan: Arc<dyn ExecutionPlan>,
    /// The columns of the version and row ordinals, when asked for.
    pub(crate) ordinals: Option<(usize, usize)>,
}

/// Builds scans for one query.
pub(crate) struct ScanBuilder<'a> {
    pub(crate) opener: &'a Opener,
    pub(crate) shape: &'a Shape,
    pub(crate) state: &'a dyn Session,
    /// The time column by which sorted layouts are sorted.
    pub(crate) time_column: Option<&'a str>,
}

impl ScanBuilder<'_> {
    /// Scans the versions of `layout`, with the columns of `projection`.
    pub(crate) fn build(
        &self,
        layout: Layout,
        projection: &[usize],
        limit: Option<usize>,
        with_ordinals: bool,
    ) -> Result<Scan> {
        let (table_schema, ordinals) = self.table_schema(with_ordinals);
        let full = table_schema.table_schema();
        let mut projection = projection.to_vec();
        let ordinals = ordinals.map(|(version, row)| {
            projection.extend([version, row]);
            (projection.len() - 2, projection.len() - 1)
        });

        let groups: Vec<FileGroup> = layout
            .groups
            .into_iter()
            .map(|group| {
                let files: Vec<PartitionedFile> =
                    group.iter().map(|version| self.file(version, with_ordinals)).collect();
                let known = files.iter().filter_map(|file| file.statistics.as_deref());
                let statistics = Statistics::try_merge_iter(known, full)?;
                Ok(FileGroup::new(files).with_statistics(Arc::new(statistics)))
            })
            .collect::<Result<_>>()?;
        let known = groups.iter().filter_map(|group| group.file_statistics(None));
        let statistics = Statistics::try_merge_iter(known, full)?;

        let ordering = self
            .time_column
            .filter(|_| layout.sorted)
            .and_then(|name| full.column_with_name(name))
            .and_then(|(at, _)| LexOrdering::new([ascending(full, at)]));
        let contents = Arc::clone(&self.opener.contents);
        let readers =
            CachedParquetFileReaderFactory::new(contents, Arc::clone(&self.opener.footers));
        let source = ParquetSource::new(table_schema)
            .with_table_parquet_options(self.state.default_table_options().parquet)
            .with_metadata_size_hint(FOOTER_HINT_BYTES)
            .with_parquet_file_reader_factory(Arc::new(readers));
        // What is merged stays in the groups it was dealt into.
        let partitioning = with_ordinals.then(|| Partitioning::UnknownPartitioning(groups.len()));
        let config = FileScanConfigBuilder::new(pond_url(), Arc::new(source))
            .with_output_partitioning(partitioning)
            .with_file_groups(groups)
            .with_statistics(statistics)
            .with_output_ordering(ordering.into_iter().collect())
            .with_projection_indices(Some(projection))?
            .with_limit(limit)
            .build();
        Ok(Scan { plan: DataSourceExec::from_data_source(config), ordinals })
    }

    fn table_schema(&self, with_ordinals: bool) -> (TableSchema, Option<(usize, usize)>) {
        let files = &self.shape.file_schema;
        let mut partition: Vec<FieldRef> = self.shape.path_column.iter().cloned().collect();
        let mut virtual_columns: Vec<FieldRef> = Vec::new();
        let mut ordinals = None;
        if with_ordinals {
            let first = files.fields().len() + partition.len();
            ordinals = Some((first, first + 1));
            let version = free_name(files, "_version");
            partition.push(Arc::new(Field::new(version, DataType::UInt64, false)));
            let row = free_name(files, "_row");
            let row = Field::new(row, DataType::Int64, false).with_extension_type(RowNumber);
            virtual_columns.push(Arc::new(row));
        }
        let schema = TableSchema::builder(Arc::clone(files))
            .with_table_partition_cols(partition)
            .with_virtual_columns(virtual_columns)
            .build();
        (schema, ordinals)
    }

    fn file(&self, version: &Candidate, with_ordinals: bool) -> PartitionedFile {
        let mut file = PartitionedFile::new_from_meta(version.file.meta.clone())
            .with_arrow_schema(Arc::clone(&version.file.schema));
        if self.shape.path_column.is_some() {
            file.partition_values.push(path_value(&version.file.path));
        }
        let mut statistics = version.statistics.as_ref().clone();
        if with_ordinals {
            let number = ScalarValue::UInt64(Some(version.file.number));
            statistics.column_statistics.push(ColumnStatistics {
                null_count: Precision::Exact(0),
                min_value: Precision::Exact(number.clone()),
                max_value: Precision::Exact(number.clone()),
                ..ColumnStatistics::new_unknown()
            });
            statistics.column_statistics.push(ColumnStatistics::new_unknown());
            file.partition_values.push(number);
        }
        file.statistics = Some(Arc::new(statistics));
        file
    }
}

impl Layout {
    /// Whether each group as a whole is sorted by time.
    pub(crate) fn is_sorted(&self) -> bool {
        self.sorted
    }

    /// The same versions, unsorted, in even groups for so many threads.
    pub(crate) fn spread(self, threads: usize) -> Self {
        Self { groups: even(self.groups.into_iter().flatten().collect(), threads), sorted: false }
    }
}
