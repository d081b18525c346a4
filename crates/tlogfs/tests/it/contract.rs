//! Transactions and views keep the contract of every store.

use std::sync::Arc;

use tinyfs::WriteStore;
use tinyfs::contract::{self, Picture};

use crate::harness::{TestLog, fs_of, large_files};

#[tokio::test]
async fn a_transaction_keeps_the_contract() {
    contract::all(async || {
        // The transaction holds all it needs of the log but its directory,
        // which is left to the system's temporary ones.
        let log = Box::leak(Box::new(TestLog::new().await));
        let store: Arc<dyn WriteStore> = log.begin();
        store
    })
    .await;
}

#[tokio::test]
async fn a_transaction_over_transactions_shows_what_they_wrote() {
    let mut log = TestLog::new().await;
    let transaction = log.begin();
    let store: Arc<dyn WriteStore> = transaction.clone();
    contract::furnish(&store).await;
    let before = Picture::of(&store).await.unwrap();
    log.commit(&transaction).await;

    let view = log.view();
    contract::consistent(Arc::clone(&view)).await;
    assert_eq!(Picture::of(&view).await.unwrap(), before);

    log.reopen().await;
    let view = log.view();
    assert_eq!(Picture::of(&view).await.unwrap(), before);
    let next: Arc<dyn WriteStore> = log.begin();
    assert_eq!(Picture::of(&next).await.unwrap(), before);
}

#[tokio::test]
async fn a_dropped_transaction_leaves_nothing() {
    let mut log = TestLog::new().await;
    let kept = vec![1; 100_000];
    let transaction = log.begin();
    fs_of(&transaction).write("/kept", &kept).await.unwrap();
    log.commit(&transaction).await;
    drop(transaction);

    let transaction = log.begin();
    let fs = fs_of(&transaction);
    fs.write("/large", vec![2; 100_000]).await.unwrap();
    fs.write("/small", "small").await.unwrap();
    // The same bytes as a file of the past: they must survive.
    fs.write("/again", &kept).await.unwrap();
    assert_eq!(large_files(log.path()), 2);
    drop((fs, transaction));

    assert_eq!(large_files(log.path()), 1);
    log.reopen().await;
    assert_eq!(log.fs().read_to_end("/kept", 1 << 20).await.unwrap(), kept);
    assert!(!log.fs().exists("/large").await.unwrap());
}

#[tokio::test]
async fn names_that_come_and_go_leave_no_rows() {
    let log = TestLog::new().await;
    let transaction = log.begin();
    let fs = fs_of(&transaction);
    fs.create_dir("/a").await.unwrap();
    fs.write("/a/b", "x").await.unwrap();
    fs.rename("/a/b", "/c").await.unwrap();
    fs.remove("/c").await.unwrap();
    fs.remove("/a").await.unwrap();
    let changes = transaction.into_changes(log.meta(oplog::TxnKind::User)).await.unwrap();
    assert_eq!((changes.links.len(), changes.versions.len()), (0, 0));
}

#[tokio::test]
async fn an_ended_transaction_takes_no_changes() {
    let mut log = TestLog::new().await;
    let transaction = log.begin();
    let fs = fs_of(&transaction);
    fs.write("/a", "x").await.unwrap();
    log.commit(&transaction).await;
    let error = fs.write("/b", "x").await.unwrap_err();
    assert!(matches!(error, tinyfs::Error::Io { .. }), "{error:?}");
    assert!(transaction.into_changes(log.meta(oplog::TxnKind::User)).await.is_err());
}

#[tokio::test]
async fn earlier_states_stay_as_they_were() {
    let mut log = TestLog::new().await;
    let mut pictures = Vec::new();
    for step in 0..5 {
        let transaction = log.begin();
        let fs = fs_of(&transaction);
        fs.write("/a", format!("{step}")).await.unwrap();
        if step > 0 {
            fs.remove_all(&format!("/d{}", step - 1)).await.unwrap();
        }
        fs.create_dir(&format!("/d{step}")).await.unwrap();
        fs.write(&format!("/d{step}/x"), "x").await.unwrap();
        let txn_seq = log.commit(&transaction).await;
        pictures.push((txn_seq, Picture::of(&log.view()).await.unwrap()));
    }
    log.reopen().await;
    for (txn_seq, picture) in pictures {
        let view = Arc::new(tlogfs::View::new(log.log.snapshot().as_of(txn_seq).unwrap()));
        assert_eq!(Picture::of(&view).await.unwrap(), picture, "as of {txn_seq}");
    }
}
