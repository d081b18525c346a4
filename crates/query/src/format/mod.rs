//! Host files as tables: a URL names the file and its format, a reader turns
//! its bytes into Arrow record batches.
//!
//! What always holds:
//! - The schema is that of the whole file. [`open`] reads every record once
//!   before it answers, so a value near the end widens its column (integer to
//!   float to text) before the first row is handed out, and a row that can not
//!   be read is refused by file, line and column before anything is written.
//! - Rows come in the order of the file; memory is bounded by a few chunks of
//!   about a mebibyte, never by the file.
//! - Nothing is guessed in silence: what was assumed (a zone, a delimiter, a
//!   repeated hour) is in the [`ReadReport`].
//!
//! What is deliberately not here: files inside a pond, SQL, and anything that
//! decides which host files may be read. The caller names them.
//!
//! | format | records | module |
//! |---|---|---|
//! | csv | lines, quoted fields | [`csv`](self::Format::Csv) |
//! | ndjson | one JSON object a line | [`ndjson`](self::Format::Ndjson) |
//! | json | elements of one array, or one object | [`json`](self::Format::Json) |
//! | parquet | as stored | [`parquet`](self::Format::Parquet) |
//! | jsonlogs | as ndjson, other lines skipped and counted | [`json`](self::Format::JsonLogs) |
//! | excelhtml | rows of the HTML tables, read as CSV | [`excelhtml`](self::Format::ExcelHtml) |
//! | weblog | lines of the Common or Combined Log Format | [`weblog`](self::Format::WebLog) |
//! | oteljson | lines of OpenTelemetry metrics, one row a data point | [`oteljson`](self::Format::OtelJson) |

mod chunks;
mod csv;
mod error;
mod excelhtml;
mod host_table;
mod input;
mod json;
mod options;
mod oteljson;
mod parquet;
mod pipeline;
mod reader;
mod report;
mod time;
mod url;
mod weblog;
mod words;

pub use error::{Error, Malformed, Result};
pub use host_table::HostTable;
pub use input::HostSource;
pub use options::{Ambiguous, ColumnType, OnError, ReadOptions};
pub(crate) use parquet::HostParquet;
pub use reader::{BatchStream, OpenedSource, open};
pub use report::{DaylightSaving, DoubtfulTime, Note, ReadReport};
pub use url::{Compression, Format, Location, Origin, Resolved, SourceUrl, TableKind, UrlError};
pub use words::{epoch_format, parse_delimiter, parse_floor, parse_time};
