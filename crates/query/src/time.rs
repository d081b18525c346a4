//! Instants in microseconds, and the values of time columns they stand for.
//!
//! Always true: a bound never lets in a row outside it and never loses a row
//! inside it, whatever the unit of the column; what does not fit the column's
//! type is clamped to the type's own end.
//!
//! Deliberately not here: zones. A time column without one is UTC.

use arrow::datatypes::{DataType, TimeUnit};
use datafusion::common::ScalarValue;
use tinyfs::TimeUnit as Declared;

/// Which way a value between two units goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Rounding {
    /// To the later.
    Up,
    /// To the earlier.
    Down,
}

/// How many of a column's units make a microsecond, or the other way round.
#[derive(Clone, Copy)]
enum Scale {
    /// A unit is this many microseconds.
    Coarse(i64),
    /// A microsecond is this many units.
    Fine(i64),
}

const DAY_US: i64 = 86_400_000_000;

fn scale(data_type: &DataType, declared: Declared) -> Option<Scale> {
    Some(match data_type {
        DataType::Timestamp(unit, _) => match unit {
            TimeUnit::Second => Scale::Coarse(1_000_000),
            TimeUnit::Millisecond => Scale::Coarse(1000),
            TimeUnit::Microsecond => Scale::Coarse(1),
            TimeUnit::Nanosecond => Scale::Fine(1000),
        },
        DataType::Date32 => Scale::Coarse(DAY_US),
        DataType::Date64 => Scale::Coarse(1000),
        integer if integer.is_integer() => match declared {
            Declared::Second => Scale::Coarse(1_000_000),
            Declared::Millisecond => Scale::Coarse(1000),
            Declared::Microsecond => Scale::Coarse(1),
            Declared::Nanosecond => Scale::Fine(1000),
        },
        _ => return None,
    })
}

/// Whether a column of this type can hold the times of a series.
pub(crate) fn is_time_type(data_type: &DataType) -> bool {
    scale(data_type, Declared::Second).is_some()
}

/// The value of a time column that bounds it at `us`, rounded into the bound.
/// `None` when the type holds no times.
pub(crate) fn bound(
    us: i64,
    data_type: &DataType,
    declared: Declared,
    rounding: Rounding,
) -> Option<ScalarValue> {
    let units = match scale(data_type, declared)? {
        Scale::Coarse(us_per_unit) => match rounding {
            Rounding::Up => ceil_div(us, us_per_unit),
            Rounding::Down => us.div_euclid(us_per_unit),
        },
        // Rounding down goes to the last unit within the microsecond.
        Scale::Fine(units_per_us) => {
            let within = if rounding == Rounding::Down { units_per_us - 1 } else { 0 };
            us.saturating_mul(units_per_us).saturating_add(within)
        }
    };
    Some(match data_type {
        DataType::Timestamp(unit, zone) => {
            let zone = zone.clone();
            match unit {
                TimeUnit::Second => ScalarValue::TimestampSecond(Some(units), zone),
                TimeUnit::Millisecond => ScalarValue::TimestampMillisecond(Some(units), zone),
                TimeUnit::Microsecond => ScalarValue::TimestampMicrosecond(Some(units), zone),
                TimeUnit::Nanosecond => ScalarValue::TimestampNanosecond(Some(units), zone),
            }
        }
        DataType::Date32 => ScalarValue::Date32(Some(clamp_i32(units))),
        DataType::Date64 => ScalarValue::Date64(Some(units)),
        DataType::Int8 => ScalarValue::Int8(Some(units.clamp(-128, 127) as i8)),
        DataType::Int16 => ScalarValue::Int16(Some(units.clamp(-32_768, 32_767) as i16)),
        DataType::Int32 => ScalarValue::Int32(Some(clamp_i32(units))),
        DataType::Int64 => ScalarValue::Int64(Some(units)),
        DataType::UInt8 => ScalarValue::UInt8(Some(units.clamp(0, 255) as u8)),
        DataType::UInt16 => ScalarValue::UInt16(Some(units.clamp(0, 65_535) as u16)),
        DataType::UInt32 => ScalarValue::UInt32(Some(units.clamp(0, u32::MAX.into()) as u32)),
        DataType::UInt64 => ScalarValue::UInt64(Some(units.max(0).unsigned_abs())),
        _ => return None,
    })
}

