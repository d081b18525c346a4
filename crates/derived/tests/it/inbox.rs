//! An inbox whose files are written to while they are read.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow::datatypes::SchemaRef;
use async_trait::async_trait;
use derived::registry;
use factory::{Appended, Batches, BoxError, Doors, Env, RunContext, RunReport, Sink, Step};
use futures::{StreamExt as _, stream};
use testing::TestPond;
use tinyfs::{Fs, SeriesSpec, WriteStore};
use tlogfs::ParquetWriteExt as _;

use crate::world::World;

/// What happens to host files as a version is about to be written.
type Meanwhile = RefCell<Option<Box<dyn FnOnce()>>>;

struct PondDoors<'a> {
    world: &'a World,
    meanwhile: Meanwhile,
    /// How often the ledger was read.
    queries: Cell<u32>,
}

impl<'a> PondDoors<'a> {
    fn new(world: &'a World, meanwhile: impl FnOnce() + 'static) -> Self {
        let meanwhile: Meanwhile = RefCell::new(Some(Box::new(meanwhile)));
        Self { world, meanwhile, queries: Cell::new(0) }
    }
}

#[async_trait(?Send)]
impl Doors for PondDoors<'_> {
    async fn read(&self) -> factory::Result<Fs> {
        Ok(self.world.pond.read().await.fs())
    }

    async fn query(&self, sql: &str) -> factory::Result<Batches<'static>> {
        self.queries.set(self.queries.get() + 1);
        let (session, _) = self.world.session_with(None).await;
        let batches = session.sql(sql).await.unwrap().collect().await.unwrap();
        Ok(stream::iter(batches.into_iter().map(Ok::<_, BoxError>)).boxed())
    }

    async fn write(&self, step: &mut dyn Step) -> factory::Result<Option<u64>> {
        let written = self
            .world
            .pond
            .pond
            .write(TestPond::intent("pond run"), async |txn| {
                let sink = Transaction { fs: txn.fs(), meanwhile: &self.meanwhile };
                step.perform(&sink).await.unwrap();
                Ok::<_, steward::Error>(())
            })
            .await
            .unwrap();
        Ok(match written.commit {
            steward::Commit::Committed { txn_seq } => Some(txn_seq),
            steward::Commit::Nothing => None,
        })
    }

    async fn refresh(&self, _path: &str) -> factory::Result<RunReport> {
        Ok(RunReport::default())
    }
}

struct Transaction<'a> {
    fs: Fs<dyn WriteStore>,
    meanwhile: &'a Meanwhile,
}

#[async_trait(?Send)]
impl Sink for Transaction<'_> {
    fn fs(&self) -> &Fs<dyn WriteStore> {
        &self.fs
    }

    async fn append_rows(
        &self,
        path: &str,
        spec: Option<SeriesSpec>,
        schema: SchemaRef,
        rows: Batches<'_>,
    ) -> factory::Result<Appended> {
        if let Some(happens) = self.meanwhile.borrow_mut().take() {
            happens();
        }
        match self.fs.append_series(path, spec, schema, rows).await {
            Ok(written) => Ok(Appended {
                version: written.version,
                rows: written.rows,
                time_range: written.time_range,
                below_floor: written.below_floor,
            }),
            Err(error) => {
                Err(factory::Error::Run { doing: "cannot append".into(), source: Box::new(error) })
            }
        }
    }

    async fn write_table(
        &self,
        _path: &str,
        _schema: SchemaRef,
        _rows: Batches<'_>,
    ) -> factory::Result<Appended> {
        panic!("no table is written here")
    }
}

