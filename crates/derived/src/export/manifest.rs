//! `manifest.json`: what an export holds, for programs that read it.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::Serialize;

use super::request::Layout;
use super::state::{Column, Exported, ExportedFile, State};

/// The name of the file.
pub(crate) const FILE: &str = "manifest.json";
/// Changes when its meaning does.
const FORMAT: u32 = 1;

/// `manifest.json`: all tables of an export, with the times of their files. It
/// depends on the files alone: where these have not changed, it has not.
#[derive(Debug, Serialize)]
pub(crate) struct Manifest {
    /// 1.
    pub(crate) format: u32,
    /// The pond's id.
    pub(crate) pond: String,
    /// The tables and series, in the order of their paths.
    pub(crate) tables: Vec<ManifestTable>,
}

/// One table or series.
#[derive(Debug, Serialize)]
pub(crate) struct ManifestTable {
    /// Its path in the pond.
    pub(crate) path: String,
    /// Where its files are, relative to `manifest.json`.
    pub(crate) directory: String,
    /// `parquet` or `csv`.
    pub(crate) format: String,
    /// The columns that the names of directories give, coarse to fine.
    pub(crate) partitions: Vec<String>,
    /// In whose calendar they are cut; null without partitions.
    pub(crate) time_zone: Option<String>,
    /// The column of times; null for a table.
    pub(crate) time_column: Option<String>,
    /// The columns in the files.
    pub(crate) columns: Vec<Column>,
    /// Rows of all files.
    pub(crate) rows: u64,
    /// Bytes of all files.
    pub(crate) bytes: u64,
    /// The first time, RFC 3339 in UTC; null without rows or times.
    pub(crate) start: Option<String>,
    /// The last time.
    pub(crate) end: Option<String>,
    /// The files, in the order of their times.
    pub(crate) files: Vec<ManifestFile>,
}

/// One file.
#[derive(Debug, Serialize)]
pub(crate) struct ManifestFile {
    /// Its name below the table's directory.
    pub(crate) file: String,
    /// The values of the partition's columns.
    pub(crate) partition: BTreeMap<String, i64>,
    /// Its rows.
    pub(crate) rows: u64,
    /// Its size.
    pub(crate) bytes: u64,
    /// The time of its first row.
    pub(crate) start: Option<String>,
    /// The time of its last row.
    pub(crate) end: Option<String>,
    /// BLAKE3 of its bytes, in hex.
    pub(crate) blake3: String,
}

/// What `manifest.json` says.
pub(crate) fn manifest(state: &State) -> Manifest {
    let rows = state.tables.iter().filter(|(_, exported)| exported.tiles.is_none());
    let tables = rows.map(|(path, exported)| table(path, exported)).collect();
    Manifest { format: FORMAT, pond: state.pond.clone(), tables }
}

fn table(path: &str, exported: &Exported) -> ManifestTable {
    let Layout { format, temporal, time_zone, .. } = exported.layout.clone();
    let mut files: Vec<(&String, &ExportedFile)> = exported.files.iter().collect();
    files.sort_by_key(|(_, file)| file.span);
    let times = || files.iter().filter_map(|(_, file)| file.times);
    ManifestTable {
        path: path.to_owned(),
        directory: exported.dir.clone(),
        format,
        partitions: temporal,
        time_zone,
        time_column: exported.time_column.clone(),
        columns: exported.columns.clone(),
        rows: files.iter().map(|(_, file)| file.rows).sum(),
        bytes: files.iter().map(|(_, file)| file.bytes).sum(),
        start: times().map(|(first, _)| first).min().map(text),
        end: times().map(|(_, last)| last).max().map(text),
        files: files.iter().map(|(name, file)| one(name, file)).collect(),
    }
}

fn one(name: &str, file: &ExportedFile) -> ManifestFile {
    // What is no number is the file's own name.
    let partition = name.split('/').filter_map(|part| {
        let (column, value) = part.split_once('=')?;
        Some((column.to_owned(), value.parse().ok()?))
    });
    ManifestFile {
        file: name.to_owned(),
        partition: partition.collect(),
        rows: file.rows,
        bytes: file.bytes,
        start: file.times.map(|(first, _)| text(first)),
        end: file.times.map(|(_, last)| text(last)),
        blake3: file.hash.clone(),
    }
}

fn text(us: i64) -> String {
    match Timestamp::from_microsecond(us) {
        Ok(at) => at.to_string(),
        // Beyond the year 9999 a number is all there is to say.
        Err(_) => format!("{us} us"),
    }
}
