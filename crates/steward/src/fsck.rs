//! Checking a whole pond: every byte against its hash, and the file system
//! against its own rules.
//!
//! Damage is a finding, with the path and version it is about; the check goes
//! on with what is readable. Nothing is changed.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::fmt;
use std::ops::RangeInclusive;
use std::path::Path;

use futures::TryStreamExt as _;
use oplog::{Salvage, Stamped, VersionRow};
use tinyfs::{EntryType, Format, NodeId, Store as _, Version};
use tlogfs::{ParquetExt as _, View};

use crate::environment::Environment;
use crate::history::Paths;
use crate::pond::Pond;
use crate::read_view::ReadView;
use crate::salvage::{self, Child, Tree};
use crate::{Error, Result};

/// What a check found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FsckReport {
    /// Files of the log that were hashed.
    pub log_files: u64,
    /// Small contents that were hashed.
    pub contents: u64,
    /// Large files that were hashed.
    pub large_files: u64,
    /// Transactions whose chain was checked.
    pub transactions: u64,
    /// Bytes that were hashed.
    pub bytes: u64,
    /// Nodes of the file system that were looked at.
    pub nodes: u64,
    /// What is wrong; nothing when the pond is whole.
    pub findings: Vec<Finding>,
}

/// Something that is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// The path it is about, where there is one.
    pub path: Option<String>,
    /// The node it is about, where there is one.
    pub node: Option<NodeId>,
    /// The version it is about, where there is one.
    pub version: Option<u64>,
    /// The file of the pond's `data` that it is in, where that is known.
    pub file: Option<String>,
    /// What is wrong.
    pub what: String,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(version) = self.version {
            write!(f, "version {version} of ")?;
        }
        match (&self.path, self.node) {
            (Some(path), _) => write!(f, "`{path}`")?,
            (None, Some(node)) => write!(f, "node {node}, which has no name")?,
            (None, None) => match &self.file {
                Some(file) => write!(f, "file `{file}`")?,
                None => f.write_str("the log")?,
            },
        }
        write!(f, ": {}", self.what)?;
        if let (Some(file), true) = (&self.file, self.path.is_some() || self.node.is_some()) {
            write!(f, " (in `{file}`)")?;
        }
        Ok(())
    }
}

impl Pond {
    /// Checks everything the pond holds.
    ///
    /// # Errors
    /// None for damage, which is a finding; [`Error::Io`] and its like when
    /// the disk can not be read at all.
    pub async fn fsck(&self) -> Result<FsckReport> {
        let view = self.read().await?;
        let mut found = Vec::new();
        let log = self.newest().await?;
        let verified = log
            .verify(&self.environment.monitor, &mut |finding| found.push(finding))
            .await
            .map_err(Error::log("cannot check the log"))?;
        let mut report = FsckReport::of(&verified);
        let files_are_damaged =
            found.iter().any(|finding| matches!(finding, oplog::Finding::File { .. }));
        let salvage = match files_are_damaged {
            true => Some(salvage::open(self.path(), &self.environment).await?),
            false => None,
        };
        match salvage.filter(|salvage| !salvage.damaged_rows().is_empty()) {
            Some(salvage) => name_the_hit(&salvage, found, &mut report).await?,
            None => {
                let paths = Paths::of(view.snapshot()).await?;
                let path_of = |node| paths.path(node);
                report.findings.extend(found.into_iter().map(|one| from_log(one, path_of)));
                check_tree(&view, &paths, &mut report).await;
            }
        }
        if let Some((expected, tail)) = self.lost_tail(&log).await? {
            let what = format!("it ended with transaction {expected} and {tail}");
            report.findings.push(Finding::of_log(what));
        }
        Ok(report)
    }
}

impl Pond {
    /// Checks what can be read of a pond whose log is too damaged to be opened.
    ///
    /// # Errors
    /// As [`Pond::salvage`] for the pond that is read.
    pub async fn fsck_unopened(dir: &Path, environment: &Environment) -> Result<FsckReport> {
        let salvage = salvage::open(dir, environment).await?;
        let mut found = salvage.findings().to_vec();
        let verified = salvage
            .verify(&environment.monitor, &mut |finding| {
                if !found.contains(&finding) {
                    found.push(finding);
                }
            })
            .await
            .map_err(Error::log("cannot check the log"))?;
        let mut report = FsckReport::of(&verified);
        name_the_hit(&salvage, found, &mut report).await?;
        Ok(report)
    }
}

impl FsckReport {
    fn of(verified: &oplog::Verified) -> Self {
        Self {
            log_files: verified.files,
            contents: verified.contents,
            large_files: verified.large_files,
            transactions: verified.transactions,
            bytes: verified.bytes,
            ..Self::default()
        }
    }
}

