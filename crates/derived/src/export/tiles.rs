//! Tiles of reductions as a browser reads them.
//!
//! A file is exactly one tile, rounded: times as milliseconds, packed; every
//! other column as `f32` without nulls, `NaN` where there is nothing; zstd; one
//! row group. Its name carries its hash, so that it can be cached for ever.
//! `tiles.json` at the top of the directory names them all.
//!
//! Always true: what was made of a tile that has not changed is left as it is;
//! `tiles.json` is written after the files that it names, and a file is removed
//! after it is no longer named.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write as _;
use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, Float32Array, Int64Array, RecordBatch};
use arrow::compute::{cast, concat_batches};
use arrow::datatypes::{DataType, Field, Float32Type, Schema, SchemaRef};
use datafusion::error::DataFusionError;
use parquet::arrow::ArrowWriter;
use parquet::arrow::arrow_writer::ArrowWriterOptions;
use parquet::basic::{Compression, Encoding, ZstdLevel};
use parquet::file::properties::{EnabledStatistics, WriterProperties};
use parquet::schema::types::ColumnPath;
use query::Inputs;
use serde::Serialize;
use tinyfs::{ContentHash, NodePath};

use super::directory::Directory;
use super::error::{ExportError, Result};
use super::request::{Layout, TableReport, Whole};
use super::state::{Column, Exported, ExportedFile, State, TileFacts};
use crate::reduce::ReducedTiles;
use crate::{Derived, changes};

/// The name of the list of all tiles.
pub(crate) const FILE: &str = "tiles.json";
/// Changes when the meaning of that file does.
const FORMAT: u32 = 1;

/// `tiles.json`: what tiles there are, for a page that shows charts.
#[derive(Debug, Serialize)]
pub(crate) struct TilesIndex {
    /// 1.
    pub(crate) format: u32,
    /// Each resolution of each series.
    pub(crate) series: Vec<TiledSeries>,
}

/// One resolution of one series.
#[derive(Debug, Serialize)]
pub(crate) struct TiledSeries {
    /// Its path in the pond.
    pub(crate) path: String,
    /// Where its files are, relative to `tiles.json`.
    pub(crate) directory: String,
    /// The width of its buckets: `1h`, `day`.
    pub(crate) resolution: String,
    /// The zone in whose calendar civil buckets are cut.
    pub(crate) time_zone: String,
    /// The column of times, in milliseconds since 1970 UTC: where buckets begin.
    pub(crate) time_column: String,
    /// All columns, the time first.
    pub(crate) columns: Vec<Column>,
    /// Where the first bucket begins; null when there is none.
    pub(crate) first_ms: Option<i64>,
    /// Where the last bucket begins.
    pub(crate) last_ms: Option<i64>,
    /// The files, in the order of time.
    pub(crate) tiles: Vec<TileEntry>,
}

/// One file.
#[derive(Debug, Serialize)]
pub(crate) struct TileEntry {
    /// Its name.
    pub(crate) file: String,
    /// The first instant of the span of time that it is for.
    pub(crate) start_ms: i64,
    /// The first instant after that span.
    pub(crate) end_ms: i64,
    /// Its buckets.
    pub(crate) rows: u64,
    /// Its size.
    pub(crate) bytes: u64,
}

/// What `tiles.json` says; `None` where there are no tiles.
pub(crate) fn index(state: &State) -> Option<TilesIndex> {
    let series: Vec<TiledSeries> = state
        .tables
        .iter()
        .filter_map(|(path, exported)| {
            let TileFacts { resolution, time_zone } = exported.tiles.clone()?;
            // Tiles have one: a state where they have none is not taken.
            let time_column = exported.time_column.clone()?;
            let ms = |us: i64| us.div_euclid(1_000);
            let mut files: Vec<(&String, &ExportedFile)> = exported.files.iter().collect();
            files.sort_by_key(|(_, file)| file.span);
            let tiles = files.iter().map(|(name, file)| TileEntry {
                file: (*name).clone(),
                start_ms: ms(file.span.0),
                end_ms: ms(file.span.1),
                rows: file.rows,
                bytes: file.bytes,
            });
            let times = || files.iter().filter_map(|(_, file)| file.times);
            Some(TiledSeries {
                path: path.clone(),
                directory: exported.dir.clone(),
                resolution,
                time_zone,
                time_column,
                columns: exported.columns.clone(),
                first_ms: times().map(|(first, _)| ms(first)).min(),
                last_ms: times().map(|(_, last)| ms(last)).max(),
                tiles: tiles.collect(),
            })
        })
        .collect();
    (!series.is_empty()).then_some(TilesIndex { format: FORMAT, series })
}

