//! What a run has yet to do: which files are new, which have grown, and which
//! are known.
//!
//! Content decides, not names:
//! - A series has the rows of a content once, whatever the file is called; a
//!   file that begins with a content that was read has grown, also when it was
//!   renamed meanwhile. A file that goes back to what it was is read again,
//!   since the newest reading counts, but for series in which every row does.
//! - A file that becomes data or a table is read when its content is not what
//!   it was; under another name it is known where it is the same file of the
//!   host, renamed, and not another one that is equal: its number and the time
//!   of its last writing are those that were noted.
//! - A file whose size and times are those of its last entry is not opened.
//!
//! Always true: nothing here changes the pond; a plan holds for the version of
//! the ledger that it names.

use std::collections::{BTreeSet, HashMap, HashSet, VecDeque};
use std::io;
use std::sync::Arc;

use diagnostics::Unit;
use factory::{BoxError, Env, RunContext};
use query::format::Compression;
use tinyfs::ContentHash;

use super::Outcome;
use super::config::{Becomes, InboxConfig, is_lines};
use super::fingerprint::{Beginning, Fingerprint, whole_lines};
use super::ledger::{Entry, Event, Known, Latest, Ledger, Noted, Recall};
use super::listing::{Found, Listing, Pattern, State};

/// The most files of one transaction.
const MAX_FILES: usize = 256;
/// With so many bytes it is full.
const FULL_BYTES: u64 = 1 << 30;
/// A last line without an end is taken for whole when nothing was written for
/// so long.
const QUIET_US: i64 = 60_000_000;
/// A file that is larger is noted in a transaction of its own, so that it is
/// not read again to be recognised.
const LARGE_BYTES: u64 = 16 << 20;

/// How far a run has got.
#[derive(Debug)]
pub(super) struct Progressed {
    pub(super) pattern: Arc<Pattern>,
    /// The files that are not dealt with; those that a plan looked at come
    /// first.
    open: VecDeque<Found>,
    /// What the ledger says, with what this run added to it.
    recall: Recall,
    /// Names that are there, by the file of the host.
    by_inode: HashMap<u64, Vec<String>>,
    pub(super) left_out: Vec<(String, &'static str)>,
    pub(super) failures: Vec<(String, BoxError)>,
    /// Files that were read before and are as they were.
    pub(super) unchanged: u64,
    /// When the run began.
    pub(super) began_us: i64,
    settled: HashSet<String>,
}

/// What one transaction is to do.
#[derive(Debug)]
pub(super) struct Plan {
    /// The ledger's newest version.
    pub(super) version: Option<u64>,
    /// The number of its next entry.
    pub(super) next: i64,
    /// Files to be read.
    pub(super) reads: Vec<Reading>,
    /// Files that need no reading, to be noted.
    pub(super) seen: Vec<Entry>,
    /// The same, where the note can wait.
    pub(super) quiet: Vec<Entry>,
    /// What became of others.
    pub(super) dealt: Vec<(String, Outcome)>,
}

/// A file that is to be read.
#[derive(Clone, Debug)]
pub(super) struct Reading {
    pub(super) found: Found,
    pub(super) target: String,
    /// So many of its bytes.
    pub(super) size_bytes: u64,
    /// What they hash to.
    pub(super) hash: ContentHash,
    /// Whether what is written to it comes after what it holds.
    pub(super) is_lines: bool,
    /// Rows that the series has.
    pub(super) skip_rows: u64,
    pub(super) event: Event,
}

impl Progressed {
    /// Lists the files.
    pub(super) async fn begin(
        config: &InboxConfig,
        env: &dyn Env,
        now_us: i64,
    ) -> factory::Result<Self> {
        // The pattern as it is written: what it refers to may be a secret.
        let failed = |source: BoxError| factory::Error::Run {
            doing: format!("cannot list `{}`", config.pattern),
            source,
        };
        let text = factory::config::resolve(&config.pattern, env)?;
        let pattern = Arc::new(Pattern::parse(&text).map_err(failed)?);
        let lister = Arc::clone(&pattern);
        let listing = tokio::task::spawn_blocking(move || lister.list());
        let listing = listing.await.map_err(|error| failed(error.into()))?;
        let Listing { files, left_out, failures } =
            listing.map_err(|error| failed(error.into()))?;
        let mut by_inode: HashMap<u64, Vec<String>> = HashMap::new();
        for found in &files {
            by_inode.entry(found.state.inode).or_default().push(found.name.clone());
        }
        let settled = HashSet::new();
        let began_us = now_us;
        Ok(Self {
            pattern,
            open: files.into(),
            recall: Recall::default(),
            by_inode,
            left_out,
            failures,
            unchanged: 0,
            began_us,
            settled,
        })
    }

