//! Reading what can be read of a log that is damaged, opened or not.
//!
//! [`Salvage::open`] replays the commits and checkpoints that are whole. Where
//! they leave transactions uncovered, or name files that are damaged, it looks
//! for other files that hold the same transactions: those that a merge
//! replaced, and those whose commit is lost. Such a file counts only when the
//! chain of transaction hashes, or the hash in its own name, proves it.
//!
//! Always true: nothing is written; what is given was written so (rows are
//! compared with the sums of their files, contents with their hashes); what is
//! not given is among the findings or the lost transactions.
//!
//! Deliberately not here: what the rows mean as a file system, and where the
//! salvaged goes.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::ops::{Range, RangeInclusive};
use std::sync::Arc;

use bytes::Bytes;
use diagnostics::Monitor;
use futures::stream::BoxStream;
use futures::{StreamExt, TryStreamExt};
use tinyfs::{ContentHash, NodeId};

use crate::canonical::{link_hash, origin_hash, rows_hash, transaction_hash, version_hash};
use crate::columns::kind;
use crate::delta::TableState;
use crate::file::{LiveFile, Parts};
use crate::filter::Key;
use crate::footer::Footer;
use crate::reader::Block;
use crate::sections::Sections;
use crate::{
    Error, Finding, Identity, LinkRow, Location, Log, LogOptions, Result, Stamped, Verified,
    VersionRow, large,
};

/// A log as far as it can be read.
#[derive(Debug)]
pub struct Salvage {
    log: Log,
    findings: Vec<Finding>,
    lost: Vec<RangeInclusive<u64>>,
    unlisted: Vec<RangeInclusive<u64>>,
    damaged: Vec<DamagedRows>,
}

/// A file of whose rows about names, versions or transactions some, or all, can
/// not be read.
#[derive(Clone, Debug)]
pub struct DamagedRows {
    file: LiveFile,
    /// The row groups that can not be read; without a footer that is all.
    groups: Option<(Arc<Footer>, Vec<usize>)>,
    /// Whether other files hold the same rows.
    replaced: bool,
}

impl DamagedRows {
    /// The file, relative to the log.
    #[must_use]
    pub fn path(&self) -> &str {
        &self.file.path
    }

    /// The transactions whose rows it holds.
    #[must_use]
    pub const fn transactions(&self) -> RangeInclusive<u64> {
        self.file.from..=self.file.to
    }

    /// Whether other files hold the same rows, so that a salvage loses none.
    #[must_use]
    pub const fn is_replaced(&self) -> bool {
        self.replaced
    }

    /// Whether rows about the versions of a node may be among the damaged.
    #[must_use]
    pub fn may_be_about(&self, node: NodeId) -> bool {
        self.may_have_lost(Key::node(node), kind::VERSION, node)
    }

    /// Whether rows about a name may be among the damaged.
    #[must_use]
    pub fn may_be_about_name(&self, parent: NodeId, name: &str) -> bool {
        self.may_have_lost(Key::name(parent, name), kind::LINK, parent)
    }

    /// Whether rows about any name in a directory may be among the damaged.
    #[must_use]
    pub fn may_be_about_names_in(&self, parent: NodeId) -> bool {
        self.may_have_lost(Key::directory(parent), kind::LINK, parent)
    }

    fn may_have_lost(&self, key: Key, kind: &str, node: NodeId) -> bool {
        self.file.may_have(key)
            && self.groups.as_ref().is_none_or(|(footer, damaged)| {
                let mut groups = damaged.iter().map(|group| &footer.groups[*group]);
                groups.any(|group| group.may_have(kind) && group.may_be_about(node))
            })
    }
}

impl Salvage {
    /// Opens what can be opened. `seen` is the newest transaction that is known
    /// to have been acknowledged, and its hash.
    ///
    /// # Errors
    /// [`Error::NotFound`], [`Error::NotADirectory`], [`Error::NotAPond`] when
    /// nothing says which pond it was, [`Error::NewerFormat`], [`Error::Io`].
    pub async fn open(location: &Location, seen: Option<(u64, ContentHash)>) -> Result<Self> {
        let mut search = Search::begin(location).await?;
        search.choose(seen).await?;
        search.finish()
    }

    /// Which pond it was.
    #[must_use]
    pub fn identity(&self) -> &Identity {
        self.log.identity()
    }

    /// The newest transaction of which anything is known.
    #[must_use]
    pub fn newest(&self) -> u64 {
        self.log.head().txn_seq
    }

