//! Which versions share time, and how few sorted lanes hold them all.
//!
//! Pure interval arithmetic over closed ranges of microseconds.

use tinyfs::TimeRange;

/// Groups the indices of ranges so that two ranges that overlap, directly or
/// through others, are in one group. Groups come in order of time.
pub(crate) fn clusters(ranges: &[TimeRange]) -> Vec<Vec<usize>> {
    let mut order: Vec<usize> = (0..ranges.len()).collect();
    order.sort_by_key(|&at| (ranges[at].min_us, ranges[at].max_us));
    let mut groups: Vec<Vec<usize>> = Vec::new();
    let mut reach = i64::MIN;
    for at in order {
        let range = &ranges[at];
        match groups.last_mut() {
            Some(group) if range.min_us <= reach => group.push(at),
            _ => groups.push(vec![at]),
        }
        reach = reach.max(range.max_us);
    }
    groups
}

/// The spans of time that two or more of the ranges share, in order of time,
/// apart from each other.
pub(crate) fn shared_spans(ranges: &[TimeRange]) -> Vec<TimeRange> {
    let mut sorted = ranges.to_vec();
    sorted.sort_by_key(|range| (range.min_us, range.max_us));
    let mut spans: Vec<TimeRange> = Vec::new();
    let mut reach: Option<i64> = None;
    for range in sorted {
        if let Some(reach) = reach.filter(|&reach| range.min_us <= reach) {
            let span = TimeRange { min_us: range.min_us, max_us: range.max_us.min(reach) };
            match spans.last_mut() {
                Some(last) if span.min_us <= last.max_us => *last = last.union(&span),
                _ => spans.push(span),
            }
        }
        reach = Some(reach.map_or(range.max_us, |reach| reach.max(range.max_us)));
    }
    spans
}

/// Deals the indices of ranges into the fewest lanes in which no two overlap.
/// Each lane is in order of time.
pub(crate) fn lanes(ranges: &[TimeRange]) -> Vec<Vec<usize>> {
    let mut order: Vec<usize> = (0..ranges.len()).collect();
    order.sort_by_key(|&at| (ranges[at].min_us, ranges[at].max_us));
    let mut lanes: Vec<Vec<usize>> = Vec::new();
    // The lane that is free the longest takes the next range; any free lane
    // would do for the count.
    let mut ends = std::collections::BinaryHeap::new();
    for at in order {
        let range = &ranges[at];
        match ends.peek() {
            Some(&std::cmp::Reverse((end, lane))) if end < range.min_us => {
                ends.pop();
                let lane: usize = lane;
                lanes[lane].push(at);
                ends.push(std::cmp::Reverse((range.max_us, lane)));
            }
            _ => {
                ends.push(std::cmp::Reverse((range.max_us, lanes.len())));
                lanes.push(vec![at]);
            }
        }
    }
    lanes
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn range(min_us: i64, max_us: i64) -> TimeRange {
        TimeRange { min_us, max_us }
    }

    #[test]
    fn ranges_that_touch_are_one_cluster() {
        let ranges = [range(5, 9), range(0, 3), range(3, 4), range(10, 12)];
        assert_eq!(clusters(&ranges), [vec![1, 2], vec![0], vec![3]]);
    }

    proptest! {
        #[test]
        fn lanes_never_overlap_and_are_as_few_as_the_depth(
            spans in prop::collection::vec((0i64..50, 0i64..10), 0..30)
        ) {
            let ranges: Vec<_> = spans.iter().map(|&(at, len)| range(at, at + len)).collect();
            let lanes = lanes(&ranges);
            let mut seen: Vec<usize> = lanes.concat();
            seen.sort_unstable();
            prop_assert_eq!(seen, (0..ranges.len()).collect::<Vec<_>>());
            for lane in &lanes {
                for pair in lane.windows(2) {
                    prop_assert!(ranges[pair[0]].max_us < ranges[pair[1]].min_us);
                }
            }
            let depth = (0..60)
                .map(|at| ranges.iter().filter(|r| r.min_us <= at && at <= r.max_us).count())
                .max();
            prop_assert_eq!(Some(lanes.len()), depth);
        }

        #[test]
        fn shared_spans_hold_what_two_ranges_hold(
            spans in prop::collection::vec((0i64..50, 0i64..10), 0..12)
        ) {
            let ranges: Vec<_> = spans.iter().map(|&(at, len)| range(at, at + len)).collect();
            let shared = shared_spans(&ranges);
            for at in 0..60 {
                let holds = |r: &&TimeRange| r.min_us <= at && at <= r.max_us;
                let depth = ranges.iter().filter(holds).count();
                let within = shared.iter().filter(holds).count();
                prop_assert!(within <= 1);
                // Between two instants that are shared lies what may not be.
                prop_assert!(depth < 2 || within == 1, "{} of {:?}", at, shared);
                prop_assert!(within == 0 || depth >= 1);
            }
        }

        #[test]
        fn ranges_of_two_clusters_never_overlap(
            spans in prop::collection::vec((0i64..80, 0i64..10), 0..30)
        ) {
            let ranges: Vec<_> = spans.iter().map(|&(at, len)| range(at, at + len)).collect();
            let clusters = clusters(&ranges);
            for (one, a) in clusters.iter().enumerate() {
                for b in &clusters[one + 1..] {
                    for (&x, &y) in a.iter().flat_map(|x| b.iter().map(move |y| (x, y))) {
                        prop_assert!(!ranges[x].overlaps(&ranges[y]));
                    }
                }
            }
        }
    }
}
