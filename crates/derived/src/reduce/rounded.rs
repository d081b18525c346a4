//! The tiles of one resolution of a series, for whoever copies them out.
//!
//! Always true: a batch that comes out has the columns of the reduced series;
//! all buckets of a tile come together, whether there is a tile or its buckets
//! are made from rows.

use std::ops::Range;
use std::path::PathBuf;
use std::sync::Arc;

use arrow::array::{AsArray, RecordBatch};
use arrow::datatypes::{Int64Type, SchemaRef};
use diagnostics::log_warn;
use query::Inputs;
use tinyfs::NodePath;

use super::build::{ALWAYS, within};
use super::calendar::name_of;
use super::columns::Columns;
use super::direct::Direct;
use super::index::Spans;
use super::series::{REDUCED_SERIES, ReducedSeriesConfig, Reduction};
use super::tile_file::Tile;
use super::tiles::{Refreshed, Source};
use crate::computed::read_config;
use crate::{Derived, Result};

/// One resolution of a series, its tiles up to date.
pub(crate) struct ReducedTiles {
    source: Source,
    level: usize,
    columns: Arc<Columns>,
    schema: SchemaRef,
    time_column: String,
    /// `None` where none are kept.
    kept: Option<(PathBuf, Spans)>,
    none: Spans,
}

impl ReducedTiles {
    /// Whether a node is one that has tiles.
    pub(crate) fn are_of(found: &NodePath) -> bool {
        found.node.factory.as_deref() == Some(REDUCED_SERIES)
    }

    /// Opens the tiles of a node; `None` when it is none that has any.
    pub(crate) async fn open(
        found: &NodePath,
        inputs: &Inputs,
        derived: &Derived,
    ) -> Result<Option<Self>> {
        if !Self::are_of(found) {
            return Ok(None);
        }
        let config: ReducedSeriesConfig = read_config(found, inputs).await?.read()?;
        let reduction = Reduction::open(&config.source, &config.reduce, inputs, derived).await?;
        let Some((level, schema)) = reduction.level(&config.resolution) else {
            return Ok(None);
        };
        let kept = match derived.tiles().refresh(&reduction.source, &[]).await? {
            Refreshed::Direct => None,
            Refreshed::Tiles { dir, index, .. } => {
                Some((dir, index.spans(&config.resolution.to_string())))
            }
        };
        Ok(Some(Self {
            source: reduction.source,
            level,
            columns: reduction.columns,
            schema,
            time_column: reduction.time,
            kept,
            none: Spans::new(),
        }))
    }

    /// The columns of the series.
    pub(crate) const fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    /// The first of them, where buckets begin.
    pub(crate) fn time_column(&self) -> &str {
        &self.time_column
    }

    /// Where the rows come from.
    pub(crate) const fn source(&self) -> &Source {
        &self.source
    }

    /// The width of a bucket, as it is written.
    pub(crate) fn resolution(&self) -> String {
        self.source.shape.levels[self.level].resolution.to_string()
    }

    /// The zone of its calendar.
    pub(crate) fn time_zone(&self) -> String {
        super::resolution::zone_name(self.source.shape.calendar(self.level)).to_owned()
    }

    /// Whether no tiles are kept.
    pub(crate) const fn is_direct(&self) -> bool {
        self.kept.is_none()
    }

    /// The tiles, by where their spans begin.
    pub(crate) fn spans(&self) -> &Spans {
        self.kept.as_ref().map_or(&self.none, |(_, spans)| spans)
    }

    /// The span of time that begins here.
    pub(crate) fn span(&self, start_us: i64) -> Result<(i64, i64)> {
        let level = &self.source.shape.levels[self.level];
        let span = level.span.span(start_us, self.source.shape.calendar(self.level))?;
        Ok((span.start, span.end))
    }

    /// How the name of a file for the span that begins here begins.
    pub(crate) fn stem(&self, start_us: i64) -> Result<String> {
        name_of(start_us, self.source.shape.calendar(self.level))
    }

    /// The buckets of a tile; of one that is not whole, from the rows.
    pub(crate) async fn read(&self, start_us: i64, tile: &Tile) -> Result<Vec<RecordBatch>> {
        let (start, end) = self.span(start_us)?;
        if let Some((dir, _)) = &self.kept {
            match self.source.shape.read(dir, self.level, tile) {
                Ok(buckets) => return Ok(vec![self.compute(&buckets)?]),
                Err(problem) => {
                    let (file, path) = (&tile.file, &self.source.path);
                    log_warn!(
                        "the buckets of tile {file} of {path} come from its rows: {problem}",
                        file,
                        path,
                        problem
                    );
                }
            }
        }
        let mut rows = self.rows(&(start..end)).await?;
        let mut batches = Vec::new();
        while let Some((_, batch)) = rows.next().await? {
            batches.push(batch);
        }
        Ok(batches)
    }

    /// All buckets, straight from rows.
    pub(crate) async fn direct(&self) -> Result<Buckets<'_>> {
        self.rows(&ALWAYS).await
    }

    async fn rows(&self, range: &Range<i64>) -> Result<Buckets<'_>> {
        let shape = &self.source.shape;
        let direct = Direct::start(shape, self.level, range, self.source.rows.as_ref()).await?;
        Ok(Buckets { tiles: self, direct, range: range.clone(), rest: None })
    }

    fn compute(&self, buckets: &RecordBatch) -> Result<RecordBatch> {
        let all: Vec<usize> = (0..self.schema.fields().len()).collect();
        self.columns.compute(buckets, &self.schema, &all)
    }
}

/// Buckets made from rows, cut where tiles are.
pub(crate) struct Buckets<'a> {
    tiles: &'a ReducedTiles,
    direct: Direct,
    /// Only buckets that begin here are wanted.
    range: Range<i64>,
    /// What is of the next tile.
    rest: Option<RecordBatch>,
}

impl Buckets<'_> {
    /// The next buckets of one tile, and its span.
    pub(crate) async fn next(&mut self) -> Result<Option<((i64, i64), RecordBatch)>> {
        let batch = loop {
            let next = match self.rest.take() {
                Some(rest) => Some(rest),
                None => self.direct.next().await?,
            };
            let Some(batch) = next else { return Ok(None) };
            let batch = within(&batch, &self.range);
            if batch.num_rows() > 0 {
                break batch;
            }
        };
        let times = batch.column(0).as_primitive::<Int64Type>().values();
        let first = times[0];
        let span = self.tiles.span(first)?;
        let rows = times.partition_point(|&time| time < span.1);
        if rows < batch.num_rows() {
            self.rest = Some(batch.slice(rows, batch.num_rows() - rows));
        }
        Ok(Some((span, self.tiles.compute(&batch.slice(0, rows))?)))
    }
}