/// Puts findings, and the paths and versions that are hit by them, into the
/// report, of a log of which some rows about names and versions are lost.
async fn name_the_hit(
    salvage: &Salvage,
    found: Vec<oplog::Finding>,
    report: &mut FsckReport,
) -> Result<()> {
    let reading = Error::log("cannot check the log");
    let tree = Tree::of(salvage).await.map_err(&reading)?;
    report.findings.extend(found.into_iter().map(|one| from_log(one, |node| tree.path(node))));
    for range in salvage.lost_transactions() {
        let which = salvage::transactions(range.clone());
        report.findings.push(Finding::of_log(format!("{which}: not all of it can be read")));
    }
    let named: HashSet<_> = report.findings.iter().map(|f| (f.node, f.version)).collect();
    if !salvage.unlisted_transactions().is_empty() {
        let mut versions = salvage.versions();
        while let Some(row) = versions.try_next().await.map_err(&reading)? {
            let is_hit = |range: &RangeInclusive<u64>| range.contains(&row.txn_seq);
            if row.row.version > 0 && salvage.unlisted_transactions().iter().any(is_hit) {
                let (node, txn_seq) = (row.row.node, row.txn_seq);
                let what = format!("the log has lost transaction {txn_seq}, which wrote it");
                let path = tree.path(node);
                report.findings.push(Finding {
                    path,
                    node: Some(node),
                    version: Some(row.row.version),
                    ..Finding::of_log(what)
                });
            }
        }
    }
    let mut entries: Vec<_> =
        tree.entries().map(|(parent, child)| (parent, child.clone())).collect();
    entries.sort_by(|a, b| (a.0, &a.1.name).cmp(&(b.0, &b.1.name)));
    report.nodes += entries.len() as u64;
    if salvage.damaged_rows().iter().any(|damaged| damaged.may_be_about_names_in(tree.root())) {
        report.findings.extend(names_in(salvage, tree.root(), "/"));
    }
    for (_, Child { node, entry_type, .. }) in entries {
        let Some(path) = tree.path(node) else { continue };
        report.findings.extend(names_in(salvage, node, &path));
        for damaged in salvage.damaged_rows().iter().filter(|one| one.may_be_about(node)) {
            let rows = salvage.versions_of(node).await.map_err(&reading)?;
            let which = salvage::transactions(damaged.transactions());
            let finding = |version, what| Finding {
                path: Some(path.clone()),
                node: Some(node),
                version,
                file: Some(damaged.path().to_owned()),
                what,
            };
            let missing = missing(&rows, salvage.oldest() > 1);
            if missing.is_empty() {
                let what = if rows.is_empty() && entry_type.is_file() {
                    "nothing can be read of it".to_owned()
                } else {
                    format!("what {which} wrote of it may be lost")
                };
                report.findings.push(finding(None, what));
            }
            for version in missing.into_iter().filter(|v| !named.contains(&(Some(node), Some(*v))))
            {
                report.findings.push(finding(Some(version), "it can not be read".to_owned()));
            }
        }
    }
    Ok(())
}

/// Which names in a directory may be hit.
fn names_in<'a>(
    salvage: &'a Salvage,
    node: NodeId,
    path: &'a str,
) -> impl Iterator<Item = Finding> + 'a {
    let damaged = salvage.damaged_rows().iter();
    damaged.filter(move |damaged| damaged.may_be_about_names_in(node)).map(move |damaged| {
        let which = salvage::transactions(damaged.transactions());
        Finding {
            path: Some(path.to_owned()),
            node: Some(node),
            version: None,
            file: Some(damaged.path().to_owned()),
            what: format!("names that {which} wrote in it may be lost"),
        }
    })
}

/// The numbers below the highest known of which nothing is known.
fn missing(rows: &[Stamped<VersionRow>], pruned: bool) -> Vec<u64> {
    let mut known = BTreeSet::new();
    for row in rows.iter().map(|row| &row.row).filter(|row| row.version > 0) {
        known.extend(row.covers.map_or(row.version, |covers| covers.from_version)..=row.version);
    }
    let first = if pruned { known.first().copied().unwrap_or(1) } else { 1 };
    let last = known.last().copied().unwrap_or(0);
    (first..=last).filter(|number| !known.contains(number)).collect()
}

impl Finding {
    pub(crate) fn of_log(what: String) -> Self {
        Self { path: None, node: None, version: None, file: None, what }
    }

    fn of_node(paths: &Paths, node: NodeId, what: impl Into<String>) -> Self {
        Self {
            path: paths.path(node),
            node: Some(node),
            version: None,
            file: None,
            what: what.into(),
        }
    }
}

