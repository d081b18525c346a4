//! The one flat schema that rows of every kind lie in.
//!
//! Each row fills the columns of its kind and leaves the others null. Ids and
//! hashes are text, times are microseconds UTC, attributes are JSON, so that
//! a stranger with a Parquet reader can read them. `docs/format.md` lists the
//! columns.

use std::sync::{Arc, LazyLock};

use arrow::array::{
    Array, ArrayRef, AsArray, BinaryBuilder, BooleanBuilder, Int32Builder, Int64Builder,
    RecordBatch, StringBuilder, TimestampMicrosecondBuilder,
};
use arrow::datatypes::{
    DataType, Field, Int32Type, Int64Type, Schema, SchemaRef, TimeUnit, TimestampMicrosecondType,
};
use bytes::Bytes;
use tinyfs::{Attributes, ContentHash, NodeId, TimeRange};
use uuid::Uuid;

use crate::{Counts, Covers, Error, LinkRow, Result, Stamped, TransactionRow, VersionRow};

/// Names of the kinds of rows, as they stand in column `kind`.
pub(crate) mod kind {
    pub(crate) const CONTENT: &str = "content";
    pub(crate) const LINK: &str = "link";
    pub(crate) const TRANSACTION: &str = "transaction";
    pub(crate) const VERSION: &str = "version";
}

/// The column that holds bytes of content.
pub(crate) const CONTENT: &str = "content";
/// The column that says what kind of row it is.
pub(crate) const KIND: &str = "kind";
/// The column of the node a row is about; for a link, the directory.
pub(crate) const NODE: &str = "node";
/// The columns whose values hardly repeat from row to row.
pub(crate) const DISTINCT: &[&str] = &[
    "txn_seq",
    "position",
    "written",
    NODE,
    "child",
    "version",
    "size_bytes",
    "hash",
    "rows",
    "min_time",
    "max_time",
    "txn_id",
    "started",
    "ended",
    "content_bytes",
    "rows_hash",
    "previous_hash",
    "txn_hash",
];

/// Bytes of a version, in the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ContentRow {
    pub(crate) node: NodeId,
    pub(crate) version: u64,
    pub(crate) hash: ContentHash,
    pub(crate) bytes: Bytes,
}

/// Where the columns stand: looking one up by its name for each row would cost
/// more than the row.
pub(crate) mod at {
    pub(crate) const TXN_SEQ: usize = 0;
    pub(crate) const POSITION: usize = 1;
    pub(crate) const WRITTEN: usize = 2;
    pub(crate) const KIND: usize = 3;
    pub(crate) const NODE: usize = 4;
    pub(crate) const NAME: usize = 5;
    pub(crate) const CHILD: usize = 6;
    pub(crate) const ENTRY_TYPE: usize = 7;
    pub(crate) const VERSION: usize = 8;
    pub(crate) const COVERS_FROM: usize = 9;
    pub(crate) const COVERS_FROM_TXN: usize = 10;
    pub(crate) const SIZE_BYTES: usize = 11;
    pub(crate) const HASH: usize = 12;
    pub(crate) const FORMAT: usize = 13;
    pub(crate) const INLINE: usize = 14;
    pub(crate) const ROWS: usize = 15;
    pub(crate) const MIN_TIME: usize = 16;
    pub(crate) const MAX_TIME: usize = 17;
    pub(crate) const TIME_COLUMN: usize = 18;
    pub(crate) const ATTRIBUTES: usize = 19;
    pub(crate) const FACTORY: usize = 20;
    pub(crate) const TXN_ID: usize = 21;
    pub(crate) const TXN_KIND: usize = 22;
    pub(crate) const COMMAND: usize = 23;
    pub(crate) const USER_NAME: usize = 24;
    pub(crate) const HOST_NAME: usize = 25;
    pub(crate) const STARTED: usize = 26;
    pub(crate) const ENDED: usize = 27;
    pub(crate) const LINKS: usize = 28;
    pub(crate) const VERSIONS: usize = 29;
    pub(crate) const CONTENT_BYTES: usize = 30;
    pub(crate) const ROWS_HASH: usize = 31;
    pub(crate) const PREVIOUS_HASH: usize = 32;
    pub(crate) const TXN_HASH: usize = 33;
    pub(crate) const CONTENT: usize = 34;
}

