//! `pond describe`: all that is known of a file or directory.

use std::ffi::OsString;

use clap::Args;
use query::TimeBounds;
use serde::Serialize;
use tinyfs::{EntryType, NodePath, Place, SeriesSpec, Version};

use crate::args::{self, AsOfArg, ListFormatArg};
use crate::context::{Context, View};
use crate::error::{CommandError, OrFail as _, Result};
use crate::host::Operand;
use crate::output::{Stdout, Style, TextTable, print_list};
use crate::table_args::TableArgs;
use crate::{node_limits, quantity, quote, time_arg};

/// Say what a file or directory is
///
/// Columns with their types and units, versions, rows, times, sizes, what a
/// series declares, and where the bytes lie. A file of this machine is
/// described as the table it would be.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  pond describe /sensors/dock.series
  pond describe --format json '/sensors/*.series' | jq '.[].rows'
  pond describe host+csv:dock.csv --time-column Time")]
pub(crate) struct DescribeArgs {
    /// Paths or globs in the pond, or files as host+FORMAT:FILE
    #[arg(required = true, value_name = "PATH", add = args::pond_path())]
    paths: Vec<OsString>,
    #[command(flatten)]
    format: ListFormatArg,
    #[command(flatten)]
    as_of: AsOfArg,
    #[command(flatten)]
    table: TableArgs,
}

/// One thing as `pond describe --format json` and `ndjson` print it. What does
/// not apply is absent.
#[derive(Debug, Default, Serialize)]
struct Description {
    /// The path, or the URL of a file of this machine.
    path: String,
    /// What it is: `directory`, `symlink`, `file:data`, `file:table`,
    /// `file:series`, these with `:dynamic`, or `host` for a file of this
    /// machine.
    #[serde(rename = "type")]
    entry_type: String,
    /// The node's id.
    #[serde(skip_serializing_if = "Option::is_none")]
    node: Option<String>,
    /// How many entries a directory has.
    #[serde(skip_serializing_if = "Option::is_none")]
    entries: Option<u64>,
    /// Where a symbolic link points.
    #[serde(skip_serializing_if = "Option::is_none")]
    target: Option<String>,
    /// The factory that computes it.
    #[serde(skip_serializing_if = "Option::is_none")]
    factory: Option<String>,
    /// What it is computed from: paths and globs.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    inputs: Vec<String>,
    /// The column of times of a computed series.
    #[serde(skip_serializing_if = "Option::is_none")]
    time_column: Option<String>,
    /// How many versions are kept.
    #[serde(skip_serializing_if = "Option::is_none")]
    versions: Option<u64>,
    /// The number of the newest.
    #[serde(skip_serializing_if = "Option::is_none")]
    newest_version: Option<u64>,
    /// Bytes of the newest version.
    #[serde(skip_serializing_if = "Option::is_none")]
    size_bytes: Option<u64>,
    /// Bytes of all versions that are kept.
    #[serde(skip_serializing_if = "Option::is_none")]
    all_versions_bytes: Option<u64>,
    /// BLAKE3 of the newest version.
    #[serde(skip_serializing_if = "Option::is_none")]
    hash: Option<String>,
    /// When the newest version was written, RFC 3339.
    #[serde(skip_serializing_if = "Option::is_none")]
    written: Option<String>,
    /// Where the bytes of the newest version lie: `inline` in the log, or the
    /// path of their file.
    #[serde(skip_serializing_if = "Option::is_none")]
    place: Option<String>,
    /// Rows as SQL counts them.
    #[serde(skip_serializing_if = "Option::is_none")]
    rows: Option<u64>,
    /// Whether `rows` is exact; if not, there are at most so many.
    #[serde(skip_serializing_if = "Option::is_none")]
    rows_exact: Option<bool>,
    /// Stored rows of a series before its floor, which SQL does not see.
    #[serde(skip_serializing_if = "Option::is_none")]
    quarantined_rows: Option<u64>,
    /// Stored rows of a series from its floor on and outside its bounds, which
    /// SQL does not see.
    #[serde(skip_serializing_if = "Option::is_none")]
    outside_bounds_rows: Option<u64>,
    /// The bounds in time of a series, stored or computed.
    #[serde(skip_serializing_if = "Option::is_none")]
    temporal_bounds: Option<Bounds>,
    /// How old its newest event may be, such as `3h`.
    #[serde(skip_serializing_if = "Option::is_none")]
    freshness: Option<String>,
    /// Rows stored in all versions of a series, before overlaps and the floor.
    #[serde(skip_serializing_if = "Option::is_none")]
    stored_rows: Option<u64>,
    /// The earliest event time in a series, RFC 3339.
    #[serde(skip_serializing_if = "Option::is_none")]
    time_start: Option<String>,
    /// The latest event time in a series, RFC 3339.
    #[serde(skip_serializing_if = "Option::is_none")]
    time_end: Option<String>,
    /// What a series declares.
    #[serde(skip_serializing_if = "Option::is_none")]
    series: Option<Declaration>,
    /// The columns of a table or series.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    columns: Vec<Column>,
    /// What a reader of the columns should know.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    notes: Vec<String>,
}

