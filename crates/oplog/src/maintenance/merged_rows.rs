//! The rows of many files as one sequence, and which of them are superseded.
//!
//! A row is superseded when other rows of the same files say what is true after
//! it: of a name all but the newest row, of a node all but the newest row of
//! the node itself and its newest version, of a series the versions and runs
//! that a run covers. Whoever sees all transactions of these files needs none
//! of them, so a merge lays them apart.
//!
//! Always true: what is superseded stays so, whatever is written or merged
//! later; rows are only told apart here, and none is dropped.

use std::cmp::Ordering;
use std::collections::VecDeque;
use std::sync::Arc;

use super::keep::Covered;
use crate::columns::kind;
use crate::file::LiveFile;
use crate::footer::Footer;
use crate::reader::{Block, Reads, link_key, version_key};
use crate::{LinkRow, Result, Stamped, TransactionRow, VersionRow};

/// A kind of metadata rows.
pub(super) trait Row: Clone + Sized {
    /// Its name in files.
    const KIND: &'static str;

    /// The rows of this kind in a block.
    fn of(block: &Block) -> &[Stamped<Self>];

    /// The order that files have.
    fn compare(a: &Stamped<Self>, b: &Stamped<Self>) -> Ordering;
}

impl Row for TransactionRow {
    const KIND: &'static str = kind::TRANSACTION;

    fn of(block: &Block) -> &[Stamped<Self>] {
        &block.transactions
    }

    fn compare(a: &Stamped<Self>, b: &Stamped<Self>) -> Ordering {
        a.order().cmp(&b.order())
    }
}

impl Row for LinkRow {
    const KIND: &'static str = kind::LINK;

    fn of(block: &Block) -> &[Stamped<Self>] {
        &block.links
    }

    fn compare(a: &Stamped<Self>, b: &Stamped<Self>) -> Ordering {
        link_key(a).cmp(&link_key(b))
    }
}

impl Row for VersionRow {
    const KIND: &'static str = kind::VERSION;

    fn of(block: &Block) -> &[Stamped<Self>] {
        &block.versions
    }

    fn compare(a: &Stamped<Self>, b: &Stamped<Self>) -> Ordering {
        version_key(a).cmp(&version_key(b))
    }
}

/// Rows that may supersede each other.
pub(super) trait Supersede: Row {
    /// Whether two rows are about the same.
    fn same(a: &Self, b: &Self) -> bool;

    /// Which rows of one thing, in order, others of them supersede. `oldest`:
    /// there are no earlier files.
    fn superseded(rows: &[Stamped<Self>], oldest: bool) -> Vec<bool>;
}

impl Supersede for LinkRow {
    fn same(a: &Self, b: &Self) -> bool {
        a.parent == b.parent && a.name == b.name
    }

    fn superseded(rows: &[Stamped<Self>], oldest: bool) -> Vec<bool> {
        let last = rows.len().saturating_sub(1);
        let is = |(at, row): (usize, &Stamped<Self>)| {
            // That a name is gone need not be said where nothing says it is there.
            at < last || (oldest && row.row.child.is_none())
        };
        rows.iter().enumerate().map(is).collect()
    }
}

impl Supersede for VersionRow {
    fn same(a: &Self, b: &Self) -> bool {
        a.node == b.node
    }

    fn superseded(rows: &[Stamped<Self>], _oldest: bool) -> Vec<bool> {
        let newest_itself = rows.iter().rposition(|row| row.row.version == 0);
        let newest_version = rows.iter().rposition(|row| row.row.version > 0);
        let mut runs = Covered::default();
        let mut superseded = vec![false; rows.len()];
        // From the end, so that the runs after a row are known.
        for (at, Stamped { row, .. }) in rows.iter().enumerate().rev() {
            let first = row.covers.map_or(row.version, |covers| covers.from_version);
            superseded[at] = if row.version == 0 {
                newest_itself != Some(at)
            } else if row.entry_type.is_series() {
                runs.covers(first, row.version)
            } else {
                newest_version != Some(at)
            };
            if row.covers.is_some() {
                runs.insert(first, row.version);
            }
        }
        superseded
    }
}

/// Rows of one kind from many files, in the order that files have.
pub(super) struct MergedRows<'a, T> {
    reads: &'a Reads,
    cursors: Vec<Cursor<'a, T>>,
    history: bool,
}

struct Cursor<'a, T> {
    file: &'a LiveFile,
    footer: Option<Arc<Footer>>,
    group: usize,
    rows: VecDeque<Stamped<T>>,
}

impl<'a, T: Row> MergedRows<'a, T> {
    /// The rows that stand in the history of the files, or those that do not.
    pub(super) fn open(reads: &'a Reads, files: &'a [LiveFile], history: bool) -> Self {
        let cursor = |file| Cursor { file, footer: None, group: 0, rows: VecDeque::new() };
        Self { reads, cursors: files.iter().map(cursor).collect(), history }
    }

    pub(super) async fn next(&mut self) -> Result<Option<Stamped<T>>> {
        for cursor in &mut self.cursors {
            cursor.fill(self.reads, self.history).await?;
        }
        let least = self.cursors.iter_mut().filter(|cursor| !cursor.rows.is_empty()).min_by(
            |a, b| match (a.rows.front(), b.rows.front()) {
                (Some(a), Some(b)) => T::compare(a, b),
                _ => Ordering::Equal,
            },
        );
        Ok(least.and_then(|cursor| cursor.rows.pop_front()))
    }
}

