//! `pond run`: computed nodes do what they do.
//!
//! Always true: a node that fails is told of with its path and does not stop
//! the others; each sees the pond as it is when its turn comes.

use std::sync::Arc;

use clap::Args;
use factory::{Registry, RunContext, RunReport};
use steward::Pond;
use tinyfs::{Fs, NodePath};

use crate::args;
use crate::context::Context;
use crate::doors::{HostEnv, PondDoors};
use crate::error::{CommandError, OrFail as _, Result};
use crate::{quantity, quote};

/// What runs where nobody says.
const RUN_DIRECTORY: &str = "/system/run";

/// Run computed nodes
///
/// A node that `pond factory list --format json` shows as one that runs does
/// what it does; of a directory all of them that are in it, in the order of
/// their names; without a path those in /system/run, where links to nodes may
/// stand. A `temporal-reduce` brings the tiles that it keeps up to date, so
/// that who reads it next does not wait for that.
///
/// A node that fails does not stop the others; the exit code is then not 0.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  pond run /reduced
  pond mkdir -p /system/run && pond ln -s /reduced /system/run/10-reduced
  pond run                                       for cron, after what collects")]
pub(crate) struct RunArgs {
    /// A computed node, or a directory of them [default: /system/run]
    #[arg(value_name = "PATH", add = args::pond_path())]
    path: Option<String>,
    /// What the node is told
    #[arg(value_name = "ARGS", trailing_var_arg = true)]
    args: Vec<String>,
}

/// Something that is to run.
struct Turn {
    /// What it is called where it was found.
    path: String,
    /// The node, links followed.
    found: tinyfs::Result<NodePath>,
}

/// Runs them.
pub(crate) async fn run(context: &Context, args: &RunArgs) -> Result<()> {
    let pond = context.open().await?;
    let Some(turns) = turns(context, &pond, args).await? else { return Ok(()) };
    let mut failed = 0;
    let alone = turns.len() == 1;
    let count = turns.len() as u64;
    for turn in turns {
        let mut errors = one(context, &pond, turn, &args.args).await;
        if alone && errors.len() <= 1 {
            return errors.pop().map_or(Ok(()), Err);
        }
        failed += u64::from(!errors.is_empty());
        for error in errors {
            error.print(context.error_style());
        }
    }
    if failed == 0 {
        return Ok(());
    }
    let of = quantity::counted(count, "node");
    Err(CommandError::failure(format!("{failed} of {of} failed"))
        .hint("the others did what they do; what failed is named above"))
}

/// What is to run; `None` when that is nothing, which has been said.
async fn turns(context: &Context, pond: &Pond, args: &RunArgs) -> Result<Option<Vec<Turn>>> {
    let view = context.view(pond, None).await?;
    let path = args.path.as_deref().unwrap_or(RUN_DIRECTORY);
    let found = match view.fs.resolve(path).await {
        Ok(found) => found,
        Err(error) if error.is_absence() && args.path.is_none() => {
            context.say(&format!("nothing is declared in {RUN_DIRECTORY}"));
            return Ok(None);
        }
        Err(error) => {
            return Err(CommandError::failure(format!("cannot run `{path}`")).because(error));
        }
    };
    if !found.node.entry_type.is_directory() || runs(view.computer.registry(), &found)? {
        return Ok(Some(vec![Turn { path: found.path.clone(), found: Ok(found) }]));
    }
    if !args.args.is_empty() {
        let shown = quote::shell(&found.path).into_owned();
        return Err(CommandError::usage("what follows the path is told to one node alone")
            .hint(format!("`pond list {shown}` shows the nodes")));
    }
    let turns = within(context, &view.fs, view.computer.registry(), &found.path).await?;
    if turns.is_empty() {
        context.say(&match args.path {
            None => format!("nothing is declared in {RUN_DIRECTORY}"),
            Some(_) => format!("nothing in {} does anything when it is run", found.path),
        });
        return Ok(None);
    }
    Ok(Some(turns))
}

/// The entries of a directory that do something when they are run, or of which
/// that can not be said, in the order of their names.
async fn within(context: &Context, fs: &Fs, registry: &Registry, dir: &str) -> Result<Vec<Turn>> {
    let entries = fs.entries(dir).await.or_fail(|| format!("cannot list `{dir}`"))?;
    let mut names: Vec<_> = entries.into_iter().map(|entry| entry.name).collect();
    names.sort_unstable();
    let mut turns = Vec::new();
    for name in names {
        let path = tinyfs::path::join(dir, name.as_str());
        let found = fs.resolve(&path).await;
        // An unknown factory is told of when its turn comes.
        let idle = found.as_ref().is_ok_and(|found| matches!(runs(registry, found), Ok(false)));
        if idle {
            context.detail(&format!("{path}: does nothing when it is run"));
        } else {
            turns.push(Turn { path, found });
        }
    }
    Ok(turns)
}

/// Whether this is a computed node that does something.
fn runs(registry: &Registry, found: &NodePath) -> Result<bool> {
    let Some(name) = found.node.factory.as_deref() else { return Ok(false) };
    let factory = registry.get(name);
    Ok(factory.or_fail(|| format!("cannot run `{}`", found.path))?.about().runs)
}

/// Runs one node, says what it did, and returns what failed.
async fn one(context: &Context, pond: &Pond, turn: Turn, args: &[String]) -> Vec<CommandError> {
    let Turn { path, found } = turn;
    let cannot = || format!("cannot run `{path}`");
    let found = match found.or_fail(cannot) {
        Ok(found) => found,
        Err(error) => return vec![error],
    };
    // What does nothing, or is not known, is told of and leaves no record.
    let is_recorded = matches!(runs(&derived::registry(), &found), Ok(true));
    if is_recorded {
        pond.note_run_began(found.id(), &found.path);
    }
    let errors = match report(context, pond, &found, args, cannot).await {
        Ok(report) => tell(context, &path, report),
        Err(error) => vec![error],
    };
    if is_recorded {
        let failure = errors.first().map(|error| error.texts().join(": "));
        pond.note_run_ended(found.id(), failure.as_deref());
    }
    errors
}

/// Says what a run did, and returns what failed of it.
fn tell(context: &Context, path: &str, report: RunReport) -> Vec<CommandError> {
    for line in &report.lines {
        context.say(&format!("{path}: {line}"));
    }
    if report.lines.is_empty() && report.failures.is_empty() {
        context.say(&format!("{path}: there is nothing to do"));
    }
    let failures = report.failures.into_iter();
    failures
        .map(|(what, cause)| {
            CommandError::failure(format!("the run of `{path}` failed for `{what}`")).because(cause)
        })
        .collect()
}

async fn report(
    context: &Context,
    pond: &Pond,
    found: &NodePath,
    args: &[String],
    cannot: impl Fn() -> String,
) -> Result<RunReport> {
    let Some(name) = found.node.factory.as_deref() else {
        let is = found.node.entry_type;
        return Err(CommandError::usage(format!(
            "`{}` is a {is} that is stored: it does nothing when it is run",
            found.path
        )));
    };
    let registry = derived::registry();
    let factory = Arc::clone(registry.get(name).or_fail(&cannot)?);
    let clock = Arc::clone(&context.environment().clock);
    let (doors, temp_dir) = (PondDoors::new(context, pond), context.temp_dir());
    let now_us = move || clock.now_us();
    let run = factory.run(RunContext {
        path: &found.path,
        node: found.id(),
        args,
        doors: &doors,
        env: &HostEnv,
        now_us: &now_us,
        temp_dir: &temp_dir,
        monitor: context.monitor(),
    });
    run.await.or_fail(cannot)
}