/// A reduced series whose tiles are written.
pub(crate) struct Tiled {
    path: String,
    dir: String,
    layout: Layout,
    tiles: ReducedTiles,
    schema: SchemaRef,
    columns: Vec<Column>,
}

impl Tiled {
    /// Opens a reduced series and brings its tiles up to date.
    pub(crate) async fn open(
        found: &NodePath,
        dir: String,
        layout: Layout,
        inputs: &Inputs,
        derived: &Derived,
    ) -> Result<Self> {
        let tiles = ReducedTiles::open(found, inputs, derived).await?;
        let Some(tiles) = tiles else {
            return Err(ExportError::NoTiles { path: found.path.clone() });
        };
        let fields = tiles.schema().fields().iter().enumerate().map(|(at, field)| {
            let data_type = if at == 0 { DataType::Int64 } else { DataType::Float32 };
            Field::new(field.name(), data_type, false)
        });
        let schema = Arc::new(Schema::new(fields.collect::<Vec<_>>()));
        let columns = tiles.schema().fields().iter().zip(schema.fields());
        let columns = columns.map(|(from, to)| Column {
            name: to.name().clone(),
            r#type: to.data_type().to_string(),
            unit: from.metadata().get(query::UNIT_KEY).cloned(),
        });
        let columns = columns.collect();
        Ok(Self { path: found.path.clone(), dir, layout, tiles, schema, columns })
    }

    /// Brings the files up to date, after telling `begin` that some will be
    /// written. Those that are replaced are left to be removed.
    pub(crate) async fn perform(
        &self,
        old: Option<&Exported>,
        directory: &Arc<Directory>,
        dry_run: bool,
        begin: &mut dyn FnMut(Exported) -> Result<()>,
    ) -> Result<(Exported, TableReport)> {
        let same = old.filter(|old| old.layout == self.layout && old.columns == self.columns);
        let ours = old.map(|old| directory.all_of(old)).transpose()?.unwrap_or_default();
        let intact = same.map(|old| directory.intact(old)).transpose()?.unwrap_or_default();
        let mut exported = Exported {
            dir: self.dir.clone(),
            layout: self.layout.clone(),
            begun: true,
            earlier: old.map(|old| old.earlier_than(&self.layout)).unwrap_or_default(),
            stamp: Some(self.tiles.stamp().await?),
            time_column: Some(self.tiles.time_column().to_owned()),
            columns: self.columns.clone(),
            tiles: Some(TileFacts {
                resolution: self.tiles.resolution(),
                time_zone: self.tiles.time_zone(),
            }),
            files: old.map(|old| old.files.clone()).unwrap_or_default(),
            replaced: old.map(|old| old.replaced.clone()).unwrap_or_default(),
        };
        let mut report = TableReport {
            path: self.path.clone(),
            dir: self.dir.clone(),
            whole: match (old, same) {
                (None, _) => Some(Whole::First),
                (Some(old), _) if old.begun => Some(Whole::CutShort),
                (Some(_), None) => Some(Whole::Columns),
                _ => None,
            },
            ..TableReport::default()
        };

        let mut files: BTreeMap<String, ExportedFile> = BTreeMap::new();
        let made: BTreeMap<&str, (&String, &ExportedFile)> = intact
            .iter()
            .filter_map(|(name, file)| Some((file.of.as_deref()?, (name, file))))
            .collect();
        let mut to_make = Vec::new();
        for (start, tile) in self.tiles.spans() {
            match made.get(tile.identity().as_str()) {
                Some((name, file)) => {
                    files.insert((*name).clone(), (*file).clone());
                }
                None => to_make.push((*start, tile.clone())),
            }
        }
        let stale = ours.iter().any(|name| !files.contains_key(name));
        report.dirty = !to_make.is_empty() || stale || self.tiles.is_direct();
        if dry_run {
            let names = to_make.iter().map(|(start, _)| self.tiles.stem(*start));
            report.written = names.collect::<crate::Result<_>>()?;
            report.kept = files.len();
            return Ok((exported, report));
        }
        if report.dirty {
            begin(exported.clone())?;
        }
        let mut written = Vec::new();
        let mut put = |span: (i64, i64), batches: &[RecordBatch], of: Option<String>| {
            let rows =
                concat_batches(self.tiles.schema(), batches).map_err(DataFusionError::from)?;
            report.rows_read += rows.num_rows() as u64;
            let (name, file) =
                self.put(span, &rows, of, directory, &intact, &ours, &mut written)?;
            files.insert(name, file);
            Ok::<_, ExportError>(())
        };
        if self.tiles.is_direct() {
            let mut rows = self.tiles.direct().await?;
            let mut open: Option<((i64, i64), Vec<RecordBatch>)> = None;
            while let Some((span, batch)) = rows.next().await? {
                match &mut open {
                    Some((of, batches)) if *of == span => batches.push(batch),
                    _ => {
                        if let Some((of, batches)) = open.replace((span, vec![batch])) {
                            put(of, &batches, None)?;
                        }
                    }
                }
            }
            if let Some((of, batches)) = open {
                put(of, &batches, None)?;
            }
        }
        for (start, tile) in to_make {
            let batches = self.tiles.read(start, &tile).await?;
            put(self.tiles.span(start)?, &batches, Some(tile.identity()))?;
        }
        report.written = written;
        exported.replaced = ours.into_iter().filter(|name| !files.contains_key(name)).collect();
        report.removed = exported.replaced.iter().cloned().collect();
        report.kept = files.len() - report.written.len();
        (exported.files, exported.begun) = (files, false);
        exported.earlier.clear();
        Ok((exported, report))
    }

