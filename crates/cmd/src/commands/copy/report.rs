//! What a copy says of itself, on stderr.

use query::format::{ReadReport, TableKind};
use tinyfs::{Fs, NodePath};
use tlogfs::Written;

use super::incoming::Step;
use crate::context::Context;
use crate::error::{CommandError, Result};
use crate::host::show;
use crate::output::Stdout;
use crate::{quantity, quote, time_arg};

/// Cases that are listed without --verbose.
const LISTED: usize = 5;

/// One thing that was copied.
#[derive(Debug)]
pub(in crate::commands) struct Copied {
    line: String,
    /// Whether the line is said without --verbose.
    always: bool,
    size_bytes: u64,
    below_floor: u64,
    report: Option<ReadReport>,
}

impl Copied {
    pub(super) fn link(to: &str) -> Self {
        Self {
            line: format!("{to}: link"),
            always: false,
            size_bytes: 0,
            below_floor: 0,
            report: None,
        }
    }

    pub(super) fn file(made: &NodePath) -> Self {
        let newest = made.node.newest.as_ref();
        let size_bytes = newest.map_or(0, |version| version.size_bytes);
        let number = newest.map_or(0, |version| version.number);
        let line = format!("{}: version {number}, {}", made.path, quantity::bytes(size_bytes));
        Self { line, always: number > 1, size_bytes, below_floor: 0, report: None }
    }

    pub(super) fn rows(
        to: &str,
        kind: TableKind,
        written: &Written,
        report: Option<ReadReport>,
    ) -> Self {
        let mut line = format!(
            "{to}: {} version {}, {}",
            kind.word(),
            written.version,
            quantity::counted(written.rows, "row"),
        );
        if let Some(range) = written.time_range {
            line.push_str(&format!(
                ", {} to {} UTC",
                time_arg::short(range.min_us),
                time_arg::short(range.max_us)
            ));
        }
        let &Written { size_bytes, below_floor, .. } = written;
        Self { line, always: true, size_bytes, below_floor, report }
    }
}

/// All that one command copied: of each thing no more than will be said.
#[derive(Debug, Default)]
pub(in crate::commands) struct Tally {
    told: Vec<Copied>,
    files: u64,
    bytes: u64,
}

impl Tally {
    /// Adds one thing.
    pub(super) fn add(&mut self, context: &Context, one: Copied) {
        self.files += 1;
        self.bytes += one.size_bytes;
        if one.always || one.below_floor > 0 || one.report.is_some() || context.is_verbose() {
            self.told.push(one);
        }
    }

    /// Says what was copied.
    pub(in crate::commands) fn tell(&self, context: &Context) {
        for one in &self.told {
            if one.always {
                context.say(&one.line);
            } else {
                context.detail(&one.line);
            }
            if one.below_floor > 0 {
                context.say(&format!(
                    "{} before the floor, kept and left out when the series is read (--floor changes it)",
                    quantity::counted(one.below_floor, "row")
                ));
            }
            if let Some(report) = &one.report {
                tell(context, report);
            }
        }
        context.say(&format!(
            "{} copied, {}",
            quantity::counted(self.files, "file"),
            quantity::bytes(self.bytes)
        ));
    }
}

/// What reading a file had to tell: what was skipped, doubtful or assumed.
pub(crate) fn tell(context: &Context, report: &ReadReport) {
    let most = if context.is_verbose() { usize::MAX } else { LISTED };
    if report.skipped > 0 {
        context.say(&format!("{} skipped:", quantity::counted(report.skipped, "malformed row")));
        for row in report.skipped_rows.iter().take(most) {
            context.say(&format!("  {row}"));
        }
        more(context, report.skipped, most.min(report.skipped_rows.len()));
    }
    let dst = &report.dst;
    if dst.ambiguous > 0 {
        context.say(&format!(
            "{} in an hour that daylight saving repeats, {} of them taken for its second pass:",
            quantity::counted(dst.ambiguous, "row"),
            quantity::count(dst.second_pass)
        ));
        for row in dst.ambiguous_rows.iter().take(most) {
            context.say(&format!(
                "  line {}: {} taken as {}",
                row.line,
                row.local,
                time_arg::text(row.time_us)
            ));
        }
        more(context, dst.ambiguous, most.min(dst.ambiguous_rows.len()));
    }
    if dst.nonexistent > 0 {
        context.say(&format!(
            "{} with a local time that daylight saving skips",
            quantity::counted(dst.nonexistent, "row")
        ));
    }
    for note in &report.notes {
        context.say(&format!("note: {}", note.text));
    }
}

fn more(context: &Context, all: u64, listed: usize) {
    let left = all.saturating_sub(listed as u64);
    if left > 0 {
        context.say(&format!("  and {} more", quantity::count(left)));
    }
}

/// Prints what a copy would do.
pub(super) async fn dry_run(context: &Context, fs: &Fs, steps: &[Step]) -> Result<()> {
    let mut out = Stdout::new();
    for step in steps {
        let before = match fs.resolve(step.to()).await {
            Ok(found) => Some(found),
            Err(tinyfs::Error::NotFound { .. }) => None,
            Err(error) => {
                return Err(
                    CommandError::failure(format!("cannot copy to `{}`", step.to())).because(error)
                );
            }
        };
        let what = match (&before, step) {
            (Some(_), Step::Directory(_)) => continue,
            (None, Step::Directory(_)) => "new directory".to_owned(),
            (Some(found), _) => {
                let newest = found.node.newest.as_ref().map_or(0, |version| version.number);
                format!("version {}", newest + 1)
            }
            (None, _) => "new".to_owned(),
        };
        let from = match step {
            Step::Directory(_) => String::new(),
            Step::Link { target, .. } => format!(" (link to {target})"),
            Step::File { from, .. } | Step::Parquet { from, .. } => {
                format!(" (from {})", show(from))
            }
            Step::Stdin { .. } => " (from standard input)".to_owned(),
            Step::Rows { from, .. } => {
                format!(" (from {}, {})", from.url(), quantity::counted(from.report().rows, "row"))
            }
            Step::Pond { from, .. } => format!(" (from {})", from.path),
        };
        out.line(&quote::terminal(&format!("{}: {what}{from}", step.to())))?;
    }
    out.finish()?;
    context.say("dry run: nothing was copied");
    Ok(())
}