    /// The oldest transaction whose state can be seen; what only earlier ones
    /// show was dropped on purpose.
    #[must_use]
    pub fn oldest(&self) -> u64 {
        self.log.state.horizon.oldest
    }

    /// What was found to be damaged on the way.
    #[must_use]
    pub fn findings(&self) -> &[Finding] {
        &self.findings
    }

    /// The transactions of which rows are lost, ascending; of some perhaps only
    /// a part.
    #[must_use]
    pub fn lost_transactions(&self) -> &[RangeInclusive<u64>] {
        &self.lost
    }

    /// Transactions whose entry in the log is lost, though their rows are there.
    #[must_use]
    pub fn unlisted_transactions(&self) -> &[RangeInclusive<u64>] {
        &self.unlisted
    }

    /// The files of whose rows some can not be read.
    #[must_use]
    pub fn damaged_rows(&self) -> &[DamagedRows] {
        &self.damaged
    }

    /// Checks all that it gives against its hashes, as [`Log::verify`] does.
    ///
    /// # Errors
    /// None for damage; [`Error::Io`].
    pub async fn verify(
        &self,
        monitor: &Arc<dyn Monitor>,
        findings: &mut (dyn FnMut(Finding) + Send),
    ) -> Result<Verified> {
        self.log.verify(monitor, findings).await
    }

    /// Every link row that can be read, in no order; some come twice.
    pub fn links(&self) -> BoxStream<'_, Result<Stamped<LinkRow>>> {
        self.rows(kind::LINK, |block| block.links)
    }

    /// Every version row that can be read, in no order; some come twice.
    pub fn versions(&self) -> BoxStream<'_, Result<Stamped<VersionRow>>> {
        self.rows(kind::VERSION, |block| block.versions)
    }

    /// The version rows of a node that can be read, in order.
    ///
    /// # Errors
    /// [`Error::Io`].
    pub async fn versions_of(&self, node: NodeId) -> Result<Vec<Stamped<VersionRow>>> {
        let mut rows = Vec::new();
        let key = Key::node(node);
        for file in self.metadata().filter(|file| file.may_have(key)) {
            let Some(footer) = readable(self.log.reads.footer(file).await) else { continue };
            for (group, about) in footer.groups.iter().enumerate() {
                if about.may_have_metadata()
                    && about.may_have(kind::VERSION)
                    && about.may_be_about(node)
                    && let Some(blocks) =
                        readable(self.log.reads.group(file, &footer, group, kind::VERSION).await)
                {
                    let blocks = blocks.iter();
                    rows.extend(blocks.flat_map(|block| block.versions_of(node)).cloned());
                }
            }
        }
        rows.sort_by_key(Stamped::order);
        rows.dedup_by_key(|row| row.order());
        Ok(rows)
    }

    /// The bytes of inline content, checked against their hash.
    ///
    /// # Errors
    /// [`Error::DamagedContent`] when no file gives them, [`Error::Io`].
    pub async fn content(
        &self,
        node: NodeId,
        version: u64,
        txn_seq: u64,
        hash: ContentHash,
    ) -> Result<Bytes> {
        if hash == ContentHash::of(b"") {
            return Ok(Bytes::new());
        }
        let mut what = "its bytes are not in the log".to_owned();
        let files =
            self.log.state.files.iter().filter(|file| {
                file.parts.has_content() && file.from <= txn_seq && txn_seq <= file.to
            });
        for file in files {
            match self.log.reads.content(file, node, version, hash).await {
                Ok(Some(bytes)) if ContentHash::of(&bytes) == hash => return Ok(bytes),
                Ok(Some(_)) => what = format!("its bytes in `{}` have another hash", file.path),
                Ok(None) => {}
                Err(error) => what = format!("`{}`: {}", file.path, why(&error)),
            }
        }
        Err(Error::DamagedContent { node, version, what })
    }

    /// Bytes of a large file, exactly as many as asked for; not checked.
    ///
    /// # Errors
    /// [`Error::MissingLargeFile`], [`Error::DamagedFile`], [`Error::Io`].
    pub async fn read_large(&self, hash: ContentHash, range: Range<u64>) -> Result<Bytes> {
        large::read(&*self.log.delta.store, hash, range).await
    }

    fn metadata(&self) -> impl Iterator<Item = &LiveFile> {
        self.log.state.files.iter().filter(|file| file.parts.has_metadata())
    }

    fn rows<T: Send + 'static>(
        &self,
        kind: &'static str,
        take: fn(Block) -> Vec<Stamped<T>>,
    ) -> BoxStream<'_, Result<Stamped<T>>> {
        futures::stream::iter(self.metadata())
            .then(move |file| async move {
                let footer = readable(self.log.reads.footer(file).await);
                let groups = footer.as_ref().map_or(0, |footer| footer.groups.len());
                let groups = futures::stream::iter(0..groups).then(move |group| {
                    let footer = footer.clone();
                    async move {
                        let Some(footer) = footer else { return Ok(Vec::new()) };
                        let about = &footer.groups[group];
                        if !about.may_have_metadata() || !about.may_have(kind) {
                            return Ok(Vec::new());
                        }
                        let block = self.log.reads.read_block(file, &footer, group).await;
                        Ok::<_, Error>(readable(block).map(take).unwrap_or_default())
                    }
                });
                Ok::<_, Error>(groups)
            })
            .try_flatten()
            .map_ok(|rows| futures::stream::iter(rows.into_iter().map(Ok)))
            .try_flatten()
            .boxed()
    }
}

