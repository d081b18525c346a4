//! Brings all tiles of a reduction up to date, as `pond run` does.

use std::collections::BTreeMap;

use factory::{RunReport, read_config};
use futures::stream::{self, StreamExt};
use query::Session;
use tinyfs::{FsPath, Glob, GlobOptions};

use super::build::Built;
use super::config::TemporalReduceConfig;
use super::series::{REDUCED_SERIES, ReducedSeriesConfig, Reduction};
use super::tiles::Refreshed;
use crate::{Derived, Result};

/// Series at work at once.
const AT_ONCE: usize = 2;

impl Derived {
    /// Brings the tiles of every reduction at and below `path` up to the view
    /// of `session`. A series that fails is told of and does not stop the
    /// others.
    ///
    /// # Errors
    /// What finding them says.
    pub async fn refresh(&self, session: &Session, path: &str) -> Result<RunReport> {
        let inputs = session.inputs();
        let mut sources: BTreeMap<(String, String), TemporalReduceConfig> = BTreeMap::new();
        let options = GlobOptions { hidden: true, follow: false };
        let mut below = inputs.fs().matches(Glob::below(&FsPath::parse(path)?), options);
        while let Some(found) = below.next().await? {
            if found.path.node.factory.as_deref() == Some(REDUCED_SERIES) {
                let config = read_config(inputs.fs().store(), &found.path).await?;
                let config: ReducedSeriesConfig = config.read()?;
                sources.insert((config.source, config.reduce.meaning()), config.reduce);
            }
        }
        let work = sources.into_iter().map(|((source, _), config)| {
            let inputs = &inputs;
            async move {
                let done = self.refresh_one(&source, &config, inputs).await;
                (source, done)
            }
        });
        let mut done: Vec<(String, Result<Refreshed>)> =
            stream::iter(work.collect::<Vec<_>>()).buffer_unordered(AT_ONCE).collect().await;
        done.sort_by(|a, b| a.0.cmp(&b.0));
        let mut report = RunReport::default();
        for (source, refreshed) in done {
            match refreshed {
                Ok(Refreshed::Direct) => {
                    report.lines.push(format!("{source}: no tiles are kept for this state"));
                }
                Ok(Refreshed::Tiles { built, .. }) => report.lines.push(line(&source, built)),
                Err(error) => report.failures.push((source, Box::new(error))),
            }
        }
        Ok(report)
    }

    async fn refresh_one(
        &self,
        source: &str,
        config: &TemporalReduceConfig,
        inputs: &query::Inputs,
    ) -> Result<Refreshed> {
        let reduction = Reduction::open(source, config, inputs, self).await?;
        self.tiles().refresh(&reduction.source, &[]).await
    }
}

fn line(source: &str, built: Built) -> String {
    let Built { rows_read, buckets, tiles_written } = built;
    if built == Built::default() {
        return format!("{source}: up to date");
    }
    format!("{source}: {buckets} buckets in {tiles_written} tiles made from {rows_read} rows")
}
