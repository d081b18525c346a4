//! `pond detect-overlaps`: where versions of a series are about the same times.
//!
//! Always true: the versions are those that were written, as far as the pond
//! still knows them apart, and it is said where it does not; what is compared is
//! bounded by the memory limit of a query, not by the length of the series.

use std::collections::{BTreeMap, BTreeSet};

use arrow::array::AsArray;
use arrow::datatypes::{DataType, Int64Type, SchemaRef};
use clap::Args;
use datafusion::common::ScalarValue;
use query::Session;
use serde::Serialize;
use tinyfs::{EntryType, Glob, GlobOptions, NodePath, SeriesSpec, TimeRange, Version};

use crate::args::{self, AsOfArg, ListFormatArg};
use crate::context::{ALL_TIME, Context, View};
use crate::error::{CommandError, OrFail as _, Result};
use crate::output::{Stdout, print_list};
use crate::{quantity, quote, time_arg};

/// So many versions are compared in one query, unless more share one instant.
const COMPARED_AT_ONCE: usize = 16;
/// So many versions of a span are named in text.
const NAMED: usize = 5;

/// Find where versions of a series are about the same times
///
/// Where versions overlap, the newest one counts for each time (or key); with
/// `--append`, all rows do. Overlaps are normal where a collector reads some
/// hours again, and a mistake where two loggers write to one series. With
/// --compare the rows are read: how many keys are in several versions, and for
/// how many of these the versions disagree.
///
/// Versions count by their first and last time, within the floor and the bounds
/// of the series. Small ones that were merged a month ago or longer are no
/// longer known apart.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  pond detect-overlaps /sensors/dock.series
  pond detect-overlaps '/sensors/**/*.series' --compare
  pond detect-overlaps '/sensors/**/*.series' --fail     for cron: exit 1 when there are any")]
pub(crate) struct DetectOverlapsArgs {
    /// A path or glob of stored series
    #[arg(value_name = "PATTERN", add = args::pond_path())]
    pattern: String,
    /// Read the rows: do the versions agree?
    #[arg(long)]
    compare: bool,
    /// Exit with 1 when there are overlaps (with --compare: such that disagree)
    #[arg(long)]
    fail: bool,
    #[command(flatten)]
    format: ListFormatArg,
    #[command(flatten)]
    as_of: AsOfArg,
}

/// A span of time that several versions share, as `pond detect-overlaps
/// --format json` prints it.
#[derive(Debug, Serialize)]
struct ShownOverlap {
    /// The series.
    path: String,
    /// The first time that two versions share, RFC 3339 in UTC.
    start: String,
    /// The last time that two versions share.
    end: String,
    /// The versions, each with all that it holds, not only what it shares.
    versions: Vec<ShownVersion>,
    /// What counts where keys are equal: `newest` or `all`.
    wins: &'static str,
    /// With --compare: keys that are in several versions.
    #[serde(skip_serializing_if = "Option::is_none")]
    shared_keys: Option<u64>,
    /// With --compare: those of them whose rows differ.
    #[serde(skip_serializing_if = "Option::is_none")]
    differing_keys: Option<u64>,
}

/// A version.
#[derive(Debug, Serialize)]
struct ShownVersion {
    /// Its number.
    version: u64,
    /// Its rows.
    rows: Option<u64>,
    /// Its first time.
    start: String,
    /// Its last time.
    end: String,
}

/// A series and its versions that have visible times.
struct Series {
    found: NodePath,
    spec: SeriesSpec,
    versions: BTreeMap<u64, (Version, TimeRange)>,
    /// Versions that are no longer known apart.
    merged: u64,
}

/// A span that two or more versions share; both ends are within.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Overlap {
    range: TimeRange,
    versions: BTreeSet<u64>,
}