/// What was read; `None` for what can not be, which the search has found
/// already.
fn readable<T>(read: Result<T>) -> Option<T> {
    read.ok()
}

/// Why something can not be read, in words. A disk that does not give a file is
/// as good a reason as a file that is damaged: a salvage goes on without it.
fn why(error: &Error) -> String {
    match error {
        Error::DamagedFile { what, .. } | Error::DamagedContent { what, .. } => what.clone(),
        other => {
            let (mut text, mut cause) = (other.to_string(), std::error::Error::source(other));
            while let Some(error) = cause {
                text = format!("{text}: {error}");
                cause = error.source();
            }
            text
        }
    }
}

/// What is known of a file's metadata when all of it was looked at.
struct Looked {
    /// The hash that its first transaction follows; a prune may have taken it.
    previous: Option<ContentHash>,
    /// What is wrong, when some of it can not be read.
    damage: Option<DamagedRows>,
}

/// A search under way.
struct Search {
    log: Log,
    findings: Vec<Finding>,
    /// How many commits could not be read: so many transactions may be missing
    /// at the end.
    unread_commits: u64,
    lost: Vec<RangeInclusive<u64>>,
    unlisted: Vec<RangeInclusive<u64>>,
    damaged: Vec<DamagedRows>,
    /// The files that were chosen.
    chosen: Vec<LiveFile>,
}

impl Search {
    async fn begin(location: &Location) -> Result<Self> {
        let options = LogOptions { read_only: true, ..LogOptions::default() };
        let delta = Log::delta_of(location, &options)?;
        let replayed = delta.replay_leniently().await?;
        let unread_commits = replayed.unread_commits;
        let findings =
            replayed.wrong.into_iter().map(|(path, what)| Finding::File { path, what }).collect();
        let log = Log::of_state(location, delta, replayed.state, options);
        Ok(Self {
            log,
            findings,
            unread_commits,
            lost: Vec::new(),
            unlisted: Vec::new(),
            damaged: Vec::new(),
            chosen: Vec::new(),
        })
    }

    fn finish(self) -> Result<Salvage> {
        let Self { mut log, findings, lost, unlisted, damaged, mut chosen, .. } = self;
        crate::delta::sort_files(&mut chosen);
        log.state = TableState { files: Arc::new(chosen), ..log.state };
        if log.state.identity.pond_id.is_nil() {
            return Err(Error::NotAPond {
                location: log.delta.location.clone(),
                reason: "nothing in it says which pond it was".into(),
            });
        }
        Ok(Salvage { log, findings, lost, unlisted, damaged })
    }

    fn found(&mut self, path: &str, what: impl Into<String>) {
        self.findings.push(Finding::File { path: path.to_owned(), what: what.into() });
    }