/// The value of a time column at an instant in microseconds since 1970 UTC: the
/// first that is not before it, or the last that is not after it. `unit` is
/// that of an integer. `None` when the type holds no times.
#[must_use]
pub fn time_bound(
    us: i64,
    data_type: &DataType,
    unit: Option<Declared>,
    first: bool,
) -> Option<ScalarValue> {
    let rounding = if first { Rounding::Up } else { Rounding::Down };
    bound(us, data_type, unit.unwrap_or(Declared::Microsecond), rounding)
}

/// The instant of a value of a time column, in microseconds, rounded.
pub(crate) fn instant_us(
    value: &ScalarValue,
    declared: Declared,
    rounding: Rounding,
) -> Option<i64> {
    let units = match value {
        ScalarValue::TimestampSecond(units, _)
        | ScalarValue::TimestampMillisecond(units, _)
        | ScalarValue::TimestampMicrosecond(units, _)
        | ScalarValue::TimestampNanosecond(units, _)
        | ScalarValue::Date64(units)
        | ScalarValue::Int64(units) => (*units)?,
        ScalarValue::Date32(units) | ScalarValue::Int32(units) => (*units)?.into(),
        ScalarValue::Int16(units) => (*units)?.into(),
        ScalarValue::Int8(units) => (*units)?.into(),
        ScalarValue::UInt64(units) => i64::try_from((*units)?).ok()?,
        ScalarValue::UInt32(units) => (*units)?.into(),
        ScalarValue::UInt16(units) => (*units)?.into(),
        ScalarValue::UInt8(units) => (*units)?.into(),
        _ => return None,
    };
    Some(match scale(&value.data_type(), declared)? {
        Scale::Coarse(us_per_unit) => units.saturating_mul(us_per_unit),
        Scale::Fine(units_per_us) => match rounding {
            Rounding::Up => ceil_div(units, units_per_us),
            Rounding::Down => units.div_euclid(units_per_us),
        },
    })
}

fn ceil_div(a: i64, b: i64) -> i64 {
    a.div_euclid(b) + i64::from(a.rem_euclid(b) != 0)
}

fn clamp_i32(units: i64) -> i32 {
    units.clamp(i32::MIN.into(), i32::MAX.into()) as i32
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bounds_are_rounded_into_the_range() {
        let at = |data_type, rounding| bound(1_500_000, &data_type, Declared::Second, rounding);
        let seconds = DataType::Timestamp(TimeUnit::Second, None);
        assert_eq!(
            at(seconds.clone(), Rounding::Up),
            Some(ScalarValue::TimestampSecond(Some(2), None))
        );
        assert_eq!(at(seconds, Rounding::Down), Some(ScalarValue::TimestampSecond(Some(1), None)));
        assert_eq!(at(DataType::Int32, Rounding::Up), Some(ScalarValue::Int32(Some(2))));
        assert_eq!(at(DataType::Date32, Rounding::Up), Some(ScalarValue::Date32(Some(1))));
        assert_eq!(at(DataType::Date32, Rounding::Down), Some(ScalarValue::Date32(Some(0))));
        assert_eq!(
            bound(
                7,
                &DataType::Timestamp(TimeUnit::Nanosecond, None),
                Declared::Second,
                Rounding::Down
            ),
            Some(ScalarValue::TimestampNanosecond(Some(7999), None))
        );
        assert_eq!(at(DataType::Utf8, Rounding::Up), None);
    }

    #[test]
    fn far_bounds_stay_within_the_type() {
        let far = bound(i64::MAX, &DataType::Int8, Declared::Second, Rounding::Down);
        assert_eq!(far, Some(ScalarValue::Int8(Some(127))));
        let far = bound(
            i64::MIN,
            &DataType::Timestamp(TimeUnit::Nanosecond, None),
            Declared::Second,
            Rounding::Up,
        );
        assert_eq!(far, Some(ScalarValue::TimestampNanosecond(Some(i64::MIN), None)));
    }
}
