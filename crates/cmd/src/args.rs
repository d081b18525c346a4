//! The command line: options of every verb, and which verbs there are.
//!
//! Each verb's own arguments live beside what it does, in `commands`.

use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Parser, Subcommand};
use clap_complete::engine::ArgValueCompleter;
use steward::AsOf;

use crate::commands as verbs;
use crate::complete;
use crate::error::EXIT_CODES;
use crate::output::{ColorChoice, ListFormat, RowFormat, RowLimit};
use crate::quantity;
use crate::time_arg;

const AFTER_HELP: &str = "\
Examples:
  pond demo                                      a pond of real data, made step by step
  pond init --pond /srv/pond                     make a pond
  export POND=/srv/pond                          use it from here on
  pond copy host+csv+series:///data/dock.csv /sensors/dock.series --time-column Time
  pond list -l '/**/*.series'
  pond sql \"SELECT count(*) FROM '/sensors/dock.series'\"
  pond log";

const AFTER_LONG_HELP: &str = "\
Names:
  /sensors/dock.series       a path in the pond; also a glob: '/sensors/*.series', '/**/*.csv'
  host:///abs/x, host:rel/x  a file of this machine, as bytes
  host+csv:///abs/x.csv      a file of this machine, as a table:
                             [host+]FORMAT[+zstd|gzip|bzip2][+table|series]:PATH
  -                          stdin or stdout
FORMAT is csv, json (one array or object), ndjson (one object a line), parquet,
jsonlogs (JSON lines among others), weblog (Common or Combined Log Format), excelhtml
(an HTML table that was saved as .xls) or oteljson (OpenTelemetry metrics as JSON lines,
one row a data point). `pond describe host+FORMAT:FILE` shows the columns.
Times are UTC unless they carry an offset or a zone.

Environment:
  POND          the pond, where --pond does not name it
  NO_COLOR      no colour, whatever the terminal can do
  DUCKPOND_LOG  off, error, warn (default), info or debug: what is logged to stderr
  TMPDIR        where queries spill, where --temp-dir does not say";

/// The whole command line.
#[derive(Debug, Parser)]
#[command(
    name = "pond",
    version,
    about = "A very small data lake: time series, tables and files with every version kept, and SQL over them",
    after_help = AFTER_HELP,
    after_long_help = format!("{AFTER_HELP}\n\n{AFTER_LONG_HELP}\n\n{EXIT_CODES}"),
    subcommand_required = true,
    arg_required_else_help = true,
    max_term_width = 100,
    infer_long_args = false
)]
pub(crate) struct Cli {
    #[command(flatten)]
    pub(crate) global: Global,
    #[command(subcommand)]
    pub(crate) verb: Verb,
}

