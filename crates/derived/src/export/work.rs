//! One table's files, brought up to what the pond says now.
//!
//! What has changed since the files were written is known from the stamp of
//! that state, as ranges of time; partitions that these touch are read and
//! written again, and so are files that are not as they were left. So the cost
//! follows the change and not the history.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::sync::Arc;

use arrow::datatypes::Schema;
use datafusion::common::Column as PlanColumn;
use datafusion::datasource::provider_as_source;
use datafusion::logical_expr::{LogicalPlanBuilder, col};
use query::{ComputedTable, Inputs, open_schema};
use tinyfs::{EntryType, NodePath, SeriesSpec};

use super::calendar::Calendar;
use super::cut::{Cut, Files};
use super::directory::Directory;
use super::error::{ExportError, Result};
use super::request::{FileFormat, Layout, TableReport, Whole};
use super::state::{Column, Exported, ExportedFile};
use crate::changes::{self, Changed, Stamp};
use crate::handover::{Giver, broken_off, handover};
use crate::reduce::{ALWAYS, joined};
use crate::time_column::{INPUT, TimeColumn};

/// More ranges than these are joined where they are nearest.
const MAX_RANGES: usize = 64;
/// A dry run names so many partitions that are not there yet.
const MOST_NAMED: usize = 1_000;
/// What is done here, for messages.
const EXPORT: &str = "an export";

/// How rows are to be written, resolved.
#[derive(Clone, Debug)]
pub(crate) struct Rows {
    pub(crate) layout: Layout,
    pub(crate) format: FileFormat,
    pub(crate) calendar: Option<Calendar>,
    /// The times that are wanted.
    pub(crate) window: Range<i64>,
}

/// A table that is to be written.
pub(crate) struct Table {
    found: NodePath,
    /// Its directory below that of the export.
    dir: String,
    table: ComputedTable,
    time: Option<TimeColumn>,
    columns: Vec<Column>,
    stamp: Stamp,
}

/// What there is to do for a table.
pub(crate) struct Plan {
    pub(crate) whole: Option<Whole>,
    /// The times to read, as whole partitions.
    pub(crate) ranges: Vec<Range<i64>>,
    /// Files that are as they were left.
    pub(crate) intact: BTreeMap<String, ExportedFile>,
    /// Files that may be replaced and removed.
    pub(crate) ours: BTreeSet<String>,
}

impl Table {
    /// Opens the table and looks whether it can be written so.
    pub(crate) async fn open(
        found: NodePath,
        dir: String,
        rows: &Rows,
        inputs: &Inputs,
    ) -> Result<Self> {
        let table = inputs.table(&found.path).await?;
        let schema = table.provider.schema();
        let time = match &table.time_column {
            Some(name) => Some(TimeColumn::of(&schema, name, table.time_unit)?),
            None if rows.calendar.is_some() || rows.window != ALWAYS => {
                return Err(ExportError::NoTimes { path: found.path });
            }
            None => None,
        };
        if let Some(column) = partition_column(&schema, rows, &dir) {
            return Err(ExportError::PartitionColumn { path: found.path, column });
        }
        let columns = open_schema(&schema)
            .fields()
            .iter()
            .map(|field| Column {
                name: field.name().clone(),
                r#type: field.data_type().to_string(),
                unit: field.metadata().get(query::UNIT_KEY).cloned(),
            })
            .collect();
        let stamp = changes::stamp(inputs.fs().store().as_ref(), &table.lineage).await?;
        Ok(Self { found, dir, table, time, columns, stamp })
    }

