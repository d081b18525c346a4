//! `pond set-temporal-bounds`: which times of a series queries see.

use clap::Args;

use crate::context::Context;
use crate::error::{CommandError, Result};
use crate::node_limits::{self, NodeLimits};
use crate::{args, time_arg};

/// Say which times of a series queries see
///
/// Rows outside the bounds stay where they are, and no query sees them: not
/// `sql`, not `cat`, not `copy` out of the pond, nor anything that is computed
/// from the series. Both bounds count as inside. What is not said stays as it
/// is; `pond describe` shows it, and how many rows lie outside.
///
/// The bounds are of the series, stored or computed, and of the newest state
/// on: `--as-of` an earlier one shows what was seen then.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  pond set-temporal-bounds /sensors/dock.series --start 2024-04-01
  pond set-temporal-bounds /sensors/dock.series --end 2026-03-01T12:00:00-08:00
  pond set-temporal-bounds /sensors/dock.series --clear")]
pub(crate) struct SetTemporalBoundsArgs {
    /// A series
    #[arg(value_name = "PATH", add = args::pond_path())]
    path: String,
    /// The first time that is seen
    #[arg(long, value_name = "TIME", value_parser = time_arg::parse_time)]
    start: Option<i64>,
    /// The last time that is seen
    #[arg(long, value_name = "TIME", value_parser = time_arg::parse_time)]
    end: Option<i64>,
    /// Take away the bounds that are not given here
    #[arg(long)]
    clear: bool,
}

/// Says it.
pub(crate) async fn run(context: &Context, args: &SetTemporalBoundsArgs) -> Result<()> {
    if args.start.is_none() && args.end.is_none() && !args.clear {
        return Err(CommandError::usage("no bounds are given")
            .hint("--start TIME, --end TIME, or --clear to take them away"));
    }
    let (before, after) = context
        .write(async |fs| {
            let mut bounds = (args.start, args.end);
            if !args.clear {
                let (start, end) = node_limits::bounds(fs, &args.path).await?;
                bounds = (bounds.0.or(start), bounds.1.or(end));
            }
            if let (Some(start), Some(end)) = bounds
                && end < start
            {
                let (start, end) = (time_arg::text(start), time_arg::text(end));
                let what = format!("bounds from {start} to {end} let no time through");
                return Err(CommandError::bad_input(what)
                    .hint("give both --start and --end, or --clear the one that is there"));
            }
            let limits = NodeLimits { bounds: Some(bounds), ..NodeLimits::default() };
            node_limits::say(fs, &args.path, limits).await
        })
        .await?;
    if before == after {
        context.say(&format!("{} has these bounds already", args.path));
        return Ok(());
    }
    let bounds: Vec<&str> =
        after.lines().filter(|line| line.starts_with("temporal_bounds.")).collect();
    if bounds.is_empty() {
        context.say(&format!("{} has no bounds", args.path));
    }
    for line in bounds {
        context.say(&format!("{}: {line}", args.path));
    }
    Ok(())
}
