//! Units of measurement, and how one is made of another.
//!
//! Always true: a unit is one of the table below, in one of its spellings; two
//! units are converted into each other only when they measure the same thing.
//! Factors are those of NIST SP 811 (2008), appendix B, exact where the unit is
//! defined so.
//!
//! Deliberately not here: guessing a unit from a name, and units without a
//! fixed relation, such as NTU and FNU.

use std::fmt;

use factory::{Config, ConfigError};

/// What a unit measures; units of one kind are converted into each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Dimension {
    Pressure,
    Length,
    Temperature,
    Flow,
    Volume,
    Speed,
    Conductivity,
    Concentration,
    PartsPerMillion,
    Salinity,
    TurbidityNtu,
    TurbidityFnu,
    Ratio,
    Voltage,
    Time,
    Energy,
    Angle,
}

impl fmt::Display for Dimension {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Pressure => "pressure",
            Self::Length => "length",
            Self::Temperature => "temperature",
            Self::Flow => "flow",
            Self::Volume => "volume",
            Self::Speed => "speed",
            Self::Conductivity => "conductivity",
            Self::Concentration => "concentration",
            Self::PartsPerMillion => "parts per million",
            Self::Salinity => "salinity",
            Self::TurbidityNtu => "turbidity in NTU",
            Self::TurbidityFnu => "turbidity in FNU",
            Self::Ratio => "ratio",
            Self::Voltage => "voltage",
            Self::Time => "time",
            Self::Energy => "energy",
            Self::Angle => "angle",
        })
    }
}

/// One unit: `base = (value + zero / 100) * factor / divisor`. A factor with
/// its divisor and hundredths of a zero are whole where the definition is, so
/// that what comes of them is rounded once.
struct Unit {
    spellings: &'static [&'static str],
    dimension: Dimension,
    factor: f64,
    divisor: f64,
    zero: f64,
}

const fn unit(dimension: Dimension, factor: f64, spellings: &'static [&'static str]) -> Unit {
    Unit { spellings, dimension, factor, divisor: 1.0, zero: 0.0 }
}

/// Pounds-force per square inch in pascals: 0.45359237 kg * 9.80665 m/s2 over
/// (0.0254 m)^2.
const PSI: f64 = 6_894.757_293_168_361;
/// A US gallon in cubic metres, exactly (231 cubic inches).
const GALLON: f64 = 0.003_785_411_784;
/// A cubic foot in cubic metres, exactly.
const CUBIC_FOOT: f64 = 0.028_316_846_592;
/// How many units an error names.
const SUGGESTIONS: usize = 3;
/// A day in seconds.
const DAY: f64 = 86_400.0;

use Dimension as D;

