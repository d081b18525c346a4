//! What a directory of exports says of itself: `.pond-export.json`.
//!
//! It names every file that exports have written there, and the state of the
//! pond that each table's files stand for. So a later export knows what has
//! changed, and no file that is not named here is ever removed or replaced.
//!
//! Always true: the file is replaced as a whole, after the files that it names.
//! Before the first file of a table is written, the table is marked as begun,
//! here or in the [`journal`](super::journal) of the run; where a run was cut
//! short, files with the names of its layout count as the export's own, and all
//! of the table is written again.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::request::Layout;
use crate::changes::Stamp;

/// The name of the file.
pub(crate) const FILE: &str = ".pond-export.json";
/// Changes when the file's meaning does.
pub(crate) const FORMAT: u32 = 1;

/// All exports in a directory.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct State {
    pub(crate) format: u32,
    /// The pond's id.
    pub(crate) pond: String,
    /// Whether `manifest.json` is kept.
    #[serde(default)]
    pub(crate) manifest: bool,
    /// By the path in the pond.
    pub(crate) tables: BTreeMap<String, Exported>,
}

/// The files of one table.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Exported {
    /// Its directory, below that of the export.
    pub(crate) dir: String,
    /// How its rows are cut and written.
    pub(crate) layout: Layout,
    /// A run over it has begun and not ended.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(crate) begun: bool,
    /// The layouts of runs before it that were cut short as well: files of these
    /// may be there too.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) earlier: Vec<Layout>,
    /// What the files stand for; none before the first whole run.
    pub(crate) stamp: Option<Stamp>,
    /// The column of times.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) time_column: Option<String>,
    /// The columns in the files.
    pub(crate) columns: Vec<Column>,
    /// Of tiles: what they are of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) tiles: Option<TileFacts>,
    /// By the name below `dir`.
    pub(crate) files: BTreeMap<String, ExportedFile>,
    /// Files that others have taken the place of, and that are not yet removed.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub(crate) replaced: BTreeSet<String>,
}

/// A column, described.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Column {
    /// Its name.
    pub(crate) name: String,
    /// Its type, in the words of Arrow.
    pub(crate) r#type: String,
    /// Its unit, where it has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) unit: Option<String>,
}

/// What the tiles of a table are of.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct TileFacts {
    pub(crate) resolution: String,
    pub(crate) time_zone: String,
}

/// A file that was written.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct ExportedFile {
    /// The stretch of time that it is for, in microseconds since 1970 UTC; the
    /// end is not within. Of a file that holds a whole table: all of time.
    pub(crate) span: (i64, i64),
    pub(crate) rows: u64,
    pub(crate) bytes: u64,
    /// BLAKE3, in hex.
    pub(crate) hash: String,
    /// The first and the last time of its rows, in microseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) times: Option<(i64, i64)>,
    /// When the file was last changed, in nanoseconds since 1970 as its file
    /// system tells it.
    pub(crate) modified_ns: i64,
    /// Of a tile: the hash of what it was made of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) of: Option<String>,
}

impl State {
    pub(crate) fn new(pond: &str) -> Self {
        Self { format: FORMAT, pond: pond.to_owned(), manifest: false, tables: BTreeMap::new() }
    }

    /// Whether there are tiles of a table.
    pub(crate) fn has_tiles(&self) -> bool {
        self.tables.values().any(|exported| exported.tiles.is_some())
    }
}

impl Exported {
    /// The layouts of all runs over the table that were cut short.
    fn cut_short(&self) -> impl Iterator<Item = &Layout> {
        self.earlier.iter().chain([&self.layout]).filter(|_| self.begun)
    }

    /// Whether a run that was cut short may have left a file of this name.
    pub(crate) fn may_have_left(&self, name: &str) -> bool {
        self.cut_short().any(|layout| layout.names(name))
    }

    /// What a run in another layout has to know of those that were cut short.
    pub(crate) fn earlier_than(&self, layout: &Layout) -> Vec<Layout> {
        self.cut_short().filter(|earlier| *earlier != layout).cloned().collect()
    }
}
