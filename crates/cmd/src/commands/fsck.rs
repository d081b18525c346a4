//! `pond fsck`: is everything what was written?

use clap::Args;
use serde::Serialize;
use steward::{Finding, FsckReport, Pond};

use crate::args::ListFormatArg;
use crate::context::Context;
use crate::error::{CommandError, OrFail as _, Result};
use crate::output::print_object;
use crate::{quantity, quote};

/// Read everything again and name what is damaged
///
/// Every file of the log, every content inside it, every large file and the
/// chain of transactions are compared with their hashes. Nothing is changed.
/// Damage is listed with the path and version it belongs to, and shows in the
/// exit code (4).
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  pond fsck
  pond fsck --format json | jq -r '.damage[].path'")]
pub(crate) struct FsckArgs {
    #[command(flatten)]
    format: ListFormatArg,
}

/// A check as `pond fsck --format json` prints it.
#[derive(Debug, Serialize)]
struct ShownReport {
    /// Whether nothing is wrong.
    sound: bool,
    /// Files of the log that were hashed.
    log_files: u64,
    /// Small contents that were hashed.
    contents: u64,
    /// Large files that were hashed.
    large_files: u64,
    /// Transactions whose chain was checked.
    transactions: u64,
    /// Bytes that were hashed.
    bytes: u64,
    /// What is wrong.
    damage: Vec<ShownFinding>,
}

/// Something that is wrong.
#[derive(Debug, Serialize)]
pub(super) struct ShownFinding {
    /// The path it is about.
    #[serde(skip_serializing_if = "Option::is_none")]
    path: Option<String>,
    /// The version it is about.
    #[serde(skip_serializing_if = "Option::is_none")]
    version: Option<u64>,
    /// The file of the pond's `data` it is in.
    #[serde(skip_serializing_if = "Option::is_none")]
    file: Option<String>,
    /// What is wrong.
    what: String,
    #[serde(skip)]
    pub(super) sentence: String,
}

impl From<Finding> for ShownFinding {
    fn from(finding: Finding) -> Self {
        Self {
            sentence: finding.to_string(),
            path: finding.path,
            version: finding.version,
            file: finding.file,
            what: finding.what,
        }
    }
}

impl From<FsckReport> for ShownReport {
    fn from(report: FsckReport) -> Self {
        Self {
            sound: report.findings.is_empty(),
            log_files: report.log_files,
            contents: report.contents,
            large_files: report.large_files,
            transactions: report.transactions,
            bytes: report.bytes,
            damage: report.findings.into_iter().map(ShownFinding::from).collect(),
        }
    }
}

/// Checks it.
pub(crate) async fn run(context: &Context, args: &FsckArgs) -> Result<()> {
    let shown = match context.open().await {
        Ok(pond) => {
            let report = pond.fsck().await.or_fail(|| "cannot check the pond".to_owned())?;
            ShownReport::from(report)
        }
        // What is left can be checked without opening it.
        Err(error) if error.is_damage() => {
            let report = Pond::fsck_unopened(context.pond_dir()?, context.environment()).await;
            let mut report = report.or_fail(|| "cannot check the pond".to_owned())?;
            if report.findings.is_empty() {
                return Err(error);
            }
            report.findings.dedup();
            ShownReport::from(report)
        }
        Err(error) => return Err(error),
    };
    print_object(args.format.format, &shown, |out, shown| {
        for finding in &shown.damage {
            out.line(&quote::terminal(&finding.sentence))?;
        }
        out.line(&format!(
            "checked {}, {}, {}, {}: {}",
            quantity::counted(shown.transactions, "transaction"),
            quantity::counted(shown.contents, "small content"),
            quantity::counted(shown.large_files, "large file"),
            quantity::bytes(shown.bytes),
            if shown.sound { "all is as it was written" } else { "not all is as it was written" }
        ))
    })?;
    if shown.sound {
        return Ok(());
    }
    Err(CommandError::damage(format!(
        "damage found in {}",
        quantity::counted(shown.damage.len() as u64, "place")
    ))
    .hint("what is not named above can be read")
    .hint("`pond recover --salvage DIR` makes a new pond of all that can be read; or restore a backup"))
}
