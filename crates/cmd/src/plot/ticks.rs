//! Where the axes have ticks and what the ticks say.
//!
//! Lengths along an axis are in columns: one character of label text wide. A
//! terminal has them as they are; SVG takes its character width.
//!
//! Always true: values tick at 1, 2 or 5 times a power of ten; times tick at
//! round civil times of a zone, whatever its offset does meanwhile; labels of
//! one row never overlap; the number of ticks is bounded by the room.

use jiff::civil::{Date, Weekday};
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan, Zoned};

const SECOND: i64 = 1_000_000;
const MINUTE: i64 = 60 * SECOND;
const HOUR: i64 = 60 * MINUTE;
const DAY: i64 = 24 * HOUR;

/// The range of a value axis and its ticks, ascending.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct ValueAxis {
    pub(super) low: f64,
    pub(super) high: f64,
    pub(super) ticks: Vec<(f64, String)>,
}

impl ValueAxis {
    /// An axis that covers `low` to `high` with about `wanted` intervals.
    pub(super) fn covering(low: f64, high: f64, wanted: usize) -> Self {
        let (low, high) = roomy(low, high);
        let step = nice_step((high - low) / wanted.max(1) as f64);
        let first = (low / step).floor();
        let last = (high / step).ceil();
        // Beyond this a float no longer counts steps one by one.
        const COUNTABLE: f64 = 1e12;
        if !step.is_normal() || first.abs().max(last.abs()) > COUNTABLE {
            let ticks = [low, high].map(|value| (value, format!("{value:e}"))).to_vec();
            return Self { low, high, ticks };
        }
        let label = Label::for_steps(step, first.abs().max(last.abs()) * step);
        let ticks = (first as i64..=last as i64)
            .map(|count| {
                let value = count as f64 * step;
                (value, label.text(value))
            })
            .collect();
        Self { low: first * step, high: last * step, ticks }
    }

    /// Where `value` stands, from 0 at the low end to 1 at the high end.
    pub(super) fn share(&self, value: f64) -> f64 {
        ((value - self.low) / (self.high - self.low)).clamp(0.0, 1.0)
    }

    /// The longest label, in characters.
    pub(super) fn label_columns(&self) -> usize {
        self.ticks.iter().map(|(_, text)| text.chars().count()).max().unwrap_or(0)
    }
}

/// A range that can be divided: finite, not empty, and from zero where that is
/// near.
fn roomy(low: f64, high: f64) -> (f64, f64) {
    const FAR: f64 = 1e300;
    if !(low.is_finite() && high.is_finite() && low <= high) {
        return (0.0, 1.0);
    }
    let (low, high) = (low.max(-FAR), high.min(FAR));
    if low == high {
        let pad = if low == 0.0 { 1.0 } else { low.abs() * 0.05 };
        return (low - pad, high + pad);
    }
    if low > 0.0 && low < 0.2 * high {
        return (0.0, high);
    }
    (low, high)
}

/// The least of 1, 2, 5 times a power of ten that is not below `least`.
fn nice_step(least: f64) -> f64 {
    let power = 10f64.powf(least.log10().floor());
    // A rounding error must not push 2.0000000001 up to 5.
    let factor = [1.0, 2.0, 5.0].into_iter().find(|factor| factor * power >= least * (1.0 - 1e-9));
    factor.unwrap_or(10.0) * power
}

/// How the labels of one axis are written.
enum Label {
    Decimals(usize),
    Exponent(usize),
}

impl Label {
    fn for_steps(step: f64, greatest: f64) -> Self {
        let step_power = step.log10().floor() as i32;
        let power = greatest.log10().floor() as i32;
        if power >= 9 || step_power < -7 {
            return Self::Exponent(usize::try_from(power - step_power).unwrap_or(0).min(15));
        }
        Self::Decimals(usize::try_from(-step_power).unwrap_or(0))
    }

    fn text(&self, value: f64) -> String {
        match self {
            _ if value == 0.0 => "0".to_owned(),
            Self::Decimals(digits) => format!("{value:.digits$}"),
            Self::Exponent(digits) => format!("{value:.digits$e}"),
        }
    }
}

/// A time axis: its range in microseconds and its ticks, ascending.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct TimeAxis {
    low_us: i64,
    high_us: i64,
    pub(super) ticks: Vec<TimeTick>,
    /// The zone of the ticks, for people.
    pub(super) zone: String,
}