    /// A file is dealt with.
    pub(super) fn settle(&mut self, name: String) {
        self.settled.insert(name);
    }

    /// This run added to the ledger.
    pub(super) fn note(&mut self, noted: &Noted) {
        self.recall.note(noted);
    }

    /// Leaves out the files that are dealt with, all of which the last plan
    /// looked at.
    fn leave_out_settled(&mut self) {
        let settled = std::mem::take(&mut self.settled);
        let looked_at = self.open.len().min(MAX_FILES);
        let left: Vec<_> =
            self.open.drain(..looked_at).filter(|found| !settled.contains(&found.name)).collect();
        for found in left.into_iter().rev() {
            self.open.push_front(found);
        }
    }

    /// Asks the ledger, unless nobody else wrote to it since.
    async fn remember(&mut self, context: &RunContext<'_>, ledger: &Ledger) -> factory::Result<()> {
        let version = ledger.version(&context.doors.read().await?).await?;
        if version == self.recall.version {
            return Ok(());
        }
        let names = self.open.iter().map(|found| found.name.as_str()).collect();
        let recall = ledger.recall(context.doors, version, &names).await?;
        let before = self.open.len();
        self.open.retain(|found| !recall.has(found));
        self.unchanged += (before - self.open.len()) as u64;
        self.recall = recall;
        Ok(())
    }

    /// Whether a name is that of this file of the host.
    fn is_named(&self, inode: u64, name: &str) -> bool {
        self.by_inode.get(&inode).is_some_and(|names| names.iter().any(|one| one == name))
    }
}

impl Plan {
    /// What the next transaction is to do; `None` when there is nothing left.
    pub(super) async fn make(
        context: &RunContext<'_>,
        config: &InboxConfig,
        ledger: &Ledger,
        progressed: &mut Progressed,
    ) -> factory::Result<Option<Self>> {
        progressed.leave_out_settled();
        if progressed.open.is_empty() {
            return Ok(None);
        }
        progressed.remember(context, ledger).await?;
        let progressed = &*progressed;
        let recall = &progressed.recall;
        let mut plan = Self {
            version: recall.version,
            next: recall.next,
            reads: Vec::new(),
            seen: Vec::new(),
            quiet: Vec::new(),
            dealt: Vec::new(),
        };
        let looked = plan.look(context, config, progressed).await?;
        // What most files are can be told without reading the ledger again.
        let asked: HashSet<ContentHash> = looked
            .iter()
            .filter(|one| recall.same(one).is_none() && recall.may_know(&one.print.hash))
            .map(|one| one.print.hash)
            .collect();
        let known = match asked.is_empty() {
            true => HashMap::new(),
            false => ledger.known(context.doors, &asked).await?,
        };
        for one in looked {
            let known = match recall.same(&one) {
                Some(latest) => std::slice::from_ref(&latest.known),
                None => known.get(&one.print.hash).map_or(&[][..], Vec::as_slice),
            };
            plan.decide(config, progressed, one, known);
        }
        Ok((!plan.is_empty()).then_some(plan))
    }

    fn is_empty(&self) -> bool {
        self.reads.is_empty()
            && self.seen.is_empty()
            && self.quiet.is_empty()
            && self.dealt.is_empty()
    }

    /// Whether it changes the pond.
    pub(super) fn changes(&self) -> bool {
        !self.reads.is_empty() || !self.seen.is_empty() || self.must_note()
    }

    /// Whether there are notes that can not wait for others.
    pub(super) fn must_note(&self) -> bool {
        self.quiet.iter().any(|entry| entry.size_bytes > LARGE_BYTES)
    }

