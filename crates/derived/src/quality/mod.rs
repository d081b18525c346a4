//! The factory `quality`: a series with a flag beside each tested column, after
//! the flag values of QARTOD (IOOS, *Manual for Real-Time Quality Control of
//! Data*): 1 pass, 2 not evaluated, 3 suspect, 4 fail, 9 missing.
//!
//! - [`config`]: what is tested, and how.
//! - [`flags`]: the tests of one column, reading by reading.
//! - [`exec`], [`table`]: rows with their flags, in the order of time.
//!
//! Always true: a flag is a function of the set of rows no earlier than the
//! tests look back, so it does not matter which part of a series is read, nor
//! in which order rows of one time come; what is held is the readings within
//! the longest window and one batch.
//!
//! Deliberately not here: leaving readings out, which is for whoever reads the
//! flags.

mod config;
mod exec;
mod flags;
#[cfg(test)]
mod model;
mod table;

use std::collections::HashMap;
use std::sync::Arc;

use async_trait::async_trait;
use factory::{About, Config, Factory};
use query::{Inputs, Locality};
use tinyfs::{EntryType, NodePath};

use self::config::QualityConfig;
use self::flags::Test;
use self::table::{QualityTable, Tested};
use crate::column_glob::ColumnGlob;
use crate::computed::{Derived, Planned, Planner};
use crate::join_table::time_column;
use crate::{Error, Result, input, transform};

/// What a column of flags is called beside the column that was tested.
pub(crate) const FLAG: &str = ".flag";

/// A series with flags.
#[derive(Debug)]
pub(crate) struct Quality;

impl Factory for Quality {
    fn about(&self) -> About {
        About {
            name: "quality",
            summary: "a series with a QARTOD flag beside each tested column",
            schema: QualityConfig::schema().into_json(),
            example: "\
input: /sensors/dock.series
tests:
  - columns: [temperature]
    range: { fail: [-5, 45], suspect: [0, 30] }
    rate_of_change: { per: 1h, suspect: 3, fail: 10 }
    flat_line: { tolerance: 0.001, suspect_after: 3h, fail_after: 12h }
    gap: { longer_than: 2h }
",
            raw: &[],
            runs: false,
            hidden: false,
        }
    }

    fn check(&self, config: &Config) -> factory::Result<EntryType> {
        let read: QualityConfig = config.read()?;
        read.check(config)?;
        Ok(EntryType::DynamicSeries)
    }
}

#[async_trait]
impl Planner for Quality {
    async fn plan(
        &self,
        _node: &NodePath,
        config: &Config,
        inputs: &Inputs,
        derived: &Derived,
    ) -> Result<Planned> {
        let config: QualityConfig = config.read()?;
        let input = input::table(&config.input, inputs, derived).await?;
        let input = transform::apply(input, &config.transforms, inputs).await?;
        let time = time_column(config.time_column.as_deref(), &input)?;
        let tested = tested(&config, &input.provider.schema(), &time)?;
        let longest = tested.iter().flat_map(|one| &one.tests).map(Test::looks_back_us).max();
        let after_us = longest.unwrap_or_default();
        let locality = match after_us {
            0 => Locality::Same,
            after_us => Locality::Within { before_us: 0, after_us },
        };
        let (lineage, notes) = (Arc::clone(&input.lineage), input.notes.clone());
        let time_unit = input.time_unit;
        let table = QualityTable::new(input, &config.input, &time, tested)?;
        Ok(Planned {
            provider: Arc::new(table),
            time_column: Some(Arc::from(time)),
            time_unit,
            inputs: vec![lineage],
            locality,
            notes,
        })
    }
}

/// The columns that are tested, in the order of the input, each with all tests
/// that name it.
fn tested(
    config: &QualityConfig,
    schema: &arrow::datatypes::Schema,
    time: &str,
) -> Result<Vec<Tested>> {
    let mut tests: HashMap<usize, Vec<Test>> = HashMap::new();
    for entry in &config.tests {
        let mut matched = vec![false; schema.fields().len()];
        for pattern in &entry.columns {
            let glob = ColumnGlob::parse(pattern)?;
            let mut any = false;
            for (at, field) in schema.fields().iter().enumerate() {
                if field.name() == time || !glob.matches(field.name()) {
                    continue;
                }
                if !field.data_type().is_numeric() {
                    return Err(Error::NotNumeric {
                        column: field.name().clone(),
                        actual: query::plain_type(field.data_type()).to_string(),
                    });
                }
                (any, matched[at]) = (true, true);
            }
            if !any {
                let names = schema.fields().iter().map(|field| field.name().as_str());
                return Err(glob.no_match(names.filter(|name| *name != time)));
            }
        }
        for (at, _) in matched.iter().enumerate().filter(|(_, matched)| **matched) {
            tests.entry(at).or_default().extend(entry.tests());
        }
    }
    let mut tested: Vec<Tested> =
        tests.into_iter().map(|(column, tests)| Tested { column, tests }).collect();
    tested.sort_by_key(|one| one.column);
    Ok(tested)
}
