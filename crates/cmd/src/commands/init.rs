//! `pond init`: a pond.

use std::path::PathBuf;

use clap::Args;
use steward::Pond;

use crate::context::{self, Context};
use crate::error::{OrFail as _, Result};
use crate::{host, quote};

/// Make a pond
///
/// The directory is made when it is missing; one that holds anything else is
/// refused. This, restore and demo are the only verbs that make a pond.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  pond init --pond /srv/pond
  POND=/srv/pond pond init --birthplace 'Noyo Harbor'")]
pub(crate) struct InitArgs {
    /// The pond's directory; the same as --pond
    #[arg(value_name = "DIR", value_hint = clap::ValueHint::DirPath)]
    dir: Option<PathBuf>,
    /// Where it was made, for people to read [default: the name of this machine]
    #[arg(long, value_name = "TEXT")]
    birthplace: Option<String>,
}

/// Makes it.
pub(crate) async fn run(context: &Context, args: &InitArgs) -> Result<()> {
    let dir = match &args.dir {
        Some(dir) => dir,
        None => context.pond_dir()?,
    };
    let birthplace = args.birthplace.clone().unwrap_or_else(context::hostname);
    let pond = Pond::init(dir, &birthplace, context.environment().clone())
        .await
        .or_fail(|| format!("cannot make a pond at `{}`", host::show(dir)))?;
    context.say(&format!(
        "made pond {} at {}",
        pond.identity().pond_id,
        quote::shell(&dir.to_string_lossy())
    ));
    Ok(())
}
