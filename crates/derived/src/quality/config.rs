//! The configuration of `quality`.

use factory::config::{Field, Interval, Schema};
use factory::{Config, ConfigError};
use serde::Deserialize;

use super::flags::{Bounds, FAIL, SUSPECT, Test};
use crate::column_glob::ColumnGlob;
use crate::input;
use crate::transform::{self, TransformRef};

/// How far back the reading before may be, unless it is said.
const WITHIN: &str = "1h";
const WITHIN_US: i64 = 3_600_000_000;

/// The configuration of `quality`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct QualityConfig {
    pub(super) input: String,
    pub(super) tests: Vec<ColumnTests>,
    pub(super) time_column: Option<String>,
    #[serde(default)]
    pub(super) transforms: Vec<TransformRef>,
}

/// Tests, and the columns that they are of.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ColumnTests {
    pub(super) columns: Vec<String>,
    range: Option<RangeTest>,
    rate_of_change: Option<RateTest>,
    flat_line: Option<FlatTest>,
    gap: Option<GapTest>,
}

/// The least and the greatest value; an open end is null.
type Limits = [Option<f64>; 2];

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RangeTest {
    fail: Option<Limits>,
    suspect: Option<Limits>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RateTest {
    per: Interval,
    fail: Option<f64>,
    suspect: Option<f64>,
    within: Option<Interval>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct FlatTest {
    #[serde(default)]
    tolerance: f64,
    suspect_after: Option<Interval>,
    fail_after: Option<Interval>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct GapTest {
    longer_than: Interval,
}

impl QualityConfig {
    /// The JSON Schema.
    pub(super) fn schema() -> Schema {
        let limits = || Schema::list(Schema::number().or_null());
        let range = Schema::object([
            Field::optional("fail", limits(), "A value outside these two, both included, fails"),
            Field::optional("suspect", limits(), "A value outside these two is suspect"),
        ]);
        let rate = Schema::object([
            Field::required("per", Schema::interval(), "What the rates are of"),
            Field::optional("fail", Schema::number(), "A greater change in `per` fails"),
            Field::optional("suspect", Schema::number(), "A greater change in `per` is suspect"),
            Field::optional(
                "within",
                Schema::interval().default(WITHIN),
                "How long ago the reading before may be",
            ),
        ]);
        let flat = Schema::object([
            Field::optional(
                "tolerance",
                Schema::number().default(0),
                "Values that differ no more than this are the same",
            ),
            Field::optional("suspect_after", Schema::interval(), "The same so long is suspect"),
            Field::optional("fail_after", Schema::interval(), "The same so long fails"),
        ]);
        let gap = Schema::object([Field::required(
            "longer_than",
            Schema::interval(),
            "The first reading after so long without any is suspect",
        )]);
        let tests = Schema::object([
            Field::required(
                "columns",
                Schema::list(Schema::text()),
                "Names or patterns of columns",
            ),
            Field::optional("range", range, "Whether values are possible"),
            Field::optional("rate_of_change", rate, "Whether values change as fast as they can"),
            Field::optional("flat_line", flat, "Whether values change at all"),
            Field::optional("gap", gap, "Whether readings come as they should"),
        ]);
        Schema::object([
            Field::required("input", Schema::text(), "The series: a path, or a glob"),
            Field::required("tests", Schema::list(tests), "What is tested"),
            Field::optional("time_column", Schema::text(), "Its column of times"),
            transform::field("What the input goes through first"),
        ])
    }

    /// Checks what its types do not.
    pub(super) fn check(&self, config: &Config) -> factory::Result<()> {
        input::check(&self.input).map_err(|error| config.complaint("input", error.to_string()))?;
        if self.tests.is_empty() {
            return Err(config.complaint("tests", "is empty").into());
        }
        for (at, entry) in self.tests.iter().enumerate() {
            entry.check(config, &format!("tests[{at}]"))?;
        }
        transform::check(config, "transforms", &self.transforms)
    }
}

impl ColumnTests {
    fn check(&self, config: &Config, at: &str) -> Result<(), ConfigError> {
        let complaint =
            |field: &str, what: &str| Err(config.complaint(&format!("{at}{field}"), what));
        if self.columns.is_empty() {
            return complaint(".columns", "is empty");
        }
        for (index, column) in self.columns.iter().enumerate() {
            ColumnGlob::parse(column).map_err(|error| {
                config.complaint(&format!("{at}.columns[{index}]"), error.to_string())
            })?;
        }
        let Self { range, rate_of_change, flat_line, gap, .. } = self;
        if range.is_none() && rate_of_change.is_none() && flat_line.is_none() && gap.is_none() {
            return complaint(
                "",
                "has no test: say `range`, `rate_of_change`, `flat_line` or `gap`",
            );
        }
        let neither = "says neither `suspect` nor `fail`";
        if let Some(RangeTest { fail, suspect }) = range {
            if fail.is_none() && suspect.is_none() {
                return complaint(".range", neither);
            }
            for (field, limits) in [(".range.fail", fail), (".range.suspect", suspect)] {
                if let Some([Some(least), Some(greatest)]) = limits
                    && least > greatest
                {
                    return complaint(field, "is the wrong way round: the least value comes first");
                }
            }
        }
        if let Some(RateTest { fail, suspect, .. }) = rate_of_change {
            if fail.is_none() && suspect.is_none() {
                return complaint(".rate_of_change", neither);
            }
            for (field, rate) in [("fail", fail), ("suspect", suspect)] {
                if rate.is_some_and(|rate| rate < 0.0) {
                    let field = format!(".rate_of_change.{field}");
                    return complaint(&field, "is less than 0: a change counts in both directions");
                }
            }
        }
        if let Some(FlatTest { tolerance, suspect_after, fail_after }) = flat_line {
            if suspect_after.is_none() && fail_after.is_none() {
                return complaint(".flat_line", "says neither `suspect_after` nor `fail_after`");
            }
            if *tolerance < 0.0 {
                return complaint(".flat_line.tolerance", "is less than 0");
            }
        }
        Ok(())
    }

    /// The tests, one by one.
    pub(super) fn tests(&self) -> Vec<Test> {
        let mut tests = Vec::new();
        let bounds = |limits: Option<Limits>| {
            limits.map_or(Bounds::OPEN, |[least, greatest]| Bounds {
                least: least.unwrap_or(f64::NEG_INFINITY),
                greatest: greatest.unwrap_or(f64::INFINITY),
            })
        };
        if let Some(RangeTest { fail, suspect }) = &self.range {
            tests.push(Test::Range { fail: bounds(*fail), suspect: bounds(*suspect) });
        }
        if let Some(RateTest { per, fail, suspect, within }) = &self.rate_of_change {
            tests.push(Test::Rate {
                per_us: per.us,
                within_us: within.map_or(WITHIN_US, |within| within.us),
                fail: fail.unwrap_or(f64::INFINITY),
                suspect: suspect.unwrap_or(f64::INFINITY),
            });
        }
        if let Some(FlatTest { tolerance, suspect_after, fail_after }) = &self.flat_line {
            for (after, flag) in [(suspect_after, SUSPECT), (fail_after, FAIL)] {
                if let Some(after) = after {
                    tests.push(Test::Flat { tolerance: *tolerance, after_us: after.us, flag });
                }
            }
        }
        if let Some(GapTest { longer_than }) = &self.gap {
            tests.push(Test::Gap { longer_than_us: longer_than.us });
        }
        tests
    }
}

#[cfg(test)]
mod tests {
    use factory::Factory;

    use super::*;

    #[test]
    fn what_does_not_go_together_is_refused() {
        for (tests, at, what) in [
            ("[]", "tests", "is empty"),
            ("[{ columns: [], gap: { longer_than: 1h } }]", "tests[0].columns", "is empty"),
            ("[{ columns: [a] }]", "tests[0]", "has no test"),
            ("[{ columns: [a], range: {} }]", "tests[0].range", "neither"),
            ("[{ columns: [a], range: { fail: [2, 1] } }]", "tests[0].range.fail", "wrong way"),
            ("[{ columns: [a], range: { fail: [2] } }]", "tests[0].range.fail", "has 1 items"),
            (
                "[{ columns: [a], rate_of_change: { per: 1h, fail: -1 } }]",
                "tests[0].rate_of_change.fail",
                "less than 0",
            ),
            ("[{ columns: [a], flat_line: { tolerance: 1 } }]", "tests[0].flat_line", "neither"),
            ("[{ columns: [a], gap: { longer_than: 3 } }]", "tests[0].gap.longer_than", "quotes"),
        ] {
            let config = Config::parse("/c", &format!("input: /a\ntests: {tests}\n")).unwrap();
            match super::super::Quality.check(&config) {
                Err(factory::Error::Config(error)) => {
                    assert_eq!(error.at, at, "{tests}: {error}");
                    assert!(error.to_string().contains(what), "{error}");
                }
                other => panic!("{tests}: {other:?}"),
            }
        }
    }

    #[test]
    fn an_end_of_a_range_may_be_open() {
        let text = "input: /a\ntests: [{ columns: [a], range: { fail: [0, null] } }]\n";
        let config: QualityConfig = Config::parse("/c", text).unwrap().read().unwrap();
        let fail = Bounds { least: 0.0, greatest: f64::INFINITY };
        assert_eq!(config.tests[0].tests(), [Test::Range { fail, suspect: Bounds::OPEN }]);
        let schema = QualityConfig::schema().into_json();
        let end = "/properties/tests/items/properties/range/properties/fail/items";
        let end = schema.pointer(end).map(|end| end["anyOf"].to_string());
        assert_eq!(end.as_deref(), Some(r#"[{"type":"number"},{"type":"null"}]"#));
    }
}
