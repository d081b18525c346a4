//! The verbs: one file each.

pub(crate) mod apply;
pub(crate) mod cat;
pub(crate) mod check_freshness;
pub(crate) mod completions;
pub(crate) mod config;
pub(crate) mod copy;
pub(crate) mod demo;
pub(crate) mod describe;
pub(crate) mod detect_overlaps;
pub(crate) mod diff;
pub(crate) mod export;
pub(crate) mod factory;
pub(crate) mod fsck;
pub(crate) mod init;
pub(crate) mod list;
pub(crate) mod ln;
pub(crate) mod log;
pub(crate) mod maintain;
pub(crate) mod mkdir;
pub(crate) mod mknod;
pub(crate) mod mv;
pub(crate) mod plot;
pub(crate) mod recover;
pub(crate) mod reference;
pub(crate) mod rm;
pub(crate) mod run;
pub(crate) mod set_temporal_bounds;
pub(crate) mod show;
pub(crate) mod sql;
pub(crate) mod status;

use tinyfs::{Fs, NodePath, WriteStore};

use crate::args::Verb;
use crate::context::Context;
use crate::error::{CommandError, OrFail as _, Result};

/// Runs one verb.
pub(crate) async fn run(context: &Context, verb: Verb) -> Result<()> {
    match verb {
        Verb::Init(args) => init::run(context, &args).await,
        Verb::List(args) => list::run(context, &args).await,
        Verb::Mkdir(args) => mkdir::run(context, &args).await,
        Verb::Copy(args) => copy::run(context, &args).await,
        Verb::Cat(args) => cat::run(context, &args).await,
        Verb::Describe(args) => describe::run(context, &args).await,
        Verb::Rm(args) => rm::run(context, &args).await,
        Verb::Mv(args) => mv::run(context, &args).await,
        Verb::Ln(args) => ln::run(context, &args).await,
        Verb::Sql(args) => sql::run(context, &args).await,
        Verb::Log(args) => log::run(context, &args).await,
        Verb::Show(args) => show::run(context, &args).await,
        Verb::Diff(args) => diff::run(context, &args).await,
        Verb::Status(args) => status::run(context, &args).await,
        Verb::Config(args) => config::run(context, &args).await,
        Verb::Fsck(args) => fsck::run(context, &args).await,
        Verb::Maintain(args) => maintain::run(context, &args).await,
        Verb::Recover(args) => recover::run(context, &args).await,
        Verb::Plot(args) => plot::run(context, &args).await,
        Verb::Demo(args) => demo::run(context, &args).await,
        Verb::Completions(args) => completions::run(&args),
        Verb::Apply(args) => apply::run(context, &args).await,
        Verb::Mknod(args) => mknod::run(context, &args).await,
        Verb::Factory(args) => factory::run(context, &args),
        Verb::Run(args) => run::run(context, &args).await,
        Verb::CheckFreshness(args) => check_freshness::run(context, &args).await,
        Verb::SetTemporalBounds(args) => set_temporal_bounds::run(context, &args).await,
        Verb::Export(args) => export::run(context, &args).await,
        Verb::DetectOverlaps(args) => detect_overlaps::run(context, &args).await,
        Verb::Reference(_) => reference::run(),
    }
}

/// What one operand names: a path, or every match of a glob. A glob that
/// matches nothing is an error; a symbolic link at the end is not followed.
///
/// A name may have a `*` in it: what exists under exactly this path is meant
/// before what matches it as a glob.
pub(crate) async fn expand(fs: &Fs, operand: &str) -> Result<Vec<NodePath>> {
    match fs.resolve_link(operand).await {
        Ok(found) => return Ok(vec![found]),
        Err(tinyfs::Error::NotFound { .. }) if is_glob(operand) => {}
        Err(error) => {
            return Err(CommandError::failure(format!("cannot find `{operand}`")).because(error));
        }
    }
    let matches = fs.glob(operand).await.or_fail(|| format!("cannot search for `{operand}`"))?;
    if matches.is_empty() {
        return Err(CommandError::not_found(format!("nothing matches `{operand}`")));
    }
    Ok(matches.into_iter().map(|found| found.path).collect())
}

/// Whether a text has what makes a path a glob.
pub(crate) fn is_glob(text: &str) -> bool {
    text.contains(['*', '?', '[', '{'])
}

/// Whether a directory is at this path, links followed; absence is no error.
pub(crate) async fn is_directory(fs: &Fs, path: &str) -> Result<bool> {
    match fs.resolve(path).await {
        Ok(found) => Ok(found.node.entry_type.is_directory()),
        Err(tinyfs::Error::NotFound { .. }) => Ok(false),
        Err(error) => Err(CommandError::failure(format!("cannot look at `{path}`")).because(error)),
    }
}

/// Where something named `name` goes when `dest` is given: into it, when it is
/// a directory, otherwise to exactly there.
pub(crate) async fn place_in(fs: &Fs<dyn WriteStore>, name: &str, dest: &str) -> Result<String> {
    if is_directory(&fs.read_only(), dest).await? {
        let last = tinyfs::path::file_name(name.trim_end_matches('/')).unwrap_or(name);
        return Ok(tinyfs::path::join(dest.trim_end_matches('/'), last));
    }
    Ok(dest.to_owned())
}

/// The event times of several versions together; `None` when none has rows.
pub(crate) fn time_range(versions: &[tinyfs::Version]) -> Option<tinyfs::TimeRange> {
    versions.iter().filter_map(|version| version.time_range).reduce(|all, one| all.union(&one))
}