static SCHEMA: LazyLock<SchemaRef> = LazyLock::new(|| {
    let text = |name| Field::new(name, DataType::Utf8, true);
    let long = |name| Field::new(name, DataType::Int64, true);
    let time = |name| {
        Field::new(name, DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into())), true)
    };
    Arc::new(Schema::new(vec![
        Field::new("txn_seq", DataType::Int64, false),
        Field::new("position", DataType::Int32, false),
        time("written").with_nullable(false),
        Field::new(KIND, DataType::Utf8, false),
        text(NODE),
        text("name"),
        text("child"),
        text("entry_type"),
        long("version"),
        long("covers_from"),
        long("covers_from_txn"),
        long("size_bytes"),
        text("hash"),
        text("format"),
        Field::new("inline", DataType::Boolean, true),
        long("rows"),
        time("min_time"),
        time("max_time"),
        text("time_column"),
        text("attributes"),
        text("factory"),
        text("txn_id"),
        text("txn_kind"),
        text("command"),
        text("user_name"),
        text("host_name"),
        time("started"),
        time("ended"),
        long("links"),
        long("versions"),
        long("content_bytes"),
        text("rows_hash"),
        text("previous_hash"),
        text("txn_hash"),
        Field::new(CONTENT, DataType::Binary, true),
    ]))
});

/// The schema of every file of the log.
pub(crate) fn schema() -> SchemaRef {
    Arc::clone(&SCHEMA)
}

/// The name of a column.
fn name(column: usize) -> &'static str {
    SCHEMA.fields().get(column).map_or("?", |field| field.name())
}

enum Column {
    Text(StringBuilder),
    Long(Int64Builder),
    Int(Int32Builder),
    Bool(BooleanBuilder),
    Time(TimestampMicrosecondBuilder),
    Bytes(BinaryBuilder),
}

impl Column {
    fn of(data_type: &DataType) -> Self {
        match data_type {
            DataType::Int64 => Self::Long(Int64Builder::new()),
            DataType::Int32 => Self::Int(Int32Builder::new()),
            DataType::Boolean => Self::Bool(BooleanBuilder::new()),
            DataType::Binary => Self::Bytes(BinaryBuilder::new()),
            DataType::Timestamp(..) => {
                Self::Time(TimestampMicrosecondBuilder::new().with_timezone("UTC"))
            }
            _ => Self::Text(StringBuilder::new()),
        }
    }

    fn append_null(&mut self) {
        match self {
            Self::Text(b) => b.append_null(),
            Self::Long(b) => b.append_null(),
            Self::Int(b) => b.append_null(),
            Self::Bool(b) => b.append_null(),
            Self::Time(b) => b.append_null(),
            Self::Bytes(b) => b.append_null(),
        }
    }

    fn len(&self) -> usize {
        use arrow::array::ArrayBuilder;
        match self {
            Self::Text(b) => b.len(),
            Self::Long(b) => b.len(),
            Self::Int(b) => b.len(),
            Self::Bool(b) => b.len(),
            Self::Time(b) => b.len(),
            Self::Bytes(b) => b.len(),
        }
    }

    fn finish(&mut self) -> ArrayRef {
        match self {
            Self::Text(b) => Arc::new(b.finish()),
            Self::Long(b) => Arc::new(b.finish()),
            Self::Int(b) => Arc::new(b.finish()),
            Self::Bool(b) => Arc::new(b.finish()),
            Self::Time(b) => Arc::new(b.finish()),
            Self::Bytes(b) => Arc::new(b.finish()),
        }
    }
}

/// Rows on their way into a record batch.
pub(crate) struct BatchBuilder {
    columns: Vec<Column>,
    rows: usize,
}

