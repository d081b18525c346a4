//! What of a chart goes where: panels by unit, lines in unbroken pieces.

use super::chart::{Chart, Point, Series};
use super::ticks::{TimeAxis, ValueAxis};

/// Series that share a vertical axis.
pub(super) struct Panel<'a> {
    pub(super) unit: Option<&'a str>,
    /// Each with its place in the chart, which chooses its colour.
    pub(super) series: Vec<(usize, &'a Series)>,
}

impl<'a> Panel<'a> {
    /// The panels of a chart: one for each unit, in order of first appearance.
    /// A series without a unit has a panel of its own, since nothing says that
    /// it can be compared.
    pub(super) fn by_unit(chart: &'a Chart) -> Vec<Self> {
        let mut panels: Vec<Self> = Vec::new();
        for (index, series) in chart.series.iter().enumerate() {
            let unit = series.unit.as_deref();
            match panels.iter_mut().find(|panel| unit.is_some() && panel.unit == unit) {
                Some(panel) => panel.series.push((index, series)),
                None => panels.push(Self { unit, series: vec![(index, series)] }),
            }
        }
        panels
    }

    /// One panel for each series, where nothing else tells lines apart.
    pub(super) fn by_series(chart: &'a Chart) -> Vec<Self> {
        let panel = |(index, series): (usize, &'a Series)| Self {
            unit: series.unit.as_deref(),
            series: vec![(index, series)],
        };
        chart.series.iter().enumerate().map(panel).collect()
    }

    /// The vertical axis over what of the series lies on the time axis.
    pub(super) fn value_axis(&self, time: &TimeAxis, wanted: usize) -> ValueAxis {
        let points = self.series.iter().flat_map(|(_, series)| &series.points);
        let (mut low, mut high) = (f64::INFINITY, f64::NEG_INFINITY);
        for point in points.filter(|point| !point.is_gap() && time.holds(point.time_us)) {
            low = low.min(point.min).min(point.mean);
            high = high.max(point.max).max(point.mean);
        }
        ValueAxis::covering(low, high, wanted)
    }
}

/// The span of the time axis: as asked for, or from the first point to the
/// last; none without points.
pub(super) fn span(chart: &Chart) -> Option<(i64, i64)> {
    if chart.span_us.is_some() {
        return chart.span_us;
    }
    let points = || chart.series.iter().flat_map(|series| &series.points).filter(|p| !p.is_gap());
    let first = points().map(|point| point.time_us).min()?;
    let last = points().map(|point| point.time_us).max()?;
    Some((first, last))
}

/// The unbroken pieces of a line that lie on the time axis; none is empty.
pub(super) fn pieces<'a>(series: &'a Series, time: &TimeAxis) -> Vec<&'a [Point]> {
    let limit = series.break_after_us.or_else(|| usual_limit(&series.points));
    let joined = |a: &Point, b: &Point| {
        let drawn = |point: &Point| !point.is_gap() && time.holds(point.time_us);
        let apart = i128::from(b.time_us) - i128::from(a.time_us);
        drawn(a) && drawn(b) && limit.is_none_or(|limit| apart <= i128::from(limit))
    };
    series
        .points
        .chunk_by(joined)
        // What is not drawn is joined to nothing, so it is a chunk of its own.
        .filter(|piece| !piece[0].is_gap() && time.holds(piece[0].time_us))
        .collect()
}

/// Two and a half times the median distance between neighbours.
fn usual_limit(points: &[Point]) -> Option<i64> {
    let mut steps: Vec<i64> = points
        .windows(2)
        .map(|two| two[1].time_us.saturating_sub(two[0].time_us))
        .filter(|step| *step > 0)
        .collect();
    if steps.is_empty() {
        return None;
    }
    let middle = steps.len() / 2;
    let (_, median, _) = steps.select_nth_unstable(middle);
    Some(median.saturating_mul(5) / 2)
}

/// Whether a series has more to show than its mean.
pub(super) fn has_band(series: &Series) -> bool {
    series.points.iter().any(|point| !point.is_gap() && point.min < point.max)
}

#[cfg(test)]
mod tests {
    use jiff::tz::TimeZone;

    use super::*;

    fn axis(low_us: i64, high_us: i64) -> TimeAxis {
        TimeAxis::covering(low_us, high_us, &TimeZone::UTC, 80.0, 8.0)
    }

    fn lengths(series: &Series, time: &TimeAxis) -> Vec<usize> {
        pieces(series, time).iter().map(|piece| piece.len()).collect()
    }

    #[test]
    fn series_of_one_unit_share_a_panel() {
        let series = |name: &str, unit: Option<&str>| {
            Series::new(name, unit.map(str::to_owned), vec![Point::reading(0, 1.0)])
        };
        let chart = Chart::new(
            "",
            TimeZone::UTC,
            vec![
                series("a", Some("m")),
                series("b", None),
                series("c", Some("m")),
                series("d", None),
            ],
        );
        let panels = Panel::by_unit(&chart);
        let members: Vec<Vec<usize>> =
            panels.iter().map(|panel| panel.series.iter().map(|(i, _)| *i).collect()).collect();
        assert_eq!(members, [vec![0, 2], vec![1], vec![3]]);
    }

    #[test]
    fn lines_break_at_gaps_and_unusual_distances() {
        let mut points: Vec<Point> = (0..10).map(|n| Point::reading(n * 10, 1.0)).collect();
        points[4] = Point::gap(40);
        points.push(Point::reading(200, 1.0));
        let series = Series::new("s", None, points);
        assert_eq!(lengths(&series, &axis(0, 200)), [4, 5, 1]);
        assert_eq!(lengths(&series, &axis(0, 70)), [4, 3]);
        assert_eq!(
            lengths(&Series { break_after_us: Some(i64::MAX), ..series }, &axis(0, 200)),
            [4, 6]
        );
    }

    #[test]
    fn extremes_do_not_overflow() {
        let series =
            Series::new("s", None, [i64::MIN, 0, i64::MAX].map(|t| Point::reading(t, 1.0)).into());
        assert_eq!(pieces(&series, &axis(-10, 10)).len(), 1);
    }

    #[test]
    fn a_chart_of_gaps_has_no_span() {
        let chart =
            Chart::new("", TimeZone::UTC, vec![Series::new("s", None, vec![Point::gap(3)])]);
        assert_eq!(span(&chart), None);
    }
}
