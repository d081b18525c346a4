//! What a transaction touched.

use std::collections::HashSet;

use futures::TryStreamExt as _;
use oplog::{LinkRow, Snapshot, VersionRow};
use tinyfs::{EntryType, NodeId, TimeRange};

use super::Paths;
use crate::{Error, Result};

/// One thing that a transaction changed.
#[derive(Clone, Debug, PartialEq)]
pub struct Change {
    /// Where it is, or was when it is gone; `None` for a node without a name.
    pub path: Option<String>,
    /// The node.
    pub node: NodeId,
    /// What it is.
    pub entry_type: EntryType,
    /// What became of it.
    pub kind: ChangeKind,
}

/// What became of a node.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum ChangeKind {
    /// It was made.
    Created,
    /// Its name is gone.
    Removed,
    /// It has another path.
    Moved {
        /// The path it had.
        from: String,
    },
    /// It has a version more.
    Version {
        /// The version's number.
        number: u64,
        /// Its size.
        size_bytes: u64,
        /// Its rows, for tables and series.
        rows: Option<u64>,
        /// The event times of its rows.
        time_range: Option<TimeRange>,
    },
    /// Versions of a series were merged into a run.
    Merged {
        /// The first of them.
        from: u64,
        /// The last of them.
        to: u64,
    },
    /// Its properties changed.
    Attributes,
}

/// What transaction `txn_seq` changed.
pub(super) async fn changes_in(snapshot: &Snapshot, txn_seq: u64) -> Result<Vec<Change>> {
    let doing = || format!("cannot read the rows of transaction {txn_seq}");
    let (links, versions) = snapshot.changes(txn_seq).await.map_err(Error::log(doing()))?;
    let links: Vec<_> = links.into_iter().map(|link| link.row).collect();
    let mut before = Paths::nothing(snapshot);
    let mut rows = snapshot.scan_links();
    while let Some(link) = rows.try_next().await.map_err(Error::log(doing()))? {
        if link.txn_seq >= txn_seq {
            break;
        }
        before.apply(link.row);
    }
    let versions = versions.into_iter().map(|version| version.row).collect();
    Ok(changes(&before, links, versions))
}

/// What rows that are not committed yet would change in `base`.
pub(crate) async fn changes_of(
    base: &Snapshot,
    links: Vec<LinkRow>,
    versions: Vec<VersionRow>,
) -> Result<Vec<Change>> {
    Ok(changes(&Paths::of(base).await?, links, versions))
}

fn changes(before: &Paths, links: Vec<LinkRow>, versions: Vec<VersionRow>) -> Vec<Change> {
    let mut after = before.clone();
    for link in &links {
        after.apply(link.clone());
    }
    let mut changes = Vec::new();
    let mut created = HashSet::new();
    for link in links {
        let Some(node) = link.child.or_else(|| before.child(link.parent, &link.name)) else {
            continue;
        };
        let (was, is) = (before.path(node), after.path(node));
        let kind = match (link.child, was.clone(), &is) {
            // The other end of a move tells of it.
            (None, _, Some(_)) => continue,
            (None, _, None) => ChangeKind::Removed,
            (Some(_), None, _) => {
                created.insert(node);
                ChangeKind::Created
            }
            (Some(_), Some(from), _) => ChangeKind::Moved { from },
        };
        if link.child.is_some() {
            changes.extend(replaced(before, &after, link.parent, &link.name));
        }
        changes.push(Change { path: is.or(was), node, entry_type: link.entry_type, kind });
    }
    // A node made here says what it is, and so does a series with a run; that is
    // no change.
    let merged = versions.iter().filter(|row| row.covers.is_some()).map(|row| row.node);
    let said: HashSet<_> = created.into_iter().chain(merged).collect();
    for row in versions {
        let Some(kind) = kind_of(&row, said.contains(&row.node)) else { continue };
        let path = after.path(row.node).or_else(|| before.path(row.node));
        changes.push(Change { path, node: row.node, entry_type: row.entry_type, kind });
    }
    changes
}

/// The node that had a name until another took it, when it has none now.
fn replaced(before: &Paths, after: &Paths, parent: NodeId, name: &str) -> Option<Change> {
    let node = before.child(parent, name)?;
    let entry_type = before.named(node)?.entry_type;
    let gone = after.named(node).is_none();
    gone.then(|| Change { path: before.path(node), node, entry_type, kind: ChangeKind::Removed })
}

fn kind_of(row: &VersionRow, said_again: bool) -> Option<ChangeKind> {
    if row.version == 0 {
        return (!said_again).then_some(ChangeKind::Attributes);
    }
    if !row.entry_type.is_file() && !row.entry_type.is_dynamic() {
        return None;
    }
    if let Some(covers) = row.covers {
        return Some(ChangeKind::Merged { from: covers.from_version, to: row.version });
    }
    let VersionRow { version: number, size_bytes, rows, time_range, .. } = row;
    Some(ChangeKind::Version {
        number: *number,
        size_bytes: *size_bytes,
        rows: *rows,
        time_range: *time_range,
    })
}
