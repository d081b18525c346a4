//! The factory `temporal-reduce`, and the two that it makes nodes of.

use async_trait::async_trait;
use factory::config::{Field, Schema};
use factory::{About, Child, Config, Factory, Look, RunContext, RunReport};
use futures::FutureExt;
use futures::future::LocalBoxFuture;
use tinyfs::EntryType;

use super::config::TemporalReduceConfig;
use super::directory::{REDUCED_DIRECTORY, ReducedDirectoryConfig, entries, outs};
use super::series::{REDUCED_SERIES, ReducedSeriesConfig};
use crate::{Error, transform};

/// Series cut into buckets of time: a directory.
#[derive(Debug)]
pub(crate) struct TemporalReduce;

const EXAMPLE: &str = "\
in_pattern: /combined/*.series
out_pattern: $0
time_zone: America/Los_Angeles
resolutions: [1h, 4h, day, month]
aggregations:
  - { type: avg }
  - { type: max, columns: [\"*.temperature.*\"] }
";

#[async_trait]
impl Factory for TemporalReduce {
    fn about(&self) -> About {
        About {
            name: "temporal-reduce",
            summary: "series cut into buckets of time, in tiles that stay current",
            schema: TemporalReduceConfig::schema().into_json(),
            example: EXAMPLE,
            raw: &[],
            runs: true,
            hidden: false,
        }
    }

    fn check(&self, config: &Config) -> factory::Result<EntryType> {
        let read: TemporalReduceConfig = config.read()?;
        read.check(config)?;
        transform::check(config, "transforms", &read.transforms)?;
        Ok(EntryType::DynamicDirectory)
    }

    async fn children(&self, look: &Look, config: &Config) -> factory::Result<Vec<Child>> {
        let reduce: TemporalReduceConfig = config.read()?;
        let children = async {
            let outs = outs(look, &reduce).await?;
            entries(&look.path, &ReducedDirectoryConfig { outs, reduce })
        };
        children.await.map_err(|error| listing(look, error))
    }

    fn run<'a>(
        &'a self,
        context: RunContext<'a>,
    ) -> LocalBoxFuture<'a, factory::Result<RunReport>> {
        async move {
            match context.args.first() {
                None => context.doors.refresh(context.path).await,
                Some(argument) => Err(factory::Error::NoArguments {
                    factory: self.about().name,
                    argument: argument.clone(),
                }),
            }
        }
        .boxed_local()
    }
}

/// A directory on the way to reduced series.
#[derive(Debug)]
pub(crate) struct ReducedDirectory;

#[async_trait]
impl Factory for ReducedDirectory {
    fn about(&self) -> About {
        About {
            name: REDUCED_DIRECTORY,
            summary: "a directory of a reduction",
            schema: Schema::object([
                Field::required("outs", Schema::list(Schema::any_object()), "Series, and where"),
                Field::required("reduce", TemporalReduceConfig::schema(), "The reduction"),
            ])
            .into_json(),
            example: "\
outs: [{ path: [North], source: /combined/North.series }]
reduce:
  in_pattern: /combined/*.series
  out_pattern: $0
  resolutions: [1h]
  aggregations: [{ type: avg }]
",
            raw: &[],
            runs: false,
            hidden: true,
        }
    }

    fn check(&self, config: &Config) -> factory::Result<EntryType> {
        config.read::<ReducedDirectoryConfig>()?;
        Ok(EntryType::DynamicDirectory)
    }

    async fn children(&self, look: &Look, config: &Config) -> factory::Result<Vec<Child>> {
        let config: ReducedDirectoryConfig = config.read()?;
        entries(&look.path, &config).map_err(|error| listing(look, error))
    }
}

/// One resolution of one series.
#[derive(Debug)]
pub(crate) struct ReducedSeriesFactory;

#[async_trait]
impl Factory for ReducedSeriesFactory {
    fn about(&self) -> About {
        About {
            name: REDUCED_SERIES,
            summary: "one resolution of a reduced series",
            schema: Schema::object([
                Field::required("source", Schema::text(), "The series"),
                Field::required("resolution", Schema::text(), "One of the reduction's"),
                Field::required("reduce", TemporalReduceConfig::schema(), "The reduction"),
            ])
            .into_json(),
            example: "\
source: /combined/North.series
resolution: 1h
reduce:
  in_pattern: /combined/*.series
  out_pattern: $0
  resolutions: [1h]
  aggregations: [{ type: avg }]
",
            raw: &[],
            runs: false,
            hidden: true,
        }
    }

    fn check(&self, config: &Config) -> factory::Result<EntryType> {
        config.read::<ReducedSeriesConfig>()?;
        Ok(EntryType::DynamicSeries)
    }
}

fn listing(look: &Look, error: Error) -> factory::Error {
    match error {
        Error::Factory(error) => error,
        Error::Config(error) => error.into(),
        Error::Query(query::Error::Store(error)) => error.into(),
        error => factory::Error::Run {
            doing: format!("`{}` can not be listed", look.path),
            source: Box::new(error),
        },
    }
}
