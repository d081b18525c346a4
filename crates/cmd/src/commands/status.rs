//! `pond status`: what pond this is, and how it is.

use std::collections::BTreeMap;

use clap::Args;
use serde::Serialize;
use steward::Status;

use crate::args::ListFormatArg;
use crate::context::Context;
use crate::error::{OrFail as _, Result};
use crate::output::{Stdout, Style, TextTable, print_object};
use crate::{quantity, quote, time_arg};

/// Say what pond this is and how it is
///
/// Its identity, what is in it, how much room it takes, when it was last
/// written, and what maintenance would do.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  pond status
  pond status --format json | jq .live_bytes")]
pub(crate) struct StatusArgs {
    #[command(flatten)]
    format: ListFormatArg,
}

/// A pond as `pond status --format json` prints it.
#[derive(Debug, Serialize)]
struct ShownStatus {
    /// Its directory.
    path: String,
    /// Its id.
    pond: String,
    /// Where it was made.
    birthplace: String,
    /// When it was made, RFC 3339.
    created: String,
    /// The version of what lies on the disk.
    format_version: u32,
    /// The newest transaction; 0 before the first.
    transaction: u64,
    /// The oldest transaction whose state can be seen.
    oldest_transaction: u64,
    /// When the newest transaction ended, RFC 3339.
    #[serde(skip_serializing_if = "Option::is_none")]
    last_write: Option<String>,
    /// Its command line.
    #[serde(skip_serializing_if = "Option::is_none")]
    last_command: Option<String>,
    /// How many names there are, by type.
    entries: BTreeMap<&'static str, u64>,
    /// Versions of files.
    versions: u64,
    /// Bytes of what is visible now: newest versions, and all versions of series.
    live_bytes: u64,
    /// Bytes of all versions.
    version_bytes: u64,
    /// Bytes of all files in the pond's directory.
    disk_bytes: u64,
    /// What maintenance would do, in words.
    maintenance: Vec<String>,
    /// When maintenance last ran to its end, RFC 3339.
    #[serde(skip_serializing_if = "Option::is_none")]
    maintained: Option<String>,
    /// Why maintenance last failed, if it did since.
    #[serde(skip_serializing_if = "Option::is_none")]
    maintenance_failure: Option<String>,
    /// Commands that were cut short.
    interrupted: Vec<String>,
}

impl From<Status> for ShownStatus {
    fn from(status: Status) -> Self {
        Self {
            path: status.path.to_string_lossy().into_owned(),
            pond: status.identity.pond_id.to_string(),
            birthplace: status.identity.birthplace,
            created: time_arg::text(status.identity.created_us),
            format_version: status.identity.format_version,
            transaction: status.newest.as_ref().map_or(0, |newest| newest.txn_seq),
            oldest_transaction: status.oldest_txn_seq,
            last_write: status.newest.as_ref().map(|newest| time_arg::text(newest.ended_us)),
            last_command: status.newest.map(|newest| newest.command),
            entries: status.entries.iter().map(|(kind, count)| (kind.as_str(), *count)).collect(),
            versions: status.versions,
            live_bytes: status.live_bytes,
            version_bytes: status.version_bytes,
            disk_bytes: status.disk_bytes,
            maintenance: status.due.steps.iter().map(ToString::to_string).collect(),
            maintained: status.upkeep.done_us.map(time_arg::text),
            maintenance_failure: status.upkeep.failure,
            interrupted: status.interrupted.into_iter().map(|work| work.command).collect(),
        }
    }
}

/// Says it.
pub(crate) async fn run(context: &Context, args: &StatusArgs) -> Result<()> {
    let pond = context.open().await?;
    let status = pond.status().await.or_fail(|| "cannot tell how the pond is".to_owned())?;
    let style = context.output_style();
    print_object(args.format.format, &ShownStatus::from(status), |out, shown| {
        text(out, shown, style)
    })
}

fn text(out: &mut Stdout, shown: &ShownStatus, style: Style) -> Result<()> {
    let mut table = TextTable::new("<<");
    let mut line = |name: &str, value: String| {
        table.push([style.faint(name), quote::terminal(&value).into_owned()]);
    };
    line("pond", shown.path.clone());
    line("id", shown.pond.clone());
    line("made", format!("{} at {}", shown.created, shown.birthplace));
    match (&shown.last_write, &shown.last_command) {
        (Some(when), Some(command)) => {
            line("last write", format!("transaction {}, {when}: {command}", shown.transaction));
        }
        _ => line("last write", "none so far".to_owned()),
    }
    if shown.oldest_transaction > 1 {
        line("history", format!("since transaction {}", shown.oldest_transaction));
    }
    let entries: Vec<String> = shown
        .entries
        .iter()
        .map(|(kind, count)| format!("{} {kind}", quantity::count(*count)))
        .collect();
    line("entries", if entries.is_empty() { "none".to_owned() } else { entries.join(", ") });
    line(
        "versions",
        format!("{}, {}", quantity::count(shown.versions), quantity::bytes(shown.version_bytes)),
    );
    line("live", quantity::bytes(shown.live_bytes));
    line("on disk", quantity::bytes(shown.disk_bytes));
    for command in &shown.interrupted {
        line("cut short", command.clone());
    }
    if let Some(failure) = &shown.maintenance_failure {
        line("upkeep failed", failure.clone());
    }
    for step in &shown.maintenance {
        line("due", step.clone());
    }
    if shown.maintenance.is_empty() {
        line("maintenance", "nothing is due".to_owned());
    }
    table.print(out)
}
