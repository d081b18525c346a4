//! The factories there are, in one table.

use std::sync::Arc;

use factory::{Factory, Registry};

use crate::computed::Planner;

/// All factories of this program.
#[must_use]
pub fn registry() -> Registry {
    let all: Vec<Arc<dyn Factory>> = vec![
        Arc::new(crate::dynamic_dir::DynamicDir),
        Arc::new(crate::sql::SqlTable),
        Arc::new(crate::sql::SqlSeries),
        Arc::new(crate::join::TimeseriesJoin),
        Arc::new(crate::pivot::TimeseriesPivot),
        Arc::new(crate::quality::Quality),
        Arc::new(crate::inbox::Inbox),
        Arc::new(crate::reduce::TemporalReduce),
        Arc::new(crate::reduce::ReducedDirectory),
        Arc::new(crate::reduce::ReducedSeriesFactory),
        Arc::new(crate::synthetic::Synthetic),
        Arc::new(crate::template::TemplateFactory),
        Arc::new(crate::template::RenderedFile),
        Arc::new(crate::transform::ColumnRename),
        Arc::new(crate::transform::TransformSteps),
    ];
    Registry::new(all)
}

/// What plans the nodes of the factory of this name; `None` for a factory
/// whose nodes are not computed from others.
pub(crate) fn planner(factory: &str) -> Option<&'static dyn Planner> {
    match factory {
        "sql-derived-table" => Some(&crate::sql::SqlTable),
        "timeseries-join" => Some(&crate::join::TimeseriesJoin),
        "timeseries-pivot" => Some(&crate::pivot::TimeseriesPivot),
        "sql-derived-series" => Some(&crate::sql::SqlSeries),
        "reduced-series" => Some(&crate::reduce::ReducedSeries),
        "quality" => Some(&crate::quality::Quality),
        "template" => Some(&crate::template::TemplateFactory),
        "rendered-file" => Some(&crate::template::RenderedFile),
        "synthetic-timeseries" => Some(&crate::synthetic::Synthetic),
        _ => None,
    }
}