/// Options that every verb takes.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Global options")]
pub(crate) struct Global {
    /// The pond's directory
    #[arg(long, global = true, env = "POND", value_name = "DIR", value_hint = clap::ValueHint::DirPath)]
    pub(crate) pond: Option<PathBuf>,
    /// Say nothing but errors
    #[arg(short, long, global = true, conflicts_with = "verbose")]
    pub(crate) quiet: bool,
    /// Say more: each file, each skipped row
    #[arg(short, long, global = true)]
    pub(crate) verbose: bool,
    /// When to use colour
    #[arg(long, global = true, value_enum, default_value_t, value_name = "WHEN")]
    pub(crate) color: ColorChoice,
    /// Draw no progress
    #[arg(long, global = true)]
    pub(crate) no_progress: bool,
    /// How long to wait for another writer, such as 30s or 5min [default: the pond's setting]
    #[arg(long, global = true, value_name = "DURATION", value_parser = quantity::parse_duration)]
    pub(crate) lock_timeout: Option<Duration>,
    /// Where queries and writers keep what does not fit in memory
    #[arg(long, global = true, value_name = "DIR", value_hint = clap::ValueHint::DirPath)]
    pub(crate) temp_dir: Option<PathBuf>,
    /// Memory that a query may use before it spills, such as 256MiB
    #[arg(long, global = true, value_name = "SIZE", default_value = "128MiB", value_parser = quantity::parse_bytes)]
    pub(crate) memory_limit: usize,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub(crate) enum Verb {
    Init(verbs::init::InitArgs),
    List(verbs::list::ListArgs),
    Mkdir(verbs::mkdir::MkdirArgs),
    Copy(verbs::copy::CopyArgs),
    Cat(verbs::cat::CatArgs),
    Describe(verbs::describe::DescribeArgs),
    Rm(verbs::rm::RmArgs),
    Mv(verbs::mv::MvArgs),
    Ln(verbs::ln::LnArgs),
    Sql(verbs::sql::SqlArgs),
    Log(verbs::log::LogArgs),
    Show(verbs::show::ShowArgs),
    Diff(verbs::diff::DiffArgs),
    Status(verbs::status::StatusArgs),
    Config(verbs::config::ConfigArgs),
    Fsck(verbs::fsck::FsckArgs),
    Maintain(verbs::maintain::MaintainArgs),
    Recover(verbs::recover::RecoverArgs),
    Plot(verbs::plot::PlotArgs),
    Demo(verbs::demo::DemoArgs),
    Completions(verbs::completions::CompletionsArgs),
    Apply(verbs::apply::ApplyArgs),
    Mknod(verbs::mknod::MknodArgs),
    Factory(verbs::factory::FactoryArgs),
    Run(verbs::run::RunArgs),
    CheckFreshness(verbs::check_freshness::CheckFreshnessArgs),
    SetTemporalBounds(verbs::set_temporal_bounds::SetTemporalBoundsArgs),
    Export(verbs::export::ExportArgs),
    DetectOverlaps(verbs::detect_overlaps::DetectOverlapsArgs),
    #[command(hide = true)]
    Reference(verbs::reference::ReferenceArgs),
}

/// `--as-of`, on every verb that reads.
#[derive(Args, Clone, Copy, Debug)]
pub(crate) struct AsOfArg {
    /// Read the pond as it was after transaction N, or at a time
    #[arg(long, value_name = "N|TIME", value_parser = time_arg::parse_as_of)]
    pub(crate) as_of: Option<AsOf>,
}

/// `--time-start` and `--time-end`.
#[derive(Args, Clone, Copy, Debug)]
pub(crate) struct TimeWindowArgs {
    /// Only rows of series at or after this time
    #[arg(long, value_name = "TIME", value_parser = time_arg::parse_time)]
    pub(crate) time_start: Option<i64>,
    /// Only rows of series at or before this time
    #[arg(long, value_name = "TIME", value_parser = time_arg::parse_time)]
    pub(crate) time_end: Option<i64>,
}

impl TimeWindowArgs {
    /// Whether the command line chose rows by time.
    pub(crate) const fn is_given(&self) -> bool {
        self.time_start.is_some() || self.time_end.is_some()
    }
}

/// `--timeout`, on verbs that query.
#[derive(Args, Clone, Copy, Debug)]
pub(crate) struct TimeoutArg {
    /// Give up when there is no whole answer by then, such as 30s or 5min; in the
    /// shell, by query
    #[arg(long, value_name = "DURATION", value_parser = quantity::parse_duration)]
    pub(crate) timeout: Option<Duration>,
}

/// How rows are printed.
#[derive(Args, Clone, Copy, Debug)]
pub(crate) struct RowFormatArgs {
    /// How rows are printed [default: table on a terminal, csv elsewhere]
    #[arg(long, value_enum, value_name = "FORMAT")]
    pub(crate) format: Option<RowFormat>,
    /// How many rows a table shows: a number or `all` [default: 40 on a terminal, all elsewhere]
    #[arg(long, value_name = "N", value_parser = parse_rows)]
    pub(crate) rows: Option<RowLimit>,
}

/// How a list is printed.
#[derive(Args, Clone, Copy, Debug)]
pub(crate) struct ListFormatArg {
    /// How the list is printed
    #[arg(long, value_enum, value_name = "FORMAT", default_value_t)]
    pub(crate) format: ListFormat,
}

fn parse_rows(text: &str) -> Result<RowLimit, String> {
    if text == "all" {
        return Ok(RowLimit::All);
    }
    match text.parse() {
        Ok(rows) if rows > 0 => Ok(RowLimit::Most(rows)),
        _ => Err(format!("`{text}` is neither a number of rows nor `all`")),
    }
}

/// Completes paths of the pond.
pub(crate) fn pond_path() -> ArgValueCompleter {
    ArgValueCompleter::new(complete::pond_paths)
}

/// Options of all verbs that take a value as a word of its own.
const WITH_VALUE: [&str; 5] =
    ["--pond", "--color", "--lock-timeout", "--temp-dir", "--memory-limit"];

/// The words of the command line, `-v KEY=VALUE` of the verbs that declare
/// written as `--var KEY=VALUE`: everywhere else, `-v` is `--verbose`, and one
/// letter can not be both.
pub(crate) fn with_variables(words: impl IntoIterator<Item = OsString>) -> Vec<OsString> {
    let mut words = words.into_iter().peekable();
    let mut out: Vec<OsString> = words.next().into_iter().collect();
    // The verb is the first word that is no option and no option's value.
    let mut verb = None;
    while let Some(word) = words.next() {
        let text = word.to_str().unwrap_or_default();
        if verb.is_none() {
            let takes = WITH_VALUE.contains(&text);
            if !text.starts_with('-') {
                verb = Some(text.to_owned());
            }
            out.push(word);
            if takes {
                out.extend(words.next());
            }
            continue;
        }
        if text == "--" || !matches!(verb.as_deref(), Some("apply" | "mknod")) {
            out.push(word);
            out.extend(words);
            break;
        }
        // `apply` takes no operands, so that a word after -v is meant to be one
        // even where its value was forgotten, and is told so.
        let takes_operands = verb.as_deref() != Some("apply");
        let is_variable = |word: &OsString| {
            word.to_str().is_some_and(|text| {
                !text.starts_with('-') && (text.contains('=') || !takes_operands)
            })
        };
        if text == "-v" && words.peek().is_some_and(is_variable) {
            out.push("--var".into());
            out.extend(words.next());
        } else if let Some(inside) = text.strip_prefix("-v").filter(|text| text.contains('=')) {
            out.push("--var".into());
            out.push(inside.into());
        } else {
            out.push(word);
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use std::ffi::OsString;

    use super::with_variables;

    fn rewritten(line: &str) -> String {
        let words = with_variables(line.split(' ').map(OsString::from));
        words.iter().map(|word| word.to_string_lossy()).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn variables_are_told_from_verbosity() {
        for (typed, meant) in [
            ("pond apply -f x -v a=1 -v b=2", "pond apply -f x --var a=1 --var b=2"),
            ("pond --pond p apply -va=1 -f x", "pond --pond p apply --var a=1 -f x"),
            ("pond apply -v -f x", "pond apply -v -f x"),
            ("pond apply -f x -v base", "pond apply -f x --var base"),
            ("pond mknod -v f /p", "pond mknod -v f /p"),
            ("pond -v apply -f x", "pond -v apply -f x"),
            ("pond mknod f /p -- -v a=1", "pond mknod f /p -- -v a=1"),
            ("pond --pond apply list -v a=1", "pond --pond apply list -v a=1"),
            ("pond", "pond"),
        ] {
            assert_eq!(rewritten(typed), meant);
        }
    }
}
