//! What a series means: which of its versions a query reads, and how.
//!
//! - Rows outside the time that is seen, outside the bounds that the series
//!   declares, or before its plausibility floor, are left out; a version that
//!   lies outside as a whole is not read.
//! - The newest version wins for the same key, unless the series is `append`.
//!   Only versions that overlap in time can hold the same key, so a version
//!   that shares its time with no other, and whose own times strictly rise, is
//!   read as it is, like every version of an `append` series.
//! - A version is left out when a filter on key columns rules out all its
//!   rows; then its rows could not have been asked for, nor could the rows that
//!   they supersede. Filters on other columns rule out only versions that are
//!   read as they are.
//!
//! Where a large version shares little of its time with others, only the spans
//! that it shares are merged by key, and the rest of it is read as it is.
//!
//! Tables go the same way: one version, read as it is.

use std::sync::Arc;

use tinyfs::{SeriesSpec, TimeRange};

use super::overlap::{clusters, shared_spans};
use super::scan::{Candidate, Pruner};
use super::table::Member;
use super::version_file::Order;
use super::versions_exec::Reads;
use crate::TimeBounds;

/// How the versions of one member are read.
#[derive(Debug, Default)]
pub(crate) struct MemberPlan {
    /// As they are.
    pub(crate) plain: Vec<Candidate>,
    /// As they are, with rows outside the bounds left out.
    pub(crate) bounded: Vec<Candidate>,
    /// By key, the newest winning.
    pub(crate) merged: Vec<Candidate>,
    /// Whether rows of `merged` lie outside the bounds.
    pub(crate) merged_bounded: bool,
    /// Versions that are also among `merged`, to be read as they are outside
    /// `spans`.
    pub(crate) split: Vec<Candidate>,
    /// When some are split: the spans of time to which the merge is held.
    pub(crate) spans: Vec<TimeRange>,
    /// The bounds.
    pub(crate) bounds: TimeBounds,
}

/// What a series shows of its times to a session that sees `seen`.
pub(crate) fn visible(spec: &SeriesSpec, seen: TimeBounds) -> TimeBounds {
    let (start_us, end_us) = spec.visible_us();
    seen.intersect(TimeBounds { start_us, end_us })
}

/// Plans the versions of `member`.
pub(crate) fn plan(
    member: &Member,
    seen: TimeBounds,
    pruner: &Pruner,
    reads: &mut Reads,
) -> MemberPlan {
    reads.versions += member.files.len();
    let candidates = || member.files.iter().filter(|file| file.rows() > 0);
    let Some(spec) = &member.spec else {
        let all: Vec<Candidate> =
            candidates().map(|file| Candidate::new(file, None, pruner)).collect();
        let plain = pruner.keep_any(all, &mut reads.outside_values);
        reads.plain += plain.len();
        return MemberPlan { plain, ..MemberPlan::default() };
    };

    let bounds = visible(spec, seen);
    let mut visible: Vec<Candidate> = Vec::new();
    for file in candidates() {
        let Some(range) = file.time_range(spec) else { continue };
        if bounds.overlaps(&range) {
            visible.push(Candidate::new(file, Some(range), pruner));
        } else {
            reads.outside_time += 1;
        }
    }
    let visible = pruner.keep_by_key(visible, &spec.key, &mut reads.outside_time);

    let mut plan = MemberPlan { bounds, ..MemberPlan::default() };
    let mut alone = Vec::new();
    if spec.append {
        alone = visible;
    } else {
        let ranges: Vec<TimeRange> =
            visible.iter().map(|candidate| clamp(candidate.range(), bounds)).collect();
        let clusters = clusters(&ranges);
        (plan.split, plan.spans) = split(&visible, &ranges, &clusters);
        reads.split += plan.split.len();
        let mut slots: Vec<Option<Candidate>> = visible.into_iter().map(Some).collect();
        for cluster in clusters {
            let shared = cluster.len() > 1;
            for candidate in cluster.into_iter().filter_map(|at| slots[at].take()) {
                if shared || candidate.file.order() < Order::Strict {
                    plan.merged_bounded |= !bounds.contains(&candidate.range());
                    plan.merged.push(candidate);
                } else {
                    alone.push(candidate);
                }
            }
        }
    }
    for candidate in pruner.keep_any(alone, &mut reads.outside_values) {
        if bounds.contains(&candidate.range()) {
            plan.plain.push(candidate);
        } else {
            plan.bounded.push(candidate);
        }
    }
    reads.plain += plan.plain.len() + plan.bounded.len();
    reads.merged += plan.merged.len();
    plan
}

/// Splitting pays from so many rows on that need not be merged.
const SPLIT_ROWS: f64 = 100_000.0;

/// A filter of more spans than this costs more than it saves.
const MAX_SPANS: usize = 16;

/// The versions of which enough lies in no other's time, and the spans that
/// hold all that must be merged; nothing when it does not pay.
fn split(
    versions: &[Candidate],
    ranges: &[TimeRange],
    clusters: &[Vec<usize>],
) -> (Vec<Candidate>, Vec<TimeRange>) {
    let mut spans: Vec<TimeRange> = Vec::new();
    let mut split = Vec::new();
    let mut spared = 0.0;
    for cluster in clusters {
        let strict = |&at: &usize| versions[at].file.order() == Order::Strict;
        let members: Vec<TimeRange> = cluster.iter().map(|&at| ranges[at]).collect();
        if !cluster.iter().all(strict) {
            // All of its times may hold a key twice.
            spans.extend(members.into_iter().reduce(|a, b| a.union(&b)));
            continue;
        }
        let shared = shared_spans(&members);
        if shared.is_empty() {
            continue;
        }
        for &at in cluster {
            let apart = 1.0 - share(ranges[at], &shared);
            if apart > 0.0 {
                spared += apart * versions[at].file.rows() as f64;
                split.push(versions[at].clone());
            }
        }
        spans.extend(shared);
    }
    if spared < SPLIT_ROWS || spans.len() > MAX_SPANS {
        return (Vec::new(), Vec::new());
    }
    (split, spans)
}

/// How much of a range's length lies in the spans, which are apart.
fn share(range: TimeRange, spans: &[TimeRange]) -> f64 {
    let length = |range: TimeRange| range.max_us as f64 - range.min_us as f64 + 1.0;
    let within = spans.iter().filter(|span| span.overlaps(&range)).map(|span| {
        let (min_us, max_us) = (span.min_us.max(range.min_us), span.max_us.min(range.max_us));
        length(TimeRange { min_us, max_us })
    });
    within.sum::<f64>() / length(range)
}

/// The part of a range that is seen. The two overlap.
fn clamp(range: TimeRange, bounds: TimeBounds) -> TimeRange {
    TimeRange {
        min_us: bounds.start_us.map_or(range.min_us, |start| range.min_us.max(start)),
        max_us: bounds.end_us.map_or(range.max_us, |end| range.max_us.min(end)),
    }
}

impl Candidate {
    /// Its times; a table's lie anywhere.
    pub(crate) fn range(&self) -> TimeRange {
        self.range.unwrap_or(TimeRange { min_us: i64::MIN, max_us: i64::MAX })
    }
}

/// The one declaration that all members share in what matters to order.
pub(crate) fn shared_time_column(members: &[Member]) -> Option<&Arc<str>> {
    let first = members.first()?.time_column.as_ref()?;
    members.iter().all(|member| member.time_column.as_ref() == Some(first)).then_some(first)
}
