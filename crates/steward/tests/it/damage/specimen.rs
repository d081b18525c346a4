//! The pond that is hurt, and what can be read of it.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use futures::StreamExt as _;
use steward::{Error, MaintainOptions, Pond};
use testing::{TestPond, data};
use tinyfs::{EntryType, Fs, Reader, TimeUnit, VerifiedReader};
use tlogfs::ParquetWriteExt as _;

use super::harm::copy_tree;

/// The bytes of versions, by path and number.
pub(super) type Contents = BTreeMap<(String, u64), Vec<u8>>;

/// A pond of several transactions before and after a checkpoint and a
/// compaction, with every kind of file in it.
pub(super) struct Specimen {
    pub(super) pond: TestPond,
    pub(super) contents: Contents,
}

/// What reading everything in a pond gave.
#[derive(Debug, Default)]
pub(super) struct Read {
    pub(super) good: Contents,
    /// What can not be read, and why.
    pub(super) bad: Vec<(String, u64, String)>,
}

impl Specimen {
    pub(super) async fn make() -> Self {
        let pond = TestPond::new().await;
        for (key, value) in [
            ("maintenance.compact_files", "4"),
            ("maintenance.checkpoint_commits", "4"),
            ("maintenance.merge_versions", "4"),
        ] {
            pond.pond.set_setting(key, value).unwrap();
        }
        pond.make_dir("/docs/deep").await;
        pond.make_dir("/sensors").await;
        pond.write_file("/docs/a", b"the first text").await;
        pond.write_file("/docs/a", b"the second text").await;
        pond.write_file("/docs/deep/big", &data::noise_bytes(200_000)).await;
        pond.write_file("/docs/small", &data::noise_bytes(5_000)).await;
        let spec = data::spec(TimeUnit::Microsecond);
        for version in 0..4 {
            let rows = data::sine(version * 60_000_000, 1_000_000, 50, TimeUnit::Microsecond);
            let declared = (version == 0).then(|| spec.clone());
            pond.append("/sensors/s", declared, rows).await;
        }
        Self::keep_up(&pond).await;
        Self::take(&pond, "/sensors/s", EntryType::Series, 100_000).await;
        Self::take(&pond, "/sensors/t", EntryType::Table, 3_000).await;
        pond.clock.advance(1_000_000);
        let linked = pond
            .pond
            .write(TestPond::intent("pond ln /docs/a /docs/link"), async |txn| {
                txn.fs().symlink("a", "/docs/link").await.map_err(Error::from)
            })
            .await;
        linked.unwrap();
        pond.write_file("/docs/b", &data::noise_bytes(900)).await;
        pond.write_file("/docs/other-big", &data::noise_bytes(150_000)).await;
        pond.write_file("/docs/a", b"the third text").await;
        let rows = data::sine(900_000_000, 1_000_000, 20, TimeUnit::Microsecond);
        pond.append("/sensors/s", None, rows).await;
        assert_eq!(pond.pond.fsck().await.unwrap().findings, []);
        let read = read_all(&pond.pond).await.unwrap();
        assert_eq!(read.bad, []);
        assert_eq!(read.good.len(), 14);
        Self { pond, contents: read.good }
    }

    async fn keep_up(pond: &TestPond) {
        // A checkpoint and a merge come to be due by each other.
        for _ in 0..3 {
            let plan = pond.pond.plan_maintenance(MaintainOptions::default()).await.unwrap();
            let intent = TestPond::intent("pond maintain");
            pond.pond.perform_maintenance(&plan, &intent).await.unwrap();
        }
    }

    async fn take(pond: &TestPond, path: &str, entry_type: EntryType, size: usize) {
        pond.clock.advance(1_000_000);
        let bytes = data::parquet_of_exact_size(size);
        let taken = pond
            .pond
            .write(TestPond::intent("pond copy parquet"), async |txn| {
                let (fs, mut bytes) = (txn.fs(), bytes.as_ref());
                let taken = fs.take_parquet(path, entry_type, None, &mut bytes).await;
                taken.map_err(Error::from)
            })
            .await;
        taken.unwrap();
    }