    /// Looks into as many files as go into one transaction.
    async fn look(
        &mut self,
        context: &RunContext<'_>,
        config: &InboxConfig,
        progressed: &Progressed,
    ) -> factory::Result<Vec<Looked>> {
        let recall = &progressed.recall;
        let sizes: Arc<BTreeSet<u64>> = Arc::new(match config.r#as {
            Becomes::Series => recall.sizes().collect(),
            Becomes::Data | Becomes::Table => BTreeSet::new(),
        });
        let total = progressed.open.len().min(MAX_FILES) as u64;
        let progress = context.monitor.begin("looking into files", Some(total), Unit::Items);
        let (mut looked, mut bytes) = (Vec::new(), 0_u64);
        for found in &progressed.open {
            if looked.len() + self.dealt.len() >= MAX_FILES || bytes >= FULL_BYTES {
                break;
            }
            match inspect(config, progressed, found, &sizes).await {
                Ok(Inspected::Looked(one)) => {
                    bytes = bytes.saturating_add(one.size_bytes);
                    looked.push(*one);
                }
                Ok(Inspected::Left(why)) => {
                    let line = format!("{}: {why}", found.name);
                    self.dealt.push((found.name.clone(), Outcome::Left(line)));
                }
                Err(error) => self.dealt.push((found.name.clone(), Outcome::Failed(error))),
            }
            progress.advance(1);
        }
        Ok(looked)
    }

    /// What is to become of one file, by what is known of its content.
    fn decide(
        &mut self,
        config: &InboxConfig,
        progressed: &Progressed,
        one: Looked,
        known: &[Known],
    ) {
        let recall = &progressed.recall;
        let name = one.found.name.as_str();
        let latest = recall.latest.get(name);
        let is_as_it_was = latest.is_some_and(|latest| latest.hash == one.print.hash);
        let mut here = known.iter().filter(|known| known.target == one.target);
        let goes_back = config.r#as == Becomes::Series
            && !config.appends()
            && !is_as_it_was
            && here.clone().any(|known| known.name == name);
        let before = match config.r#as {
            Becomes::Series if goes_back => None,
            Becomes::Series => here.next(),
            Becomes::Data | Becomes::Table => known.iter().find(|known| {
                let State { inode, modified_us, .. } = one.found.state;
                // The host gives the number of a file that is gone to another.
                let is_renamed = (known.inode, known.modified_us) == (inode, modified_us)
                    && !progressed.is_named(inode, &known.name);
                if known.name == name { is_as_it_was } else { is_renamed && one.size_bytes > 0 }
            }),
        };
        if let Some(before) = before {
            let has_moved = latest.is_none_or(|latest| {
                !is_as_it_was || latest.changed_us != one.found.state.changed_us
            });
            let is_new_name = latest.is_none();
            let entry = one.entry(Event::Seen, before.rows, before.version, &before.target);
            if is_new_name || !is_as_it_was {
                let line = format!("{name}: known as {}", before.name);
                self.dealt.push((name.to_owned(), Outcome::Known(line)));
            } else {
                self.dealt.push((name.to_owned(), Outcome::Unchanged));
            }
            if has_moved {
                self.seen.push(entry);
            } else {
                self.quiet.push(entry);
            }
            return;
        }
        // The same content twice in one run.
        if config.r#as == Becomes::Series
            && self
                .reads
                .iter()
                .any(|first| first.hash == one.print.hash && first.target == one.target)
        {
            self.dealt.push((name.to_owned(), Outcome::Again));
            return;
        }
        let grown =
            one.print.beginnings.iter().rev().filter(|_| !goes_back).find_map(|beginning| {
                let &Beginning { size_bytes, hash, .. } = beginning;
                let rows = recall.rows(name, &one.target, size_bytes, hash)?;
                // A last line that had no end may have been half of one.
                let is_half = one.is_lines && !beginning.ends_a_line;
                Some(if is_half { rows.saturating_sub(1) } else { rows })
            });
        self.reads.push(Reading {
            event: if grown.is_some() { Event::Grown } else { Event::Read },
            skip_rows: grown.unwrap_or(0),
            target: one.target,
            size_bytes: one.size_bytes,
            hash: one.print.hash,
            is_lines: one.is_lines,
            found: one.found,
        });
    }
}

