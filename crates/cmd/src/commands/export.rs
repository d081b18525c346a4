//! `pond export`: data taken out into files that other programs read.

use std::path::{Path, PathBuf};

use clap::Args;
use derived::export::{ExportError, FileFormat, Report, Request, TableReport, Temporal, What};
use serde::Serialize;

use crate::args::{self, AsOfArg, TimeWindowArgs};
use crate::context::{ALL_TIME, Context, Verify};
use crate::error::{CommandError, Result};
use crate::host::show;
use crate::output::{ListFormat, Stdout, print_object};
use crate::{quantity, quote};

/// Write tables and series to a directory of files, and keep them current
///
/// Each table or series that matches gets a directory, named after its path; its
/// rows go to `data.parquet` in it, or, with --temporal, to Hive partitions:
///
///   DIR/sensors/dock/year=2024/month=03/data.parquet
///
/// The partitions are columns to whoever reads the files (DuckDB, pandas,
/// Spark), so they are not in them. Run again, the same command writes only the
/// partitions in which something has changed, late data included; what is gone
/// from the pond goes from the directory. DIR is the export's own: it has to be
/// new or empty at first, and files of others in it are neither replaced nor
/// removed.
///
/// With --tiles the tiles of a `temporal-reduce` are written, rounded for
/// charts in a browser, and listed in DIR/tiles.json.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  pond export -p /sensors/dock.series --dir out
  pond export -p '/sensors/*.series' --dir out --temporal year,month
  pond export -p '/sensors/*.series' --dir out --temporal year,month --dry-run
  pond export -p '/daily/**' --dir out --temporal year --time-zone Europe/Rome --manifest
  pond export -p '/reduced/**' --dir site/tiles --tiles
  duckdb -c \"SELECT month, count(*) FROM read_parquet('out/sensors/dock/**/*.parquet', hive_partitioning = true) GROUP BY month\"")]
pub(crate) struct ExportArgs {
    /// A path or glob of tables and series; may be repeated
    #[arg(short, long = "pattern", value_name = "PATTERN", required = true, add = args::pond_path())]
    pattern: Vec<String>,
    /// Where to: a directory that is new, empty, or an earlier export
    #[arg(long, value_name = "DIR", value_hint = clap::ValueHint::DirPath)]
    dir: PathBuf,
    /// Cut series into partitions: year | year,month | year,month,day | year,month,day,hour
    #[arg(long, value_name = "UNITS", value_parser = |text: &str| text.parse::<Temporal>())]
    temporal: Option<Temporal>,
    /// The zone in whose calendar they are cut, such as America/Los_Angeles
    #[arg(long, value_name = "ZONE", default_value = "UTC", requires = "temporal", value_parser = zone)]
    time_zone: String,
    /// How rows are written
    #[arg(long, value_enum, value_name = "FORMAT", default_value_t)]
    format: FormatArg,
    #[command(flatten)]
    window: TimeWindowArgs,
    /// The tiles of reductions, for charts in a browser, instead of rows
    #[arg(long, conflicts_with_all = ["temporal", "time_zone", "format", "time_start", "time_end", "manifest"])]
    tiles: bool,
    /// Describe all files in DIR/manifest.json; once there, it is kept current
    #[arg(long)]
    manifest: bool,
    /// Say what would be written and removed, and stop there
    #[arg(short = 'n', long)]
    dry_run: bool,
    /// Compare all content with its hash before it is read
    #[arg(long)]
    verify_reads: bool,
    /// How the report is printed
    #[arg(long, value_enum, value_name = "FORMAT", default_value_t)]
    report: ListFormat,
    #[command(flatten)]
    as_of: AsOfArg,
}

/// `--format` of an export.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
enum FormatArg {
    /// Parquet files, zstd.
    #[default]
    Parquet,
    /// CSV files with a header; null is an empty field.
    Csv,
}

/// An export as `pond export --report json` prints it.
#[derive(Debug, Serialize)]
struct ShownExport<'a> {
    /// Whether it was only planned.
    dry_run: bool,
    /// Each table and series, and the files that were written and removed for
    /// it, by their names below its directory. Of a plan: what may be.
    tables: &'a [TableReport],
    /// The paths that failed. Why is on stderr.
    failed: Vec<&'a str>,
}