    /// Chooses files that together hold as much as there is.
    async fn choose(&mut self, seen: Option<(u64, ContentHash)>) -> Result<()> {
        let live: Vec<LiveFile> = self.log.state.files.to_vec();
        let newest = self.log.head().txn_seq;
        let mut gaps = Vec::new();
        let mut next = 1;
        let mut trouble = false;
        let mut known = self.start();
        for file in &live {
            self.chosen.push(file.clone());
            if file.parts.has_content() {
                trouble |= !self.contents_are_whole(file).await?;
            }
            if !file.parts.has_metadata() {
                continue;
            }
            let Looked { previous, damage } = self.look_at(file).await?;
            if file.from > next {
                gaps.push(Gap { range: next..=file.from - 1, last: previous, damage: None });
            }
            if damage.is_some() {
                gaps.push(Gap { range: file.from..=file.to, last: Some(file.chain), damage });
            }
            next = next.max(file.to + 1);
            known = Some(file.chain);
        }
        let end = newest + self.unread_commits;
        let end = end.max(seen.map_or(0, |(txn_seq, _)| txn_seq));
        if gaps.is_empty() && !trouble && end == newest {
            return Ok(());
        }
        let others = self.others(&live).await?;
        for gap in gaps {
            self.fill(&others, gap);
        }
        self.follow(&others, newest, known, seen);
        // Contents are found by their hash, wherever they lie.
        let taken: HashSet<_> = self.chosen.iter().map(|file| file.path.clone()).collect();
        let contents = others.into_iter().map(|other| other.file);
        self.chosen.extend(
            contents
                .filter(|file| file.parts.has_content() && !taken.contains(&file.path))
                .map(|file| LiveFile { parts: Parts::Content, ..file }),
        );
        self.name_the_pond().await
    }

    /// The hash that the first transaction follows, when the pond is known.
    fn start(&self) -> Option<ContentHash> {
        let id = self.log.state.identity.pond_id;
        (!id.is_nil()).then(|| origin_hash(id))
    }

    /// Reads all metadata of a file.
    async fn look_at(&mut self, file: &LiveFile) -> Result<Looked> {
        let footer = match self.log.reads.footer(file).await {
            Ok(footer) => footer,
            Err(error) => {
                let what = why(&error);
                self.found(&file.path, what);
                let file = file.clone();
                let damage = Some(DamagedRows { file, groups: None, replaced: false });
                return Ok(Looked { previous: None, damage });
            }
        };
        let (mut previous, mut damaged) = (None, Vec::new());
        for (group, about) in footer.groups.iter().enumerate() {
            if !about.may_have_metadata() {
                continue;
            }
            match self.log.reads.read_block(file, &footer, group).await {
                Ok(block) => {
                    let row = block.transactions.iter().find(|row| row.txn_seq == file.from);
                    previous = previous.or(row.map(|row| row.row.previous_hash));
                }
                Err(error) => {
                    let what = why(&error);
                    self.found(&file.path, format!("row group {group}: {what}"));
                    damaged.push(group);
                }
            }
        }
        let groups = Some((footer, damaged)).filter(|(_, damaged)| !damaged.is_empty());
        let damage = groups.map(|groups| DamagedRows {
            file: file.clone(),
            groups: Some(groups),
            replaced: false,
        });
        Ok(Looked { previous, damage })
    }

    async fn contents_are_whole(&mut self, file: &LiveFile) -> Result<bool> {
        let read = async {
            let footer = self.log.reads.footer(file).await?;
            for (group, about) in footer.groups.iter().enumerate() {
                if about.may_have(kind::CONTENT) {
                    self.log.reads.read_contents(file, &footer, group).await?;
                }
            }
            Ok::<_, Error>(())
        };
        match read.await {
            Ok(()) => Ok(true),
            Err(error) => {
                let what = why(&error);
                self.found(&file.path, what);
                Ok(false)
            }
        }
    }

    /// The data files that no commit names now and that are what they were.
    async fn others(&self, live: &[LiveFile]) -> Result<Vec<Other>> {
        let live: HashSet<_> = live.iter().map(|file| file.path.as_str()).collect();
        let mut others = Vec::new();
        for (name, size_bytes) in self.log.delta.data_files().await? {
            if live.contains(name.as_str()) {
                continue;
            }
            let Some(named) = Named::parse(&name) else { continue };
            if let Some(other) = self.examine(name, size_bytes, named).await? {
                others.push(other);
            }
        }
        Ok(others)
    }

