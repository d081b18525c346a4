//! Where a case is played: the same pond, clock and ids every time.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use steward::{Environment, ManualClock, Medium};
use tempfile::TempDir;
use testing::fault::{FaultMedium, Tree};
use tinyfs::IdSource;
use uuid::Uuid;

/// What a case begins with.
#[derive(Clone, Debug)]
pub(super) struct Stage {
    pub(super) tree: Tree,
    pub(super) now_us: i64,
    pub(super) next_id: u64,
}

/// A stage that was put up.
#[derive(Debug)]
pub(super) struct Place {
    directory: TempDir,
    pub(super) medium: Arc<FaultMedium>,
    pub(super) clock: Arc<ManualClock>,
    ids: Arc<CountingIds>,
}

/// Ids that count from a number on, shaped like UUIDv7.
#[derive(Debug)]
struct CountingIds(AtomicU64);

impl IdSource for CountingIds {
    fn next_id(&self) -> Uuid {
        let mut low = [0; 10];
        low[2..].copy_from_slice(&self.0.fetch_add(1, Ordering::Relaxed).to_be_bytes());
        uuid::Builder::from_unix_timestamp_millis(0, &low).into_uuid()
    }
}

impl Stage {
    /// Nothing at all.
    pub(super) fn empty() -> Self {
        Self { tree: Tree::default(), now_us: testing::START_US, next_id: 1 }
    }

    /// Puts it up in a directory of its own.
    pub(super) fn put_up(&self) -> Place {
        // Nothing is synced, so a disk of memory does, and none is faster.
        let memory = Path::new("/dev/shm");
        let directory = if memory.is_dir() {
            tempfile::tempdir_in(memory).unwrap()
        } else {
            tempfile::tempdir().unwrap()
        };
        self.tree.write(directory.path());
        Place {
            medium: FaultMedium::over(directory.path()),
            clock: Arc::new(ManualClock::new(self.now_us)),
            ids: Arc::new(CountingIds(AtomicU64::new(self.next_id))),
            directory,
        }
    }

    /// The same time with another pond, and ids that none has used there.
    pub(super) fn with(&self, tree: Tree) -> Self {
        Self { tree, now_us: self.now_us, next_id: self.next_id + 1_000_000 }
    }
}

impl Place {
    pub(super) fn root(&self) -> &Path {
        self.directory.path()
    }

    pub(super) fn pond(&self) -> PathBuf {
        self.directory.path().join("pond")
    }

    pub(super) fn environment(&self) -> Environment {
        Environment {
            clock: Arc::<ManualClock>::clone(&self.clock),
            ids: Arc::<CountingIds>::clone(&self.ids),
            monitor: diagnostics::silent(),
            medium: Arc::<FaultMedium>::clone(&self.medium) as Arc<dyn Medium>,
        }
    }

    /// What lies there, to begin another case with.
    pub(super) fn strike(&self) -> Stage {
        use steward::Clock as _;
        Stage {
            tree: Tree::read(self.root()),
            now_us: self.clock.now_us(),
            next_id: self.ids.0.load(Ordering::Relaxed),
        }
    }
}
