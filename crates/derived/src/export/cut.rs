//! Cuts rows that come in the order of time into the files of partitions.
//!
//! Always true: one file is open at a time; a file whose bytes are those that
//! are there is left as it is.

use std::collections::{BTreeMap, BTreeSet};

use arrow::array::{Array, AsArray, RecordBatch};
use arrow::datatypes::{Int64Type, SchemaRef};
use query::{as_open, open_schema};

use super::calendar::{Calendar, Partition};
use super::directory::{Directory, Seen};
use super::encode::Encoder;
use super::error::Result;
use super::request::FileFormat;
use super::state::ExportedFile;
use crate::Error;
use crate::column_glob::no_column;
use crate::reduce::ALWAYS;
use crate::time_column::TimeColumn;

/// What is cut, and what is there already.
pub(crate) struct Cut<'a> {
    pub(crate) directory: &'a Directory,
    /// The table's path.
    pub(crate) path: &'a str,
    /// Its directory below that of the export.
    pub(crate) dir: &'a str,
    pub(crate) format: FileFormat,
    /// Without, all rows go to one file.
    pub(crate) calendar: Option<&'a Calendar>,
    /// Without, rows have no times.
    pub(crate) time: Option<&'a TimeColumn>,
    /// The columns that come.
    pub(crate) schema: &'a SchemaRef,
    /// Files that are whole.
    pub(crate) whole: &'a BTreeMap<String, ExportedFile>,
    /// Files that may be replaced.
    pub(crate) ours: &'a BTreeSet<String>,
}

/// What came of it.
#[derive(Debug, Default)]
pub(crate) struct Files {
    pub(crate) rows_read: u64,
    /// All that have rows.
    pub(crate) files: BTreeMap<String, ExportedFile>,
    /// Those of them that were written.
    pub(crate) written: Vec<String>,
}

/// A file that is open.
struct Open {
    partition: Partition,
    encoder: Encoder,
    rows: u64,
    times: Option<(i64, i64)>,
}

impl Cut<'_> {
    /// Writes the files of `batches`, which come in the order of time.
    pub(crate) fn write(
        &self,
        batches: &mut dyn Iterator<Item = crate::Result<RecordBatch>>,
    ) -> Result<Files> {
        let schema = open_schema(self.schema);
        let mut files = Files::default();
        let mut open: Option<Open> = None;
        if self.calendar.is_none() {
            // Also without a row, so that its columns are known.
            open = Some(self.open(self.everything(), &schema)?);
        }
        for batch in batches {
            let batch = batch?;
            files.rows_read += batch.num_rows() as u64;
            let times = self.times(&batch)?;
            let batch = as_open(&batch, &schema)?;
            let mut from = 0;
            while from < batch.num_rows() {
                let until = match (&times, self.calendar) {
                    (Some(times), Some(calendar)) => {
                        let first = times[from];
                        if !open.as_ref().is_some_and(|open| open.partition.span.contains(&first)) {
                            self.close(open.take(), &mut files)?;
                            let partition = calendar.partition(first, self.format.ending())?;
                            open = Some(self.open(partition, &schema)?);
                        }
                        let end = open.as_ref().map_or(i64::MAX, |open| open.partition.span.end);
                        from + times[from..].partition_point(|&time| time < end)
                    }
                    _ => batch.num_rows(),
                };
                if let Some(open) = &mut open {
                    open.rows += (until - from) as u64;
                    if let Some(times) = &times {
                        let first = open.times.map_or(times[from], |(first, _)| first);
                        open.times = Some((first, times[until - 1]));
                    }
                    open.encoder.write(batch.slice(from, until - from))?;
                }
                from = until;
            }
        }
        self.close(open, &mut files)?;
        Ok(files)
    }

    fn everything(&self) -> Partition {
        let file = format!("data.{}", self.format.ending());
        Partition { span: ALWAYS, file }
    }

    /// The times of a batch's rows, in microseconds.
    fn times(&self, batch: &RecordBatch) -> Result<Option<Vec<i64>>> {
        let Some(time) = self.time else {
            return Ok(None);
        };
        let Some(column) = batch.column_by_name(&time.name) else {
            let schema = batch.schema();
            let names = schema.fields().iter().map(|field| field.name().as_str());
            return Err(no_column(&time.name, names).into());
        };
        if column.null_count() > 0 {
            return Err(Error::NullTime { input: format!("`{}`", self.path) }.into());
        }
        let us = time.us(column).map_err(datafusion::error::DataFusionError::from)?;
        Ok(Some(us.as_primitive::<Int64Type>().values().to_vec()))
    }

    fn open(&self, partition: Partition, schema: &SchemaRef) -> Result<Open> {
        let ours = self.ours.contains(&partition.file);
        let file = self.directory.begin(&format!("{}/{}", self.dir, partition.file), ours)?;
        let encoder = Encoder::new(self.format, schema, file, self.path)?;
        Ok(Open { partition, encoder, rows: 0, times: None })
    }

    fn close(&self, open: Option<Open>, files: &mut Files) -> Result<()> {
        let Some(Open { partition, encoder, rows, times }) = open else {
            return Ok(());
        };
        let file = encoder.finish()?;
        let hash = file.hash();
        let span = (partition.span.start, partition.span.end);
        let name = partition.file;
        let there = self.whole.get(&name).filter(|there| there.hash == hash);
        let Seen { bytes, modified_ns } = match there {
            Some(there) => Seen { bytes: there.bytes, modified_ns: there.modified_ns },
            None => {
                files.written.push(name.clone());
                file.persist()?
            }
        };
        let facts = ExportedFile { span, rows, bytes, hash, times, modified_ns, of: None };
        files.files.insert(name, facts);
        Ok(())
    }
}
