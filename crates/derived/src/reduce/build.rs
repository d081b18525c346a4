//! Makes the tiles that are dirty, level by level, fine to coarse.
//!
//! The finest level folds rows. A dirty bucket of a coarser level folds all its
//! children, read from the finer level's tiles, which are whole by then. So a
//! first build, an increment and a repair go one way, and give the same buckets;
//! what has no [tail] has the same bytes too.
//!
//! Always true: a tile's clean buckets are taken over as they are; nothing that
//! an index names is changed; memory holds pieces of a tile and of its parent.
//!
//! Deliberately not here: which times are dirty, and where rows come from.

use std::collections::BTreeMap;
use std::fs;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow::array::{AsArray, RecordBatch};
use arrow::datatypes::{Int64Type, SchemaRef};
use jiff::tz::TimeZone;

use super::calendar::name_of;
use super::fold::{BucketSink, Fold};
use super::index::{Index, Spans};
use super::partial::{Partial, Partials, Reduced, schema};
use super::resolution::{Level, Resolution};
use super::tail;
use super::tile_file::{self, Tile, TileProblem, TileReader, TileWriter};
use crate::{Error, Result};

/// All of time.
pub(crate) const ALWAYS: Range<i64> = i64::MIN..i64::MAX;

/// Buckets that are gathered before they are written.
const GATHERED_BUCKETS: usize = 1_024;

/// More spans of dirty time than this are joined where they are nearest.
const MAX_RANGES: usize = 64;

/// What is reduced to what.
#[derive(Clone, Debug)]
pub(crate) struct Shape {
    pub(crate) levels: Vec<Level>,
    pub(crate) columns: Arc<[Reduced]>,
    pub(crate) schema: SchemaRef,
    pub(crate) zone: TimeZone,
    /// The directory's name, for the footers of its files.
    pub(crate) key: String,
}

impl Shape {
    pub(crate) fn new(
        levels: Vec<Level>,
        columns: Arc<[Reduced]>,
        zone: TimeZone,
        key: String,
    ) -> Self {
        let schema = schema(&columns);
        Self { levels, columns, schema, zone, key }
    }

    /// The zone of a level's calendar.
    pub(crate) fn calendar(&self, level: usize) -> &TimeZone {
        static UTC: TimeZone = TimeZone::UTC;
        if self.levels[level].resolution.is_civil() { &self.zone } else { &UTC }
    }

    pub(crate) fn fold(&self, level: usize) -> Fold {
        let resolution = self.levels[level].resolution.clone();
        Fold::new(resolution, self.zone.clone(), Arc::clone(&self.columns))
    }

    fn dir(&self, root: &Path, level: usize) -> PathBuf {
        root.join(self.levels[level].resolution.to_string())
    }

    /// The tile `tile` of a level.
    pub(crate) fn read(
        &self,
        root: &Path,
        level: usize,
        tile: &Tile,
    ) -> Result<RecordBatch, TileProblem> {
        tile_file::read(&self.dir(root, level), tile, &self.schema)
    }
}

/// A tile that is not there as it was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Damage {
    pub(crate) level: usize,
    pub(crate) span_start_us: i64,
}

/// Why tiles were not made.
#[derive(Debug)]
pub(crate) enum Failure {
    /// An older tile is needed and not whole: make it again and begin anew.
    Damaged(Damage, TileProblem),
    /// It would go wrong without a cache too.
    Error(Box<Error>),
    /// The cache can not be written.
    Cache(Box<Error>),
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self::Error(Box::new(error))
    }
}

/// The dirty times of each level, as whole buckets, ascending and apart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Dirty(pub(crate) Vec<Vec<Range<i64>>>);

impl Dirty {
    /// Rows have changed at `changed`, and the tiles of `damage` are lost.
    pub(crate) fn new(shape: &Shape, changed: &[Range<i64>], damage: &[Damage]) -> Result<Self> {
        let mut levels: Vec<Vec<Range<i64>>> = Vec::with_capacity(shape.levels.len());
        for (at, level) in shape.levels.iter().enumerate() {
            let from = match level.parent {
                Some(parent) => levels[parent].clone(),
                None => changed.to_vec(),
            };
            let mut dirty: Vec<Range<i64>> = from
                .iter()
                .filter(|range| !range.is_empty())
                .map(|range| aligned(range, &level.resolution, &shape.zone))
                .collect();
            for damage in damage.iter().filter(|damage| damage.level == at) {
                let span = level.span.span(damage.span_start_us, shape.calendar(at))?;
                dirty.push(aligned(&span, &level.resolution, &shape.zone));
            }
            levels.push(joined(dirty, MAX_RANGES));
        }
        Ok(Self(levels))
    }