    /// A copy of the pond, to be hurt.
    pub(super) fn copy(&self) -> tempfile::TempDir {
        let copy = tempfile::tempdir().unwrap();
        copy_tree(&self.pond.path(), &copy.path().join("pond"));
        copy
    }

    /// Its files by kind, relative to the pond.
    pub(super) fn files(&self) -> BTreeMap<&'static str, Vec<PathBuf>> {
        let mut found = Vec::new();
        walk(&self.pond.path(), Path::new(""), &mut found);
        let mut kinds = BTreeMap::<_, Vec<_>>::new();
        for path in found {
            kinds.entry(kind(&path)).or_default().push(path);
        }
        kinds
    }
}

fn kind(path: &Path) -> &'static str {
    let text = path.to_str().unwrap();
    let name = path.file_name().unwrap().to_str().unwrap();
    match text {
        "lock" => "lock",
        _ if text.starts_with("control") => "control",
        _ if text.starts_with("cache") => "cache",
        _ if text.contains("_large_files") => "large",
        _ if name == "_last_checkpoint" => "last checkpoint",
        _ if name.ends_with(".checkpoint.parquet") => "checkpoint",
        _ if text.contains("_delta_log") => "commit",
        _ if name.contains("-metadata-") => "metadata",
        _ if name.contains("-content-") => "content",
        _ => "rows",
    }
}

fn walk(root: &Path, below: &Path, found: &mut Vec<PathBuf>) {
    let mut names: Vec<_> =
        fs::read_dir(root.join(below)).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    names.sort();
    for name in names {
        let path = below.join(name);
        if root.join(&path).is_dir() {
            walk(root, &path, found);
        } else {
            found.push(path);
        }
    }
}

/// The files of the specimen: paths that a reader who knows them would ask for.
const PATHS: [&str; 8] = [
    "/docs/a",
    "/docs/b",
    "/docs/deep/big",
    "/docs/link",
    "/docs/other-big",
    "/docs/small",
    "/sensors/s",
    "/sensors/t",
];

/// Reads every version of every file that has a name here, by its path.
pub(super) async fn read_all(pond: &Pond) -> Result<Read, Error> {
    let view = pond.read().await?;
    let mut read = Read::default();
    for path in PATHS {
        read_versions(&view.fs(), path, &mut read).await;
    }
    Ok(read)
}

/// Reads the versions of a file, each compared with its hash.
pub(super) async fn read_versions(fs: &Fs, path: &str, read: &mut Read) {
    let mut refuse = |number: u64, error: tinyfs::Error| {
        assert!(
            error.is_damage() || matches!(error, tinyfs::Error::NotFound { .. }),
            "{path}: {error:?}"
        );
        read.bad.push((path.to_owned(), number, format!("{error:?}")));
    };
    let found = match fs.resolve_link(path).await {
        Ok(found) => found,
        Err(error) => return refuse(0, error),
    };
    let versions = match fs.store().versions(found.node.id).await {
        Ok(versions) => versions,
        Err(error) => return refuse(0, error),
    };
    for version in versions {
        let number = version.number;
        let reader = Reader::new(std::sync::Arc::clone(fs.store()), found.node.id, version);
        let mut reader = VerifiedReader::new(reader);
        let mut bytes = Vec::new();
        match tokio::io::AsyncReadExt::read_to_end(&mut reader, &mut bytes).await {
            Ok(_) => drop(read.good.insert((path.to_owned(), number), bytes)),
            Err(error) => refuse(number, tinyfs::Error::from_io("reading", error)),
        }
    }
}

/// The history, as far as it can be told.
pub(super) async fn tell_history(pond: &Pond) -> usize {
    let Ok(view) = pond.read().await else { return 0 };
    let mut log = view.log();
    let mut told = 0;
    while let Some(Ok(_)) = log.next().await {
        told += 1;
    }
    told
}
