//! Letting a pond grow old.
//!
//! Of twenty transactions four make a file (so 100,000 make 20,000), eight
//! write one of these files again, six append a row to one of ten series, one
//! moves a file and back or takes one away, and one makes a note at the root.

use std::fs::{File, FileTimes};
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant, UNIX_EPOCH};

use arrow::array::RecordBatch;
use futures::StreamExt as _;
use serde_json::{Value, json};
use steward::{Clock, Environment, Intent, ManualClock, Pond, SystemClock, TimeOrderedIds};
use testing::data;
use tinyfs::{SeriesSpec, TimeUnit};
use tlogfs::ParquetWriteExt as _;

use crate::Outcome;

const MINUTE_US: i64 = 60_000_000;
/// Files in each directory.
const PER_DIRECTORY: u64 = 100;
/// Series that grow.
const SERIES: u64 = 10;
/// Where the times of all rows begin.
const FIRST_ROW_US: i64 = 1_704_067_200_000_000;

/// What transactions took, commit and upkeep together.
struct Latencies {
    times: Vec<Duration>,
    /// Processor time, which other work on the machine hardly changes.
    cpu_ms: Vec<u64>,
    written_before: u64,
}

impl Latencies {
    fn new() -> Outcome<Self> {
        Ok(Self { times: Vec::new(), cpu_ms: Vec::new(), written_before: written_bytes()? })
    }

    /// One transaction.
    async fn of(&mut self, work: impl Future<Output = Outcome>) -> Outcome {
        let (started, cpu_before) = (Instant::now(), cpu_ms()?);
        work.await?;
        self.times.push(started.elapsed());
        self.cpu_ms.push(cpu_ms()? - cpu_before);
        Ok(())
    }

    fn report(mut self) -> Outcome<Value> {
        self.times.sort_unstable();
        let at = |share: f64| {
            let index = ((self.times.len() as f64 - 1.0) * share).round().max(0.0) as usize;
            self.times.get(index).map_or(0.0, |time| time.as_secs_f64() * 1e3)
        };
        let written = written_bytes()? - self.written_before;
        Ok(json!({
            "median_ms": at(0.5), "p90_ms": at(0.9), "p99_ms": at(0.99), "max_ms": at(1.0),
            "max_cpu_ms": self.cpu_ms.iter().max(),
            "written_bytes_each": written / (self.times.len() as u64).max(1),
        }))
    }
}

/// Processor time of this process, in steps of the kernel's hundredth.
fn cpu_ms() -> Outcome<u64> {
    let stat = std::fs::read_to_string("/proc/self/stat")?;
    // The name, which may hold anything, ends with the last bracket.
    let after = stat.rsplit_once(") ").map_or("", |(_, after)| after);
    let ticks = after.split(' ').skip(11).take(2).map(str::parse::<u64>);
    Ok(ticks.sum::<Result<u64, _>>()? * 10)
}

/// Bytes that this process has handed to the kernel to write.
fn written_bytes() -> Outcome<u64> {
    let io = std::fs::read_to_string("/proc/self/io")?;
    let line = io.lines().find_map(|line| line.strip_prefix("wchar: "));
    Ok(line.ok_or("no count of written bytes")?.parse()?)
}

/// Transactions after which files are made to look their age.
const BACKDATE_EVERY: u64 = 200;

/// A pond whose clock is set by hand; it will reach the present after so many
/// minutes.
async fn new_pond(path: &Path, minutes: u64) -> Outcome<(Pond, Arc<ManualClock>)> {
    let minutes = i64::try_from(minutes)?;
    let clock = Arc::new(ManualClock::new(SystemClock.now_us() - minutes * MINUTE_US));
    let shared: Arc<dyn Clock> = Arc::<ManualClock>::clone(&clock);
    let ids = Arc::new(TimeOrderedIds::new(Arc::clone(&shared)));
    let system = Environment::system(diagnostics::silent());
    let environment = Environment { clock: shared, ids, ..system };
    Ok((Pond::init(path, "bench", environment).await?, clock))
}

/// Gives files that were written since the last time the age that they have
/// by the pond's clock: vacuum goes by it.
fn backdate(path: &Path, clock: &ManualClock) -> Outcome {
    let now = UNIX_EPOCH + Duration::from_micros(u64::try_from(clock.now_us())?);
    for directory in ["data", "data/_delta_log"] {
        for entry in std::fs::read_dir(path.join(directory))? {
            let entry = entry?;
            let about = entry.metadata()?;
            if about.is_file() && about.modified()? > now {
                let times = FileTimes::new().set_modified(now);
                File::open(entry.path())?.set_times(times)?;
            }
        }
    }
    Ok(())
}

fn intent(command: &str) -> Intent {
    Intent::new(command, "bench", "bench")
}

