//! A host file as a table of DataFusion.
//!
//! What always holds: each scan reads the file anew and streams; nothing is
//! collected. Only the columns that a query uses are converted.
//!
//! What is deliberately not here: pruning by filters (the engine filters above
//! the scan), Parquet files (which are scanned as stored ones are), and any way for SQL text to name a host file.

use std::fmt;
use std::sync::Arc;

use arrow::datatypes::SchemaRef;
use async_trait::async_trait;
use datafusion::catalog::{Session, TableProvider};
use datafusion::error::{DataFusionError, Result};
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::logical_expr::{Expr, TableType};
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::streaming::{PartitionStream, StreamingTableExec};
use futures::TryStreamExt as _;

use super::reader::OpenedSource;

/// A host file as a table of DataFusion.
#[derive(Clone, Debug)]
pub struct HostTable {
    source: OpenedSource,
}

impl HostTable {
    /// The table of an opened host file.
    #[must_use]
    pub fn new(source: OpenedSource) -> Self {
        Self { source }
    }

    /// What the read had to tell.
    #[must_use]
    pub fn source(&self) -> &OpenedSource {
        &self.source
    }
}

#[async_trait]
impl TableProvider for HostTable {
    fn schema(&self) -> SchemaRef {
        self.source.schema()
    }

    fn table_type(&self) -> TableType {
        TableType::Base
    }

    async fn scan(
        &self,
        _state: &dyn Session,
        projection: Option<&Vec<usize>>,
        _filters: &[Expr],
        limit: Option<usize>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let schema = match projection {
            Some(places) => Arc::new(self.schema().project(places)?),
            None => self.schema(),
        };
        let partition = Pass {
            source: self.source.clone(),
            schema: Arc::clone(&schema),
            projection: projection.cloned(),
        };
        // The pass projects by itself, so the plan above it does not.
        let plan =
            StreamingTableExec::try_new(schema, vec![Arc::new(partition)], None, [], false, limit)?;
        Ok(Arc::new(plan))
    }
}

/// One pass over the file.
struct Pass {
    source: OpenedSource,
    schema: SchemaRef,
    projection: Option<Vec<usize>>,
}

impl fmt::Debug for Pass {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.source.url())
    }
}

impl PartitionStream for Pass {
    fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    fn execute(&self, _context: Arc<TaskContext>) -> SendableRecordBatchStream {
        let stream = self.source.stream(self.projection.clone());
        Box::pin(RecordBatchStreamAdapter::new(
            Arc::clone(&self.schema),
            stream.map_err(|error| DataFusionError::External(Box::new(error))),
        ))
    }
}
