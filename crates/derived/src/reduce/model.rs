//! Tiles kept up to date in any way against tiles made at once, and against a
//! plain map.

use std::collections::BTreeMap;
use std::fs;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use arrow::array::{ArrayRef, Float64Array, Int64Array, RecordBatch};
use async_trait::async_trait;
use datafusion::physical_plan::SendableRecordBatchStream;
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use jiff::tz::TimeZone;
use proptest::prelude::*;
use tinyfs::TimeRange;

use super::build::{Built, Shape};
use super::direct::Direct;
use super::exact_sum::ExactSum;
use super::index::Index;
use super::partial::{Keeps, Partial, PartialRows, Reduced};
use super::pond_rows::row_schema;
use super::resolution::{Resolution, levels};
use super::rows::RowSource;
use super::sketch::Sketch;
use super::tiles::{Refreshed, Source, Tiles};
use crate::changes::{Changed, Stamp};
use crate::{Place, Result};

const S: i64 = 1_000_000;
const HOUR: i64 = 3_600 * S;
/// 2024-02-20T00:00Z: a month and a change of time follow.
const START: i64 = 1_708_387_200 * S;

type Row = (i64, Option<f64>);

/// A series in memory: what was appended, in order.
#[derive(Debug, Default)]
struct State {
    appends: Vec<Vec<Row>>,
    floor: i64,
    append: bool,
}

impl State {
    /// The rows as they are seen.
    fn rows(&self) -> Vec<Row> {
        let mut rows: Vec<Row> = if self.append {
            self.appends.iter().flatten().copied().collect()
        } else {
            let newest: BTreeMap<i64, Option<f64>> =
                self.appends.iter().flatten().copied().collect();
            newest.into_iter().collect()
        };
        rows.retain(|row| row.0 >= self.floor);
        rows.sort_by_key(|row| row.0);
        rows
    }
}

#[derive(Debug, Default)]
struct Model {
    state: Mutex<State>,
    /// Rows of one time come in another order each time.
    asked: AtomicUsize,
}

fn stamp_of(definition: &str, newest: usize) -> Stamp {
    serde_json::from_value(serde_json::json!({
        "definition": definition,
        "leaves": { "it": { "path": "/it", "newest": newest, "newest_hash": null, "declared": "" } },
    }))
    .unwrap()
}

#[async_trait]
impl RowSource for Model {
    async fn stamp(&self) -> Result<Stamp> {
        let state = self.state.lock().unwrap();
        Ok(stamp_of(&state.floor.to_string(), state.appends.len()))
    }

    async fn changed(&self, old: &Stamp, new: &Stamp) -> Result<Changed> {
        if old == new {
            return Ok(Changed::Nothing);
        }
        let (old, new) = (serde_json::to_value(old).unwrap(), serde_json::to_value(new).unwrap());
        if old["definition"] != new["definition"] {
            return Ok(Changed::Everything);
        }
        let since = old["leaves"]["it"]["newest"].as_u64().unwrap() as usize;
        let state = self.state.lock().unwrap();
        let ranges = state.appends[since..].iter().filter(|rows| !rows.is_empty());
        let ranges = ranges.map(|rows| TimeRange {
            min_us: rows.iter().map(|row| row.0).min().unwrap(),
            max_us: rows.iter().map(|row| row.0).max().unwrap(),
        });
        Ok(Changed::Ranges(ranges.collect()))
    }

    async fn rows(&self, range: &Range<i64>) -> Result<SendableRecordBatchStream> {
        let turn = self.asked.fetch_add(1, Ordering::Relaxed);
        let mut rows = self.state.lock().unwrap().rows();
        rows.retain(|row| range.contains(&row.0));
        let mut tied: Vec<Row> = Vec::new();
        for group in rows.chunk_by(|a, b| a.0 == b.0) {
            let at = turn % group.len();
            tied.extend(&group[at..]);
            tied.extend(&group[..at]);
        }
        let batches: Vec<_> = tied.chunks(3 + turn % 40).map(|rows| Ok(batch(rows))).collect();
        let schema = Arc::new(row_schema(1));
        let stream = futures::stream::iter(batches);
        Ok(Box::pin(RecordBatchStreamAdapter::new(schema, stream)))
    }
}

