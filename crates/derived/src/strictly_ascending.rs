//! Rows sorted by time, made one an instant.
//!
//! Where several rows have one time, each column takes the greatest of their
//! values: a rule that does not depend on the order in which they come.
//!
//! Always true: rows without a time are an error; batches that have one row an
//! instant, which are nearly all, are passed on without a copy.

use arrow::array::{Array, ArrayRef, RecordBatch, UInt32Array, make_comparator};
use arrow::compute::{SortOptions, concat_batches, partition, take};
use datafusion::error::{DataFusionError, Result};
use datafusion::execution::SendableRecordBatchStream;
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use futures::{StreamExt, stream};

use crate::Error;

/// The rows of `input`, whose first column is the time, one an instant. `name`
/// is what errors call it.
pub(crate) fn strictly_ascending(
    input: SendableRecordBatchStream,
    name: &str,
) -> SendableRecordBatchStream {
    let schema = input.schema();
    let state = Ascending { input, name: name.to_owned(), held: None, ended: false };
    let batches = stream::try_unfold(state, |mut state| async move {
        Ok(state.next().await?.map(|batch| (batch, state)))
    });
    Box::pin(RecordBatchStreamAdapter::new(schema, batches))
}

struct Ascending {
    input: SendableRecordBatchStream,
    name: String,
    /// The rows of the last instant so far, to which more may come.
    held: Option<RecordBatch>,
    ended: bool,
}

impl Ascending {
    async fn next(&mut self) -> Result<Option<RecordBatch>> {
        while !self.ended {
            let Some(batch) = self.input.next().await.transpose()? else {
                self.ended = true;
                break;
            };
            if batch.num_rows() == 0 {
                continue;
            }
            if batch.column(0).null_count() > 0 {
                let input = format!("`{}`", self.name);
                let error = query::Error::Computed {
                    path: self.name.clone(),
                    source: std::sync::Arc::new(Error::NullTime { input }),
                };
                return Err(error.into());
            }
            if let Some(done) = self.take_in(batch)? {
                return Ok(Some(done));
            }
        }
        self.held.take().map(|held| one_an_instant(&held)).transpose()
    }

    /// The rows that `batch` completes; those of its last instant are held.
    fn take_in(&mut self, batch: RecordBatch) -> Result<Option<RecordBatch>> {
        let batch = match self.held.take() {
            None => batch,
            Some(held) if continues(&held, &batch)? => {
                concat_batches(&batch.schema(), [&held, &batch])?
            }
            Some(held) => {
                // Its instant is over.
                self.held = Some(batch);
                return one_an_instant(&held).map(Some);
            }
        };
        self.hold_last(&batch)
    }

    fn hold_last(&mut self, batch: &RecordBatch) -> Result<Option<RecordBatch>> {
        let instants = partition(&[batch.column(0).clone()])?.ranges();
        let Some(last) = instants.last() else { return Ok(None) };
        self.held = Some(batch.slice(last.start, last.len()));
        if last.start == 0 {
            return Ok(None);
        }
        one_an_instant(&batch.slice(0, last.start)).map(Some)
    }
}

/// Whether the first row of `next` is at the last instant of `held`.
fn continues(held: &RecordBatch, next: &RecordBatch) -> Result<bool> {
    let compare = make_comparator(held.column(0), next.column(0), SortOptions::default())?;
    Ok(compare(held.num_rows() - 1, 0).is_eq())
}

/// The greatest value of each column at each instant.
fn one_an_instant(batch: &RecordBatch) -> Result<RecordBatch> {
    let instants = partition(&[batch.column(0).clone()])?.ranges();
    if instants.len() == batch.num_rows() {
        return Ok(batch.clone());
    }
    let nulls_least = SortOptions { descending: false, nulls_first: true };
    let greatest = |column: &ArrayRef| -> Result<ArrayRef> {
        let compare = make_comparator(column, column, nulls_least)?;
        let rows = instants.iter().map(|rows| {
            let best = rows.clone().reduce(|a, b| if compare(b, a).is_gt() { b } else { a });
            best.unwrap_or(rows.start) as u32
        });
        Ok(take(column, &UInt32Array::from_iter_values(rows), None)?)
    };
    let columns = batch.columns().iter().map(greatest).collect::<Result<Vec<_>>>()?;
    RecordBatch::try_new(batch.schema(), columns).map_err(DataFusionError::from)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::array::{AsArray, Float64Array, Int64Array};
    use arrow::datatypes::{DataType, Field, Float64Type, Int64Type, Schema};

    use super::*;

    async fn run(batches: Vec<Vec<(i64, Option<f64>)>>) -> Vec<(i64, Option<f64>)> {
        let schema = Arc::new(Schema::new(vec![
            Field::new("t", DataType::Int64, false),
            Field::new("v", DataType::Float64, true),
        ]));
        let batches = batches.into_iter().map(|rows| {
            let times: Int64Array = rows.iter().map(|row| Some(row.0)).collect();
            let values: Float64Array = rows.iter().map(|row| row.1).collect();
            let columns: Vec<ArrayRef> = vec![Arc::new(times), Arc::new(values)];
            Ok(RecordBatch::try_new(Arc::clone(&schema), columns).unwrap())
        });
        let batches: Vec<_> = batches.collect();
        let input = RecordBatchStreamAdapter::new(Arc::clone(&schema), stream::iter(batches));
        let mut rows = Vec::new();
        let mut output = strictly_ascending(Box::pin(input), "input");
        while let Some(batch) = output.next().await {
            let batch = batch.unwrap();
            let (times, values) = (
                batch.column(0).as_primitive::<Int64Type>(),
                batch.column(1).as_primitive::<Float64Type>(),
            );
            rows.extend(times.values().iter().copied().zip(values.iter()));
        }
        rows
    }

    #[tokio::test]
    async fn several_rows_of_an_instant_become_one_across_batches() {
        let rows = run(vec![
            vec![(1, Some(1.0)), (2, None), (2, Some(5.0))],
            vec![(2, Some(3.0))],
            vec![(2, Some(4.0)), (3, None)],
            vec![],
            vec![(4, Some(1.0))],
        ]);
        let one = [(1, Some(1.0)), (2, Some(5.0)), (3, None), (4, Some(1.0))];
        assert_eq!(rows.await, one);
    }

    #[tokio::test]
    async fn rows_that_ascend_stay_as_they_are() {
        let rows = vec![(1, None), (2, Some(2.0)), (9, Some(0.0))];
        assert_eq!(run(vec![rows.clone()]).await, rows);
        assert_eq!(run(vec![]).await, []);
    }
}
