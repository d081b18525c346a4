//! Which versions of a series to merge.
//!
//! Neighbours are merged once there are as many as the limits name, each no
//! larger than a few times all that is newer. So each run of a series is larger
//! than all the newer ones together, the runs grow with the logarithm of its
//! bytes, and each row is written again about as often; small runs are always
//! among what is merged, because opening one costs more than writing it again.

use std::ops::RangeInclusive;

use tinyfs::{Format, Version};

/// A run is merged with what is newer until it is larger than so many times
/// the newer together.
const RATIO: u64 = 2;

/// A run up to this is merged with whatever is newer.
const SMALL_BYTES: u64 = 16 << 10;

/// The most that are opened side by side for a merge, unless more make one due.
const MAX_INPUTS: usize = 64;

/// How much is merged at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Neighbours that are merged; at least 2.
    pub fan_in: usize,
    /// The most bytes that are merged into one run.
    pub max_bytes: u64,
}

/// A version or run to be merged.
#[derive(Clone, Debug, PartialEq)]
pub struct Input {
    /// The version or run.
    pub version: Version,
    /// The transaction that wrote the first version it covers.
    pub from_txn: u64,
}

/// Neighbours to be merged.
#[derive(Clone, Debug, PartialEq)]
pub struct Merge {
    /// Versions and runs, ascending.
    pub inputs: Vec<Input>,
}

impl Merge {
    /// The versions that the run will cover.
    #[must_use]
    pub fn covers(&self) -> RangeInclusive<u64> {
        covers(&self.inputs)
    }

    /// The bytes to be read.
    #[must_use]
    pub fn input_bytes(&self) -> u64 {
        self.inputs.iter().map(|input| input.version.size_bytes).sum()
    }
}

/// The versions that neighbours cover together.
pub(super) fn covers(inputs: &[Input]) -> RangeInclusive<u64> {
    let from = inputs.first().map_or(1, |input| first_covered(&input.version));
    let to = inputs.last().map_or(0, |input| input.version.number);
    from..=to
}

/// The merges that are due among the runs of a series, those that read least
/// first; they do not overlap. `from_txn` gives the transaction that wrote the
/// first version a run covers.
pub fn plan(runs: &[Version], limits: Limits, from_txn: impl Fn(&Version) -> u64) -> Vec<Merge> {
    let fan_in = limits.fan_in.max(2);
    let mut merges = Vec::new();
    let mut rest = runs;
    while !rest.is_empty() {
        let (older, group) = rest.split_at(rest.len() - neighbours(rest, limits.max_bytes));
        rest = older;
        if group.len() < fan_in {
            continue;
        }
        let pieces = group.len().div_ceil(MAX_INPUTS.max(fan_in));
        merges.extend(group.chunks(group.len().div_ceil(pieces)).map(|inputs| {
            Merge {
                inputs: inputs
                    .iter()
                    .map(|version| Input { version: version.clone(), from_txn: from_txn(version) })
                    .collect(),
            }
        }));
    }
    merges.retain(|merge| merge.inputs.len() > 1);
    merges.sort_by_key(Merge::input_bytes);
    merges
}

/// How many of the newest runs go together; one at least.
fn neighbours(runs: &[Version], max_bytes: u64) -> usize {
    let mut bytes = 0_u64;
    let mut newer: Option<&Version> = None;
    let fitting = runs.iter().rev().take_while(|run| {
        let is_next = newer.is_none_or(|newer| {
            run.format == Format::Parquet
                && newer.format == Format::Parquet
                && run.number.checked_add(1) == Some(first_covered(newer))
                && run.size_bytes <= SMALL_BYTES.max(bytes.saturating_mul(RATIO))
        });
        bytes = bytes.saturating_add(run.size_bytes);
        newer = Some(run);
        is_next && bytes <= max_bytes
    });
    fitting.count().max(1)
}

fn first_covered(version: &Version) -> u64 {
    version.covers.as_ref().map_or(version.number, |covers| *covers.start())
}

