//! What a transaction has changed so far: names and nodes that differ from
//! the view underneath, and the rows that say so.
//!
//! Always true: only what differs in the end becomes rows. A name that came
//! and went leaves none, and neither does a node that never got a name.
//!
//! Deliberately not here: bytes, and reading of the view underneath.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::ops::RangeInclusive;

use oplog::{Covers, LinkRow, VersionRow};
use tinyfs::{Attributes, Entry, EntryType, NodeId, Place, SeriesSpec, Version};

use crate::node_rows::{NodeRows, fewest};

/// A name: what it stood for before and what it stands for now.
#[derive(Clone, Debug)]
struct NameChange {
    before: Option<Entry>,
    now: Option<Entry>,
}

/// A node that is new or has changed.
#[derive(Clone, Debug)]
pub(crate) struct NodeChange {
    /// Whether this transaction made it.
    created: bool,
    /// What the node is with all changes.
    pub(crate) rows: NodeRows,
    /// Its attributes in the view; `None` for a new node.
    attributes_before: Option<Attributes>,
    /// Versions added, ascending.
    added: Vec<Version>,
    /// Runs added, each with the transaction of the first version it covers.
    merged: Vec<(Version, u64)>,
}

impl NodeChange {
    /// Whether this transaction made the node.
    pub(crate) const fn is_created(&self) -> bool {
        self.created
    }

    /// The versions this transaction added.
    pub(crate) fn added(&self) -> &[Version] {
        &self.added
    }

    /// Adds a version and returns its number.
    pub(crate) fn append(&mut self, mut version: Version) -> u64 {
        let number = self.rows.newest().map_or(1, |newest| newest.number + 1);
        version.number = number;
        push(&mut self.rows.versions, version.clone());
        push(&mut self.rows.runs, version.clone());
        push(&mut self.added, version);
        number
    }

    /// Whether a run stands for the newest version too. With such a run goes
    /// what the series is: who reads the series from its newest rows back then
    /// has all of it, and looks no further.
    fn is_newest(&self, run: &Version) -> bool {
        self.rows.newest().is_none_or(|newest| newest.number <= run.number)
    }

    /// Adds a merged run.
    pub(crate) fn merge(&mut self, run: Version, from_txn: u64) {
        let mut runs: Vec<_> =
            self.rows.runs.iter().filter(|run| run.covers.is_some()).cloned().collect();
        runs.push(run.clone());
        self.rows.runs = fewest(&self.rows.versions, runs);
        self.merged.push((run, from_txn));
    }

    /// Replaces the attributes.
    pub(crate) fn set_attributes(&mut self, attributes: Attributes) {
        self.rows.attributes = attributes;
    }
}

/// Adds to a list that mostly stays at one: a transaction may make very many
/// files, and room for four versions each would be most of what it holds.
fn push(list: &mut Vec<Version>, version: Version) {
    if list.is_empty() {
        list.reserve_exact(1);
    }
    list.push(version);
}

/// All changes of a transaction.
#[derive(Debug, Default)]
pub(crate) struct Overlay {
    names: HashMap<NodeId, BTreeMap<String, NameChange>>,
    nodes: HashMap<NodeId, NodeChange>,
    /// Nodes in the order they were first touched: the order of their rows.
    touched: Vec<NodeId>,
}

impl Overlay {
    /// What the overlay says of a name; `None` when it says nothing.
    pub(crate) fn name(&self, dir: NodeId, name: &str) -> Option<Option<&Entry>> {
        self.names.get(&dir)?.get(name).map(|change| change.now.as_ref())
    }

    /// The names of a directory with the changes applied.
    pub(crate) fn list(&self, dir: NodeId, before: Vec<Entry>) -> Vec<Entry> {
        let Some(changes) = self.names.get(&dir) else { return before };
        let mut entries: Vec<_> = before
            .into_iter()
            .filter(|entry| !changes.contains_key(entry.name.as_str()))
            .chain(changes.values().filter_map(|change| change.now.clone()))
            .collect();
        entries.sort_by(|a, b| a.name.cmp(&b.name));
        entries
    }

    /// Sets what a name stands for; `before` is what it stands for underneath.
    pub(crate) fn set_name(
        &mut self,
        dir: NodeId,
        name: &str,
        before: Option<Entry>,
        now: Option<Entry>,
    ) {
        let names = self.names.entry(dir).or_default();
        match names.get_mut(name) {
            Some(change) => change.now = now,
            None => {
                names.insert(name.to_owned(), NameChange { before, now });
            }
        }
    }

    pub(crate) fn node(&self, id: NodeId) -> Option<&NodeChange> {
        self.nodes.get(&id)
    }

    /// Adds a node that this transaction makes.
    pub(crate) fn create(&mut self, id: NodeId, mut rows: NodeRows) {
        let added = std::mem::take(&mut rows.versions);
        rows.runs.clear();
        let mut change = NodeChange {
            created: true,
            rows,
            attributes_before: None,
            added: Vec::new(),
            merged: Vec::new(),
        };
        for version in added {
            change.append(version);
        }
        self.touched.push(id);
        self.nodes.insert(id, change);
    }

