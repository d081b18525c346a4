//! The log as it was at a transaction.
//!
//! A snapshot is a list of files and a number; it never changes, costs nothing
//! to clone and takes no lock. Its state is a function of the rows with
//! `txn_seq` up to its number. What a prune dropped, or what only a later
//! merged run holds, is refused by name and never answered in part.

use std::ops::{Range, RangeInclusive};
use std::sync::Arc;

use bytes::Bytes;
use futures::stream::BoxStream;
use futures::{StreamExt, TryStreamExt};
use tinyfs::{ContentHash, NodeId};

use crate::columns::kind;
use crate::delta::TableState;
use crate::file::LiveFile;
use crate::filter::Key;
use crate::footer::About;
use crate::reader::{Block, ReadCounts, Reads};
use crate::{Error, Identity, LinkRow, Result, Stamped, TransactionRow, VersionRow, large};

/// Files of transactions read at the same time.
const READ_AHEAD: usize = 8;
/// Files read at the same time for one node: the next may not be needed.
const LOOK_AHEAD: usize = 2;
/// Transactions looked at together in the search for a time.
const TOGETHER: u64 = 256;

/// An immutable view of a log.
#[derive(Clone, Debug)]
pub struct Snapshot {
    pub(crate) reads: Arc<Reads>,
    pub(crate) state: TableState,
    txn_seq: u64,
}

impl Snapshot {
    pub(crate) const fn new(reads: Arc<Reads>, state: TableState, txn_seq: u64) -> Self {
        Self { reads, state, txn_seq }
    }

    /// The transaction whose state it shows; 0 before the first.
    #[must_use]
    pub const fn txn_seq(&self) -> u64 {
        self.txn_seq
    }

    /// The oldest transaction whose state can be seen.
    #[must_use]
    pub const fn oldest(&self) -> u64 {
        self.state.horizon.oldest
    }

    /// Which pond it is.
    #[must_use]
    pub fn identity(&self) -> &Identity {
        &self.state.identity
    }

    /// The newest transaction that this snapshot's files hold.
    fn newest(&self) -> u64 {
        self.metadata_files().next_back().map_or(0, |file| file.to)
    }

    pub(crate) fn metadata_files(&self) -> impl DoubleEndedIterator<Item = &LiveFile> {
        self.state.files.iter().filter(|file| file.parts.has_metadata())
    }

    /// The files with metadata that this snapshot sees and that may have rows
    /// about something, the newest first. The others are not opened: a damaged
    /// file hinders only who asks for what it may hold.
    fn newest_first(&self, about: Key) -> Vec<LiveFile> {
        self.metadata_files()
            .rev()
            .filter(|file| file.from <= self.txn_seq && file.may_have(about))
            .cloned()
            .collect()
    }

    /// The log as it was after another transaction.
    ///
    /// # Errors
    /// [`Error::NoSuchTransaction`], [`Error::Pruned`].
    pub fn as_of(&self, txn_seq: u64) -> Result<Self> {
        let newest = self.newest();
        if txn_seq > newest {
            return Err(Error::NoSuchTransaction { txn_seq, newest });
        }
        if txn_seq < self.oldest() {
            return Err(self.pruned(format!("the state after transaction {txn_seq}")));
        }
        Ok(Self { txn_seq, ..self.clone() })
    }

