//! What no bytes in the place of a pond's own files may break. The tests give
//! these functions changed samples, the fuzz targets anything at all.

use std::fs;
use std::path::{Path, PathBuf};

use steward::{Environment, Intent, Pond};

/// 2024-01-01T00:00:00Z.
const NOW_US: i64 = 1_704_067_200_000_000;

/// Settings of a replica.
pub(crate) const SETTINGS: &[&str] = &[
    "{}",
    "{\"lock.timeout_seconds\":\"5\",\"maintenance.automatic\":\"false\"}",
    "{\"lock.timeout_seconds\":-1}",
    "[]",
];

/// A pond with two files, the newest version in a commit of its own.
struct Sample {
    directory: tempfile::TempDir,
    environment: Environment,
}

impl Sample {
    async fn new() -> Self {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let (environment, _clock) = Environment::manual(NOW_US);
        let sample = Self { directory, environment };
        let pond = Pond::init(&sample.path(), "test", sample.environment.clone())
            .await
            .expect("a pond can be made");
        for (path, text) in [("/a", "first"), ("/b", "second")] {
            pond.write(Intent::new("write", "tester", "testhost"), async |txn| {
                txn.fs().write(path, text).await.map_err(steward::Error::from)
            })
            .await
            .expect("a file can be written");
        }
        sample
    }

    fn path(&self) -> PathBuf {
        self.directory.path().join("pond")
    }

    /// Opens the pond and reads all of it: what is read is what was written, or
    /// refused.
    async fn read_all(&self) {
        let Ok(pond) = Pond::open(&self.path(), self.environment.clone()).await else { return };
        if let Ok(view) = pond.read().await {
            for (path, text) in [("/a", "first"), ("/b", "second")] {
                if let Ok(bytes) = view.fs().read_to_end(path, 100).await {
                    assert_eq!(bytes, text.as_bytes(), "{path}");
                }
            }
            let _ = view.fs().entries("/").await;
        }
        let _ = pond.fsck().await;
    }
}

/// The newest file of a kind in a directory.
fn newest(directory: &Path, extension: &str) -> PathBuf {
    let mut found: Vec<PathBuf> = fs::read_dir(directory)
        .expect("a pond has this directory")
        .map(|entry| entry.expect("a directory can be listed").path())
        .filter(|path| path.extension().is_some_and(|found| found == extension))
        .collect();
    found.sort();
    found.pop().expect("two commits left such a file")
}

fn block_on(future: impl Future<Output = ()>) {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .expect("a runtime")
        .block_on(future);
}

/// Settings are read, or refused; the pond stays.
pub(crate) fn settings(data: &[u8]) {
    block_on(async {
        let sample = Sample::new().await;
        let control = sample.path().join("control");
        fs::create_dir_all(&control).expect("a directory can be made");
        fs::write(control.join("settings.json"), data).expect("a file can be written");
        sample.read_all().await;
    });
}

/// Anything in the place of the newest commit, or of its rows with the first
/// byte saying which, is refused, or is what was there.
pub(crate) fn log_rows(data: &[u8]) {
    let Some((which, edits)) = data.split_first() else { return };
    block_on(async {
        let sample = Sample::new().await;
        let data = sample.path().join("data");
        let target = if which % 2 == 0 {
            newest(&data, "parquet")
        } else {
            newest(&data.join("_delta_log"), "json")
        };
        let mut bytes = fs::read(&target).expect("the file is there");
        if which % 4 < 2 {
            bytes = edits.to_vec();
        } else {
            // Three bytes make an edit: a place, and what is there.
            for edit in edits.chunks_exact(3) {
                let at = usize::from(u16::from_le_bytes([edit[0], edit[1]])) % bytes.len();
                bytes[at] = edit[2];
            }
        }
        fs::remove_file(&target).expect("a file can be replaced");
        fs::write(&target, bytes).expect("a file can be written");
        sample.read_all().await;
    });
}
