//! One resolution of one series: plans the nodes that a reduction's
//! directories hold.

use std::sync::Arc;

use arrow::datatypes::SchemaRef;
use async_trait::async_trait;
use factory::Config;
use query::{ComputedTable, Inputs, Locality, Runner};
use serde::{Deserialize, Serialize};
use tinyfs::{ContentHash, NodePath};

use super::build::Shape;
use super::columns::Columns;
use super::config::TemporalReduceConfig;
use super::pond_rows::PondRows;
use super::resolution::Resolution;
use super::table::ReducedTable;
use super::tiles::Source;
use crate::computed::{Planned, Planner};
use crate::time_column::TimeColumn;
use crate::{Derived, Error, Result, changes, input, transform};

/// The factory of what a reduction's directories hold.
pub(crate) const REDUCED_SERIES: &str = "reduced-series";

/// How much of a key's hash is a directory's name.
const KEY_HEX: usize = 32;

/// One resolution of one series.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ReducedSeriesConfig {
    pub(crate) source: String,
    pub(crate) resolution: Resolution,
    pub(crate) reduce: TemporalReduceConfig,
}

/// A series and what it is reduced to, at all resolutions.
#[derive(Debug)]
pub(crate) struct Reduction {
    pub(crate) source: Source,
    pub(crate) columns: Arc<Columns>,
    pub(crate) time: String,
    input: ComputedTable,
}

impl Reduction {
    /// Opens the series at `path`, to be reduced as `config` says.
    pub(crate) async fn open(
        path: &str,
        config: &TemporalReduceConfig,
        inputs: &Inputs,
        derived: &Derived,
    ) -> Result<Self> {
        Self::open_with(path, config, inputs, inputs.runner(), derived).await
    }

    /// The same, its rows read by `runner`.
    pub(crate) async fn open_with(
        path: &str,
        config: &TemporalReduceConfig,
        inputs: &Inputs,
        runner: Runner,
        derived: &Derived,
    ) -> Result<Self> {
        let input = input::table(path, inputs, derived).await?;
        let input = transform::apply(input, &config.transforms, inputs).await?;
        let schema = input.provider.schema();
        let name = config.time_column.as_deref().or(input.time_column.as_deref());
        let Some(name) = name else {
            let candidates = schema
                .fields()
                .iter()
                .filter(|field| field.data_type().is_temporal())
                .map(|field| field.name().clone())
                .collect();
            return Err(Error::TimeColumn { candidates });
        };
        let time = TimeColumn::of(&schema, name, input.time_unit)?;
        let columns = Columns::of(config, &schema, name)?;
        let zone = config.zone()?;
        let levels = config.levels(&zone)?;
        let key = {
            let lineage = changes::definition(&input.lineage);
            let pond = derived.place().pond;
            let meaning = config.meaning();
            let text = format!("duckpond tiles 1\n{pond}\n{meaning}\n{path}\n{lineage}\n");
            let mut hex = ContentHash::of(text.as_bytes()).to_string();
            hex.truncate(KEY_HEX);
            hex
        };
        let rows = PondRows {
            provider: Arc::clone(&input.provider),
            time,
            columns: Arc::clone(&columns.reduced),
            exclude_flags: config.exclude_flags.clone(),
            lineage: Arc::clone(&input.lineage),
            store: Arc::clone(inputs.fs().store()),
            // Its rows come in the order of time: pieces side by side would only
            // be held until their turn.
            runner: runner.in_order(),
            path: path.to_owned(),
        };
        let shape = Shape::new(levels, Arc::clone(&columns.reduced), zone, key);
        Ok(Self {
            source: Source { shape: Arc::new(shape), rows: Arc::new(rows), path: path.to_owned() },
            columns: Arc::new(columns),
            time: name.to_owned(),
            input,
        })
    }
}

impl Reduction {
    /// Which of its levels a resolution is, and the columns of that.
    pub(crate) fn level(&self, resolution: &Resolution) -> Option<(usize, SchemaRef)> {
        let (shape, width) = (&self.source.shape, resolution.width());
        let level = shape.levels.iter().position(|level| level.resolution.width() == width)?;
        Some((level, self.columns.schema(&self.time, resolution, &shape.zone)))
    }
}

/// Plans one resolution.
pub(crate) struct ReducedSeries;

#[async_trait]
impl Planner for ReducedSeries {
    async fn plan(
        &self,
        _node: &NodePath,
        config: &Config,
        inputs: &Inputs,
        derived: &Derived,
    ) -> Result<Planned> {
        let config: ReducedSeriesConfig = config.read()?;
        let opened = Reduction::open(&config.source, &config.reduce, inputs, derived).await?;
        let level = opened.level(&config.resolution);
        let Reduction { source, columns, time, input } = opened;
        let Some((level, schema)) = level else {
            let what = format!("`{}` is no resolution of its reduction", config.resolution);
            return Err(Error::Query(query::Error::BadRequest { what }));
        };
        let table =
            ReducedTable { tiles: Arc::clone(derived.tiles()), source, level, columns, schema };
        Ok(Planned {
            provider: Arc::new(table),
            time_column: Some(Arc::from(time)),
            time_unit: None,
            inputs: vec![input.lineage],
            locality: Locality::Within { before_us: config.resolution.longest_us(), after_us: 0 },
            notes: Vec::new(),
        })
    }
}
