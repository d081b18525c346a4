//! What can go wrong when data is taken out.

use std::io;
use std::path::PathBuf;

/// Shorthand for results of exports.
pub(crate) type Result<T, E = ExportError> = std::result::Result<T, E>;

/// An error of an export.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ExportError {
    /// The directory has files and is no export.
    #[error("`{}` has files in it and is no export", dir.display())]
    NotAnExport {
        /// The directory.
        dir: PathBuf,
    },
    /// The directory has what another pond exported.
    #[error("`{}` is an export of another pond, {pond}", dir.display())]
    OtherPond {
        /// The directory.
        dir: PathBuf,
        /// That pond's id.
        pond: String,
    },
    /// What the directory says of itself can not be understood.
    #[error("`{}` can not be understood", path.display())]
    State {
        /// The file.
        path: PathBuf,
        /// Why not.
        #[source]
        source: serde_json::Error,
    },
    /// A newer program has exported to the directory.
    #[error("`{}` is of format {found}, and this program knows {known}", path.display())]
    Newer {
        /// The file.
        path: PathBuf,
        /// Its format.
        found: u32,
        /// What is known.
        known: u32,
    },
    /// Somebody else exports to the directory.
    #[error("another export to `{}` is running", dir.display())]
    Busy {
        /// The directory.
        dir: PathBuf,
    },
    /// Something that is not the export's stands where a file is to be.
    #[error("`{}` is in the way: this export did not write it", path.display())]
    InTheWay {
        /// The file.
        path: PathBuf,
    },
    /// A file of this machine.
    #[error("cannot {doing} `{}`", path.display())]
    Io {
        /// What was to be done.
        doing: &'static str,
        /// The file.
        path: PathBuf,
        /// The cause.
        #[source]
        source: io::Error,
    },
    /// No table or series has such a path.
    #[error("no table or series matches `{pattern}`")]
    NoMatch {
        /// The path or pattern.
        pattern: String,
    },
    /// There is something, and it has no rows.
    #[error("`{path}` is no table or series, but {actual}")]
    NoRows {
        /// The path.
        path: String,
        /// What it is.
        actual: String,
    },
    /// Two tables would be written to one directory.
    #[error("`{first}` and `{second}` would both be written below `{dir}`")]
    SameDirectory {
        /// The directory.
        dir: String,
        /// A table.
        first: String,
        /// Another table.
        second: String,
    },
    /// A table has no times to be cut by.
    #[error("`{path}` is a table without times: it can not be cut by `--temporal`, or by time")]
    NoTimes {
        /// The table.
        path: String,
    },
    /// A column has the name of a partition.
    #[error("`{path}` has a column `{column}`, which is the name of a partition too")]
    PartitionColumn {
        /// The table.
        path: String,
        /// The column.
        column: String,
    },
    /// Only reductions have tiles.
    #[error("`{path}` is no resolution of a temporal-reduce: it has no tiles")]
    NoTiles {
        /// The table.
        path: String,
    },
    /// Parquet or CSV can not hold a row.
    #[error("rows of `{path}` can not be written")]
    Encode {
        /// The table.
        path: String,
        /// The cause.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// Reading the rows failed.
    #[error(transparent)]
    Read(Box<crate::Error>),
}

impl ExportError {
    /// An error of a file of this machine.
    pub(crate) fn io(doing: &'static str, path: impl Into<PathBuf>, source: io::Error) -> Self {
        Self::Io { doing, path: path.into(), source }
    }
}

impl From<crate::Error> for ExportError {
    fn from(error: crate::Error) -> Self {
        Self::Read(Box::new(error))
    }
}

impl From<query::Error> for ExportError {
    fn from(error: query::Error) -> Self {
        crate::Error::from(error).into()
    }
}

impl From<tinyfs::Error> for ExportError {
    fn from(error: tinyfs::Error) -> Self {
        crate::Error::from(error).into()
    }
}

impl From<datafusion::error::DataFusionError> for ExportError {
    fn from(error: datafusion::error::DataFusionError) -> Self {
        crate::Error::from(error).into()
    }
}
