//! How the rows of a table differ between two moments.
//!
//! Both sides are read in the order of their key and walked together, so that
//! memory holds a batch of each and a few examples; the sort below spills.
//!
//! Always true: a key that is on one side only is added or removed; one that
//! is on both with other values is changed; equal rows are not counted. Rows
//! without a key (tables, series that append) are told apart by all of their
//! values, so nothing of theirs is ever "changed".

use std::cmp::Ordering;

use arrow::array::{ArrayRef, RecordBatch};
use arrow::row::{OwnedRow, RowConverter, Rows as EncodedRows, SortField};
use query::Rows;

use crate::error::{OrFail as _, Result};
use crate::output::row_text;

/// Example rows that are kept of each sort.
const EXAMPLES: usize = 3;

/// What differs.
#[derive(Clone, Debug, Default, serde::Serialize)]
pub(crate) struct RowDiff {
    /// Rows that only the later moment has.
    pub(crate) added: u64,
    /// Rows that only the earlier moment has.
    pub(crate) removed: u64,
    /// Rows whose key both have, with other values.
    pub(crate) changed: u64,
    /// A few of the added rows.
    pub(crate) added_examples: Vec<String>,
    /// A few of the removed rows.
    pub(crate) removed_examples: Vec<String>,
    /// A few of the changed rows, before and after.
    pub(crate) changed_examples: Vec<(String, String)>,
}

impl RowDiff {
    /// Whether nothing differs.
    pub(crate) const fn is_empty(&self) -> bool {
        self.added == 0 && self.removed == 0 && self.changed == 0
    }

    fn add(&mut self, row: &Cursor) -> Result<()> {
        self.added += 1;
        if self.added_examples.len() < EXAMPLES {
            self.added_examples.push(row.text()?);
        }
        Ok(())
    }

    fn remove(&mut self, row: &Cursor) -> Result<()> {
        self.removed += 1;
        if self.removed_examples.len() < EXAMPLES {
            self.removed_examples.push(row.text()?);
        }
        Ok(())
    }

    fn change(&mut self, before: &Cursor, after: &Cursor) -> Result<()> {
        self.changed += 1;
        if self.changed_examples.len() < EXAMPLES {
            self.changed_examples.push((before.text()?, after.text()?));
        }
        Ok(())
    }
}

/// Walks two answers with equal schemas, both sorted by their first
/// `key_columns` columns, ascending with nulls first.
///
/// # Errors
/// Of either side.
pub(crate) async fn compare(before: Rows, after: Rows, key_columns: usize) -> Result<RowDiff> {
    let mut before = Cursor::start(before, key_columns).await?;
    let mut after = Cursor::start(after, key_columns).await?;
    let mut diff = RowDiff::default();
    loop {
        let order = match (before.key(), after.key()) {
            (None, None) => return Ok(diff),
            (Some(_), None) => Ordering::Less,
            (None, Some(_)) => Ordering::Greater,
            (Some(left), Some(right)) => left.cmp(&right),
        };
        match order {
            Ordering::Less => {
                diff.remove(&before)?;
                before.advance().await?;
            }
            Ordering::Greater => {
                diff.add(&after)?;
                after.advance().await?;
            }
            Ordering::Equal => {
                if before.values() != after.values() {
                    diff.change(&before, &after)?;
                }
                before.advance().await?;
                after.advance().await?;
            }
        }
    }
}

/// One side, at one row.
struct Cursor {
    rows: Rows,
    keys: RowConverter,
    values: RowConverter,
    key_columns: usize,
    batch: Option<Encoded>,
    at: usize,
}

struct Encoded {
    batch: RecordBatch,
    keys: EncodedRows,
    /// `None` when every column is part of the key.
    values: Option<EncodedRows>,
}

impl Cursor {
    async fn start(rows: Rows, key_columns: usize) -> Result<Self> {
        let schema = rows.schema();
        let converter = |fields: &[arrow::datatypes::FieldRef]| {
            RowConverter::new(
                fields.iter().map(|field| SortField::new(field.data_type().clone())).collect(),
            )
            .or_fail(|| "these rows can not be compared".to_owned())
        };
        let (key, value) = schema.fields().split_at(key_columns.min(schema.fields().len()));
        let keys = converter(key)?;
        let values = converter(value)?;
        let mut cursor = Self { rows, keys, values, key_columns, batch: None, at: 0 };
        cursor.next_batch().await?;
        Ok(cursor)
    }

    async fn next_batch(&mut self) -> Result<()> {
        self.at = 0;
        self.batch = None;
        while let Some(batch) =
            self.rows.next().await.or_fail(|| "cannot read the rows".to_owned())?
        {
            if batch.num_rows() > 0 {
                let encode = |converter: &RowConverter, columns: &[ArrayRef]| {
                    converter
                        .convert_columns(columns)
                        .or_fail(|| "these rows can not be compared".to_owned())
                };
                let (key, value) =
                    batch.columns().split_at(self.key_columns.min(batch.num_columns()));
                self.batch = Some(Encoded {
                    keys: encode(&self.keys, key)?,
                    values: if value.is_empty() {
                        None
                    } else {
                        Some(encode(&self.values, value)?)
                    },
                    batch,
                });
                return Ok(());
            }
        }
        Ok(())
    }

    async fn advance(&mut self) -> Result<()> {
        self.at += 1;
        if self.batch.as_ref().is_some_and(|batch| self.at >= batch.batch.num_rows()) {
            self.next_batch().await?;
        }
        Ok(())
    }

    fn key(&self) -> Option<OwnedRow> {
        self.batch.as_ref().map(|batch| batch.keys.row(self.at).owned())
    }

    fn values(&self) -> Option<OwnedRow> {
        let values = self.batch.as_ref()?.values.as_ref()?;
        Some(values.row(self.at).owned())
    }

    fn text(&self) -> Result<String> {
        self.batch.as_ref().map_or(Ok(String::new()), |batch| row_text(&batch.batch, self.at))
    }
}
