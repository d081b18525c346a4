//! `pond apply`: a pond's directories, computed nodes and copies of host files,
//! declared in YAML.
//!
//! Always true: everything is read, expanded and checked before anything is
//! changed; what is changed is one transaction; declaring the same twice
//! changes nothing.
//!
//! Deliberately not here: what the factories make of their configurations.

mod copied;
mod declared;
mod perform;
mod plans;
mod prune;
mod show;

pub(super) use declared::{
    Declared, Refused, check_node, expand_document, read_file, set_variables,
};
pub(super) use perform::{Making, Outcome, perform};
pub(super) use show::changes;

use std::collections::BTreeSet;
use std::path::PathBuf;

use clap::Args;
use steward::{Commit, WriteView};

use perform::Made;

use crate::context::Context;
use crate::error::{CommandError, Result};

/// Declare directories, computed nodes and copies in YAML
///
/// The files hold documents with `version: v1`, `kind` (mkdir, mknod, copy,
/// attributes), `metadata.path` and `spec`. All of them are checked before anything is
/// changed, and everything is changed in one transaction; what is declared
/// already so is left alone. Directories on the way are made.
///
/// Texts may hold expressions such as `"{{ base }}"`, expanded with the values
/// given by `-v base=14` after the YAML is read. `${env:NAME}` is kept as it
/// is, so that no secret comes into a pond, and stands for its value where a
/// host file is named.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  pond apply -f pond.yaml
  pond apply -f sites.yaml -f views.yaml -v base=14 --dry-run
  pond apply -f pond/ --prune --dry-run          what is declared no more
  pond factory list                              what a mknod can make")]
pub(crate) struct ApplyArgs {
    /// A file of documents, a directory of *.yaml files, or `-` for stdin
    #[arg(short, long = "file", required = true, value_name = "FILE", value_hint = clap::ValueHint::AnyPath)]
    files: Vec<PathBuf>,
    /// A variable for the expressions; also -v KEY=VALUE
    #[arg(long = "var", value_name = "KEY=VALUE")]
    variables: Vec<String>,
    /// Remove what an apply made and the files declare no more: computed nodes,
    /// and directories that are empty then; never data
    #[arg(long)]
    prune: bool,
    /// With --prune: remove without a further question
    #[arg(short, long, requires = "prune")]
    yes: bool,
    /// Show what would be changed, and stop
    #[arg(long)]
    dry_run: bool,
}

/// Makes the pond what the files declare.
pub(crate) async fn run(context: &Context, args: &ApplyArgs) -> Result<()> {
    let values = set_variables(&args.variables)?;
    let sources = declared::read_files(&args.files)?;
    let registry = derived::registry();
    let all = declared::read(&sources, &values, &registry)?;
    let paths: BTreeSet<String> = all.iter().map(|one| one.path.clone()).collect();
    let pond = context.open().await?;
    let heading = declared::heading(&sources);
    let compared = {
        let view = context.view(&pond, None).await?;
        copied::compare(context, &view.fs, &all, &heading).await?
    };
    let work = async |view: &WriteView| {
        let is_rehearsal = args.dry_run;
        let making = Making { context, pond: &pond, view, copies: &compared, is_rehearsal };
        let mut made = perform(&making, &all, &heading).await?;
        if !is_rehearsal {
            prune::mark(view, &made.outcomes).await?;
        }
        if args.prune {
            let has_leave = args.yes || is_rehearsal;
            made.outcomes.extend(prune::perform(view, &paths, has_leave).await?);
        }
        // From here on it is committed or not, and says which.
        context.lift_ceiling();
        Ok::<_, CommandError>(made)
    };
    let (Made { outcomes, tallies }, txn_seq) = if args.dry_run {
        (pond.rehearse(work).await?.0, None)
    } else {
        let written = pond.write(context.intent(), work).await?;
        match written.commit {
            Commit::Committed { txn_seq } => (written.value, Some(txn_seq)),
            Commit::Nothing => (written.value, None),
        }
    };
    for tally in tallies.iter().filter(|_| !args.dry_run) {
        tally.tell(context);
    }
    for line in changes(&outcomes) {
        context.say(&line);
    }
    let count = |wanted: fn(&Outcome) -> bool| outcomes.iter().filter(|one| wanted(one)).count();
    let mut summary = format!(
        "{}{} created, {} updated, {} unchanged",
        if args.dry_run { "dry run: " } else { "" },
        count(Outcome::is_created),
        count(Outcome::is_updated),
        count(Outcome::is_unchanged),
    );
    if args.prune {
        summary.push_str(&format!(", {} removed", count(Outcome::is_removed)));
    }
    context.say(&summary);
    if let Some(txn_seq) = txn_seq {
        context.detail(&format!("transaction {txn_seq}"));
    }
    Ok(())
}
