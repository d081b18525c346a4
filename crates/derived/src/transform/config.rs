//! What transforms are told.

use std::collections::BTreeMap;
use std::fmt;

use factory::Config;
use factory::config::{Field, Instant, Schema};
use serde::de::value::MapAccessDeserializer;
use serde::de::{self, Deserializer, MapAccess, Visitor};
use serde::{Deserialize, Serialize, Serializer};

use crate::column_glob::ColumnGlob;
use crate::input::pond_path;
use crate::units;

/// The transforms of an input: a node of the factories `transform` and
/// `column-rename` by its path, or one that stands right there.
#[derive(Clone, Debug, Serialize)]
#[serde(untagged)]
pub(crate) enum TransformRef {
    /// A node.
    Node(String),
    /// A transform.
    Step(Box<Step>),
}

/// One transform.
#[derive(Clone, Debug)]
pub(crate) enum Step {
    Rename(Vec<Rule>),
    Cast(Cast),
    Convert(Convert),
    Drop(Vec<String>),
    Keep(Vec<String>),
    Floor(Instant),
    Deduplicate(Deduplicate),
}

/// A rule of names. `direct` takes `from` and `to`, `pattern` takes `pattern`
/// and `replacement`.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Rule {
    pub(crate) r#type: RuleType,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) from: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) to: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) cast: Option<Type>,
    #[serde(default)]
    pub(crate) optional: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) pattern: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) replacement: Option<String>,
}

/// How a rule finds its columns.
#[derive(Clone, Copy, Debug, Deserialize, Serialize, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
pub(crate) enum RuleType {
    /// By a name.
    Direct,
    /// By a regular expression.
    Pattern,
}

/// A type of values.
#[derive(Clone, Copy, Debug, Deserialize, Serialize, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Type {
    Bool,
    Int64,
    Float64,
    Utf8,
    Timestamp,
}

/// Other types for columns.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Cast {
    pub(crate) columns: BTreeMap<String, Type>,
    /// What does not cast is null, not an error.
    #[serde(default)]
    pub(crate) r#try: bool,
}

/// Other units for columns.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Convert {
    pub(crate) columns: BTreeMap<String, UnitChange>,
}

/// A unit, and the one before where the column does not say it.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct UnitChange {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) from: Option<String>,
    pub(crate) to: String,
}

/// One row of several at an instant.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Deduplicate {
    /// Columns that tell rows of one instant apart.
    #[serde(default)]
    pub(crate) key: Vec<String>,
    /// Which row stays.
    #[serde(default)]
    pub(crate) keep: Kept,
    /// Columns by which rows are in order.
    #[serde(default)]
    pub(crate) by: Vec<String>,
}

/// Which row of several stays.
#[derive(Clone, Copy, Debug, Default, Deserialize, Serialize, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Kept {
    First,
    #[default]
    Last,
}

/// A transform as it is written: exactly one of the fields.
#[derive(Default, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct Written {
    #[serde(skip_serializing_if = "Option::is_none")]
    rename: Option<Rules>,
    #[serde(skip_serializing_if = "Option::is_none")]
    cast: Option<Cast>,
    #[serde(skip_serializing_if = "Option::is_none")]
    convert: Option<Convert>,
    #[serde(skip_serializing_if = "Option::is_none")]
    drop: Option<Columns>,
    #[serde(skip_serializing_if = "Option::is_none")]
    keep: Option<Columns>,
    #[serde(skip_serializing_if = "Option::is_none")]
    floor: Option<Floor>,
    #[serde(skip_serializing_if = "Option::is_none")]
    deduplicate: Option<Deduplicate>,
}

#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Rules {
    pub(super) rules: Vec<Rule>,
}

#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct Columns {
    columns: Vec<String>,
}

#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct Floor {
    time: Instant,
}

