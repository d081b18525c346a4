//! What is kept of the readings of one bucket: numbers that merge.
//!
//! A [`Partial`] is for one column of one bucket. [`Partials`] gathers many of
//! them as columns, in the layout of a tile:
//!
//! | column | type | |
//! |---|---|---|
//! | `time` | int64 | where the bucket begins, microseconds since 1970 UTC |
//! | `C.count` | int64 | readings of column `C` |
//! | `C.sum`, `C.m2` | float64 | their sum; sum of squared distances from their mean |
//! | `C.min`, `C.max` | float64 | |
//! | `C.first`, `C.last` | float64 | at the least and the greatest time |
//! | `C.first_time`, `C.last_time` | int64 | those times |
//! | `C.sketch` | binary | of which quantiles are told |
//!
//! Always true: where there is no reading all but the count are null; a column
//! has only what its aggregations need.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, BinaryArray, Float64Array, Int64Array, RecordBatch};
use arrow::datatypes::{DataType, Field, Float64Type, Int64Type, Schema, SchemaRef};
use serde::{Deserialize, Serialize};

use super::fold::BucketSink;
use super::sketch::Sketch;
use crate::Result;

/// The name of a tile's column of times.
pub(crate) const TIME: &str = "time";

/// What a tile's columns of sketches end in.
pub(crate) const SKETCH: &str = "sketch";

/// A column that is reduced, and what is kept of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Reduced {
    /// The input's column.
    pub(crate) name: String,
    /// What its aggregations need.
    pub(crate) keeps: Keeps,
}

/// What is kept beside the count.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Keeps {
    pub(crate) sum: bool,
    /// Needs the sum too.
    pub(crate) m2: bool,
    pub(crate) min: bool,
    pub(crate) max: bool,
    pub(crate) first: bool,
    pub(crate) last: bool,
    /// Needs min and max too.
    #[serde(default)]
    pub(crate) sketch: bool,
}

/// One column of one bucket. What is not kept, or of no reading, is zero.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Partial {
    pub(crate) count: u64,
    pub(crate) sum: f64,
    pub(crate) m2: f64,
    pub(crate) min: f64,
    pub(crate) max: f64,
    /// Time and value.
    pub(crate) first: (i64, f64),
    /// Time and value.
    pub(crate) last: (i64, f64),
    pub(crate) sketch: Option<Box<Sketch>>,
}

/// The schema of tiles of these columns.
pub(crate) fn schema(columns: &[Reduced]) -> SchemaRef {
    let mut fields = vec![Field::new(TIME, DataType::Int64, false)];
    for Reduced { name, keeps } in columns {
        let mut field = |part: &str, data_type, nullable| {
            fields.push(Field::new(format!("{name}.{part}"), data_type, nullable));
        };
        field("count", DataType::Int64, false);
        for (part, kept) in keeps.numbers() {
            if kept {
                field(part, DataType::Float64, true);
            }
        }
        for (part, kept) in keeps.times() {
            if kept {
                field(part, DataType::Int64, true);
            }
        }
        if keeps.sketch {
            field(SKETCH, DataType::Binary, true);
        }
    }
    Arc::new(Schema::new(fields))
}

