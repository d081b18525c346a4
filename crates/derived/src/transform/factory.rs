//! The factories `column-rename` and `transform`: transforms that have a name,
//! so that many inputs can go through the same.
//!
//! Their nodes are files whose bytes are their configuration.

use factory::config::{Field, Schema};
use factory::{About, Config, Factory};
use query::Inputs;
use serde::Deserialize;
use tinyfs::EntryType;

use super::TransformRef;
use super::config::{Rules, Step, check_rules, check_step, rules_schema, step_schema};
use crate::input::pond_path;
use crate::{Error, Result};

const COLUMN_RENAME: &str = "column-rename";
const TRANSFORM: &str = "transform";

/// Other names for columns.
#[derive(Debug)]
pub(crate) struct ColumnRename;

/// Transforms one after another.
#[derive(Debug)]
pub(crate) struct TransformSteps;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct TransformConfig {
    steps: Vec<Step>,
}

impl Factory for ColumnRename {
    fn about(&self) -> About {
        let rules = Field::required("rules", rules_schema(), "Tried one after another");
        About {
            name: COLUMN_RENAME,
            summary: "other names for the columns of inputs that name it among their transforms",
            schema: Schema::object([rules]).into_json(),
            example: "\
rules:
  - { type: direct, from: Temp, to: temperature }
  - { type: pattern, pattern: '^Depth \\((.*)\\)$', replacement: depth.$1 }
",
            raw: &[],
            runs: false,
            hidden: false,
        }
    }

    fn check(&self, config: &Config) -> factory::Result<EntryType> {
        let read: Rules = config.read()?;
        check_rules(config, "rules", &read.rules)?;
        Ok(EntryType::DynamicData)
    }
}

impl Factory for TransformSteps {
    fn about(&self) -> About {
        let steps = Field::required("steps", Schema::list(step_schema()), "One after another");
        About {
            name: TRANSFORM,
            summary: "transforms for inputs that name it: rename, cast, convert, drop, keep, floor, deduplicate",
            schema: Schema::object([steps]).into_json(),
            example: "\
steps:
  - convert: { columns: { '*.pressure*': mmHg } }
  - drop: { columns: ['*battery*'] }
  - floor: { time: 2010-01-01T00:00:00Z }
",
            raw: &[],
            runs: false,
            hidden: false,
        }
    }

    fn check(&self, config: &Config) -> factory::Result<EntryType> {
        let read: TransformConfig = config.read()?;
        for (index, step) in read.steps.iter().enumerate() {
            check_step(config, &format!("steps[{index}]"), step)?;
        }
        Ok(EntryType::DynamicData)
    }
}

/// The transforms that references name.
pub(super) async fn resolve(all: &[TransformRef], inputs: &Inputs) -> Result<Vec<Step>> {
    let mut steps = Vec::with_capacity(all.len());
    for one in all {
        match one {
            TransformRef::Step(step) => steps.push((**step).clone()),
            TransformRef::Node(text) => {
                let found = inputs.fs().resolve(&pond_path(text)?).await?;
                let wrong = || Error::Input {
                    text: text.clone(),
                    what: "it is neither a `transform` nor a `column-rename`".to_owned(),
                };
                match found.node.factory.as_deref() {
                    Some(COLUMN_RENAME) => {
                        let rules: Rules =
                            factory::read_config(inputs.fs().store(), &found).await?.read()?;
                        steps.push(Step::Rename(rules.rules));
                    }
                    Some(TRANSFORM) => {
                        let read: TransformConfig =
                            factory::read_config(inputs.fs().store(), &found).await?.read()?;
                        steps.extend(read.steps);
                    }
                    _ => return Err(wrong()),
                }
            }
        }
    }
    Ok(steps)
}
