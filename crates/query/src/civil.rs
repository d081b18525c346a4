//! `civil_trunc(unit, time, zone)`: the beginning of the civil hour, day, week
//! (from Monday), month, quarter or year that an instant lies in, in a zone.
//!
//! `SELECT civil_trunc('day', time, 'America/Los_Angeles') AS day, avg(level)
//! FROM '/sensors/dock.series' GROUP BY day`
//!
//! Always true: the result is an instant, of the input's unit, shown in the
//! zone; all instants of one civil day have one beginning, also where daylight
//! saving skips or repeats midnight (`date_trunc` over `AT TIME ZONE` gives a
//! day with two midnights two beginnings); an hour that is repeated is two
//! hours. A time without zone is UTC.
//!
//! Deliberately not here: other widths; `date_bin` cuts fixed ones. [`civil_span`]
//! gives the same spans to whoever computes with them outside of SQL.

use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, PrimitiveArray, PrimitiveBuilder};
use arrow::datatypes::ArrowTimestampType;
use arrow::datatypes::{
    DataType, Field, FieldRef, TimeUnit, TimestampMicrosecondType, TimestampMillisecondType,
    TimestampNanosecondType, TimestampSecondType,
};
use datafusion::common::{
    ScalarValue, exec_datafusion_err, exec_err, plan_datafusion_err, plan_err,
};
use datafusion::error::Result;
use datafusion::logical_expr::{
    ColumnarValue, Documentation, ReturnFieldArgs, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl,
    Signature, Volatility,
};
use jiff::civil::{Date, date};
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan};

/// The functions that every session has beside DataFusion's.
pub(crate) fn functions() -> [ScalarUDF; 1] {
    [ScalarUDF::new_from_impl(CivilTrunc::new())]
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct CivilTrunc {
    signature: Signature,
}

impl CivilTrunc {
    fn new() -> Self {
        Self { signature: Signature::user_defined(Volatility::Immutable) }
    }
}

/// What the calendar is cut into.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum CivilUnit {
    /// An hour by the clock; one that is repeated is two.
    Hour,
    /// A day.
    Day,
    /// A week, from Monday.
    Week,
    /// A month.
    Month,
    /// A quarter of a year.
    Quarter,
    /// A year.
    Year,
}

impl CivilUnit {
    const WORDS: [(&'static str, Self); 6] = [
        ("hour", Self::Hour),
        ("day", Self::Day),
        ("week", Self::Week),
        ("month", Self::Month),
        ("quarter", Self::Quarter),
        ("year", Self::Year),
    ];

    fn parse(word: &str) -> Result<Self> {
        match Self::WORDS.iter().find(|(known, _)| known.eq_ignore_ascii_case(word)) {
            Some((_, unit)) => Ok(*unit),
            None => plan_err!(
                "civil_trunc knows hour, day, week, month, quarter and year, not `{word}`"
            ),
        }
    }

    /// The first day of the span that `day` lies in, and of the next span.
    fn days(self, day: Date) -> Result<(Date, Date), jiff::Error> {
        let first = match self {
            Self::Hour | Self::Day => day,
            Self::Week => {
                day.checked_sub(i64::from(day.weekday().to_monday_zero_offset()).days())?
            }
            Self::Month => day.first_of_month(),
            Self::Quarter => date(day.year(), (day.month() - 1) / 3 * 3 + 1, 1),
            Self::Year => day.first_of_year(),
        };
        let next = match self {
            Self::Hour | Self::Day => first.tomorrow()?,
            Self::Week => first.checked_add(7.days())?,
            Self::Month => first.checked_add(1.month())?,
            Self::Quarter => first.checked_add(3.months())?,
            Self::Year => first.checked_add(1.year())?,
        };
        Ok((first, next))
    }

    /// The span that `instant` lies in, in seconds; `None` where a calendar
    /// ends.
    fn seconds(self, instant: Timestamp, zone: &TimeZone) -> Option<(i64, i64)> {
        if self == Self::Hour {
            // By the offset of the instant itself: a repeated hour is two.
            let offset = i64::from(zone.to_offset(instant).seconds());
            let start = (instant.as_second() + offset).div_euclid(3600) * 3600 - offset;
            return Some((start, start + 3600));
        }
        let day = instant.to_zoned(zone.clone()).date();
        let begin = |day: Date| {
            let zoned = day.to_zoned(zone.clone())?.start_of_day()?;
            Ok::<_, jiff::Error>(zoned.timestamp().as_second())
        };
        // Absence is the answer here: the caller names the instant.
        let (first, next) = self.days(day).ok()?;
        Some((begin(first).ok()?, begin(next).ok()?))
    }
}

/// A span of the calendar, as instants in microseconds since 1970 UTC.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CivilSpan {
    /// Its first instant.
    pub start_us: i64,
    /// The first instant of the next span.
    pub end_us: i64,
}

