//! What is to be drawn: plain data.
//!
//! A chart knows nothing of pixels or characters. It holds as many points as
//! the picture can show, not the history they were reduced from.

use jiff::tz::TimeZone;

/// A chart of one or more series over one span of time.
#[derive(Clone, Debug)]
pub(crate) struct Chart {
    /// The heading; empty for none.
    pub(crate) title: String,
    /// The line below it, in smaller type; empty for none.
    pub(crate) subtitle: String,
    /// The zone of the time axis.
    pub(crate) zone: TimeZone,
    /// The span of the time axis in microseconds since 1970 UTC, both ends
    /// included; `None` goes from the first point to the last.
    pub(crate) span_us: Option<(i64, i64)>,
    /// The series, in the order of the legend.
    pub(crate) series: Vec<Series>,
}

/// One line of a chart.
#[derive(Clone, Debug)]
pub(crate) struct Series {
    /// Its name in the legend.
    pub(crate) name: String,
    /// The unit of its values; series with the same unit share a panel, one
    /// without a unit has its own.
    pub(crate) unit: Option<String>,
    /// Its points, ascending by time.
    pub(crate) points: Vec<Point>,
    /// Points further apart than this are not joined, in microseconds; `None`
    /// takes two and a half times the median distance. Who reduced readings to
    /// buckets sets this to one and a half buckets.
    pub(crate) break_after_us: Option<i64>,
}

/// What a series did in one interval: one reading, or many reduced to three
/// numbers.
///
/// A value that is not finite makes the point a gap.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Point {
    /// Where it stands on the time axis, in microseconds since 1970 UTC.
    pub(crate) time_us: i64,
    /// The least reading.
    pub(crate) min: f64,
    /// The mean of the readings.
    pub(crate) mean: f64,
    /// The greatest reading.
    pub(crate) max: f64,
}

impl Chart {
    /// A chart without a subtitle that spans its points.
    #[must_use]
    pub(crate) fn new(title: impl Into<String>, zone: TimeZone, series: Vec<Series>) -> Self {
        Self { title: title.into(), subtitle: String::new(), zone, span_us: None, series }
    }
}

impl Series {
    /// A line through `points`, broken where they lie unusually far apart.
    #[must_use]
    pub(crate) fn new(name: impl Into<String>, unit: Option<String>, points: Vec<Point>) -> Self {
        Self { name: name.into(), unit, points, break_after_us: None }
    }
}

impl Point {
    /// The least, mean and greatest of one reading or several.
    #[must_use]
    pub(crate) const fn reduced(time_us: i64, min: f64, mean: f64, max: f64) -> Self {
        Self { time_us, min, mean, max }
    }

    /// Whether the line is broken here.
    #[must_use]
    pub(crate) fn is_gap(&self) -> bool {
        !(self.min.is_finite() && self.mean.is_finite() && self.max.is_finite())
    }
}

#[cfg(test)]
impl Point {
    /// A single reading.
    #[must_use]
    pub(crate) const fn reading(time_us: i64, value: f64) -> Self {
        Self { time_us, min: value, mean: value, max: value }
    }

    /// A place where the line is broken.
    #[must_use]
    pub(crate) const fn gap(time_us: i64) -> Self {
        Self::reading(time_us, f64::NAN)
    }
}
