//! The rows of one version in the order of their times.

use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::compute::{concat_batches, take_record_batch};
use futures::TryStreamExt as _;
use tinyfs::{NodeId, SeriesSpec, Version};

use crate::parquet_ext::{Batches, rows_of_version};
use crate::series::order::{ORDER, Order};
use crate::series::time_column;
use crate::{Error, Result, Transaction};

/// A version whose times do not ascend is sorted in memory up to this many rows.
const SORT_MAX_ROWS: u64 = 200_000;

/// Whether a version can be read in the order of its times: it is sorted, or
/// small enough to be sorted in memory.
pub(super) fn can_read(version: &Version) -> Result<bool> {
    Ok(is_sorted(version)? || version.rows.is_some_and(|rows| rows <= SORT_MAX_ROWS))
}

fn is_sorted(version: &Version) -> Result<bool> {
    let order = version.attributes.get(ORDER).map(|text| text.parse()).transpose()?;
    Ok(matches!(order, Some(Order::Strict | Order::Sorted)))
}

/// A place in a version.
pub(super) struct Cursor {
    path: String,
    time_column: String,
    rest: Batches,
    batch: Option<(RecordBatch, Vec<i64>)>,
    row: usize,
    /// Where the batch is in the output's window.
    pub(super) place: Option<usize>,
}

impl Cursor {
    /// Opens a version that [`can_read`] allows.
    pub(super) async fn open(
        path: &str,
        transaction: &Arc<Transaction>,
        series: NodeId,
        version: Version,
        spec: &SeriesSpec,
    ) -> Result<Self> {
        let sorted = is_sorted(&version)?;
        let rows = rows_of_version(path, transaction, series, version).await?;
        let rest = if sorted { rows } else { sort(path, rows, &spec.time_column).await? };
        let mut cursor = Self {
            path: path.to_owned(),
            time_column: spec.time_column.clone(),
            rest,
            batch: None,
            row: 0,
            place: None,
        };
        cursor.next_batch().await?;
        Ok(cursor)
    }

    /// The time of the row it stands on; `None` at the end.
    pub(super) fn time(&self) -> Option<i64> {
        let (_, times) = self.batch.as_ref()?;
        times.get(self.row).copied()
    }

    /// The batch it stands in. There is one wherever [`Cursor::time`] gives a time.
    pub(super) fn batch(&self) -> &RecordBatch {
        match &self.batch {
            Some((batch, _)) => batch,
            None => unreachable!("a cursor at its end was asked for rows"),
        }
    }

    /// The row in its batch.
    pub(super) const fn row(&self) -> usize {
        self.row
    }

    /// Goes on by a row.
    pub(super) async fn advance(&mut self) -> Result<()> {
        self.row += 1;
        if self.batch.as_ref().is_some_and(|(_, times)| self.row < times.len()) {
            return Ok(());
        }
        self.next_batch().await
    }

    async fn next_batch(&mut self) -> Result<()> {
        self.row = 0;
        self.batch = None;
        self.place = None;
        while let Some(batch) = self.rest.try_next().await? {
            if batch.num_rows() == 0 {
                continue;
            }
            let times = self.times(&batch)?;
            self.batch = Some((batch, times));
            break;
        }
        Ok(())
    }

    fn times(&self, batch: &RecordBatch) -> Result<Vec<i64>> {
        let column = batch.column_by_name(&self.time_column).ok_or_else(|| Error::NoColumn {
            path: self.path.clone(),
            column: self.time_column.clone(),
            nearest: Vec::new(),
        })?;
        time_column::values(column)
            .ok_or_else(|| time_column::not_time(&self.path, &self.time_column, column.data_type()))
    }
}

/// Sorts the rows of a small version by time; rows of one instant keep their order.
async fn sort(path: &str, rows: Batches, column: &str) -> Result<Batches> {
    let batches: Vec<RecordBatch> = rows.try_collect().await?;
    let Some(first) = batches.first() else {
        return Ok(Box::pin(futures::stream::empty()));
    };
    let fail =
        |source| Error::Arrow { doing: format!("cannot sort a version of `{path}`"), source };
    let all = concat_batches(&first.schema(), &batches).map_err(fail)?;
    let index = all.schema().index_of(column).map_err(fail)?;
    let times = time_column::values(all.column(index))
        .ok_or_else(|| time_column::not_time(path, column, all.column(index).data_type()))?;
    // A stable sort, for among equal keys the last row wins.
    let mut order: Vec<u32> = (0..u32::try_from(times.len()).unwrap_or(u32::MAX)).collect();
    order.sort_by_key(|row| times[*row as usize]);
    let sorted = take_record_batch(&all, &arrow::array::UInt32Array::from(order)).map_err(fail)?;
    Ok(Box::pin(futures::stream::once(async move { Ok(sorted) })))
}