/// The units there are. The first spelling is the symbol.
const UNITS: &[Unit] = &[
    unit(D::Pressure, 1.0, &["Pa", "pascal"]),
    unit(D::Pressure, 100.0, &["hPa"]),
    unit(D::Pressure, 1_000.0, &["kPa"]),
    unit(D::Pressure, 1_000_000.0, &["MPa"]),
    unit(D::Pressure, 100_000.0, &["bar"]),
    unit(D::Pressure, 100.0, &["mbar"]),
    unit(D::Pressure, PSI, &["psi", "PSI"]),
    unit(D::Pressure, 101_325.0, &["atm"]),
    // Conventional columns: density 13 595.1 kg/m3 and 1 000 kg/m3, standard
    // gravity 9.80665 m/s2.
    unit(D::Pressure, 133.322_387_415, &["mmHg", "mm Hg"]),
    unit(D::Pressure, 3_386.388_640_341, &["inHg", "in Hg"]),
    unit(D::Pressure, 9_806.65, &["mH2O"]),
    unit(D::Pressure, 2_989.066_92, &["ftH2O"]),
    unit(D::Length, 1.0, &["m", "metre", "meter"]),
    unit(D::Length, 0.01, &["cm"]),
    unit(D::Length, 0.001, &["mm"]),
    unit(D::Length, 1_000.0, &["km"]),
    unit(D::Length, 0.304_8, &["ft", "feet", "foot"]),
    unit(D::Length, 0.025_4, &["in", "inch"]),
    unit(D::Length, 0.914_4, &["yd"]),
    unit(D::Temperature, 1.0, &["K", "kelvin"]),
    Unit {
        spellings: &["degC", "C", "°C", "deg C"],
        dimension: D::Temperature,
        factor: 1.0,
        divisor: 1.0,
        zero: 27_315.0,
    },
    Unit {
        spellings: &["degF", "F", "°F", "deg F"],
        dimension: D::Temperature,
        factor: 5.0,
        divisor: 9.0,
        zero: 45_967.0,
    },
    unit(D::Flow, 1.0, &["m3/s", "cms", "m³/s"]),
    unit(D::Flow, 0.001, &["l/s", "L/s"]),
    unit(D::Flow, 0.001 / 60.0, &["l/min", "L/min"]),
    unit(D::Flow, 1.0 / 3_600.0, &["m3/h", "m³/h"]),
    unit(D::Flow, 1.0 / DAY, &["m3/d", "m³/d"]),
    unit(D::Flow, GALLON / 60.0, &["gal/min", "gpm"]),
    unit(D::Flow, 1e6 * GALLON / DAY, &["Mgal/d", "mgd"]),
    unit(D::Flow, CUBIC_FOOT, &["ft3/s", "cfs"]),
    unit(D::Volume, 1.0, &["m3", "m³"]),
    unit(D::Volume, 0.001, &["l", "L"]),
    unit(D::Volume, 0.000_001, &["ml", "mL"]),
    unit(D::Volume, GALLON, &["gal"]),
    unit(D::Volume, 1e6 * GALLON, &["Mgal"]),
    unit(D::Volume, CUBIC_FOOT, &["ft3"]),
    unit(D::Speed, 1.0, &["m/s"]),
    unit(D::Speed, 0.01, &["cm/s"]),
    unit(D::Speed, 1.0 / 3.6, &["km/h"]),
    unit(D::Speed, 0.304_8, &["ft/s"]),
    unit(D::Speed, 0.447_04, &["mi/h", "mph"]),
    unit(D::Speed, 1_852.0 / 3_600.0, &["kn", "knot"]),
    unit(D::Conductivity, 1.0, &["S/m"]),
    unit(D::Conductivity, 0.1, &["mS/cm"]),
    unit(D::Conductivity, 0.000_1, &["uS/cm", "µS/cm", "μS/cm"]),
    unit(D::Concentration, 1.0, &["g/l", "g/L"]),
    unit(D::Concentration, 0.001, &["mg/l", "mg/L"]),
    unit(D::Concentration, 0.000_001, &["ug/l", "ug/L", "µg/l", "µg/L", "μg/L"]),
    unit(D::PartsPerMillion, 1.0, &["ppm"]),
    unit(D::PartsPerMillion, 0.001, &["ppb"]),
    unit(D::Salinity, 1.0, &["PSU", "psu"]),
    unit(D::TurbidityNtu, 1.0, &["NTU"]),
    unit(D::TurbidityFnu, 1.0, &["FNU"]),
    unit(D::Ratio, 1.0, &["1"]),
    unit(D::Ratio, 0.01, &["%", "percent"]),
    unit(D::Voltage, 1.0, &["V", "volt"]),
    unit(D::Voltage, 0.001, &["mV"]),
    unit(D::Time, 1.0, &["s", "second"]),
    unit(D::Time, 0.001, &["ms"]),
    unit(D::Time, 60.0, &["min", "minute"]),
    unit(D::Time, 3_600.0, &["h", "hour"]),
    unit(D::Time, DAY, &["d", "day"]),
    unit(D::Energy, 1.0, &["J"]),
    unit(D::Energy, 1_000.0, &["kJ"]),
    unit(D::Energy, 3_600.0, &["Wh"]),
    unit(D::Energy, 3_600_000.0, &["kWh"]),
    unit(D::Angle, 1.0, &["rad"]),
    unit(D::Angle, std::f64::consts::PI / 180.0, &["deg", "degree", "°"]),
];

/// How a value of one unit becomes one of another: `scale * value + shift`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Linear {
    pub(crate) scale: f64,
    pub(crate) shift: f64,
}

/// Why a value can not be converted.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum UnitError {
    /// No unit is written so.
    #[error("there is no unit `{}`", unit.escape_debug())]
    Unknown {
        /// What was written.
        unit: String,
        /// The units whose spellings are near, nearest first.
        nearest: Vec<String>,
    },
    /// The units measure different things.
    #[error("`{from}` is a unit of {from_dimension}, and `{to}` of {to_dimension}")]
    Different {
        /// The unit there is.
        from: String,
        /// What it measures.
        from_dimension: String,
        /// The unit that is asked for.
        to: String,
        /// What it measures.
        to_dimension: String,
    },
}

/// How a value in `from` becomes one in `to`.
pub(crate) fn convert(from: &str, to: &str) -> Result<Linear, UnitError> {
    let (have, want) = (find(from)?, find(to)?);
    if have.dimension != want.dimension {
        return Err(UnitError::Different {
            from: from.to_owned(),
            from_dimension: have.dimension.to_string(),
            to: to.to_owned(),
            to_dimension: want.dimension.to_string(),
        });
    }
    if std::ptr::eq(have, want) {
        return Ok(Linear { scale: 1.0, shift: 0.0 });
    }
    let (up, down) = (have.factor * want.divisor, have.divisor * want.factor);
    Ok(Linear { scale: up / down, shift: (have.zero * up / down - want.zero) / 100.0 })
}