/// A round civil time.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct TimeTick {
    pub(super) time_us: i64,
    /// What changes from tick to tick: `06:00`, `17`, `Mar`.
    pub(super) label: String,
    /// What the label leaves out, where it begins to hold: `10 Mar 2024`.
    pub(super) context: Option<String>,
}

impl TimeAxis {
    /// An axis from `low_us` to `high_us` that is `columns` long, with no tick
    /// nearer than `apart` columns to the next.
    pub(super) fn covering(
        low_us: i64,
        high_us: i64,
        zone: &TimeZone,
        columns: f64,
        apart: f64,
    ) -> Self {
        let (low_us, high_us) = representable(low_us, high_us);
        let span = (high_us - low_us) as f64;
        let step = STEPS
            .iter()
            .copied()
            .find(|step| {
                let needed = apart.max(step.label_columns() + 2.0);
                span / step.approximate_us() * needed <= columns
            })
            .unwrap_or(Step::Years(1000));
        let mut ticks = Vec::new();
        let mut held: Option<String> = None;
        for at in step.between(low_us, high_us, zone) {
            let context = step.context(&at).filter(|context| held.as_ref() != Some(context));
            if let Some(context) = &context {
                held = Some(context.clone());
            }
            ticks.push(TimeTick {
                time_us: at.timestamp().as_microsecond(),
                label: step.label(&at),
                context,
            });
        }
        Self { low_us, high_us, ticks, zone: zone_name(zone, low_us) }
    }

    /// Where a time stands, from 0 at the beginning to 1 at the end.
    pub(super) fn share(&self, time_us: i64) -> f64 {
        let part = i128::from(time_us) - i128::from(self.low_us);
        let whole = i128::from(self.high_us) - i128::from(self.low_us);
        part as f64 / whole as f64
    }

    /// Whether a time lies on the axis.
    pub(super) fn holds(&self, time_us: i64) -> bool {
        (self.low_us..=self.high_us).contains(&time_us)
    }
}

/// A zone's name as people read it. Zones of one offset are named by it, since
/// `Etc/GMT-1` is an hour *ahead* of UTC.
fn zone_name(zone: &TimeZone, at_us: i64) -> String {
    match zone.iana_name() {
        Some(name) if !name.starts_with("Etc/GMT") => name.to_owned(),
        _ => match Timestamp::from_microsecond(at_us) {
            Ok(at) => format!("UTC{}", at.to_zoned(zone.clone()).strftime("%:z")),
            Err(_) => "UTC".to_owned(),
        },
    }
}

/// The range within what a civil calendar can say, and not empty.
fn representable(low_us: i64, high_us: i64) -> (i64, i64) {
    let least = Timestamp::MIN.as_microsecond() + DAY;
    let greatest = Timestamp::MAX.as_microsecond() - DAY;
    let (low, high) = (low_us.min(high_us), low_us.max(high_us));
    let (low, high) = (low.clamp(least, greatest), high.clamp(least, greatest));
    if low == high { (low - DAY / 2, high + DAY / 2) } else { (low, high) }
}

/// A distance between ticks.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Step {
    /// Microseconds, up to half a day, counted from local midnight.
    Clock(i64),
    /// Whole days, counted so that sevens are Mondays.
    Days(i32),
    /// Whole months, counted from January.
    Months(i32),
    /// Whole years.
    Years(i32),
}

const STEPS: [Step; 46] = [
    Step::Clock(1),
    Step::Clock(2),
    Step::Clock(5),
    Step::Clock(10),
    Step::Clock(20),
    Step::Clock(50),
    Step::Clock(100),
    Step::Clock(200),
    Step::Clock(500),
    Step::Clock(1_000),
    Step::Clock(2_000),
    Step::Clock(5_000),
    Step::Clock(10_000),
    Step::Clock(20_000),
    Step::Clock(50_000),
    Step::Clock(100_000),
    Step::Clock(200_000),
    Step::Clock(500_000),
    Step::Clock(SECOND),
    Step::Clock(5 * SECOND),
    Step::Clock(15 * SECOND),
    Step::Clock(30 * SECOND),
    Step::Clock(MINUTE),
    Step::Clock(5 * MINUTE),
    Step::Clock(15 * MINUTE),
    Step::Clock(30 * MINUTE),
    Step::Clock(HOUR),
    Step::Clock(3 * HOUR),
    Step::Clock(6 * HOUR),
    Step::Clock(12 * HOUR),
    Step::Days(1),
    Step::Days(2),
    Step::Days(7),
    Step::Days(14),
    Step::Months(1),
    Step::Months(2),
    Step::Months(3),
    Step::Months(6),
    Step::Years(1),
    Step::Years(2),
    Step::Years(5),
    Step::Years(10),
    Step::Years(20),
    Step::Years(50),
    Step::Years(100),
    Step::Years(500),
];

