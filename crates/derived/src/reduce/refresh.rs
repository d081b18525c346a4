//! Brings all tiles of a reduction up to date, as `pond run` does.

use std::collections::BTreeMap;
use std::sync::Arc;

use factory::{RunReport, read_config};
use query::{Runner, Session};
use tinyfs::{FsPath, Glob, GlobOptions};
use tokio::task::JoinSet;

use super::build::Built;
use super::config::TemporalReduceConfig;
use super::series::{REDUCED_SERIES, ReducedSeriesConfig, Reduction};
use super::tiles::{REFRESH, Refreshed};
use crate::handover::broken_off;
use crate::windows::Windows;
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
    pub async fn refresh(self: &Arc<Self>, session: &Session, path: &str) -> Result<RunReport> {
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
        let mut due = sources.into_iter();
        let runner = inputs.runner().with(Arc::new(Windows::default()));
        let mut done: Vec<(String, Result<Refreshed>)> = Vec::new();
        // Each is a task: to plan one takes about as long as to read what is new
        // in another.
        let mut at_work = JoinSet::new();
        loop {
            while at_work.len() < AT_ONCE
                && let Some(((source, _), config)) = due.next()
            {
                let (derived, inputs) = (Arc::clone(self), inputs.clone());
                let runner = runner.clone();
                at_work.spawn(async move {
                    let done = derived.refresh_one(&source, &config, &inputs, runner).await;
                    (source, done)
                });
            }
            match at_work.join_next().await {
                Some(Ok(one)) => done.push(one),
                Some(Err(panic)) => return Err(broken_off(REFRESH, panic)),
                None => break,
            }
        }
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
        runner: Runner,
    ) -> Result<Refreshed> {
        let reduction = Reduction::open_with(source, config, inputs, runner, self).await?;
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
