//! What has changed below a computed node, as ranges of time.
//!
//! A [`Stamp`] is taken of a node's [`Lineage`] in one view; [`changed`]
//! compares it with a later one. Newest-wins needs no more than the event times
//! of what was added: a version changes rows within its own range alone.
//!
//! Always true: a merged run of versions that were there before is nothing new,
//! so maintenance never looks like late data; where it is not known what
//! changed, everything did.
//!
//! Deliberately not here: rows. Nothing is opened to compare.

use std::collections::{BTreeMap, HashMap};
use std::fmt::Write as _;

use query::{Lineage, Locality};
use serde::{Deserialize, Serialize};
use tinyfs::{ContentHash, EntryType, Node, NodeId, SeriesSpec, Store, TimeRange, Version};

use crate::Result;

/// A run that begins before a stamp is taken apart into the versions after it
/// when they are so many at most; of more the run's whole range counts.
const TAKEN_APART: u64 = 1_024;

/// The state of everything that a computed node is made of.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stamp {
    /// Hash of what is computed from what, without the stored nodes.
    definition: String,
    /// The stored nodes by their ids.
    leaves: BTreeMap<String, Leaf>,
}

/// The state of a stored node.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Leaf {
    /// Its path, for people who read the file that this is in.
    path: String,
    /// The number of its newest version; 0 when it has none.
    newest: u64,
    /// The hash of that version as it was written.
    newest_hash: Option<String>,
    /// Hash of what its rows are read by: key, floor, bounds.
    declared: String,
}

/// What is different in a later view.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Changed {
    /// Nothing.
    Nothing,
    /// Rows within these ranges, both ends included.
    Ranges(Vec<TimeRange>),
    /// Anything may be.
    Everything,
    /// The view is older than the stamp.
    Earlier,
}

/// The state of all that `lineage` is made of.
///
/// # Errors
/// The store's.
pub async fn stamp(store: &dyn Store, lineage: &Lineage) -> Result<Stamp> {
    let mut stored = BTreeMap::new();
    stored_nodes(lineage, &mut stored);
    let ids: Vec<NodeId> = stored.keys().copied().collect();
    let nodes = store.nodes(&ids).await?;
    let leaves = nodes
        .iter()
        .zip(stored.values())
        .map(|(node, path)| (node.id.to_string(), Leaf::of(node, path)))
        .collect();
    Ok(Stamp { definition: definition(lineage).to_string(), leaves })
}

/// Hash of what is computed from what: all of a lineage but its stored nodes,
/// which come and go.
#[must_use]
pub(crate) fn definition(lineage: &Lineage) -> ContentHash {
    fn describe(lineage: &Lineage, text: &mut String) {
        // Writing to a text does not fail.
        let _ = match lineage {
            Lineage::Stored { .. } => write!(text, "stored;"),
            Lineage::Union { pattern, members } => {
                let _ = write!(text, "union {pattern:?}(");
                for member in members {
                    if !matches!(**member, Lineage::Stored { .. }) {
                        describe(member, text);
                    }
                }
                write!(text, ")")
            }
            Lineage::Computed { definition, locality, inputs, .. } => {
                let _ = write!(text, "computed {definition} {locality:?}(");
                for input in inputs {
                    if !matches!(**input, Lineage::Stored { .. }) {
                        describe(input, text);
                    }
                }
                write!(text, ")")
            }
        };
    }
    let mut text = String::new();
    describe(lineage, &mut text);
    ContentHash::of(text.as_bytes())
}

/// What has changed from `old` to `new`, which is of `lineage` in `store`.
///
/// # Errors
/// The store's.
pub async fn changed(
    old: &Stamp,
    new: &Stamp,
    lineage: &Lineage,
    store: &dyn Store,
) -> Result<Changed> {
    if old == new {
        return Ok(Changed::Nothing);
    }
    if old.definition != new.definition || old.leaves.keys().any(|id| !new.leaves.contains_key(id))
    {
        return Ok(Changed::Everything);
    }
    let mut stored = BTreeMap::new();
    stored_nodes(lineage, &mut stored);
    let mut leaves = HashMap::with_capacity(stored.len());
    for &id in stored.keys() {
        let text = id.to_string();
        let Some(now) = new.leaves.get(&text) else { return Ok(Changed::Everything) };
        let change = leaf(old.leaves.get(&text), now, id, store).await?;
        if change == Changed::Earlier {
            return Ok(Changed::Earlier);
        }
        leaves.insert(id, change);
    }
    Ok(reaches(lineage, &leaves))
}

/// What has changed from the view `before` to the later view `store`.
///
/// # Errors
/// The stores'.
pub async fn changed_since(
    store: &dyn Store,
    before: &dyn Store,
    lineage: &Lineage,
) -> Result<Changed> {
    match stamp(before, lineage).await {
        Ok(old) => changed(&old, &stamp(store, lineage).await?, lineage, store).await,
        // Something of it was not there before.
        Err(error) if is_absent(&error) => Ok(Changed::Everything),
        Err(error) => Err(error),
    }
}

fn is_absent(error: &crate::Error) -> bool {
    matches!(error, crate::Error::Query(query::Error::Store(tinyfs::Error::NoSuchNode { .. })))
}

