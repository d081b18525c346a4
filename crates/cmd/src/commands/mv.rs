//! `pond mv`: other names for what is there.

use clap::Args;
use tinyfs::{Fs, WriteStore};

use crate::args;
use crate::context::Context;
use crate::error::{CommandError, OrFail as _, Result};
use crate::{quantity, quote};

/// Move or rename entries
///
/// A move keeps every version. Several sources, or a DEST that is a directory,
/// move into that directory. What is at the new name already is left alone
/// unless --force says to replace it, which only replaces files and links.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  pond mv /sensors/dok.series /sensors/dock.series
  pond mv '/inbox/*.csv' /archive
  pond mv --dry-run '/inbox/*' /archive")]
pub(crate) struct MvArgs {
    /// What to move; paths or globs
    #[arg(required = true, value_name = "SOURCE", add = args::pond_path())]
    sources: Vec<String>,
    /// The new name, or the directory to move into
    #[arg(value_name = "DEST", add = args::pond_path())]
    dest: String,
    /// Replace files and links that have the new name
    #[arg(short, long)]
    force: bool,
    /// Say what would be moved and stop there
    #[arg(short = 'n', long)]
    dry_run: bool,
}

struct Move {
    from: String,
    to: String,
    replaces: bool,
}

/// Moves them.
pub(crate) async fn run(context: &Context, args: &MvArgs) -> Result<()> {
    if args.dry_run {
        let view = context.read(None).await?;
        let moves = plan(&view.fs, args).await?;
        show(&moves)?;
        context.say(&format!(
            "dry run: {} would move",
            quantity::counted(moves.len() as u64, "entry")
        ));
        return Ok(());
    }
    let moves = context
        .write(async |fs| {
            let moves = plan(&fs.read_only(), args).await?;
            for one in &moves {
                apply(fs, one).await?;
            }
            Ok(moves)
        })
        .await?;
    for one in &moves {
        context.detail(&format!("{} -> {}", one.from, one.to));
    }
    context.say(&format!("{} moved", quantity::counted(moves.len() as u64, "entry")));
    Ok(())
}

async fn plan(fs: &Fs, args: &MvArgs) -> Result<Vec<Move>> {
    let mut sources = Vec::new();
    for source in &args.sources {
        sources.extend(super::expand(fs, source).await?);
    }
    let into_directory = args.dest.ends_with('/') || super::is_directory(fs, &args.dest).await?;
    if sources.len() > 1 && !into_directory {
        return Err(CommandError::usage(format!(
            "{} entries can not all be called `{}`",
            sources.len(),
            args.dest
        ))
        .hint(format!("pond mkdir {}", quote::shell(&args.dest))));
    }
    let mut moves = Vec::new();
    for source in sources {
        let to = if into_directory {
            tinyfs::path::join(args.dest.trim_end_matches('/'), source.name())
        } else {
            args.dest.clone()
        };
        let replaces = match fs.resolve_link(&to).await {
            Ok(found) if found.id() == source.id() => {
                return Err(CommandError::failure(format!(
                    "`{}` is at `{to}` already",
                    source.path
                )));
            }
            Ok(found) if found.node.entry_type.is_directory() => {
                return Err(CommandError::failure(format!("cannot move `{}`", source.path))
                    .because(tinyfs::Error::AlreadyExists { path: to }));
            }
            Ok(_) if !args.force => {
                return Err(CommandError::failure(format!("cannot move `{}`", source.path))
                    .because(tinyfs::Error::AlreadyExists { path: to })
                    .hint("`pond mv --force` replaces it; its versions stay in the history"));
            }
            Ok(_) => true,
            // Absence is what a move hopes for; a missing directory shows when it is made.
            Err(tinyfs::Error::NotFound { .. }) => false,
            Err(error) => {
                return Err(CommandError::failure(format!("cannot move to `{to}`")).because(error));
            }
        };
        moves.push(Move { from: source.path, to, replaces });
    }
    Ok(moves)
}

async fn apply(fs: &Fs<dyn WriteStore>, one: &Move) -> Result<()> {
    let fail = || format!("cannot move `{}` to `{}`", one.from, one.to);
    if one.replaces {
        fs.remove(&one.to).await.or_fail(fail)?;
    }
    fs.rename(&one.from, &one.to).await.or_fail(fail)
}

fn show(moves: &[Move]) -> Result<()> {
    let mut out = crate::output::Stdout::new();
    for one in moves {
        let note = if one.replaces { " (replaces what is there)" } else { "" };
        out.line(&format!("{} -> {}{note}", quote::terminal(&one.from), quote::terminal(&one.to)))?;
    }
    out.finish()
}