/// The civil span that the instant `us` lies in, in a zone; what `civil_trunc`
/// truncates to is its beginning.
///
/// # Errors
/// [`Error::BadRequest`](crate::Error::BadRequest) for an instant that no
/// calendar holds.
pub fn civil_span(unit: CivilUnit, us: i64, zone: &TimeZone) -> crate::Result<CivilSpan> {
    let span = || {
        let instant = Timestamp::from_second(us.div_euclid(1_000_000)).ok()?;
        let (start, end) = unit.seconds(instant, zone)?;
        Some(CivilSpan {
            start_us: start.checked_mul(1_000_000)?,
            end_us: end.checked_mul(1_000_000)?,
        })
    };
    span().ok_or_else(|| crate::Error::BadRequest {
        what: format!("{us} us since 1970 is no time that a calendar holds"),
    })
}

/// Truncates instants, quickly where they follow each other.
struct Truncator {
    unit: CivilUnit,
    zone: TimeZone,
    /// How many units of the column make a second.
    per_second: i64,
    /// The span of the instant before: its beginning and its end.
    last: Option<(i64, i64)>,
}

impl Truncator {
    fn start(&mut self, value: i64) -> Result<i64> {
        if let Some((start, end)) = self.last
            && (start..end).contains(&value)
        {
            return Ok(start);
        }
        let out_of_range =
            || exec_datafusion_err!("civil_trunc: {value} is no time that a calendar holds");
        let seconds = value.div_euclid(self.per_second);
        let instant = Timestamp::from_second(seconds).map_err(|_| out_of_range())?;
        let (start, end) = self.unit.seconds(instant, &self.zone).ok_or_else(out_of_range)?;
        let scaled = |seconds: i64| seconds.checked_mul(self.per_second);
        let span = scaled(start).zip(scaled(end)).ok_or_else(out_of_range)?;
        // An hour can be cut short by a change of offset within it.
        if self.unit != CivilUnit::Hour {
            self.last = Some(span);
        }
        Ok(span.0)
    }

    fn array<T: ArrowTimestampType>(&mut self, times: &ArrayRef) -> Result<PrimitiveArray<T>> {
        let times = times.as_primitive::<T>();
        let mut starts = PrimitiveBuilder::<T>::with_capacity(times.len());
        for time in times {
            starts.append_option(time.map(|time| self.start(time)).transpose()?);
        }
        Ok(starts.finish())
    }
}

fn text<'a>(value: Option<&'a ScalarValue>, what: &str) -> Result<&'a str> {
    match value.and_then(ScalarValue::try_as_str) {
        Some(Some(text)) => Ok(text),
        _ => plan_err!("civil_trunc needs its {what} as a constant text"),
    }
}

fn find_zone(name: &str) -> Result<TimeZone> {
    TimeZone::get(name).map_err(|_| {
        plan_datafusion_err!("civil_trunc: `{name}` is not a zone of the IANA database")
    })
}

fn scalar(value: &ColumnarValue) -> Option<&ScalarValue> {
    match value {
        ColumnarValue::Scalar(scalar) => Some(scalar),
        ColumnarValue::Array(_) => None,
    }
}