impl Serialize for Step {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut written = Written::default();
        match self.clone() {
            Self::Rename(rules) => written.rename = Some(Rules { rules }),
            Self::Cast(cast) => written.cast = Some(cast),
            Self::Convert(convert) => written.convert = Some(convert),
            Self::Drop(columns) => written.drop = Some(Columns { columns }),
            Self::Keep(columns) => written.keep = Some(Columns { columns }),
            Self::Floor(time) => written.floor = Some(Floor { time }),
            Self::Deduplicate(how) => written.deduplicate = Some(how),
        }
        written.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Step {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let written = Written::deserialize(deserializer)?;
        let steps = [
            written.rename.map(|rename| Self::Rename(rename.rules)),
            written.cast.map(Self::Cast),
            written.convert.map(Self::Convert),
            written.drop.map(|drop| Self::Drop(drop.columns)),
            written.keep.map(|keep| Self::Keep(keep.columns)),
            written.floor.map(|floor| Self::Floor(floor.time)),
            written.deduplicate.map(Self::Deduplicate),
        ];
        let mut steps = steps.into_iter().flatten();
        match (steps.next(), steps.next()) {
            (Some(step), None) => Ok(step),
            _ => Err(de::Error::custom(
                "takes exactly one of rename, cast, convert, drop, keep, floor, deduplicate: \
                 several transforms are several items of the list",
            )),
        }
    }
}

impl<'de> Deserialize<'de> for TransformRef {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Either;
        impl<'de> Visitor<'de> for Either {
            type Value = TransformRef;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("the path of a transform, or a transform such as `drop`")
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<TransformRef, E> {
                Ok(TransformRef::Node(text.to_owned()))
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<TransformRef, A::Error> {
                let step = Step::deserialize(MapAccessDeserializer::new(map))?;
                Ok(TransformRef::Step(Box::new(step)))
            }
        }
        deserializer.deserialize_any(Either)
    }
}

impl<'de> Deserialize<'de> for UnitChange {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(deny_unknown_fields)]
        struct Both {
            from: Option<String>,
            to: String,
        }
        struct Either;
        impl<'de> Visitor<'de> for Either {
            type Value = UnitChange;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a unit, or `from` and `to`")
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<UnitChange, E> {
                Ok(UnitChange { from: None, to: text.to_owned() })
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<UnitChange, A::Error> {
                let Both { from, to } = Both::deserialize(MapAccessDeserializer::new(map))?;
                Ok(UnitChange { from, to })
            }
        }
        deserializer.deserialize_any(Either)
    }
}

/// Checks what no type tells: units, patterns, and which fields go together.
/// `at` is the field that holds the transforms.
pub(crate) fn check(config: &Config, at: &str, all: &[TransformRef]) -> factory::Result<()> {
    for (index, one) in all.iter().enumerate() {
        let at = format!("{at}[{index}]");
        match one {
            TransformRef::Node(path) => {
                pond_path(path).map_err(|error| config.complaint(&at, error.to_string()))?;
            }
            TransformRef::Step(step) => check_step(config, &at, step)?,
        }
    }
    Ok(())
}

/// The same of one transform.
pub(super) fn check_step(config: &Config, at: &str, step: &Step) -> factory::Result<()> {
    let glob = |at: &str, text: &str| {
        ColumnGlob::parse(text).map(drop).map_err(|error| config.complaint(at, error.to_string()))
    };
    match step {
        Step::Rename(rules) => check_rules(config, &format!("{at}.rename.rules"), rules)?,
        Step::Cast(cast) => {
            for name in cast.columns.keys() {
                glob(&format!("{at}.cast.columns"), name)?;
            }
        }
        Step::Convert(convert) => {
            for (name, change) in &convert.columns {
                glob(&format!("{at}.convert.columns"), name)?;
                let at = format!("{at}.convert.columns.{name}");
                for unit in change.from.iter().chain([&change.to]) {
                    units::known(unit).map_err(|error| units::complaint(config, &at, &error))?;
                }
            }
        }
        Step::Drop(columns) | Step::Keep(columns) => {
            for column in columns {
                glob(at, column)?;
            }
        }
        Step::Floor(_) | Step::Deduplicate(_) => {}
    }
    Ok(())
}

/// The same of rules of names.
pub(super) fn check_rules(config: &Config, at: &str, rules: &[Rule]) -> factory::Result<()> {
    for (index, rule) in rules.iter().enumerate() {
        let at = format!("{at}[{index}]");
        let (needed, not) = match rule.r#type {
            RuleType::Direct => (
                [("from", &rule.from), ("to", &rule.to)],
                [("pattern", &rule.pattern), ("replacement", &rule.replacement)],
            ),
            RuleType::Pattern => (
                [("pattern", &rule.pattern), ("replacement", &rule.replacement)],
                [("from", &rule.from), ("to", &rule.to)],
            ),
        };
        if let Some((name, _)) = needed.iter().find(|(_, value)| value.is_none()) {
            return Err(config.complaint(&at, format!("`{name}` is missing")).into());
        }
        if let Some((name, _)) = not.iter().find(|(_, value)| value.is_some()) {
            let what = "is for rules of the other type";
            return Err(config.complaint(&format!("{at}.{name}"), what).into());
        }
        if let Some(pattern) = &rule.pattern {
            super::rename::regex(pattern)
                .map_err(|error| config.complaint(&format!("{at}.pattern"), error.to_string()))?;
        }
    }
    Ok(())
}

