//! The factory `timeseries-join`: series side by side, a row an instant.

use std::sync::Arc;

use async_trait::async_trait;
use factory::config::{Field, Instant, Schema};
use factory::{About, Config, Factory};
use query::{ComputedTable, Inputs, Lineage, Locality};
use serde::Deserialize;
use tinyfs::{ContentHash, EntryType, NodePath};

use crate::computed::{Derived, Planned, Planner};
use crate::input::{self, Input};
use crate::join_table::{JoinTable, Member, time_column};
use crate::transform::{self, TransformRef};
use crate::windows::Windowed;
use crate::{Error, Result};

/// What the time of a join is called unless it is said.
pub(crate) const TIME: &str = "timestamp";

/// Series side by side.
#[derive(Debug)]
pub(crate) struct TimeseriesJoin;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct JoinConfig {
    inputs: Vec<JoinInput>,
    time_column: Option<String>,
    #[serde(default)]
    transforms: Vec<TransformRef>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct JoinInput {
    pattern: String,
    scope: String,
    range: Option<Range>,
    #[serde(default)]
    transforms: Vec<TransformRef>,
    time_column: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Range {
    begin: Option<Instant>,
    end: Option<Instant>,
}

impl Factory for TimeseriesJoin {
    fn about(&self) -> About {
        let range = Schema::object([
            Field::optional("begin", Schema::instant(), "The first instant that counts"),
            Field::optional("end", Schema::instant(), "The last instant that counts"),
        ]);
        let input = Schema::object([
            Field::required("pattern", Schema::text(), "A series, or a glob of series"),
            Field::required("scope", Schema::text(), "What the names of its columns begin with"),
            Field::optional("range", range, "The part of it that counts, both ends included"),
            transform::field("What it goes through first"),
            Field::optional("time_column", Schema::text(), "Its column of times"),
        ]);
        let time = Schema::text().default(TIME);
        About {
            name: "timeseries-join",
            summary: "series side by side, one row an instant",
            schema: Schema::object([
                Field::required("inputs", Schema::list(input), "The series, in order"),
                Field::optional("time_column", time, "What the time is called"),
                transform::field("What the result goes through"),
            ])
            .into_json(),
            example: "\
inputs:
  - { pattern: /sensors/north.series, scope: North, range: { end: 2025-06-01T00:00:00Z } }
  - { pattern: /sensors/north2.series, scope: North, range: { begin: 2025-06-01T00:00:00Z } }
  - { pattern: /sensors/south.series, scope: South }
",
            raw: &[],
            runs: false,
            hidden: false,
        }
    }

    fn check(&self, config: &Config) -> factory::Result<EntryType> {
        let read: JoinConfig = config.read()?;
        if read.inputs.is_empty() {
            return Err(config.complaint("inputs", "is empty").into());
        }
        for (index, input) in read.inputs.iter().enumerate() {
            let at = format!("inputs[{index}]");
            input::check(&input.pattern)
                .map_err(|error| config.complaint(&format!("{at}.pattern"), error.to_string()))?;
            if input.scope.is_empty() {
                return Err(config.complaint(&format!("{at}.scope"), "is empty").into());
            }
            if let Some(Range { begin: Some(begin), end: Some(end) }) = &input.range
                && begin > end
            {
                let what = "begins after its end";
                return Err(config.complaint(&format!("{at}.range"), what).into());
            }
            transform::check(config, &format!("{at}.transforms"), &input.transforms)?;
        }
        transform::check(config, "transforms", &read.transforms)?;
        Ok(EntryType::DynamicSeries)
    }
}

#[async_trait]
impl Planner for TimeseriesJoin {
    async fn plan(
        &self,
        _node: &NodePath,
        config: &Config,
        inputs: &Inputs,
        derived: &Derived,
    ) -> Result<Planned> {
        let config: JoinConfig = config.read()?;
        let mut members = Vec::new();
        for input in &config.inputs {
            for (name, table) in tables(&input.pattern, inputs, derived).await? {
                let table = transform::apply(table, &input.transforms, inputs).await?;
                let time_column = time_column(input.time_column.as_deref(), &table)?;
                let schema = table.provider.schema();
                let columns = schema.fields().iter().map(|field| field.name());
                let columns = columns.filter(|column| **column != time_column).cloned().collect();
                let range = input.range.as_ref();
                members.push(Member {
                    name,
                    scope: input.scope.clone(),
                    table,
                    time_column,
                    columns,
                    start_us: range.and_then(|range| range.begin).map(|begin| begin.us),
                    end_us: range.and_then(|range| range.end).map(|end| end.us),
                    only_values: false,
                });
            }
        }
        let time = config.time_column.as_deref().unwrap_or(TIME);
        planned(members, time, &config.transforms, inputs, Vec::new()).await
    }
}

/// The tables that a path or a glob stands for, each with its path, in the
/// order of the paths.
async fn tables(
    pattern: &str,
    inputs: &Inputs,
    derived: &Derived,
) -> Result<Vec<(String, ComputedTable)>> {
    let input = Input::parse(pattern)?;
    if !input.is_pattern(inputs).await? {
        let table = input.table(inputs, derived).await?;
        return Ok(vec![(input.path().to_owned(), table)]);
    }
    let members = input.members(inputs, derived).await?;
    Ok(members.into_iter().map(|(found, table)| (found.path.path, table)).collect())
}

/// The join of `members`, after its transforms.
pub(crate) async fn planned(
    members: Vec<Member>,
    time: &str,
    transforms: &[TransformRef],
    inputs: &Inputs,
    notes: Vec<String>,
) -> Result<Planned> {
    let lineages: Vec<Arc<Lineage>> =
        members.iter().map(|member| Arc::clone(&member.table.lineage)).collect();
    let joined = ComputedTable {
        provider: Arc::new(Windowed::new(JoinTable::new(members, time)?)),
        time_column: Some(Arc::from(time)),
        time_unit: None,
        lineage: Arc::new(Lineage::Computed {
            path: "join".to_owned(),
            definition: ContentHash::of(b"join 1"),
            locality: Locality::Same,
            inputs: lineages,
        }),
        notes,
    };
    let result = transform::apply(joined, transforms, inputs).await?;
    let Some(time_column) = result.time_column else {
        return Err(Error::TimeColumn { candidates: Vec::new() });
    };
    Ok(Planned {
        provider: result.provider,
        time_column: Some(time_column),
        time_unit: result.time_unit,
        inputs: vec![result.lineage],
        locality: Locality::Same,
        notes: result.notes,
    })
}