    /// What there is to do, given what is there.
    pub(crate) async fn plan(
        &self,
        old: Option<&Exported>,
        rows: &Rows,
        directory: &Directory,
        inputs: &Inputs,
    ) -> Result<Plan> {
        let ours = old.map(|old| directory.all_of(old)).transpose()?.unwrap_or_default();
        let intact = old.map(|old| directory.intact(old)).transpose()?.unwrap_or_default();
        let altered = old.iter().flat_map(|old| &old.files);
        let altered = altered.filter(|(name, _)| !intact.contains_key(*name));
        let altered: Vec<Range<i64>> = altered.map(|(_, file)| file.span.0..file.span.1).collect();
        let whole = match old {
            None => Some(Whole::First),
            Some(old) if old.begun => Some(Whole::CutShort),
            Some(old) if old.layout != rows.layout => Some(Whole::Options),
            Some(old) if old.columns != self.columns => Some(Whole::Columns),
            Some(_) => None,
        };
        let stamp = old.and_then(|old| old.stamp.as_ref());
        let (whole, changed) = match (whole, stamp) {
            (None, Some(then)) => {
                let store = inputs.fs().store().as_ref();
                let lineage = &self.table.lineage;
                match changes::changed(then, &self.stamp, lineage, store).await? {
                    Changed::Nothing => (None, Vec::new()),
                    Changed::Ranges(ranges) => (None, ranges),
                    Changed::Everything | Changed::Earlier => (Some(Whole::Unknown), Vec::new()),
                }
            }
            (None, None) => (Some(Whole::CutShort), Vec::new()),
            (whole, _) => (whole, Vec::new()),
        };
        if whole.is_some() {
            return Ok(Plan { whole, ranges: vec![rows.window.clone()], intact, ours });
        }
        let dirty = changed
            .into_iter()
            .map(|range| range.min_us..range.max_us.saturating_add(1))
            .chain(altered)
            .map(|range| rows.clipped(&range))
            .filter(|range| !range.is_empty())
            .map(|range| rows.aligned(&range))
            .collect();
        let ranges = joined(dirty, MAX_RANGES);
        let ranges = ranges.into_iter().map(|range| rows.clipped(&range)).collect();
        Ok(Plan { whole: None, ranges, intact, ours })
    }

    /// What the state says of the table while its files are written.
    pub(crate) fn begun(&self, old: Option<&Exported>, rows: &Rows) -> Exported {
        Exported {
            dir: self.dir.clone(),
            layout: rows.layout.clone(),
            begun: true,
            earlier: old.map(|old| old.earlier_than(&rows.layout)).unwrap_or_default(),
            stamp: None,
            time_column: self.time.as_ref().map(|time| time.name.clone()),
            columns: self.columns.clone(),
            tiles: None,
            files: old.map(|old| old.files.clone()).unwrap_or_default(),
            replaced: old.map(|old| old.replaced.clone()).unwrap_or_default(),
        }
    }

    /// What a run would do. What comes new is known by its time alone.
    pub(crate) fn foresee(&self, plan: &Plan, rows: &Rows) -> Result<TableReport> {
        let mut written = BTreeSet::new();
        for range in &plan.ranges {
            let Some(calendar) = &rows.calendar else {
                written.insert(format!("data.{}", rows.format.ending()));
                continue;
            };
            if plan.whole.is_some() {
                written.extend(plan.ours.iter().cloned());
                continue;
            }
            let mut at = range.start;
            while at < range.end && written.len() < MOST_NAMED {
                let partition = calendar.partition(at, rows.format.ending())?;
                written.insert(partition.file);
                at = partition.span.end;
            }
        }
        let kept = plan.intact.keys().filter(|name| !written.contains(*name)).count();
        Ok(TableReport {
            written: written.into_iter().collect(),
            kept,
            dirty: plan.is_dirty(),
            whole: plan.whole,
            ..self.report()
        })
    }

    fn report(&self) -> TableReport {
        let (path, dir) = (self.found.path.clone(), self.dir.clone());
        TableReport { path, dir, ..TableReport::default() }
    }

