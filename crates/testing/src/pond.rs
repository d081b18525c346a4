//! A pond in a temporary directory.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow::array::RecordBatch;
use futures::StreamExt as _;
use steward::{Commit, Environment, Intent, ManualClock, Pond, ReadView};
use tempfile::TempDir;
use tinyfs::SeriesSpec;
use tlogfs::{ParquetWriteExt as _, Written};

/// Where the clock of a [`TestPond`] stands at first: 2024-01-01T00:00:00Z.
pub const START_US: i64 = 1_704_067_200_000_000;

/// A pond that goes when it is dropped.
#[derive(Debug)]
pub struct TestPond {
    /// The pond.
    pub pond: Pond,
    /// Its clock.
    pub clock: Arc<ManualClock>,
    /// What it was opened with.
    pub environment: Environment,
    directory: TempDir,
}

impl TestPond {
    /// A new pond, without automatic upkeep.
    pub async fn new() -> Self {
        let pond = Self::with_upkeep().await;
        pond.pond.set_setting("maintenance.automatic", "false").unwrap();
        pond
    }

    /// A new pond as users have it.
    pub async fn with_upkeep() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let (environment, clock) = Environment::manual(START_US);
        let path = directory.path().join("pond");
        let pond = Pond::init(&path, "test", environment.clone()).await.unwrap();
        Self { pond, clock, environment, directory }
    }

    /// The pond's directory.
    #[must_use]
    pub fn path(&self) -> PathBuf {
        self.directory.path().join("pond")
    }

    /// A place beside the pond, for host files.
    #[must_use]
    pub fn beside(&self) -> &Path {
        self.directory.path()
    }

    /// Opens the pond again, as a new process would.
    pub async fn reopen(&mut self) {
        self.pond = Pond::open(&self.path(), self.environment.clone()).await.unwrap();
    }

    /// A second handle, as another process would have it.
    pub async fn open_again(&self) -> Pond {
        Pond::open(&self.path(), self.environment.clone()).await.unwrap()
    }

    /// The newest state.
    pub async fn read(&self) -> ReadView {
        self.pond.read().await.unwrap()
    }

    /// An intent for a command.
    #[must_use]
    pub fn intent(command: &str) -> Intent {
        Intent::new(command, "tester", "testhost")
    }

    /// Writes a file in a transaction of its own, a second after the last, and
    /// returns the transaction's number.
    pub async fn write_file(&self, path: &str, bytes: &[u8]) -> u64 {
        self.clock.advance(1_000_000);
        let written = self
            .pond
            .write(Self::intent(&format!("pond copy - {path}")), async |txn| {
                txn.fs().write(path, bytes).await.map_err(steward::Error::from)
            })
            .await
            .unwrap();
        txn_of(written.commit)
    }

    /// Makes a directory in a transaction of its own.
    pub async fn make_dir(&self, path: &str) -> u64 {
        self.clock.advance(1_000_000);
        let written = self
            .pond
            .write(Self::intent(&format!("pond mkdir {path}")), async |txn| {
                txn.fs().create_dir_all(path).await.map_err(steward::Error::from)
            })
            .await
            .unwrap();
        txn_of(written.commit)
    }

    /// Appends rows to a series in a transaction of its own; `spec` makes it.
    pub async fn append(&self, path: &str, spec: Option<SeriesSpec>, rows: RecordBatch) -> Written {
        self.clock.advance(1_000_000);
        self.pond
            .write(Self::intent(&format!("pond copy rows {path}")), async |txn| {
                let schema = rows.schema();
                let rows = futures::stream::iter([Ok(rows)]).boxed();
                let written = txn.fs().append_series(path, spec, schema, rows).await;
                written.map_err(steward::Error::from)
            })
            .await
            .unwrap()
            .value
    }
}

fn txn_of(commit: Commit) -> u64 {
    match commit {
        Commit::Committed { txn_seq } => txn_seq,
        Commit::Nothing => panic!("nothing was committed"),
    }
}
