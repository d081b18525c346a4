//! `pond recover`: what was interrupted, and what can be done about it.

use std::path::{Path, PathBuf};

use clap::Args;
use serde::Serialize;
use steward::{Pond, RecoverOptions, RecoveryReport};

use super::fsck::ShownFinding;

use crate::args::ListFormatArg;
use crate::context::Context;
use crate::error::{CommandError, OrFail as _, Result};
use crate::output::{Stdout, print_object};
use crate::{quantity, quote, time_arg};

/// Show what was interrupted, and go on after damage
///
/// A crash needs no recovery: the next command finds a whole pond, and this
/// tells which commands were cut short. Where transactions that were
/// acknowledged are gone or damaged it says which; --accept-loss goes on
/// without them. Nothing is deleted: a damaged commit is moved to
/// control/damaged. Without a flag it only looks, and waits for nobody.
///
/// --salvage makes a new pond of all that can be read of this one, whatever is
/// damaged in it, and lists what did not come along. Kept are the entries as
/// they are now, with their types, properties and all versions that can be
/// read; versions are numbered anew where some are lost. Not kept are the
/// transactions, earlier names and what was removed. This pond is only read.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  pond recover
  pond recover --accept-loss
  pond recover --salvage /srv/pond-new
  pond recover --salvage /srv/pond-new --format json | jq '.lost'")]
pub(crate) struct RecoverArgs {
    /// Go on without transactions that are lost
    #[arg(long, conflicts_with = "salvage")]
    accept_loss: bool,
    /// Make a new pond in DIR, which must be empty or missing, of what can be read
    #[arg(long, value_name = "DIR")]
    salvage: Option<PathBuf>,
    #[command(flatten)]
    format: ListFormatArg,
}

/// A recovery as `pond recover --format json` prints it.
#[derive(Debug, Serialize)]
struct ShownRecovery {
    /// Commands that were cut short since the last look.
    interrupted: Vec<ShownWork>,
    /// The newest commit, when it is damaged.
    #[serde(skip_serializing_if = "Option::is_none")]
    damaged_commit: Option<String>,
    /// Where the damaged commit was moved.
    #[serde(skip_serializing_if = "Option::is_none")]
    moved_to: Option<String>,
    /// What is known of transactions that are gone.
    #[serde(skip_serializing_if = "Option::is_none")]
    lost: Option<String>,
    /// The newest transaction there is.
    #[serde(skip_serializing_if = "Option::is_none")]
    transaction: Option<u64>,
    /// Whether damage waits for --accept-loss.
    needs_consent: bool,
}

/// A command that was cut short.
#[derive(Debug, Serialize)]
struct ShownWork {
    /// The command.
    command: String,
    /// Who ran it.
    user: String,
    /// When it began, RFC 3339.
    started: String,
}

impl From<RecoveryReport> for ShownRecovery {
    fn from(report: RecoveryReport) -> Self {
        Self {
            interrupted: report
                .interrupted
                .into_iter()
                .map(|work| ShownWork {
                    command: work.command,
                    user: work.user,
                    started: time_arg::text(work.started_us),
                })
                .collect(),
            damaged_commit: report.damaged_commit.map(|(file, what)| format!("{file}: {what}")),
            moved_to: report.moved_to.map(|path| path.to_string_lossy().into_owned()),
            lost: report.lost_tail.map(|(expected, found)| {
                format!("the pond ended with transaction {expected} and {found}")
            }),
            transaction: report.newest,
            needs_consent: report.needs_consent,
        }
    }
}

/// A salvage as `pond recover --salvage --format json` prints it.
#[derive(Debug, Serialize)]
struct ShownSalvage {
    /// Where the new pond is.
    pond: String,
    /// Its entries.
    entries: u64,
    /// Versions of its files.
    versions: u64,
    /// Bytes of their content.
    bytes: u64,
    /// What is damaged in the old pond, whether or not something was lost by it.
    damage: Vec<ShownFinding>,
    /// What did not come along, and why.
    lost: Vec<ShownFinding>,
}

/// Makes a new pond of what can be read.
async fn salvage(context: &Context, into: &Path, args: &RecoverArgs) -> Result<()> {
    let environment = context.environment().clone();
    let report = Pond::salvage(context.pond_dir()?, into, context.intent(), environment)
        .await
        .or_fail(|| "cannot salvage the pond".to_owned())?;
    let shown = ShownSalvage {
        pond: report.into.to_string_lossy().into_owned(),
        entries: report.entries,
        versions: report.versions,
        bytes: report.bytes,
        damage: report.damaged.into_iter().map(ShownFinding::from).collect(),
        lost: report.lost.into_iter().map(ShownFinding::from).collect(),
    };
    print_object(args.format.format, &shown, |out, shown| {
        for damaged in &shown.damage {
            out.line(&quote::terminal(&format!("damaged: {}", damaged.sentence)))?;
        }
        for lost in &shown.lost {
            out.line(&quote::terminal(&format!("lost: {}", lost.sentence)))?;
        }
        out.line(&quote::terminal(&format!(
            "salvaged {}, {}, {} into {}",
            quantity::counted(shown.entries, "entry"),
            quantity::counted(shown.versions, "version"),
            quantity::bytes(shown.bytes),
            shown.pond
        )))
    })?;
    if shown.lost.is_empty() {
        return Ok(());
    }
    let lost = quantity::counted(shown.lost.len() as u64, "place");
    Err(CommandError::damage(format!("not all could be read: something is lost in {lost}"))
        .hint("the new pond is whole; a backup may have what is listed as lost"))
}

/// Shows it.
pub(crate) async fn run(context: &Context, args: &RecoverArgs) -> Result<()> {
    if let Some(into) = &args.salvage {
        return salvage(context, into, args).await;
    }
    let options = RecoverOptions { accept_loss: args.accept_loss };
    let report = Pond::recover(context.pond_dir()?, options, context.environment().clone())
        .await
        .or_fail(|| "cannot recover the pond".to_owned())?;
    let shown = ShownRecovery::from(report);
    print_object(args.format.format, &shown, text)?;
    if shown.needs_consent {
        return Err(CommandError::damage(
            "transactions that were acknowledged are damaged or gone",
        )
        .hint("look for them first: a backup, a disk that is not mounted, a copy of the directory")
        .hint("`pond recover --accept-loss` goes on without them"));
    }
    Ok(())
}

fn text(out: &mut Stdout, shown: &ShownRecovery) -> Result<()> {
    for work in &shown.interrupted {
        let line = format!("cut short: {} ({}, {})", work.command, work.user, work.started);
        out.line(&quote::terminal(&line))?;
    }
    if let Some(damaged) = &shown.damaged_commit {
        out.line(&quote::terminal(&format!("damaged: {damaged}")))?;
    }
    if let Some(place) = &shown.moved_to {
        out.line(&quote::terminal(&format!("moved to {place}")))?;
    }
    if let Some(lost) = &shown.lost {
        out.line(&quote::terminal(&format!("lost: {lost}")))?;
    }
    match shown.transaction {
        Some(newest) if !shown.needs_consent => {
            out.line(&format!("the pond is whole, up to transaction {newest}"))
        }
        _ => Ok(()),
    }
}
