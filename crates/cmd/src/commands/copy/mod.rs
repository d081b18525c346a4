//! `pond copy`: files in, out, and from one place in the pond to another.
//!
//! Always true: everything one command copies into the pond is one
//! transaction, all or nothing; a host file is there whole or not at all; what
//! leaves the pond is checked against its hash.

pub(super) mod declared;
mod host_tree;
mod host_write;
mod incoming;
mod into;
mod out;
mod outgoing;
mod report;

pub(crate) use host_write::write_host_file;
pub(crate) use out::series_bytes;
pub(super) use report::Tally;
pub(crate) use report::tell;

use std::ffi::OsString;

use clap::Args;

use crate::args::AsOfArg;
use crate::context::Context;
use crate::error::{CommandError, Result};
use crate::host::Operand;
use crate::table_args::{SeriesArgs, TableArgs};

/// Copy files into the pond, out of it, or inside it
///
/// Into the pond: host:FILE is taken as bytes; [host+]FORMAT+table:FILE becomes
/// a table, +series a series. Copying onto a file adds a version; onto a series
/// it appends one. Several sources, or a DEST that is a directory, copy into
/// that directory; there a table or series is named after its file with the
/// extension .table or .series. One command is one transaction: all or nothing.
///
/// Out of the pond: DEST is host:FILE, host:DIR/, or -. The files of a glob
/// keep their place below the glob's own directory. A table goes out as its
/// Parquet file, a series as one Parquet file of all its rows; with
/// DEST as host+csv:FILE (or json, ndjson, parquet) rows are converted.
///
/// In a directory that is copied, symbolic links that stay inside it are kept
/// as links on the way in; on the way out, links to files become files.
#[derive(Args, Debug)]
#[command(
    visible_alias = "cp",
    after_help = "\
Examples:
  pond copy host:notes.txt /docs/notes.txt
  pond copy -r host:/data/reports /archive
  pond copy host+series:///data/readings.parquet /sensors/a.series
  pond copy host+csv+series:///data/dock.csv /sensors/dock.series \\
      --time-column Timestamp --time-format '%m/%d/%Y %H:%M' --time-zone America/Los_Angeles
  pond copy host+csv+gzip+table:sites.csv.gz /tables/sites.table
  sensor-dump | pond copy - /raw/dump.bin
  pond copy /docs/notes.txt host:notes.txt
  pond copy '/sensors/**/*.series' host:export/
  pond copy --as-of 41 /docs/notes.txt -
  pond copy /sensors/dock.series host+csv:dock.csv"
)]
pub(crate) struct CopyArgs {
    /// What to copy, and last where to
    #[arg(required = true, num_args = 2.., value_names = ["SOURCE", "DEST"], add = crate::args::pond_path())]
    operands: Vec<OsString>,
    /// Copy directories with all that is in them
    #[arg(short, long)]
    recursive: bool,
    /// Make missing directories on the way to DEST
    #[arg(short, long)]
    parents: bool,
    /// Say what would be copied and stop there
    #[arg(short = 'n', long)]
    dry_run: bool,
    /// Parquet that is kept as it came: decode every column before it is taken
    ///
    /// Without it the footer is read, and for a series the time column. A changed
    /// bit that still decodes can not be seen: Parquet files carry no sums of
    /// their values.
    #[arg(long)]
    check: bool,
    /// Going out: files keep their path below this directory
    #[arg(long, value_name = "DIR")]
    strip_prefix: Option<String>,
    /// Going out: the stored bytes of version N
    #[arg(long, value_name = "N")]
    version: Option<u64>,
    #[command(flatten)]
    as_of: AsOfArg,
    #[command(flatten)]
    table: TableArgs,
    #[command(flatten)]
    series: SeriesArgs,
}

/// Copies.
pub(crate) async fn run(context: &Context, args: &CopyArgs) -> Result<()> {
    let mut operands =
        args.operands.iter().map(|operand| Operand::parse(operand)).collect::<Result<Vec<_>>>()?;
    let Some(dest) = operands.pop() else {
        return Err(CommandError::usage("copy needs a source and a destination"));
    };
    match dest {
        Operand::Pond(dest) => into::run(context, args, operands, &dest).await,
        outside => out::run(context, args, operands, outside).await,
    }
}
