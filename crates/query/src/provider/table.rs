//! A path or a glob as a table.
//!
//! Always true: the table of a glob is the union of its members, each with its
//! own key, precedence and floor, under one schema made by the rules that unite
//! versions, and with one more column, [`PATH_COLUMN`]; projection, filters and
//! limit mean the same for every kind of node.

use std::fmt;
use std::sync::Arc;

use arrow::datatypes::{DataType, Field, FieldRef, Schema, SchemaRef};
use async_trait::async_trait;
use datafusion::catalog::{Session, TableProvider};
use datafusion::common::DFSchema;
use datafusion::error::Result as DfResult;
use datafusion::execution::memory_pool::MemoryLimit;
use datafusion::logical_expr::{Expr, Operator, TableProviderFilterPushDown, TableType};
use datafusion::physical_expr::expressions::{BinaryExpr, Column, Literal};
use datafusion::physical_expr::{PhysicalExpr, conjunction_opt};
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::empty::EmptyExec;
use datafusion::physical_plan::filter::FilterExecBuilder;
use datafusion::physical_plan::union::UnionExec;
use tinyfs::{EntryType, NodeId, NodePath, SeriesSpec, TimeRange, TimeUnit};

use super::newest_wins::{NewestWinsExec, Roles};
use super::scan::{Layout, Pruner, ScanBuilder, Shape};
use super::series::{MemberPlan, plan, shared_time_column};
use super::version_file::{Opener, VersionFile};
use super::versions_exec::{Reads, VersionsExec};
use crate::format::HostParquet;
use crate::schema::{United, free_name, unite};
use crate::time::{Rounding, bound, is_time_type};
use crate::{Error, Result, TimeBounds};

/// The column of a glob's table that holds the path a row comes from. When a
/// member has a column of this name, underscores are put before it.
pub(crate) const PATH_COLUMN: &str = "_path";

/// A node whose versions have been opened.
#[derive(Clone, Debug)]
pub(crate) struct Member {
    /// The node; `None` for a file of the host.
    pub(crate) node: Option<NodeId>,
    pub(crate) path: Arc<str>,
    /// How a series is to be read; `None` for a table.
    pub(crate) spec: Option<SeriesSpec>,
    pub(crate) time_column: Option<Arc<str>>,
    /// The versions that make its rows, ascending.
    pub(crate) files: Vec<Arc<VersionFile>>,
}

impl Member {
    /// Opens a node: the newest version of a table, all of a series, or the
    /// one version asked for, as stored.
    ///
    /// # Errors
    /// [`Error::NotATable`], [`Error::NotParquet`], [`Error::BadSeries`].
    pub(crate) async fn open(
        opener: &Opener,
        found: &NodePath,
        version: Option<u64>,
    ) -> Result<Self> {
        let path: Arc<str> = Arc::from(found.path.as_str());
        let node = &found.node;
        let stored = match node.entry_type {
            EntryType::Table | EntryType::Series => node.entry_type,
            actual => return Err(Error::NotATable { path: found.path.clone(), actual }),
        };
        let versions = match (version, stored) {
            (Some(number), _) => {
                let fs = tinyfs::Fs::new(Arc::clone(&opener.store));
                vec![fs.version(found, Some(number)).await?]
            }
            (None, EntryType::Series) => opener.store.runs(node.id).await?,
            (None, _) => node.newest.clone().into_iter().collect(),
        };
        let bad = |what: String| Error::BadSeries { path: found.path.clone(), what };
        let spec = match stored {
            EntryType::Series => Some(
                SeriesSpec::read_from(&node.attributes)?
                    .ok_or_else(|| bad("it declares no time column".into()))?,
            ),
            _ => None,
        };
        let files = opener.open_all(&path, node.id, versions).await?;
        if let Some(spec) = &spec {
            if spec.key.first() != Some(&spec.time_column) {
                return Err(bad("its key does not begin with its time column".into()));
            }
            for file in &files {
                let Some((_, field)) = file.schema.column_with_name(&spec.time_column) else {
                    return Err(bad(format!(
                        "version {} has no time column `{}`",
                        file.number, spec.time_column
                    )));
                };
                if !is_time_type(field.data_type()) {
                    return Err(bad(format!(
                        "in version {} the time column `{}` is {}",
                        file.number,
                        spec.time_column,
                        field.data_type()
                    )));
                }
            }
        }
        let time_column = spec.as_ref().map(|spec| Arc::from(spec.time_column.as_str()));
        Ok(Self { node: Some(node.id), path, spec, time_column, files })
    }
}

