//! Joining the small versions of a series into runs, as an LSM tree does.
//!
//! A run stands for contiguous versions and has the precedence of the last of
//! them. Its rows are those that a reader of the versions would have seen: for
//! each key the newest version's, within one version the last; of an `append`
//! series all of them. They ascend by key.
//!
//! Always true: a merge never changes what a reader sees; it streams, holding
//! a batch of each version; only neighbours of the same schema are joined.
//!
//! Deliberately not here: when to merge and how much, which is the steward's.

mod cursor;
mod plan;

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::compute::{interleave, interleave_record_batch};
use arrow::datatypes::{Schema, SchemaRef};
use arrow::row::{RowConverter, SortField};
use tinyfs::{Attributes, Format, NewVersion, NodeId, SeriesSpec, Store as _, WriteStore as _};

pub use plan::{Input, Limits, Merge, plan};

use self::cursor::Cursor;
use crate::parquet_ext::open_version;
use crate::parquet_sink::ParquetSink;
use crate::series::order::{ORDER, TimeWatch};
use crate::series::time_column;
use crate::{Error, Result, Transaction};

/// Rows written at once.
const BATCH_ROWS: usize = 8192;

/// Joins versions and runs of a series into one run, in a transaction. Where
/// not all go together (their schemas differ, or one is neither sorted nor
/// small), the longest stretch that does is joined. `false` when no two
/// neighbours do; then nothing is changed.
///
/// # Errors
/// Those of reading and of writing. `path` is for them alone.
pub async fn perform(
    transaction: &Arc<Transaction>,
    path: &str,
    series: NodeId,
    merge: &Merge,
) -> Result<bool> {
    let node = transaction.node(series).await?;
    let spec = SeriesSpec::read_from(&node.attributes)?
        .ok_or_else(|| Error::NotDeclared { path: path.to_owned() })?;
    let together = longest_stretch(transaction, path, series, &merge.inputs).await?;
    let Some((schema, inputs)) = together else { return Ok(false) };
    let Some(first) = inputs.first() else { return Ok(false) };
    let mut cursors = Vec::with_capacity(inputs.len());
    for input in inputs {
        let version = input.version.clone();
        cursors.push(Cursor::open(path, transaction, series, version, &spec).await?);
    }
    let step = time_column::step(path, &schema, &spec.time_column, spec.time_unit)?;
    let mut output = Output::new(path, transaction, Arc::clone(&schema), &spec, step).await?;
    while let Some(time) = cursors.iter().filter_map(Cursor::time).min() {
        let mut group = Vec::new();
        for cursor in &mut cursors {
            while cursor.time() == Some(time) {
                group.push(output.place(cursor));
                cursor.advance().await?;
            }
        }
        if output.take(&group).await? {
            // The window is empty again.
            cursors.iter_mut().for_each(|cursor| cursor.place = None);
        }
    }
    let run = output.finish().await?;
    transaction.merge(series, plan::covers(inputs), first.from_txn, run).await?;
    Ok(true)
}

/// The longest stretch of neighbours, two at least, that have one schema and
/// can be read in the order of their times; the schema without what a file
/// notes beside its columns, which is not part of its rows.
async fn longest_stretch<'a>(
    transaction: &Arc<Transaction>,
    path: &str,
    series: NodeId,
    inputs: &'a [Input],
) -> Result<Option<(SchemaRef, &'a [Input])>> {
    let mut schemas: Vec<Option<SchemaRef>> = Vec::with_capacity(inputs.len());
    for Input { version, .. } in inputs {
        let schema = if cursor::can_read(version)? {
            let opened = open_version(path, transaction, series, version.clone()).await?;
            Some(Arc::new(Schema::new(opened.schema().fields().clone())))
        } else {
            None
        };
        schemas.push(schema);
    }
    let stretches = schemas.chunk_by(|a, b| a.is_some() && a == b);
    let mut longest = None;
    let mut start = 0;
    for stretch in stretches {
        let end = start + stretch.len();
        if let [Some(schema), _, ..] = stretch
            && longest.as_ref().is_none_or(|(_, known): &(_, &[Input])| known.len() < stretch.len())
        {
            longest = Some((Arc::clone(schema), &inputs[start..end]));
        }
        start = end;
    }
    Ok(longest)
}

/// Rows that won, on their way into one Parquet.
struct Output<'a> {
    path: &'a str,
    schema: SchemaRef,
    spec: &'a SeriesSpec,
    time_index: usize,
    key: Vec<usize>,
    converter: Option<RowConverter>,
    sink: ParquetSink,
    watch: TimeWatch,
    /// The batches that rows are taken from, until they are written.
    window: Vec<RecordBatch>,
    rows: Vec<(usize, usize)>,
}