impl ScalarUDFImpl for CivilTrunc {
    fn name(&self) -> &'static str {
        "civil_trunc"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _arg_types: &[DataType]) -> Result<DataType> {
        datafusion::common::internal_err!("the type of civil_trunc depends on its zone")
    }

    fn coerce_types(&self, types: &[DataType]) -> Result<Vec<DataType>> {
        let [_, time, _] = types else {
            return plan_err!("civil_trunc takes a unit, a time and a zone");
        };
        let time = match time {
            DataType::Timestamp(_, _) => time.clone(),
            // Days, and texts that hold times.
            _ => DataType::Timestamp(TimeUnit::Microsecond, Some(Arc::from("UTC"))),
        };
        Ok(vec![DataType::Utf8, time, DataType::Utf8])
    }

    fn return_field_from_args(&self, args: ReturnFieldArgs) -> Result<FieldRef> {
        let [unit, _, zone] = args.scalar_arguments else {
            return plan_err!("civil_trunc takes a unit, a time and a zone");
        };
        CivilUnit::parse(text(*unit, "unit")?)?;
        let name = text(*zone, "zone")?;
        find_zone(name)?;
        let time = &args.arg_fields[1];
        let data_type = match time.data_type() {
            DataType::Timestamp(unit, _) => DataType::Timestamp(*unit, Some(Arc::from(name))),
            other => return plan_err!("civil_trunc takes a timestamp, not {other}"),
        };
        Ok(Arc::new(Field::new(self.name(), data_type, time.is_nullable())))
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let [unit, time, zone] = args.args.as_slice() else {
            return exec_err!("civil_trunc takes a unit, a time and a zone");
        };
        let name = text(scalar(zone), "zone")?;
        let mut truncator = Truncator {
            unit: CivilUnit::parse(text(scalar(unit), "unit")?)?,
            zone: find_zone(name)?,
            per_second: 1,
            last: None,
        };
        let is_scalar = matches!(time, ColumnarValue::Scalar(_));
        let times = time.to_array(if is_scalar { 1 } else { args.number_rows })?;
        let starts: ArrayRef = match times.data_type() {
            DataType::Timestamp(TimeUnit::Second, _) => {
                Arc::new(truncator.array::<TimestampSecondType>(&times)?.with_timezone(name))
            }
            DataType::Timestamp(TimeUnit::Millisecond, _) => {
                truncator.per_second = 1000;
                Arc::new(truncator.array::<TimestampMillisecondType>(&times)?.with_timezone(name))
            }
            DataType::Timestamp(TimeUnit::Microsecond, _) => {
                truncator.per_second = 1_000_000;
                Arc::new(truncator.array::<TimestampMicrosecondType>(&times)?.with_timezone(name))
            }
            DataType::Timestamp(TimeUnit::Nanosecond, _) => {
                truncator.per_second = 1_000_000_000;
                Arc::new(truncator.array::<TimestampNanosecondType>(&times)?.with_timezone(name))
            }
            other => return exec_err!("civil_trunc takes a timestamp, not {other}"),
        };
        if is_scalar {
            return Ok(ColumnarValue::Scalar(ScalarValue::try_from_array(&starts, 0)?));
        }
        Ok(ColumnarValue::Array(starts))
    }

    fn documentation(&self) -> Option<&Documentation> {
        static DOCUMENTATION: std::sync::LazyLock<Documentation> = std::sync::LazyLock::new(|| {
            Documentation::builder(
                datafusion::logical_expr::scalar_doc_sections::DOC_SECTION_DATETIME,
                "The beginning of the civil hour, day, week, month, quarter or year \
                 that a time lies in, in a zone.",
                "civil_trunc(unit, time, zone)",
            )
            .with_argument("unit", "hour, day, week, month, quarter or year")
            .with_argument("time", "a timestamp; without zone it is UTC")
            .with_argument("zone", "a zone of the IANA database, as 'America/Los_Angeles'")
            .build()
        });
        Some(&DOCUMENTATION)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn start(unit: CivilUnit, zone: &str, instant: &str) -> String {
        let mut truncator =
            Truncator { unit, zone: TimeZone::get(zone).unwrap(), per_second: 1, last: None };
        let instant: Timestamp = instant.parse().unwrap();
        let start = truncator.start(instant.as_second()).unwrap();
        Timestamp::from_second(start).unwrap().to_string()
    }

    #[test]
    fn days_are_civil_across_both_changes() {
        let day = |at| start(CivilUnit::Day, "America/Los_Angeles", at);
        // 23 hours.
        assert_eq!(day("2024-03-10T08:00:00Z"), "2024-03-10T08:00:00Z");
        assert_eq!(day("2024-03-11T06:59:59Z"), "2024-03-10T08:00:00Z");
        assert_eq!(day("2024-03-11T07:00:00Z"), "2024-03-11T07:00:00Z");
        // 25 hours.
        assert_eq!(day("2024-11-04T07:59:59Z"), "2024-11-03T07:00:00Z");
        assert_eq!(day("2024-11-04T08:00:00Z"), "2024-11-04T08:00:00Z");
    }

    #[test]
    fn day_with_two_midnights_begins_at_the_first() {
        // Havana went from 01:00 to 00:00 on 2024-11-03.
        for at in ["2024-11-03T04:30:00Z", "2024-11-03T05:30:00Z", "2024-11-03T20:00:00Z"] {
            assert_eq!(start(CivilUnit::Day, "America/Havana", at), "2024-11-03T04:00:00Z");
        }
    }

    #[test]
    fn day_without_midnight_begins_after_the_gap() {
        // Sao Paulo went from 00:00 to 01:00 on 2018-11-04.
        assert_eq!(
            start(CivilUnit::Day, "America/Sao_Paulo", "2018-11-04T12:00:00Z"),
            "2018-11-04T03:00:00Z"
        );
    }

    #[test]
    fn repeated_hour_is_two_hours() {
        let hour = |at| start(CivilUnit::Hour, "America/Los_Angeles", at);
        assert_eq!(hour("2024-11-03T08:30:00Z"), "2024-11-03T08:00:00Z");
        assert_eq!(hour("2024-11-03T09:30:00Z"), "2024-11-03T09:00:00Z");
    }

    #[test]
    fn longer_spans_begin_on_their_first_day() {
        let at = "2024-08-15T12:00:00Z";
        assert_eq!(start(CivilUnit::Week, "Europe/Rome", at), "2024-08-11T22:00:00Z");
        assert_eq!(start(CivilUnit::Month, "Europe/Rome", at), "2024-07-31T22:00:00Z");
        assert_eq!(start(CivilUnit::Quarter, "Europe/Rome", at), "2024-06-30T22:00:00Z");
        assert_eq!(start(CivilUnit::Year, "Europe/Rome", at), "2023-12-31T23:00:00Z");
    }
}