/// What a series declares.
#[derive(Debug, Serialize)]
struct Declaration {
    /// The column that holds the time.
    time_column: String,
    /// The unit of its values: `s`, `ms`, `us` or `ns`.
    time_unit: String,
    /// The zone of the times it was read from, when they carried none.
    #[serde(skip_serializing_if = "Option::is_none")]
    time_zone: Option<String>,
    /// The columns that tell rows apart, the time column first.
    key: Vec<String>,
    /// Whether every row of every version counts, even for equal keys.
    append: bool,
    /// Rows earlier than this are left out, RFC 3339.
    #[serde(skip_serializing_if = "Option::is_none")]
    floor: Option<String>,
}

/// The times of a series that queries see, both included.
#[derive(Debug, Serialize)]
struct Bounds {
    /// The first, RFC 3339.
    #[serde(skip_serializing_if = "Option::is_none")]
    start: Option<String>,
    /// The last, RFC 3339.
    #[serde(skip_serializing_if = "Option::is_none")]
    end: Option<String>,
}

/// One column.
#[derive(Debug, Serialize)]
struct Column {
    /// Its name.
    name: String,
    /// Its Arrow type.
    #[serde(rename = "type")]
    data_type: String,
    /// Whether a value may be absent.
    nullable: bool,
    /// The unit of its values.
    #[serde(skip_serializing_if = "Option::is_none")]
    unit: Option<String>,
}

/// Describes them.
pub(crate) async fn run(context: &Context, args: &DescribeArgs) -> Result<()> {
    let mut view = None;
    let mut described = Vec::new();
    for operand in &args.paths {
        match Operand::parse(operand)? {
            Operand::Table(url) => described.push(host_table(context, args, url).await?),
            Operand::Pond(path) => {
                let view = match &mut view {
                    Some(view) => view,
                    none => none.insert(context.read(args.as_of.as_of).await?),
                };
                for found in super::expand(&view.fs, &path).await? {
                    described.push(in_pond(context, view, found).await?);
                }
            }
            Operand::Host(host) => {
                let shown = crate::host::show(&host.path);
                return Err(CommandError::usage(format!("`{shown}` is a file of this machine"))
                    .hint(format!(
                        "say how it is to be read: pond describe {}",
                        quote::shell(&format!("host+csv:{shown}"))
                    )));
            }
            Operand::Stdio => {
                return Err(CommandError::usage("standard input has no description")
                    .hint("read it as a table: pond describe host+csv:-"));
            }
        }
    }
    let style = context.output_style();
    let mut first = true;
    print_list(args.format.format, described, |out, item| {
        if !std::mem::take(&mut first) {
            out.line("")?;
        }
        text(out, item, style)
    })
}

async fn host_table(
    context: &Context,
    args: &DescribeArgs,
    url: query::format::SourceUrl,
) -> Result<Description> {
    let shown = url.to_string();
    let options = args.table.read_options(None)?;
    let opened = query::format::open(context.host_source(url), options)
        .await
        .or_fail(|| format!("cannot read `{shown}`"))?;
    super::copy::tell(context, opened.report());
    Ok(Description {
        path: shown,
        entry_type: "host".to_owned(),
        rows: Some(opened.report().rows),
        columns: columns(&opened.schema()),
        ..Description::default()
    })
}

