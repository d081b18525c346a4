//! `pond rm`: names taken away.

use clap::Args;
use futures::future::BoxFuture;
use tinyfs::{Fs, NodePath};

use crate::args;
use crate::context::Context;
use crate::error::{CommandError, OrFail as _, Result};
use crate::{node_limits, quantity, quote};

/// Remove entries
///
/// The names go; the history keeps what they stood for until
/// `pond maintain --prune`, so `--as-of` still shows it. A symbolic link is
/// removed itself, never what it points to.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  pond rm /inbox/old.csv
  pond rm -r --dry-run '/scratch/*'
  pond copy --as-of 41 /inbox/old.csv host:old.csv      get back what transaction 42 removed")]
pub(crate) struct RmArgs {
    /// What to remove; paths or globs
    #[arg(required = true, value_name = "PATH", add = args::pond_path())]
    paths: Vec<String>,
    /// Remove directories with all that is in them
    #[arg(short, long)]
    recursive: bool,
    /// Say what would be removed and stop there
    #[arg(short = 'n', long)]
    dry_run: bool,
}

/// Removes them.
pub(crate) async fn run(context: &Context, args: &RmArgs) -> Result<()> {
    if args.dry_run {
        let view = context.read(None).await?;
        let mut out = crate::output::Stdout::new();
        let mut count = 0;
        for top in plan(&view.fs, args).await? {
            for path in everything(&view.fs, top).await? {
                out.line(&quote::terminal(&path))?;
                count += 1;
            }
        }
        out.finish()?;
        context.say(&format!("dry run: {} would be removed", quantity::counted(count, "entry")));
        return Ok(());
    }
    let count = context
        .write(async |fs| {
            let mut count = 0;
            for top in plan(&fs.read_only(), args).await? {
                count += fs
                    .remove_all(&top.path)
                    .await
                    .or_fail(|| format!("cannot remove `{}`", top.path))?;
            }
            Ok(count)
        })
        .await?;
    context.say(&format!("{} removed", quantity::counted(count, "entry")));
    Ok(())
}

/// What the operands name, none of it inside another.
async fn plan(fs: &Fs, args: &RmArgs) -> Result<Vec<NodePath>> {
    let mut tops: Vec<NodePath> = Vec::new();
    for path in &args.paths {
        match super::expand(fs, path).await {
            Ok(found) => tops.extend(found),
            Err(error) => {
                return Err(node_limits::refuse_computed(fs, path).await.unwrap_or(error));
            }
        }
    }
    for top in &tops {
        if let Some(error) = node_limits::refuse_computed(fs, &top.path).await {
            return Err(error);
        }
    }
    tops.sort_by(|a, b| a.path.cmp(&b.path));
    tops.dedup_by(|a, b| a.path == b.path);
    let mut kept: Vec<NodePath> = Vec::new();
    for top in tops {
        let inside = kept.iter().any(|above| {
            top.path.strip_prefix(&above.path).is_some_and(|rest| rest.starts_with('/'))
        });
        if !inside {
            kept.push(top);
        }
    }
    for top in &kept {
        if top.node.entry_type.is_directory() && !args.recursive {
            return Err(CommandError::failure(format!("`{}` is a directory", top.path)).hint(
                format!("pond rm -r {} removes it with all that is in it", quote::shell(&top.path)),
            ));
        }
    }
    Ok(kept)
}

/// The paths that go with `top`, itself last.
fn everything(fs: &Fs, top: NodePath) -> BoxFuture<'_, Result<Vec<String>>> {
    Box::pin(async move {
        let mut paths = Vec::new();
        if top.node.entry_type.is_directory() {
            let inside =
                fs.list(&top.path).await.or_fail(|| format!("cannot list `{}`", top.path))?;
            for entry in inside {
                paths.extend(everything(fs, entry).await?);
            }
        }
        paths.push(top.path);
        Ok(paths)
    })
}