    /// What is to be read of the rows.
    pub(crate) fn rows(&self) -> &[Range<i64>] {
        self.0.first().map_or(&[], Vec::as_slice)
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.iter().all(Vec::is_empty)
    }
}

/// The range made wider to whole buckets. An end that no calendar holds, or
/// that has no bucket, stays as it is: there are no buckets beyond it.
pub(crate) fn aligned(range: &Range<i64>, resolution: &Resolution, zone: &TimeZone) -> Range<i64> {
    let start = resolution.bucket(range.start, zone).map_or(range.start, |bucket| bucket.start);
    let last = range.end.saturating_sub(1);
    let end = resolution.bucket(last, zone).map_or(range.end, |bucket| bucket.end);
    start..end
}

/// Ascending and apart, at most `limit`: the nearest are joined first.
pub(crate) fn joined(mut ranges: Vec<Range<i64>>, limit: usize) -> Vec<Range<i64>> {
    ranges.retain(|range| !range.is_empty());
    ranges.sort_by_key(|range| range.start);
    let mut apart: Vec<Range<i64>> = Vec::with_capacity(ranges.len());
    for range in ranges {
        match apart.last_mut() {
            Some(last) if range.start <= last.end => last.end = last.end.max(range.end),
            _ => apart.push(range),
        }
    }
    if apart.len() > limit {
        let mut gaps: Vec<i64> =
            apart.windows(2).map(|pair| pair[1].start.saturating_sub(pair[0].end)).collect();
        gaps.sort_unstable();
        // Gaps up to this one are closed.
        let widest = gaps[apart.len() - limit - 1];
        let mut fewer: Vec<Range<i64>> = Vec::with_capacity(limit);
        for range in apart {
            match fewer.last_mut() {
                Some(last) if range.start.saturating_sub(last.end) <= widest => {
                    last.end = range.end;
                }
                _ => fewer.push(range),
            }
        }
        apart = fewer;
    }
    apart
}

/// What was done.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Built {
    pub(crate) rows_read: u64,
    pub(crate) buckets: u64,
    pub(crate) tiles_written: u64,
}

/// Makes what is dirty and puts it into `index`; `rows` are those of
/// [`Dirty::rows`], ascending. The index is not written.
pub(crate) fn build(
    root: &Path,
    shape: &Shape,
    dirty: &Dirty,
    index: &mut Index,
    rows: &mut dyn Iterator<Item = Result<RecordBatch>>,
    now_us: i64,
) -> Result<Built, Failure> {
    let mut built = Built::default();
    for (at, level) in shape.levels.iter().enumerate() {
        let ranges = &dirty.0[at];
        if ranges.is_empty() {
            continue;
        }
        let name = level.resolution.to_string();
        let mut writer = LevelWriter::new(root, shape, at, ranges, index.spans(&name))?;
        let mut fold = shape.fold(at);
        match level.parent {
            None => {
                for batch in &mut *rows {
                    let batch = batch?;
                    built.rows_read += batch.num_rows() as u64;
                    writer.take(|sink| fold.rows(&batch, sink))?;
                }
            }
            Some(parent) => {
                let parent_name = shape.levels[parent].resolution.to_string();
                let mut children = Children::new(root, shape, parent, index.spans(&parent_name));
                for range in ranges {
                    children.each(range, |batch| writer.take(|sink| fold.children(batch, sink)))?;
                }
            }
        }
        writer.take(|sink| fold.close(sink))?;
        let (spans, written) = writer.finish(&mut built)?;
        built.tiles_written += written;
        index.replace(&name, spans, now_us);
    }
    Ok(built)
}

/// Reads a finer level's buckets, forward.
struct Children<'a> {
    root: &'a Path,
    shape: &'a Shape,
    level: usize,
    spans: Spans,
    /// The tile that was read last, and where its span begins.
    open: Option<(i64, TileReader)>,
}

impl<'a> Children<'a> {
    fn new(root: &'a Path, shape: &'a Shape, level: usize, spans: Spans) -> Self {
        Self { root, shape, level, spans, open: None }
    }

