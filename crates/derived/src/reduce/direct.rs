//! Buckets straight from rows, without tiles: the levels' folds, one into the
//! next.
//!
//! Always true: the same folds in the same order as for tiles, and so the same
//! numbers. Memory holds one open bucket of each level.

use std::ops::Range;
use std::sync::Arc;

use arrow::array::RecordBatch;
use datafusion::physical_plan::SendableRecordBatchStream;
use futures::StreamExt;

use super::build::{Shape, aligned};
use super::fold::{BucketSink, Fold};
use super::partial::{Partial, Partials};
use super::rows::RowSource;
use crate::Result;

/// A batch is put out from so many buckets on.
const BATCH_BUCKETS: usize = 1_024;

/// The buckets of one level that begin in a range.
pub(crate) struct Direct {
    rows: SendableRecordBatchStream,
    /// The finest first, the level asked for last.
    folds: Vec<Fold>,
    out: Partials,
    done: bool,
}

impl Direct {
    /// `range` is made wider to whole buckets.
    pub(crate) async fn start(
        shape: &Shape,
        level: usize,
        range: &Range<i64>,
        source: &dyn RowSource,
    ) -> Result<Self> {
        let range = aligned(range, &shape.levels[level].resolution, &shape.zone);
        let mut folds = vec![shape.fold(level)];
        let mut at = level;
        while let Some(parent) = shape.levels[at].parent {
            folds.insert(0, shape.fold(parent));
            at = parent;
        }
        Ok(Self {
            rows: source.rows(&range).await?,
            folds,
            out: Partials::new(Arc::clone(&shape.columns)),
            done: false,
        })
    }

    /// The next buckets, in the layout of a tile; `None` after the last.
    pub(crate) async fn next(&mut self) -> Result<Option<RecordBatch>> {
        while !self.done && self.out.len() < BATCH_BUCKETS {
            match self.rows.next().await {
                Some(batch) => {
                    let batch = batch?;
                    let Some((finest, coarser)) = self.folds.split_first_mut() else { break };
                    finest.rows(&batch, &mut Next { folds: coarser, out: &mut self.out })?;
                }
                None => {
                    self.done = true;
                    let mut folds = self.folds.as_mut_slice();
                    while let Some((first, coarser)) = folds.split_first_mut() {
                        first.close(&mut Next { folds: &mut *coarser, out: &mut self.out })?;
                        folds = coarser;
                    }
                }
            }
        }
        if self.out.len() == 0 { Ok(None) } else { Ok(Some(self.out.take()?)) }
    }
}

/// Hands buckets to the next level, and those of the last to `out`.
struct Next<'a> {
    folds: &'a mut [Fold],
    out: &'a mut Partials,
}

impl BucketSink for Next<'_> {
    fn bucket(&mut self, start_us: i64, partials: &[Partial]) -> Result<()> {
        match self.folds.split_first_mut() {
            Some((first, folds)) => {
                first.child(start_us, partials, &mut Next { folds, out: &mut *self.out })
            }
            None => self.out.bucket(start_us, partials),
        }
    }
}