/// Finds them.
pub(crate) async fn run(context: &Context, args: &DetectOverlapsArgs) -> Result<()> {
    let view = context.read(args.as_of.as_of).await?;
    let all = find(&view, &args.pattern).await?;
    let mut shown = Vec::new();
    let (mut merged, mut differing) = (0, 0);
    let count = all.len() as u64;
    for found in all {
        let series = Series::open(&view, found).await?;
        merged += series.merged;
        let schema = match args.compare {
            true => Some(series.schema(context, &view).await?),
            false => None,
        };
        for overlap in overlaps(series.ranges()) {
            let compared = match &schema {
                Some(schema) => Some(compare(context, &view, &series, schema, &overlap).await?),
                None => None,
            };
            differing += compared.map_or(0, |(_, differing)| differing);
            shown.push(series.shown(&overlap, compared));
        }
    }
    let found = shown.len() as u64;
    print_list(args.format.format, shown, text)?;
    if merged > 0 {
        let merged = quantity::counted(merged, "version");
        context.say(&format!("note: {merged} were merged and are no longer known apart"));
    }
    if found == 0 {
        let series = quantity::counted(count, "series");
        context.say(&format!("no versions overlap in {series}"));
    }
    let what = match args.compare {
        true if args.fail && differing > 0 => {
            format!("versions disagree about {}", quantity::counted(differing, "key"))
        }
        false if args.fail && found > 0 => {
            format!("versions overlap in {}", quantity::counted(found, "span"))
        }
        _ => return Ok(()),
    };
    Err(CommandError::failure(what).hint("`pond show PATH` lists the versions of a series"))
}

/// The stored series that a path or glob means.
async fn find(view: &View, pattern: &str) -> Result<Vec<NodePath>> {
    let cannot = || format!("cannot look for overlaps in `{pattern}`");
    match view.fs.resolve(pattern).await {
        Ok(found) if found.node.entry_type == EntryType::Series => return Ok(vec![found]),
        Ok(found) => {
            let what =
                format!("`{}` is {}, not a stored series", found.path, found.node.entry_type);
            return Err(CommandError::usage(what)
                .hint("only what is stored has versions of rows; a glob finds series"));
        }
        Err(error) if error.is_absence() && super::is_glob(pattern) => {}
        Err(error) => return Err(CommandError::failure(cannot()).because(error)),
    }
    let options = GlobOptions { hidden: false, follow: true };
    let glob = Glob::parse(pattern).or_fail(cannot)?;
    let mut matches = view.fs.matches(glob, options);
    let mut all: BTreeMap<String, NodePath> = BTreeMap::new();
    while let Some(found) = matches.next().await.or_fail(cannot)? {
        if found.path.node.entry_type == EntryType::Series {
            all.insert(found.path.path.clone(), found.path);
        }
    }
    if all.is_empty() {
        return Err(CommandError::not_found(format!("no stored series matches `{pattern}`"))
            .hint(format!("`pond list {}` shows what matches", quote::shell(pattern))));
    }
    Ok(all.into_values().collect())
}

impl Series {
    async fn open(view: &View, found: NodePath) -> Result<Self> {
        let cannot = || format!("cannot look for overlaps in `{}`", found.path);
        let written = view.fs.store().versions(found.id()).await.or_fail(cannot)?;
        let spec = SeriesSpec::read_from(&found.node.attributes).or_fail(cannot)?;
        let Some(spec) = spec else {
            return Err(CommandError::damage(format!("`{}` declares no times", found.path)));
        };
        let newest = found.node.newest.as_ref().map_or(0, |newest| newest.number);
        let (first, last) = spec.visible_us();
        let visible = |range: TimeRange| {
            let min_us = first.map_or(range.min_us, |first| range.min_us.max(first));
            let max_us = last.map_or(range.max_us, |last| range.max_us.min(last));
            (min_us <= max_us).then_some(TimeRange { min_us, max_us })
        };
        let apart: Vec<Version> =
            written.into_iter().filter(|version| version.covers.is_none()).collect();
        let merged = newest.saturating_sub(apart.len() as u64);
        let versions = apart
            .into_iter()
            .filter_map(|version| {
                let range = version.time_range.and_then(visible)?;
                Some((version.number, (version, range)))
            })
            .collect();
        Ok(Self { found, spec, versions, merged })
    }