    /// Writes one file, unless it is there.
    #[expect(clippy::too_many_arguments, reason = "what one run knows of one file")]
    fn put(
        &self,
        span: (i64, i64),
        rows: &RecordBatch,
        of: Option<String>,
        directory: &Directory,
        intact: &BTreeMap<String, ExportedFile>,
        ours: &BTreeSet<String>,
        written: &mut Vec<String>,
    ) -> Result<(String, ExportedFile)> {
        let (rounded, times) = self.rounded(rows)?;
        let bytes = self.encoded(&rounded)?;
        let hash = ContentHash::of(&bytes).to_string();
        let name = format!("{}-{}.parquet", self.tiles.stem(span.0)?, &hash[..16]);
        if let Some(there) = intact.get(&name) {
            let file = ExportedFile { of, ..there.clone() };
            return Ok((name, file));
        }
        let below = format!("{}/{name}", self.dir);
        let mut file = directory.begin(&below, ours.contains(&name))?;
        file.write_all(&bytes)
            .map_err(|source| ExportError::io("write", directory.place(&below), source))?;
        let seen = file.persist()?;
        written.push(name.clone());
        let file = ExportedFile {
            span,
            rows: rounded.num_rows() as u64,
            bytes: seen.bytes,
            hash,
            times,
            modified_ns: seen.modified_ns,
            of,
        };
        Ok((name, file))
    }

    /// The rows in the types of a browser, and their first and last time.
    fn rounded(&self, rows: &RecordBatch) -> Result<(RecordBatch, Option<(i64, i64)>)> {
        let failed = DataFusionError::from;
        let mut columns: Vec<ArrayRef> = Vec::with_capacity(rows.num_columns());
        let mut times = None;
        for (at, column) in rows.columns().iter().enumerate() {
            if at == 0 {
                let us = cast(column, &DataType::Int64).map_err(failed)?;
                let us = us.as_primitive::<arrow::datatypes::Int64Type>().values();
                times = us.first().copied().zip(us.last().copied());
                let ms = us.iter().map(|us| us.div_euclid(1_000));
                columns.push(Arc::new(Int64Array::from_iter_values(ms)));
            } else {
                let values = cast(column, &DataType::Float32).map_err(failed)?;
                let values = values.as_primitive::<Float32Type>();
                let values = values.iter().map(|value| value.unwrap_or(f32::NAN));
                columns.push(Arc::new(Float32Array::from_iter_values(values)));
            }
        }
        let rounded = RecordBatch::try_new(Arc::clone(&self.schema), columns).map_err(failed)?;
        Ok((rounded, times))
    }

    fn encoded(&self, rows: &RecordBatch) -> Result<Vec<u8>> {
        let failed = |error: parquet::errors::ParquetError| ExportError::Encode {
            path: self.path.clone(),
            source: error.into(),
        };
        let time = ColumnPath::new(vec![self.tiles.time_column().to_owned()]);
        let properties = WriterProperties::builder()
            .set_compression(Compression::ZSTD(ZstdLevel::default()))
            .set_column_dictionary_enabled(time.clone(), false)
            .set_column_encoding(time, Encoding::DELTA_BINARY_PACKED)
            .set_statistics_enabled(EnabledStatistics::None)
            .set_offset_index_disabled(true)
            .set_max_row_group_row_count(None)
            .set_created_by("duckpond".to_owned())
            .build();
        let options =
            ArrowWriterOptions::new().with_properties(properties).with_skip_arrow_metadata(true);
        let mut writer =
            ArrowWriter::try_new_with_options(Vec::new(), Arc::clone(&self.schema), options)
                .map_err(failed)?;
        writer.write(rows).map_err(failed)?;
        writer.into_inner().map_err(failed)
    }
}

/// What a series' tiles stand for is asked of its rows.
impl ReducedTiles {
    async fn stamp(&self) -> crate::Result<changes::Stamp> {
        self.source().rows.stamp().await
    }
}