    /// The log as it was at a time: after the last transaction before which
    /// no transaction ended later. So a clock that stepped back hides nothing.
    ///
    /// # Errors
    /// [`Error::Pruned`], [`Error::Io`] and damage.
    pub async fn as_of_time(&self, time_us: i64) -> Result<Self> {
        let mut found = 0;
        let mut latest = i64::MIN;
        for file in self.metadata_files() {
            if latest.max(file.ended_max_us) <= time_us {
                latest = latest.max(file.ended_max_us);
                found = file.to;
                continue;
            }
            // Pieces that end in time need not be decoded.
            let mut from = file.from;
            'pieces: for group in &self.reads.footer(file).await?.groups {
                for piece in group.pieces() {
                    let known = piece.ended_max_us().zip(piece.last_transaction());
                    let Some((ended_us, last)) =
                        known.filter(|_| piece.may_only_have(kind::TRANSACTION))
                    else {
                        break 'pieces;
                    };
                    if latest.max(ended_us) > time_us {
                        break 'pieces;
                    }
                    latest = latest.max(ended_us);
                    (found, from) = (last, last + 1);
                }
            }
            while from <= file.to {
                let last = file.to.min(from + TOGETHER - 1);
                let mut rows = self.transactions(from..=last);
                while let Some(row) = rows.try_next().await? {
                    latest = latest.max(row.row.ended_us);
                    if latest > time_us {
                        return self.as_of(found);
                    }
                    found = row.txn_seq;
                }
                from = last + 1;
            }
            break;
        }
        self.as_of(found)
    }

    fn pruned(&self, what: String) -> Error {
        Error::Pruned { what, oldest: self.oldest() }
    }

    /// When the transaction it shows ended; `None` before the first.
    ///
    /// # Errors
    /// As [`Snapshot::transaction`].
    pub async fn ended_us(&self) -> Result<Option<i64>> {
        if self.txn_seq == 0 {
            return Ok(None);
        }
        Ok(Some(self.transaction(self.txn_seq).await?.row.ended_us))
    }

    /// What a directory has under a name.
    ///
    /// # Errors
    /// [`Error::Io`] and damage.
    pub async fn link(&self, parent: NodeId, name: &str) -> Result<Option<Stamped<LinkRow>>> {
        // Files hold disjoint ranges of transactions: the first that knows the
        // name knows it best.
        for file in self.newest_first(Key::name(parent, name)) {
            let wanted = |about: &About| about.may_have_name(parent, name);
            let blocks = self.reads.blocks(&file, kind::LINK, self.cuts(&file), wanted).await?;
            let newest = blocks
                .iter()
                .flat_map(|block| block.links_of(parent))
                .filter(|link| link.row.name == name && link.txn_seq <= self.txn_seq)
                .max_by_key(|link| link.order());
            if let Some(link) = newest {
                return Ok(link.row.child.is_some().then(|| link.clone()));
            }
        }
        Ok(None)
    }

    /// The names of a directory, ordered by their bytes.
    ///
    /// # Errors
    /// [`Error::Io`] and damage.
    pub async fn links(&self, parent: NodeId) -> Result<Vec<Stamped<LinkRow>>> {
        let mut newest = std::collections::BTreeMap::<String, Stamped<LinkRow>>::new();
        let mut files = self.about(Key::directory(parent), parent, kind::LINK, false);
        while let Some(blocks) = files.try_next().await? {
            let links = blocks.iter().flat_map(|block| block.links_of(parent));
            for link in links.filter(|link| link.txn_seq <= self.txn_seq) {
                match newest.get_mut(&link.row.name) {
                    None => drop(newest.insert(link.row.name.clone(), link.clone())),
                    Some(known) if known.order() < link.order() => *known = link.clone(),
                    Some(_) => {}
                }
            }
        }
        Ok(newest.into_values().filter(|link| link.row.child.is_some()).collect())
    }

    /// Every row about a directory's names, tombstones included, in order.
    ///
    /// # Errors
    /// [`Error::Io`] and damage.
    pub async fn link_history(&self, parent: NodeId) -> Result<Vec<Stamped<LinkRow>>> {
        let mut rows = Vec::new();
        let mut files = self.about(Key::directory(parent), parent, kind::LINK, true);
        while let Some(blocks) = files.try_next().await? {
            let links = blocks.iter().flat_map(|block| block.links_of(parent));
            rows.extend(links.filter(|link| link.txn_seq <= self.txn_seq).cloned());
        }
        rows.sort_by_key(Stamped::order);
        Ok(rows)
    }

    /// The rows that say what a node is at this snapshot, in order: those that
    /// no other supersedes, and maybe more. How long its history is costs
    /// nothing, except of a series at an earlier snapshot: whether that can
    /// still be shown is only seen from all of it. A series is read back to
    /// where it is whole, which a merge makes recent.
    ///
    /// # Errors
    /// As [`Snapshot::versions`].
    pub async fn current(&self, node: NodeId) -> Result<Vec<Stamped<VersionRow>>> {
        let mut rows = Vec::new();
        let mut files = self.about(Key::node(node), node, kind::VERSION, false);
        while let Some(blocks) = files.try_next().await? {
            let found = blocks.iter().flat_map(|block| block.versions_of(node));
            rows.extend(found.filter(|row| row.txn_seq <= self.txn_seq).cloned());
            if is_whole(&rows) {
                break;
            }
        }
        drop(files);
        if self.txn_seq < self.newest() && rows.iter().any(|row| row.row.entry_type.is_series()) {
            return self.versions(node).await;
        }
        rows.sort_by_key(Stamped::order);
        Ok(rows)
    }

    /// What has been read of data files since the log was opened, by this and
    /// all other snapshots of it.
    #[must_use]
    pub fn read_counts(&self) -> ReadCounts {
        self.reads.counts()
    }

    /// Every row about a node, in order: the node itself (version 0), its
    /// versions as written, and merged runs.
    ///
    /// # Errors
    /// [`Error::Pruned`] when versions that this snapshot should see are only
    /// in a run that was merged later; [`Error::Io`] and damage.
    pub async fn versions(&self, node: NodeId) -> Result<Vec<Stamped<VersionRow>>> {
        let mut rows = Vec::new();
        // Runs merged later are looked at too: they tell what is gone.
        let newest = Self { txn_seq: self.newest(), ..self.clone() };
        let mut files = newest.about(Key::node(node), node, kind::VERSION, true);
        while let Some(blocks) = files.try_next().await? {
            rows.extend(blocks.iter().flat_map(|block| block.versions_of(node)).cloned());
        }
        rows.sort_by_key(Stamped::order);
        let held = held(&rows, self.txn_seq);
        for run in rows.iter().filter(|row| row.txn_seq > self.txn_seq) {
            let Some(covers) = run.row.covers else { continue };
            let whole = held
                .iter()
                .any(|(first, last)| *first <= covers.from_version && run.row.version <= *last);
            if covers.from_txn <= self.txn_seq && !whole {
                return Err(self.pruned(format!(
                    "the state of node {node} after transaction {} (its versions {} to {} stand \
                     merged)",
                    self.txn_seq, covers.from_version, run.row.version
                )));
            }
        }
        rows.retain(|row| row.txn_seq <= self.txn_seq);
        Ok(rows)
    }

    /// The bytes of inline content, checked against their hash. `txn_seq` is
    /// the transaction that wrote the version.
    ///
    /// # Errors
    /// [`Error::DamagedContent`], [`Error::Io`] and damage.
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
        let damaged = |what: String| Error::DamagedContent { node, version, what };
        let files =
            self.state.files.iter().filter(|file| {
                file.parts.has_content() && file.from <= txn_seq && txn_seq <= file.to
            });
        for file in files {
            let found = match self.reads.content(file, node, version, hash).await {
                Ok(found) => found,
                Err(Error::DamagedFile { file, what }) => {
                    return Err(damaged(format!("data file `{file}` is damaged: {what}")));
                }
                Err(error) => return Err(error),
            };
            if let Some(bytes) = found {
                let actual = ContentHash::of(&bytes);
                if actual != hash {
                    return Err(damaged(format!(
                        "it hashes to {actual}, not to {hash} (in `{}`)",
                        file.path
                    )));
                }
                return Ok(bytes);
            }
        }
        Err(damaged("its bytes are not in the log".into()))
    }

    /// Bytes of a large file, exactly as many as asked for.
    ///
    /// # Errors
    /// [`Error::MissingLargeFile`], [`Error::DamagedFile`] when it is too
    /// short, [`Error::Io`].
    pub async fn read_large(&self, hash: ContentHash, range: Range<u64>) -> Result<Bytes> {
        large::read(&**self.reads.store(), hash, range).await
    }

    /// One transaction's row.
    ///
    /// # Errors
    /// [`Error::NoSuchTransaction`], [`Error::Pruned`], [`Error::Io`], damage.
    pub async fn transaction(&self, txn_seq: u64) -> Result<Stamped<TransactionRow>> {
        if txn_seq == 0 || txn_seq > self.txn_seq {
            return Err(Error::NoSuchTransaction { txn_seq, newest: self.txn_seq });
        }
        if txn_seq < self.oldest() {
            return Err(self.pruned(format!("transaction {txn_seq}")));
        }
        self.transactions(txn_seq..=txn_seq)
            .try_next()
            .await?
            .ok_or_else(|| Error::Gap { what: format!("transaction {txn_seq}") })
    }

    /// The rows of transactions, ascending; those that were pruned are not
    /// among them.
    pub fn transactions(
        &self,
        range: RangeInclusive<u64>,
    ) -> BoxStream<'static, Result<Stamped<TransactionRow>>> {
        let last = (*range.end()).min(self.txn_seq);
        let first = (*range.start()).max(self.oldest());
        let files: Vec<_> = self
            .metadata_files()
            .filter(|file| file.from <= last && first <= file.to)
            .cloned()
            .collect();
        let reads = Arc::clone(&self.reads);
        futures::stream::iter(files)
            .map(move |file| {
                let reads = Arc::clone(&reads);
                async move {
                    let wanted = |about: &About| about.may_be_of(&(first..=last));
                    let blocks = reads.blocks(&file, kind::TRANSACTION, false, wanted).await?;
                    let mut rows: Vec<_> = blocks
                        .iter()
                        .flat_map(|block| &block.transactions)
                        .filter(|row| first <= row.txn_seq && row.txn_seq <= last)
                        .cloned()
                        .collect();
                    rows.sort_by_key(Stamped::order);
                    Ok::<_, Error>(futures::stream::iter(rows.into_iter().map(Ok)))
                }
            })
            .buffered(READ_AHEAD)
            .try_flatten()
            .boxed()
    }

    /// Every merged run of a series in the files with rows of a range of
    /// transactions.
    pub(crate) async fn runs_within(
        &self,
        node: NodeId,
        transactions: &RangeInclusive<u64>,
    ) -> Result<Vec<Stamped<VersionRow>>> {
        let mut rows = Vec::new();
        let mut files = self.newest_first(Key::node(node));
        files.retain(|file| file.from <= *transactions.end() && *transactions.start() <= file.to);
        for file in files {
            let wanted = |about: &About| about.may_be_about(node);
            let blocks = self.reads.blocks(&file, kind::VERSION, true, wanted).await?;
            let found = blocks.iter().flat_map(|block| block.versions_of(node));
            rows.extend(found.filter(|row| row.row.covers.is_some()).cloned());
        }
        Ok(rows)
    }

    /// Whether the snapshot sees some of a file's transactions and not others.
    /// What is superseded in the file may be what it must show then.
    const fn cuts(&self, file: &LiveFile) -> bool {
        file.to > self.txn_seq
    }

    /// The blocks that may have rows of a kind about a node: one item for each
    /// file that may have what is asked for, the newest first. The history of
    /// files is passed over where it can be, unless it is asked for.
    fn about(
        &self,
        key: Key,
        node: NodeId,
        kind: &'static str,
        with_history: bool,
    ) -> BoxStream<'static, Result<Vec<Arc<Block>>>> {
        let reads = Arc::clone(&self.reads);
        let files = self.newest_first(key).into_iter().map(|file| {
            let with_history = with_history || self.cuts(&file);
            (file, with_history)
        });
        futures::stream::iter(files.collect::<Vec<_>>())
            .map(move |(file, with_history)| {
                let reads = Arc::clone(&reads);
                async move {
                    let wanted = |about: &About| about.may_be_about(node);
                    reads.blocks(&file, kind, with_history, wanted).await
                }
            })
            .buffered(LOOK_AHEAD)
            .boxed()
    }
}

