//! Which versions of a series to merge.
//!
//! Runs are in tiers by how many versions they cover. As many neighbours of
//! one tier as the limits name become one run of the next, so each row is
//! written again once a tier, and the runs of a series grow with the logarithm
//! of its versions.

use std::ops::RangeInclusive;

use tinyfs::{Format, Version};

/// How much is merged at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Neighbours of one tier that are merged; at least 2.
    pub fan_in: usize,
    /// The most bytes that are merged into one run.
    pub max_bytes: u64,
}

/// Neighbours to be merged.
#[derive(Clone, Debug, PartialEq)]
pub struct Merge {
    /// Versions and runs, ascending.
    pub inputs: Vec<Version>,
    /// The transaction that wrote the first version covered.
    pub from_txn: u64,
}

impl Merge {
    /// The versions that the run will cover.
    #[must_use]
    pub fn covers(&self) -> RangeInclusive<u64> {
        let from = self.inputs.first().map_or(1, first_covered);
        let to = self.inputs.last().map_or(0, |version| version.number);
        from..=to
    }

    /// The bytes to be read.
    #[must_use]
    pub fn input_bytes(&self) -> u64 {
        self.inputs.iter().map(|version| version.size_bytes).sum()
    }
}

/// The merges that are due among the runs of a series, lowest tier first and
/// oldest first; they do not overlap. `from_txn` gives the transaction that
/// wrote the first version a run covers.
pub fn plan(
    runs: &[Version],
    limits: Limits,
    mut from_txn: impl FnMut(&Version) -> u64,
) -> Vec<Merge> {
    let fan_in = limits.fan_in.max(2);
    let mut merges = Vec::new();
    let mut start = 0;
    while start + fan_in <= runs.len() {
        let group = &runs[start..start + fan_in];
        if is_due(group, fan_in, limits.max_bytes) {
            merges.push(Merge { from_txn: from_txn(&group[0]), inputs: group.to_vec() });
            start += fan_in;
        } else {
            start += 1;
        }
    }
    merges.sort_by_key(|merge| merge.inputs.first().map_or(0, |first| tier(first, fan_in)));
    merges
}

fn is_due(group: &[Version], fan_in: usize, max_bytes: u64) -> bool {
    let first = tier(&group[0], fan_in);
    let dense = |pair: &[Version]| pair[0].number + 1 == first_covered(&pair[1]);
    group.iter().all(|version| version.format == Format::Parquet && tier(version, fan_in) == first)
        && group.windows(2).all(dense)
        && group.iter().map(|version| version.size_bytes).sum::<u64>() <= max_bytes
}

fn first_covered(version: &Version) -> u64 {
    version.covers.as_ref().map_or(version.number, |covers| *covers.start())
}

/// How often versions were merged to make this one.
fn tier(version: &Version, fan_in: usize) -> u32 {
    // A run that covers nothing is damage, which reading refuses; what is left
    // of it here counts as one version.
    let covered = version.number.saturating_sub(first_covered(version)).saturating_add(1);
    covered.ilog(fan_in.max(2) as u64)
}

#[cfg(test)]
mod tests {
    use tinyfs::{Attributes, ContentHash, Place};

    use super::*;

    fn version(from: u64, to: u64) -> Version {
        Version {
            number: to,
            covers: (from != to).then_some(from..=to),
            txn_seq: to,
            written_us: 0,
            size_bytes: 100,
            hash: ContentHash::of(b""),
            format: Format::Parquet,
            place: Place::Inline,
            rows: None,
            time_range: None,
            attributes: Attributes::new(),
        }
    }

    const LIMITS: Limits = Limits { fan_in: 4, max_bytes: 1_000_000 };

    fn due(runs: &[Version], limits: Limits) -> Vec<RangeInclusive<u64>> {
        plan(runs, limits, |version| version.txn_seq).iter().map(Merge::covers).collect()
    }

    #[test]
    fn runs_of_a_series_grow_with_the_logarithm_of_its_versions() {
        let mut runs: Vec<Version> = Vec::new();
        let mut rewritten = 0;
        for number in 1..=4_096 {
            runs.push(version(number, number));
            while let Some(covers) = due(&runs, LIMITS).into_iter().next() {
                rewritten += covers.end() - covers.start() + 1;
                let run = version(*covers.start(), *covers.end());
                runs.retain(|v| !covers.contains(&v.number));
                runs.push(run);
                runs.sort_by_key(|v| v.number);
            }
            assert!(runs.len() <= 3 * 7, "{} runs at {number}", runs.len());
        }
        assert_eq!(rewritten, 4_096 * 6);
    }

    #[test]
    fn a_run_that_covers_nothing_is_no_panic() {
        let mut runs: Vec<_> = (1..=4).map(|n| version(n, n)).collect();
        runs[3].covers = Some(RangeInclusive::new(9, 4));
        assert_eq!(due(&runs, LIMITS), []);
    }

    #[test]
    fn gaps_and_large_versions_are_left_alone() {
        let gap: Vec<_> = [1, 2, 4, 5].into_iter().map(|n| version(n, n)).collect();
        assert_eq!(due(&gap, LIMITS), []);
        let four: Vec<_> = (1..=4).map(|n| version(n, n)).collect();
        assert_eq!(due(&four, LIMITS), [1..=4]);
        assert_eq!(due(&four, Limits { max_bytes: 399, ..LIMITS }), []);
    }
}