fn stored_nodes(lineage: &Lineage, into: &mut BTreeMap<NodeId, String>) {
    match lineage {
        Lineage::Stored { node, path, .. } => {
            into.insert(*node, path.clone());
        }
        Lineage::Union { members: below, .. } | Lineage::Computed { inputs: below, .. } => {
            for lineage in below {
                stored_nodes(lineage, into);
            }
        }
    }
}

impl Leaf {
    fn of(node: &Node, path: &str) -> Self {
        let mut declared = String::new();
        for (key, value) in &node.attributes {
            if key.starts_with("series.") {
                let _ = writeln!(declared, "{key}={value}");
            }
        }
        let newest = node.newest.as_ref();
        Self {
            path: path.to_owned(),
            newest: newest.map_or(0, |version| version.number),
            newest_hash: newest
                .filter(|version| version.covers.is_none())
                .map(|version| version.hash.to_string()),
            declared: ContentHash::of(declared.as_bytes()).to_string(),
        }
    }
}

/// What has changed of one stored node.
async fn leaf(old: Option<&Leaf>, new: &Leaf, id: NodeId, store: &dyn Store) -> Result<Changed> {
    let since = match old {
        None => 0,
        Some(old) if old == new => return Ok(Changed::Nothing),
        Some(old) if new.newest < old.newest => return Ok(Changed::Earlier),
        Some(old) if old.declared != new.declared => return Ok(Changed::Everything),
        Some(old) => old.newest,
    };
    let node = store.node(id).await?;
    if node.entry_type != EntryType::Series {
        return Ok(Changed::Everything);
    }
    // Another history under the same numbers: a pond that was put back and
    // written to again.
    if let Some(hash) = old.and_then(|old| old.newest_hash.as_ref())
        && let Some(then) = store.version(id, since).await?
        && then.covers.is_none()
        && then.hash.to_string() != *hash
    {
        return Ok(Changed::Everything);
    }
    let mut ranges: Vec<TimeRange> = Vec::new();
    for run in store.runs(id).await? {
        if run.number <= since {
            continue;
        }
        let first = run.covers.as_ref().map_or(run.number, |covers| *covers.start());
        if first > since {
            ranges.extend(run.time_range);
        } else {
            ranges.extend(parts_after(&run, since, id, store).await?);
        }
    }
    // Rows below the floor or outside the bounds are not seen, and a clock that
    // starts at 1970 must not make all of history dirty.
    let visible = SeriesSpec::read_from(&node.attributes)?.map(|spec| spec.visible_us());
    let (first, last) = visible.unwrap_or_default();
    let ranges: Vec<TimeRange> = ranges
        .into_iter()
        .filter_map(|range| {
            let min_us = first.map_or(range.min_us, |first| range.min_us.max(first));
            let max_us = last.map_or(range.max_us, |last| range.max_us.min(last));
            (min_us <= max_us).then_some(TimeRange { min_us, max_us })
        })
        .collect();
    Ok(if ranges.is_empty() { Changed::Nothing } else { Changed::Ranges(ranges) })
}

/// The ranges of the versions after `since` that a run stands for; the run's
/// own where retention has dropped one of them.
async fn parts_after(
    run: &Version,
    since: u64,
    id: NodeId,
    store: &dyn Store,
) -> Result<Vec<TimeRange>> {
    let whole = || run.time_range.into_iter().collect();
    if run.number - since > TAKEN_APART {
        return Ok(whole());
    }
    let mut ranges = Vec::new();
    for number in since + 1..=run.number {
        match store.version(id, number).await? {
            Some(version) if version.covers.is_none() => ranges.extend(version.time_range),
            _ => return Ok(whole()),
        }
    }
    Ok(ranges)
}

/// Where changes of the stored nodes reach.
fn reaches(lineage: &Lineage, leaves: &HashMap<NodeId, Changed>) -> Changed {
    match lineage {
        Lineage::Stored { node, .. } => leaves.get(node).cloned().unwrap_or(Changed::Everything),
        Lineage::Union { members, .. } => {
            union(members.iter().map(|member| reaches(member, leaves)))
        }
        Lineage::Computed { locality, inputs, .. } => {
            let changed = union(inputs.iter().map(|input| reaches(input, leaves)));
            match (changed, *locality) {
                (Changed::Ranges(_), Locality::Everything) => Changed::Everything,
                (Changed::Ranges(ranges), Locality::Within { before_us, after_us }) => {
                    let wider = |range: TimeRange| TimeRange {
                        min_us: range.min_us.saturating_sub(before_us),
                        max_us: range.max_us.saturating_add(after_us),
                    };
                    Changed::Ranges(ranges.into_iter().map(wider).collect())
                }
                (changed, _) => changed,
            }
        }
    }
}

fn union(all: impl Iterator<Item = Changed>) -> Changed {
    let mut ranges = Vec::new();
    for changed in all {
        match changed {
            Changed::Nothing => {}
            Changed::Ranges(more) => ranges.extend(more),
            whole @ (Changed::Everything | Changed::Earlier) => return whole,
        }
    }
    if ranges.is_empty() { Changed::Nothing } else { Changed::Ranges(ranges) }
}
