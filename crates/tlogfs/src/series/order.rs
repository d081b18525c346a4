//! What is learnt of the times of a version while its rows stream by: how many
//! there are, the earliest and the latest, and whether they ascend.

use std::fmt;
use std::str::FromStr;

use arrow::array::ArrayRef;
use tinyfs::TimeRange;

use super::time_column::{Step, first_null, values};
use crate::{Error, Result};

/// The attribute of a version that holds its [`Order`].
pub const ORDER: &str = "order";

/// How the times of a version's rows follow each other, from first row to last.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    /// Each is later than the one before.
    Strict,
    /// None is earlier than the one before.
    Sorted,
    /// Some are earlier than the one before.
    None,
}

impl Order {
    /// The text kept in the attribute.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Strict => "strict",
            Self::Sorted => "sorted",
            Self::None => "none",
        }
    }

    /// The order of two values that follow each other.
    const fn between(earlier: i64, later: i64) -> Self {
        if earlier < later {
            Self::Strict
        } else if earlier == later {
            Self::Sorted
        } else {
            Self::None
        }
    }

    /// The order of values that follow each other.
    fn of(values: &[i64]) -> Self {
        let (mut falls, mut stays) = (false, false);
        for pair in values.windows(2) {
            falls |= pair[1] < pair[0];
            stays |= pair[1] == pair[0];
        }
        match (falls, stays) {
            (true, _) => Self::None,
            (false, true) => Self::Sorted,
            (false, false) => Self::Strict,
        }
    }

    /// The order of rows whose parts have these orders.
    const fn and(self, other: Self) -> Self {
        match (self, other) {
            (Self::None, _) | (_, Self::None) => Self::None,
            (Self::Sorted, _) | (_, Self::Sorted) => Self::Sorted,
            (Self::Strict, Self::Strict) => Self::Strict,
        }
    }
}

impl fmt::Display for Order {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl FromStr for Order {
    type Err = tinyfs::Error;

    fn from_str(text: &str) -> Result<Self, tinyfs::Error> {
        [Self::Strict, Self::Sorted, Self::None]
            .into_iter()
            .find(|order| order.as_str() == text)
            .ok_or_else(|| tinyfs::Error::BadAttribute { key: ORDER.into(), value: text.into() })
    }
}

/// Watches the time column of rows on their way.
#[derive(Debug)]
pub(crate) struct TimeWatch {
    path: String,
    column: String,
    step: Step,
    /// The plausibility floor of the series.
    floor_us: Option<i64>,
    /// How many rows come before the first that is seen.
    before: u64,
    rows: u64,
    below_floor: u64,
    seen: Option<Seen>,
    order: Order,
}

/// Values at the ends, in the column's own unit.
#[derive(Clone, Copy, Debug)]
struct Seen {
    first: i64,
    last: i64,
    min: i64,
    max: i64,
}

impl Seen {
    fn of(times: &[i64]) -> Option<Self> {
        let (first, last) = (*times.first()?, *times.last()?);
        // Plain loops, which become vector instructions.
        let (mut min, mut max) = (first, first);
        for value in times {
            min = min.min(*value);
            max = max.max(*value);
        }
        Some(Self { first, last, min, max })
    }

    /// The ends of these values and of those after them.
    fn then(self, next: Self) -> Self {
        Self {
            first: self.first,
            last: next.last,
            min: self.min.min(next.min),
            max: self.max.max(next.max),
        }
    }
}

impl TimeWatch {
    pub(crate) fn new(path: &str, column: &str, step: Step, floor_us: Option<i64>) -> Self {
        Self {
            path: path.to_owned(),
            column: column.to_owned(),
            step,
            floor_us,
            before: 0,
            rows: 0,
            below_floor: 0,
            seen: None,
            order: Order::Strict,
        }
    }

    /// A watch for rows that follow `before` others, to be joined with those of
    /// the rows before them.
    pub(crate) fn part(&self, before: u64) -> Self {
        let mut part = Self::new(&self.path, &self.column, self.step, self.floor_us);
        part.before = before;
        part
    }

    /// Takes over what was learnt of the rows after these.
    pub(crate) fn join(&mut self, next: &Self) {
        self.rows += next.rows;
        self.below_floor += next.below_floor;
        self.order = self.order.and(next.order);
        self.seen = match (self.seen, next.seen) {
            (Some(seen), Some(next)) => {
                self.order = self.order.and(Order::between(seen.last, next.first));
                Some(seen.then(next))
            }
            (seen, next) => seen.or(next),
        };
    }

    /// Takes note of the times of the next rows.
    pub(crate) fn see(&mut self, array: &ArrayRef) -> Result<()> {
        if let Some(row) = first_null(array) {
            return Err(self.null_at(row));
        }
        match values(array) {
            Some(times) => self.see_times(&times),
            None => Err(super::time_column::not_time(&self.path, &self.column, array.data_type())),
        }
    }

    /// The error for a row without a time, counted from 0 among those to come.
    pub(crate) fn null_at(&self, row: usize) -> Error {
        Error::NullTime {
            path: self.path.clone(),
            column: self.column.clone(),
            row: self.row_number(row),
        }
    }

    /// The number, from 1 on, of a row counted from 0 among those to come.
    fn row_number(&self, row: usize) -> u64 {
        self.before.saturating_add(self.rows).saturating_add(row as u64).saturating_add(1)
    }

