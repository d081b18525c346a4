//! A new pond of all that can be read of a damaged one.
//!
//! It takes the current state: every entry with its type, its attributes and
//! those of its versions that can be read, byte for byte. Versions keep their
//! order and are numbered anew without holes. Where single versions of a series
//! are gone, a merged run that holds their rows stands in for them. What has
//! lost its name goes below `/lost+found`.
//!
//! Always true: the damaged pond is only read; the memory needed follows the
//! number of names and never the size of files; what did not come along is in
//! the report. Opening the damaged pond is not needed.
//!
//! Deliberately not here: its history (transactions, earlier names and what was
//! removed), and how damaged files are read (`oplog`).

mod pieces;
mod tree;

use std::collections::{HashSet, VecDeque};
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};

use oplog::{Location, Salvage, Stamped, VersionRow};
use tinyfs::{
    Attributes, Content, ContentHash, EntryType, Fs, Name, NewNode, NewVersion, NodeId, SeriesSpec,
    WriteStore,
};
use tlogfs::{ParquetExt as _, implied_unit};
use tokio::io::AsyncWriteExt as _;

pub(crate) use self::tree::{Child, Tree};

use self::pieces::Group;
use crate::control::Control;
use crate::environment::Environment;
use crate::fsck::{Finding, from_log, with_cause};
use crate::intent::Intent;
use crate::layout::Layout;
use crate::pond::{Pond, must_be_pond, opening};
use crate::watermark::Watermark;
use crate::write::WriteView;
use crate::{Error, Result};

/// Where what has lost its name goes.
const LOST_AND_FOUND: &str = "lost+found";
/// Entries and versions that one transaction of a salvage writes.
const BATCH_ROWS: u64 = 4_096;
/// Bytes of content that one transaction of a salvage writes, about.
const BATCH_BYTES: u64 = 256 << 20;
/// Bytes of a large file that are read at once.
const PIECE_BYTES: u64 = 1 << 20;

/// What a salvage came to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SalvageReport {
    /// Where the new pond is.
    pub into: PathBuf,
    /// Entries it has.
    pub entries: u64,
    /// Versions of files it has.
    pub versions: u64,
    /// Bytes of content they have.
    pub bytes: u64,
    /// What is damaged in the old pond, whether or not something was lost by it.
    pub damaged: Vec<Finding>,
    /// What did not come along, and why.
    pub lost: Vec<Finding>,
}

impl Pond {
    /// Makes a new pond in `into` of all that can be read of the one in `dir`.
    ///
    /// # Errors
    /// [`Error::NoSuchDirectory`], [`Error::NotAPond`], [`Error::NewerFormat`]
    /// for `dir`; [`Error::NotEmpty`], [`Error::AlreadyAPond`] and what hinders
    /// writing for `into`. What can not be read is no error.
    pub async fn salvage(
        dir: &Path,
        into: &Path,
        intent: Intent,
        environment: Environment,
    ) -> Result<SalvageReport> {
        let salvage = open(dir, &environment).await?;
        let tree = Tree::of(&salvage).await.map_err(reading)?;
        let pond = Self::init(into, &salvage.identity().birthplace, environment).await?;
        let mut work = Work::begin(&salvage, &tree).await?;
        while !work.is_done() {
            pond.write(intent.clone(), async |txn: &WriteView| work.some(&txn.fs()).await).await?;
        }
        let mut report = work.report;
        report.into = into.to_owned();
        for finding in salvage.findings() {
            report.damaged.push(from_log(finding.clone(), |node| tree.path(node)));
        }
        let mut lost: Vec<_> = salvage
            .lost_transactions()
            .iter()
            .map(|range| {
                let which = transactions(range.clone());
                Finding::of_log(format!("{which}: not all that was written can be read"))
            })
            .collect();
        lost.append(&mut report.lost);
        report.lost = lost;
        Ok(report)
    }
}

/// Opens what can be opened of a damaged pond.
pub(crate) async fn open(dir: &Path, environment: &Environment) -> Result<Salvage> {
    let layout = Layout::new(dir);
    must_be_pond(&layout)?;
    let control = Control::new(&layout, &environment.medium);
    let seen = Watermark::load(&control)
        .and_then(|mark| mark.hash.parse::<ContentHash>().ok().map(|hash| (mark.txn_seq, hash)));
    let location = Location::Local(layout.data());
    Salvage::open(&location, seen).await.map_err(|error| opening(dir, error))
}