fn batch(rows: &[Row]) -> RecordBatch {
    let times: ArrayRef = Arc::new(Int64Array::from_iter_values(rows.iter().map(|row| row.0)));
    let values: ArrayRef = Arc::new(Float64Array::from_iter(rows.iter().map(|row| row.1)));
    RecordBatch::try_new(Arc::new(row_schema(1)), vec![times, values]).unwrap()
}

const RESOLUTIONS: [&str; 5] = ["1h", "4h", "day", "week", "month"];

fn shape() -> Shape {
    let zone = TimeZone::get("America/Los_Angeles").unwrap();
    let resolutions: Vec<Resolution> =
        RESOLUTIONS.iter().map(|text| Resolution::parse(text).unwrap()).collect();
    let keeps =
        Keeps { sum: true, m2: true, min: true, max: true, first: true, last: true, sketch: true };
    let columns: Arc<[Reduced]> = Arc::new([Reduced { name: "v".into(), keeps }]);
    Shape::new(levels(&resolutions, &zone).unwrap(), columns, zone, "key".into())
}

fn tiles(cache: &Path) -> Tiles {
    Tiles::new(&Place {
        cache: Some(cache.to_owned()),
        formats: None,
        temp_dir: std::env::temp_dir(),
        pond: uuid::Uuid::nil(),
        now_us: Arc::new(|| START),
    })
}

/// A pond's cache and a series.
struct World {
    cache: tempfile::TempDir,
    tiles: Tiles,
    model: Arc<Model>,
    source: Source,
}

impl World {
    fn new(append: bool) -> Self {
        let cache = tempfile::tempdir().unwrap();
        let model = Arc::new(Model::default());
        model.state.lock().unwrap().append = append;
        model.state.lock().unwrap().floor = i64::MIN;
        let rows: Arc<dyn RowSource> = Arc::clone(&model) as Arc<dyn RowSource>;
        let source = Source { shape: Arc::new(shape()), rows, path: "/it".into() };
        Self { tiles: tiles(cache.path()), cache, model, source }
    }

    fn dir(&self) -> PathBuf {
        self.cache.path().join("tiles/key")
    }

    fn append(&self, rows: &[Row]) {
        self.model.state.lock().unwrap().appends.push(rows.to_vec());
    }

    async fn refresh(&self) -> (Index, Built) {
        match self.tiles.refresh(&self.source, &[]).await.unwrap() {
            Refreshed::Tiles { index, built, .. } => (*index, built),
            Refreshed::Direct => panic!("the cache can be written"),
        }
    }

    /// The tiles' buckets of a level, each tile made again where it is not
    /// whole.
    async fn buckets(&self, level: usize) -> Vec<(i64, Partial)> {
        let shape = &self.source.shape;
        let name = shape.levels[level].resolution.to_string();
        let mut buckets = Vec::new();
        for (start, tile) in self.refresh().await.0.spans(&name) {
            let batch = match shape.read(&self.dir(), level, &tile) {
                Ok(batch) => batch,
                Err(_) => {
                    let damage = super::build::Damage { level, span_start_us: start };
                    let again = self.tiles.refresh(&self.source, &[damage]).await.unwrap();
                    let Refreshed::Tiles { index, .. } = again else { panic!("{again:?}") };
                    shape.read(&self.dir(), level, &index.spans(&name)[&start]).unwrap()
                }
            };
            read(&batch, &shape.columns, &mut buckets);
        }
        buckets
    }

    async fn direct(&self, level: usize) -> Vec<(i64, Partial)> {
        let shape = &self.source.shape;
        let all = super::build::ALWAYS;
        let mut direct =
            Direct::start(shape, level, &all, self.source.rows.as_ref()).await.unwrap();
        let mut buckets = Vec::new();
        while let Some(batch) = direct.next().await.unwrap() {
            read(&batch, &shape.columns, &mut buckets);
        }
        buckets
    }

    /// All tiles of the present rows made at once, elsewhere.
    async fn anew(&self) -> BTreeMap<String, super::index::Spans> {
        let elsewhere = tempfile::tempdir().unwrap();
        match tiles(elsewhere.path()).refresh(&self.source, &[]).await.unwrap() {
            Refreshed::Tiles { index, .. } => present(&index),
            Refreshed::Direct => panic!("the cache can be written"),
        }
    }