/// A number as the signed one that Delta Lake has; rows beyond 2^63 of
/// anything are refused before they come here.
fn signed(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

impl BatchBuilder {
    pub(crate) fn new() -> Self {
        let columns = SCHEMA.fields().iter().map(|field| Column::of(field.data_type())).collect();
        Self { columns, rows: 0 }
    }

    pub(crate) const fn rows(&self) -> usize {
        self.rows
    }

    fn text(&mut self, column: usize, text: &str) {
        if let Some(Column::Text(builder)) = self.columns.get_mut(column) {
            builder.append_value(text);
        }
    }

    fn long(&mut self, column: usize, number: u64) {
        if let Some(Column::Long(builder)) = self.columns.get_mut(column) {
            builder.append_value(signed(number));
        }
    }

    fn time(&mut self, column: usize, us: i64) {
        if let Some(Column::Time(builder)) = self.columns.get_mut(column) {
            builder.append_value(us);
        }
    }

    fn begin<T>(&mut self, kind: &str, stamped: &Stamped<T>) {
        self.long(at::TXN_SEQ, stamped.txn_seq);
        if let Some(Column::Int(builder)) = self.columns.get_mut(at::POSITION) {
            builder.append_value(i32::try_from(stamped.position).unwrap_or(i32::MAX));
        }
        self.time(at::WRITTEN, stamped.written_us);
        self.text(at::KIND, kind);
    }

    fn end(&mut self) {
        self.rows += 1;
        let rows = self.rows;
        for column in &mut self.columns {
            if column.len() < rows {
                column.append_null();
            }
        }
    }

    pub(crate) fn link(&mut self, stamped: &Stamped<LinkRow>) {
        self.begin(kind::LINK, stamped);
        let row = &stamped.row;
        self.text(at::NODE, &row.parent.to_string());
        self.text(at::NAME, &row.name);
        if let Some(child) = row.child {
            self.text(at::CHILD, &child.to_string());
        }
        self.text(at::ENTRY_TYPE, row.entry_type.as_str());
        self.end();
    }

    pub(crate) fn version(&mut self, stamped: &Stamped<VersionRow>) {
        self.begin(kind::VERSION, stamped);
        let row = &stamped.row;
        self.text(at::NODE, &row.node.to_string());
        self.long(at::VERSION, row.version);
        if let Some(covers) = row.covers {
            self.long(at::COVERS_FROM, covers.from_version);
            self.long(at::COVERS_FROM_TXN, covers.from_txn);
        }
        self.text(at::ENTRY_TYPE, row.entry_type.as_str());
        self.long(at::SIZE_BYTES, row.size_bytes);
        if let Some(hash) = row.hash {
            self.text(at::HASH, &hash.to_string());
        }
        self.text(at::FORMAT, row.format.as_str());
        if let Some(Column::Bool(builder)) = self.columns.get_mut(at::INLINE) {
            builder.append_value(row.inline);
        }
        if let Some(rows) = row.rows {
            self.long(at::ROWS, rows);
        }
        if let Some(range) = row.time_range {
            self.time(at::MIN_TIME, range.min_us);
            self.time(at::MAX_TIME, range.max_us);
        }
        if let Some(column) = &row.time_column {
            self.text(at::TIME_COLUMN, column);
        }
        if !row.attributes.is_empty() {
            let attributes =
                row.attributes.iter().map(|(key, value)| (key.clone(), value.clone().into()));
            let json = serde_json::Value::Object(attributes.collect());
            self.text(at::ATTRIBUTES, &json.to_string());
        }
        if let Some(factory) = &row.factory {
            self.text(at::FACTORY, factory);
        }
        self.end();
    }

    pub(crate) fn transaction(&mut self, stamped: &Stamped<TransactionRow>) {
        self.begin(kind::TRANSACTION, stamped);
        let row = &stamped.row;
        self.text(at::TXN_ID, &row.txn_id.to_string());
        self.text(at::TXN_KIND, row.kind.as_str());
        self.text(at::COMMAND, &row.command);
        self.text(at::USER_NAME, &row.user);
        self.text(at::HOST_NAME, &row.host);
        self.time(at::STARTED, row.started_us);
        self.time(at::ENDED, row.ended_us);
        self.long(at::LINKS, row.counts.links);
        self.long(at::VERSIONS, row.counts.versions);
        self.long(at::CONTENT_BYTES, row.counts.content_bytes);
        self.text(at::ROWS_HASH, &row.rows_hash.to_string());
        self.text(at::PREVIOUS_HASH, &row.previous_hash.to_string());
        self.text(at::TXN_HASH, &row.hash.to_string());
        self.end();
    }

    pub(crate) fn content(&mut self, stamped: &Stamped<ContentRow>) {
        self.begin(kind::CONTENT, stamped);
        let row = &stamped.row;
        self.text(at::NODE, &row.node.to_string());
        self.long(at::VERSION, row.version);
        self.text(at::HASH, &row.hash.to_string());
        if let Some(Column::Bytes(builder)) = self.columns.get_mut(at::CONTENT) {
            builder.append_value(&row.bytes);
        }
        self.end();
    }

    /// The rows so far as a batch; the builder is empty afterwards.
    pub(crate) fn finish(&mut self) -> Result<RecordBatch> {
        self.rows = 0;
        let columns = self.columns.iter_mut().map(Column::finish).collect();
        RecordBatch::try_new(schema(), columns)
            .map_err(|error| Error::io("putting rows into columns", error))
    }
}

/// The columns of a batch read back.
pub(crate) struct BatchReader<'a> {
    file: &'a str,
    /// By place in the schema; those that were not read are absent.
    columns: Vec<Option<&'a ArrayRef>>,
}