    /// Gives the buckets of a range; no range begins before the end of the one
    /// before.
    fn each(
        &mut self,
        range: &Range<i64>,
        mut take: impl FnMut(&RecordBatch) -> Result<(), Failure>,
    ) -> Result<(), Failure> {
        let tiles = self.spans.iter().filter(|(_, tile)| tile.may_have(range));
        for (&start, tile) in tiles {
            let damaged = |problem| {
                let damage = Damage { level: self.level, span_start_us: start };
                Failure::Damaged(damage, problem)
            };
            let mut reader = match self.open.take() {
                Some((open, reader)) if open == start => reader,
                _ => {
                    let dir = self.shape.dir(self.root, self.level);
                    TileReader::open(&dir, tile, &self.shape.schema, range.start)
                        .map_err(damaged)?
                }
            };
            while let Some(batch) = reader.before(range.end).map_err(damaged)? {
                let wanted = within(&batch, range);
                if wanted.num_rows() > 0 {
                    take(&wanted)?;
                }
            }
            self.open = Some((start, reader));
        }
        Ok(())
    }
}

/// The buckets of a batch that begin in `range`.
pub(crate) fn within(batch: &RecordBatch, range: &Range<i64>) -> RecordBatch {
    let times = batch.column(0).as_primitive::<Int64Type>().values();
    let from = times.partition_point(|&time| time < range.start);
    let to = times.partition_point(|&time| time < range.end);
    batch.slice(from, to.saturating_sub(from))
}

/// Writes the tiles of one level that have dirty buckets.
struct LevelWriter<'a> {
    dir: PathBuf,
    shape: &'a Shape,
    level: usize,
    dirty: &'a [Range<i64>],
    /// What the level has, old and new.
    spans: Spans,
    /// Old tiles with dirty buckets that have not been written yet.
    pending: BTreeMap<i64, Tile>,
    open: Option<Open>,
    buckets: u64,
    written: u64,
    failure: Option<Failure>,
}

/// A tile that is being put together.
struct Open {
    span: Range<i64>,
    /// The old tile, whose clean buckets are taken over.
    old: Option<TileReader>,
    to: To,
    gathered: Partials,
}

/// Where the buckets of a tile go.
enum To {
    Whole(Box<TileWriter>),
    /// Beside the tile that there is, from some time on.
    Tail {
        tile: Box<Tile>,
        from_us: i64,
        buckets: Vec<RecordBatch>,
    },
}

impl<'a> LevelWriter<'a> {
    fn new(
        root: &Path,
        shape: &'a Shape,
        level: usize,
        dirty: &'a [Range<i64>],
        spans: Spans,
    ) -> Result<Self, Failure> {
        let dir = shape.dir(root, level);
        fs::create_dir_all(&dir).map_err(|source| cache_failure(&dir, source))?;
        let mut pending = BTreeMap::new();
        for (&start, tile) in &spans {
            let span = shape.levels[level].span.span(start, shape.calendar(level))?;
            if dirty.iter().any(|range| range.start < span.end && span.start < range.end) {
                pending.insert(start, tile.clone());
            }
        }
        Ok(Self {
            dir,
            shape,
            level,
            dirty,
            spans,
            pending,
            open: None,
            buckets: 0,
            written: 0,
            failure: None,
        })
    }

    /// Runs a fold into this writer; its own failures come back whole.
    fn take(
        &mut self,
        fold: impl FnOnce(&mut dyn BucketSink) -> Result<()>,
    ) -> Result<(), Failure> {
        let done = fold(self);
        match self.failure.take() {
            Some(failure) => Err(failure),
            None => Ok(done?),
        }
    }

    fn push(&mut self, start_us: i64, partials: &[Partial]) -> Result<(), Failure> {
        if !self.open.as_ref().is_some_and(|open| open.span.contains(&start_us)) {
            self.close()?;
            let level = &self.shape.levels[self.level];
            let span = level.span.span(start_us, self.shape.calendar(self.level))?;
            self.open = Some(self.open(span)?);
        }
        self.take_over(start_us)?;
        if let Some(mut open) = self.open.take() {
            open.gathered.bucket(start_us, partials)?;
            if open.gathered.len() >= GATHERED_BUCKETS {
                self.flush(&mut open)?;
            }
            self.open = Some(open);
        }
        self.buckets += 1;
        Ok(())
    }