    /// What a plain map makes of the rows.
    fn naive(&self, level: usize) -> BTreeMap<i64, Vec<Row>> {
        let shape = &self.source.shape;
        let mut buckets: BTreeMap<i64, Vec<Row>> = BTreeMap::new();
        for row in self.model.state.lock().unwrap().rows() {
            let bucket = shape.levels[level].resolution.bucket(row.0, &shape.zone).unwrap();
            buckets.entry(bucket.start).or_default().push(row);
        }
        buckets
    }
}

/// The tiles of an index; resolutions without any do not count.
fn present(index: &Index) -> BTreeMap<String, super::index::Spans> {
    index.tiles.clone().into_iter().filter(|(_, spans)| !spans.is_empty()).collect()
}

fn read(batch: &RecordBatch, columns: &[Reduced], into: &mut Vec<(i64, Partial)>) {
    let rows = PartialRows::new(batch, columns);
    let mut partials = Vec::new();
    for (row, &start) in rows.times().iter().enumerate() {
        rows.read(row, &mut partials);
        into.push((start, partials[0].clone()));
    }
}

fn check(level: usize, buckets: &[(i64, Partial)], naive: &BTreeMap<i64, Vec<Row>>) {
    assert_eq!(
        buckets.iter().map(|bucket| bucket.0).collect::<Vec<_>>(),
        naive.keys().copied().collect::<Vec<_>>()
    );
    for (start, partial) in buckets {
        let readings: Vec<(i64, f64)> = naive[start]
            .iter()
            .filter_map(|&(time, value)| Some((time, value.filter(|value| value.is_finite())?)))
            .collect();
        assert_eq!(partial.count, readings.len() as u64);
        if readings.is_empty() {
            continue;
        }
        let mut sum = ExactSum::default();
        readings.iter().for_each(|reading| sum.add(reading.1));
        let sum = sum.rounded();
        let scale: f64 = readings.iter().map(|reading| reading.1.abs()).sum();
        if level == 0 {
            assert_eq!(partial.sum.to_bits(), sum.to_bits());
        }
        assert!((partial.sum - sum).abs() <= 1e-12 * scale, "{partial:?}");
        let mean = sum / readings.len() as f64;
        let m2: f64 = readings.iter().map(|reading| (reading.1 - mean).powi(2)).sum();
        let squares: f64 = readings.iter().map(|reading| reading.1.powi(2)).sum();
        assert!((partial.m2 - m2).abs() <= 1e-12 * squares, "{} {m2}", partial.m2);
        let by_value = |a: &&(i64, f64), b: &&(i64, f64)| a.1.total_cmp(&b.1);
        let by_time = |a: &&(i64, f64), b: &&(i64, f64)| a.0.cmp(&b.0).then(a.1.total_cmp(&b.1));
        assert_eq!(partial.min, readings.iter().min_by(by_value).unwrap().1);
        assert_eq!(partial.max, readings.iter().max_by(by_value).unwrap().1);
        assert_eq!(&partial.first, readings.iter().min_by(by_time).unwrap());
        assert_eq!(&partial.last, readings.iter().max_by(by_time).unwrap());
        let mut sketch = Sketch::default();
        readings.iter().for_each(|reading| sketch.add(reading.1));
        assert_eq!(partial.sketch.as_deref(), Some(&sketch));
    }
}

#[derive(Clone, Debug)]
enum Op {
    Append(Vec<Row>),
    Floor(i64),
    Refresh,
    /// A file of a level is taken away, or changed.
    Delete(usize, usize),
    Flip(usize, usize),
    ForgetIndex,
    GarbleIndex,
    DropCache,
}

fn row() -> impl Strategy<Value = Row> {
    let value = prop_oneof![
        8 => (-1000.0..1000.0_f64).prop_map(Some),
        2 => (0..5_i32).prop_map(|value| Some(f64::from(value))),
        1 => Just(None),
        1 => Just(Some(f64::NAN)),
        1 => prop::num::f64::NORMAL.prop_map(|value| Some(value.clamp(-1e150, 1e150))),
    ];
    // A few quarters of an hour near each other, over three months.
    ((0..90_i64, 0..30_i64), value)
        .prop_map(|((day, quarter), value)| (START + day * 24 * HOUR + quarter * HOUR / 4, value))
}

