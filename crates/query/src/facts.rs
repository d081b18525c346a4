//! What can be said of a table without showing its rows.
//!
//! Always true: counts are exact or said to be an upper bound; rows before the
//! plausibility floor or outside the declared bounds are counted, never mixed in.

use std::sync::Arc;

use arrow::datatypes::{DataType, FieldRef, SchemaRef};
use datafusion::common::{Column, ScalarValue};
use datafusion::functions_aggregate::expr_fn::{max, min};
use datafusion::logical_expr::Expr;
use tinyfs::{EntryType, NodePath, SeriesSpec, TimeRange};

use crate::bounds::declared_bounds;
use crate::catalog::Opened;
use crate::provider::{Member, PondTable};
use crate::schema::UNIT_KEY;
use crate::time::{Rounding, instant_us};
use crate::{ComputedTable, Lineage, Result, Session, TimeBounds};

/// Up to so many stored rows that may supersede each other are counted by a
/// query; beyond that their number is an upper bound.
const COUNTED_ROWS: u64 = 20_000_000;

/// A column, described.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ColumnFacts {
    /// Its name.
    pub name: String,
    /// Its type, in words: `utf8`, `float64`, `timestamp(us, UTC)`.
    pub data_type: String,
    /// Whether it may have nulls.
    pub nullable: bool,
    /// Its unit, where all versions give the same.
    pub unit: Option<String>,
}

/// What is said of a computed table alone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ComputedFacts {
    /// The factory that computes it.
    pub factory: String,
    /// The column of times, for a series.
    pub time_column: Option<String>,
    /// What it is computed from: paths and globs, as far as one step back.
    pub inputs: Vec<String>,
}

/// A table or series, described.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct TableFacts {
    /// The node and its path.
    pub found: NodePath,
    /// What it is.
    pub entry_type: EntryType,
    /// Its columns.
    pub columns: Vec<ColumnFacts>,
    /// What a reader of the columns should know: units that only some versions
    /// give.
    pub notes: Vec<String>,
    /// How the series is declared; `None` for a table.
    pub series: Option<SeriesSpec>,
    /// Versions, or merged runs of them, that a query reads.
    pub versions: usize,
    /// Bytes of these.
    pub size_bytes: u64,
    /// Rows of these, as stored.
    pub stored_rows: u64,
    /// Rows that a query sees: no superseded ones, none before the floor or
    /// outside the bounds. Those
    /// of a computed table are not counted: they would have to be computed.
    pub rows: Option<u64>,
    /// Whether `rows` is exact; if not, there are at most so many.
    pub rows_exact: bool,
    /// Stored rows before the plausibility floor.
    pub quarantined_rows: u64,
    /// Stored rows from the floor on that lie outside the declared bounds.
    pub outside_bounds_rows: u64,
    /// The bounds that the series declares, both included.
    pub declared_bounds: TimeBounds,
    /// The times of the rows that a query sees; `None` when there are none, or
    /// when they are not known without computing them.
    pub time_range: Option<TimeRange>,
    /// What is said of a computed table; `None` for a stored one.
    pub computed: Option<ComputedFacts>,
}

impl Session {
    /// Describes the table or series at `path`.
    ///
    /// # Errors
    /// As [`Session::table`].
    pub async fn facts(&self, path: &str) -> Result<TableFacts> {
        let opened = self.opened(path).await?;
        let found = self.catalog.fs.resolve(path).await?;
        let columns = columns(&opened.provider().schema());
        let table = match opened {
            Opened::Stored(table) => table,
            Opened::Computed(table) => return computed_facts(found, columns, table),
        };
        let notes = table.notes().to_vec();
        let files = || table.members().iter().flat_map(|member| &member.files);
        let stored_rows: u64 = files().map(|file| file.rows()).sum();
        let (versions, size_bytes) = (files().count(), files().map(|file| file.meta.size).sum());
        let series = table.members().iter().find_map(|member| member.spec.clone());
        let quarantined_rows = self.stored_within(&table, below_floor).await?;
        let outside_bounds_rows = self.stored_within(&table, before_start).await?
            + self.stored_within(&table, after_end).await?;
        let exact = stored_rows <= COUNTED_ROWS || series.as_ref().is_none_or(|spec| spec.append);
        let rows = if exact {
            self.context().read_table(Arc::clone(&table) as _)?.count().await? as u64
        } else {
            stored_rows - quarantined_rows - outside_bounds_rows
        };
        let time_range = match &series {
            None => None,
            Some(spec) => self.visible_range(&table, spec).await?,
        };
        Ok(TableFacts {
            entry_type: found.node.entry_type,
            declared_bounds: declared_bounds(&found.node.attributes)?,
            found,
            columns,
            notes,
            series,
            versions,
            size_bytes,
            stored_rows,
            rows: Some(rows),
            rows_exact: exact,
            quarantined_rows,
            outside_bounds_rows,
            time_range,
            computed: None,
        })
    }

