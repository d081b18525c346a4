//! What can go wrong with tables, series and transactions.
//!
//! Variants are things a caller may treat differently; `Display` states this
//! layer only, the source tells the rest.

use tinyfs::TimeUnit;

/// Shorthand for results of this crate.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// An error of whoever supplies rows or bytes.
pub type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// An error of a table, a series or a transaction.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The file system refused.
    #[error(transparent)]
    FileSystem(#[from] tinyfs::Error),
    /// The log refused.
    #[error("{doing}")]
    Log {
        /// What was being done.
        doing: String,
        /// The cause.
        #[source]
        source: oplog::Error,
    },
    /// Rows or bytes that were to be written could not be read.
    #[error("what was to be written to `{path}` can not be read")]
    Input {
        /// Where it was to go.
        path: String,
        /// The cause.
        #[source]
        source: BoxError,
    },
    /// Bytes that should be Parquet are not.
    #[error("what was given for `{path}` is not a Parquet file")]
    NotParquet {
        /// Where it was to go.
        path: String,
        /// The cause.
        #[source]
        source: BoxError,
    },
    /// Parquet could not be encoded or decoded.
    #[error("{doing}")]
    Parquet {
        /// What was being done.
        doing: String,
        /// The cause.
        #[source]
        source: parquet::errors::ParquetError,
    },
    /// Rows could not be converted.
    #[error("{doing}")]
    Arrow {
        /// What was being done.
        doing: String,
        /// The cause.
        #[source]
        source: arrow::error::ArrowError,
    },
    /// A new series needs a declaration.
    #[error("`{path}` does not exist, and a new series needs its time column named")]
    NoSpec {
        /// The series to be.
        path: String,
    },
    /// A series exists with another declaration.
    #[error("series `{path}` has {property} {declared}, not {given}")]
    SpecMismatch {
        /// The series.
        path: String,
        /// Which property differs.
        property: &'static str,
        /// What the series has.
        declared: String,
        /// What was given.
        given: String,
    },
    /// The file says it is a series but declares no time column.
    #[error("`{path}` declares no time column")]
    NotDeclared {
        /// The file.
        path: String,
    },
    /// The rows lack the time column or a key column.
    #[error("rows for `{path}` have no column `{column}`")]
    NoColumn {
        /// Where they were to go.
        path: String,
        /// The column.
        column: String,
        /// The columns there are, the most alike first.
        nearest: Vec<String>,
    },
    /// The time column holds something else.
    #[error("column `{column}` of rows for `{path}` is {actual}, which is no time")]
    NotTime {
        /// Where they were to go.
        path: String,
        /// The column.
        column: String,
        /// Its type.
        actual: String,
    },
    /// Times are finer than the series keeps.
    #[error(
        "times in column `{column}` of rows for `{path}` are in {given}, finer than the {declared} of the series"
    )]
    UnitMismatch {
        /// The series.
        path: String,
        /// The time column.
        column: String,
        /// The unit of the series.
        declared: TimeUnit,
        /// The unit of the rows.
        given: TimeUnit,
    },
    /// A row has no time.
    #[error("row {row} for `{path}` has no value in its time column `{column}`")]
    NullTime {
        /// Where it was to go.
        path: String,
        /// The time column.
        column: String,
        /// The row, from 1.
        row: u64,
    },
    /// A time that microseconds in 64 bits can not hold.
    #[error("row {row} for `{path}` has a time in `{column}` that is out of range: {value}")]
    TimeOutOfRange {
        /// Where it was to go.
        path: String,
        /// The time column.
        column: String,
        /// The row, from 1.
        row: u64,
        /// The value as stored.
        value: i64,
    },
    /// A column changed to a type that does not fit with the one before.
    #[error(
        "column `{column}` of `{path}` is {had} in version {version} and {got} in the rows given"
    )]
    SchemaConflict {
        /// The series.
        path: String,
        /// The column.
        column: String,
        /// The version compared with.
        version: u64,
        /// Its type there.
        had: String,
        /// Its type in the new rows.
        got: String,
    },
    /// Two columns of one name.
    #[error("rows for `{path}` have two columns named `{column}`")]
    DuplicateColumn {
        /// Where they were to go.
        path: String,
        /// The name.
        column: String,
    },
    /// The transaction has been committed or given up.
    #[error("this transaction has ended")]
    Ended,
}