fn zone(text: &str) -> Result<String, String> {
    match jiff::tz::TimeZone::get(text) {
        Ok(_) => Ok(text.to_owned()),
        Err(_) => Err(format!(
            "`{text}` is not a zone of the IANA database, such as UTC or America/Los_Angeles"
        )),
    }
}

/// Exports.
pub(crate) async fn run(context: &Context, args: &ExportArgs) -> Result<()> {
    outside_of_the_pond(context.pond_dir()?, &args.dir)?;
    if let (Some(start), Some(end)) = (args.window.time_start, args.window.time_end)
        && start > end
    {
        return Err(CommandError::usage("--time-start is later than --time-end"));
    }
    let view = context.read(args.as_of.as_of).await?;
    let verify = if args.verify_reads { Verify::Whole } else { Verify::Ranges };
    let session = context.session_that(&view, ALL_TIME, verify)?;
    let request = Request {
        patterns: args.pattern.clone(),
        dir: args.dir.clone(),
        what: if args.tiles {
            What::Tiles
        } else {
            What::Rows {
                temporal: args.temporal,
                time_zone: args.time_zone.clone(),
                start_us: args.window.time_start,
                end_us: args.window.time_end,
                format: match args.format {
                    FormatArg::Parquet => FileFormat::Parquet,
                    FormatArg::Csv => FileFormat::Csv,
                },
            }
        },
        manifest: args.manifest,
        dry_run: args.dry_run,
    };
    let dir = show(&args.dir);
    let report = view.computer.export(&session, &request, context.monitor().as_ref()).await;
    let Report { tables, mut failures } =
        report.map_err(|error| failed(format!("cannot export to `{dir}`"), error))?;
    let shown = ShownExport {
        dry_run: args.dry_run,
        tables: &tables,
        failed: failures.iter().map(|(path, _)| path.as_str()).collect(),
    };
    if args.report != ListFormat::Text || args.dry_run || !context.global().quiet {
        print_object(args.report, &shown, text)?;
    }
    summary(context, args, &tables);

    let of = tables.len() + failures.len();
    if failures.len() == 1
        && of == 1
        && let Some((path, error)) = failures.pop()
    {
        return Err(failed(format!("cannot export `{path}`"), error));
    }
    let count = failures.len() as u64;
    for (path, error) in failures {
        failed(format!("cannot export `{path}`"), error).print(context.error_style());
    }
    if count == 0 {
        return Ok(());
    }
    let of = quantity::counted(of as u64, "table");
    Err(CommandError::failure(format!("{count} of {of} failed"))
        .hint("the others are exported; what failed is named above"))
}

/// Refuses to write into the pond's own directory.
fn outside_of_the_pond(pond: &Path, dir: &Path) -> Result<()> {
    // What is not there yet is where its first directory that is there leads,
    // unless it leads back up.
    let missing = dir
        .ancestors()
        .take_while(|dir| !dir.as_os_str().is_empty() && std::fs::symlink_metadata(dir).is_err());
    if missing.into_iter().any(|dir| dir.ends_with("..")) {
        let what = format!("`{}` leads up from a directory that is not there", show(dir));
        return Err(CommandError::usage(what).hint("write the way to it without `..`"));
    }
    let there = dir.ancestors().find_map(|dir| {
        let dir = if dir.as_os_str().is_empty() { Path::new(".") } else { dir };
        std::fs::canonicalize(dir).ok()
    });
    match (there, std::fs::canonicalize(pond)) {
        (Some(there), Ok(pond)) if there.starts_with(&pond) => {
            let what = format!("`{}` lies in the pond's own directory", show(dir));
            Err(CommandError::usage(what).hint("choose a directory outside of it"))
        }
        _ => Ok(()),
    }
}

fn text(out: &mut Stdout, shown: &ShownExport<'_>) -> Result<()> {
    for table in shown.tables {
        out.line(&quote::terminal(&line(table, shown.dry_run)))?;
    }
    Ok(())
}

