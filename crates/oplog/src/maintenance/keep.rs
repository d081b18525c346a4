//! Which rows a rewrite keeps.
//!
//! A row goes only when no snapshot at or after the horizon needs it, or when
//! it is a version that a run merged long ago covers. Each decision looks at
//! the whole log, not at the files being merged, so files can be rewritten one
//! at a time, the oldest first.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use futures::TryStreamExt;
use tinyfs::NodeId;

use crate::columns::ContentRow;
use crate::{LinkRow, Result, Snapshot, Stamped, TransactionRow, VersionRow};

/// Decides for each row in turn; rows come sorted, so a node's are together.
pub(super) struct Keeper {
    snapshot: Snapshot,
    covered_before: u64,
    pruning: Option<Pruning>,
    node: Option<(NodeId, Arc<Vec<Stamped<VersionRow>>>)>,
}

/// A directory, and the order of the newest row of each of its names.
type NewestNames = (NodeId, HashMap<String, (u64, u32)>);

struct Pruning {
    oldest: u64,
    /// Nodes that some name stands for at the horizon or later.
    live: HashSet<NodeId>,
    dir: Option<NewestNames>,
}

impl Keeper {
    /// Drops only versions covered by runs merged at or before a transaction.
    pub(super) const fn covered(snapshot: Snapshot, covered_before: u64) -> Self {
        Self { snapshot, covered_before, pruning: None, node: None }
    }

    /// Drops what no snapshot at the horizon or later needs.
    pub(super) async fn pruning(snapshot: Snapshot, covered_before: u64) -> Result<Self> {
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
        drop(links);
        let pruning = Pruning { oldest, live, dir: None };
        Ok(Self { snapshot, covered_before, pruning: Some(pruning), node: None })
    }

    /// Up to where what it kept is pruned.
    pub(super) fn pruned_to(&self) -> u64 {
        self.pruning.as_ref().map_or(0, |pruning| pruning.oldest)
    }

    const fn keeps_all(&self) -> bool {
        self.pruning.is_none() && self.covered_before == 0 && self.snapshot.oldest() == 0
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

    async fn rows_of(&mut self, node: NodeId) -> Result<Arc<Vec<Stamped<VersionRow>>>> {
        if let Some((known, rows)) = &self.node
            && *known == node
        {
            return Ok(Arc::clone(rows));
        }
        let rows = Arc::new(self.snapshot.versions(node).await?);
        self.node = Some((node, Arc::clone(&rows)));
        Ok(rows)
    }

    fn is_live(&self, node: NodeId) -> bool {
        self.pruning.as_ref().is_none_or(|pruning| pruning.live.contains(&node))
    }

    fn decide(&self, row: &Stamped<VersionRow>, rows: &[Stamped<VersionRow>]) -> bool {
        if self.is_covered(row, rows) {
            return false;
        }
        let Some(pruning) = &self.pruning else { return true };
        if row.txn_seq > pruning.oldest {
            return true;
        }
        if !self.is_live(row.row.node) {
            return false;
        }
        // All versions of a series together are its content.
        if row.row.entry_type.is_series() && row.row.version > 0 {
            return true;
        }
        !rows.iter().any(|later| {
            later.txn_seq <= pruning.oldest
                && later.order() > row.order()
                && (later.row.version == 0) == (row.row.version == 0)
        })
    }

    /// Whether a run that is old enough, or that every visible snapshot sees,
    /// stands for a row.
    fn is_covered(&self, row: &Stamped<VersionRow>, rows: &[Stamped<VersionRow>]) -> bool {
        let before = self.covered_before.max(self.pruned_to());
        let first = row.row.covers.map_or(row.row.version, |covers| covers.from_version);
        row.row.version > 0
            && rows.iter().any(|run| {
                run.txn_seq <= before
                    && run.order() > row.order()
                    && run.row.covers.is_some_and(|covers| {
                        covers.from_version <= first && row.row.version <= run.row.version
                    })
            })
    }

    pub(super) async fn keep_version(&mut self, row: &Stamped<VersionRow>) -> Result<bool> {
        if self.pruning.is_none() && (self.covered_before == 0 || !row.row.entry_type.is_series()) {
            return Ok(true);
        }
        let rows = self.rows_of(row.row.node).await?;
        Ok(self.decide(row, &rows))
    }

    /// Contents go when no version names them any more, or none will.
    pub(super) async fn keep_content(&mut self, row: &Stamped<ContentRow>) -> Result<bool> {
        if self.keeps_all() {
            return Ok(true);
        }
        let rows = self.rows_of(row.row.node).await?;
        Ok(rows.iter().any(|version| {
            version.row.version == row.row.version
                && version.row.hash == Some(row.row.hash)
                && self.decide(version, &rows)
        }))
    }
}