impl<T: Row> Cursor<'_, T> {
    async fn fill(&mut self, reads: &Reads, history: bool) -> Result<()> {
        while self.rows.is_empty() {
            let footer = match &self.footer {
                Some(footer) => footer,
                None => self.footer.insert(reads.footer(self.file).await?),
            };
            let Some(group) = footer.groups.get(self.group) else { break };
            if group.is_history() == history && group.may_have(T::KIND) {
                let blocks = reads.group(self.file, footer, self.group, T::KIND).await?;
                self.rows.extend(blocks.iter().flat_map(|block| T::of(block)).cloned());
            }
            self.group += 1;
        }
        Ok(())
    }
}

/// Rows of one kind from many files, each with whether it is superseded.
pub(super) struct Told<'a, T> {
    current: MergedRows<'a, T>,
    /// What is superseded already; left out where only the others are wanted.
    history: Option<MergedRows<'a, T>>,
    oldest: bool,
    /// The rows of one thing, told apart.
    ready: VecDeque<(Stamped<T>, bool)>,
    /// The first row of the next thing.
    next: Option<Stamped<T>>,
    old: Option<Stamped<T>>,
}

impl<'a, T: Supersede> Told<'a, T> {
    pub(super) fn open(reads: &'a Reads, files: &'a [LiveFile], with_history: bool) -> Self {
        Self {
            current: MergedRows::open(reads, files, false),
            history: with_history.then(|| MergedRows::open(reads, files, true)),
            oldest: files.first().is_some_and(|file| file.from <= 1),
            ready: VecDeque::new(),
            next: None,
            old: None,
        }
    }

    pub(super) async fn next(&mut self) -> Result<Option<(Stamped<T>, bool)>> {
        if self.ready.is_empty() {
            self.tell().await?;
        }
        if let (None, Some(history)) = (&self.old, &mut self.history) {
            self.old = history.next().await?;
        }
        let old_first = match (&self.old, self.ready.front()) {
            (Some(old), Some((row, _))) => T::compare(old, row) == Ordering::Less,
            (old, _) => old.is_some(),
        };
        if old_first {
            return Ok(self.old.take().map(|row| (row, true)));
        }
        Ok(self.ready.pop_front())
    }

    /// Takes all rows of the next thing and tells them apart.
    async fn tell(&mut self) -> Result<()> {
        let first = match self.next.take() {
            Some(row) => row,
            None => match self.current.next().await? {
                Some(row) => row,
                None => return Ok(()),
            },
        };
        let mut rows = vec![first];
        while let Some(row) = self.current.next().await? {
            if !T::same(&rows[0].row, &row.row) {
                self.next = Some(row);
                break;
            }
            rows.push(row);
        }
        let superseded = T::superseded(&rows, self.oldest);
        self.ready.extend(rows.into_iter().zip(superseded));
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use tinyfs::{Attributes, EntryType, NodeId};

    use super::*;
    use crate::Covers;

    fn stamped<T>(txn_seq: u64, row: T) -> Stamped<T> {
        Stamped { txn_seq, position: 0, written_us: 0, row }
    }

    fn version(
        txn_seq: u64,
        of: EntryType,
        version: u64,
        from: Option<u64>,
    ) -> Stamped<VersionRow> {
        let node = NodeId::new(uuid::Uuid::nil());
        let row = VersionRow {
            version,
            covers: from.map(|from_version| Covers { from_version, from_txn: from_version }),
            ..VersionRow::of_node(node, of, Attributes::new(), None)
        };
        stamped(txn_seq, row)
    }

    #[test]
    fn of_a_file_the_newest_version_and_what_it_is_stand() {
        let rows = [(1, 0), (1, 1), (2, 2), (3, 0), (4, 3)]
            .map(|(txn, number)| version(txn, EntryType::Data, number, None));
        assert_eq!(VersionRow::superseded(&rows, true), [true, true, true, false, false]);
    }

    #[test]
    fn of_a_series_what_no_run_covers_stands() {
        let of = |txn, number, from| version(txn, EntryType::Series, number, from);
        let rows = [
            of(1, 0, None),
            of(1, 1, None),
            of(2, 2, None),
            of(3, 2, Some(1)),
            of(4, 3, None),
            of(5, 4, None),
            of(6, 4, Some(3)),
            of(7, 4, Some(1)),
            of(8, 5, None),
        ];
        let expected = [false, true, true, true, true, true, true, false, false];
        assert_eq!(VersionRow::superseded(&rows, true), expected);
        assert_eq!(VersionRow::superseded(&rows[..5], true), [false, true, true, false, false]);
    }

    #[test]
    fn that_a_name_is_gone_stands_where_older_files_may_have_it() {
        let node = NodeId::new(uuid::Uuid::nil());
        let link = |txn, child| {
            let name = "a".to_owned();
            stamped(txn, LinkRow { parent: node, name, child, entry_type: EntryType::Data })
        };
        let rows = [link(1, Some(node)), link(2, None)];
        assert_eq!(LinkRow::superseded(&rows, false), [true, false]);
        assert_eq!(LinkRow::superseded(&rows, true), [true, true]);
    }
}