/// One table for people.
fn line(table: &TableReport, dry_run: bool) -> String {
    let TableReport { path, .. } = table;
    let files = |count: usize| quantity::counted(count as u64, "file");
    if table.gone {
        let removed = files(table.removed.len());
        let what = if dry_run { "to be removed" } else { "removed" };
        return format!("{path}: gone from the pond, {removed} {what}");
    }
    if !table.dirty {
        return format!("{path}: up to date, {}", files(table.kept));
    }
    let mut parts = Vec::new();
    if dry_run && table.whole.is_some() {
        parts.push("all to be written".to_owned());
    } else {
        let what = if dry_run { "to be written" } else { "written" };
        parts.push(format!("{} {what}", files(table.written.len())));
    }
    if !table.removed.is_empty() {
        parts.push(format!("{} removed", table.removed.len()));
    }
    if table.kept > 0 && (!dry_run || table.whole.is_none()) {
        parts.push(format!("{} left as they were", table.kept));
    }
    let mut line = format!("{path}: {}", parts.join(", "));
    if !dry_run {
        line.push_str(&format!(" ({} read)", quantity::counted(table.rows_read, "row")));
    }
    if let Some(whole) = table.whole {
        line.push_str(&format!(": {}", whole.as_str()));
    }
    line
}

fn summary(context: &Context, args: &ExportArgs, tables: &[TableReport]) {
    for table in tables {
        for (what, names) in [("written", &table.written), ("removed", &table.removed)] {
            for name in names {
                context.detail(&format!("{what}: {}/{name}", table.dir));
            }
        }
    }
    if args.dry_run {
        context.say("dry run: nothing was changed");
        return;
    }
    let written: usize = tables.iter().map(|table| table.written.len()).sum();
    let removed: usize = tables.iter().map(|table| table.removed.len()).sum();
    let mut line =
        format!("{} written to {}", quantity::counted(written as u64, "file"), show(&args.dir));
    if removed > 0 {
        line.push_str(&format!(", {removed} removed"));
    }
    context.say(&line);
}

/// An export's error, its kind, and what to do next.
fn failed(what: String, error: ExportError) -> CommandError {
    use ExportError as E;
    let hint = match &error {
        E::Read(_) => None,
        E::NotAnExport { .. } | E::OtherPond { .. } => {
            Some("choose a directory that is empty or not there yet".to_owned())
        }
        E::State { .. } | E::Newer { .. } => {
            Some("move the directory away, or choose another one, and export anew".to_owned())
        }
        E::Busy { .. } => Some("one export at a time writes to a directory: try again".to_owned()),
        E::InTheWay { .. } => Some("move it away, or choose another directory".to_owned()),
        E::NoMatch { pattern } => {
            Some(format!("`pond list {}` shows what matches", quote::shell(pattern)))
        }
        E::NoRows { .. } => {
            Some("pond copy takes files out; a directory's tables are DIR/*".to_owned())
        }
        E::SameDirectory { .. } => Some("export one of them to another directory".to_owned()),
        E::NoTimes { .. } => Some("export tables without --temporal and without times".to_owned()),
        E::PartitionColumn { .. } => {
            Some("rename the column in a view, and export that".to_owned())
        }
        E::NoTiles { .. } => Some(
            "tiles are of what a temporal-reduce makes, such as /reduced/dock/res=1h.series"
                .to_owned(),
        ),
        _ => None,
    };
    let failure = match error {
        E::Read(error) => return CommandError::failure(what).because(*error),
        error @ E::NoMatch { .. } => CommandError::not_found(what).because(error),
        error @ (E::NoRows { .. } | E::NoTimes { .. } | E::NoTiles { .. }) => {
            CommandError::usage(what).because(error)
        }
        error @ (E::SameDirectory { .. }
        | E::PartitionColumn { .. }
        | E::State { .. }
        | E::Encode { .. }) => CommandError::bad_input(what).because(error),
        error => CommandError::failure(what).because(error),
    };
    match hint {
        Some(hint) => failure.hint(hint),
        None => failure,
    }
}