fn op() -> impl Strategy<Value = Op> {
    prop_oneof![
        6 => prop::collection::vec(row(), 0..30).prop_map(Op::Append),
        2 => ((0..90_i64), prop::collection::vec((0..60_i64, -5.0..5.0_f64), 1..40)).prop_map(
            |(day, minutes)| Op::Append(
                minutes
                    .into_iter()
                    .map(|(minute, value)| (START + day * 24 * HOUR + minute * 60 * S, Some(value)))
                    .collect()
            )
        ),
        4 => Just(Op::Refresh),
        1 => (0..90_i64).prop_map(|day| Op::Floor(START + day * 24 * HOUR)),
        1 => (0..RESOLUTIONS.len(), 0..9_usize).prop_map(|(level, at)| Op::Delete(level, at)),
        1 => (0..RESOLUTIONS.len(), 0..9_usize).prop_map(|(level, at)| Op::Flip(level, at)),
        1 => Just(Op::ForgetIndex),
        1 => Just(Op::GarbleIndex),
        1 => Just(Op::DropCache),
    ]
}

/// The file of a level that is `at` of its files, if it has any.
fn file(dir: &Path, level: usize, at: usize) -> Option<PathBuf> {
    let entries = fs::read_dir(dir.join(RESOLUTIONS[level])).ok()?;
    let mut files: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
    files.sort();
    (!files.is_empty()).then(|| files[at % files.len()].clone())
}

async fn perform(world: &World, op: Op) {
    let dir = world.dir();
    match op {
        Op::Append(rows) => world.append(&rows),
        Op::Floor(floor) => world.model.state.lock().unwrap().floor = floor,
        Op::Refresh => drop(world.refresh().await),
        Op::Delete(level, at) => {
            if let Some(file) = file(&dir, level, at) {
                fs::remove_file(file).unwrap();
            }
        }
        Op::Flip(level, at) => {
            if let Some(file) = file(&dir, level, at) {
                let mut bytes = fs::read(&file).unwrap();
                let middle = bytes.len() / 2;
                bytes[middle] ^= 1;
                fs::write(&file, bytes).unwrap();
            }
        }
        Op::ForgetIndex if dir.exists() => drop(fs::remove_file(dir.join("index.json"))),
        Op::GarbleIndex if dir.exists() => fs::write(dir.join("index.json"), "{ not").unwrap(),
        Op::DropCache if dir.exists() => fs::remove_dir_all(&dir).unwrap(),
        Op::ForgetIndex | Op::GarbleIndex | Op::DropCache => {}
    }
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().build().unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    #[test]
    fn increments_equal_one_build_byte_for_byte(
        ops in prop::collection::vec(op(), 1..14),
        append in any::<bool>(),
    ) {
        runtime().block_on(async {
            let world = World::new(append);
            for op in ops {
                perform(&world, op).await;
            }
            for (level, resolution) in RESOLUTIONS.iter().enumerate() {
                let buckets = world.buckets(level).await;
                check(level, &buckets, &world.naive(level));
                assert_eq!(world.direct(level).await, buckets, "{resolution}");
            }
            let mut kept = present(&world.refresh().await.0);
            let mut anew = world.anew().await;
            // What lies in a tail is not yet in its tile; its buckets have been
            // looked at.
            for (resolution, spans) in &mut kept {
                let tails = spans.extract_if(.., |_, tile| tile.tail.is_some());
                for (start, _) in tails.collect::<Vec<_>>() {
                    assert!(anew.get_mut(resolution).unwrap().remove(&start).is_some());
                }
            }
            kept.retain(|_, spans| !spans.is_empty());
            anew.retain(|_, spans| !spans.is_empty());
            assert_eq!(kept, anew);
        });
    }
}

