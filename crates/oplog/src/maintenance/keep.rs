//! Which rows a rewrite keeps.
//!
//! A row goes only when no snapshot at or after the horizon needs it, or when
//! it is a version that a run merged long ago covers. Each decision looks at
//! the whole log, not at the files being merged, so files can be rewritten one
//! at a time, the oldest first. Contents go when the rows that name them have
//! gone, and never before.

use std::cmp::Reverse;
use std::collections::{BTreeMap, HashMap, HashSet};
use std::ops::RangeInclusive;
use std::sync::Arc;

use futures::TryStreamExt;
use tinyfs::{ContentHash, NodeId};

use crate::columns::{ContentRow, kind};
use crate::{LinkRow, Result, Snapshot, Stamped, TransactionRow, VersionRow};

/// A content that a version names.
type Named = (NodeId, u64, ContentHash);

/// Decides for each row in turn; rows come sorted, so a node's are together.
/// Versions come before contents.
pub(super) struct Keeper {
    snapshot: Snapshot,
    covered_before: u64,
    /// The transactions of the files that are rewritten.
    rewritten: RangeInclusive<u64>,
    pruning: Option<Pruning>,
    node: Option<OfNode>,
    /// The runs of a series that were merged long ago.
    runs: Option<(NodeId, Runs)>,
    /// Inline contents that versions seen so far name, and whether one of them
    /// stays.
    named: HashMap<Named, bool>,
    /// Large files that versions named which are dropped.
    dropped_large: HashSet<ContentHash>,
}

/// Runs of a series that were merged long ago.
#[derive(Default)]
struct Runs {
    covered: Covered,
    /// The orders of those that none of the others covers.
    widest: HashSet<(u64, u32)>,
}

impl Runs {
    fn of(rows: &[Stamped<VersionRow>]) -> Self {
        let mut runs = Self::default();
        let wider = |row: &Stamped<VersionRow>| {
            let first = row.row.covers.map_or(row.row.version, |covers| covers.from_version);
            (row.row.version - first.min(row.row.version), row.order())
        };
        let mut rows: Vec<_> = rows.iter().filter(|row| row.row.covers.is_some()).collect();
        rows.sort_by_key(|row| Reverse(wider(row)));
        for row in rows {
            let Some(covers) = row.row.covers else { continue };
            if !runs.covered.covers(covers.from_version, row.row.version) {
                runs.covered.insert(covers.from_version, row.row.version);
                runs.widest.insert(row.order());
            }
        }
        runs
    }
}

/// Nodes that some name stands for at the horizon or later: the same for every
/// file that is rewritten for it.
#[derive(Clone, Debug)]
pub(crate) struct Live {
    oldest: u64,
    newest: u64,
    nodes: Arc<HashSet<NodeId>>,
}

impl Live {
    pub(super) async fn of(snapshot: &Snapshot) -> Result<Self> {
        let oldest = snapshot.oldest();
        let mut live = HashSet::from([NodeId::new(snapshot.identity().pond_id)]);
        let mut links = snapshot.scan_links();
        let mut newest = HashMap::<(NodeId, String), Option<NodeId>>::new();
        while let Some(link) = links.try_next().await? {
            if link.txn_seq > oldest {
                live.extend(link.row.child);
            } else {
                newest.insert((link.row.parent, link.row.name), link.row.child);
            }
        }
        live.extend(newest.into_values().flatten());
        Ok(Self { oldest, newest: snapshot.txn_seq(), nodes: Arc::new(live) })
    }

    pub(super) fn is_of(&self, snapshot: &Snapshot) -> bool {
        self.oldest == snapshot.oldest() && self.newest == snapshot.txn_seq()
    }
}

/// What is known of one node.
struct OfNode {
    node: NodeId,
    /// The orders of the version rows that stay.
    kept: HashSet<(u64, u32)>,
}

/// A directory, and the order of the newest row of each of its names.
type NewestNames = (NodeId, HashMap<String, (u64, u32)>);

struct Pruning {
    oldest: u64,
    /// Nodes that some name stands for at the horizon or later.
    live: Arc<HashSet<NodeId>>,
    dir: Option<NewestNames>,
}

impl Keeper {
    /// Drops only versions covered by runs merged at or before a transaction.
    pub(super) fn covered(snapshot: Snapshot, covered_before: u64) -> Self {
        Self {
            snapshot,
            covered_before,
            rewritten: 0..=u64::MAX,
            pruning: None,
            node: None,
            runs: None,
            named: HashMap::new(),
            dropped_large: HashSet::new(),
        }
    }