impl Member {
    /// A Parquet file of the host: a table of one version.
    pub(crate) async fn host(opener: &Opener, name: &str, file: HostParquet) -> Result<Self> {
        let path: Arc<str> = Arc::from(name);
        let files = vec![Arc::new(opener.open_host(&path, file).await?)];
        Ok(Self { node: None, path, spec: None, time_column: None, files })
    }
}

/// One node, or the nodes that a glob matches, as a table.
pub(crate) struct PondTable {
    name: String,
    opener: Arc<Opener>,
    members: Vec<Member>,
    shape: Shape,
    schema: SchemaRef,
    notes: Vec<String>,
    seen: TimeBounds,
}

impl fmt::Debug for PondTable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PondTable").field("name", &self.name).finish_non_exhaustive()
    }
}

impl PondTable {
    /// The table of `members`, with a path column if they come from a glob.
    ///
    /// # Errors
    /// [`Error::TypeConflict`], [`Error::UnitConflict`], [`Error::BadSeries`].
    pub(crate) fn new(
        name: &str,
        opener: Arc<Opener>,
        members: Vec<Member>,
        is_glob: bool,
        seen: TimeBounds,
    ) -> Result<Self> {
        let United { schema: file_schema, notes } =
            unite(members.iter().flat_map(|member| &member.files).map(|file| file.source()))?;
        for member in &members {
            let Some(spec) = &member.spec else { continue };
            let missing = spec.key.iter().find(|name| file_schema.column_with_name(name).is_none());
            if let (Some(name), false) = (missing, member.files.is_empty()) {
                return Err(Error::BadSeries {
                    path: member.path.to_string(),
                    what: format!("no version has its key column `{name}`"),
                });
            }
        }
        let path_column: Option<FieldRef> = is_glob.then(|| {
            let name = free_name(&file_schema, PATH_COLUMN);
            Arc::new(Field::new(name, DataType::Utf8View, false))
        });
        let fields = file_schema.fields().iter().chain(&path_column).cloned();
        let schema = Arc::new(Schema::new(fields.collect::<Vec<_>>()));
        let shape = Shape { file_schema, path_column };
        Ok(Self { name: name.to_owned(), opener, members, shape, schema, notes, seen })
    }

    /// The members.
    pub(crate) fn members(&self) -> &[Member] {
        &self.members
    }

    /// Whether it is all that a glob matches.
    pub(crate) const fn is_glob(&self) -> bool {
        self.shape.path_column.is_some()
    }

    /// The column of times, where all members have the same, and its unit where
    /// its type does not tell.
    pub(crate) fn time(&self) -> (Option<Arc<str>>, Option<TimeUnit>) {
        let mut specs = self.members.iter().map(|member| member.spec.as_ref());
        let first = specs.next().flatten();
        let Some(spec) = first else { return (None, None) };
        let same = |other: &SeriesSpec| {
            other.time_column == spec.time_column && other.time_unit == spec.time_unit
        };
        if !specs.all(|other| other.is_some_and(same)) {
            return (None, None);
        }
        let field = self.schema.field_with_name(&spec.time_column).ok();
        let tells = field.is_none_or(|field| !field.data_type().is_integer());
        let unit = if tells { None } else { Some(spec.time_unit) };
        (Some(Arc::from(spec.time_column.as_str())), unit)
    }

    /// What a reader of the schema should know.
    pub(crate) fn notes(&self) -> &[String] {
        &self.notes
    }

