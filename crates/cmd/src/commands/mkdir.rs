//! `pond mkdir`: directories.

use clap::Args;

use crate::args;
use crate::context::Context;
use crate::error::{OrFail as _, Result};
use crate::quantity;

/// Make directories
///
/// All of one command are made in one transaction.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  pond mkdir /sensors /tables
  pond mkdir -p /sites/noyo/raw")]
pub(crate) struct MkdirArgs {
    /// The directories
    #[arg(required = true, value_name = "PATH", add = args::pond_path())]
    paths: Vec<String>,
    /// Make what is missing on the way; what exists is no error
    #[arg(short, long)]
    parents: bool,
}

/// Makes them.
pub(crate) async fn run(context: &Context, args: &MkdirArgs) -> Result<()> {
    let made = context
        .write(async |fs| {
            let mut made = 0;
            for path in &args.paths {
                let before = fs.exists(path).await.or_fail(|| format!("cannot make `{path}`"))?;
                if args.parents {
                    fs.create_dir_all(path).await.or_fail(|| format!("cannot make `{path}`"))?;
                } else {
                    fs.create_dir(path).await.map_err(|error| {
                        let error = crate::error::CommandError::failure(format!(
                            "cannot make the directory `{path}`"
                        ))
                        .because(error);
                        if matches!(error.find(), Some(tinyfs::Error::NotFound { .. })) {
                            error.hint("`pond mkdir -p` makes what is missing on the way")
                        } else {
                            error
                        }
                    })?;
                }
                made += u64::from(!before);
            }
            Ok(made)
        })
        .await?;
    context.say(&format!("{} made", quantity::counted(made, "directory")));
    Ok(())
}
