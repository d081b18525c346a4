//! `pond plot`: a look at series.
//!
//! The readings of each pixel column are reduced to their least, mean and
//! greatest by the query engine, so that memory follows the picture's width,
//! not the history.

use std::path::PathBuf;

use arrow::array::{Array, ArrayRef, AsArray};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Float64Type, Int64Type, SchemaRef};
use clap::Args;
use jiff::tz::TimeZone;
use query::Session;
use tinyfs::{EntryType, SeriesSpec};

use crate::args::{self, AsOfArg, TimeWindowArgs};
use crate::context::Context;
use crate::error::{CommandError, OrFail as _, Result};
use crate::output::Stdout;
use crate::plot::{Chart, Point, Series, SvgOptions, TerminalOptions, svg, terminal};
use crate::quote;

/// Columns that are drawn when none are named.
const MOST_COLUMNS: usize = 4;

/// Draw series in the terminal, or as an SVG file
///
/// Each column of the picture shows the least, mean and greatest reading of its
/// stretch of time. Columns of one unit share a panel. Without --column, the
/// first columns that hold numbers are drawn.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  pond plot /sensors/dock.series
  pond plot /sensors/dock.series --column level --time-start 2026-03-01 --time-end 2026-03-08
  pond plot /sensors/dock.series --column level --svg dock.svg --zone America/Los_Angeles")]
pub(crate) struct PlotArgs {
    /// The series, or a table with --time-column
    #[arg(required = true, value_name = "PATH", add = args::pond_path())]
    paths: Vec<String>,
    /// A column to draw; may be repeated
    #[arg(short, long = "column", value_name = "COLUMN")]
    columns: Vec<String>,
    /// The column that holds the time, for tables
    #[arg(long, value_name = "COLUMN")]
    time_column: Option<String>,
    #[command(flatten)]
    window: TimeWindowArgs,
    #[command(flatten)]
    as_of: AsOfArg,
    /// Write an SVG file instead of drawing in the terminal
    #[arg(long, value_name = "FILE", value_hint = clap::ValueHint::FilePath)]
    svg: Option<PathBuf>,
    /// Columns of the terminal, or pixels of the SVG
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(20..=10_000))]
    width: Option<u32>,
    /// Lines of the terminal, or pixels of the SVG, of each panel
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(4..=10_000))]
    height: Option<u32>,
    /// Draw with ASCII alone, for terminals without Unicode
    #[arg(long)]
    ascii: bool,
    /// The zone of the time axis [default: the series' own, or UTC]
    #[arg(long, value_name = "ZONE")]
    zone: Option<String>,
    /// The heading [default: the paths]
    #[arg(long, value_name = "TEXT")]
    title: Option<String>,
}

/// One table that is drawn.
struct Source {
    path: String,
    time_column: String,
    zone: Option<String>,
    schema: SchemaRef,
    /// The time as microseconds since 1970 UTC, in SQL.
    time_us: String,
    span_us: Option<(i64, i64)>,
}

/// Draws.
pub(crate) async fn run(context: &Context, args: &PlotArgs) -> Result<()> {
    let view = context.read(args.as_of.as_of).await?;
    let session = context.session(&view, args.window)?;
    let mut sources = Vec::new();
    for path in &args.paths {
        for found in super::expand(&view.fs, path).await? {
            let found =
                view.fs.file(&found.path).await.or_fail(|| format!("cannot plot `{path}`"))?;
            sources.push(source(&session, args, &found).await?);
        }
    }
    let span = sources
        .iter()
        .filter_map(|source| source.span_us)
        .reduce(|a, b| (a.0.min(b.0), a.1.max(b.1)));
    let Some((start, end)) = span else {
        return Err(CommandError::not_found("there are no rows to draw")
            .hint("pond describe PATH shows the times that a series has"));
    };
    let zone = zone(args, &sources)?;
    let buckets = match (args.width, &args.svg) {
        (Some(width), _) => i64::from(width),
        (None, Some(_)) => 900,
        (None, None) => i64::try_from(context.width()).unwrap_or(80) * 2,
    };
    let step_us = ((end - start) / buckets).max(1);
    let several = sources.len() > 1;
    let mut series = Vec::new();
    for source in &sources {
        for column in columns(args, source)? {
            series.push(reduce(&session, source, &column, (start, end), step_us, several).await?);
        }
    }
    if series.is_empty() {
        return Err(CommandError::bad_input("no column of these holds numbers")
            .hint("pond describe PATH shows the columns"));
    }
    let title = args.title.clone().unwrap_or_else(|| {
        sources.iter().map(|source| source.path.as_str()).collect::<Vec<_>>().join(", ")
    });
    let mut chart = Chart::new(title, zone, series);
    chart.span_us = Some((start, end));
    draw(context, args, &chart)
}