    /// Begins the tile of a span with what is clean of the old one.
    fn open(&mut self, span: Range<i64>) -> Result<Open, Failure> {
        let gathered = Partials::new(Arc::clone(&self.shape.columns));
        let Some(tile) = self.pending.remove(&span.start) else {
            let to = To::Whole(Box::new(self.writer(&span)?));
            return Ok(Open { span, old: None, to, gathered });
        };
        let tail_from = self.tail_from(&tile, &span);
        let (from, first) = match tail_from {
            Some(from) => (from, from),
            None => (i64::MIN, tile.min_us),
        };
        let is_dirty = |dirty: &Range<i64>| dirty.start <= first && tile.last_us() < dirty.end;
        // What has nothing clean need not be whole.
        let old = if self.dirty.iter().any(is_dirty) {
            None
        } else {
            Some(self.old(&span, &tile, from)?)
        };
        let to = match tail_from {
            Some(from_us) => To::Tail { tile: Box::new(tile), from_us, buckets: Vec::new() },
            None => To::Whole(Box::new(self.writer(&span)?)),
        };
        Ok(Open { span, old, to, gathered })
    }

    /// Where a tail of a tile would begin, if what is dirty of it fits one: only
    /// the newest tile has a tail.
    fn tail_from(&self, tile: &Tile, span: &Range<i64>) -> Option<i64> {
        let newest = *self.spans.last_key_value()?.0 == span.start;
        if !newest || self.dirty.iter().any(|dirty| dirty.end > span.end) {
            return None;
        }
        let of_span = |dirty: &&Range<i64>| dirty.end > span.start;
        let first = self.dirty.iter().find(of_span)?.start;
        if let Some(tail) = &tile.tail {
            return (first >= tail.from_us).then_some(tail.from_us);
        }
        // The coarser buckets that fold from it find all their children in it.
        let coarser = self.shape.levels.iter().filter(|level| level.parent == Some(self.level));
        let starts = coarser.map(|level| {
            let bucket = level.resolution.bucket(first, &self.shape.zone);
            bucket.map_or(first, |bucket| bucket.start)
        });
        let width = self.shape.levels[self.level].resolution.nominal_us();
        let from = starts.fold(first, i64::min).max(span.start);
        let fits = |from: &i64| {
            let buckets = tile.max_us.saturating_sub(*from) / width;
            *from > tile.min_us && buckets < tail::MAX_ROWS as i64 / 2
        };
        [from, first].into_iter().find(fits)
    }

    fn writer(&self, span: &Range<i64>) -> Result<TileWriter> {
        let stem = self.stem(span)?;
        let about =
            format!("{} {} {}", self.shape.key, self.shape.levels[self.level].resolution, stem);
        Ok(TileWriter::new(&self.dir, stem, about, &self.shape.schema))
    }

    fn stem(&self, span: &Range<i64>) -> Result<String> {
        name_of(span.start, self.shape.calendar(self.level))
    }

    /// The old buckets of a tile that begin at `from` or later.
    fn old(&self, span: &Range<i64>, tile: &Tile, from: i64) -> Result<TileReader, Failure> {
        let damaged = |problem| {
            let damage = Damage { level: self.level, span_start_us: span.start };
            Failure::Damaged(damage, problem)
        };
        let mut old =
            TileReader::open(&self.dir, tile, &self.shape.schema, from).map_err(damaged)?;
        while old.before(from).map_err(damaged)?.is_some() {}
        Ok(old)
    }

    /// Takes over the clean buckets that begin before `until`.
    fn take_over(&mut self, until: i64) -> Result<(), Failure> {
        let Some(mut open) = self.open.take() else { return Ok(()) };
        let damage = Damage { level: self.level, span_start_us: open.span.start };
        while let Some(reader) = &mut open.old {
            let batch = reader.before(until);
            let Some(batch) = batch.map_err(|problem| Failure::Damaged(damage, problem))? else {
                if reader.is_done() {
                    open.old = None;
                }
                break;
            };
            let mut from = i64::MIN;
            let dirty = self.dirty.iter().map(|dirty| (dirty.start, dirty.end));
            for (start, end) in dirty.chain([(i64::MAX, i64::MAX)]) {
                let clean = within(&batch, &(from..start));
                from = end;
                if clean.num_rows() > 0 {
                    self.flush(&mut open)?;
                    self.put(&mut open, clean)?;
                }
            }
        }
        self.open = Some(open);
        Ok(())
    }

    /// Writes the buckets that were gathered.
    fn flush(&self, open: &mut Open) -> Result<(), Failure> {
        if open.gathered.len() > 0 {
            let buckets = open.gathered.take()?;
            self.put(open, buckets)?;
        }
        Ok(())
    }

