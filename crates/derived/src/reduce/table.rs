//! One resolution of a reduced series, as a table.
//!
//! A scan brings the tiles up to date and reads those that its filters on time
//! leave, in order. So `EXPLAIN` brings them up to date as well. A tile that
//! turns out to be damaged is made again, and where that does not help its
//! buckets come straight from the rows.

use std::ops::Range;
use std::path::PathBuf;
use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::compute::SortOptions;
use arrow::datatypes::SchemaRef;
use async_trait::async_trait;
use datafusion::catalog::{Session, TableProvider};
use datafusion::error::{DataFusionError, Result as DfResult};
use datafusion::execution::TaskContext;
use datafusion::logical_expr::{Expr, TableProviderFilterPushDown, TableType};
use datafusion::physical_expr::expressions::Column;
use datafusion::physical_expr::{LexOrdering, PhysicalSortExpr};
use datafusion::physical_plan::stream::RecordBatchReceiverStreamBuilder;
use datafusion::physical_plan::streaming::{PartitionStream, StreamingTableExec};
use datafusion::physical_plan::{ExecutionPlan, SendableRecordBatchStream};
use diagnostics::log_warn;
use tokio::sync::mpsc::Sender;

use super::build::{ALWAYS, Damage, within};
use super::columns::Columns;
use super::direct::Direct;
use super::tile_file::Tile;
use super::tiles::{Refreshed, Source, Tiles};
use crate::time_filter::{narrowing, times_of};
use crate::{Error, Result};

/// Batches read before they are asked for.
const BATCHES_AHEAD: usize = 2;

/// One resolution of a reduced series.
#[derive(Clone, Debug)]
pub(crate) struct ReducedTable {
    pub(crate) tiles: Arc<Tiles>,
    pub(crate) source: Source,
    pub(crate) level: usize,
    pub(crate) columns: Arc<Columns>,
    pub(crate) schema: SchemaRef,
}

#[async_trait]
impl TableProvider for ReducedTable {
    fn schema(&self) -> SchemaRef {
        Arc::clone(&self.schema)
    }

    fn table_type(&self) -> TableType {
        TableType::View
    }

    fn supports_filters_pushdown(
        &self,
        filters: &[&Expr],
    ) -> DfResult<Vec<TableProviderFilterPushDown>> {
        Ok(narrowing(filters, self.schema.field(0).name()))
    }

    async fn scan(
        &self,
        _state: &dyn Session,
        projection: Option<&Vec<usize>>,
        filters: &[Expr],
        _limit: Option<usize>,
    ) -> DfResult<Arc<dyn ExecutionPlan>> {
        let wanted: Vec<usize> = match projection {
            Some(projection) => projection.clone(),
            None => (0..self.schema.fields().len()).collect(),
        };
        let schema: SchemaRef = Arc::new(self.schema.project(&wanted)?);
        let name = self.schema.field(0).name();
        let mut range = ALWAYS;
        for filter in filters {
            if let Some(bounds) = times_of(filter, name) {
                range = range.start.max(bounds.start)..range.end.min(bounds.end);
            }
        }
        let refreshed = self.tiles.refresh(&self.source, &[]).await.map_err(external)?;
        let from = match refreshed {
            Refreshed::Direct => From::Rows,
            Refreshed::Tiles { dir, index, .. } => {
                let level = &self.source.shape.levels[self.level];
                let tiles = index
                    .spans(&level.resolution.to_string())
                    .into_iter()
                    .filter(|(_, tile)| tile.may_have(&range))
                    .collect();
                From::Tiles { dir, tiles }
            }
        };
        let ordering = wanted.iter().position(|&at| at == 0).and_then(|at| {
            let time = Arc::new(Column::new(name, at));
            let options = SortOptions { descending: false, nulls_first: true };
            LexOrdering::new([PhysicalSortExpr::new(time, options)])
        });
        let reading = Reading {
            table: self.clone(),
            schema: Arc::clone(&schema),
            wanted,
            range,
            from: Arc::new(from),
        };
        let partitions: Vec<Arc<dyn PartitionStream>> = vec![Arc::new(reading)];
        let plan = StreamingTableExec::try_new(schema, partitions, None, ordering, false, None)?;
        Ok(Arc::new(plan))
    }
}

fn external(error: Error) -> DataFusionError {
    match error {
        Error::Query(error) => error.into(),
        error => DataFusionError::External(Box::new(error)),
    }
}