fn draw(context: &Context, args: &PlotArgs, chart: &Chart) -> Result<()> {
    if let Some(file) = &args.svg {
        let usual = SvgOptions::default();
        let options = SvgOptions {
            width: args.width.map_or(usual.width, f64::from),
            panel_height: args.height.map_or(usual.panel_height, f64::from),
        };
        super::copy::write_host_file(file, svg(chart, options).as_bytes())?;
        context.say(&format!("chart written to {}", crate::host::show(file)));
        return Ok(());
    }
    let options = TerminalOptions {
        width: args.width.map_or_else(|| context.width(), |width| width as usize),
        height: args.height.map_or(TerminalOptions::default().height, |height| height as usize),
        colour: context.output_style().has_color(),
        ascii: args.ascii,
    };
    let mut out = Stdout::new();
    out.line(terminal(chart, options).trim_end_matches('\n'))?;
    out.finish()
}

async fn source(session: &Session, args: &PlotArgs, found: &tinyfs::NodePath) -> Result<Source> {
    let path = found.path.clone();
    let fail = || format!("cannot plot `{path}`");
    let spec = SeriesSpec::read_from(&found.node.attributes).or_fail(fail)?;
    let schema = session.schema_of(&path).await.or_fail(fail)?;
    let computed = match found.node.entry_type {
        EntryType::DynamicSeries => session.inputs().table(&path).await.or_fail(fail)?.time_column,
        _ => None,
    };
    let declared = spec.as_ref().map(|spec| spec.time_column.as_str()).or(computed.as_deref());
    let time_column = match (&args.time_column, declared) {
        (Some(column), _) => column.clone(),
        (None, Some(column)) => column.to_owned(),
        (None, None) => {
            return Err(CommandError::usage(format!("`{path}` declares no time column"))
                .hint("name it: --time-column COLUMN"));
        }
    };
    check_column(&schema, &time_column, &path)?;
    let time_us = time_us(&schema, &time_column, spec.as_ref());
    let text = format!("SELECT min({time_us}), max({time_us}) FROM {}", quote::sql_name(&path));
    let rows = session.sql(&text).await.or_fail(fail)?;
    let batches = rows.collect().await.or_fail(fail)?;
    let span_us = batches.first().and_then(|batch| {
        // The query casts both to BIGINT.
        let value = |column: usize| {
            let values = batch.column(column).as_primitive::<Int64Type>();
            (!values.is_empty() && values.is_valid(0)).then(|| values.value(0))
        };
        value(0).zip(value(1))
    });
    let zone = spec.and_then(|spec| spec.time_zone);
    Ok(Source { path, time_column, zone, schema, time_us, span_us })
}

/// The time as microseconds since 1970 UTC, in SQL.
fn time_us(schema: &SchemaRef, column: &str, spec: Option<&SeriesSpec>) -> String {
    let name = quote::sql_name(column);
    let is_integer =
        schema.field_with_name(column).is_ok_and(|field| field.data_type().is_integer());
    if is_integer {
        let per_second = match spec.map(|spec| spec.time_unit) {
            Some(tinyfs::TimeUnit::Second) => return format!("CAST({name} AS BIGINT) * 1000000"),
            Some(tinyfs::TimeUnit::Millisecond) => return format!("CAST({name} AS BIGINT) * 1000"),
            Some(tinyfs::TimeUnit::Nanosecond) => "/ 1000",
            _ => "",
        };
        return format!("CAST({name} AS BIGINT) {per_second}");
    }
    format!("CAST(arrow_cast({name}, 'Timestamp(Microsecond, Some(\"UTC\"))') AS BIGINT)")
}

