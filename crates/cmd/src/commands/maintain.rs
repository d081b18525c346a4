//! `pond maintain`: upkeep, now.

use std::time::Duration;

use clap::Args;
use derived::Swept;
use serde::Serialize;
use steward::{MaintainOptions, MaintenanceReport, Pond};

use crate::args::ListFormatArg;
use crate::context::{ALL_TIME, Context};
use crate::error::{CommandError, OrFail as _, Result};
use crate::output::{Stdout, print_object};
use crate::quantity;

/// Do all upkeep that is due, now
///
/// Compaction, merging of small versions of series, a checkpoint, cleaning of
/// the log and removal of files nobody needs also happen by themselves after
/// commits, in slices; here they are done to the end. None of it changes what
/// the pond says. Tiles in the cache that no reduction has any more are removed
/// after a day. With --prune, history older than --keep is dropped for good:
/// look at the plan with --dry-run first.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  pond maintain
  pond maintain --dry-run
  pond maintain --prune --keep 90d --dry-run
  pond maintain --prune --keep 90d")]
pub(crate) struct MaintainArgs {
    /// Drop old history: states of the pond older than --keep
    #[arg(long)]
    prune: bool,
    /// How much history a prune keeps
    #[arg(long, value_name = "DURATION", requires = "prune", value_parser = quantity::parse_duration)]
    keep: Option<Duration>,
    /// Say what would be done and stop there
    #[arg(short = 'n', long)]
    dry_run: bool,
    #[command(flatten)]
    format: ListFormatArg,
}

/// History that a prune keeps unless told otherwise.
const KEEP: Duration = Duration::from_secs(30 * 86_400);

/// Upkeep as `pond maintain --format json` prints it. With --dry-run only
/// `plan` says anything.
#[derive(Debug, Default, Serialize)]
struct ShownUpkeep {
    /// What was planned, in words. Some work only comes due on the way.
    plan: Vec<String>,
    /// Whether it was done.
    done: bool,
    /// Transactions whose history was dropped.
    transactions_pruned: u64,
    /// Runs that small versions of series were merged into.
    series_runs: u64,
    /// Files of the log that were merged.
    log_files_merged: usize,
    /// Checkpoints written.
    checkpoints: usize,
    /// Entries of the log removed.
    log_entries_removed: usize,
    /// Files removed that nothing names.
    files_removed: usize,
    /// Files removed from the cache of tiles.
    tile_files_removed: u64,
    /// Bytes written.
    bytes_written: u64,
    /// Bytes freed.
    bytes_freed: u64,
}

impl ShownUpkeep {
    fn done(plan: Vec<String>, report: &MaintenanceReport, swept: Swept) -> Self {
        Self {
            plan,
            done: true,
            transactions_pruned: report.transactions_pruned,
            series_runs: report.series_runs,
            log_files_merged: report.log_files_merged,
            checkpoints: report.checkpoints,
            log_entries_removed: report.log_entries_removed,
            files_removed: report.files_removed,
            tile_files_removed: swept.files,
            bytes_written: report.bytes_written,
            bytes_freed: report.bytes_freed + swept.bytes,
        }
    }
}

/// Does it.
pub(crate) async fn run(context: &Context, args: &MaintainArgs) -> Result<()> {
    let pond = context.open().await?;
    let options = MaintainOptions { prune_keep: args.prune.then(|| args.keep.unwrap_or(KEEP)) };
    let plan = pond
        .plan_maintenance(options)
        .await
        .or_fail(|| "cannot see what upkeep is due".to_owned())?;
    let mut steps: Vec<String> = plan.steps.iter().map(ToString::to_string).collect();
    if args.dry_run {
        let Swept { files, bytes, .. } = sweep(context, &pond, true).await;
        if files > 0 {
            let (files, bytes) = (quantity::counted(files, "file"), quantity::bytes(bytes));
            steps.push(format!("remove {files} ({bytes}) from the cache of tiles"));
        }
        let shown = ShownUpkeep { plan: steps, ..ShownUpkeep::default() };
        print_object(args.format.format, &shown, plan_text)?;
        context.say("dry run: nothing was changed");
        return Ok(());
    }
    let report = pond
        .perform_maintenance(&plan, &context.intent())
        .await
        .or_fail(|| "upkeep failed".to_owned())?;
    let swept = sweep(context, &pond, false).await;
    print_object(args.format.format, &ShownUpkeep::done(steps, &report, swept), report_text)
}

/// Removes tiles that nothing names. The pond does not depend on them, so that
/// what goes wrong is told and fails nothing.
async fn sweep(context: &Context, pond: &Pond, dry_run: bool) -> Swept {
    let swept = async {
        let view = context.view(pond, None).await?;
        let session = context.session(&view, ALL_TIME)?;
        let swept = view.computer.sweep_tiles(&session, dry_run).await;
        swept.or_fail(|| "the cache of tiles was not looked through".to_owned())
    };
    swept.await.unwrap_or_else(|error: CommandError| {
        context.say(&format!("note: {}", error.texts().join(": ")));
        Swept::default()
    })
}

fn plan_text(out: &mut Stdout, shown: &ShownUpkeep) -> Result<()> {
    for step in &shown.plan {
        out.line(step)?;
    }
    if shown.plan.is_empty() {
        out.line("nothing is due")?;
    }
    Ok(())
}

fn report_text(out: &mut Stdout, shown: &ShownUpkeep) -> Result<()> {
    let count = |n: usize| n as u64;
    let done = [
        (shown.transactions_pruned, "transaction", "pruned"),
        (shown.series_runs, "run", "merged from small versions of series"),
        (count(shown.log_files_merged), "file", "of the log merged"),
        (count(shown.checkpoints), "checkpoint", "written"),
        (count(shown.log_entries_removed), "entry", "of the log removed"),
        (count(shown.files_removed), "file", "removed that nothing names"),
        (shown.tile_files_removed, "file", "removed from the cache of tiles"),
    ];
    let mut any = false;
    for (n, noun, what) in done.into_iter().filter(|(n, ..)| *n > 0) {
        out.line(&format!("{} {what}", quantity::counted(n, noun)))?;
        any = true;
    }
    if !any {
        return out.line("nothing was due");
    }
    out.line(&format!(
        "{} written, {} freed",
        quantity::bytes(shown.bytes_written),
        quantity::bytes(shown.bytes_freed)
    ))
}