    /// Writes what is dirty.
    pub(crate) async fn perform(
        &self,
        plan: &Arc<Plan>,
        rows: &Rows,
        directory: &Arc<Directory>,
        inputs: &Inputs,
    ) -> Result<(Exported, TableReport)> {
        let (giver, mut batches) = handover(EXPORT);
        let job = tokio::task::spawn_blocking({
            let (plan, rows, directory) = (Arc::clone(plan), rows.clone(), Arc::clone(directory));
            let (path, dir) = (self.found.path.clone(), self.dir.clone());
            let (time, schema) = (self.time.clone(), self.table.provider.schema());
            move || {
                let cut = Cut {
                    directory: &directory,
                    path: &path,
                    dir: &dir,
                    format: rows.format,
                    calendar: rows.calendar.as_ref(),
                    time: time.as_ref(),
                    schema: &schema,
                    whole: &plan.intact,
                    ours: &plan.ours,
                };
                cut.write(&mut batches)
            }
        });
        self.send(&plan.ranges, rows, inputs, giver).await;
        let Files { rows_read, files, written } =
            job.await.map_err(|panic| broken_off(EXPORT, panic))??;

        let mut report =
            TableReport { rows_read, written, dirty: true, whole: plan.whole, ..self.report() };
        let mut exported = self.begun(None, rows);
        (exported.begun, exported.stamp) = (false, Some(self.stamp.clone()));
        for name in &plan.ours {
            if files.contains_key(name) {
                continue;
            }
            match plan.intact.get(name) {
                Some(file) if !plan.covers(file) => {
                    exported.files.insert(name.clone(), file.clone());
                }
                _ => {
                    directory.remove(&format!("{}/{name}", self.dir))?;
                    report.removed.push(name.clone());
                }
            }
        }
        exported.files.extend(files);
        report.kept = exported.files.len() - report.written.len();
        Ok((exported, report))
    }

    /// The state of a table of which nothing has changed but the stamp.
    pub(crate) fn unchanged(&self, old: &Exported) -> (Exported, TableReport) {
        let exported = Exported { stamp: Some(self.stamp.clone()), ..old.clone() };
        let report = TableReport { kept: exported.files.len(), ..self.report() };
        (exported, report)
    }

    /// Sends the rows of all ranges.
    async fn send(&self, ranges: &[Range<i64>], rows: &Rows, inputs: &Inputs, giver: Giver) {
        for range in ranges {
            let mut batches = match self.rows(range, rows, inputs).await {
                Ok(batches) => batches,
                Err(error) => {
                    giver.give(Err(error)).await;
                    return;
                }
            };
            loop {
                match batches.next().await {
                    Ok(None) => break,
                    Ok(Some(batch)) => {
                        if !giver.give(Ok(batch)).await {
                            return;
                        }
                    }
                    Err(error) => {
                        giver.give(Err(error.into())).await;
                        return;
                    }
                }
            }
        }
        giver.end().await;
    }

    /// The rows of a range, in the order of the key.
    async fn rows(
        &self,
        range: &Range<i64>,
        rows: &Rows,
        inputs: &Inputs,
    ) -> crate::Result<query::Rows> {
        let source = provider_as_source(Arc::clone(&self.table.provider));
        let mut plan = LogicalPlanBuilder::scan(INPUT, source, None)?;
        let range = rows.clipped(range);
        if let Some(within) = self.time.as_ref().and_then(|time| time.within(&range)) {
            plan = plan.filter(within)?;
        }
        let Some(time) = &self.time else {
            // As they lie.
            return Ok(inputs.runner().in_order().run(plan.build()?).await?);
        };
        let key = match self.found.node.entry_type {
            EntryType::Series => SeriesSpec::read_from(&self.found.node.attributes)?
                .map_or_else(|| vec![time.name.clone()], |spec| spec.key),
            _ => vec![time.name.clone()],
        };
        let sorts = key.iter().map(|name| {
            let column = col(PlanColumn::new(Some(INPUT), name));
            column.sort(true, true)
        });
        let plan = plan.sort(sorts.collect::<Vec<_>>())?.build()?;
        Ok(inputs.runner().run(plan).await?)
    }
}