    /// `scan` with only the rows that are `seen`, cut to its first `columns`
    /// columns.
    fn only(
        &self,
        scan: Arc<dyn ExecutionPlan>,
        seen: Seen<'_>,
        member: &Member,
        columns: Option<usize>,
    ) -> DfResult<Arc<dyn ExecutionPlan>> {
        let schema = scan.schema();
        let condition = member.spec.as_ref().and_then(|spec| seen.condition(spec, &schema));
        let Some(condition) = condition else { return Ok(scan) };
        let cut = columns.filter(|&columns| columns < schema.fields().len());
        let filter = FilterExecBuilder::new(condition, scan)
            .apply_projection(cut.map(|columns| (0..columns).collect()))?
            .build()?;
        Ok(Arc::new(filter))
    }

    /// The columns to read so that `names` are among them.
    fn with_columns(&self, projection: &[usize], names: &[String]) -> Vec<usize> {
        let mut columns = projection.to_vec();
        for name in names {
            if let Some((at, _)) = self.schema.column_with_name(name)
                && !columns.contains(&at)
            {
                columns.push(at);
            }
        }
        columns
    }

    fn scan_merged(
        &self,
        builder: &ScanBuilder<'_>,
        member: &Member,
        plan: MemberPlan,
        projection: &[usize],
        sorters: usize,
    ) -> DfResult<Option<Arc<dyn ExecutionPlan>>> {
        let Some(spec) = member.spec.as_ref().filter(|_| !plan.merged.is_empty()) else {
            return Ok(None);
        };
        let columns = self.with_columns(projection, &spec.key);
        let time_is_key = spec.key.len() == 1;
        let layout = Layout::new(plan.merged, time_is_key, 1, usize::MAX);
        let layout = if layout.is_sorted() { layout } else { layout.spread(sorters) };
        let scan = ScanBuilder { time_column: Some(&spec.time_column), ..*builder }
            .build(layout, &columns, None, true)?;
        let Some((version, row)) = scan.ordinals else {
            return datafusion::common::internal_err!("a scan lacks the ordinals asked for");
        };
        let bounds = if plan.merged_bounded { plan.bounds } else { TimeBounds::ALL };
        let seen = Seen { bounds, inside: &plan.spans, outside: &[] };
        let input = self.only(scan.plan, seen, member, None)?;
        let schema = input.schema();
        let key = spec.key.iter().map(|name| schema.index_of(name));
        let roles = Roles {
            key: key.collect::<Result<_, _>>()?,
            version,
            row,
            output: (0..projection.len()).collect(),
        };
        Ok(Some(Arc::new(NewestWinsExec::try_new(input, roles)?)))
    }
}

/// Which rows of a series a scan lets through, by their times.
#[derive(Clone, Copy)]
struct Seen<'a> {
    bounds: TimeBounds,
    /// Only what lies in one of these, unless there are none.
    inside: &'a [TimeRange],
    /// Nothing that lies in one of these.
    outside: &'a [TimeRange],
}

impl Seen<'_> {
    /// The condition on a row with the columns of `schema`; `None` where
    /// nothing is left out.
    fn condition(self, spec: &SeriesSpec, schema: &SchemaRef) -> Option<Arc<dyn PhysicalExpr>> {
        let (at, field) = schema.column_with_name(&spec.time_column)?;
        let compare = |us: i64, rounding, operator| -> Option<Arc<dyn PhysicalExpr>> {
            let limit = bound(us, field.data_type(), spec.time_unit, rounding)?;
            let column = Arc::new(Column::new(field.name(), at));
            Some(Arc::new(BinaryExpr::new(column, operator, Arc::new(Literal::new(limit)))))
        };
        let both = |a: Option<_>, operator, b: Option<_>| -> Option<Arc<dyn PhysicalExpr>> {
            Some(Arc::new(BinaryExpr::new(a?, operator, b?)))
        };
        // The two sides of a span are cut at the same values, so that every row
        // is on one side.
        let within = |span: &TimeRange| {
            let start = compare(span.min_us, Rounding::Up, Operator::GtEq);
            both(start, Operator::And, compare(span.max_us, Rounding::Down, Operator::LtEq))
        };
        let without = |span: &TimeRange| {
            let before = compare(span.min_us, Rounding::Up, Operator::Lt);
            both(before, Operator::Or, compare(span.max_us, Rounding::Down, Operator::Gt))
        };
        let start = self.bounds.start_us.and_then(|us| compare(us, Rounding::Up, Operator::GtEq));
        let end = self.bounds.end_us.and_then(|us| compare(us, Rounding::Down, Operator::LtEq));
        let inside = self
            .inside
            .iter()
            .filter_map(within)
            .reduce(|a, b| Arc::new(BinaryExpr::new(a, Operator::Or, b)));
        let outside = self.outside.iter().filter_map(without);
        conjunction_opt(start.into_iter().chain(end).chain(inside).chain(outside))
    }
}

