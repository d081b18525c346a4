//! What tiles there are, and which state of the inputs they stand for.
//!
//! One file for all resolutions of one source, replaced as a whole, after the
//! tiles that it names. So a reader that has read an older one reads older
//! tiles, whole.
//!
//! Always true: an index that can not be read, or is of another format, counts
//! as none; then all is made again.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io;
use std::io::Write;
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::partial::Reduced;
use super::tile_file::Tile;
use crate::changes::Stamp;

/// The index's name.
pub(crate) const FILE: &str = "index.json";
/// Changes when the files of the cache do.
const FORMAT: u32 = 2;
/// What was replaced is kept for so long, for readers of an older index.
const RETIRED_FOR_US: i64 = 600 * 1_000_000;

/// The tiles of one resolution, by where their spans begin.
pub(crate) type Spans = BTreeMap<i64, Tile>;

/// What is in the cache for one source.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Index {
    format: u32,
    /// The state of the inputs; none before the first build.
    pub(crate) stamp: Option<Stamp>,
    /// What the tiles' columns are of.
    pub(crate) columns: Vec<Reduced>,
    /// By resolution.
    pub(crate) tiles: BTreeMap<String, Spans>,
    /// Files that were replaced and are not yet removed.
    retired: Vec<Retired>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Retired {
    /// Below the source's directory.
    file: String,
    at_us: i64,
}

impl Index {
    /// Nothing is in the cache.
    pub(crate) fn empty(columns: &[Reduced]) -> Self {
        Self {
            format: FORMAT,
            stamp: None,
            columns: columns.to_vec(),
            tiles: BTreeMap::new(),
            retired: Vec::new(),
        }
    }

    /// The index in `dir`; `None` where there is none that can be used.
    pub(crate) fn read(dir: &Path) -> Option<Self> {
        // Absence is the normal answer before the first build, and damage has
        // the same remedy.
        let bytes = fs::read(dir.join(FILE)).ok()?;
        let index: Self = serde_json::from_slice(&bytes).ok()?;
        (index.format == FORMAT).then_some(index)
    }

    /// Puts the index in `dir` in place of what is there.
    pub(crate) fn write(&self, dir: &Path) -> io::Result<()> {
        let mut temporary = tempfile::NamedTempFile::new_in(dir)?;
        temporary.write_all(&serde_json::to_vec(self)?)?;
        temporary.persist(dir.join(FILE)).map_err(|error| error.error)?;
        Ok(())
    }

    /// The tiles of a resolution.
    pub(crate) fn spans(&self, resolution: &str) -> Spans {
        self.tiles.get(resolution).cloned().unwrap_or_default()
    }

    /// All files of the source's directory that are in use: the index itself,
    /// its tiles, and those that it still keeps for readers of an older one.
    pub(crate) fn files(&self) -> BTreeSet<String> {
        let tiles = self.tiles.iter().flat_map(|(resolution, spans)| {
            let files = spans.values().flat_map(Tile::files);
            files.map(move |file| format!("{resolution}/{file}"))
        });
        let retired = self.retired.iter().map(|retired| retired.file.clone());
        tiles.chain(retired).chain([FILE.to_owned()]).collect()
    }

    /// Puts `spans` in place of a resolution's tiles.
    pub(crate) fn replace(&mut self, resolution: &str, spans: Spans, now_us: i64) {
        let old = self.tiles.insert(resolution.to_owned(), spans).unwrap_or_default();
        let kept: BTreeSet<&str> = self.tiles[resolution].values().flat_map(Tile::files).collect();
        for file in old.values().flat_map(Tile::files).filter(|file| !kept.contains(file)) {
            let file = format!("{resolution}/{file}");
            self.retired.push(Retired { file, at_us: now_us });
        }
    }

    /// Removes the files that were replaced long enough ago.
    pub(crate) fn remove_retired(&mut self, dir: &Path, now_us: i64) -> io::Result<()> {
        let (due, kept): (Vec<_>, Vec<_>) = std::mem::take(&mut self.retired)
            .into_iter()
            .partition(|retired| now_us.saturating_sub(retired.at_us) >= RETIRED_FOR_US);
        self.retired = kept;
        for retired in due {
            // A file that has come back under its old name is in use.
            let in_use = retired.file.split_once('/').is_some_and(|(resolution, file)| {
                self.tiles
                    .get(resolution)
                    .is_some_and(|spans| spans.values().flat_map(Tile::files).any(|of| of == file))
            });
            if in_use {
                continue;
            }
            match fs::remove_file(dir.join(&retired.file)) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                _ => {}
            }
        }
        Ok(())
    }
}