impl<'a> BatchReader<'a> {
    pub(crate) fn new(file: &'a str, batch: &'a RecordBatch) -> Self {
        let columns =
            SCHEMA.fields().iter().map(|field| batch.column_by_name(field.name())).collect();
        Self { file, columns }
    }

    fn damaged(&self, what: impl Into<String>) -> Error {
        Error::DamagedFile { file: self.file.to_owned(), what: what.into() }
    }

    fn column(&self, column: usize) -> Result<&'a ArrayRef> {
        let found = self.columns.get(column).copied().flatten();
        found.ok_or_else(|| self.damaged(format!("it has no column `{}`", name(column))))
    }

    fn text(&self, column: usize, row: usize) -> Result<Option<&'a str>> {
        let values = self.column(column)?;
        let values = values
            .as_string_opt::<i32>()
            .ok_or_else(|| self.damaged(format!("column `{}` is not text", name(column))))?;
        Ok(values.is_valid(row).then(|| values.value(row)))
    }

    fn long(&self, column: usize, row: usize) -> Result<Option<u64>> {
        let values = self.column(column)?;
        let values = values
            .as_primitive_opt::<Int64Type>()
            .ok_or_else(|| self.damaged(format!("column `{}` is not a number", name(column))))?;
        if values.is_null(row) {
            return Ok(None);
        }
        u64::try_from(values.value(row))
            .map(Some)
            .map_err(|_| self.damaged(format!("column `{}` holds a negative number", name(column))))
    }

    fn time(&self, column: usize, row: usize) -> Result<Option<i64>> {
        let values = self.column(column)?;
        let values = values
            .as_primitive_opt::<TimestampMicrosecondType>()
            .ok_or_else(|| self.damaged(format!("column `{}` is not a time", name(column))))?;
        Ok(values.is_valid(row).then(|| values.value(row)))
    }

    fn need<T>(&self, column: usize, value: Option<T>) -> Result<T> {
        value.ok_or_else(|| {
            self.damaged(format!("column `{}` is null where it must not be", name(column)))
        })
    }

    fn parsed<T: std::str::FromStr>(&self, column: usize, row: usize) -> Result<Option<T>> {
        self.text(column, row)?
            .map(|text| {
                text.parse().map_err(|_| {
                    self.damaged(format!(
                        "column `{}` holds `{}`",
                        name(column),
                        text.escape_debug()
                    ))
                })
            })
            .transpose()
    }

    fn required<T: std::str::FromStr>(&self, column: usize, row: usize) -> Result<T> {
        let value = self.parsed(column, row)?;
        self.need(column, value)
    }

    fn required_text(&self, column: usize, row: usize) -> Result<String> {
        let value = self.text(column, row)?;
        self.need(column, value).map(str::to_owned)
    }

    fn required_long(&self, column: usize, row: usize) -> Result<u64> {
        let value = self.long(column, row)?;
        self.need(column, value)
    }

    fn required_time(&self, column: usize, row: usize) -> Result<i64> {
        let value = self.time(column, row)?;
        self.need(column, value)
    }

    pub(crate) fn kind(&self, row: usize) -> Result<&'a str> {
        let value = self.text(at::KIND, row)?;
        self.need(at::KIND, value)
    }

    /// Puts a row's stamp on it.
    pub(crate) fn stamp<T>(&self, row: usize, value: T) -> Result<Stamped<T>> {
        let positions = self.column(at::POSITION)?;
        let position = positions
            .as_primitive_opt::<Int32Type>()
            .and_then(|column| u32::try_from(column.value(row)).ok())
            .ok_or_else(|| self.damaged("column `position` is not a position"))?;
        Ok(Stamped {
            txn_seq: self.required_long(at::TXN_SEQ, row)?,
            position,
            written_us: self.required_time(at::WRITTEN, row)?,
            row: value,
        })
    }

    pub(crate) fn link(&self, row: usize) -> Result<LinkRow> {
        Ok(LinkRow {
            parent: self.required(at::NODE, row)?,
            name: self.required_text(at::NAME, row)?,
            child: self.parsed(at::CHILD, row)?,
            entry_type: self.required(at::ENTRY_TYPE, row)?,
        })
    }

    pub(crate) fn version(&self, row: usize) -> Result<VersionRow> {
        let version = self.required_long(at::VERSION, row)?;
        let covers = match self.long(at::COVERS_FROM, row)? {
            None => None,
            Some(from_version) if from_version == 0 || from_version > version => {
                return Err(self.damaged(format!(
                    "column `covers_from` holds {from_version} for version {version}"
                )));
            }
            Some(from_version) => Some(Covers {
                from_version,
                from_txn: self.required_long(at::COVERS_FROM_TXN, row)?,
            }),
        };
        let time_range = match self.time(at::MIN_TIME, row)? {
            None => None,
            Some(min_us) => {
                let max_us = self.required_time(at::MAX_TIME, row)?;
                if min_us > max_us {
                    return Err(self.damaged("column `min_time` is after `max_time`"));
                }
                Some(TimeRange { min_us, max_us })
            }
        };
        let attributes: Attributes = match self.text(at::ATTRIBUTES, row)? {
            None => Attributes::new(),
            Some(json) => serde_json::from_str(json)
                .map_err(|_| self.damaged("column `attributes` is not a JSON object of texts"))?,
        };
        let inline = self
            .column(at::INLINE)?
            .as_boolean_opt()
            .filter(|column| column.is_valid(row))
            .map(|column| column.value(row));
        Ok(VersionRow {
            node: self.required(at::NODE, row)?,
            version,
            covers,
            entry_type: self.required(at::ENTRY_TYPE, row)?,
            size_bytes: self.required_long(at::SIZE_BYTES, row)?,
            hash: self.parsed(at::HASH, row)?,
            format: self.required(at::FORMAT, row)?,
            inline: self.need(at::INLINE, inline)?,
            rows: self.long(at::ROWS, row)?,
            time_range,
            time_column: self.text(at::TIME_COLUMN, row)?.map(str::to_owned),
            attributes,
            factory: self.text(at::FACTORY, row)?.map(str::to_owned),
        })
    }

    pub(crate) fn transaction(&self, row: usize) -> Result<TransactionRow> {
        Ok(TransactionRow {
            txn_id: self.required::<Uuid>(at::TXN_ID, row)?,
            kind: self.required(at::TXN_KIND, row)?,
            command: self.required_text(at::COMMAND, row)?,
            user: self.required_text(at::USER_NAME, row)?,
            host: self.required_text(at::HOST_NAME, row)?,
            started_us: self.required_time(at::STARTED, row)?,
            ended_us: self.required_time(at::ENDED, row)?,
            counts: Counts {
                links: self.required_long(at::LINKS, row)?,
                versions: self.required_long(at::VERSIONS, row)?,
                content_bytes: self.required_long(at::CONTENT_BYTES, row)?,
            },
            rows_hash: self.required(at::ROWS_HASH, row)?,
            previous_hash: self.required(at::PREVIOUS_HASH, row)?,
            hash: self.required(at::TXN_HASH, row)?,
        })
    }

    /// Whether a row is this content; its bytes are not looked at.
    pub(crate) fn is_content(
        &self,
        row: usize,
        node: NodeId,
        version: u64,
        hash: ContentHash,
    ) -> Result<bool> {
        Ok(self.kind(row)? == kind::CONTENT
            && self.required::<NodeId>(at::NODE, row)? == node
            && self.required_long(at::VERSION, row)? == version
            && self.required::<ContentHash>(at::HASH, row)? == hash)
    }

    pub(crate) fn content(&self, row: usize) -> Result<ContentRow> {
        let bytes = self
            .column(at::CONTENT)?
            .as_binary_opt::<i32>()
            .filter(|column| column.is_valid(row))
            .map(|column| Bytes::copy_from_slice(column.value(row)));
        Ok(ContentRow {
            node: self.required(at::NODE, row)?,
            version: self.required_long(at::VERSION, row)?,
            hash: self.required(at::HASH, row)?,
            bytes: self.need(at::CONTENT, bytes)?,
        })
    }
}

