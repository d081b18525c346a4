//! What is to be taken out, and how, and what was done.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::calendar::Temporal;
use super::error::ExportError;

/// How rows are written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum FileFormat {
    /// Parquet, zstd.
    #[default]
    Parquet,
    /// Comma-separated values with a header; null is empty, an empty text `""`.
    Csv,
}

impl FileFormat {
    /// How names of such files end.
    pub(crate) const fn ending(self) -> &'static str {
        match self {
            Self::Parquet => "parquet",
            Self::Csv => "csv",
        }
    }
}

/// What is to be taken out.
#[derive(Clone, Debug)]
pub struct Request {
    /// Paths and globs.
    pub patterns: Vec<String>,
    /// Where to.
    pub dir: PathBuf,
    /// What of it.
    pub what: What,
    /// Whether `manifest.json` is wanted; once written it is kept.
    pub manifest: bool,
    /// Only find out what there is to do.
    pub dry_run: bool,
}

/// What is taken out of a table.
#[derive(Clone, Debug)]
pub enum What {
    /// Its rows.
    Rows {
        /// How they are cut; `None`: one file.
        temporal: Option<Temporal>,
        /// An IANA name: whose calendar they are cut by.
        time_zone: String,
        /// The first time, in microseconds since 1970 UTC.
        start_us: Option<i64>,
        /// The last time.
        end_us: Option<i64>,
        /// How they are written.
        format: FileFormat,
    },
    /// The tiles of a reduction, rounded for browsers.
    Tiles,
}

/// How a table's rows are cut and written. A change of it writes all anew.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Layout {
    /// `parquet`, `csv` or `tiles`.
    pub(crate) format: String,
    /// The columns of the partitions.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) temporal: Vec<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) time_zone: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) start_us: Option<i64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) end_us: Option<i64>,
}

impl What {
    pub(crate) fn layout(&self) -> Layout {
        match self {
            Self::Rows { temporal, time_zone, start_us, end_us, format } => Layout {
                format: format.ending().to_owned(),
                temporal: temporal
                    .iter()
                    .flat_map(|temporal| temporal.columns().map(str::to_owned))
                    .collect(),
                time_zone: temporal.map(|_| time_zone.clone()),
                start_us: *start_us,
                end_us: *end_us,
            },
            Self::Tiles => Layout {
                format: "tiles".to_owned(),
                temporal: Vec::new(),
                time_zone: None,
                start_us: None,
                end_us: None,
            },
        }
    }
}

/// What was done; of a dry run, what is to be done.
#[derive(Debug, Default)]
pub struct Report {
    /// By table, in the order of their paths.
    pub tables: Vec<TableReport>,
    /// Tables that failed; the others are done.
    pub failures: Vec<(String, ExportError)>,
}

/// What was done for one table.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct TableReport {
    /// Its path.
    pub path: String,
    /// Its directory below that of the export.
    pub dir: String,
    /// Whether the table is gone from the pond, and its files with it.
    pub gone: bool,
    /// Rows that were read.
    pub rows_read: u64,
    /// Files that were written. Of a dry run: files that are there and may be
    /// written again; what comes new is not known before the rows are read.
    pub written: Vec<String>,
    /// Files that were removed, because nothing belongs in them any more.
    pub removed: Vec<String>,
    /// Files that were left as they were.
    pub kept: usize,
    /// Why all of it was written, where not only what has changed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub whole: Option<Whole>,
    /// Whether there was anything to do.
    pub dirty: bool,
}

/// Why a table is written as a whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Whole {
    /// It was not exported before.
    First,
    /// It is cut or written in another way.
    Options,
    /// Its columns are others.
    Columns,
    /// Where it has changed is not known.
    Unknown,
    /// The run before was cut short.
    CutShort,
}

impl Whole {
    /// In words.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::First => "not exported before",
            Self::Options => "other options than before",
            Self::Columns => "other columns than before",
            Self::Unknown => "anything may have changed",
            Self::CutShort => "the run before was cut short",
        }
    }
}