/// The field `transforms` of a factory's schema.
pub(crate) fn field(about: &'static str) -> Field {
    let one = Schema::any_of([Schema::text().about("The path of a transform"), step_schema()]);
    Field::optional("transforms", Schema::list(one), about)
}

/// The schema of rules of names.
pub(super) fn rules_schema() -> Schema {
    Schema::list(Schema::object([
        Field::required("type", Schema::one_of(&["direct", "pattern"]), "How columns are found"),
        Field::optional("from", Schema::text(), "direct: the column's name"),
        Field::optional("to", Schema::text(), "direct: its name from here on"),
        Field::optional("cast", type_schema(), "Its type from here on"),
        Field::optional("optional", Schema::boolean(), "direct: its absence is no error"),
        Field::optional("pattern", Schema::text(), "pattern: a regular expression over names"),
        Field::optional("replacement", Schema::text(), "pattern: with `$1` for its groups"),
    ]))
}

fn type_schema() -> Schema {
    Schema::one_of(&["bool", "int64", "float64", "utf8", "timestamp"])
}

/// The schema of one transform.
pub(super) fn step_schema() -> Schema {
    let globs = || Schema::list(Schema::text());
    let columns = || Schema::object([Field::required("columns", globs(), "Patterns of names")]);
    let rename =
        Schema::object([Field::required("rules", rules_schema(), "Tried one after another")]);
    let cast = Schema::object([
        Field::required("columns", Schema::map(type_schema()), "Types by patterns of names"),
        Field::optional("try", Schema::boolean(), "What does not cast is null, not an error"),
    ]);
    let change = Schema::any_of([
        Schema::text(),
        Schema::object([
            Field::optional("from", Schema::text(), "The unit, where the column has none"),
            Field::required("to", Schema::text(), "The unit from here on"),
        ]),
    ]);
    let convert = Schema::object([Field::required(
        "columns",
        Schema::map(change),
        "Units by patterns of names",
    )]);
    let floor = Schema::object([Field::required("time", Schema::instant(), "The earliest time")]);
    let deduplicate = Schema::object([
        Field::optional("key", Schema::list(Schema::text()), "Columns beside the time"),
        Field::optional("keep", Schema::one_of(&["first", "last"]), "Which row stays"),
        Field::optional("by", Schema::list(Schema::text()), "Columns that order the rows"),
    ]);
    Schema::object([
        Field::optional("rename", rename, "Other names"),
        Field::optional("cast", cast, "Other types"),
        Field::optional("convert", convert, "Other units"),
        Field::optional("drop", columns(), "Without these columns"),
        Field::optional("keep", columns(), "With the time and these columns alone"),
        Field::optional("floor", floor, "Without rows before a time"),
        Field::optional("deduplicate", deduplicate, "One row an instant and key"),
    ])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn transforms_are_written_as_they_are_read() {
        let text = "\
steps:
  - /a/transform
  - rename: { rules: [{ type: direct, from: a, to: b, cast: int64, optional: true }] }
  - rename: { rules: [{ type: pattern, pattern: '^x(.*)', replacement: 'y$1' }] }
  - cast: { columns: { a: float64 }, try: true }
  - convert: { columns: { a: degC, b: { from: psi, to: mmHg } } }
  - drop: { columns: [a, 'b*'] }
  - keep: { columns: [c] }
  - floor: { time: 2024-01-01T00:00:00Z }
  - deduplicate: { key: [a], keep: first, by: [b] }
";
        #[derive(Debug, Deserialize, Serialize)]
        struct All {
            steps: Vec<TransformRef>,
        }
        let read: All = Config::parse("/c", text).unwrap().read().unwrap();
        let written = serde_json::to_string(&read).unwrap();
        let again: All = Config::parse("/c", &written).unwrap().read().unwrap();
        assert_eq!(read.steps.len(), 9);
        assert_eq!(format!("{read:?}"), format!("{again:?}"));
    }
}