fn reading(source: oplog::Error) -> Error {
    Error::log("cannot read the damaged pond")(source)
}

/// Something that is to be made.
#[derive(Debug)]
struct Job {
    /// The directory, in the new pond.
    parent: NodeId,
    path: String,
    child: Child,
}

/// A file under way.
#[derive(Debug)]
struct Open {
    old: NodeId,
    path: String,
    /// The directory and name it gets with its first version.
    place: (NodeId, Name),
    /// Its node in the new pond, once it has a version.
    new: Option<NodeId>,
    entry_type: EntryType,
    attributes: Attributes,
    factory: Option<String>,
    time_column: Option<String>,
    left: VecDeque<Group>,
}

/// A salvage under way.
struct Work<'a> {
    salvage: &'a Salvage,
    tree: &'a Tree,
    jobs: Vec<Job>,
    open: Option<Open>,
    seen: HashSet<NodeId>,
    /// Orphans that are still to be placed.
    orphans: VecDeque<Child>,
    begun: bool,
    rows: u64,
    bytes: u64,
    report: SalvageReport,
}

impl<'a> Work<'a> {
    async fn begin(salvage: &'a Salvage, tree: &'a Tree) -> Result<Self> {
        // A node without a name was removed, unless names are lost.
        let orphans = if salvage.lost_transactions().is_empty() {
            VecDeque::new()
        } else {
            tree.orphans(salvage).await.map_err(reading)?
        };
        Ok(Self {
            salvage,
            tree,
            jobs: Vec::new(),
            open: None,
            seen: HashSet::from([tree.root()]),
            orphans,
            begun: false,
            rows: 0,
            bytes: 0,
            report: SalvageReport::default(),
        })
    }

    fn is_done(&self) -> bool {
        self.begun && self.jobs.is_empty() && self.open.is_none() && self.orphans.is_empty()
    }

    /// Does as much as one transaction takes.
    async fn some(&mut self, fs: &Fs<dyn WriteStore>) -> Result<()> {
        (self.rows, self.bytes) = (0, 0);
        if !self.begun {
            self.begun = true;
            self.enter(self.tree.root(), fs.store().root(), "");
        }
        while self.rows < BATCH_ROWS && self.bytes < BATCH_BYTES {
            if self.open.is_some() {
                self.go_on(fs).await?;
            } else if let Some(job) = self.jobs.pop() {
                self.make(fs, job).await?;
            } else if let Some(child) = self.orphans.pop_front() {
                self.take_in(fs, child).await?;
            } else {
                break;
            }
        }
        Ok(())
    }

    fn lose(&mut self, path: &str, node: NodeId, version: Option<u64>, what: impl Into<String>) {
        let path = Some(path.to_owned());
        let what = what.into();
        self.report.lost.push(Finding { path, node: Some(node), version, file: None, what });
    }

    /// Notes the entries of a directory to be made.
    fn enter(&mut self, old: NodeId, new: NodeId, path: &str) {
        let mut children: Vec<_> = self.tree.children(old).collect();
        // The last goes first.
        children.sort_by(|a, b| b.name.cmp(&a.name));
        for child in children {
            let path = format!("{path}/{}", child.name);
            self.jobs.push(Job { parent: new, path, child });
        }
    }

    async fn make(&mut self, fs: &Fs<dyn WriteStore>, job: Job) -> Result<()> {
        let Job { parent, path, child } = job;
        let old = child.node;
        if !self.seen.insert(old) {
            self.lose(&path, old, None, "it stands under another name already");
            return Ok(());
        }
        let name = match Name::new(&child.name) {
            Ok(name) => name,
            Err(error) => {
                self.lose(&path, old, None, error.to_string());
                return Ok(());
            }
        };
        let rows = self.salvage.versions_of(old).await.map_err(reading)?;
        let itself = rows.iter().rev().find(|row| row.row.version == 0).map(|row| &row.row);
        let attributes = itself.map(|row| row.attributes.clone()).unwrap_or_default();
        self.rows += 1;
        if child.entry_type == EntryType::Directory {
            let new = fs.store().create(parent, &name, NewNode::Directory).await?;
            if !attributes.is_empty() {
                fs.store().set_attributes(new, attributes).await?;
            }
            self.report.entries += 1;
            self.enter(old, new, &path);
            return Ok(());
        }
        for what in self.may_have_lost(old) {
            self.lose(&path, old, None, what);
        }
        let mut left = pieces::groups(&rows, self.salvage.oldest() > 1);
        if !child.entry_type.is_file() || child.entry_type.is_dynamic() {
            // A link has one target, and a computed node one definition.
            left = left.into_iter().rev().collect();
        } else if itself.is_none() && !rows.is_empty() {
            self.lose(&path, old, None, "its properties are lost");
        }
        self.open = Some(Open {
            old,
            path,
            place: (parent, name),
            new: None,
            entry_type: child.entry_type,
            attributes,
            factory: itself.and_then(|row| row.factory.clone()),
            time_column: rows.iter().rev().find_map(|row| row.row.time_column.clone()),
            left,
        });
        Ok(())
    }

