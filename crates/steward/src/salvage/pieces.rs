//! The versions of one file, and which can stand in for which.

use std::collections::VecDeque;

use oplog::{Stamped, VersionRow};

/// Versions that stand together: a single one, or those that a merged run
/// covers, any of which the run can replace together with all the others.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Group {
    /// The numbers, ascending, each with its row where that can be read.
    pub(super) versions: Vec<(u64, Option<Stamped<VersionRow>>)>,
    /// The runs, the narrowest first.
    pub(super) runs: Vec<Stamped<VersionRow>>,
}

/// The first version that a row stands for.
pub(super) fn first(row: &VersionRow) -> u64 {
    row.covers.map_or(row.version, |covers| covers.from_version)
}

/// Sorts the version rows of a node, which come in order, into groups. With
/// `pruned`, the first versions may have been dropped on purpose.
pub(super) fn groups(rows: &[Stamped<VersionRow>], pruned: bool) -> VecDeque<Group> {
    let (runs, written): (Vec<_>, Vec<_>) = rows
        .iter()
        .filter(|row| row.row.version > 0 && row.row.hash.is_some())
        .cloned()
        .partition(|row| row.row.covers.is_some());
    let mut written: std::collections::BTreeMap<_, _> =
        written.into_iter().map(|row| (row.row.version, row)).collect();
    let Some(last) = rows.iter().map(|row| row.row.version).max().filter(|last| *last > 0) else {
        return VecDeque::new();
    };
    let known = runs.iter().map(|run| first(&run.row)).chain(written.keys().copied()).min();
    let mut at = if pruned { known.unwrap_or(1) } else { 1 };
    let mut groups = VecDeque::new();
    while at <= last {
        // As long as a run reaches across the end, the group goes on.
        let mut end = at;
        while let Some(further) = runs
            .iter()
            .filter(|run| first(&run.row) <= end && run.row.version > end)
            .map(|run| run.row.version)
            .max()
        {
            end = further;
        }
        let within = |run: &&Stamped<VersionRow>| first(&run.row) >= at && run.row.version <= end;
        let mut of_group: Vec<_> = runs.iter().filter(within).cloned().collect();
        of_group.sort_by_key(|run| run.row.version - first(&run.row));
        // Versions before the oldest that is known were dropped with their
        // rows, in a group as elsewhere.
        let versions = (at..=end).map(|number| (number, written.remove(&number))).collect();
        groups.push_back(Group { versions, runs: of_group });
        at = end + 1;
    }
    groups
}

#[cfg(test)]
mod tests {
    use oplog::Covers;
    use tinyfs::{Attributes, ContentHash, EntryType, NodeId};

    use super::*;

    fn row(version: u64, from: Option<u64>) -> Stamped<VersionRow> {
        let node = NodeId::new(uuid::Uuid::from_u128(1));
        let row = VersionRow::of_node(node, EntryType::Series, Attributes::new(), None);
        let covers = from.map(|from_version| Covers { from_version, from_txn: 1 });
        let hash = Some(ContentHash::of(b""));
        let row = VersionRow { version, covers, hash, ..row };
        Stamped { txn_seq: version, position: 0, written_us: 0, row }
    }

    fn shape(rows: &[Stamped<VersionRow>], pruned: bool) -> Vec<(Vec<u64>, usize, usize)> {
        let groups = groups(rows, pruned);
        let numbers = |group: &Group| group.versions.iter().map(|(number, _)| *number).collect();
        let missing =
            |group: &Group| group.versions.iter().filter(|(_, row)| row.is_none()).count();
        groups.iter().map(|group| (numbers(group), missing(group), group.runs.len())).collect()
    }

    #[test]
    fn versions_that_a_run_covers_stand_together() {
        let rows = [row(1, None), row(2, None), row(3, Some(2)), row(5, None)];
        assert_eq!(
            shape(&rows, false),
            [(vec![1], 0, 0), (vec![2, 3], 1, 1), (vec![4], 1, 0), (vec![5], 0, 0)]
        );
        let rows = [row(4, Some(1)), row(8, Some(5)), row(8, Some(1)), row(9, None)];
        assert_eq!(shape(&rows, false), [((1..=8).collect(), 8, 3), (vec![9], 0, 0)]);
    }

    #[test]
    fn what_was_pruned_is_not_missing() {
        assert_eq!(shape(&[row(3, None)], true), [(vec![3], 0, 0)]);
        assert_eq!(
            shape(&[row(3, None)], false),
            [(vec![1], 1, 0), (vec![2], 1, 0), (vec![3], 0, 0)]
        );
        assert_eq!(shape(&[], false), []);
    }
}
