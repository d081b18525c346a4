//! `pond status`: what pond this is, and how it is.

use clap::Args;

use crate::args::ListFormatArg;
use crate::context::Context;
use crate::error::Result;

/// Say what pond this is and how it is
///
/// Its identity, what is in it, how much room it takes, when it was last
/// written, and what maintenance would do.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  pond status
  pond status --format json | jq .live_bytes")]
pub(crate) struct StatusArgs {
    #[command(flatten)]
    format: ListFormatArg,
}

/// Says it.
pub(crate) async fn run(context: &Context, args: &StatusArgs) -> Result<()> {
    let _ = (context, args.format.format);
    Ok(())
}
