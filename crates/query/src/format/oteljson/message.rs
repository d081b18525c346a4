//! OpenTelemetry metrics as protobuf's JSON mapping writes them.
//!
//! Follows the JSON encoding of the OpenTelemetry protocol: keys in lower camel
//! case, integers of 64 bits as decimal strings or numbers, floats as numbers
//! or `"NaN"`, `"Infinity"` and `"-Infinity"`, enums as numbers, `null` as
//! absent, unknown keys passed over.
//! <https://opentelemetry.io/docs/specs/otlp/#json-protobuf-encoding>
//!
//! What is deliberately not here: rows, and which messages make sense.

use std::collections::BTreeMap;
use std::fmt;

use serde::Deserialize;
use serde::de::{Deserializer, Error as _, IgnoredAny, Visitor};

/// One line of a file: metrics, or something else.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Line {
    pub(super) resource_metrics: Option<Vec<ResourceMetrics>>,
    pub(super) resource_spans: Option<IgnoredAny>,
    pub(super) resource_logs: Option<IgnoredAny>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ResourceMetrics {
    pub(super) resource: Option<Attributed>,
    // The name of it before version 0.19 of the protocol.
    #[serde(alias = "instrumentationLibraryMetrics")]
    pub(super) scope_metrics: Option<Vec<ScopeMetrics>>,
}

/// Whatever has attributes and maybe a name.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Attributed {
    pub(super) name: Option<String>,
    pub(super) attributes: Option<Vec<KeyValue>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ScopeMetrics {
    #[serde(alias = "instrumentationLibrary")]
    pub(super) scope: Option<Attributed>,
    pub(super) metrics: Option<Vec<Metric>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Metric {
    pub(super) name: Option<String>,
    pub(super) unit: Option<String>,
    pub(super) gauge: Option<Points>,
    pub(super) sum: Option<Points>,
    pub(super) histogram: Option<Points>,
    pub(super) exponential_histogram: Option<Points>,
    pub(super) summary: Option<Points>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Points {
    pub(super) data_points: Option<Vec<Point>>,
    pub(super) aggregation_temporality: Option<i64>,
    pub(super) is_monotonic: Option<bool>,
}

/// A data point of any kind of metric.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Point {
    pub(super) attributes: Option<Vec<KeyValue>>,
    pub(super) start_time_unix_nano: Option<Int>,
    pub(super) time_unix_nano: Option<Int>,
    pub(super) as_double: Option<Float>,
    pub(super) as_int: Option<Int>,
    pub(super) flags: Option<Int>,
    pub(super) count: Option<Int>,
    pub(super) sum: Option<Float>,
    pub(super) min: Option<Float>,
    pub(super) max: Option<Float>,
    pub(super) bucket_counts: Option<Vec<Int>>,
    pub(super) explicit_bounds: Option<Vec<Float>>,
    pub(super) scale: Option<Int>,
    pub(super) zero_count: Option<Int>,
    pub(super) positive: Option<Buckets>,
    pub(super) negative: Option<Buckets>,
    pub(super) quantile_values: Option<Vec<Quantile>>,
}

/// One side of an exponential histogram.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Buckets {
    pub(super) offset: Option<Int>,
    pub(super) bucket_counts: Option<Vec<Int>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Quantile {
    pub(super) quantile: Option<Float>,
    pub(super) value: Option<Float>,
}

#[derive(Deserialize)]
pub(super) struct KeyValue {
    pub(super) key: String,
    pub(super) value: Option<AnyValue>,
}

/// The value of an attribute: at most one of these.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct AnyValue {
    string_value: Option<String>,
    bool_value: Option<bool>,
    int_value: Option<Int>,
    double_value: Option<Float>,
    bytes_value: Option<String>,
    array_value: Option<ArrayValue>,
    kvlist_value: Option<KvList>,
}

#[derive(Deserialize)]
struct ArrayValue {
    values: Option<Vec<AnyValue>>,
}

#[derive(Deserialize)]
struct KvList {
    values: Option<Vec<KeyValue>>,
}