#[async_trait]
impl TableProvider for PondTable {
    fn schema(&self) -> SchemaRef {
        Arc::clone(&self.schema)
    }

    fn table_type(&self) -> TableType {
        TableType::Base
    }

    fn supports_filters_pushdown(
        &self,
        filters: &[&Expr],
    ) -> DfResult<Vec<TableProviderFilterPushDown>> {
        // The physical optimizer moves what a scan evaluates itself into it.
        Ok(vec![TableProviderFilterPushDown::Inexact; filters.len()])
    }

    async fn scan(
        &self,
        state: &dyn Session,
        projection: Option<&Vec<usize>>,
        filters: &[Expr],
        limit: Option<usize>,
    ) -> DfResult<Arc<dyn ExecutionPlan>> {
        let df_schema = DFSchema::try_from(Arc::clone(&self.schema))?;
        let filters = filters
            .iter()
            .filter(|filter| !filter.is_volatile())
            .map(|filter| state.create_physical_expr(filter.clone(), &df_schema))
            .collect::<DfResult<Vec<_>>>()?;
        let pruner = Pruner::new(self.shape.clone(), self.schema(), filters);
        let projection: Vec<usize> = match projection {
            Some(projection) => projection.clone(),
            None => (0..self.schema.fields().len()).collect(),
        };
        let threads = state.config().target_partitions();
        let builder = ScanBuilder {
            opener: &self.opener,
            shape: &self.shape,
            state,
            time_column: shared_time_column(&self.members).map(AsRef::as_ref),
        };

        // Sorters side by side starve each other when memory is limited: the
        // one that merges holds what the other needs to begin.
        let sorters = match state.runtime_env().memory_pool.memory_limit() {
            MemoryLimit::Finite(_) => 1,
            _ => threads,
        };

        let mut reads =
            Reads { path: self.name.clone(), tables: self.members.len(), ..Reads::default() };
        let mut plain = Vec::new();
        let mut inputs: Vec<Arc<dyn ExecutionPlan>> = Vec::new();
        for member in &self.members {
            let mut member_plan = plan(member, self.seen, &pruner, &mut reads);
            plain.append(&mut member_plan.plain);
            let (bounded, split) =
                (std::mem::take(&mut member_plan.bounded), std::mem::take(&mut member_plan.split));
            for (versions, outside) in [(bounded, &[][..]), (split, &member_plan.spans[..])] {
                let Some(spec) = member.spec.as_ref().filter(|_| !versions.is_empty()) else {
                    continue;
                };
                let columns = self.with_columns(&projection, &spec.key[..1]);
                let layout = Layout::new(versions, true, threads, threads);
                let builder = ScanBuilder { time_column: Some(&spec.time_column), ..builder };
                let scan = builder.build(layout, &columns, None, false)?.plan;
                let seen = Seen { bounds: member_plan.bounds, inside: &[], outside };
                inputs.push(self.only(scan, seen, member, Some(projection.len()))?);
            }
            inputs.extend(self.scan_merged(&builder, member, member_plan, &projection, sorters)?);
        }
        if !plain.is_empty() {
            let layout = Layout::new(plain, builder.time_column.is_some(), threads, threads);
            inputs.push(builder.build(layout, &projection, limit, false)?.plan);
        }

        let input = match inputs.len() {
            0 => Arc::new(EmptyExec::new(Arc::new(self.schema.project(&projection)?))),
            1 => inputs.remove(0),
            _ => UnionExec::try_new(inputs)?,
        };
        // One version is DataFusion's own scan and nothing else.
        Ok(if reads.versions <= 1 { input } else { Arc::new(VersionsExec::new(input, reads)) })
    }
}
