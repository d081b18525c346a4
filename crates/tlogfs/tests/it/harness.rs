//! A log in a temporary directory, and transactions over it.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use oplog::{FORMAT_VERSION, Identity, Location, Log, LogOptions, TransactionMeta, TxnKind};
use tempfile::TempDir;
use tinyfs::{Fs, IdSource, SequentialIds, Store, WriteStore};
use tlogfs::{Transaction, View};

pub(crate) struct TestLog {
    pub(crate) log: Log,
    ids: Arc<SequentialIds>,
    clock_us: AtomicI64,
    directory: TempDir,
}

impl TestLog {
    pub(crate) async fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let ids = Arc::new(SequentialIds::default());
        let identity = Identity {
            pond_id: ids.next_id(),
            birthplace: "test".to_owned(),
            created_us: 0,
            format_version: FORMAT_VERSION,
        };
        let location = Location::Local(directory.path().join("data"));
        let log = Log::create(&location, &identity, LogOptions::default()).await.unwrap();
        Self { log, ids, clock_us: AtomicI64::new(0), directory }
    }

    pub(crate) fn path(&self) -> &Path {
        self.directory.path()
    }

    pub(crate) fn begin(&self) -> Arc<Transaction> {
        let base = Arc::new(View::new(self.log.snapshot()));
        let ids: Arc<SequentialIds> = Arc::clone(&self.ids);
        Arc::new(Transaction::begin(base, self.log.large_files(), ids, self.directory.path()))
    }

    pub(crate) fn meta(&self, kind: TxnKind) -> TransactionMeta {
        let now_us = self.clock_us.fetch_add(1_000_000, Ordering::Relaxed);
        TransactionMeta {
            txn_id: self.ids.next_id(),
            kind,
            command: "test".to_owned(),
            user: "tester".to_owned(),
            host: "testhost".to_owned(),
            started_us: now_us,
            ended_us: now_us + 1,
        }
    }

    pub(crate) async fn commit_as(&mut self, transaction: &Transaction, kind: TxnKind) -> u64 {
        let changes = transaction.into_changes(self.meta(kind)).await.unwrap();
        let committed = self.log.commit(&changes).await.into_result().unwrap();
        transaction.keep();
        committed.txn_seq
    }

    pub(crate) async fn commit(&mut self, transaction: &Transaction) -> u64 {
        self.commit_as(transaction, TxnKind::User).await
    }

    pub(crate) async fn reopen(&mut self) {
        let location = Location::Local(self.directory.path().join("data"));
        self.log = Log::open(&location, LogOptions::default()).await.unwrap();
    }

    pub(crate) fn view(&self) -> Arc<dyn Store> {
        Arc::new(View::new(self.log.snapshot()))
    }

    pub(crate) fn fs(&self) -> Fs {
        Fs::new(self.view())
    }
}

pub(crate) fn fs_of(transaction: &Arc<Transaction>) -> Fs<dyn WriteStore> {
    let store: Arc<Transaction> = Arc::clone(transaction);
    Fs::new(store)
}

/// The files below a directory, but for the log's own.
pub(crate) fn large_files(root: &Path) -> usize {
    let directory = root.join("data/_large_files");
    let Ok(entries) = std::fs::read_dir(&directory) else { return 0 };
    entries
        .map(|entry| entry.unwrap().path())
        .map(|path| if path.is_dir() { std::fs::read_dir(path).unwrap().count() } else { 1 })
        .sum()
}