struct Variables(BTreeMap<&'static str, String>);

impl Env for Variables {
    fn var(&self, name: &str) -> Option<String> {
        self.0.get(name).cloned()
    }

    fn file(&self, path: &Path) -> io::Result<String> {
        std::fs::read_to_string(path)
    }
}

/// An inbox of CSV files, and where they lie.
async fn inbox() -> (World, PathBuf) {
    declared("into: /all.series\nas: series\ntime_column: time\n").await
}

async fn declared(rest: &str) -> (World, PathBuf) {
    let world = World::new().await;
    let dir = world.pond.beside().join("in");
    std::fs::create_dir_all(&dir).unwrap();
    world.node("/inbox", "inbox", &format!("pattern: ${{env:IN}}/*.csv\n{rest}")).await;
    (world, dir)
}

async fn run(world: &World, meanwhile: impl FnOnce() + 'static) -> RunReport {
    run_through(&PondDoors::new(world, meanwhile)).await
}

async fn run_through(doors: &PondDoors<'_>) -> RunReport {
    let node = doors.read().await.unwrap().resolve("/inbox").await.unwrap().id();
    let dir = doors.world.pond.beside().join("in").display().to_string();
    let inbox = Arc::clone(registry().get("inbox").unwrap());
    inbox
        .run(RunContext {
            path: "/inbox",
            node,
            args: &[],
            doors,
            env: &Variables(BTreeMap::from([("IN", dir)])),
            now_us: &|| testing::START_US,
            temp_dir: &std::env::temp_dir(),
            monitor: &diagnostics::silent(),
        })
        .await
        .unwrap()
}

fn append(path: &Path, text: &str) {
    let mut file = std::fs::File::options().append(true).create(true).open(path).unwrap();
    file.write_all(text.as_bytes()).unwrap();
}

const ROWS: &str = "time,level\n2025-01-01T00:00:00Z,1\n2025-01-01T01:00:00Z,2\n";

async fn count(world: &World) -> String {
    world.ask("SELECT count(*) AS n, sum(level) AS s FROM '/all.series'").await
}

#[tokio::test]
async fn a_file_that_is_written_anew_while_it_is_read_is_left_for_the_next_run() {
    let (world, dir) = inbox().await;
    let (a, b) = (dir.join("a.csv"), dir.join("b.csv"));
    append(&a, ROWS);
    append(&b, "time,level\n2025-01-02T00:00:00Z,7\n");
    let other = ROWS.replace(",1\n", ",5\n");
    let report = run(&world, move || std::fs::write(a, other).unwrap()).await;
    assert!(report.failures.is_empty(), "{report:?}");
    let lines = report.lines.join("\n");
    assert!(lines.contains("a.csv: changes while it is read"), "{lines}");
    assert!(lines.contains("b.csv: 1 row to /all.series"), "{lines}");
    let told = count(&world).await;
    assert!(told.contains("| 1 | 7 |"), "{told}");
    run(&world, || ()).await;
    let told = count(&world).await;
    assert!(told.contains("| 3 | 14 |"), "{told}");
}

#[tokio::test]
async fn a_file_of_lines_that_only_grows_while_it_is_read_is_read_up_to_there() {
    let (world, dir) = inbox().await;
    let a = dir.join("a.csv");
    append(&a, ROWS);
    let growing = a.clone();
    let report = run(&world, move || append(&growing, "2025-01-01T02:00:00Z,4\n2025-01")).await;
    assert!(report.lines.join("\n").contains("a.csv: 2 rows"), "{report:?}");
    append(&a, "-01T03:00:00Z,8\n");
    let report = run(&world, || ()).await;
    assert!(report.lines.join("\n").contains("a.csv: 2 new rows"), "{report:?}");
    let told = count(&world).await;
    assert!(told.contains("| 4 | 15 |"), "{told}");
}

#[tokio::test]
async fn a_file_that_goes_while_it_is_read_is_no_failure() {
    let (world, dir) = inbox().await;
    let a = dir.join("a.csv");
    append(&a, ROWS);
    let report = run(&world, move || std::fs::remove_file(a).unwrap()).await;
    assert!(report.failures.is_empty(), "{report:?}");
    assert!(report.lines.join("\n").contains("a.csv: is gone"), "{report:?}");
}

#[tokio::test]
async fn the_ledger_is_read_once_a_run_and_not_once_a_transaction() {
    let (world, dir) = declared("into: /all\n").await;
    let queries = async |summary: &str| {
        let doors = PondDoors::new(&world, || ());
        let report = run_through(&doors).await;
        assert_eq!(report.lines.last().unwrap(), summary);
        doors.queries.get()
    };
    for at in 0..300 {
        append(&dir.join(format!("{at}.csv")), &format!("{at}"));
    }
    // More than one transaction takes; and there is no ledger yet.
    assert_eq!(queries("300 files taken").await, 0);
    for at in 300..600 {
        append(&dir.join(format!("{at}.csv")), &format!("{at}"));
    }
    assert_eq!(queries("300 files taken, 300 known already").await, 1);
    // Another file with a known content asks what that was.
    append(&dir.join("again.csv"), "7");
    assert_eq!(queries("1 file taken, 600 known already").await, 2);
}