/// An integer of 64 bits, with a sign or without.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Int(pub(super) i128);

impl<'de> Deserialize<'de> for Int {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Digits;
        impl Visitor<'_> for Digits {
            type Value = Int;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an integer, or one in a string")
            }

            fn visit_u64<E>(self, value: u64) -> Result<Int, E> {
                Ok(Int(value.into()))
            }

            fn visit_i64<E>(self, value: i64) -> Result<Int, E> {
                Ok(Int(value.into()))
            }

            fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Int, E> {
                let read: Option<i128> = text.parse().ok();
                // What 64 bits hold, whatever their sign.
                let fits = |value: &i128| (i64::MIN.into()..=u64::MAX.into()).contains(value);
                read.filter(fits).map(Int).ok_or_else(|| {
                    E::custom(format!("`{}` is no integer of 64 bits", text.escape_debug()))
                })
            }
        }
        deserializer.deserialize_any(Digits)
    }
}

/// A float, or the name of one that JSON has no number for.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Float(pub(super) f64);

impl<'de> Deserialize<'de> for Float {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(untagged)]
        enum Written {
            Number(f64),
            Text(String),
        }
        let text = match Written::deserialize(deserializer)? {
            Written::Number(number) => return Ok(Self(number)),
            Written::Text(text) => text,
        };
        let read = match text.as_str() {
            "NaN" => Some(f64::NAN),
            "Infinity" => Some(f64::INFINITY),
            "-Infinity" => Some(f64::NEG_INFINITY),
            number => number.parse().ok().filter(|read: &f64| read.is_finite()),
        };
        read.map(Self)
            .ok_or_else(|| D::Error::custom(format!("`{}` is no number", text.escape_debug())))
    }
}

/// Attributes as the text of one JSON object, its keys in order: equal
/// attributes have equal texts. A key that stands twice is given back.
pub(super) fn object(attributes: Option<&[KeyValue]>) -> Result<String, String> {
    let mut text = String::new();
    write_object(&mut text, attributes.unwrap_or_default())?;
    Ok(text)
}

fn write_object(text: &mut String, attributes: &[KeyValue]) -> Result<(), String> {
    let mut sorted = BTreeMap::new();
    for KeyValue { key, value } in attributes {
        if sorted.insert(key.as_str(), value.as_ref()).is_some() {
            return Err(key.clone());
        }
    }
    text.push('{');
    for (at, (key, value)) in sorted.into_iter().enumerate() {
        if at > 0 {
            text.push(',');
        }
        write_string(text, key);
        text.push(':');
        match value {
            Some(value) => write_value(text, value)?,
            None => text.push_str("null"),
        }
    }
    text.push('}');
    Ok(())
}

fn write_value(text: &mut String, value: &AnyValue) -> Result<(), String> {
    if let Some(value) = value.string_value.as_ref().or(value.bytes_value.as_ref()) {
        write_string(text, value);
    } else if let Some(value) = value.bool_value {
        text.push_str(if value { "true" } else { "false" });
    } else if let Some(Int(value)) = value.int_value {
        text.push_str(&value.to_string());
    } else if let Some(value) = value.double_value {
        write_float(text, value);
    } else if let Some(array) = &value.array_value {
        text.push('[');
        for (at, value) in array.values.iter().flatten().enumerate() {
            if at > 0 {
                text.push(',');
            }
            write_value(text, value)?;
        }
        text.push(']');
    } else if let Some(list) = &value.kvlist_value {
        write_object(text, list.values.as_deref().unwrap_or_default())?;
    } else {
        text.push_str("null");
    }
    Ok(())
}

pub(super) fn write_float(text: &mut String, Float(value): Float) {
    match serde_json::Number::from_f64(value) {
        Some(number) => text.push_str(&number.to_string()),
        None if value.is_nan() => text.push_str("\"NaN\""),
        None => text.push_str(if value > 0.0 { "\"Infinity\"" } else { "\"-Infinity\"" }),
    }
}

fn write_string(text: &mut String, value: &str) {
    text.push_str(&serde_json::Value::from(value).to_string());
}