    /// Drops what no snapshot at the horizon or later needs.
    pub(super) fn pruning(snapshot: Snapshot, covered_before: u64, live: &Live) -> Self {
        let live = Arc::clone(&live.nodes);
        let pruning = Pruning { oldest: snapshot.oldest(), live, dir: None };
        Self { pruning: Some(pruning), ..Self::covered(snapshot, covered_before) }
    }

    /// Says which transactions are rewritten: what stands in other files need
    /// not be known as well.
    pub(super) fn rewriting(self, transactions: RangeInclusive<u64>) -> Self {
        Self { rewritten: transactions, ..self }
    }

    /// The large files that versions named which it has dropped.
    pub(super) const fn dropped_large(&self) -> &HashSet<ContentHash> {
        &self.dropped_large
    }

    /// The horizon of the log.
    pub(super) const fn oldest(&self) -> u64 {
        self.snapshot.oldest()
    }

    /// Up to where what it kept is pruned.
    pub(super) fn pruned_to(&self) -> u64 {
        self.pruning.as_ref().map_or(0, |pruning| pruning.oldest)
    }

    /// Whether no row from this transaction on was dropped or will be.
    fn keeps_all_from(&self, txn_seq: u64) -> bool {
        txn_seq > self.covered_before.max(self.snapshot.oldest())
    }

    pub(super) fn keep_transaction(&self, row: &Stamped<TransactionRow>) -> bool {
        self.pruning.as_ref().is_none_or(|pruning| row.txn_seq >= pruning.oldest)
    }

    pub(super) async fn keep_link(&mut self, row: &Stamped<LinkRow>) -> Result<bool> {
        let Some(pruning) = &mut self.pruning else { return Ok(true) };
        if row.txn_seq > pruning.oldest {
            return Ok(true);
        }
        let parent = row.row.parent;
        if pruning.dir.as_ref().is_none_or(|(dir, _)| *dir != parent) {
            let mut newest = HashMap::new();
            for link in self.snapshot.link_history(parent).await? {
                if link.txn_seq <= pruning.oldest {
                    newest.insert(link.row.name.clone(), link.order());
                }
            }
            pruning.dir = Some((parent, newest));
        }
        let newest = pruning.dir.as_ref().and_then(|(_, names)| names.get(&row.row.name));
        // A tombstone goes with the last row it hides; files are rewritten
        // from the oldest, so none is left when it goes.
        Ok(newest == Some(&row.order()) && row.row.child.is_some())
    }

    async fn about(&mut self, node: NodeId) -> Result<&OfNode> {
        let known = match self.node.take().filter(|known| known.node == node) {
            Some(known) => known,
            None => {
                let rows = self.snapshot.versions(node).await?;
                OfNode { node, kept: self.kept(node, &rows) }
            }
        };
        Ok(self.node.insert(known))
    }

    /// Whether a run that was merged long ago stands for a version or run, or
    /// did until another took its place. Runs are looked for among those that
    /// stand now, however many there were, and in the files that are rewritten:
    /// a run follows what it covers, and the next merge of files brings together
    /// what lies apart.
    async fn is_covered(&mut self, row: &Stamped<VersionRow>) -> Result<bool> {
        let node = row.row.node;
        let (_, runs) = match self.runs.take().filter(|(known, _)| *known == node) {
            Some(known) => self.runs.insert(known),
            None => {
                let mut rows = self.snapshot.current(node).await?;
                rows.extend(self.snapshot.runs_within(node, &self.rewritten).await?);
                rows.retain(|row| row.txn_seq <= self.covered_before);
                self.runs.insert((node, Runs::of(&rows)))
            }
        };
        let first = row.row.covers.map_or(row.row.version, |covers| covers.from_version);
        Ok(!runs.widest.contains(&row.order()) && runs.covered.covers(first, row.row.version))
    }