    /// Stored rows at the times that `part` says: known from the footers but
    /// for versions of which only some lie there, which are counted.
    async fn stored_within(
        &self,
        table: &PondTable,
        part: fn(&SeriesSpec) -> Option<TimeBounds>,
    ) -> Result<u64> {
        let mut known = 0;
        for member in table.members() {
            let Some((spec, part)) =
                member.spec.as_ref().and_then(|spec| part(spec).map(|part| (spec, part)))
            else {
                continue;
            };
            let mut cut = Vec::new();
            for file in &member.files {
                match file.time_range(spec) {
                    Some(range) if part.contains(&range) => known += file.rows(),
                    Some(range) if part.overlaps(&range) => cut.push(Arc::clone(file)),
                    _ => {}
                }
            }
            if !cut.is_empty() {
                let spec = SeriesSpec {
                    append: true,
                    floor_us: None,
                    start_us: None,
                    end_us: None,
                    ..spec.clone()
                };
                let cut = vec![Member { files: cut, spec: Some(spec), ..member.clone() }];
                let opener = Arc::clone(&self.catalog.opener);
                let rows = PondTable::new(&member.path, opener, cut, false, part)?;
                known += self.context().read_table(Arc::new(rows))?.count().await? as u64;
            }
        }
        Ok(known)
    }

    /// The times of the rows that a query sees. Where floor or bounds cut a
    /// version the rows are asked: footers know only what it stores.
    async fn visible_range(
        &self,
        table: &Arc<PondTable>,
        spec: &SeriesSpec,
    ) -> Result<Option<TimeRange>> {
        let (start_us, end_us) = spec.visible_us();
        let visible = TimeBounds { start_us, end_us };
        let ranges: Vec<TimeRange> = table
            .members()
            .iter()
            .flat_map(|member| &member.files)
            .filter_map(|file| file.time_range(spec))
            .filter(|range| visible.overlaps(range))
            .collect();
        let stored = ranges.iter().copied().reduce(|a, b| a.union(&b));
        if ranges.iter().all(|range| visible.contains(range)) {
            return Ok(stored);
        }
        let column = || Expr::Column(Column::from_name(&spec.time_column));
        let times = self
            .context()
            .read_table(Arc::clone(table) as _)?
            .aggregate(Vec::new(), vec![min(column()), max(column())])?
            .collect()
            .await?;
        let Some(times) = times.first().filter(|batch| batch.num_rows() == 1) else {
            return Ok(None);
        };
        let us = |at: usize, rounding| -> Result<Option<i64>> {
            let time = ScalarValue::try_from_array(times.column(at), 0)?;
            Ok(instant_us(&time, spec.time_unit, rounding))
        };
        let range = us(0, Rounding::Down)?.zip(us(1, Rounding::Up)?);
        Ok(range.map(|(min_us, max_us)| TimeRange { min_us, max_us }))
    }
}

/// The times before the floor.
fn below_floor(spec: &SeriesSpec) -> Option<TimeBounds> {
    let end_us = spec.floor_us?.checked_sub(1)?;
    Some(TimeBounds { start_us: None, end_us: Some(end_us) })
}

/// The times from the floor on that lie before the bounds.
fn before_start(spec: &SeriesSpec) -> Option<TimeBounds> {
    let end_us = spec.start_us?.checked_sub(1)?;
    let reaches = spec.floor_us.is_none_or(|floor| floor <= end_us);
    reaches.then_some(TimeBounds { start_us: spec.floor_us, end_us: Some(end_us) })
}

/// The times from the floor on that lie after the bounds.
fn after_end(spec: &SeriesSpec) -> Option<TimeBounds> {
    let start_us = spec.end_us?.checked_add(1)?;
    Some(TimeBounds { start_us: Some(start_us).max(spec.floor_us), end_us: None })
}

fn columns(schema: &SchemaRef) -> Vec<ColumnFacts> {
    let describe = |field: &FieldRef| ColumnFacts {
        name: field.name().clone(),
        data_type: type_name(field.data_type()),
        nullable: field.is_nullable(),
        unit: field.metadata().get(UNIT_KEY).cloned(),
    };
    schema.fields().iter().map(describe).collect()
}

fn computed_facts(
    found: NodePath,
    columns: Vec<ColumnFacts>,
    table: ComputedTable,
) -> Result<TableFacts> {
    let inputs = match table.lineage.as_ref() {
        Lineage::Computed { inputs, .. } => inputs.iter().flat_map(|input| input.names()).collect(),
        other => other.names(),
    };
    let factory = found.node.factory.clone().unwrap_or_default();
    let time_column = table.time_column.as_deref().map(str::to_owned);
    Ok(TableFacts {
        entry_type: found.node.entry_type,
        declared_bounds: declared_bounds(&found.node.attributes)?,
        found,
        columns,
        notes: table.notes,
        series: None,
        versions: 0,
        size_bytes: 0,
        stored_rows: 0,
        rows: None,
        rows_exact: false,
        quarantined_rows: 0,
        outside_bounds_rows: 0,
        time_range: None,
        computed: Some(ComputedFacts { factory, time_column, inputs }),
    })
}

/// A type in words that do not name memory layouts.
fn type_name(data_type: &DataType) -> String {
    match data_type {
        DataType::Utf8View | DataType::LargeUtf8 => "utf8".to_owned(),
        DataType::BinaryView | DataType::LargeBinary => "binary".to_owned(),
        DataType::Timestamp(unit, None) => format!("timestamp({unit})"),
        DataType::Timestamp(unit, Some(zone)) => format!("timestamp({unit}, {zone})"),
        other => other.to_string().to_lowercase(),
    }
}