impl Keeps {
    /// In the order of a tile's columns.
    const fn numbers(self) -> [(&'static str, bool); 6] {
        [
            ("sum", self.sum),
            ("m2", self.m2),
            ("min", self.min),
            ("max", self.max),
            ("first", self.first),
            ("last", self.last),
        ]
    }

    const fn times(self) -> [(&'static str, bool); 2] {
        [("first_time", self.first), ("last_time", self.last)]
    }
}

/// The partials of many buckets, as columns.
#[derive(Debug)]
pub(crate) struct Partials {
    columns: Arc<[Reduced]>,
    schema: SchemaRef,
    times: Vec<i64>,
    gathered: Vec<Gathered>,
}

#[derive(Debug, Default)]
struct Gathered {
    counts: Vec<i64>,
    /// As [`Keeps::numbers`]; what is not kept stays empty.
    numbers: [Vec<Option<f64>>; 6],
    /// As [`Keeps::times`].
    times: [Vec<Option<i64>>; 2],
    sketches: Vec<Option<Vec<u8>>>,
}

impl Partials {
    pub(crate) fn new(columns: Arc<[Reduced]>) -> Self {
        let schema = schema(&columns);
        let gathered = columns.iter().map(|_| Gathered::default()).collect();
        Self { columns, schema, times: Vec::new(), gathered }
    }

    /// How many buckets there are.
    pub(crate) fn len(&self) -> usize {
        self.times.len()
    }

    /// Takes out what was gathered, as one batch.
    pub(crate) fn take(&mut self) -> Result<RecordBatch> {
        let mut arrays: Vec<ArrayRef> = Vec::with_capacity(self.schema.fields().len());
        arrays.push(Arc::new(Int64Array::from(std::mem::take(&mut self.times))));
        for (column, gathered) in self.columns.iter().zip(&mut self.gathered) {
            arrays.push(Arc::new(Int64Array::from(std::mem::take(&mut gathered.counts))));
            for ((_, kept), numbers) in column.keeps.numbers().iter().zip(&mut gathered.numbers) {
                if *kept {
                    arrays.push(Arc::new(Float64Array::from(std::mem::take(numbers))));
                }
            }
            for ((_, kept), times) in column.keeps.times().iter().zip(&mut gathered.times) {
                if *kept {
                    arrays.push(Arc::new(Int64Array::from(std::mem::take(times))));
                }
            }
            if column.keeps.sketch {
                let sketches = std::mem::take(&mut gathered.sketches);
                arrays.push(Arc::new(BinaryArray::from_iter(sketches)));
            }
        }
        let batch = RecordBatch::try_new(Arc::clone(&self.schema), arrays);
        Ok(batch.map_err(datafusion::error::DataFusionError::from)?)
    }
}

impl BucketSink for Partials {
    fn bucket(&mut self, start_us: i64, partials: &[Partial]) -> Result<()> {
        self.times.push(start_us);
        for ((partial, column), gathered) in
            partials.iter().zip(self.columns.iter()).zip(&mut self.gathered)
        {
            // Rows are counted in i64 by everything that reads this.
            gathered.counts.push(i64::try_from(partial.count).unwrap_or(i64::MAX));
            let any = partial.count > 0;
            let numbers = [
                partial.sum,
                partial.m2,
                partial.min,
                partial.max,
                partial.first.1,
                partial.last.1,
            ];
            for (at, (_, kept)) in column.keeps.numbers().into_iter().enumerate() {
                if kept {
                    gathered.numbers[at].push(any.then_some(numbers[at]));
                }
            }
            let times = [partial.first.0, partial.last.0];
            for (at, (_, kept)) in column.keeps.times().into_iter().enumerate() {
                if kept {
                    gathered.times[at].push(any.then_some(times[at]));
                }
            }
            if column.keeps.sketch {
                gathered.sketches.push(partial.sketch.as_ref().map(|sketch| sketch.to_bytes()));
            }
        }
        Ok(())
    }
}

/// A batch in the layout of a tile, to be read bucket by bucket.
#[derive(Debug)]
pub(crate) struct PartialRows<'a> {
    times: &'a Int64Array,
    columns: Vec<PartialColumn<'a>>,
}

#[derive(Debug)]
struct PartialColumn<'a> {
    counts: &'a Int64Array,
    numbers: [Option<&'a Float64Array>; 6],
    times: [Option<&'a Int64Array>; 2],
    sketches: Option<&'a BinaryArray>,
}

impl<'a> PartialRows<'a> {
    /// `batch` has the [schema] of `columns`.
    pub(crate) fn new(batch: &'a RecordBatch, columns: &[Reduced]) -> Self {
        let mut arrays = batch.columns().iter();
        let mut next = || arrays.next().map(Arc::as_ref);
        let int = |array: Option<&'a dyn Array>| {
            array.and_then(|array| array.as_primitive_opt::<Int64Type>())
        };
        let times = int(next());
        let columns: Option<Vec<PartialColumn<'a>>> = columns
            .iter()
            .map(|column| {
                let counts = int(next())?;
                let numbers = column.keeps.numbers().map(|(_, kept)| {
                    next_if(kept, &mut next)
                        .and_then(|array| array.as_primitive_opt::<Float64Type>())
                });
                let times = column.keeps.times().map(|(_, kept)| int(next_if(kept, &mut next)));
                let sketches = next_if(column.keeps.sketch, &mut next);
                let sketches = sketches.and_then(|array| array.as_binary_opt::<i32>());
                Some(PartialColumn { counts, numbers, times, sketches })
            })
            .collect();
        match times.zip(columns) {
            Some((times, columns)) => Self { times, columns },
            None => unreachable!("a batch of partials has the schema of its columns"),
        }
    }

    /// Where the buckets begin.
    pub(crate) fn times(&self) -> &'a [i64] {
        self.times.values()
    }

    /// The bucket at `row`, into `partials`.
    pub(crate) fn read(&self, row: usize, partials: &mut Vec<Partial>) {
        partials.clear();
        for column in &self.columns {
            let count = column.counts.value(row);
            let number = |at: usize| match column.numbers[at] {
                Some(array) if array.is_valid(row) => array.value(row),
                _ => 0.0,
            };
            let time = |at: usize| match column.times[at] {
                Some(array) if array.is_valid(row) => array.value(row),
                _ => 0,
            };
            partials.push(Partial {
                count: u64::try_from(count).unwrap_or_default(),
                sum: number(0),
                m2: number(1),
                min: number(2),
                max: number(3),
                first: (time(0), number(4)),
                last: (time(1), number(5)),
                sketch: column.sketches.and_then(|array| sketch_at(array, row)).map(Box::new),
            });
        }
    }
}

fn next_if<'a>(
    kept: bool,
    next: &mut impl FnMut() -> Option<&'a dyn Array>,
) -> Option<&'a dyn Array> {
    if kept { next() } else { None }
}

/// The sketch of a tile's bucket; `None` of a bucket without a reading. A tile
/// is read only when it has the hash with which it was written.
pub(crate) fn sketch_at(array: &BinaryArray, row: usize) -> Option<Sketch> {
    if array.is_null(row) {
        return None;
    }
    match Sketch::from_bytes(array.value(row)) {
        Some(sketch) => Some(sketch),
        None => unreachable!("a tile that is whole holds the sketches that were written"),
    }
}