    /// The orders of the rows of a node that stay.
    fn kept(&self, node: NodeId, rows: &[Stamped<VersionRow>]) -> HashSet<(u64, u32)> {
        let live = self.pruning.as_ref().is_none_or(|pruning| pruning.live.contains(&node));
        let before = self.covered_before.max(self.pruned_to());
        // The newest row of the node itself, and the newest version, that the
        // oldest visible snapshot sees.
        let newest = |of_node: bool| {
            let oldest = self.pruned_to();
            rows.iter()
                .filter(|row| row.txn_seq <= oldest && (row.row.version == 0) == of_node)
                .map(Stamped::order)
                .max()
        };
        let (newest_itself, newest_version) = (newest(true), newest(false));
        let mut kept = HashSet::new();
        let mut runs = Covered::default();
        // Rows come in order: from the end, the runs after a row are known.
        for row in rows.iter().rev() {
            let first = row.row.covers.map_or(row.row.version, |covers| covers.from_version);
            let covered = row.row.version > 0 && runs.covers(first, row.row.version);
            if row.row.covers.is_some() && row.txn_seq <= before {
                runs.insert(first, row.row.version);
            }
            let needed = match &self.pruning {
                Some(pruning) if row.txn_seq <= pruning.oldest => {
                    let order = Some(row.order());
                    // All versions of a series together are its content.
                    let series = row.row.entry_type.is_series() && row.row.version > 0;
                    live && (series || order == newest_itself || order == newest_version)
                }
                _ => true,
            };
            if needed && !covered {
                kept.insert(row.order());
            }
        }
        kept
    }

    pub(super) async fn keep_version(&mut self, row: &Stamped<VersionRow>) -> Result<bool> {
        let keep = if self.keeps_all_from(row.txn_seq) {
            true
        } else if self.pruning.is_some() {
            self.about(row.row.node).await?.kept.contains(&row.order())
        } else {
            row.txn_seq > self.covered_before
                || row.row.version == 0
                || !row.row.entry_type.is_series()
                || !self.is_covered(row).await?
        };
        if let Some(hash) = row.row.hash {
            if row.row.inline {
                *self.named.entry((row.row.node, row.row.version, hash)).or_default() |= keep;
            } else if !keep {
                self.dropped_large.insert(hash);
            }
        }
        Ok(keep)
    }

    /// Reads which contents the versions of a range of transactions name, for
    /// contents that lie in files of their own.
    pub(super) async fn look_up_named(&mut self, from: u64, to: u64) -> Result<()> {
        if self.keeps_all_from(from) {
            return Ok(());
        }
        let reads = Arc::clone(&self.snapshot.reads);
        let files =
            self.snapshot.metadata_files().filter(|file| file.from <= to && from <= file.to);
        for file in files {
            let footer = reads.footer(file).await?;
            for (number, group) in footer.groups.iter().enumerate() {
                if !group.may_have(kind::VERSION) || !group.may_be_of(&(from..=to)) {
                    continue;
                }
                let block = reads.read_kind(file, &footer, number, kind::VERSION).await?;
                for row in block.versions.iter().filter(|row| row.row.inline) {
                    let Some(hash) = row.row.hash else { continue };
                    self.named.insert((row.row.node, row.row.version, hash), true);
                }
            }
        }
        Ok(())
    }

    /// Whether a content stays: whether a version names it that does.
    pub(super) fn keep_content(&self, row: &Stamped<ContentRow>) -> bool {
        self.keeps_all_from(row.txn_seq)
            || self.named.get(&(row.row.node, row.row.version, row.row.hash)) == Some(&true)
    }
}

/// Ranges of versions that runs cover. None lies within another: so their ends
/// rise with their beginnings.
#[derive(Default)]
pub(super) struct Covered(BTreeMap<u64, u64>);

impl Covered {
    /// Whether one run covers them all.
    pub(super) fn covers(&self, first: u64, last: u64) -> bool {
        self.0.range(..=first).next_back().is_some_and(|(_, end)| last <= *end)
    }

    pub(super) fn insert(&mut self, first: u64, last: u64) {
        if self.covers(first, last) {
            return;
        }
        while let Some((&within, _)) = self.0.range(first..).next().filter(|(_, end)| **end <= last)
        {
            self.0.remove(&within);
        }
        self.0.insert(first, last);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_within_others_are_not_kept() {
        let mut covered = Covered::default();
        for (first, last) in [(5, 8), (1, 4), (6, 7), (3, 9), (10, 12)] {
            covered.insert(first, last);
        }
        assert_eq!(covered.0, BTreeMap::from([(1, 4), (3, 9), (10, 12)]));
        assert!(covered.covers(4, 9) && covered.covers(1, 4) && covered.covers(10, 11));
        assert!(!covered.covers(1, 5) && !covered.covers(9, 10) && !covered.covers(13, 13));
    }
}