async fn in_pond(context: &Context, view: &View, found: NodePath) -> Result<Description> {
    let fail = || format!("cannot describe `{}`", found.path);
    let entry_type = found.node.entry_type;
    let mut description = Description {
        path: found.path.clone(),
        entry_type: entry_type.to_string(),
        node: Some(found.id().to_string()),
        ..Description::default()
    };
    if entry_type.is_symlink() {
        description.target = Some(view.fs.store().read_link(found.id()).await.or_fail(fail)?);
        return Ok(description);
    }
    description.factory = found.node.factory.clone();
    let limit = node_limits::freshness_s(&found.node.attributes).or_fail(fail)?;
    description.freshness = limit.map(node_limits::limit_text);
    if entry_type.is_directory() {
        description.entries = Some(view.fs.entries(&found.path).await.or_fail(fail)?.len() as u64);
        return Ok(description);
    }
    if !entry_type.is_dynamic() {
        let versions = view.fs.versions(&found.path).await.or_fail(fail)?;
        describe_versions(context, &mut description, &versions, entry_type.is_series());
    }
    if let Some(spec) = SeriesSpec::read_from(&found.node.attributes).or_fail(fail)? {
        description.series = Some(Declaration {
            time_column: spec.time_column,
            time_unit: spec.time_unit.to_string(),
            time_zone: spec.time_zone,
            key: spec.key,
            append: spec.append,
            floor: spec.floor_us.map(time_arg::text),
        });
    }
    if entry_type.is_tabular() {
        let session = context.session(view, crate::context::ALL_TIME)?;
        let facts = session.facts(&found.path).await.or_fail(fail)?;
        description.rows = facts.rows;
        description.rows_exact = facts.rows.map(|_| facts.rows_exact);
        description.quarantined_rows =
            (entry_type == EntryType::Series).then_some(facts.quarantined_rows);
        let bounds = facts.declared_bounds;
        if bounds != TimeBounds::ALL {
            let text = |us: Option<i64>| us.map(time_arg::text);
            description.temporal_bounds =
                Some(Bounds { start: text(bounds.start_us), end: text(bounds.end_us) });
            description.outside_bounds_rows =
                (entry_type == EntryType::Series).then_some(facts.outside_bounds_rows);
        }
        if let Some(computed) = facts.computed {
            description.time_column = computed.time_column;
            description.inputs = computed.inputs;
        }
        description.time_start = facts.time_range.map(|times| time_arg::text(times.min_us));
        description.time_end = facts.time_range.map(|times| time_arg::text(times.max_us));
        description.notes = facts.notes;
        description.columns = facts
            .columns
            .into_iter()
            .map(|column| Column {
                name: column.name,
                data_type: column.data_type,
                nullable: column.nullable,
                unit: column.unit,
            })
            .collect();
    }
    Ok(description)
}

fn describe_versions(
    context: &Context,
    description: &mut Description,
    versions: &[Version],
    is_series: bool,
) {
    description.versions = Some(versions.len() as u64);
    description.all_versions_bytes = Some(versions.iter().map(|one| one.size_bytes).sum());
    if let Some(newest) = versions.last() {
        description.newest_version = Some(newest.number);
        description.size_bytes = Some(newest.size_bytes);
        description.hash = Some(newest.hash.to_string());
        description.written = Some(time_arg::text(newest.written_us));
        description.place = Some(place(context, newest));
    }
    if is_series {
        description.stored_rows = Some(versions.iter().filter_map(|one| one.rows).sum());
    }
}

fn place(context: &Context, version: &Version) -> String {
    match (version.place, &context.global().pond) {
        (Place::Large, Some(pond)) => {
            let hash = version.hash.to_string();
            let file =
                pond.join("data/_large_files").join(&hash[..2]).join(format!("blake3={hash}"));
            file.to_string_lossy().into_owned()
        }
        _ => "inline".to_owned(),
    }
}