    /// Writes buckets. A tail that they make too long becomes part of its tile.
    fn put(&self, open: &mut Open, more: RecordBatch) -> Result<(), Failure> {
        if let To::Tail { buckets, .. } = &mut open.to {
            buckets.push(more);
            let rows: usize = buckets.iter().map(RecordBatch::num_rows).sum();
            let bytes: usize = buckets.iter().map(tile_file::size).sum();
            if rows > tail::MAX_ROWS || bytes > tail::MAX_BYTES {
                self.join(open)?;
            }
            return Ok(());
        }
        if let To::Whole(writer) = &mut open.to {
            writer.write(more).map_err(|source| cache_failure(&self.dir, source))?;
        }
        Ok(())
    }

    /// Begins a whole tile with what lies before a tail, and the tail.
    fn join(&self, open: &mut Open) -> Result<(), Failure> {
        let To::Tail { tile, from_us, buckets } = &mut open.to else { return Ok(()) };
        let mut writer = self.writer(&open.span)?;
        let mut write =
            |buckets| writer.write(buckets).map_err(|source| cache_failure(&self.dir, source));
        let file = Tile { tail: None, ..(**tile).clone() };
        let damage = Damage { level: self.level, span_start_us: open.span.start };
        let damaged = |problem| Failure::Damaged(damage, problem);
        let mut before = self.old(&open.span, &file, i64::MIN)?;
        while let Some(piece) = before.before(*from_us).map_err(damaged)? {
            write(piece)?;
        }
        for piece in std::mem::take(buckets) {
            write(piece)?;
        }
        open.to = To::Whole(Box::new(writer));
        Ok(())
    }

    /// Writes the tile that is open; one without buckets is gone.
    fn close(&mut self) -> Result<(), Failure> {
        self.take_over(i64::MAX)?;
        let Some(mut open) = self.open.take() else { return Ok(()) };
        self.flush(&mut open)?;
        let failed = |source| cache_failure(&self.dir, source);
        if let To::Tail { tile, from_us, buckets } = &open.to {
            let stem = self.stem(&open.span)?;
            let tail = tail::write(&self.dir, &stem, *from_us, &self.shape.schema, buckets);
            if let Some(tail) = tail.map_err(failed)? {
                let tile = Tile { tail: Some(tail), ..(**tile).clone() };
                self.spans.insert(open.span.start, tile);
                self.written += 1;
                return Ok(());
            }
            self.join(&mut open)?;
        }
        let To::Whole(writer) = open.to else { return Ok(()) };
        match writer.finish().map_err(failed)? {
            Some(tile) => {
                self.spans.insert(open.span.start, tile);
                self.written += 1;
            }
            None => {
                self.spans.remove(&open.span.start);
            }
        }
        Ok(())
    }

    /// The level's tiles, and how many of them were written.
    fn finish(mut self, built: &mut Built) -> Result<(Spans, u64), Failure> {
        self.close()?;
        // Tiles that are no longer the newest become whole.
        let newest = self.spans.last_key_value().map(|(start, _)| *start);
        for (&start, tile) in &self.spans {
            if tile.tail.is_some() && Some(start) != newest {
                self.pending.entry(start).or_insert_with(|| tile.clone());
            }
        }
        // Old tiles in which no bucket came: what was dirty in them is gone.
        while let Some((&start, _)) = self.pending.first_key_value() {
            let level = &self.shape.levels[self.level];
            let span = level.span.span(start, self.shape.calendar(self.level))?;
            self.open = Some(self.open(span)?);
            self.close()?;
        }
        built.buckets += self.buckets;
        Ok((self.spans, self.written))
    }
}

impl BucketSink for LevelWriter<'_> {
    fn bucket(&mut self, start_us: i64, partials: &[Partial]) -> Result<()> {
        // The trait speaks of folding alone; what else fails is kept for
        // `take`, and no further bucket is looked at.
        if self.failure.is_none()
            && let Err(failure) = self.push(start_us, partials)
        {
            self.failure = Some(failure);
        }
        Ok(())
    }
}

pub(crate) fn cache_failure(path: &Path, source: std::io::Error) -> Failure {
    Failure::Cache(Box::new(Error::Cache { path: path.to_owned(), source }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_are_joined_where_they_are_nearest() {
        let ranges = vec![0..1, 100..101, 3..4, 50..51, 52..53, 4..4];
        assert_eq!(joined(ranges.clone(), 8), [0..1, 3..4, 50..51, 52..53, 100..101]);
        assert_eq!(joined(ranges.clone(), 4), [0..1, 3..4, 50..53, 100..101]);
        assert!(joined(ranges, 1).iter().eq([&(0..101)]));
        assert_eq!(joined(vec![ALWAYS, 3..4], 8), [ALWAYS]);
    }
}