    /// The columns of all its versions.
    async fn schema(&self, context: &Context, view: &View) -> Result<SchemaRef> {
        let path = &self.found.path;
        let schema = context.session(view, ALL_TIME)?.schema_of(path).await;
        schema.or_fail(|| format!("cannot compare versions of `{path}`"))
    }

    fn ranges(&self) -> impl Iterator<Item = (u64, TimeRange)> {
        self.versions.iter().map(|(number, (_, range))| (*number, *range))
    }

    fn shown(&self, overlap: &Overlap, compared: Option<(u64, u64)>) -> ShownOverlap {
        let versions = overlap.versions.iter().filter_map(|number| {
            let (version, range) = self.versions.get(number)?;
            Some(ShownVersion {
                version: *number,
                rows: version.rows,
                start: time_arg::text(range.min_us),
                end: time_arg::text(range.max_us),
            })
        });
        ShownOverlap {
            path: self.found.path.clone(),
            start: time_arg::text(overlap.range.min_us),
            end: time_arg::text(overlap.range.max_us),
            versions: versions.collect(),
            wins: if self.spec.append { "all" } else { "newest" },
            shared_keys: compared.map(|(shared, _)| shared),
            differing_keys: compared.map(|(_, differing)| differing),
        }
    }
}

/// Where a version begins, or has ended: in the order of time, ends first.
fn changes(ranges: impl Iterator<Item = (u64, TimeRange)>) -> Vec<(i64, bool, u64)> {
    let mut changes: Vec<(i64, bool, u64)> = ranges
        .flat_map(|(number, range)| {
            [(range.min_us, true, number), (range.max_us.saturating_add(1), false, number)]
        })
        .collect();
    changes.sort_unstable();
    changes
}

/// The longest spans in which every instant lies in two versions or more.
fn overlaps(ranges: impl Iterator<Item = (u64, TimeRange)>) -> Vec<Overlap> {
    let mut found: Vec<Overlap> = Vec::new();
    let mut active = BTreeSet::new();
    let mut open: Option<(i64, BTreeSet<u64>)> = None;
    for (us, begins, number) in changes(ranges) {
        if begins {
            active.insert(number);
        } else {
            active.remove(&number);
        }
        match &mut open {
            None if active.len() > 1 => {
                // One version ended where the next began: it is one span.
                let (start, mut versions) = match found.pop() {
                    Some(last) if last.range.max_us.saturating_add(1) == us => {
                        (last.range.min_us, last.versions)
                    }
                    Some(last) => {
                        found.push(last);
                        (us, BTreeSet::new())
                    }
                    None => (us, BTreeSet::new()),
                };
                versions.extend(&active);
                open = Some((start, versions));
            }
            Some((_, versions)) if active.len() > 1 => versions.extend(&active),
            Some((start, versions)) => {
                let range = TimeRange { min_us: *start, max_us: us.saturating_sub(1) };
                if range.min_us <= range.max_us {
                    found.push(Overlap { range, versions: std::mem::take(versions) });
                }
                open = None;
            }
            None => {}
        }
    }
    found
}

/// How many keys of a span are in several versions, and for how many of them
/// the rows differ.
async fn compare(
    context: &Context,
    view: &View,
    series: &Series,
    all: &SchemaRef,
    overlap: &Overlap,
) -> Result<(u64, u64)> {
    let mut sums = (0, 0);
    let within = overlap.versions.iter().filter_map(|number| {
        let (_, range) = series.versions.get(number)?;
        let min_us = range.min_us.max(overlap.range.min_us);
        let max_us = range.max_us.min(overlap.range.max_us);
        Some((*number, TimeRange { min_us, max_us }))
    });
    // Piece by piece of time, with no more versions at once than must be.
    let mut active = BTreeSet::new();
    let mut piece = (overlap.range.min_us, BTreeSet::new());
    for (us, begins, number) in changes(within) {
        if us > piece.0 && (piece.1.len() >= COMPARED_AT_ONCE || us > overlap.range.max_us) {
            let range = TimeRange { min_us: piece.0, max_us: us - 1 };
            // A session keeps what it has opened, so each piece has its own.
            let session = context.session(view, ALL_TIME)?;
            let (shared, differing) = compare_piece(&session, series, all, range, &piece.1).await?;
            (sums.0, sums.1) = (sums.0 + shared, sums.1 + differing);
            piece = (us, active.clone());
        }
        if begins {
            active.insert(number);
            piece.1.insert(number);
        } else {
            active.remove(&number);
        }
    }
    Ok(sums)
}