    /// A file by its name, when what is in it bears that out.
    async fn examine(&self, path: String, size_bytes: u64, named: Named) -> Result<Option<Other>> {
        let Ok(Some(hash)) = self.log.delta.hash_of(&path).await else { return Ok(None) };
        if let Some(begin) = &named.hash
            && !hash.to_string().starts_with(begin)
        {
            return Ok(None);
        }
        let mut file = LiveFile {
            path,
            size_bytes,
            hash,
            rows: 0,
            modified_ms: 0,
            parts: named.parts,
            level: u32::from(named.hash.is_some()),
            from: named.from,
            to: named.to,
            chain: hash,
            ended_max_us: i64::MIN,
            pruned: 0,
            sections: Sections::default(),
            about: None,
        };
        if file.parts == Parts::Content {
            return Ok(Some(Other { previous: hash, file }));
        }
        match self.chain_of(&mut file, named.hash.is_none()).await {
            Ok(previous) => Ok(previous.map(|previous| Other { file, previous })),
            // What is not whole stands in for nothing.
            Err(_) => Ok(None),
        }
    }

    /// Fills in what the transactions of a file say of it, and gives the hash
    /// that the first of them follows. With `exact` every row is compared with
    /// the hashes of its transaction.
    async fn chain_of(&self, file: &mut LiveFile, exact: bool) -> Result<Option<ContentHash>> {
        let footer = self.log.reads.footer(file).await?;
        let mut transactions = BTreeMap::new();
        let mut hashes = BTreeMap::new();
        for (group, about) in footer.groups.iter().enumerate() {
            if !about.may_have_metadata() {
                continue;
            }
            let block = self.log.reads.read_block(file, &footer, group).await?;
            if exact {
                let links = block.links.iter();
                hashes.extend(links.map(|row| (row.position, link_hash(row.position, &row.row))));
                let versions = block.versions.iter();
                hashes.extend(
                    versions.map(|row| (row.position, version_hash(row.position, &row.row))),
                );
            }
            transactions.extend(block.transactions.into_iter().map(|row| (row.txn_seq, row.row)));
        }
        let mut before: Option<ContentHash> = None;
        for (txn_seq, row) in &transactions {
            let follows = before.is_none_or(|hash| hash == row.previous_hash);
            if !follows || transaction_hash(*txn_seq, row) != row.hash {
                return Ok(None);
            }
            file.ended_max_us = file.ended_max_us.max(row.ended_us);
            before = Some(row.hash);
        }
        let (Some((first, row)), Some((last, newest))) =
            (transactions.first_key_value(), transactions.last_key_value())
        else {
            return Ok(None);
        };
        if (*first, *last) != (file.from, file.to) {
            return Ok(None);
        }
        if exact && rows_hash(hashes.into_values()) != newest.rows_hash {
            return Ok(None);
        }
        file.chain = newest.hash;
        Ok(Some(row.previous_hash))
    }

    /// Fills a gap from other files, from its end, which is known by its hash,
    /// to its beginning. What stays open is lost.
    fn fill(&mut self, others: &[Other], gap: Gap) {
        let Gap { range, last: mut wanted, damage } = gap;
        let (first, mut to) = (*range.start(), *range.end());
        while to >= first {
            let Some(hash) = wanted else { break };
            let found = others.iter().find(|other| {
                other.file.parts.has_metadata()
                    && other.file.to == to
                    && other.file.from >= first
                    && other.file.chain == hash
            });
            let Some(found) = found else { break };
            self.chosen.push(found.file.clone());
            if damage.is_none() {
                self.unlisted.push(found.file.from..=to);
            }
            wanted = Some(found.previous);
            to = found.file.from - 1;
        }
        if to >= first {
            // The file that should hold them gives what it can.
            self.lost.push(first..=to);
            self.damaged.extend(damage);
            return;
        }
        // All is there without it; its contents may still be of use.
        if let Some(damage) = damage {
            for file in self.chosen.iter_mut().filter(|file| file.path == damage.file.path) {
                file.parts = Parts::Content;
            }
            self.damaged.push(DamagedRows { replaced: true, ..damage });
        }
    }

    /// Takes transactions after the newest that a commit names: as many as are
    /// known to have been committed, each proven by the one before it.
    fn follow(
        &mut self,
        others: &[Other],
        newest: u64,
        mut known: Option<ContentHash>,
        seen: Option<(u64, ContentHash)>,
    ) {
        let seen_seq = seen.map_or(0, |(txn_seq, _)| txn_seq);
        let end = (newest + self.unread_commits).max(seen_seq);
        let mut at = newest;
        while at < end {
            let mut next = others.iter().filter(|other| {
                other.file.parts.has_metadata()
                    && other.file.from == at + 1
                    && other.file.to <= end
                    && known.is_none_or(|hash| other.previous == hash)
                    // Of two attempts at one transaction the acknowledged counts.
                    && seen.is_none_or(|(txn_seq, hash)| {
                        other.file.to != txn_seq || other.file.chain == hash
                    })
            });
            let (Some(found), None) = (next.next(), next.next()) else { break };
            self.chosen.push(found.file.clone());
            self.unlisted.push(at + 1..=found.file.to);
            known = Some(found.file.chain);
            at = found.file.to;
        }
        if at < seen_seq {
            self.lost.push(at + 1..=seen_seq);
        } else if at == newest && self.unread_commits > 0 && seen.is_none() {
            // A commit without a transaction of its own, or one that is lost.
            self.lost.push(at + 1..=end);
        }
    }