#[tokio::test]
async fn late_day_makes_the_tiles_of_its_time_alone() {
    let world = World::new(false);
    for hour in 0..24 * 300 {
        world.append(&[(START + hour * HOUR, Some(hour as f64))]);
    }
    let (_, first) = world.refresh().await;
    assert_eq!(first.rows_read, 24 * 300);
    assert_eq!(world.refresh().await.1, Built::default());
    let day: Vec<Row> = (0..24).map(|hour| (START + hour * HOUR, Some(0.5))).collect();
    world.append(&day);
    let (_, late) = world.refresh().await;
    assert_eq!(late.rows_read, 24);
    assert_eq!(late.tiles_written, RESOLUTIONS.len() as u64);
}

#[tokio::test]
async fn minute_after_minute_writes_tails_and_ends_in_the_same_tiles() {
    let world = World::new(false);
    let quarter = |at: i64| (START + at * HOUR / 4, Some(at as f64));
    world.append(&(0..4 * 24 * 60).map(quarter).collect::<Vec<_>>());
    world.refresh().await;
    let bytes = || {
        let files = (0..RESOLUTIONS.len()).flat_map(|level| {
            let entries = fs::read_dir(world.dir().join(RESOLUTIONS[level])).unwrap();
            entries.map(|entry| entry.unwrap().metadata().unwrap().len())
        });
        files.sum::<u64>()
    };
    let (first, mut tails) = (bytes(), 0);
    for at in 4 * 24 * 60..4 * 24 * 70 {
        world.append(&[quarter(at)]);
        let (index, built) = world.refresh().await;
        assert!(built.rows_read <= 4, "{built:?}");
        tails += index
            .tiles
            .values()
            .flat_map(|spans| spans.values())
            .filter(|t| t.tail.is_some())
            .count();
        if at % 96 == 50 {
            for level in 0..RESOLUTIONS.len() {
                check(level, &world.buckets(level).await, &world.naive(level));
            }
        }
    }
    assert!(tails > 960, "{tails}");
    // Nothing is removed here: whole tiles for each row would be 960 times the
    // first ones.
    assert!(bytes() < 960 / 8 * first, "{} after {first}", bytes());
    // A late row makes the newest tile whole again.
    world.append(&[(START, Some(7.0))]);
    let (index, _) = world.refresh().await;
    let month = &index.tiles["month"];
    assert!(month.values().all(|tile| tile.tail.is_none()), "{month:?}");
    for level in 0..RESOLUTIONS.len() {
        check(level, &world.buckets(level).await, &world.naive(level));
    }
}

#[tokio::test]
async fn cache_that_can_not_be_written_changes_no_number() {
    let world = World::new(false);
    world.append(&[(START, Some(1.0))]);
    fs::write(world.cache.path().join("tiles"), "in the way").unwrap();
    let refreshed = world.tiles.refresh(&world.source, &[]).await.unwrap();
    assert!(matches!(refreshed, Refreshed::Direct));
    assert_eq!(world.direct(1).await.len(), 1);
}

#[tokio::test]
async fn refresh_that_is_broken_off_leaves_the_index_as_it_was() {
    let world = World::new(false);
    world.append(&[(START, Some(1.0))]);
    let (before, _) = world.refresh().await;
    for hour in 0..2_000 {
        world.append(&[(START + hour * HOUR, Some(2.0))]);
    }
    let broken: Arc<dyn RowSource> = Arc::new(Broken(Arc::clone(&world.model)));
    let source = Source { rows: broken, ..world.source.clone() };
    assert!(world.tiles.refresh(&source, &[]).await.is_err());
    assert_eq!(Index::read(&world.dir()), Some(before));
    check(1, &world.buckets(1).await, &world.naive(1));
}

/// Fails after some rows.
#[derive(Debug)]
struct Broken(Arc<Model>);

#[async_trait]
impl RowSource for Broken {
    async fn stamp(&self) -> Result<Stamp> {
        self.0.stamp().await
    }

    async fn changed(&self, old: &Stamp, new: &Stamp) -> Result<Changed> {
        self.0.changed(old, new).await
    }

    async fn rows(&self, range: &Range<i64>) -> Result<SendableRecordBatchStream> {
        use futures::StreamExt;
        let failure = || datafusion::error::DataFusionError::Execution("broken off".into());
        let some = self.0.rows(range).await?.take(3);
        let stream = some.chain(futures::stream::once(async move { Err(failure()) }));
        Ok(Box::pin(RecordBatchStreamAdapter::new(Arc::new(row_schema(1)), stream)))
    }
}