async fn compare_piece(
    session: &Session,
    series: &Series,
    all: &SchemaRef,
    range: TimeRange,
    versions: &BTreeSet<u64>,
) -> Result<(u64, u64)> {
    let path = &series.found.path;
    let cannot = || format!("cannot compare versions of `{path}`");
    if versions.len() < 2 {
        return Ok((0, 0));
    }
    let time = &series.spec.time_column;
    let [version, low, high, kinds] =
        ["version", "low", "high", "kinds"].map(|name| unused(all, name));
    let mut selects = Vec::with_capacity(versions.len());
    for number in versions {
        let name = format!("version_{number}");
        session.bind_version(&name, path, *number);
        let schema = session.schema_of(&name).await.or_fail(cannot)?;
        let data_type = schema.field_with_name(time).or_fail(cannot)?.data_type().clone();
        let unit = Some(series.spec.time_unit);
        let from =
            |us| query::time_bound(us, &data_type, unit, true).and_then(|time| literal(&time));
        let bounds = from(range.min_us).zip(from(range.max_us.saturating_add(1)));
        let (first, next) = bounds.ok_or_else(|| CommandError::failure(cannot()))?;
        let columns = all.fields().iter().map(|field| {
            let column = quote::sql_name(field.name());
            match schema.field_with_name(field.name()) {
                Ok(_) => column,
                Err(_) => format!("NULL AS {column}"),
            }
        });
        let columns: Vec<String> = columns.collect();
        let time = quote::sql_name(time);
        selects.push(format!(
            "SELECT {number} AS {version}, {} FROM {name} WHERE {time} >= {first} AND {time} < {next}",
            columns.join(", ")
        ));
    }
    let key: Vec<String> = series.spec.key.iter().map(|name| quote::sql_name(name)).collect();
    let key = key.join(", ");
    let columns: Vec<String> =
        all.fields().iter().map(|field| quote::sql_name(field.name())).collect();
    let sql = format!(
        "WITH everything AS ({rows}),
        kinds AS (SELECT {columns}, min({version}) AS {low}, max({version}) AS {high}
            FROM everything GROUP BY {columns}),
        keys AS (SELECT count(*) AS {kinds} FROM kinds GROUP BY {key}
            HAVING min({low}) < max({high}))
        SELECT count(*) AS shared,
            CAST(coalesce(sum(CASE WHEN {kinds} > 1 THEN 1 ELSE 0 END), 0) AS BIGINT) AS differing
        FROM keys",
        rows = union(&selects),
        columns = columns.join(", "),
    );
    let answer = session.sql(&sql).await.or_fail(cannot)?.collect().await.or_fail(cannot)?;
    let number = |column: usize| {
        let batch = answer.iter().find(|batch| batch.num_rows() > 0)?;
        let numbers = batch.column(column).as_primitive_opt::<Int64Type>()?;
        u64::try_from(numbers.value(0)).ok()
    };
    number(0).zip(number(1)).ok_or_else(|| CommandError::failure(cannot()))
}

/// A name like this one that no column has.
fn unused(schema: &SchemaRef, name: &str) -> String {
    let is_taken =
        |name: &String| schema.fields().iter().any(|field| field.name().eq_ignore_ascii_case(name));
    let mut name = format!("__{name}");
    while is_taken(&name) {
        name.push('_');
    }
    name
}