fn check_column(schema: &SchemaRef, column: &str, path: &str) -> Result<()> {
    if schema.field_with_name(column).is_ok() {
        return Ok(());
    }
    let error = CommandError::bad_input(format!("`{path}` has no column `{column}`"));
    let names: Vec<&str> = schema.fields().iter().map(|field| field.name().as_str()).collect();
    Err(match diagnostics::nearest_one(column, names.iter().copied()) {
        Some(near) => error.hint(format!("did you mean `{near}`?")),
        None => error.hint(format!("its columns are {}", names.join(", "))),
    })
}

/// The columns of a source that are drawn.
fn columns(args: &PlotArgs, source: &Source) -> Result<Vec<String>> {
    for column in &args.columns {
        check_column(&source.schema, column, &source.path)?;
        let field = source.schema.field_with_name(column);
        if !field.is_ok_and(|field| is_number(field.data_type())) {
            return Err(CommandError::bad_input(format!(
                "column `{column}` of `{}` does not hold numbers",
                source.path
            )));
        }
    }
    if !args.columns.is_empty() {
        return Ok(args.columns.clone());
    }
    Ok(source
        .schema
        .fields()
        .iter()
        .filter(|field| *field.name() != source.time_column && is_number(field.data_type()))
        .map(|field| field.name().clone())
        .take(MOST_COLUMNS)
        .collect())
}

fn is_number(data_type: &DataType) -> bool {
    data_type.is_numeric() || matches!(data_type, DataType::Boolean)
}

fn zone(args: &PlotArgs, sources: &[Source]) -> Result<TimeZone> {
    let name =
        args.zone.as_deref().or_else(|| sources.iter().find_map(|source| source.zone.as_deref()));
    match name {
        None => Ok(TimeZone::UTC),
        Some(name) => TimeZone::get(name).map_err(|error| {
            CommandError::usage(format!("`{name}` is not a time zone"))
                .because(error)
                .hint("write an IANA name, such as America/Los_Angeles")
        }),
    }
}

/// Least, mean and greatest of each stretch of time.
async fn reduce(
    session: &Session,
    source: &Source,
    column: &str,
    (start, end): (i64, i64),
    step_us: i64,
    several: bool,
) -> Result<Series> {
    let fail = || format!("cannot plot column `{column}` of `{}`", source.path);
    let time = &source.time_us;
    let value = format!("CAST({} AS DOUBLE)", quote::sql_name(column));
    let text = format!(
        "SELECT ({time} - {start}) / {step_us} AS bucket, min({value}), avg({value}), max({value}) \
         FROM {} WHERE {value} IS NOT NULL GROUP BY bucket ORDER BY bucket",
        quote::sql_name(&source.path)
    );
    let mut rows = session.sql(&text).await.or_fail(fail)?;
    let mut points = Vec::new();
    while let Some(batch) = rows.next().await.or_fail(fail)? {
        let bucket = cast(batch.column(0), &DataType::Int64).or_fail(fail)?;
        let bucket = bucket.as_primitive::<Int64Type>();
        let numbers = |at: usize| -> Result<ArrayRef> {
            cast(batch.column(at), &DataType::Float64).or_fail(fail)
        };
        let (min, mean, max) = (numbers(1)?, numbers(2)?, numbers(3)?);
        let (min, mean, max) = (
            min.as_primitive::<Float64Type>(),
            mean.as_primitive::<Float64Type>(),
            max.as_primitive::<Float64Type>(),
        );
        for row in 0..batch.num_rows() {
            // The last bucket reaches beyond the last reading, the axis does not.
            let middle = start + bucket.value(row) * step_us + step_us / 2;
            let time_us = middle.min(end);
            points.push(Point::reduced(time_us, min.value(row), mean.value(row), max.value(row)));
        }
    }
    let field = source.schema.field_with_name(column).or_fail(fail)?;
    let unit = field.metadata().get(query::UNIT_KEY).cloned();
    let name = if several { format!("{} {column}", source.path) } else { column.to_owned() };
    Ok(Series::new(name, unit, points))
}