fn row(number: u64) -> RecordBatch {
    let number = i64::try_from(number).unwrap_or(i64::MAX / MINUTE_US);
    data::sine(FIRST_ROW_US + number * MINUTE_US, MINUTE_US, 1, TimeUnit::Microsecond)
}

fn spec() -> SeriesSpec {
    data::spec(TimeUnit::Microsecond)
}

async fn append(pond: &Pond, path: &str, rows: RecordBatch) -> Outcome {
    let written = pond.write(intent(&format!("pond copy - {path}")), async |txn| {
        let schema = rows.schema();
        let rows = futures::stream::iter([Ok(rows)]).boxed();
        let written = txn.fs().append_series(path, Some(spec()), schema, rows).await;
        written.map(drop).map_err(steward::Error::from)
    });
    written.await?;
    Ok(())
}

/// Bytes that differ from file to file and do not compress to nothing.
fn bytes_of(seed: u64, length: usize) -> Vec<u8> {
    let mut state = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
    std::iter::repeat_with(|| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        b"0123456789abcdef"[usize::try_from(state >> 60).unwrap_or(0)]
    })
    .take(length)
    .collect()
}

fn path_of(file: u64) -> String {
    format!("/d{:03}/f{:02}", file / PER_DIRECTORY, file % PER_DIRECTORY)
}

/// What one transaction of the twenty does.
async fn step(pond: &Pond, number: u64, files: &mut u64, bytes: usize) -> Outcome {
    // Any of the files there are, each as often as another.
    let any = |files: u64| number.wrapping_mul(0x9E37_79B9_7F4A_7C15) % files.max(1);
    match number % 20 {
        0 | 5 | 10 | 15 => {
            let path = path_of(*files);
            *files += 1;
            write(pond, &path, &bytes_of(number, bytes)).await
        }
        1..=4 | 6..=9 => write(pond, &path_of(any(*files)), &bytes_of(number, bytes)).await,
        11..=14 | 16 | 17 => {
            append(pond, &format!("/series/s{}", number % SERIES), row(number)).await
        }
        18 => write(pond, "/note", &bytes_of(number, 100)).await,
        _ => {
            let (here, there) = ("/coming", "/gone");
            let written = pond.write(intent("pond mv"), async |txn| {
                let fs = txn.fs();
                if number % 40 == 19 {
                    fs.write(here, &bytes_of(number, 100)).await?;
                } else {
                    fs.rename(here, there).await?;
                    fs.remove(there).await?;
                }
                Ok::<_, steward::Error>(())
            });
            written.await?;
            Ok(())
        }
    }
}

async fn write(pond: &Pond, path: &str, bytes: &[u8]) -> Outcome {
    let written = pond.write(intent(&format!("pond copy - {path}")), async |txn| {
        let fs = txn.fs();
        if let Some((directory, _)) = path.rsplit_once('/').filter(|(dir, _)| !dir.is_empty()) {
            fs.create_dir_all(directory).await?;
        }
        fs.write(path, bytes).await.map(drop).map_err(steward::Error::from)
    });
    written.await?;
    Ok(())
}

/// Makes a pond of many transactions and tells what that took.
pub(crate) async fn make(path: &Path, transactions: u64, bytes: usize) -> Outcome<Value> {
    let (pond, clock) = new_pond(path, transactions).await?;
    let mut latencies = Latencies::new()?;
    let mut files = 0;
    let begun = Instant::now();
    // What commands are measured on is there at every age.
    write(&pond, "/series/about", b"one row a minute").await?;
    append(&pond, "/series/s0", row(0)).await?;
    for number in 0..transactions {
        clock.advance(MINUTE_US);
        latencies.of(step(&pond, number, &mut files, bytes)).await?;
        if number % BACKDATE_EVERY == 0 {
            backdate(path, &clock)?;
        }
    }
    Ok(json!({
        "made": path, "transactions": transactions, "files": files,
        "seconds": begun.elapsed().as_secs_f64(), "write": latencies.report()?,
    }))
}

/// Makes a series of many appends, and one of the same rows written once.
pub(crate) async fn series(appended: &Path, once: &Path, appends: u64) -> Outcome<Value> {
    let (pond, clock) = new_pond(appended, appends).await?;
    let mut latencies = Latencies::new()?;
    let begun = Instant::now();
    for number in 0..appends {
        clock.advance(MINUTE_US);
        latencies.of(append(&pond, "/s", row(number))).await?;
        if number % BACKDATE_EVERY == 0 {
            backdate(appended, &clock)?;
        }
    }
    let seconds = begun.elapsed().as_secs_f64();
    let (pond, _) = new_pond(once, 1).await?;
    let rows = usize::try_from(appends)?;
    append(&pond, "/s", data::sine(FIRST_ROW_US, MINUTE_US, rows, TimeUnit::Microsecond)).await?;
    Ok(json!({
        "made": appended, "appends": appends, "seconds": seconds, "write": latencies.report()?,
    }))
}