#[cfg(test)]
mod tests {
    use tinyfs::EntryType;

    use super::*;

    fn read_back(row: VersionRow) -> Result<VersionRow> {
        let mut builder = BatchBuilder::new();
        builder.version(&Stamped { txn_seq: 1, position: 0, written_us: 0, row });
        BatchReader::new("file", &builder.finish()?).version(0)
    }

    #[test]
    fn columns_stand_where_the_schema_has_them() {
        let named = [
            (at::TXN_SEQ, "txn_seq"),
            (at::KIND, KIND),
            (at::NODE, NODE),
            (at::VERSION, "version"),
            (at::INLINE, "inline"),
            (at::FACTORY, "factory"),
            (at::ENDED, "ended"),
            (at::CONTENT, CONTENT),
        ];
        for (column, expected) in named {
            assert_eq!(name(column), expected);
        }
        assert_eq!(schema().fields().len(), at::CONTENT + 1);
    }

    #[test]
    fn ranges_that_can_not_be_are_damage() {
        let node = NodeId::new(Uuid::nil());
        let row = VersionRow {
            version: 4,
            ..VersionRow::of_node(node, EntryType::Series, Attributes::new(), None)
        };
        let covers = |from_version| Some(Covers { from_version, from_txn: 1 });
        let range = |min_us, max_us| Some(TimeRange { min_us, max_us });
        let good = VersionRow { covers: covers(4), time_range: range(1, 1), ..row.clone() };
        assert_eq!(read_back(good.clone()).unwrap(), good);
        for bad in [
            VersionRow { covers: covers(0), ..row.clone() },
            VersionRow { covers: covers(5), ..row.clone() },
            VersionRow { time_range: range(2, 1), ..row },
        ] {
            let error = read_back(bad).unwrap_err();
            assert!(matches!(error, Error::DamagedFile { .. }), "{error:?}");
        }
    }
}