impl<'a> Output<'a> {
    async fn new(
        path: &'a str,
        transaction: &Arc<Transaction>,
        schema: SchemaRef,
        spec: &'a SeriesSpec,
        step: time_column::Step,
    ) -> Result<Self> {
        let index = |name: &str| schema.index_of(name).map_err(|source| arrow_error(path, source));
        let time_index = index(&spec.time_column)?;
        let key = spec.key.iter().map(|name| index(name)).collect::<Result<Vec<_>>>()?;
        let converter = if spec.append || key.iter().all(|column| *column == time_index) {
            None
        } else {
            let fields =
                key.iter().map(|i| SortField::new(schema.field(*i).data_type().clone())).collect();
            Some(RowConverter::new(fields).map_err(|source| arrow_error(path, source))?)
        };
        let sorted_by: &[String] =
            if spec.append { std::slice::from_ref(&spec.time_column) } else { &spec.key };
        let content = transaction.writer().await?;
        let time = Some(spec.time_column.as_str());
        let sink = ParquetSink::new(path, content, Arc::clone(&schema), time, sorted_by)?;
        let watch = TimeWatch::new(path, &spec.time_column, step, spec.floor_us);
        let (window, rows) = (Vec::new(), Vec::new());
        Ok(Self { path, schema, spec, time_index, key, converter, sink, watch, window, rows })
    }

    /// Where the row a cursor stands on is found in the window.
    fn place(&mut self, cursor: &mut Cursor) -> (usize, usize) {
        let batch = match cursor.place {
            Some(place) => place,
            None => {
                self.window.push(cursor.batch().clone());
                let place = self.window.len() - 1;
                cursor.place = Some(place);
                place
            }
        };
        (batch, cursor.row())
    }

    /// Takes those rows of one instant that win. They come by version,
    /// ascending, and within a version as they are stored. `true` when that
    /// emptied the window.
    async fn take(&mut self, group: &[(usize, usize)]) -> Result<bool> {
        if self.spec.append || group.len() == 1 {
            self.rows.extend_from_slice(group);
        } else if let Some(converter) = &self.converter {
            let winners = last_of_each_key(converter, &self.key, &self.window, group)
                .map_err(|source| arrow_error(self.path, source))?;
            self.rows.extend(winners);
        } else {
            self.rows.extend(group.last());
        }
        let full = self.rows.len() >= BATCH_ROWS;
        if full {
            self.write().await?;
        }
        Ok(full)
    }

    async fn write(&mut self) -> Result<()> {
        if self.rows.is_empty() {
            return Ok(());
        }
        let window: Vec<&RecordBatch> = self.window.iter().collect();
        let batch = interleave_record_batch(&window, &self.rows)
            .and_then(|batch| {
                RecordBatch::try_new(Arc::clone(&self.schema), batch.columns().to_vec())
            })
            .map_err(|source| arrow_error(self.path, source))?;
        self.watch.see(batch.column(self.time_index))?;
        self.sink.write(&batch).await?;
        self.rows.clear();
        self.window.clear();
        Ok(())
    }

    async fn finish(mut self) -> Result<NewVersion> {
        self.write().await?;
        let content = self.sink.finish().await?;
        let mut attributes = Attributes::new();
        attributes.insert(ORDER.to_owned(), self.watch.order().to_string());
        Ok(NewVersion {
            content,
            format: Format::Parquet,
            rows: Some(self.watch.rows()),
            time_range: self.watch.range(),
            attributes,
        })
    }
}

/// Of rows that share an instant, the last of each key, by key.
fn last_of_each_key(
    converter: &RowConverter,
    key: &[usize],
    window: &[RecordBatch],
    group: &[(usize, usize)],
) -> Result<Vec<(usize, usize)>, arrow::error::ArrowError> {
    let mut columns = Vec::with_capacity(key.len());
    for index in key {
        let arrays: Vec<_> = window.iter().map(|batch| batch.column(*index).as_ref()).collect();
        columns.push(interleave(&arrays, group)?);
    }
    let rows = converter.convert_columns(&columns)?;
    let mut last = BTreeMap::new();
    for (index, place) in group.iter().enumerate() {
        last.insert(rows.row(index), *place);
    }
    Ok(last.into_values().collect())
}

fn arrow_error(path: &str, source: arrow::error::ArrowError) -> Error {
    Error::Arrow { doing: format!("cannot merge versions of `{path}`"), source }
}