    /// Takes note of the times of the next rows, in the column's own unit.
    pub(crate) fn see_times(&mut self, times: &[i64]) -> Result<()> {
        let Some(here) = Seen::of(times) else { return Ok(()) };
        if let Some(seen) = self.seen {
            self.order = self.order.and(Order::between(seen.last, here.first));
        }
        self.order = self.order.and(Order::of(times));
        // Steps keep order, so the ends answer for all between them.
        let (Some(min_us), Some(_)) = (self.step.floor_us(here.min), self.step.floor_us(here.max))
        else {
            return Err(self.out_of_range(times));
        };
        if let Some(floor) = self.floor_us.filter(|floor| min_us < *floor) {
            let below = |value: &&i64| self.step.floor_us(**value).is_some_and(|us| us < floor);
            self.below_floor += times.iter().filter(below).count() as u64;
        }
        self.rows += times.len() as u64;
        self.seen = Some(self.seen.map_or(here, |seen| seen.then(here)));
        Ok(())
    }

    fn out_of_range(&self, times: &[i64]) -> Error {
        let outside = |value: &i64| self.step.floor_us(*value).is_none();
        let at = times.iter().position(outside).unwrap_or_default();
        Error::TimeOutOfRange {
            path: self.path.clone(),
            column: self.column.clone(),
            row: self.row_number(at),
            value: times[at],
        }
    }

    pub(crate) fn rows(&self) -> u64 {
        self.rows
    }

    /// Rows before the floor, which are left out when the series is read.
    pub(crate) fn below_floor(&self) -> u64 {
        self.below_floor
    }

    pub(crate) fn order(&self) -> Order {
        self.order
    }

    /// The range of the times, rounded outwards; `None` without rows.
    pub(crate) fn range(&self) -> Option<TimeRange> {
        let Seen { min, max, .. } = self.seen?;
        // Every value passed the range check of `see_times`.
        Some(TimeRange { min_us: self.step.floor_us(min)?, max_us: self.step.ceil_us(max)? })
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::array::{Int64Array, TimestampNanosecondArray};
    use tinyfs::TimeUnit;

    use super::*;

    fn watch(values: Vec<i64>) -> TimeWatch {
        let mut watch = TimeWatch::new("/s", "t", Step::Unit(TimeUnit::Nanosecond), Some(0));
        watch.see(&(Arc::new(TimestampNanosecondArray::from(values)) as ArrayRef)).unwrap();
        watch
    }

    #[test]
    fn nanoseconds_round_outwards_also_before_1970() {
        let range = watch(vec![-1_500, 1_500]).range().unwrap();
        assert_eq!((range.min_us, range.max_us), (-2, 2));
    }

    #[test]
    fn rows_before_the_floor_are_counted() {
        assert_eq!(watch(vec![-1, -1_000_000, 0, 1]).below_floor(), 2);
    }

    #[test]
    fn order_is_judged_across_batches() {
        let mut seen = watch(vec![1, 2]);
        assert_eq!(seen.order(), Order::Strict);
        seen.see(&(Arc::new(TimestampNanosecondArray::from(vec![2])) as ArrayRef)).unwrap();
        assert_eq!(seen.order(), Order::Sorted);
        seen.see(&(Arc::new(TimestampNanosecondArray::from(vec![1, 9])) as ArrayRef)).unwrap();
        assert_eq!((seen.order(), seen.rows()), (Order::None, 5));
    }

    #[test]
    fn parts_joined_say_what_one_look_at_all_says() {
        let histories = [
            vec![1, 2, 3, 4, 5, 6],
            vec![1, 2, 3, 3, 5, 6],
            vec![1, 2, 3, 0, 5, 6],
            vec![-2_000, -1_000, 3, 4, 5, 5],
            vec![6, 5, 4, 3, 2, 1],
        ];
        for times in histories {
            let whole = watch(times.clone());
            for (a, b) in [(0, 0), (0, 3), (1, 3), (3, 3), (3, 6), (2, 5)] {
                let mut joined = watch(vec![]);
                for (before, part) in [(0, &times[..a]), (a, &times[a..b]), (b, &times[b..])] {
                    let mut next = joined.part(before as u64);
                    next.see_times(part).unwrap();
                    joined.join(&next);
                }
                let told = |of: &TimeWatch| (of.rows(), of.range(), of.order(), of.below_floor());
                assert_eq!(told(&joined), told(&whole), "{times:?} cut at {a} and {b}");
            }
        }
    }

    #[test]
    fn null_time_is_refused_by_row() {
        let mut seen = watch(vec![1, 2]);
        let array = Arc::new(TimestampNanosecondArray::from(vec![Some(3), None])) as ArrayRef;
        assert!(matches!(seen.see(&array), Err(Error::NullTime { row: 4, .. })));
    }

    #[test]
    fn no_rows_have_no_range() {
        assert_eq!(watch(vec![]).range(), None);
    }

    #[test]
    fn second_that_microseconds_can_not_hold_is_refused() {
        let mut watch = TimeWatch::new("/s", "t", Step::Unit(TimeUnit::Second), None);
        let array = Arc::new(Int64Array::from(vec![i64::MAX])) as ArrayRef;
        assert!(matches!(watch.see(&array), Err(Error::TimeOutOfRange { row: 1, .. })));
        let refused = watch.part(10).see_times(&[0, 1, i64::MIN]);
        assert!(matches!(refused, Err(Error::TimeOutOfRange { row: 13, value: i64::MIN, .. })));
    }
}