impl Step {
    fn approximate_us(self) -> f64 {
        match self {
            Self::Clock(us) => us as f64,
            Self::Days(days) => f64::from(days) * DAY as f64,
            Self::Months(months) => f64::from(months) * 30.0 * DAY as f64,
            Self::Years(years) => f64::from(years) * 365.0 * DAY as f64,
        }
    }

    fn label_columns(self) -> f64 {
        match self {
            Self::Clock(us) if us < SECOND => 15.0,
            Self::Clock(us) if us < MINUTE => 8.0,
            Self::Clock(_) => 5.0,
            Self::Days(_) => 2.0,
            Self::Months(_) => 3.0,
            Self::Years(_) => 4.0,
        }
    }

    fn label(self, at: &Zoned) -> String {
        let format = match self {
            Self::Clock(us) if us < 1_000 => "%H:%M:%S%.6f",
            Self::Clock(us) if us < SECOND => "%H:%M:%S%.3f",
            Self::Clock(us) if us < MINUTE => "%H:%M:%S",
            Self::Clock(_) => "%H:%M",
            Self::Days(_) => "%-d",
            Self::Months(_) => "%b",
            Self::Years(_) => "%Y",
        };
        at.strftime(format).to_string()
    }

    fn context(self, at: &Zoned) -> Option<String> {
        let format = match self {
            Self::Clock(_) => "%-d %b %Y",
            Self::Days(_) => "%b %Y",
            Self::Months(_) => "%Y",
            Self::Years(_) => return None,
        };
        Some(at.strftime(format).to_string())
    }

    /// The ticks of this step in a range.
    fn between(self, low_us: i64, high_us: i64, zone: &TimeZone) -> Vec<Zoned> {
        let zoned =
            |us: i64| Timestamp::from_microsecond(us).ok().map(|at| at.to_zoned(zone.clone()));
        let (Some(low), Some(high)) = (zoned(low_us), zoned(high_us)) else { return Vec::new() };
        let (first, last) = (low.date(), high.date());
        match self {
            Self::Clock(us) => clock_ticks(us, low_us, high_us, zone),
            Self::Days(days) => {
                // 1970-01-05 was a Monday.
                let since = |date: Date| days_since(date) - 4;
                let offset = since(first).rem_euclid(i64::from(days));
                starts(first.checked_sub(offset.days()).ok(), last, zone, |date| {
                    date.checked_add(days.days()).ok()
                })
            }
            Self::Months(months) => {
                let month = (i32::from(first.month()) - 1) / months * months + 1;
                let start = Date::new(first.year(), i8::try_from(month).unwrap_or(1), 1).ok();
                starts(start, last, zone, |date| date.checked_add(months.months()).ok())
            }
            Self::Years(years) => {
                let year = i32::from(first.year()).div_euclid(years) * years;
                let start = i16::try_from(year).ok().and_then(|year| Date::new(year, 1, 1).ok());
                starts(start, last, zone, |date| date.checked_add(years.years()).ok())
            }
        }
        .into_iter()
        .filter(|at| (low_us..=high_us).contains(&at.timestamp().as_microsecond()))
        .collect()
    }
}

/// More ticks than any picture has room for.
const MOST_TICKS: usize = 1_000;

fn days_since(date: Date) -> i64 {
    let epoch = Date::constant(1970, 1, 5);
    debug_assert_eq!(epoch.weekday(), Weekday::Monday);
    // A difference of two dates in days is whole.
    date.since(epoch).map_or(0, |span| i64::from(span.get_days()) + 4)
}

/// The first instants of the days from `start` to `last`, a `next` apart.
fn starts(
    start: Option<Date>,
    last: Date,
    zone: &TimeZone,
    next: impl Fn(Date) -> Option<Date>,
) -> Vec<Zoned> {
    std::iter::successors(start, |date| next(*date))
        .take_while(|date| *date <= last)
        .take(MOST_TICKS)
        // A date that the zone skipped as a whole has no instant.
        .filter_map(|date| date.to_zoned(zone.clone()).ok())
        .collect()
}