    /// Why versions of a node may be missing of which nothing else is known.
    fn may_have_lost(&self, node: NodeId) -> Vec<String> {
        let about =
            |damaged: &&oplog::DamagedRows| !damaged.is_replaced() && damaged.may_be_about(node);
        let damaged = self.salvage.damaged_rows().iter().filter(about);
        damaged
            .map(|damaged| {
                let which = transactions(damaged.transactions());
                format!("what {which} wrote of it may be lost with `{}`", damaged.path())
            })
            .collect()
    }

    /// Writes the next versions of the file under way.
    async fn go_on(&mut self, fs: &Fs<dyn WriteStore>) -> Result<()> {
        let Some(mut open) = self.open.take() else { return Ok(()) };
        let Some(group) = open.left.pop_front() else { return self.close(fs, open).await };
        let first_of_all = open.new.is_none();
        for (row, content) in self.readable(fs, &open, group).await? {
            self.bytes += row.row.size_bytes;
            self.report.bytes += row.row.size_bytes;
            self.report.versions += 1;
            self.add(fs, &mut open, row.row, content).await?;
        }
        if first_of_all
            && open.new.is_some()
            && (!open.entry_type.is_file() || open.entry_type.is_dynamic())
        {
            open.left.clear();
        }
        self.open = Some(open);
        Ok(())
    }

    /// What can be read of a group: all its versions, or a run in the place of
    /// those it covers, or else those versions that can be read.
    async fn readable(
        &mut self,
        fs: &Fs<dyn WriteStore>,
        open: &Open,
        group: Group,
    ) -> Result<Vec<(Stamped<VersionRow>, Content)>> {
        let (mut good, mut bad) = (Vec::new(), Vec::new());
        for (number, row) in group.versions {
            self.rows += 1;
            match row {
                None => bad.push((number, "nothing is known of it".to_owned())),
                Some(row) => match self.content(fs, &row).await? {
                    Ok(content) => good.push((row, content)),
                    Err(what) => bad.push((number, what)),
                },
            }
        }
        let (Some((least, _)), Some((greatest, _))) = (bad.first(), bad.last()) else {
            return Ok(good);
        };
        for run in group.runs {
            let (first, last) = (pieces::first(&run.row), run.row.version);
            if first > *least || last < *greatest {
                continue;
            }
            if let Ok(content) = self.content(fs, &run).await? {
                let at = good.partition_point(|(row, _)| row.row.version < first);
                good.retain(|(row, _)| !(first..=last).contains(&row.row.version));
                good.insert(at, (run, content));
                return Ok(good);
            }
        }
        for (number, what) in bad {
            self.lose(&open.path, open.old, Some(number), what);
        }
        Ok(good)
    }

    /// Copies content into the new pond; why not, when it can not be read whole.
    async fn content(
        &self,
        fs: &Fs<dyn WriteStore>,
        row: &Stamped<VersionRow>,
    ) -> Result<std::result::Result<Content, String>> {
        let VersionRow { node, version, hash, inline, size_bytes, .. } = row.row;
        let Some(hash) = hash else { return Ok(Err("its row names no content".to_owned())) };
        let mut writer = fs.store().writer().await?;
        let fail = |error| tinyfs::Error::from_io("cannot write content", error);
        if inline {
            match self.salvage.content(node, version, row.txn_seq, hash).await {
                Ok(bytes) => writer.write_all(&bytes).await.map_err(fail)?,
                Err(error) => return Ok(Err(cause(&error))),
            }
        } else {
            let mut at = 0;
            while at < size_bytes {
                let end = size_bytes.min(at + PIECE_BYTES);
                match self.salvage.read_large(hash, at..end).await {
                    Ok(bytes) => writer.write_all(&bytes).await.map_err(fail)?,
                    Err(error) => return Ok(Err(cause(&error))),
                }
                at = end;
            }
        }
        let content = writer.finish().await?;
        if content.hash == hash {
            return Ok(Ok(content));
        }
        // Content that nobody names goes with the transaction.
        Ok(Err(format!("its bytes hash to {}, not to {hash}", content.hash)))
    }

