//! The version rows of one node, put in order: what the node is, its versions
//! as they were written, and the merged runs that stand for some of them.
//!
//! Always true: a run that another covers is not among [`NodeRows::runs`], and
//! the runs and versions there hold each row of the series once.

use oplog::{Stamped, VersionRow};
use tinyfs::{Attributes, ContentHash, EntryType, Node, NodeId, Place, Version};

/// What the log says of a node.
#[derive(Clone, Debug)]
pub(crate) struct NodeRows {
    pub(crate) entry_type: EntryType,
    pub(crate) attributes: Attributes,
    pub(crate) factory: Option<String>,
    /// As written, ascending by number: all that are there, or those that no
    /// other supersedes and maybe more, as the rows were asked for.
    pub(crate) versions: Vec<Version>,
    /// The fewest versions and runs that hold everything, ascending.
    pub(crate) runs: Vec<Version>,
}

impl NodeRows {
    /// Puts rows in order; `None` when there are none.
    pub(crate) fn of(rows: Vec<Stamped<VersionRow>>) -> Option<Self> {
        let newest_of = |nodes: bool| {
            rows.iter()
                .filter(|stamped| !nodes || stamped.row.version == 0)
                .max_by_key(|stamped| stamped.order())
        };
        // A node without its own row (a prune keeps them, damage may not) is
        // still what its versions say it is.
        let about = newest_of(true).or_else(|| newest_of(false))?;
        let entry_type = about.row.entry_type;
        let factory = about.row.factory.clone();
        let attributes =
            if about.row.version == 0 { about.row.attributes.clone() } else { Attributes::new() };
        let mut versions = Vec::new();
        let mut merged = Vec::new();
        for stamped in rows {
            if stamped.row.version == 0 {
                continue;
            }
            let Some(version) = version_of(stamped) else { continue };
            if version.covers.is_some() { merged.push(version) } else { versions.push(version) }
        }
        versions.sort_by_key(|version| version.number);
        let runs = if entry_type == EntryType::Series {
            fewest(&versions, merged)
        } else {
            versions.clone()
        };
        Some(Self { entry_type, attributes, factory, versions, runs })
    }

    /// The root of a log that has no rows yet.
    pub(crate) fn root() -> Self {
        Self {
            entry_type: EntryType::Directory,
            attributes: Attributes::new(),
            factory: None,
            versions: Vec::new(),
            runs: Vec::new(),
        }
    }

    /// Whether its versions are anybody's business: those of files, and the
    /// configurations of what a factory computes. A symlink's is its target.
    pub(crate) const fn has_versions(&self) -> bool {
        self.entry_type.is_file() || self.entry_type.is_dynamic()
    }

    /// Whether what stands for a series leaves out no version between its first
    /// and its last.
    pub(crate) fn is_dense(&self) -> bool {
        let first = |run: &Version| run.covers.as_ref().map_or(run.number, |c| *c.start());
        self.entry_type != EntryType::Series
            || self.runs.windows(2).all(|pair| pair[0].number + 1 == first(&pair[1]))
    }

    /// The version of this number, where it is among them.
    pub(crate) fn version(&self, number: u64) -> Option<&Version> {
        let found = self.versions.binary_search_by_key(&number, |version| version.number);
        found.ok().map(|index| &self.versions[index])
    }

    /// The newest version: as written, or the run that took its place.
    pub(crate) fn newest(&self) -> Option<&Version> {
        let (written, run) = (self.versions.last(), self.runs.last());
        match (written, run) {
            (Some(written), Some(run)) if run.number > written.number => Some(run),
            (Some(written), _) => Some(written),
            (None, run) => run,
        }
    }

    /// The node.
    pub(crate) fn node(&self, id: NodeId) -> Node {
        Node {
            id,
            entry_type: self.entry_type,
            attributes: self.attributes.clone(),
            factory: self.factory.clone(),
            newest: self.newest().filter(|_| self.has_versions()).cloned(),
        }
    }
}

/// A row as a version; `None` for a row without content.
fn version_of(stamped: Stamped<VersionRow>) -> Option<Version> {
    let Stamped { txn_seq, written_us, row, .. } = stamped;
    let hash: ContentHash = row.hash?;
    Some(Version {
        number: row.version,
        covers: row.covers.map(|covers| covers.from_version..=row.version),
        txn_seq,
        written_us,
        size_bytes: row.size_bytes,
        hash,
        format: row.format,
        place: if row.inline { Place::Inline } else { Place::Large },
        rows: row.rows,
        time_range: row.time_range,
        attributes: row.attributes,
    })
}

/// Chooses, from the newest down, the widest run that ends where the last
/// choice began, or else the version as it was written.
pub(crate) fn fewest(versions: &[Version], mut merged: Vec<Version>) -> Vec<Version> {
    if merged.is_empty() {
        return versions.to_vec();
    }
    let from = |version: &Version| version.covers.as_ref().map_or(version.number, |c| *c.start());
    // Ascending by end, and for one end the widest last, a later one before an earlier.
    merged.sort_by_key(|run| (run.number, std::cmp::Reverse(from(run)), run.txn_seq));
    let mut chosen = Vec::new();
    let mut written = versions.iter().rev().peekable();
    let mut runs = merged.iter().rev().peekable();
    let mut below = u64::MAX;
    loop {
        while written.peek().is_some_and(|version| version.number >= below) {
            written.next();
        }
        while runs.peek().is_some_and(|run| run.number >= below) {
            runs.next();
        }
        let next = match (written.peek(), runs.peek()) {
            (Some(version), Some(run)) if version.number > run.number => *version,
            (_, Some(run)) => *run,
            (Some(version), None) => *version,
            (None, None) => break,
        };
        below = from(next);
        chosen.push(next.clone());
    }
    chosen.reverse();
    chosen
}

#[cfg(test)]
mod tests {
    use tinyfs::Format;

    use super::*;

    fn version(number: u64, covers_from: Option<u64>) -> Version {
        Version {
            number,
            covers: covers_from.map(|from| from..=number),
            txn_seq: number,
            written_us: 0,
            size_bytes: 0,
            hash: ContentHash::of(b""),
            format: Format::Parquet,
            place: Place::Inline,
            rows: None,
            time_range: None,
            attributes: Attributes::new(),
        }
    }

    fn chosen(versions: &[u64], runs: &[(u64, u64)]) -> Vec<(u64, u64)> {
        let versions: Vec<_> = versions.iter().map(|n| version(*n, None)).collect();
        let runs = runs.iter().map(|(from, to)| version(*to, Some(*from))).collect();
        fewest(&versions, runs)
            .iter()
            .map(|v| v.covers.clone().map_or((v.number, v.number), |c| (*c.start(), *c.end())))
            .collect()
    }

    #[test]
    fn the_widest_run_stands_for_what_it_covers() {
        let all: Vec<u64> = (1..=10).collect();
        assert_eq!(chosen(&all[..3], &[]), [(1, 1), (2, 2), (3, 3)]);
        assert_eq!(chosen(&all, &[(1, 4), (5, 8), (1, 8)]), [(1, 8), (9, 9), (10, 10)]);
        assert_eq!(chosen(&all[..6], &[(2, 3), (4, 6)]), [(1, 1), (2, 3), (4, 6)]);
    }

    #[test]
    fn versions_that_were_dropped_are_not_needed() {
        assert_eq!(chosen(&[5], &[(1, 4)]), [(1, 4), (5, 5)]);
        assert_eq!(chosen(&[], &[(1, 4)]), [(1, 4)]);
    }
}
