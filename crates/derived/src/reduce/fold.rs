//! Folds rows, or finer buckets, into the buckets of one resolution.
//!
//! Always true: what comes out of a bucket is a function of the set of its
//! rows. The finest level adds exactly and rounds once; first and last go by
//! time and then by value; a coarser level folds all of its children in the
//! order of time, and these are functions of their rows. So it does not matter
//! in which order rows of one time come, in how many pieces a bucket comes, or
//! whether it was made at once or mended later.
//!
//! NaN and infinities are no readings: instruments write NaN for "missing", and
//! one would spoil every coarser bucket.

use std::ops::Range;
use std::sync::Arc;

use arrow::array::{Array, AsArray, Float64Array, RecordBatch};
use arrow::datatypes::{Float64Type, Int64Type};
use jiff::tz::TimeZone;

use super::exact_sum::ExactSum;
use super::partial::{Keeps, Partial, PartialRows, Reduced};
use super::resolution::Resolution;
use super::sketch::Sketch;
use crate::Result;

/// Takes buckets, ascending.
pub(crate) trait BucketSink {
    /// The bucket that begins at `start_us`, a partial for each column.
    fn bucket(&mut self, start_us: i64, partials: &[Partial]) -> Result<()>;
}

/// One level of reduction.
#[derive(Debug)]
pub(crate) struct Fold {
    resolution: Resolution,
    zone: TimeZone,
    columns: Arc<[Reduced]>,
    /// The bucket that is being gathered.
    open: Option<Range<i64>>,
    gathering: Vec<Gathering>,
    partials: Vec<Partial>,
    /// The time of the last row.
    last_us: i64,
}

impl Fold {
    pub(crate) fn new(resolution: Resolution, zone: TimeZone, columns: Arc<[Reduced]>) -> Self {
        let gathering = columns.iter().map(|_| Gathering::default()).collect();
        Self {
            resolution,
            zone,
            columns,
            open: None,
            gathering,
            partials: Vec::new(),
            last_us: i64::MIN,
        }
    }

    /// Takes rows, ascending by time: the time in microseconds as `Int64`, then
    /// each column as `Float64`.
    pub(crate) fn rows(&mut self, batch: &RecordBatch, out: &mut dyn BucketSink) -> Result<()> {
        let times = batch.column(0).as_primitive::<Int64Type>().values();
        let first = times.first().copied().unwrap_or(self.last_us);
        if first < self.last_us || !times.is_sorted() {
            // A bucket would be taken for whole that is not.
            let what = "the rows of a reduction do not come in the order of time".to_owned();
            return Err(query::Error::BadRequest { what }.into());
        }
        self.last_us = times.last().copied().unwrap_or(self.last_us);
        let mut from = 0;
        while let Some(&time) = times.get(from) {
            let bucket = self.enter(time, out)?;
            let to = from + times[from..].partition_point(|&time| time < bucket.end);
            for (at, column) in self.columns.iter().enumerate() {
                let values = batch.column(at + 1).as_primitive::<Float64Type>();
                self.gathering[at].rows(column.keeps, &times[from..to], values, from);
            }
            from = to;
        }
        Ok(())
    }

    /// Takes one finer bucket.
    pub(crate) fn child(
        &mut self,
        start_us: i64,
        partials: &[Partial],
        out: &mut dyn BucketSink,
    ) -> Result<()> {
        self.enter(start_us, out)?;
        for (at, column) in self.columns.iter().enumerate() {
            self.gathering[at].child(column.keeps, &partials[at]);
        }
        Ok(())
    }

    /// Takes finer buckets, in the layout of a tile.
    pub(crate) fn children(&mut self, batch: &RecordBatch, out: &mut dyn BucketSink) -> Result<()> {
        let columns = Arc::clone(&self.columns);
        let rows = PartialRows::new(batch, &columns);
        let mut partials = Vec::with_capacity(columns.len());
        for (row, &start_us) in rows.times().iter().enumerate() {
            rows.read(row, &mut partials);
            self.child(start_us, &partials, out)?;
        }
        Ok(())
    }

    /// Makes the bucket that `us` lies in the open one.
    fn enter(&mut self, us: i64, out: &mut dyn BucketSink) -> Result<Range<i64>> {
        match &self.open {
            Some(open) if open.contains(&us) => Ok(open.clone()),
            _ => {
                let bucket = self.resolution.bucket(us, &self.zone)?;
                self.close(out)?;
                self.open = Some(bucket.clone());
                Ok(bucket)
            }
        }
    }

    /// Puts out the open bucket, after the last row.
    pub(crate) fn close(&mut self, out: &mut dyn BucketSink) -> Result<()> {
        let Some(open) = self.open.take() else { return Ok(()) };
        self.partials.clear();
        for (column, gathering) in self.columns.iter().zip(&mut self.gathering) {
            self.partials.push(gathering.take(column.keeps));
        }
        out.bucket(open.start, &self.partials)
    }
}

