//! Rows sorted by time: cut between instants, and made one an instant.
//!
//! Where several rows have one time, each column takes the greatest of their
//! values: a rule that does not depend on the order in which they come.
//!
//! Always true: rows without a time are an error that names the input; batches
//! that have one row an instant, which are nearly all, are passed on without a
//! copy.

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
    let instants = WholeInstants::new(input, name);
    let batches = stream::try_unfold(instants, |mut instants| async move {
        let Some(batch) = instants.next().await? else { return Ok(None) };
        Ok(Some((one_an_instant(&batch)?, instants)))
    });
    Box::pin(RecordBatchStreamAdapter::new(schema, batches))
}

/// Rows sorted by their first column, the time, in batches that never part the
/// rows of an instant.
pub(crate) struct WholeInstants {
    input: SendableRecordBatchStream,
    name: String,
    /// Rows to whose last instant more may come.
    held: Option<RecordBatch>,
    ended: bool,
}

impl WholeInstants {
    /// The rows of `input`, which errors call `name`.
    pub(crate) fn new(input: SendableRecordBatchStream, name: &str) -> Self {
        Self { input, name: name.to_owned(), held: None, ended: false }
    }

    /// The next rows; `None` at the end.
    ///
    /// # Errors
    /// [`Error::NullTime`], and what the input says.
    pub(crate) async fn next(&mut self) -> Result<Option<RecordBatch>> {
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
        Ok(self.held.take())
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
                return Ok(Some(held));
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
        Ok(Some(batch.slice(0, last.start)))
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
    async fn a_row_without_a_time_is_an_error_that_names_its_input() {
        let schema = Arc::new(Schema::new(vec![Field::new("t", DataType::Int64, true)]));
        let times: ArrayRef = Arc::new(Int64Array::from(vec![None, Some(1)]));
        let batch = RecordBatch::try_new(Arc::clone(&schema), vec![times]).unwrap();
        let input = RecordBatchStreamAdapter::new(schema, stream::iter([Ok(batch)]));
        let error = WholeInstants::new(Box::pin(input), "/a.series").next().await.unwrap_err();
        let mut told = String::new();
        let mut next: Option<&dyn std::error::Error> = Some(&error);
        while let Some(error) = next {
            told.push_str(&format!("{error}\n"));
            next = error.source();
        }
        assert!(told.contains("a row of `/a.series` has no time"), "{told}");
    }

    #[tokio::test]
    async fn rows_that_ascend_stay_as_they_are() {
        let rows = vec![(1, None), (2, Some(2.0)), (9, Some(0.0))];
        assert_eq!(run(vec![rows.clone()]).await, rows);
        assert_eq!(run(vec![]).await, []);
    }
}