    /// Takes up a node of the view underneath, to be changed. `rows` is what
    /// the view says of it.
    pub(crate) fn take_up(&mut self, id: NodeId, rows: NodeRows) {
        let change = NodeChange {
            created: false,
            attributes_before: Some(rows.attributes.clone()),
            rows,
            added: Vec::new(),
            merged: Vec::new(),
        };
        self.touched.push(id);
        self.nodes.insert(id, change);
    }

    /// A node to change; `None` when it is neither made here nor taken up.
    pub(crate) fn change(&mut self, id: NodeId) -> Option<&mut NodeChange> {
        self.nodes.get_mut(&id)
    }

    /// The series with versions added, each with the numbers of these.
    pub(crate) fn series_appended_to(&self) -> Vec<(NodeId, RangeInclusive<u64>)> {
        let appended = |id: &NodeId| {
            let change = self.nodes.get(id)?;
            let (first, last) = (change.added.first()?, change.added.last()?);
            (change.rows.entry_type == EntryType::Series)
                .then_some((*id, first.number..=last.number))
        };
        self.touched.iter().filter_map(appended).collect()
    }

    /// The rows that say what is different. What they are made from goes as
    /// they come, so that a large transaction is not held twice.
    pub(crate) fn into_rows(mut self) -> (Vec<LinkRow>, Vec<VersionRow>) {
        let named = self.named();
        let links = link_rows(std::mem::take(&mut self.names));
        (links, self.version_rows(&named))
    }

    fn version_rows(mut self, named: &BTreeSet<NodeId>) -> Vec<VersionRow> {
        let mut rows = Vec::new();
        for id in self.touched {
            let Some(change) = self.nodes.remove(&id) else { continue };
            if change.created && !named.contains(&id) {
                continue;
            }
            let NodeRows { entry_type, attributes, factory, .. } = &change.rows;
            let restated = change.merged.iter().any(|(run, _)| change.is_newest(run));
            if change.attributes_before.as_ref() != Some(attributes) || restated {
                let (attributes, factory) = (attributes.clone(), factory.clone());
                rows.push(VersionRow::of_node(id, *entry_type, attributes, factory));
            }
            let column = time_column(*entry_type, attributes);
            let row = |version: &Version, covers| {
                version_row(id, *entry_type, factory.as_ref(), column.as_ref(), version, covers)
            };
            rows.extend(change.added.iter().map(|version| row(version, None)));
            rows.extend(change.merged.iter().map(|(run, from_txn)| {
                let from_version = run.covers.as_ref().map_or(run.number, |covers| *covers.start());
                row(run, Some(Covers { from_version, from_txn: *from_txn }))
            }));
        }
        rows
    }

    /// Every node that a name changed here stands for.
    fn named(&self) -> BTreeSet<NodeId> {
        self.names
            .values()
            .flat_map(BTreeMap::values)
            .filter_map(|change| change.now.as_ref().map(|entry| entry.node))
            .collect()
    }
}

fn link_rows(names: HashMap<NodeId, BTreeMap<String, NameChange>>) -> Vec<LinkRow> {
    let mut directories: Vec<_> = names.into_iter().collect();
    directories.sort_unstable_by_key(|(dir, _)| *dir);
    let mut rows = Vec::new();
    for (parent, names) in directories {
        for (name, NameChange { before, now }) in names {
            let same = |entry: &Option<Entry>| entry.as_ref().map(|e| (e.node, e.entry_type));
            let Some(entry) = now.as_ref().or(before.as_ref()) else { continue };
            if same(&before) == same(&now) {
                continue;
            }
            rows.push(LinkRow {
                parent,
                child: now.as_ref().map(|entry| entry.node),
                entry_type: entry.entry_type,
                name,
            });
        }
    }
    rows
}

/// The column that event times come from; `None` where no series is declared.
fn time_column(entry_type: EntryType, attributes: &Attributes) -> Option<String> {
    // A declaration that can not be read has no column to repeat in the row;
    // whoever reads the series is told.
    let spec = SeriesSpec::read_from(attributes).ok().flatten();
    spec.filter(|_| entry_type == EntryType::Series).map(|spec| spec.time_column)
}

fn version_row(
    node: NodeId,
    entry_type: EntryType,
    factory: Option<&String>,
    time_column: Option<&String>,
    version: &Version,
    covers: Option<Covers>,
) -> VersionRow {
    VersionRow {
        node,
        version: version.number,
        covers,
        entry_type,
        size_bytes: version.size_bytes,
        hash: Some(version.hash),
        format: version.format,
        inline: version.place == Place::Inline,
        rows: version.rows,
        time_range: version.time_range,
        time_column: time_column.filter(|_| version.time_range.is_some()).cloned(),
        attributes: version.attributes.clone(),
        factory: factory.cloned(),
    }
}
