//! What can go wrong with a query.
//!
//! Variants are things a caller may treat differently, each with the facts a
//! hint needs. Errors cross DataFusion boxed and shared, and come back whole:
//! [`Error::from`] looks for ours inside before it reads DataFusion's own.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use arrow::error::ArrowError;
use datafusion::common::SchemaError;
use datafusion::error::DataFusionError;
use parquet::errors::ParquetError;
use tinyfs::EntryType;

/// Shorthand for results of this crate.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// One of two things that do not go together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Side {
    /// The path of the node.
    pub path: String,
    /// The version of the node; 0 when the node is computed.
    pub version: u64,
    /// What it says: a type, a unit.
    pub says: String,
}

impl fmt::Display for Side {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.version {
            0 => write!(f, "{} in `{}`", self.says, self.path),
            version => write!(f, "{} in version {version} of `{}`", self.says, self.path),
        }
    }
}

/// An error of a session or of one of its queries.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The text is not SQL.
    #[error("this is not SQL: {message}")]
    Parse {
        /// What the parser expected and found.
        message: String,
        /// Line of the text, from 1, where known.
        line: Option<u64>,
        /// Column of the line, from 1, where known.
        column: Option<u64>,
    },
    /// The text is SQL that a session does not run.
    #[error("a query only reads: {statement} is refused")]
    Refused {
        /// The kind of statement.
        statement: String,
    },
    /// There is not exactly one statement.
    #[error("{}", if *count == 0 { "there is no query".to_owned() } else { format!("one statement at a time, not {count}") })]
    StatementCount {
        /// How many there are.
        count: usize,
    },
    /// The query nests more than can be planned safely.
    #[error("the query has more than {limit} {what}")]
    TooDeep {
        /// Of what it has too many.
        what: &'static str,
        /// How many it may have.
        limit: usize,
    },
    /// No table has this name.
    #[error("there is no table `{name}`")]
    NoSuchTable {
        /// The name, or path, or glob.
        name: String,
        /// Tables with similar names, best first.
        nearest: Vec<String>,
        /// For a path: the deepest directory on the way that does exist.
        deepest: Option<String>,
    },
    /// A glob matches nothing that has rows.
    #[error("no table or series matches `{pattern}`")]
    NoMatch {
        /// The glob.
        pattern: String,
    },
    /// No column has this name.
    #[error("there is no column `{name}`")]
    NoSuchColumn {
        /// The name.
        name: String,
        /// The columns there are, nearest first.
        nearest: Vec<String>,
    },
    /// The node has no rows to query.
    #[error("`{path}` has no rows to query: it is of type {actual}")]
    NotATable {
        /// The path.
        path: String,
        /// What it is.
        actual: EntryType,
    },
    /// A version is not readable Parquet.
    #[error("version {version} of `{path}` can not be read as Parquet: {what}")]
    NotParquet {
        /// The path.
        path: String,
        /// The version.
        version: u64,
        /// What is wrong.
        what: String,
    },
    /// A node says something of itself that does not hold.
    #[error("`{path}` is not a sound series: {what}")]
    BadSeries {
        /// The path.
        path: String,
        /// What does not hold.
        what: String,
    },
    /// Two versions have a column whose types have no common one.
    #[error("column `{column}` is {left}, but {right}: {reason}")]
    TypeConflict {
        /// The column.
        column: String,
        /// The earlier.
        left: Box<Side>,
        /// The later.
        right: Box<Side>,
        /// Why there is no common type.
        reason: String,
    },
    /// Two versions measure a column in different units.
    #[error("column `{column}` is measured in {left}, but in {right}")]
    UnitConflict {
        /// The column.
        column: String,
        /// The earlier.
        left: Box<Side>,
        /// The later.
        right: Box<Side>,
    },
    /// The query needs more memory than it may have, and can not spill.
    #[error("the query needs more memory than its limit")]
    OutOfMemory {
        /// The limit, in bytes.
        limit_bytes: Option<usize>,
        /// What the engine says of who holds what.
        detail: String,
    },
    /// Spilled data has filled what it may take.
    #[error("the query spilled more than the temporary directory may hold")]
    OutOfTempSpace {
        /// What the engine says.
        detail: String,
    },
    /// The query took longer than it may.
    #[error("the query took longer than {deadline:?}")]
    Deadline {
        /// How long it had.
        deadline: Duration,
    },
    /// A name or option given to a session does not work.
    #[error("{what}")]
    BadRequest {
        /// What is wrong with it.
        what: String,
    },
    /// The query is SQL but does not make sense (types, functions, grouping).
    #[error("the query can not be planned: {message}")]
    Plan {
        /// Why not.
        message: String,
    },
    /// The query makes sense, but not for these values: a division by zero, a
    /// text that is no number, a subquery of several rows where one belongs.
    #[error("the query has no answer for its data: {message}")]
    NoAnswer {
        /// What the engine says.
        message: String,
    },
    /// A Parquet file that a query reads does not decode, though its footer
    /// does.
    #[error("a Parquet file that the query reads is damaged: {what}")]
    Undecodable {
        /// What the decoder says.
        what: String,
    },
    /// A computed node could not be computed.
    #[error("`{path}` can not be computed")]
    Computed {
        /// The path of the innermost node that failed.
        path: String,
        /// Why not.
        #[source]
        source: Arc<dyn std::error::Error + Send + Sync>,
    },
    /// A node is computed from itself.
    #[error("computed from itself: {}", names.join(" -> "))]
    Cycle {
        /// The paths on the way round; the last is the first.
        names: Vec<String>,
    },
    /// The file system could not answer.
    #[error(transparent)]
    Store(#[from] tinyfs::Error),
    /// A host file could not be read as a table.
    #[error(transparent)]
    Host(Arc<crate::format::Error>),
    /// The history of transactions could not be read.
    #[error("the history could not be read")]
    History(#[source] Arc<dyn std::error::Error + Send + Sync>),
    /// The bytes could not be written where they were to go.
    #[error("the bytes could not be written")]
    Write(#[source] Arc<std::io::Error>),
    /// Running the query failed.
    #[error("the query failed")]
    Execution(#[source] Arc<DataFusionError>),
}

impl From<Error> for DataFusionError {
    fn from(error: Error) -> Self {
        Self::External(Box::new(error))
    }
}

impl From<Error> for object_store::Error {
    fn from(error: Error) -> Self {
        Self::Generic { store: "pond", source: Box::new(error) }
    }
}

impl From<DataFusionError> for Error {
    fn from(error: DataFusionError) -> Self {
        if let Some(ours) = find_ours(&error) {
            return ours;
        }
        if let Some(what) = undecodable(&error) {
            return Self::Undecodable { what };
        }
        match error.find_root() {
            DataFusionError::SQL(parse, _) => Self::parse(&parse.to_string()),
            DataFusionError::SchemaError(schema, _) => match schema.as_ref() {
                SchemaError::FieldNotFound { field, valid_fields } => Self::NoSuchColumn {
                    name: field.name.clone(),
                    nearest: crate::catalog::by_likeness(
                        &field.name,
                        valid_fields.iter().map(|column| column.name.clone()),
                    ),
                },
                other => Self::Plan { message: other.to_string() },
            },
            DataFusionError::Plan(message) | DataFusionError::NotImplemented(message) => {
                match message.split_once(" not supported: ") {
                    Some(("DDL" | "DML" | "Statement", statement)) => {
                        Self::Refused { statement: statement.to_owned() }
                    }
                    _ => Self::Plan { message: message.clone() },
                }
            }
            DataFusionError::ResourcesExhausted(detail) => {
                // The disk manager reports its own limit in the same variant.
                if detail.contains("disk space") {
                    Self::OutOfTempSpace { detail: detail.clone() }
                } else {
                    Self::OutOfMemory { limit_bytes: None, detail: detail.clone() }
                }
            }
            DataFusionError::Execution(message) => Self::no_answer(message),
            DataFusionError::ArrowError(arrow, _) => match arrow.as_ref() {
                ArrowError::DivideByZero
                | ArrowError::CastError(_)
                | ArrowError::ParseError(_)
                | ArrowError::ComputeError(_)
                | ArrowError::ArithmeticOverflow(_)
                | ArrowError::InvalidArgumentError(_) => Self::no_answer(&arrow.to_string()),
                _ => Self::Execution(Arc::new(error)),
            },
            _ => Self::Execution(Arc::new(error)),
        }
    }
}

impl Error {
    /// What the engine says of values that it can not work on, without the
    /// names of its own error types.
    fn no_answer(message: &str) -> Self {
        let kinds = [
            "Cast error: ",
            "Parser error: ",
            "Compute error: ",
            "Arithmetic overflow: ",
            "Invalid argument error: ",
        ];
        let message = message.trim_end();
        let said = kinds.iter().find_map(|kind| message.strip_prefix(kind)).unwrap_or(message);
        let message = match said.strip_suffix(" error") {
            Some("Divide by zero") => "division by zero".to_owned(),
            _ => said.to_owned(),
        };
        Self::NoAnswer { message }
    }

    /// A parse error, its position taken out of the parser's message.
    pub(crate) fn parse(text: &str) -> Self {
        let text = text.trim_start_matches("sql parser error: ");
        let number_after = |mark: &str| {
            let digits = text.rsplit_once(mark)?.1;
            let end = digits.find(|c: char| !c.is_ascii_digit()).unwrap_or(digits.len());
            digits[..end].parse().ok()
        };
        Self::Parse {
            message: text.to_owned(),
            line: number_after("Line: "),
            column: number_after("Column: "),
        }
    }
}

/// What the decoder of Parquet says, where an error comes from it.
fn undecodable(error: &DataFusionError) -> Option<String> {
    let mut next: Option<&(dyn std::error::Error + 'static)> = Some(error);
    while let Some(cause) = next {
        // Reading the bytes failed, which says nothing about them.
        if cause.is::<object_store::Error>() || cause.is::<std::io::Error>() {
            return None;
        }
        if let Some(parquet) = cause.downcast_ref::<ParquetError>() {
            if !matches!(parquet, ParquetError::External(_)) {
                return Some(parquet.to_string());
            }
        } else if let Some(ArrowError::ParquetError(what)) = cause.downcast_ref() {
            return Some(what.clone());
        }
        next = cause.source();
    }
    None
}

/// Our own error inside DataFusion's, wherever it was boxed on the way.
fn find_ours(error: &DataFusionError) -> Option<Error> {
    let mut next: Option<&(dyn std::error::Error + 'static)> = Some(error);
    while let Some(cause) = next {
        if let Some(ours) = cause.downcast_ref::<Error>() {
            return Some(ours.clone());
        }
        if let Some(store) = cause.downcast_ref::<tinyfs::Error>() {
            return Some(Error::Store(store.clone()));
        }
        next = cause.source();
    }
    None
}