/// Whether rows, the newest that there are, say all of a series: what it is,
/// and each of its versions, as written or in a run. A transaction that adds a
/// run to a series and says again what it is tells that no version before it
/// has a higher number than the run; those after it are among the rows.
fn is_whole(rows: &[Stamped<VersionRow>]) -> bool {
    let run_of =
        |txn_seq: u64| rows.iter().any(|row| row.txn_seq == txn_seq && row.row.covers.is_some());
    let restated = rows.iter().any(|row| row.row.version == 0 && run_of(row.txn_seq));
    restated && matches!(held(rows, u64::MAX)[..], [(0, last)] if last > 0)
}

/// The numbers of versions whose rows a state at a transaction can be read
/// from, as ranges that neither touch nor overlap: those that stand as they
/// were written, and those in runs that the state sees.
fn held(rows: &[Stamped<VersionRow>], txn_seq: u64) -> Vec<(u64, u64)> {
    let mut ranges: Vec<_> = rows
        .iter()
        .filter(|row| row.row.covers.is_none() || row.txn_seq <= txn_seq)
        .map(|row| {
            (row.row.covers.map_or(row.row.version, |covers| covers.from_version), row.row.version)
        })
        .collect();
    ranges.sort_unstable();
    let mut held: Vec<(u64, u64)> = Vec::new();
    for (first, last) in ranges {
        match held.last_mut() {
            Some((_, end)) if first <= end.saturating_add(1) => *end = last.max(*end),
            _ => held.push((first, last)),
        }
    }
    held
}
