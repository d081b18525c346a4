//! The configuration of `temporal-reduce`, and what its tiles depend on.

use std::collections::BTreeSet;

use factory::config::{Field, Schema};
use factory::{Config, ConfigError};
use jiff::tz::TimeZone;
use serde::{Deserialize, Serialize};

use super::resolution::{Level, Resolution, levels};
use crate::column_glob::ColumnGlob;
use crate::transform::{self, TransformRef};
use crate::{Error, Result, input};

/// The configuration of `temporal-reduce`.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct TemporalReduceConfig {
    pub(crate) in_pattern: String,
    pub(crate) out_pattern: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) time_column: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) time_zone: Option<String>,
    pub(crate) resolutions: Vec<Resolution>,
    pub(crate) aggregations: Vec<Aggregation>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) exclude_flags: Vec<u8>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) transforms: Vec<TransformRef>,
}

/// One aggregation of some columns.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Aggregation {
    pub(crate) r#type: AggregationType,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) columns: Option<Vec<String>>,
    /// Of quantiles: which.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) q: Option<Vec<f64>>,
}

/// What is made of the readings of a bucket.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum AggregationType {
    Count,
    Sum,
    Avg,
    Min,
    Max,
    First,
    Last,
    Stddev,
    Quantile,
}

impl AggregationType {
    pub(crate) const NAMES: [&'static str; 9] =
        ["count", "sum", "avg", "min", "max", "first", "last", "stddev", "quantile"];

    pub(crate) const fn as_str(self) -> &'static str {
        Self::NAMES[self as usize]
    }
}

impl Aggregation {
    /// Which quantiles it asks for goes with its type.
    fn check(&self, config: &Config, at: &str) -> std::result::Result<(), ConfigError> {
        let wanted = match (self.r#type, self.q.as_deref()) {
            (AggregationType::Quantile, None | Some([])) => {
                let what = "names no quantile: say `q: [0.5, 0.95]`";
                return Err(config.complaint(at, what));
            }
            (AggregationType::Quantile, Some(wanted)) => wanted,
            (_, None) => return Ok(()),
            (_, Some(_)) => {
                return Err(config.complaint(&format!("{at}.q"), "is for `type: quantile`"));
            }
        };
        for (nth, q) in wanted.iter().enumerate() {
            let at = format!("{at}.q[{nth}]");
            if !(0.0..=1.0).contains(q) {
                return Err(config.complaint(&at, "lies outside 0 to 1"));
            }
            if wanted[..nth].contains(q) {
                return Err(config.complaint(&at, format!("{q} is there already")));
            }
        }
        Ok(())
    }
}

impl TemporalReduceConfig {
    /// The JSON Schema.
    pub(crate) fn schema() -> Schema {
        let aggregation = Schema::object([
            Field::required(
                "type",
                Schema::one_of(&AggregationType::NAMES),
                "What is made of a bucket's readings; `stddev` is that of a sample",
            ),
            Field::optional(
                "columns",
                Schema::list(Schema::text()),
                "Names or patterns of columns; without, every numeric column",
            ),
            Field::optional(
                "q",
                Schema::list(Schema::number()),
                "Of `quantile`: which, from 0 to 1; 0.5 is the median",
            ),
        ]);
        Schema::object([
            Field::required(
                "in_pattern",
                Schema::text(),
                "The series to reduce: a path, or a pattern of paths with wildcards",
            ),
            Field::required(
                "out_pattern",
                Schema::text(),
                "The directory for each: `$0` is what the first wildcard stood for, `$1` the second",
            ),
            Field::optional(
                "time_column",
                Schema::text(),
                "The column of times, where the input does not declare one",
            ),
            Field::optional(
                "time_zone",
                Schema::text().default("UTC"),
                "The zone of `day`, `week`, `month` and `year`, as `America/Los_Angeles`",
            ),
            Field::required(
                "resolutions",
                Schema::list(Schema::text()),
                "Widths of buckets: `30s`, `15m`, `4h` are fixed; `day`, `week`, `month`, `year` are civil",
            ),
            Field::required("aggregations", Schema::list(aggregation), "What is computed"),
            Field::optional(
                "exclude_flags",
                Schema::list(Schema::integer()),
                "Readings whose column `NAME.flag` has one of these values are left out",
            ),
            transform::field("What each series goes through first"),
        ])
    }

    /// Checks what its types do not.
    pub(crate) fn check(&self, config: &Config) -> std::result::Result<(), ConfigError> {
        let zone = self.zone().map_err(|error| config.complaint("time_zone", error.to_string()))?;
        for (at, name) in [("in_pattern", &self.in_pattern), ("out_pattern", &self.out_pattern)] {
            if name.is_empty() {
                return Err(config.complaint(at, "is empty"));
            }
        }
        input::check(&self.in_pattern)
            .map_err(|error| config.complaint("in_pattern", error.to_string()))?;
        if self.resolutions.is_empty() {
            return Err(config.complaint("resolutions", "is empty: name one, such as `1h`"));
        }
        let mut seen = BTreeSet::new();
        for (at, resolution) in self.resolutions.iter().enumerate() {
            if !seen.insert(resolution.width()) {
                let what = format!("`{resolution}` is there already");
                return Err(config.complaint(&format!("resolutions[{at}]"), what));
            }
        }
        self.levels(&zone).map_err(|error| config.complaint("resolutions", error.to_string()))?;
        if self.aggregations.is_empty() {
            let what = "is empty: name one, such as `{type: avg}`";
            return Err(config.complaint("aggregations", what));
        }
        for (at, aggregation) in self.aggregations.iter().enumerate() {
            aggregation.check(config, &format!("aggregations[{at}]"))?;
            for (column, pattern) in aggregation.columns.iter().flatten().enumerate() {
                ColumnGlob::parse(pattern).map_err(|error| {
                    let at = format!("aggregations[{at}].columns[{column}]");
                    config.complaint(&at, error.to_string())
                })?;
            }
        }
        Ok(())
    }

    /// The zone of civil time.
    pub(crate) fn zone(&self) -> Result<TimeZone> {
        let name = self.time_zone.as_deref().unwrap_or("UTC");
        TimeZone::get(name).map_err(|_| {
            let what = format!("`{name}` is not a zone of the IANA database");
            Error::Query(query::Error::BadRequest { what })
        })
    }

    /// The resolutions in order.
    pub(crate) fn levels(&self, zone: &TimeZone) -> Result<Vec<Level>> {
        levels(&self.resolutions, zone)
    }

    /// What the numbers depend on, as text: not where the rows come from and
    /// not where the series are.
    pub(crate) fn meaning(&self) -> String {
        let meaning = serde_json::json!({
            "time_column": self.time_column,
            "time_zone": self.time_zone,
            "resolutions": self.resolutions,
            "aggregations": self.aggregations,
            "exclude_flags": self.exclude_flags,
            "transforms": self.transforms,
        });
        meaning.to_string()
    }
}