/// Where buckets come from.
#[derive(Debug)]
enum From {
    Tiles { dir: PathBuf, tiles: Vec<(i64, Tile)> },
    Rows,
}

/// One scan's reading.
#[derive(Clone, Debug)]
struct Reading {
    table: ReducedTable,
    schema: SchemaRef,
    /// The columns of `schema` among the table's.
    wanted: Vec<usize>,
    /// Only buckets that begin here are wanted.
    range: Range<i64>,
    from: Arc<From>,
}

impl PartitionStream for Reading {
    fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    fn execute(&self, _context: Arc<TaskContext>) -> SendableRecordBatchStream {
        let mut builder =
            RecordBatchReceiverStreamBuilder::new(Arc::clone(&self.schema), BATCHES_AHEAD);
        let sender = builder.tx();
        let reading = self.clone();
        builder.spawn(async move { reading.send(&sender).await.map_err(external) });
        builder.build()
    }
}

impl Reading {
    async fn send(&self, sender: &Sender<DfResult<RecordBatch>>) -> Result<()> {
        match self.from.as_ref() {
            From::Rows => {
                self.send_direct(&self.range, sender).await?;
            }
            From::Tiles { dir, tiles } => {
                for (start, tile) in tiles {
                    let more = match self.read(dir, tile).await? {
                        Some(buckets) => self.send_buckets(&buckets, &self.range, sender).await?,
                        None => self.send_again(*start, sender).await?,
                    };
                    if !more {
                        break;
                    }
                }
            }
        }
        Ok(())
    }

    /// A tile's buckets; `None` when it is not whole.
    async fn read(&self, dir: &std::path::Path, tile: &Tile) -> Result<Option<RecordBatch>> {
        let (shape, dir) = (Arc::clone(&self.table.source.shape), dir.to_owned());
        let (level, tile) = (self.table.level, tile.clone());
        let file = tile.file.clone();
        let read = tokio::task::spawn_blocking(move || shape.read(&dir, level, &tile)).await;
        let read = read.map_err(|error| DataFusionError::External(Box::new(error)))?;
        match read {
            Ok(buckets) => Ok(Some(buckets)),
            Err(problem) => {
                let path = &self.table.source.path;
                log_warn!("tile {file} of {path} is made again: {problem}", file, path, problem);
                Ok(None)
            }
        }
    }

    /// The buckets of a tile that is not whole, made again.
    async fn send_again(&self, start: i64, sender: &Sender<DfResult<RecordBatch>>) -> Result<bool> {
        let ReducedTable { tiles, source, level, .. } = &self.table;
        let damage = Damage { level: *level, span_start_us: start };
        let rule = &source.shape.levels[*level];
        if let Refreshed::Tiles { dir, index, .. } = tiles.refresh(source, &[damage]).await? {
            let spans = index.spans(&rule.resolution.to_string());
            let Some(tile) = spans.get(&start) else { return Ok(true) };
            if let Some(buckets) = self.read(&dir, tile).await? {
                return self.send_buckets(&buckets, &self.range, sender).await;
            }
        }
        let span = rule.span.span(start, source.shape.calendar(*level))?;
        let range = span.start.max(self.range.start)..span.end.min(self.range.end);
        self.send_direct(&range, sender).await
    }

    /// The buckets that begin in `range`, straight from rows.
    async fn send_direct(
        &self,
        range: &Range<i64>,
        sender: &Sender<DfResult<RecordBatch>>,
    ) -> Result<bool> {
        if range.is_empty() {
            return Ok(true);
        }
        let source = &self.table.source;
        let mut direct =
            Direct::start(&source.shape, self.table.level, range, source.rows.as_ref()).await?;
        while let Some(buckets) = direct.next().await? {
            if !self.send_buckets(&buckets, range, sender).await? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Sends the columns that are wanted; `false` when nobody wants more.
    async fn send_buckets(
        &self,
        buckets: &RecordBatch,
        range: &Range<i64>,
        sender: &Sender<DfResult<RecordBatch>>,
    ) -> Result<bool> {
        let buckets = within(buckets, range);
        if buckets.num_rows() == 0 {
            return Ok(true);
        }
        let batch = self.table.columns.compute(&buckets, &self.schema, &self.wanted)?;
        Ok(sender.send(Ok(batch)).await.is_ok())
    }
}