    /// Finds out which pond it was, when no commit says so: the root is the
    /// directory that is nobody's child, and the first transaction proves it.
    async fn name_the_pond(&mut self) -> Result<()> {
        if !self.log.state.identity.pond_id.is_nil() {
            return Ok(());
        }
        let (mut parents, mut children) = (BTreeSet::new(), HashSet::new());
        let mut first = None;
        for file in self.chosen.iter().filter(|file| file.parts.has_metadata()) {
            let Some(footer) = readable(self.log.reads.footer(file).await) else { continue };
            for (group, about) in footer.groups.iter().enumerate() {
                if !about.may_have_metadata() {
                    continue;
                }
                let block = self.log.reads.read_block(file, &footer, group).await;
                let Some(block) = readable(block) else { continue };
                parents.extend(block.links.iter().map(|link| link.row.parent));
                children.extend(block.links.iter().filter_map(|link| link.row.child));
                let row = block.transactions.iter().find(|row| row.txn_seq == 1);
                first = first.or(row.map(|row| row.row.previous_hash));
            }
        }
        let mut roots = parents.into_iter().filter(|parent| !children.contains(parent));
        let proven = |node: &NodeId| first.is_some_and(|hash| origin_hash(node.uuid()) == hash);
        if let Some(root) = roots.find(proven) {
            let identity = Identity { pond_id: root.uuid(), ..(*self.log.state.identity).clone() };
            self.log.state.identity = Arc::new(identity);
        }
        Ok(())
    }
}

/// Transactions that no whole file covers.
struct Gap {
    range: RangeInclusive<u64>,
    /// The hash of the last of them.
    last: Option<ContentHash>,
    /// The file that should cover them, and can not be read.
    damage: Option<DamagedRows>,
}

/// A file that no commit names now.
struct Other {
    file: LiveFile,
    /// The hash that its first transaction follows.
    previous: ContentHash,
}

/// What the name of a data file says.
#[derive(Debug, PartialEq, Eq)]
struct Named {
    from: u64,
    to: u64,
    parts: Parts,
    /// The beginning of its hash.
    hash: Option<String>,
}

impl Named {
    fn parse(name: &str) -> Option<Self> {
        let stem = name.strip_suffix(".parquet")?;
        let number = |text: &str| (text.len() == 20).then(|| text.parse().ok()).flatten();
        let (from, rest) = stem.split_once('-')?;
        let from = number(from)?;
        let merged = rest.split_once('-').and_then(|(to, rest)| {
            let (parts, hash) = rest.split_once('-')?;
            let parts = match parts {
                "metadata" => Parts::Metadata,
                "content" => Parts::Content,
                _ => return None,
            };
            (hash.len() == 16).then_some(())?;
            Some(Self { from, to: number(to)?, parts, hash: Some(hash.to_owned()) })
        });
        let committed = || {
            rest.parse::<uuid::Uuid>().ok()?;
            Some(Self { from, to: from, parts: Parts::All, hash: None })
        };
        merged.or_else(committed).filter(|named| 0 < named.from && named.from <= named.to)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_data_files_say_what_they_hold() {
        let name = "00000000000000000007-019a0000-0000-7000-8000-000000000001.parquet";
        let named = Named::parse(name).unwrap();
        assert_eq!((named.from, named.to, named.parts, named.hash), (7, 7, Parts::All, None));
        let name = "00000000000000000001-00000000000000000032-content-0123456789abcdef.parquet";
        let named = Named::parse(name).unwrap();
        assert_eq!((named.from, named.to, named.parts), (1, 32, Parts::Content));
        assert_eq!(named.hash.as_deref(), Some("0123456789abcdef"));
        for other in ["x.parquet", "7-x.parquet", "00000000000000000007-x.parquet", "a.csv"] {
            assert_eq!(Named::parse(other), None, "{other}");
        }
    }
}