/// Whether a unit is written so.
pub(crate) fn known(unit: &str) -> Result<(), UnitError> {
    find(unit).map(drop)
}

/// What is wrong with the unit at a place of a configuration.
pub(crate) fn complaint(config: &Config, at: &str, error: &UnitError) -> ConfigError {
    let mut complaint = config.complaint(at, error.to_string());
    if let UnitError::Unknown { nearest, .. } = error {
        match nearest.as_slice() {
            [one] => complaint.nearest = Some(one.clone()),
            [] => {}
            several => complaint.what.push_str(&format!("; there are {}", several.join(", "))),
        }
    }
    complaint
}

fn find(spelling: &str) -> Result<&'static Unit, UnitError> {
    let wanted = spelling.trim();
    UNITS.iter().find(|unit| unit.spellings.contains(&wanted)).ok_or_else(|| {
        let all = UNITS.iter().flat_map(|unit| unit.spellings.iter().copied());
        let mut near = diagnostics::nearest(spelling, all, UNITS.len());
        // Of the spellings of one unit the nearest is enough.
        let mut seen: Vec<usize> = Vec::new();
        near.retain(|spelling| {
            let unit = UNITS.iter().position(|unit| unit.spellings.contains(spelling));
            let is_new = unit.is_some_and(|unit| !seen.contains(&unit));
            seen.extend(unit);
            is_new
        });
        near.truncate(SUGGESTIONS);
        UnitError::Unknown {
            unit: spelling.to_owned(),
            nearest: near.into_iter().map(str::to_owned).collect(),
        }
    })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    fn converted(value: f64, from: &str, to: &str) -> f64 {
        let linear = convert(from, to).unwrap();
        linear.scale * value + linear.shift
    }

    #[test]
    fn values_agree_with_published_ones() {
        for (value, from, to, expected) in [
            (1.0, "psi", "mmHg", 51.714_932_571_508_5),
            (1.0, "ftH2O", "psi", 0.433_527_504),
            (29.921_26, "inHg", "hPa", 1_013.25),
            (212.0, "degF", "degC", 100.0),
            (-40.0, "degC", "degF", -40.0),
            (0.0, "degC", "K", 273.15),
            (1.0, "ft", "m", 0.304_8),
            (1.0, "Mgal/d", "l/s", 43.812_636_388_9),
            (1.0, "ft3/s", "gal/min", 448.831_168_831),
            (1_413.0, "uS/cm", "mS/cm", 1.413),
            (5.0, "mg/L", "ug/l", 5_000.0),
            (90.0, "deg", "rad", std::f64::consts::FRAC_PI_2),
            (10.0, "kn", "m/s", 5.144_444_444_4),
        ] {
            let got = converted(value, from, to);
            let close = (got - expected).abs() <= 1e-6 * expected.abs().max(1e-9);
            assert!(close, "{value} {from} is {got} {to}, not {expected}");
        }
    }

    #[test]
    fn whole_degrees_are_whole() {
        let expected = Linear { scale: 1.8, shift: 32.0 };
        assert_eq!(convert("degC", "degF"), Ok(expected));
    }

    #[test]
    fn there_and_back_is_the_same() {
        for from in UNITS {
            for to in UNITS.iter().filter(|to| to.dimension == from.dimension) {
                let there = convert(from.spellings[0], to.spellings[0]).unwrap();
                let back = convert(to.spellings[0], from.spellings[0]).unwrap();
                let value = 12.5;
                let again = back.scale * (there.scale * value + there.shift) + back.shift;
                assert!((again - value).abs() < 1e-9, "{:?} {:?}", from.spellings, to.spellings);
            }
        }
    }

    #[test]
    fn no_spelling_means_two_units() {
        let mut seen = BTreeSet::new();
        for spelling in UNITS.iter().flat_map(|unit| unit.spellings) {
            assert!(seen.insert(spelling), "{spelling}");
        }
    }

    #[test]
    fn what_does_not_measure_the_same_is_not_converted() {
        assert!(matches!(convert("psi", "m"), Err(UnitError::Different { .. })));
        assert!(matches!(convert("NTU", "FNU"), Err(UnitError::Different { .. })));
        assert_eq!(
            convert("psii", "m"),
            Err(UnitError::Unknown { unit: "psii".to_owned(), nearest: vec!["psi".to_owned()] })
        );
    }
}
