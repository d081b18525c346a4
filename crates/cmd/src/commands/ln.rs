//! `pond ln -s`: symbolic links.

use clap::Args;

use crate::args;
use crate::context::Context;
use crate::error::{CommandError, OrFail as _, Result};

/// Make a symbolic link
///
/// The link holds the target as it is written: a target without a leading
/// slash is taken from the link's own directory. It need not exist.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  pond ln -s /sensors/dock-2026.series /sensors/dock.series
  pond ln -s ../raw/a.csv /reports/newest.csv")]
pub(crate) struct LnArgs {
    /// Make a symbolic link; there is no other kind
    #[arg(short, long)]
    symbolic: bool,
    /// Where the link points
    #[arg(value_name = "TARGET", add = args::pond_path())]
    target: String,
    /// The link
    #[arg(value_name = "LINK", add = args::pond_path())]
    link: String,
}

/// Makes it.
pub(crate) async fn run(context: &Context, args: &LnArgs) -> Result<()> {
    if !args.symbolic {
        return Err(CommandError::usage("a pond has symbolic links only").hint(format!(
            "pond ln -s {} {}",
            crate::quote::shell(&args.target),
            crate::quote::shell(&args.link)
        )));
    }
    let (at, dangling) = context
        .write(async |fs| {
            let at = super::place_in(fs, &args.target, &args.link).await?;
            fs.symlink(&args.target, &at)
                .await
                .or_fail(|| format!("cannot make the link `{at}`"))?;
            let dangling = !fs.exists(&at).await.or_fail(|| format!("cannot follow `{at}`"))?;
            Ok((at, dangling))
        })
        .await?;
    context.say(&format!("{at} -> {}", args.target));
    if dangling {
        context.say(&format!("nothing is at {} so far", args.target));
    }
    Ok(())
}
