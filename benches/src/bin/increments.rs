//! Reductions kept current: a minute more in every series, then a refresh, many
//! times in one process.
//!
//! `increments POND GLOB PATH COUNT` appends a row to every series that GLOB
//! matches, all in one transaction, brings the reductions at PATH up to date,
//! and does so COUNT times. It prints one JSON object: what appends and
//! refreshes took, and how much memory was resident every hundred increments.
//!
//! Always true: each increment reads the pond as it then is, with a session of
//! its own, as a service that lives on would; a refresh that fails ends it.
//!
//! Deliberately not here: making the pond, peers, and judging the figures.

#![expect(clippy::print_stdout, reason = "what is measured goes to stdout")]

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use arrow::array::{ArrayRef, Float64Array, RecordBatch, TimestampMicrosecondArray};
use arrow::datatypes::{DataType, Field, Schema, TimeUnit};
use clap::Parser;
use derived::{Derived, Place};
use factory::ComputedStore;
use futures::StreamExt as _;
use query::{Session, SessionOptions};
use serde_json::{Value, json};
use steward::{Clock as _, Environment, Intent, Pond, SystemClock};
use tinyfs::{Fs, Glob, GlobOptions};
use tlogfs::ParquetWriteExt as _;

/// What fails is told and ends the program.
type Outcome<T = ()> = Result<T, Box<dyn std::error::Error + Send + Sync>>;

const MINUTE_US: i64 = 60_000_000;
/// Increments from one look at memory to the next.
const LOOK_EVERY: usize = 100;
/// Threads that compute.
const THREADS: u8 = 2;
/// The memory that queries have, as the program's default.
const MEMORY_LIMIT: usize = 128 << 20;

#[derive(Parser)]
#[command(about = "Reductions kept current, a minute at a time")]
struct Args {
    /// The pond.
    pond: PathBuf,
    /// The series that get a row: columns `time`, `temperature`, `salinity`,
    /// `oxygen`.
    glob: String,
    /// The reductions.
    path: String,
    /// Increments.
    count: usize,
}

/// A row of every column.
fn row(time_us: i64) -> Outcome<RecordBatch> {
    let minute = (time_us / MINUTE_US) as f64;
    let value = |base: f64| -> ArrayRef {
        Arc::new(Float64Array::from(vec![base + (minute / 229.2).sin()]))
    };
    let time = DataType::Timestamp(TimeUnit::Microsecond, None);
    let mut fields = vec![Field::new("time", time, false)];
    let mut columns: Vec<ArrayRef> = vec![Arc::new(TimestampMicrosecondArray::from(vec![time_us]))];
    for (name, base) in [("temperature", 11.0), ("salinity", 31.0), ("oxygen", 8.0)] {
        fields.push(Field::new(name, DataType::Float64, true));
        columns.push(value(base));
    }
    Ok(RecordBatch::try_new(Arc::new(Schema::new(fields)), columns)?)
}

/// The paths of the series, and the newest time of them all.
async fn series(fs: &Fs, glob: &str) -> Outcome<(Vec<String>, i64)> {
    let mut paths = Vec::new();
    let mut newest_us = 0;
    let mut matches = fs.matches(Glob::parse(glob)?, GlobOptions::default());
    while let Some(found) = matches.next().await? {
        for run in fs.store().runs(found.path.node.id).await? {
            newest_us = newest_us.max(run.time_range.map_or(0, |range| range.max_us));
        }
        paths.push(found.path.path);
    }
    Ok((paths, newest_us))
}

async fn append(pond: &Pond, paths: &[String], time_us: i64) -> Outcome {
    let row = row(time_us)?;
    let intent = Intent::new("increments", "bench", "bench");
    let written = pond.write(intent, async |txn| {
        for path in paths {
            let rows = futures::stream::iter([Ok(row.clone())]).boxed();
            txn.fs().append_series(path, None, row.schema(), rows).await?;
        }
        Ok::<_, steward::Error>(())
    });
    written.await?;
    Ok(())
}

async fn refresh(pond: &Pond, computer: &Arc<Derived>, path: &str) -> Outcome {
    let now = pond.read().await?;
    let store = ComputedStore::new(now.store(), derived::registry());
    let options =
        SessionOptions { memory_limit_bytes: Some(MEMORY_LIMIT), ..SessionOptions::default() };
    let own: Arc<Derived> = Arc::clone(computer);
    let session = Session::new(store, options)?.with_computer(own);
    let report = computer.refresh(&session, path).await?;
    match report.failures.into_iter().next() {
        Some((source, error)) => Err(format!("{source}: {error}").into()),
        None => Ok(()),
    }
}

/// A line of `/proc/self/status`, in MiB.
fn status_mib(name: &str) -> Outcome<f64> {
    let status = std::fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix(name));
    let kib = line.and_then(|line| line.split_whitespace().next()).ok_or("no such line")?;
    Ok(kib.parse::<f64>()? / 1024.0)
}

fn spread(mut times: Vec<Duration>) -> Value {
    times.sort_unstable();
    let at = |share: f64| {
        let index = ((times.len() as f64 - 1.0) * share).round().max(0.0) as usize;
        times.get(index).map_or(0.0, |time| time.as_secs_f64() * 1e3)
    };
    json!({ "median": at(0.5), "p90": at(0.9), "max": at(1.0) })
}

fn main() -> Outcome {
    let args = Args::parse();
    // As the program has it: no more heaps than threads that compute.
    resident::share_heaps(THREADS);
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(THREADS.into())
        .max_blocking_threads(usize::from(THREADS) * 4)
        .enable_all()
        .build()?;
    runtime.block_on(run(args))
}

async fn run(args: Args) -> Outcome {
    let pond = Pond::open(&args.pond, Environment::system(diagnostics::silent())).await?;
    let temporary = tempfile::tempdir()?;
    let computer = Derived::new(
        derived::registry(),
        Place {
            cache: Some(pond.cache_dir()),
            formats: Some(pond.cache_dir().join("formats")),
            temp_dir: temporary.path().to_owned(),
            pond: pond.identity().pond_id,
            now_us: Arc::new(|| SystemClock.now_us()),
        },
    );
    refresh(&pond, &computer, &args.path).await?;
    let (paths, newest_us) = series(&pond.read().await?.fs(), &args.glob).await?;
    let (mut appends, mut refreshes) = (Vec::new(), Vec::new());
    let mut rss_mib = Vec::new();
    for number in 1..=args.count {
        let begun = Instant::now();
        append(&pond, &paths, newest_us + number as i64 * MINUTE_US).await?;
        appends.push(begun.elapsed());
        let begun = Instant::now();
        refresh(&pond, &computer, &args.path).await?;
        refreshes.push(begun.elapsed());
        if number % LOOK_EVERY == 0 {
            rss_mib.push(status_mib("VmRSS:")?);
        }
    }
    let said = json!({
        "increments": args.count, "series": paths.len(), "append_ms": spread(appends),
        "refresh_ms": spread(refreshes), "rss_mib": rss_mib, "peak_mib": status_mib("VmHWM:")?,
    });
    println!("{said}");
    Ok(())
}
