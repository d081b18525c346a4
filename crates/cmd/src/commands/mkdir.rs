//! `pond mkdir`: directories.

use clap::Args;
use tinyfs::{Fs, WriteStore};

use crate::args;
use crate::context::Context;
use crate::error::{CommandError, OrFail as _, Result};
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
                made += missing(fs, path, args.parents).await?;
                if args.parents {
                    fs.create_dir_all(path).await.or_fail(|| format!("cannot make `{path}`"))?;
                } else {
                    fs.create_dir(path).await.map_err(|error| {
                        let error =
                            CommandError::failure(format!("cannot make the directory `{path}`"))
                                .because(error);
                        if matches!(error.find(), Some(tinyfs::Error::NotFound { .. })) {
                            error.hint("`pond mkdir -p` makes what is missing on the way")
                        } else {
                            error
                        }
                    })?;
                }
            }
            Ok(made)
        })
        .await?;
    context.say(&format!("{} made", quantity::counted(made, "directory")));
    Ok(())
}

/// How many directories are to be made for this one to be there.
async fn missing(fs: &Fs<dyn WriteStore>, path: &str, parents: bool) -> Result<u64> {
    // The path, and each directory on the way to it. Those that are there come
    // last: it is enough to look where they begin, however deep the path is.
    let path = Some(path.trim_end_matches('/')).filter(|path| !path.is_empty());
    let mut ways: Vec<&str> = path.into_iter().collect();
    while let Some(parent) = ways.last().and_then(|path| tinyfs::path::parent(path))
        && parents
    {
        ways.push(parent);
    }
    let (mut absent, mut there) = (0, ways.len());
    while absent < there {
        let at = absent + (there - absent) / 2;
        let path = ways[at];
        if fs.exists(path).await.or_fail(|| format!("cannot make `{path}`"))? {
            there = at;
        } else {
            absent = at + 1;
        }
    }
    Ok(absent as u64)
}