/// The instants at which a clock on the wall shows a multiple of `step_us`
/// since midnight, also where the wall's clock is turned.
fn clock_ticks(step_us: i64, low_us: i64, high_us: i64, zone: &TimeZone) -> Vec<Zoned> {
    let past_multiple = |us: i64| -> Option<i64> {
        let at = Timestamp::from_microsecond(us).ok()?;
        let offset_us = i64::from(zone.to_offset(at).seconds()) * SECOND;
        Some((us + offset_us).rem_euclid(step_us))
    };
    let mut ticks = Vec::new();
    // The last multiple before the range, so that the first tick is found as
    // all others are: one step on, then back to the multiple by the offset that
    // holds there, or forward when that would not advance.
    let mut at = low_us - past_multiple(low_us).unwrap_or(0) - step_us;
    while at <= high_us && ticks.len() < MOST_TICKS {
        let ahead = at + step_us;
        let Some(past) = past_multiple(ahead) else { break };
        let back = ahead - past;
        at = if back > at && past_multiple(back) == Some(0) { back } else { back + step_us };
        if (low_us..=high_us).contains(&at)
            && past_multiple(at) == Some(0)
            && let Ok(timestamp) = Timestamp::from_microsecond(at)
        {
            ticks.push(timestamp.to_zoned(zone.clone()));
        }
    }
    ticks
}

/// A text and the column where it begins.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Placed {
    pub(super) start: f64,
    pub(super) text: String,
}