/// One column of the open bucket.
#[derive(Debug, Default)]
struct Gathering {
    /// Count, min, max, first and last so far; of children also `m2`.
    so_far: Partial,
    sum: ExactSum,
    squares: ExactSum,
    sketch: Sketch,
    from_children: bool,
}

impl Gathering {
    /// Adds the rows at `times`; the first of them is `values[from]`.
    fn rows(&mut self, keeps: Keeps, times: &[i64], values: &Float64Array, from: usize) {
        let numbers = &values.values()[from..from + times.len()];
        if values.null_count() == 0 {
            for (&time, &value) in times.iter().zip(numbers) {
                self.reading(keeps, time, value);
            }
        } else {
            for (at, (&time, &value)) in times.iter().zip(numbers).enumerate() {
                if values.is_valid(from + at) {
                    self.reading(keeps, time, value);
                }
            }
        }
    }

    fn reading(&mut self, keeps: Keeps, time: i64, value: f64) {
        if !value.is_finite() {
            return;
        }
        if keeps.sum {
            self.sum.add(value);
        }
        if keeps.m2 {
            self.squares.add_square(value);
        }
        if keeps.sketch {
            self.sketch.add(value);
        }
        self.extremes(&Partial {
            count: 1,
            min: value,
            max: value,
            first: (time, value),
            last: (time, value),
            ..Partial::default()
        });
        self.so_far.count += 1;
    }

    fn child(&mut self, keeps: Keeps, child: &Partial) {
        self.from_children = true;
        if child.count == 0 {
            return;
        }
        if keeps.m2 {
            self.so_far.m2 = if self.so_far.count == 0 {
                child.m2
            } else {
                let before = (self.so_far.count as f64, self.sum.rounded(), self.so_far.m2);
                merged_m2(before, (child.count as f64, child.sum, child.m2))
            };
        }
        if keeps.sum {
            self.sum.add(child.sum);
        }
        if let Some(sketch) = child.sketch.as_ref().filter(|_| keeps.sketch) {
            self.sketch.merge(sketch);
        }
        self.extremes(child);
        self.so_far.count += child.count;
    }

    /// Widens min, max, first and last by what `other` has; before its count
    /// is added.
    fn extremes(&mut self, other: &Partial) {
        let so_far = &mut self.so_far;
        if so_far.count == 0 {
            (so_far.min, so_far.max) = (other.min, other.max);
            (so_far.first, so_far.last) = (other.first, other.last);
            return;
        }
        if other.min.total_cmp(&so_far.min).is_lt() {
            so_far.min = other.min;
        }
        if other.max.total_cmp(&so_far.max).is_gt() {
            so_far.max = other.max;
        }
        let order = |a: (i64, f64), b: (i64, f64)| a.0.cmp(&b.0).then(a.1.total_cmp(&b.1));
        if order(other.first, so_far.first).is_lt() {
            so_far.first = other.first;
        }
        if order(other.last, so_far.last).is_gt() {
            so_far.last = other.last;
        }
    }

    /// What was gathered; nothing is left.
    fn take(&mut self, keeps: Keeps) -> Partial {
        let mut partial = std::mem::take(&mut self.so_far);
        if keeps.sum {
            partial.sum = self.sum.rounded();
        }
        if keeps.m2 && !self.from_children && partial.count > 0 {
            partial.m2 = m2(partial.count as f64, self.sum.pair(), self.squares.pair());
        }
        for (kept, value) in [(keeps.min, &mut partial.min), (keeps.max, &mut partial.max)] {
            if !kept {
                *value = 0.0;
            }
        }
        for (kept, reading) in [(keeps.first, &mut partial.first), (keeps.last, &mut partial.last)]
        {
            if !kept {
                *reading = (0, 0.0);
            }
        }
        if keeps.sketch && partial.count > 0 {
            partial.sketch = Some(Box::new(std::mem::take(&mut self.sketch)));
        }
        self.sum.clear();
        self.squares.clear();
        self.from_children = false;
        partial
    }
}

/// `q - s * s / n` for the sum `s` and the sum of squares `q`, each to twice
/// the precision, rounded at the end.
fn m2(count: f64, sum: (f64, f64), squares: (f64, f64)) -> f64 {
    // s * s
    let high = sum.0 * sum.0;
    let low = sum.0.mul_add(sum.0, -high) + 2.0 * sum.0 * sum.1;
    let (high, low) = two_sum(high, low);
    // / n
    let quotient = high / count;
    let rest = (-quotient).mul_add(count, high) + low;
    let (high, low) = two_sum(quotient, rest / count);
    // q -
    let (difference, error) = two_sum(squares.0, -high);
    bounded(difference + (error + (squares.1 - low)))
}

/// The `m2` of two sets by count, sum and `m2` (Chan, Golub, LeVeque 1979).
fn merged_m2(a: (f64, f64, f64), b: (f64, f64, f64)) -> f64 {
    let delta = b.1 / b.0 - a.1 / a.0;
    bounded(a.2 + b.2 + delta * delta * (a.0 * b.0 / (a.0 + b.0)))
}

