//! The factory `timeseries-pivot`: the same columns of many series, side by
//! side.

use async_trait::async_trait;
use diagnostics::log_warn;
use factory::config::{Field, Schema};
use factory::{About, Config, Factory};
use query::Inputs;
use serde::Deserialize;
use tinyfs::{EntryType, Match, NodePath};

use crate::Result;
use crate::column_glob::ColumnGlob;
use crate::computed::{Derived, Planned, Planner};
use crate::input::pond_path;
use crate::join::{TIME, planned};
use crate::join_table::{Member, time_column};
use crate::transform::{self, TransformRef};

/// Columns of many series, side by side.
#[derive(Debug)]
pub(crate) struct TimeseriesPivot;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct PivotConfig {
    pattern: String,
    columns: Vec<String>,
    time_column: Option<String>,
    #[serde(default)]
    transforms: Vec<TransformRef>,
}

impl Factory for TimeseriesPivot {
    fn about(&self) -> About {
        let columns = Schema::list(Schema::text());
        About {
            name: "timeseries-pivot",
            summary: "the same columns of many series, side by side",
            schema: Schema::object([
                Field::required("pattern", Schema::text(), "A glob of series"),
                Field::required("columns", columns, "Globs over the names of their columns"),
                Field::optional(
                    "time_column",
                    Schema::text().default(TIME),
                    "What the time is called",
                ),
                transform::field("What each series goes through first"),
            ])
            .into_json(),
            example: "\
pattern: /combined/*.series
columns: [\"*.temperature.*\"]
",
            raw: &[],
            runs: false,
            hidden: false,
        }
    }

    fn check(&self, config: &Config) -> factory::Result<EntryType> {
        let read: PivotConfig = config.read()?;
        pond_path(&read.pattern).map_err(|error| config.complaint("pattern", error.to_string()))?;
        if read.columns.is_empty() {
            return Err(config.complaint("columns", "is empty").into());
        }
        for (index, column) in read.columns.iter().enumerate() {
            ColumnGlob::parse(column).map_err(|error| {
                config.complaint(&format!("columns[{index}]"), error.to_string())
            })?;
        }
        transform::check(config, "transforms", &read.transforms)?;
        Ok(EntryType::DynamicSeries)
    }
}

/// What a match's columns begin with: what its wildcards stand for, or its name
/// without an extension.
fn scope(found: &Match) -> String {
    if !found.captures.is_empty() {
        return found.captures.join(".");
    }
    let name = found.path.name();
    match name.rsplit_once('.') {
        Some((stem, _)) if !stem.is_empty() => stem.to_owned(),
        _ => name.to_owned(),
    }
}

#[async_trait]
impl Planner for TimeseriesPivot {
    async fn plan(
        &self,
        node: &NodePath,
        config: &Config,
        inputs: &Inputs,
        _derived: &Derived,
    ) -> Result<Planned> {
        let config: PivotConfig = config.read()?;
        let globs = config.columns.iter().map(|text| ColumnGlob::parse(text));
        let globs = globs.collect::<Result<Vec<_>>>()?;
        let mut nothing = None;
        let found = match inputs.members(&pond_path(&config.pattern)?).await {
            Ok(found) => found,
            // There may be some one day.
            Err(query::Error::NoMatch { pattern }) => {
                let path = node.path.as_str();
                log_warn!("{path} has no rows: no series matches {pattern}", path, pattern);
                nothing = Some(format!("no series matches `{pattern}`, so there are no rows"));
                Vec::new()
            }
            Err(error) => return Err(error.into()),
        };
        let mut members = Vec::new();
        let mut notes = Vec::from_iter(nothing);
        let mut seen: Vec<String> = Vec::new();
        let mut used = vec![found.is_empty(); globs.len()];
        for (found, table) in found {
            let table = transform::apply(table, &config.transforms, inputs).await?;
            let time = time_column(None, &table)?;
            let schema = table.provider.schema();
            let mut columns = Vec::new();
            for field in schema.fields().iter().filter(|field| *field.name() != time) {
                let mut wanted = false;
                for (glob, used) in globs.iter().zip(&mut used) {
                    if glob.matches(field.name()) {
                        (wanted, *used) = (true, true);
                    }
                }
                if wanted {
                    columns.push(field.name().clone());
                }
                seen.push(field.name().clone());
            }
            if columns.is_empty() {
                notes.push(format!("`{}` has none of the columns", found.path.path));
                continue;
            }
            members.push(Member {
                scope: scope(&found),
                name: found.path.path,
                table,
                time_column: time,
                columns,
                start_us: None,
                end_us: None,
                only_values: true,
            });
        }
        if let Some(unused) = globs.iter().zip(&used).find(|(_, used)| !**used) {
            seen.sort();
            seen.dedup();
            return Err(unused.0.no_match(seen.iter().map(String::as_str)));
        }
        let time = config.time_column.as_deref().unwrap_or(TIME);
        planned(members, time, &[], inputs, notes).await
    }
}
