//! Where the rows of a reduction come from.

use std::fmt;
use std::ops::Range;

use async_trait::async_trait;
use datafusion::physical_plan::SendableRecordBatchStream;

use crate::Result;
use crate::changes::{Changed, Stamp};

/// The rows that are reduced, in one view of a pond.
#[async_trait]
pub(crate) trait RowSource: fmt::Debug + Send + Sync + 'static {
    /// The state of what they are made of.
    async fn stamp(&self) -> Result<Stamp>;

    /// What has changed from `old` to this view, whose stamp is `new`.
    async fn changed(&self, old: &Stamp, new: &Stamp) -> Result<Changed>;

    /// The rows within a range of time, ascending by time: the time as `Int64`
    /// in microseconds, not null, then each reduced column as `Float64`.
    async fn rows(&self, range: &Range<i64>) -> Result<SendableRecordBatchStream>;
}
