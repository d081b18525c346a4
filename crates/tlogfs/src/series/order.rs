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
    rows: u64,
    below_floor: u64,
    /// The last, smallest and largest value so far, in the column's own unit.
    seen: Option<(i64, i64, i64)>,
    order: Order,
}

impl TimeWatch {
    pub(crate) fn new(path: &str, column: &str, step: Step, floor_us: Option<i64>) -> Self {
        Self {
            path: path.to_owned(),
            column: column.to_owned(),
            step,
            floor_us,
            rows: 0,
            below_floor: 0,
            seen: None,
            order: Order::Strict,
        }
    }

    /// Takes note of the times of the next rows.
    pub(crate) fn see(&mut self, array: &ArrayRef) -> Result<()> {
        if let Some(row) = first_null(array) {
            return Err(Error::NullTime {
                path: self.path.clone(),
                column: self.column.clone(),
                row: self.rows + row as u64 + 1,
            });
        }
        let Some(times) = values(array) else {
            return Err(super::time_column::not_time(&self.path, &self.column, array.data_type()));
        };
        for value in times {
            self.rows += 1;
            self.seen = Some(match self.seen {
                None => (value, value, value),
                Some((last, min, max)) => {
                    if value < last {
                        self.order = Order::None;
                    } else if value == last && self.order == Order::Strict {
                        self.order = Order::Sorted;
                    }
                    (value, min.min(value), max.max(value))
                }
            });
            let Some(time_us) = self.step.floor_us(value) else {
                return Err(Error::TimeOutOfRange {
                    path: self.path.clone(),
                    column: self.column.clone(),
                    row: self.rows,
                    value,
                });
            };
            self.below_floor += u64::from(self.floor_us.is_some_and(|floor| time_us < floor));
        }
        Ok(())
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
        let (_, min, max) = self.seen?;
        // Every value passed the range check of `see`.
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
    }
}