fn columns(schema: &arrow::datatypes::Schema) -> Vec<Column> {
    schema
        .fields()
        .iter()
        .map(|field| Column {
            name: field.name().clone(),
            data_type: field.data_type().to_string(),
            nullable: field.is_nullable(),
            unit: field.metadata().get(query::UNIT_KEY).cloned(),
        })
        .collect()
}

fn text(out: &mut Stdout, item: &Description, style: Style) -> Result<()> {
    out.line(&style.heading(quote::terminal(&item.path)))?;
    let mut table = TextTable::new("<<").indented(2);
    let mut line = |name: &str, value: Option<String>| {
        if let Some(value) = value {
            table.push([style.faint(name), quote::terminal(&value).into_owned()]);
        }
    };
    line("type", Some(item.entry_type.clone()));
    line("factory", item.factory.clone());
    line("inputs", (!item.inputs.is_empty()).then(|| item.inputs.join(", ")));
    line("time column", item.time_column.clone());
    line("points to", item.target.clone());
    line("entries", item.entries.map(quantity::count));
    line(
        "versions",
        item.versions.zip(item.newest_version).map(|(kept, newest)| {
            if kept == newest {
                quantity::count(kept)
            } else {
                format!("{kept} kept, the newest is {newest}")
            }
        }),
    );
    line(
        "size",
        item.size_bytes.map(|size| {
            let all = item.all_versions_bytes.unwrap_or(size);
            let size = match size {
                0..1024 => quantity::bytes(size),
                _ => format!("{} ({} bytes)", quantity::bytes(size), quantity::count(size)),
            };
            if item.versions == Some(1) {
                size
            } else {
                format!("{size}, all versions {}", quantity::bytes(all))
            }
        }),
    );
    line(
        "rows",
        item.rows.map(|rows| {
            let most = if item.rows_exact == Some(false) { "at most " } else { "" };
            match item.stored_rows {
                Some(stored) if stored != rows => {
                    format!("{most}{} ({} stored)", quantity::count(rows), quantity::count(stored))
                }
                _ => format!("{most}{}", quantity::count(rows)),
            }
        }),
    );
    line(
        "left out",
        item.quarantined_rows
            .filter(|rows| *rows > 0)
            .map(|rows| format!("{} before the floor", quantity::counted(rows, "row"))),
    );
    if let Some(bounds) = &item.temporal_bounds {
        let outside = item.outside_bounds_rows.filter(|rows| *rows > 0).map(|rows| {
            let rows = quantity::counted(rows, "row");
            format!("; {rows} outside are left out")
        });
        let open = || "..".to_owned();
        let start = bounds.start.clone().unwrap_or_else(open);
        let end = bounds.end.clone().unwrap_or_else(open);
        line("bounds", Some(format!("{start} to {end}{}", outside.unwrap_or_default())));
    }
    line("freshness", item.freshness.as_ref().map(|limit| format!("late after {limit}")));
    line(
        "times",
        item.time_start
            .clone()
            .zip(item.time_end.clone())
            .map(|(start, end)| format!("{start} to {end}")),
    );
    if let Some(series) = &item.series {
        line("time column", Some(format!("{} ({})", series.time_column, series.time_unit)));
        line("time zone", series.time_zone.clone());
        line("key", Some(series.key.join(", ")));
        line("append", series.append.then(|| "every row counts, even for equal keys".to_owned()));
        line("floor", Some(series.floor.clone().unwrap_or_else(|| "none".to_owned())));
    }
    line("written", item.written.clone());
    line("bytes lie", item.place.clone());
    line("blake3", item.hash.clone());
    line("node", item.node.clone());
    table.print(out)?;
    if !item.columns.is_empty() {
        out.line(&style.faint("  columns"))?;
        let mut table = TextTable::new("<<<<").indented(4);
        for column in &item.columns {
            table.push([
                quote::terminal(&column.name).into_owned(),
                column.data_type.clone(),
                if column.nullable { String::new() } else { "not null".to_owned() },
                column.unit.clone().unwrap_or_default(),
            ]);
        }
        table.print(out)?;
    }
    for note in &item.notes {
        out.line(&format!("  note: {}", quote::terminal(note)))?;
    }
    Ok(())
}