/// A sum of squares: not below zero, and infinite when it is not known.
fn bounded(m2: f64) -> f64 {
    if m2.is_finite() { m2.max(0.0) } else { f64::INFINITY }
}

fn two_sum(a: f64, b: f64) -> (f64, f64) {
    let sum = a + b;
    let b_part = sum - a;
    (sum, (a - (sum - b_part)) + (b - b_part))
}

#[cfg(test)]
mod tests {
    use arrow::array::{ArrayRef, Int64Array};

    use super::*;

    const ALL: Keeps =
        Keeps { sum: true, m2: true, min: true, max: true, first: true, last: true, sketch: true };

    #[derive(Default)]
    struct Seen(Vec<(i64, Partial)>);

    impl BucketSink for Seen {
        fn bucket(&mut self, start_us: i64, partials: &[Partial]) -> Result<()> {
            self.0.push((start_us, partials[0].clone()));
            Ok(())
        }
    }

    fn batch(rows: &[(i64, Option<f64>)]) -> RecordBatch {
        let times: ArrayRef = Arc::new(Int64Array::from_iter_values(rows.iter().map(|row| row.0)));
        let values: ArrayRef = Arc::new(Float64Array::from_iter(rows.iter().map(|row| row.1)));
        RecordBatch::try_from_iter_with_nullable([("t", times, false), ("v", values, true)])
            .unwrap()
    }

    fn columns() -> Arc<[Reduced]> {
        Arc::new([Reduced { name: "v".into(), keeps: ALL }])
    }

    fn fold(text: &str, batches: &[RecordBatch]) -> Vec<(i64, Partial)> {
        let resolution = Resolution::parse(text).unwrap();
        let mut fold = Fold::new(resolution, TimeZone::UTC, columns());
        let mut seen = Seen::default();
        for batch in batches {
            fold.rows(batch, &mut seen).unwrap();
        }
        fold.close(&mut seen).unwrap();
        seen.0
    }

    const S: i64 = 1_000_000;

    #[test]
    fn bucket_of_nulls_alone_is_there_with_count_zero() {
        let seen = fold("1s", &[batch(&[(0, None), (1, Some(f64::NAN)), (S, Some(2.0))])]);
        assert_eq!(seen[0], (0, Partial::default()));
        assert_eq!(seen[1].0, S);
        assert_eq!(seen[1].1.count, 1);
    }

    #[test]
    fn ties_in_time_go_by_value_whatever_their_order() {
        let one = fold("1s", &[batch(&[(5, Some(3.0)), (5, Some(1.0)), (5, Some(2.0))])]);
        let other =
            fold("1s", &[batch(&[(5, Some(2.0)), (5, Some(3.0))]), batch(&[(5, Some(1.0))])]);
        assert_eq!(one, other);
        assert_eq!((one[0].1.first, one[0].1.last), ((5, 1.0), (5, 3.0)));
    }

    #[test]
    fn spread_survives_a_large_offset() {
        let rows: Vec<(i64, Option<f64>)> =
            (0..1000).map(|at| (at, Some(1e9 + f64::from((at % 10) as u32)))).collect();
        let seen = fold("1s", &[batch(&rows)]);
        // 100 times the digits 0 to 9: their squared distances from 4.5.
        assert_eq!(seen[0].1.m2, 8250.0);
        assert_eq!(seen[0].1.sum, 1e12 + 4500.0);
    }

    #[test]
    fn folding_children_equals_folding_rows_but_for_rounding() {
        let rows: Vec<(i64, Option<f64>)> =
            (0..600).map(|at| (at * S, Some(f64::from((at * 37 % 101) as u32) / 7.0))).collect();
        let finer = fold("10s", &[batch(&rows)]);
        let mut coarse = Fold::new(Resolution::parse("5m").unwrap(), TimeZone::UTC, columns());
        let mut seen = Seen::default();
        for (start, partial) in finer {
            coarse.child(start, &[partial], &mut seen).unwrap();
        }
        coarse.close(&mut seen).unwrap();
        let straight = fold("5m", &[batch(&rows)]);
        assert_eq!(seen.0.len(), straight.len());
        for ((_, folded), (_, straight)) in seen.0.iter().zip(&straight) {
            assert_eq!(
                (folded.count, folded.min, folded.max),
                (straight.count, straight.min, straight.max)
            );
            assert_eq!((folded.first, folded.last), (straight.first, straight.last));
            assert!((folded.sum - straight.sum).abs() <= 1e-13 * straight.sum);
            assert!((folded.m2 - straight.m2).abs() <= 1e-13 * straight.m2);
        }
    }

    #[test]
    fn sums_beyond_range_are_infinite_and_their_spread_unknown() {
        let seen = fold("1s", &[batch(&[(0, Some(f64::MAX)), (1, Some(f64::MAX))])]);
        assert_eq!(seen[0].1.sum, f64::INFINITY);
        assert_eq!(seen[0].1.m2, f64::INFINITY);
        assert_eq!(seen[0].1.max, f64::MAX);
    }
}
