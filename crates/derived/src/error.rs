//! What can go wrong when a node is computed.

use factory::ConfigError;

/// Shorthand for results of this crate.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// An error of a factory's plan. It travels inside
/// [`query::Error::Computed`], where [`Error::find`] finds it.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The node's configuration does not do.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// No column has this name.
    #[error("there is no column `{column}`")]
    NoColumn {
        /// The name, or the pattern.
        column: String,
        /// The columns that are near to it; where none is, the first of those
        /// there are.
        columns: Vec<String>,
    },
    /// Which column holds the times is not said and not known.
    #[error("which column holds the times is not known")]
    TimeColumn {
        /// The columns that could.
        candidates: Vec<String>,
    },
    /// A column does not hold times.
    #[error("column `{column}` holds {actual}, not times")]
    NotTime {
        /// The column.
        column: String,
        /// Its type.
        actual: String,
    },
    /// A column that is no number is to be computed with.
    #[error("column `{column}` holds {actual}, of which there is no {aggregation}")]
    NotANumber {
        /// The column.
        column: String,
        /// Its type.
        actual: String,
        /// What was to be computed.
        aggregation: &'static str,
    },
    /// A row has no time.
    #[error("a row of {input} has no time")]
    NullTime {
        /// The input.
        input: String,
    },
    /// Two columns would have one name.
    #[error("{first} and {second} both give a column `{name}`")]
    NameTwice {
        /// The name.
        name: String,
        /// What gives it first.
        first: String,
        /// What gives it again.
        second: String,
    },
    /// Two inputs have a column whose types have no common one.
    #[error("column `{column}` is {} in {}, but {} in {}", left.1, left.0, right.1, right.0)]
    TypeConflict {
        /// The column.
        column: String,
        /// An input and its type.
        left: (String, String),
        /// Another input and its type.
        right: (String, String),
    },
    /// Two inputs measure a column in different units.
    #[error(
        "column `{column}` is measured in {} in {}, but in {} in {}: convert one of them",
        left.1, left.0, right.1, right.0
    )]
    UnitConflict {
        /// The column.
        column: String,
        /// An input and its unit.
        left: (String, String),
        /// Another input and its unit.
        right: (String, String),
    },
    /// A resolution can not be made from a finer one.
    #[error("`{resolution}` does not fold from `{finer}`: add `{add}`, or leave it out")]
    NoFold {
        /// The resolution.
        resolution: String,
        /// The coarsest finer one.
        finer: String,
        /// What would do.
        add: String,
    },
    /// A civil time before 1970 has no bucket.
    #[error("a row at {us} us since 1970 UTC lies before 1970, where days of {zone} are not cut")]
    BeforeCivil {
        /// The row's time.
        us: i64,
        /// The zone.
        zone: String,
    },
    /// Two series would be reduced to one directory.
    #[error("{first} and {second} both go to `{out}`: name more wildcards in `out_pattern`")]
    OutTwice {
        /// The directory.
        out: String,
        /// A series.
        first: String,
        /// Another series.
        second: String,
    },
    /// An output pattern names a wildcard that the input pattern does not have.
    #[error("`{out}` asks for `${at}`, but `{pattern}` has {wildcards} wildcard(s), from `$0` on")]
    NoWildcard {
        /// The output pattern.
        out: String,
        /// The place that it names.
        at: String,
        /// The pattern of the inputs.
        pattern: String,
        /// How many wildcards that has.
        wildcards: usize,
    },
    /// An output path can not be made of a match.
    #[error("`{out}` is not a path to write to for `{pattern}`")]
    OutPath {
        /// What comes out.
        out: String,
        /// The pattern of the inputs.
        pattern: String,
    },
    /// An input names a file of the host.
    #[error("`{}` is a file of the host: inputs are files of the pond", text.escape_debug())]
    HostPath {
        /// The input as written.
        text: String,
    },
    /// An input can not be read as one.
    #[error("`{}` is not an input: {what}", text.escape_debug())]
    Input {
        /// The input as written.
        text: String,
        /// Why not.
        what: String,
    },
    /// An input names no format that there is.
    #[error(transparent)]
    Format(#[from] query::format::UrlError),
    /// The cache could not be read or written. Never ends a query.
    #[error("the cache could not be used at {}", path.display())]
    Cache {
        /// Where.
        path: std::path::PathBuf,
        /// The cause.
        #[source]
        source: std::io::Error,
    },
    /// A column that holds no numbers has no unit.
    #[error("column `{column}` holds {actual}, not numbers")]
    NotNumeric {
        /// The column.
        column: String,
        /// Its type.
        actual: String,
    },
    /// A column does not say in which unit it is measured.
    #[error("column `{column}` does not say its unit: say `{{ from: UNIT, to: UNIT }}`")]
    NoUnit {
        /// The column.
        column: String,
    },
    /// A unit can not be made of another.
    #[error(transparent)]
    Unit(#[from] crate::UnitError),
    /// A query over the inputs failed.
    #[error(transparent)]
    Query(#[from] query::Error),
    /// The factory refused.
    #[error(transparent)]
    Factory(#[from] factory::Error),
}

impl Error {
    /// The error of this crate in a chain of causes, if there is one.
    #[must_use]
    pub fn find<'a>(error: &'a (dyn std::error::Error + 'static)) -> Option<&'a Self> {
        type Shared = std::sync::Arc<dyn std::error::Error + Send + Sync>;
        let mut next = Some(error);
        while let Some(cause) = next {
            // A shared cause is in the chain as its pointer, whose own source
            // is already the next.
            let cause: &'a (dyn std::error::Error + 'static) = match cause.downcast_ref::<Shared>()
            {
                Some(shared) => shared.as_ref(),
                None => cause,
            };
            if let Some(ours) = cause.downcast_ref::<Self>() {
                return Some(ours);
            }
            next = cause.source();
        }
        None
    }
}

impl From<datafusion::error::DataFusionError> for Error {
    fn from(error: datafusion::error::DataFusionError) -> Self {
        Self::Query(error.into())
    }
}

impl From<tinyfs::Error> for Error {
    fn from(error: tinyfs::Error) -> Self {
        Self::Query(error.into())
    }
}