#[cfg(test)]
mod tests {
    use tinyfs::{Attributes, ContentHash, Place};

    use super::*;

    fn version(from: u64, to: u64, size_bytes: u64) -> Version {
        Version {
            number: to,
            covers: (from != to).then_some(from..=to),
            txn_seq: to,
            written_us: 0,
            size_bytes,
            hash: ContentHash::of(b""),
            format: Format::Parquet,
            place: Place::Inline,
            rows: None,
            time_range: None,
            attributes: Attributes::new(),
        }
    }

    fn single(number: u64) -> Version {
        version(number, number, 1_000)
    }

    const LIMITS: Limits = Limits { fan_in: 4, max_bytes: 1 << 30 };

    fn due(runs: &[Version], limits: Limits) -> Vec<RangeInclusive<u64>> {
        plan(runs, limits, |version| version.txn_seq).iter().map(Merge::covers).collect()
    }

    #[test]
    fn runs_of_a_series_grow_with_the_logarithm_of_its_bytes() {
        let mut runs: Vec<Version> = Vec::new();
        let (mut written, mut rewritten) = (0, 0);
        for number in 1..=20_000 {
            runs.push(single(number));
            written += 1_000;
            while let Some(covers) = due(&runs, LIMITS).into_iter().next() {
                let merged: u64 = runs
                    .iter()
                    .filter(|run| covers.contains(&run.number))
                    .map(|run| run.size_bytes)
                    .sum();
                rewritten += merged;
                runs.retain(|run| !covers.contains(&run.number));
                runs.push(version(*covers.start(), *covers.end(), merged));
                runs.sort_by_key(|run| run.number);
            }
            let tripled = (written / SMALL_BYTES).max(1).ilog(RATIO + 1) as usize;
            assert!(runs.len() <= tripled + 2 + LIMITS.fan_in, "{} at {number}", runs.len());
        }
        // Once for each time by which the newer half of it again is added.
        assert!(rewritten <= written * 20, "{} times", rewritten / written);
    }

    #[test]
    fn a_run_that_covers_nothing_is_no_panic() {
        let mut runs: Vec<_> = (1..=4).map(single).collect();
        runs[3].covers = Some(RangeInclusive::new(9, 4));
        assert_eq!(due(&runs, LIMITS), []);
        runs[3].number = u64::MAX;
        runs.push(single(1));
        assert_eq!(due(&runs, LIMITS), []);
    }

    #[test]
    fn gaps_and_other_formats_are_left_alone() {
        let gap: Vec<_> = [1, 2, 4, 5].into_iter().map(single).collect();
        assert_eq!(due(&gap, LIMITS), []);
        let mut four: Vec<_> = (1..=4).map(single).collect();
        assert_eq!(due(&four, LIMITS), [1..=4]);
        four[1].format = Format::Bytes;
        assert_eq!(due(&four, LIMITS), []);
    }

    #[test]
    fn what_is_much_larger_than_all_that_is_newer_is_left_alone() {
        let mut runs = vec![version(1, 100, 10 << 20)];
        runs.extend((101..=104).map(single));
        assert_eq!(due(&runs, LIMITS), [101..=104]);
        // Large ones of like size go together, whatever small one is newer.
        let mut runs: Vec<_> = (1..=4).map(|n| version(n, n, 1 << 20)).collect();
        runs.push(single(5));
        assert_eq!(due(&runs, LIMITS), [1..=4]);
    }

    #[test]
    fn a_merge_holds_to_its_bytes_and_opens_a_bounded_number() {
        let limits = Limits { max_bytes: 4_500, ..LIMITS };
        let runs: Vec<_> = (1..=10).map(single).collect();
        assert_eq!(due(&runs, limits), [7..=10, 3..=6]);
        let runs: Vec<_> = (1..=150).map(single).collect();
        assert_eq!(due(&runs, LIMITS), [1..=50, 51..=100, 101..=150]);
    }
}
