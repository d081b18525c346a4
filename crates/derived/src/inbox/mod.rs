//! The factory `inbox`: files of a host directory become versions in the pond,
//! each once.
//!
//! A run lists the files that match a pattern, asks the inbox's ledger, a
//! series in the pond, which of them it has read, and takes what is new: as
//! files, as tables, or as rows of a series. Of a file that has grown since, a
//! series gets only the rows that are new.
//!
//! Always true: what is taken and the ledger's rows that say so are one
//! transaction, so that a run that is cut short leaves nothing half done and
//! the next one does the same again; a file that changes while it is read is
//! left for the next run; one that fails stops no other; symbolic links and
//! special files are never read; nothing holds a whole file in memory.
//!
//! Deliberately not here: watching a directory, and removing what was read.

mod config;
mod fingerprint;
mod ledger;
mod listing;
mod plan;
mod take;

use std::sync::Arc;

use async_trait::async_trait;
use factory::{About, BoxError, Config, Factory, RunContext, RunReport};
use futures::FutureExt as _;
use futures::future::LocalBoxFuture;
use tinyfs::EntryType;

use self::config::InboxConfig;
use self::ledger::Ledger;
use self::plan::{Plan, Progressed};
use self::take::{Done, Take};

/// The name of the factory.
const INBOX: &str = "inbox";
/// How often a run begins again because others wrote to its ledger.
const MAX_TRIES: u32 = 20;
/// Lines about single files in a report.
const MAX_LINES: usize = 200;

/// Files of a host directory.
#[derive(Debug)]
pub(crate) struct Inbox;

#[async_trait]
impl Factory for Inbox {
    fn about(&self) -> About {
        About {
            name: INBOX,
            summary: "takes files of a host directory into the pond when it is run, each once",
            schema: InboxConfig::schema().into_json(),
            example: "\
pattern: ${env:DATALOGGER_DIR:-/srv/datalogger}/*/readings-*.csv
into: /sensors/$0.series
as: series
time_column: Timestamp
time_format: '%m/%d/%Y %H:%M'
time_zone: America/Los_Angeles
",
            raw: &[],
            runs: true,
            hidden: false,
        }
    }

    fn check(&self, config: &Config) -> factory::Result<EntryType> {
        let read: InboxConfig = config.read()?;
        read.check(config)?;
        Ok(EntryType::DynamicData)
    }

    fn run<'a>(
        &'a self,
        context: RunContext<'a>,
    ) -> LocalBoxFuture<'a, factory::Result<RunReport>> {
        run(context).boxed_local()
    }
}

async fn run(context: RunContext<'_>) -> factory::Result<RunReport> {
    if let Some(argument) = context.args.first() {
        return Err(factory::Error::NoArguments { factory: INBOX, argument: argument.clone() });
    }
    let fs = context.doors.read().await?;
    let found = fs.resolve(context.path).await?;
    let config: InboxConfig = factory::read_config(fs.store(), &found).await?.read()?;
    let ledger = Ledger::of(context.node);
    let mut progressed = Progressed::begin(&config, context.env, (context.now_us)()).await?;
    let mut told = Told::default();
    let mut tries = 0;
    loop {
        let Some(plan) = Plan::make(&context, &config, &ledger, &mut progressed).await? else {
            break;
        };
        if !plan.changes() {
            told.add(&mut progressed, plan.dealt);
            continue;
        }
        let (pattern, began_us) = (Arc::clone(&progressed.pattern), progressed.began_us);
        let mut take = Take::new(&context, &config, &ledger, &pattern, began_us, plan);
        context.doors.write(&mut take).await?;
        match take.finish() {
            Some(Done { outcomes, noted }) => {
                tries = 0;
                if let Some(noted) = noted {
                    progressed.note(&noted);
                }
                told.add(&mut progressed, outcomes);
            }
            // Somebody else wrote to the ledger, perhaps of the same files.
            None if tries < MAX_TRIES => tries += 1,
            None => {
                return Err(factory::Error::Run {
                    doing: format!("cannot note what was read in `{}`", ledger.path()),
                    source: "it changes all the time".into(),
                });
            }
        }
    }
    Ok(told.report(progressed))
}

/// What became of one file.
#[derive(Debug)]
enum Outcome {
    /// It was taken; the line says how.
    Taken(String),
    /// It was read before, under another name.
    Known(String),
    /// It was read before.
    Unchanged,
    /// It has the content of another file of the same transaction, and is
    /// looked at again once that is done.
    Again,
    /// It is left for the next run.
    Left(String),
    /// It could not be taken.
    Failed(BoxError),
}

/// What is said of a run, as it goes on.
#[derive(Debug, Default)]
struct Told {
    lines: Vec<String>,
    more: u64,
    taken: u64,
    known: u64,
    failures: Vec<(String, BoxError)>,
}

impl Told {
    fn line(&mut self, line: String) {
        if self.lines.len() < MAX_LINES {
            self.lines.push(line);
        } else {
            self.more += 1;
        }
    }

    /// Files that were dealt with in a transaction that is committed.
    fn add(&mut self, progressed: &mut Progressed, done: Vec<(String, Outcome)>) {
        for (name, outcome) in done {
            match outcome {
                Outcome::Unchanged => self.known += 1,
                // The next plan sees what became of the first.
                Outcome::Again => continue,
                Outcome::Taken(line) => {
                    self.taken += 1;
                    self.line(line);
                }
                Outcome::Known(line) => {
                    self.known += 1;
                    self.line(line);
                }
                Outcome::Left(line) => self.line(line),
                Outcome::Failed(error) => self.failures.push((name.clone(), error)),
            }
            progressed.settle(name);
        }
    }

    fn report(mut self, progressed: Progressed) -> RunReport {
        let Progressed { left_out, failures, unchanged, .. } = progressed;
        for (name, why) in left_out {
            self.line(format!("{name}: left out: {why}"));
        }
        if self.more > 0 {
            self.lines.push(format!("and {} more", counted(self.more, "file")));
        }
        let known = unchanged + self.known;
        self.failures.extend(failures);
        let mut summary = format!("{} taken", counted(self.taken, "file"));
        if known > 0 {
            summary.push_str(&format!(", {known} known already"));
        }
        if !self.failures.is_empty() {
            summary.push_str(&format!(", {} failed", self.failures.len()));
        }
        self.lines.push(summary);
        RunReport { lines: self.lines, failures: self.failures }
    }
}

fn counted(count: u64, what: &str) -> String {
    let plural = if count == 1 { "" } else { "s" };
    format!("{count} {what}{plural}")
}