/// Centres each text on its column, moves it inside `from..=to`, and leaves
/// out what would touch its neighbour. Of the first two the second is kept: it
/// stands where something begins, the first only where the axis does.
pub(super) fn place(texts: Vec<(f64, String)>, from: f64, to: f64, apart: f64) -> Vec<Placed> {
    let mut placed: Vec<(Placed, f64)> = Vec::new();
    for (centre, text) in texts {
        let columns = text.chars().count() as f64;
        let start = (centre - columns / 2.0).min(to - columns).max(from);
        let end = start + columns;
        if end > to + 1e-9 {
            continue;
        }
        if let Some((_, last_end)) = placed.last()
            && start < last_end + apart
        {
            if placed.len() > 1 {
                continue;
            }
            placed.clear();
        }
        placed.push((Placed { start, text }, end));
    }
    placed.into_iter().map(|(placed, _)| placed).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn us(text: &str) -> i64 {
        text.parse::<Timestamp>().unwrap().as_microsecond()
    }

    fn zone(name: &str) -> TimeZone {
        TimeZone::get(name).unwrap()
    }

    fn labels(axis: &TimeAxis) -> Vec<&str> {
        axis.ticks.iter().map(|tick| tick.label.as_str()).collect()
    }

    #[test]
    fn zones_of_one_offset_are_named_by_it() {
        assert_eq!(zone_name(&zone("Etc/GMT-1"), 0), "UTC+01:00");
        assert_eq!(zone_name(&zone("Europe/Berlin"), 0), "Europe/Berlin");
        assert_eq!(zone_name(&TimeZone::UTC, 0), "UTC");
    }

    #[test]
    fn values_tick_at_one_two_five() {
        let axis = ValueAxis::covering(-0.31, 2.27, 5);
        let texts: Vec<&str> = axis.ticks.iter().map(|(_, text)| text.as_str()).collect();
        assert_eq!(texts, ["-1", "0", "1", "2", "3"]);
        let axis = ValueAxis::covering(238.03, 238.71, 5);
        let texts: Vec<&str> = axis.ticks.iter().map(|(_, text)| text.as_str()).collect();
        assert_eq!(texts, ["238.0", "238.2", "238.4", "238.6", "238.8"]);
    }

    #[test]
    fn axis_covers_whatever_it_is_given() {
        let cases = [
            (0.0, 0.0),
            (5.0, 5.0),
            (-3.0, -3.0),
            (f64::MIN, f64::MAX),
            (f64::MIN_POSITIVE, f64::MIN_POSITIVE * 2.0),
            (0.0, f64::MIN_POSITIVE / 8.0),
            (1e16, 1e16 + 2.0),
            (1.0, 1.0 + f64::EPSILON),
            (f64::NAN, 1.0),
            (f64::INFINITY, f64::NEG_INFINITY),
            (0.0, 1e308),
        ];
        for (low, high) in cases {
            let axis = ValueAxis::covering(low, high, 5);
            assert!(axis.low < axis.high, "{low} {high}: {axis:?}");
            assert!((1..=20).contains(&axis.ticks.len()), "{low} {high}: {axis:?}");
            for value in [low, high] {
                let share = axis.share(value);
                let inside = share.is_nan() || (0.0..=1.0).contains(&share);
                assert!(inside && share.is_nan() == value.is_nan(), "{value}: {share}");
            }
        }
    }

    #[test]
    fn steps_are_the_smallest_that_fit() {
        assert_eq!(nice_step(0.3), 0.5);
        assert_eq!(nice_step(2.0), 2.0);
        assert_eq!(nice_step(5.000_000_000_1), 5.0);
        assert_eq!(nice_step(51.0), 100.0);
    }

    #[test]
    fn years_tick_at_january_in_the_zone() {
        let zone = zone("America/Los_Angeles");
        let axis =
            TimeAxis::covering(us("2014-06-01T00:00Z"), us("2018-06-01T00:00Z"), &zone, 40.0, 8.0);
        assert_eq!(labels(&axis), ["2015", "2016", "2017", "2018"]);
        assert_eq!(axis.ticks[0].time_us, us("2015-01-01T08:00Z"));
    }

    #[test]
    fn hours_tick_on_the_wall_clock_when_an_hour_is_skipped() {
        let zone = zone("America/Los_Angeles");
        let axis =
            TimeAxis::covering(us("2024-03-10T08:00Z"), us("2024-03-11T07:00Z"), &zone, 40.0, 8.0);
        assert_eq!(labels(&axis), ["00:00", "06:00", "12:00", "18:00", "00:00"]);
        let axis =
            TimeAxis::covering(us("2024-03-10T08:00Z"), us("2024-03-10T13:00Z"), &zone, 50.0, 8.0);
        assert_eq!(labels(&axis), ["00:00", "01:00", "03:00", "04:00", "05:00", "06:00"]);
    }

    #[test]
    fn hours_tick_on_the_wall_clock_when_an_hour_repeats() {
        let zone = zone("America/Los_Angeles");
        let axis =
            TimeAxis::covering(us("2024-11-03T07:00Z"), us("2024-11-04T08:00Z"), &zone, 40.0, 8.0);
        assert_eq!(labels(&axis), ["00:00", "06:00", "12:00", "18:00", "00:00"]);
        let axis =
            TimeAxis::covering(us("2024-11-03T07:00Z"), us("2024-11-03T11:00Z"), &zone, 40.0, 8.0);
        assert_eq!(labels(&axis), ["00:00", "01:00", "01:00", "02:00", "03:00"]);
    }

    #[test]
    fn context_stands_where_it_begins() {
        let axis = TimeAxis::covering(
            us("2024-11-15T00:00Z"),
            us("2025-03-15T00:00Z"),
            &TimeZone::UTC,
            60.0,
            8.0,
        );
        assert_eq!(labels(&axis), ["Dec", "Jan", "Feb", "Mar"]);
        let contexts: Vec<_> = axis.ticks.iter().map(|tick| tick.context.as_deref()).collect();
        assert_eq!(contexts, [Some("2024"), Some("2025"), None, None]);
    }

    #[test]
    fn weeks_tick_on_mondays_on_both_sides_of_1970() {
        for (low, high) in [("1969-11-20T00:00Z", "1970-01-20T00:00Z")] {
            let axis = TimeAxis::covering(us(low), us(high), &TimeZone::UTC, 90.0, 8.0);
            assert!(axis.ticks.len() > 5);
            for tick in &axis.ticks {
                let at = Timestamp::from_microsecond(tick.time_us).unwrap();
                assert_eq!(at.to_zoned(TimeZone::UTC).weekday(), Weekday::Monday);
            }
        }
    }

    #[test]
    fn any_range_has_bounded_ticks_in_order() {
        let ends = [i64::MIN, -1, 0, 1, 1_000, DAY, 40 * DAY, 4_000 * DAY, i64::MAX];
        for name in ["UTC", "America/Los_Angeles", "Australia/Lord_Howe", "Pacific/Apia"] {
            let zone = zone(name);
            for low in ends {
                for high in ends {
                    let axis = TimeAxis::covering(low, high, &zone, 80.0, 8.0);
                    assert!(axis.ticks.len() <= 12, "{low} {high} {}", axis.ticks.len());
                    assert!(axis.ticks.windows(2).all(|two| two[0].time_us < two[1].time_us));
                }
            }
        }
    }

    #[test]
    fn placed_texts_stay_inside_and_apart() {
        let texts = [0.0, 3.0, 20.0, 24.0, 40.0].map(|at| (at, "abcdef".to_owned()));
        let placed = place(texts.to_vec(), 0.0, 40.0, 1.0);
        let starts: Vec<f64> = placed.iter().map(|placed| placed.start).collect();
        assert_eq!(starts, [0.0, 17.0, 34.0]);
    }
}