impl Recall {
    /// Whether a file is as it was when it was read, by its size and times.
    fn has(&self, found: &Found) -> bool {
        self.latest.get(&found.name).is_some_and(|latest| {
            latest.was_settled
                && latest.size_bytes == found.state.size_bytes
                && latest.changed_us == found.state.changed_us
        })
    }

    /// The last entry of a file, where its content is in the same place still.
    fn same(&self, one: &Looked) -> Option<&Latest> {
        let latest = self.latest.get(&one.found.name);
        latest.filter(|latest| latest.hash == one.print.hash && latest.known.target == one.target)
    }
}

/// A file that was looked into.
#[derive(Debug)]
struct Looked {
    found: Found,
    target: String,
    size_bytes: u64,
    is_lines: bool,
    print: Fingerprint,
}

impl Looked {
    fn entry(&self, event: Event, rows: Option<u64>, version: Option<u64>, target: &str) -> Entry {
        Entry {
            event,
            name: self.found.name.clone(),
            state: self.found.state,
            size_bytes: self.size_bytes,
            hash: self.print.hash,
            rows,
            target: target.to_owned(),
            version,
        }
    }
}

enum Inspected {
    Looked(Box<Looked>),
    Left(&'static str),
}

/// Looks into one file, as it is now.
async fn inspect(
    config: &InboxConfig,
    progressed: &Progressed,
    found: &Found,
    sizes: &Arc<BTreeSet<u64>>,
) -> Result<Inspected, BoxError> {
    let target = config.target(&found.name, &found.captures).map_err(|at| {
        BoxError::from(format!("`{}` asks for ${at}, and there is no such wildcard", config.into))
    })?;
    let target = tinyfs::path::normalise(&target)?;
    let is_lines = match config.r#as {
        Becomes::Data => false,
        Becomes::Table | Becomes::Series => {
            let resolved = config.source(&found.name)?.resolve().map_err(|_| {
                BoxError::from("its name does not say what it is: say `format`, such as csv")
            })?;
            resolved.compression == Compression::Plain && is_lines(resolved.format)
        }
    };
    let is_rows = config.r#as != Becomes::Data;
    let path = progressed.pattern.path_of(&found.name);
    let (mut sizes, began_us) = (Arc::clone(sizes), progressed.began_us);
    // A series that is not among the newest contents goes on all the same.
    if config.r#as == Becomes::Series
        && let Some(own) = progressed.recall.size_of(&found.name)
        && !sizes.contains(&own)
    {
        Arc::make_mut(&mut sizes).insert(own);
    }
    let looking = tokio::task::spawn_blocking(move || {
        let state = State::read(&path)?;
        if state.size_bytes == 0 && is_rows {
            return Ok(None);
        }
        let mut file = state.open(&path)?;
        let mut size_bytes = state.size_bytes;
        let is_quiet = began_us.saturating_sub(state.modified_us).saturating_abs() >= QUIET_US;
        if is_lines && !is_quiet {
            size_bytes = whole_lines(&mut file, size_bytes)?;
            if size_bytes == 0 {
                return Ok(Some((state, None)));
            }
        }
        let print = Fingerprint::read(&mut file, size_bytes, &sizes)?;
        Ok::<_, io::Error>(Some((state, Some((size_bytes, print)))))
    });
    let (state, print) = match looking.await? {
        Ok(None) => return Ok(Inspected::Left("is empty, and left for the next run")),
        Ok(Some(looked)) => looked,
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            return Ok(Inspected::Left("is gone"));
        }
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => {
            return Ok(Inspected::Left(CHANGES));
        }
        Err(error) => return Err(error.into()),
    };
    let Some((size_bytes, print)) = print else {
        return Ok(Inspected::Left("holds no whole line yet, and is left for the next run"));
    };
    let found = Found { state, ..found.clone() };
    Ok(Inspected::Looked(Box::new(Looked { found, target, size_bytes, is_lines, print })))
}

/// What is said of a file that is written to just now.
pub(super) const CHANGES: &str = "changes while it is read, and is left for the next run";