/// A column with a name that directories give a value to, for readers that do
/// not tell upper from lower case.
fn partition_column(schema: &Schema, rows: &Rows, dir: &str) -> Option<String> {
    let partitions = rows.calendar.iter().flat_map(|calendar| calendar.temporal.columns());
    let named = dir.split('/').filter_map(|name| name.split_once('=')).map(|(key, _)| key);
    let partitions = partitions.map(str::to_lowercase);
    let taken: BTreeSet<String> = partitions.chain(named.map(str::to_lowercase)).collect();
    let mut names = schema.fields().iter().map(|field| field.name());
    names.find(|name| taken.contains(&name.to_lowercase())).cloned()
}

impl Plan {
    /// Whether there is anything to do.
    pub(crate) fn is_dirty(&self) -> bool {
        !self.ranges.is_empty() || self.intact.len() < self.ours.len()
    }

    /// Whether what belongs into a file was read.
    fn covers(&self, file: &ExportedFile) -> bool {
        self.whole.is_some()
            || self.ranges.iter().any(|range| range.start < file.span.1 && file.span.0 < range.end)
    }
}

impl Rows {
    fn clipped(&self, range: &Range<i64>) -> Range<i64> {
        range.start.max(self.window.start)..range.end.min(self.window.end)
    }

    /// Made wider to whole partitions. An end that no calendar holds stays.
    fn aligned(&self, range: &Range<i64>) -> Range<i64> {
        let Some(calendar) = &self.calendar else {
            return ALWAYS;
        };
        let ending = self.format.ending();
        let start = calendar.partition(range.start, ending);
        let end = calendar.partition(range.end.saturating_sub(1), ending);
        start.map_or(range.start, |first| first.span.start)
            ..end.map_or(range.end, |last| last.span.end)
    }
}

impl Layout {
    /// Whether a file of this layout can have this name below its table.
    pub(crate) fn names(&self, name: &str) -> bool {
        let mut parts: Vec<&str> = name.split('/').collect();
        let file = parts.pop().unwrap_or_default();
        let is_number = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
        let partitions = parts.len() == self.temporal.len()
            && parts.iter().zip(&self.temporal).all(|(part, column)| {
                part.strip_prefix(column.as_str())
                    .and_then(|rest| rest.strip_prefix('='))
                    .is_some_and(|value| is_number(value.trim_start_matches('-')))
            });
        let file = if self.format == "tiles" {
            let stem = file.strip_suffix(".parquet").and_then(|stem| stem.split_once('-'));
            stem.is_some_and(|(start, hash)| {
                start.len() == 13
                    && hash.len() == 16
                    && hash.bytes().all(|byte| byte.is_ascii_hexdigit())
            })
        } else {
            [format!("data.{}", self.format), format!("data-2.{}", self.format)]
                .iter()
                .any(|name| name == file)
        };
        partitions && file
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_names_of_a_layout_are_its_own() {
        let mut layout = Layout {
            format: "parquet".into(),
            temporal: vec!["year".into(), "month".into()],
            time_zone: None,
            start_us: None,
            end_us: None,
        };
        for name in ["year=2024/month=03/data.parquet", "year=2024/month=11/data-2.parquet"] {
            assert!(layout.names(name), "{name}");
        }
        for name in [
            "data.parquet",
            "year=2024/data.parquet",
            "year=2024/month=03/notes.parquet",
            "year=2024/month=x/data.parquet",
            "month=03/year=2024/data.parquet",
            "year=2024/month=03/data.csv",
            "year=2024/month=03/day=01/data.parquet",
        ] {
            assert!(!layout.names(name), "{name}");
        }
        (layout.format, layout.temporal) = ("tiles".into(), Vec::new());
        assert!(layout.names("20240101T0000-0123456789abcdef.parquet"));
        assert!(!layout.names("data.parquet"));
    }
}
