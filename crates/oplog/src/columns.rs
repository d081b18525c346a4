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

/// Bytes of a version, in the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ContentRow {
    pub(crate) node: NodeId,
    pub(crate) version: u64,
    pub(crate) hash: ContentHash,
    pub(crate) bytes: Bytes,
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

    fn at(&mut self, name: &str) -> Option<&mut Column> {
        let index = SCHEMA.index_of(name).ok()?;
        self.columns.get_mut(index)
    }

    fn text(&mut self, name: &str, text: &str) {
        if let Some(Column::Text(builder)) = self.at(name) {
            builder.append_value(text);
        }
    }

    fn long(&mut self, name: &str, number: u64) {
        if let Some(Column::Long(builder)) = self.at(name) {
            builder.append_value(signed(number));
        }
    }

    fn time(&mut self, name: &str, us: i64) {
        if let Some(Column::Time(builder)) = self.at(name) {
            builder.append_value(us);
        }
    }

    fn begin<T>(&mut self, kind: &str, stamped: &Stamped<T>) {
        self.long("txn_seq", stamped.txn_seq);
        if let Some(Column::Int(builder)) = self.at("position") {
            builder.append_value(i32::try_from(stamped.position).unwrap_or(i32::MAX));
        }
        self.time("written", stamped.written_us);
        self.text(KIND, kind);
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
        self.text(NODE, &row.parent.to_string());
        self.text("name", &row.name);
        if let Some(child) = row.child {
            self.text("child", &child.to_string());
        }
        self.text("entry_type", row.entry_type.as_str());
        self.end();
    }

    pub(crate) fn version(&mut self, stamped: &Stamped<VersionRow>) {
        self.begin(kind::VERSION, stamped);
        let row = &stamped.row;
        self.text(NODE, &row.node.to_string());
        self.long("version", row.version);
        if let Some(covers) = row.covers {
            self.long("covers_from", covers.from_version);
            self.long("covers_from_txn", covers.from_txn);
        }
        self.text("entry_type", row.entry_type.as_str());
        self.long("size_bytes", row.size_bytes);
        if let Some(hash) = row.hash {
            self.text("hash", &hash.to_string());
        }
        self.text("format", row.format.as_str());
        if let Some(Column::Bool(builder)) = self.at("inline") {
            builder.append_value(row.inline);
        }
        if let Some(rows) = row.rows {
            self.long("rows", rows);
        }
        if let Some(range) = row.time_range {
            self.time("min_time", range.min_us);
            self.time("max_time", range.max_us);
        }
        if let Some(column) = &row.time_column {
            self.text("time_column", column);
        }
        if !row.attributes.is_empty() {
            let attributes =
                row.attributes.iter().map(|(key, value)| (key.clone(), value.clone().into()));
            let json = serde_json::Value::Object(attributes.collect());
            self.text("attributes", &json.to_string());
        }
        if let Some(factory) = &row.factory {
            self.text("factory", factory);
        }
        self.end();
    }

    pub(crate) fn transaction(&mut self, stamped: &Stamped<TransactionRow>) {
        self.begin(kind::TRANSACTION, stamped);
        let row = &stamped.row;
        self.text("txn_id", &row.txn_id.to_string());
        self.text("txn_kind", row.kind.as_str());
        self.text("command", &row.command);
        self.text("user_name", &row.user);
        self.text("host_name", &row.host);
        self.time("started", row.started_us);
        self.time("ended", row.ended_us);
        self.long("links", row.counts.links);
        self.long("versions", row.counts.versions);
        self.long("content_bytes", row.counts.content_bytes);
        self.text("rows_hash", &row.rows_hash.to_string());
        self.text("previous_hash", &row.previous_hash.to_string());
        self.text("txn_hash", &row.hash.to_string());
        self.end();
    }

    pub(crate) fn content(&mut self, stamped: &Stamped<ContentRow>) {
        self.begin(kind::CONTENT, stamped);
        let row = &stamped.row;
        self.text(NODE, &row.node.to_string());
        self.long("version", row.version);
        self.text("hash", &row.hash.to_string());
        if let Some(Column::Bytes(builder)) = self.at(CONTENT) {
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

/// The columns of a batch read back, by name.
pub(crate) struct BatchReader<'a> {
    file: &'a str,
    batch: &'a RecordBatch,
}

impl<'a> BatchReader<'a> {
    pub(crate) const fn new(file: &'a str, batch: &'a RecordBatch) -> Self {
        Self { file, batch }
    }

    fn damaged(&self, what: impl Into<String>) -> Error {
        Error::DamagedFile { file: self.file.to_owned(), what: what.into() }
    }

    fn column(&self, name: &str) -> Result<&'a ArrayRef> {
        self.batch
            .column_by_name(name)
            .ok_or_else(|| self.damaged(format!("it has no column `{name}`")))
    }

    fn text(&self, name: &str, row: usize) -> Result<Option<&'a str>> {
        let column = self.column(name)?;
        let column = column
            .as_string_opt::<i32>()
            .ok_or_else(|| self.damaged(format!("column `{name}` is not text")))?;
        Ok(column.is_valid(row).then(|| column.value(row)))
    }

    fn long(&self, name: &str, row: usize) -> Result<Option<u64>> {
        let column = self.column(name)?;
        let column = column
            .as_primitive_opt::<Int64Type>()
            .ok_or_else(|| self.damaged(format!("column `{name}` is not a number")))?;
        if column.is_null(row) {
            return Ok(None);
        }
        u64::try_from(column.value(row))
            .map(Some)
            .map_err(|_| self.damaged(format!("column `{name}` holds a negative number")))
    }

    fn time(&self, name: &str, row: usize) -> Result<Option<i64>> {
        let column = self.column(name)?;
        let column = column
            .as_primitive_opt::<TimestampMicrosecondType>()
            .ok_or_else(|| self.damaged(format!("column `{name}` is not a time")))?;
        Ok(column.is_valid(row).then(|| column.value(row)))
    }

    fn need<T>(&self, name: &str, value: Option<T>) -> Result<T> {
        value.ok_or_else(|| self.damaged(format!("column `{name}` is null where it must not be")))
    }

    fn parsed<T: std::str::FromStr>(&self, name: &str, row: usize) -> Result<Option<T>> {
        self.text(name, row)?
            .map(|text| {
                text.parse().map_err(|_| {
                    self.damaged(format!("column `{name}` holds `{}`", text.escape_debug()))
                })
            })
            .transpose()
    }

    fn required<T: std::str::FromStr>(&self, name: &str, row: usize) -> Result<T> {
        let value = self.parsed(name, row)?;
        self.need(name, value)
    }

    fn required_text(&self, name: &str, row: usize) -> Result<String> {
        let value = self.text(name, row)?;
        self.need(name, value).map(str::to_owned)
    }

    fn required_long(&self, name: &str, row: usize) -> Result<u64> {
        let value = self.long(name, row)?;
        self.need(name, value)
    }

    fn required_time(&self, name: &str, row: usize) -> Result<i64> {
        let value = self.time(name, row)?;
        self.need(name, value)
    }

    pub(crate) fn kind(&self, row: usize) -> Result<&'a str> {
        let value = self.text(KIND, row)?;
        self.need(KIND, value)
    }

    /// Puts a row's stamp on it.
    pub(crate) fn stamp<T>(&self, row: usize, value: T) -> Result<Stamped<T>> {
        let positions = self.column("position")?;
        let position = positions
            .as_primitive_opt::<Int32Type>()
            .and_then(|column| u32::try_from(column.value(row)).ok())
            .ok_or_else(|| self.damaged("column `position` is not a position"))?;
        Ok(Stamped {
            txn_seq: self.required_long("txn_seq", row)?,
            position,
            written_us: self.required_time("written", row)?,
            row: value,
        })
    }

    pub(crate) fn link(&self, row: usize) -> Result<LinkRow> {
        Ok(LinkRow {
            parent: self.required(NODE, row)?,
            name: self.required_text("name", row)?,
            child: self.parsed("child", row)?,
            entry_type: self.required("entry_type", row)?,
        })
    }

    pub(crate) fn version(&self, row: usize) -> Result<VersionRow> {
        let version = self.required_long("version", row)?;
        let covers = match self.long("covers_from", row)? {
            None => None,
            Some(from_version) if from_version == 0 || from_version > version => {
                return Err(self.damaged(format!(
                    "column `covers_from` holds {from_version} for version {version}"
                )));
            }
            Some(from_version) => {
                Some(Covers { from_version, from_txn: self.required_long("covers_from_txn", row)? })
            }
        };
        let time_range = match self.time("min_time", row)? {
            None => None,
            Some(min_us) => {
                let max_us = self.required_time("max_time", row)?;
                if min_us > max_us {
                    return Err(self.damaged("column `min_time` is after `max_time`"));
                }
                Some(TimeRange { min_us, max_us })
            }
        };
        let attributes: Attributes = match self.text("attributes", row)? {
            None => Attributes::new(),
            Some(json) => serde_json::from_str(json)
                .map_err(|_| self.damaged("column `attributes` is not a JSON object of texts"))?,
        };
        let inline = self
            .column("inline")?
            .as_boolean_opt()
            .filter(|column| column.is_valid(row))
            .map(|column| column.value(row));
        Ok(VersionRow {
            node: self.required(NODE, row)?,
            version,
            covers,
            entry_type: self.required("entry_type", row)?,
            size_bytes: self.required_long("size_bytes", row)?,
            hash: self.parsed("hash", row)?,
            format: self.required("format", row)?,
            inline: self.need("inline", inline)?,
            rows: self.long("rows", row)?,
            time_range,
            time_column: self.text("time_column", row)?.map(str::to_owned),
            attributes,
            factory: self.text("factory", row)?.map(str::to_owned),
        })
    }

    pub(crate) fn transaction(&self, row: usize) -> Result<TransactionRow> {
        Ok(TransactionRow {
            txn_id: self.required::<Uuid>("txn_id", row)?,
            kind: self.required("txn_kind", row)?,
            command: self.required_text("command", row)?,
            user: self.required_text("user_name", row)?,
            host: self.required_text("host_name", row)?,
            started_us: self.required_time("started", row)?,
            ended_us: self.required_time("ended", row)?,
            counts: Counts {
                links: self.required_long("links", row)?,
                versions: self.required_long("versions", row)?,
                content_bytes: self.required_long("content_bytes", row)?,
            },
            rows_hash: self.required("rows_hash", row)?,
            previous_hash: self.required("previous_hash", row)?,
            hash: self.required("txn_hash", row)?,
        })
    }

    pub(crate) fn content(&self, row: usize) -> Result<ContentRow> {
        let bytes = self
            .column(CONTENT)?
            .as_binary_opt::<i32>()
            .filter(|column| column.is_valid(row))
            .map(|column| Bytes::copy_from_slice(column.value(row)));
        Ok(ContentRow {
            node: self.required(NODE, row)?,
            version: self.required_long("version", row)?,
            hash: self.required("hash", row)?,
            bytes: self.need(CONTENT, bytes)?,
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