    /// A file has come to its end.
    async fn close(&mut self, fs: &Fs<dyn WriteStore>, open: Open) -> Result<()> {
        let Some(new) = open.new else {
            let what = format!("nothing of it ({}) can be read", open.entry_type);
            self.lose(&open.path, open.old, None, what);
            return Ok(());
        };
        self.report.entries += 1;
        if open.entry_type == EntryType::Series
            && SeriesSpec::read_from(&open.attributes)?.is_none()
            && !declare(fs, new, &open).await?
        {
            self.lose(&open.path, open.old, None, "which column its times are in is lost");
        }
        Ok(())
    }

    /// Adds a version whose content is there.
    async fn add(
        &mut self,
        fs: &Fs<dyn WriteStore>,
        open: &mut Open,
        row: VersionRow,
        content: Content,
    ) -> Result<()> {
        let version = NewVersion {
            content,
            format: row.format,
            rows: row.rows,
            time_range: row.time_range,
            attributes: row.attributes,
        };
        if let Some(node) = open.new {
            fs.store().append(node, version).await?;
            return Ok(());
        }
        let (parent, name) = &open.place;
        let (entry_type, attributes) = (open.entry_type, open.attributes.clone());
        let node = if entry_type == EntryType::Symlink {
            let size_bytes = version.content.size_bytes;
            let target = fs.store().read_content(&version.content, 0..size_bytes).await?;
            NewNode::Symlink { target: String::from_utf8_lossy(&target).into_owned() }
        } else if entry_type.is_dynamic() {
            let factory = open.factory.clone().unwrap_or_default();
            NewNode::Dynamic { entry_type, factory, version }
        } else {
            NewNode::File { entry_type, attributes: attributes.clone(), version }
        };
        let node = fs.store().create(*parent, name, node).await?;
        if entry_type.is_dynamic() && !attributes.is_empty() {
            fs.store().set_attributes(node, attributes).await?;
        }
        open.new = Some(node);
        Ok(())
    }

    /// Puts what has lost its name where it can be found.
    async fn take_in(&mut self, fs: &Fs<dyn WriteStore>, child: Child) -> Result<()> {
        let root = fs.store().root();
        let parent = match fs.store().lookup(root, LOST_AND_FOUND).await? {
            Some(entry) if entry.entry_type.is_directory() => entry.node,
            Some(_) => {
                let what = format!("its name is lost, and `/{LOST_AND_FOUND}` is a file");
                self.lose(&child.name, child.node, None, what);
                return Ok(());
            }
            None => {
                let name = Name::new(LOST_AND_FOUND)?;
                fs.store().create(root, &name, NewNode::Directory).await?
            }
        };
        let path = format!("/{LOST_AND_FOUND}/{}", child.name);
        self.lose(&path, child.node, None, "its name is lost");
        self.jobs.push(Job { parent, path, child });
        Ok(())
    }
}

/// Declares a series anew from what its versions say; whether that could be
/// done. Rows whose schema can not be read, or tells no unit, declare nothing:
/// the caller lists the series as one whose declaration is lost.
async fn declare(fs: &Fs<dyn WriteStore>, node: NodeId, open: &Open) -> Result<bool> {
    let Some(column) = &open.time_column else { return Ok(false) };
    let Ok(schema) = fs.read_schema(&open.path, None).await else { return Ok(false) };
    let Ok(Some(unit)) = implied_unit(&open.path, &schema, column) else { return Ok(false) };
    let mut attributes = open.attributes.clone();
    SeriesSpec::new(column, unit).write_to(&mut attributes);
    fs.store().set_attributes(node, attributes).await?;
    Ok(true)
}

/// Transactions in words.
pub(crate) fn transactions(range: RangeInclusive<u64>) -> String {
    match (range.start(), range.end()) {
        (first, last) if first == last => format!("transaction {first}"),
        (first, last) => format!("transactions {first} to {last}"),
    }
}

/// Why content can not be read, without saying again whose it is.
fn cause(error: &oplog::Error) -> String {
    match error {
        oplog::Error::DamagedContent { what, .. } => what.clone(),
        other => with_cause(other),
    }
}