/// The log's finding, with paths for nodes.
pub(crate) fn from_log(
    finding: oplog::Finding,
    path_of: impl Fn(NodeId) -> Option<String>,
) -> Finding {
    match finding {
        oplog::Finding::File { path, what } => {
            Finding { file: Some(path), ..Finding::of_log(what) }
        }
        oplog::Finding::Content { node, version, path, what } => Finding {
            path: path_of(node),
            node: Some(node),
            version: Some(version),
            file: path,
            what,
        },
        oplog::Finding::Link { parent, name, what } => {
            let dir = path_of(parent).filter(|dir| dir != "/").unwrap_or_default();
            let path = Some(format!("{dir}/{name}"));
            Finding { path, ..Finding::of_log(what) }
        }
        oplog::Finding::Transaction { txn_seq, what } => {
            Finding::of_log(format!("transaction {txn_seq}: {what}"))
        }
        other => Finding::of_log(other.to_string()),
    }
}

/// Checks names and versions against the rules of the file system.
async fn check_tree(view: &ReadView, paths: &Paths, report: &mut FsckReport) {
    let damaged: HashSet<_> = report.findings.iter().filter_map(|f| f.node).collect();
    let types = match node_types(view).await {
        Ok(types) => types,
        Err(error) => {
            report.findings.push(Finding::of_log(with_cause(&error)));
            return;
        }
    };
    let store = View::new(view.snapshot().clone());
    let mut nodes: Vec<_> = paths.nodes().collect();
    nodes.sort_by_key(|(node, _)| *node);
    for (node, named) in nodes {
        report.nodes += 1;
        let found = |what: String| Finding::of_node(paths, node, what);
        if paths.path(node).is_none() {
            let what = "its directories lead round in a circle or nowhere";
            report.findings.push(found(what.to_owned()));
            continue;
        }
        match types.get(&node) {
            None => {
                report
                    .findings
                    .push(found("the name stands for a node that does not exist".into()));
                continue;
            }
            Some(actual) if *actual != named.entry_type => {
                let what = format!("its name says {}, but it is {actual}", named.entry_type);
                report.findings.push(found(what));
            }
            Some(_) => {}
        }
        if !named.entry_type.is_file() || damaged.contains(&node) {
            continue;
        }
        let looked_at = async {
            let (versions, runs) = (store.versions(node).await?, store.runs(node).await?);
            Ok::<_, tinyfs::Error>((versions, runs))
        };
        match looked_at.await {
            Err(error) => report.findings.push(found(with_cause(&error))),
            Ok((versions, runs)) => {
                report.findings.extend(gap(&versions, &runs, view.snapshot().oldest()).map(found));
                check_parquet(view, paths, node, &versions, &mut report.findings).await;
            }
        }
    }
}

/// What the rows of each node say it is.
async fn node_types(view: &ReadView) -> Result<HashMap<NodeId, EntryType>> {
    let mut types = HashMap::new();
    let mut rows = view.snapshot().scan_versions();
    while let Some(row) =
        rows.try_next().await.map_err(Error::log("cannot read the versions in the log"))?
    {
        types.insert(row.row.node, row.row.entry_type);
    }
    Ok(types)
}

/// What is wrong with the numbers of a file's versions.
fn gap(versions: &[Version], runs: &[Version], oldest: u64) -> Option<String> {
    let covered = |number: u64| {
        runs.iter().any(|run| run.covers.as_ref().is_some_and(|covers| covers.contains(&number)))
    };
    let mut expected = match versions.first() {
        None if runs.is_empty() => return Some("it has no version".to_owned()),
        None => return None,
        // A prune may have dropped the first ones.
        Some(first) if oldest > 1 => first.number,
        Some(_) => 1,
    };
    for version in versions {
        while expected < version.number {
            if !covered(expected) && oldest <= 1 {
                return Some(format!("version {expected} is missing"));
            }
            expected += 1;
        }
        if version.number < expected {
            return Some(format!("version {} is there twice", version.number));
        }
        expected += 1;
    }
    None
}

/// Reads the footer of each Parquet version.
async fn check_parquet(
    view: &ReadView,
    paths: &Paths,
    node: NodeId,
    versions: &[Version],
    findings: &mut Vec<Finding>,
) {
    let Some(path) = paths.path(node) else { return };
    for version in versions.iter().filter(|version| version.format == Format::Parquet) {
        let fs = view.fs();
        if let Err(error) = fs.read_schema(&path, Some(version.number)).await {
            let finding = Finding::of_node(paths, node, with_cause(&error));
            findings.push(Finding { version: Some(version.number), ..finding });
        }
    }
}

/// An error and its causes, on one line.
pub(crate) fn with_cause(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text = format!("{text}: {error}");
        cause = error.source();
    }
    text
}