/// All of them, one after another, nested no deeper than need be.
fn union(selects: &[String]) -> String {
    match selects {
        [] => "SELECT 1 WHERE false".to_owned(),
        [one] => one.clone(),
        many => {
            let (first, rest) = many.split_at(many.len() / 2);
            format!("({}) UNION ALL ({})", union(first), union(rest))
        }
    }
}

/// A moment as SQL writes it, in exactly its type.
fn literal(value: &ScalarValue) -> Option<String> {
    let data_type = value.data_type();
    let number = value.cast_to(&DataType::Int64).ok()?;
    let ScalarValue::Int64(Some(number)) = number else { return None };
    Some(match data_type {
        DataType::Timestamp(unit, zone) => {
            let zone = zone.map_or("None".to_owned(), |zone| format!("Some(\"{zone}\")"));
            format!("arrow_cast({number}, 'Timestamp({unit:?}, {zone})')")
        }
        DataType::Date32 => format!("arrow_cast(arrow_cast({number}, 'Int32'), 'Date32')"),
        DataType::Date64 => format!("arrow_cast({number}, 'Date64')"),
        _ => number.to_string(),
    })
}

fn text(out: &mut Stdout, overlap: &ShownOverlap) -> Result<()> {
    let mut versions: Vec<String> = overlap
        .versions
        .iter()
        .take(NAMED)
        .map(|version| match version.rows {
            Some(rows) => format!("{} ({})", version.version, quantity::counted(rows, "row")),
            None => version.version.to_string(),
        })
        .collect();
    if let more @ 1.. = overlap.versions.len().saturating_sub(NAMED) {
        versions.push(format!("{more} more"));
    }
    let mut line = format!(
        "{}: {} to {} is in versions {}",
        overlap.path,
        overlap.start,
        overlap.end,
        versions.join(", ")
    );
    if let Some((shared, differing)) = overlap.shared_keys.zip(overlap.differing_keys) {
        let wins = match (differing, overlap.wins) {
            (0, _) => "",
            (_, "all") => "; all rows count",
            _ => "; the newest version counts",
        };
        let shared = quantity::counted(shared, "key");
        line.push_str(&format!(": {shared} shared, {differing} differ{wins}"));
    }
    out.line(&quote::terminal(&line))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(ranges: &[(u64, i64, i64)]) -> Vec<(i64, i64, Vec<u64>)> {
        let ranges =
            ranges.iter().map(|&(number, min_us, max_us)| (number, TimeRange { min_us, max_us }));
        overlaps(ranges)
            .into_iter()
            .map(|overlap| {
                let TimeRange { min_us, max_us } = overlap.range;
                (min_us, max_us, overlap.versions.into_iter().collect())
            })
            .collect()
    }

    #[test]
    fn spans_of_two_versions_or_more_are_found() {
        assert_eq!(found(&[(1, 0, 9), (2, 10, 19)]), []);
        assert_eq!(found(&[(1, 0, 10), (2, 10, 19)]), [(10, 10, vec![1, 2])]);
        assert_eq!(
            found(&[(1, 0, 99), (2, 10, 19), (3, 40, 49)]),
            [(10, 19, vec![1, 2]), (40, 49, vec![1, 3])]
        );
        assert_eq!(found(&[(1, 0, 9), (2, 5, 14), (3, 8, 30)]), [(5, 14, vec![1, 2, 3])]);
        // One ends where the next begins, over a third.
        assert_eq!(found(&[(1, 0, 99), (2, 10, 19), (3, 20, 29)]), [(10, 29, vec![1, 2, 3])]);
        assert_eq!(found(&[(1, 5, 5), (2, 5, 5)]), [(5, 5, vec![1, 2])]);
    }

    #[test]
    fn unions_nest_as_little_as_they_can() {
        let selects: Vec<String> = (0..200).map(|at| at.to_string()).collect();
        let text = union(&selects);
        let depth = text.chars().scan(0_i32, |depth, c| {
            *depth += match c {
                '(' => 1,
                ')' => -1,
                _ => 0,
            };
            Some(*depth)
        });
        assert!(depth.max().is_some_and(|depth| depth <= 8), "{text}");
    }
}
