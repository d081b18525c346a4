//! What is committed is read back, after reopening too.

use futures::TryStreamExt;
use oplog::{Error, Finished, Location, Log, LogOptions, MemoryContents, Outcome, VersionRow};
use tinyfs::{Attributes, ContentHash, EntryType};
use tokio::io::AsyncWriteExt;

use crate::pond::{Pond, identity, inline, link};

#[tokio::test]
async fn rows_read_back_as_written_after_reopen() {
    let mut pond = Pond::create().await;
    let file = pond.add_file("a", b"hello").await;
    pond.reopen().await;
    let snapshot = pond.log.snapshot();
    assert_eq!(snapshot.txn_seq(), 1);
    let found = snapshot.link(pond.root, "a").await.unwrap().unwrap();
    assert_eq!((found.txn_seq, found.row.child), (1, Some(file)));
    assert_eq!(snapshot.link(pond.root, "b").await.unwrap(), None);
    let versions = snapshot.versions(file).await.unwrap();
    assert_eq!(versions.iter().map(|row| row.row.version).collect::<Vec<_>>(), [0, 1]);
    let hash = versions[1].row.hash.unwrap();
    assert_eq!(&snapshot.content(file, 1, 1, hash).await.unwrap()[..], b"hello");
}

#[tokio::test]
async fn every_field_of_a_version_survives() {
    let mut pond = Pond::create().await;
    let node = pond.node();
    let mut contents = MemoryContents::default();
    let hash = contents.add(&b"x"[..]);
    let row = VersionRow {
        covers: Some(oplog::Covers { from_version: 2, from_txn: 1 }),
        entry_type: EntryType::Series,
        format: tinyfs::Format::Parquet,
        rows: Some(7),
        time_range: Some(tinyfs::TimeRange { min_us: -5, max_us: 9 }),
        time_column: Some("tíme".into()),
        attributes: Attributes::from([("a \"b\"".into(), "c\n".into())]),
        factory: Some("f".into()),
        ..inline(node, 3, hash, 1)
    };
    pond.commit(vec![], vec![row.clone()], contents).await;
    pond.reopen().await;
    let rows = pond.log.snapshot().versions(node).await.unwrap();
    assert_eq!(rows.into_iter().map(|stamped| stamped.row).collect::<Vec<_>>(), [row]);
}

#[tokio::test]
async fn removed_name_is_gone_now_and_there_before() {
    let mut pond = Pond::create().await;
    pond.add_file("a", b"1").await;
    pond.commit(vec![link(pond.root, "a", None)], vec![], MemoryContents::default()).await;
    assert_eq!(pond.names().await, Vec::<String>::new());
    let before = pond.log.snapshot().as_of(1).unwrap();
    assert!(before.link(pond.root, "a").await.unwrap().is_some());
    let history = pond.log.snapshot().link_history(pond.root).await.unwrap();
    assert_eq!(history.len(), 2);
}

#[tokio::test]
async fn snapshot_does_not_see_later_commits() {
    let mut pond = Pond::create().await;
    pond.add_file("a", b"1").await;
    let snapshot = pond.log.snapshot();
    pond.add_file("b", b"2").await;
    assert_eq!(snapshot.links(pond.root).await.unwrap().len(), 1);
    assert!(matches!(snapshot.as_of(2), Err(Error::NoSuchTransaction { txn_seq: 2, newest: 1 })));
}

#[tokio::test]
async fn time_travel_follows_the_running_maximum_of_end_times() {
    let mut pond = Pond::create().await;
    // Ends at 10, 30, 20, 40: the clock stepped back in the third.
    for (name, ended) in [("a", 10), ("b", 30), ("c", 20), ("d", 40)] {
        let mut transaction = pond.transaction();
        transaction.ended_us = ended;
        let changes = oplog::Changes {
            links: vec![link(pond.root, name, Some(pond.node()))],
            versions: vec![],
            contents: std::sync::Arc::new(MemoryContents::default()),
            transaction,
        };
        pond.log.commit(&changes).await.into_result().unwrap();
    }
    let snapshot = pond.log.snapshot();
    for (time, txn_seq) in [(5, 0), (10, 1), (20, 1), (29, 1), (30, 3), (39, 3), (40, 4), (99, 4)] {
        assert_eq!(snapshot.as_of_time(time).await.unwrap().txn_seq(), txn_seq, "at {time}");
    }
}

#[tokio::test]
async fn refresh_takes_in_what_another_wrote() {
    let mut pond = Pond::create().await;
    let mut other = Log::open(&pond.location(), LogOptions::default()).await.unwrap();
    assert!(!other.refresh().await.unwrap());
    pond.add_file("a", b"1").await;
    pond.add_file("b", b"2").await;
    assert!(other.refresh().await.unwrap());
    assert_eq!(other.head(), pond.log.head());
    assert_eq!(other.snapshot().links(pond.root).await.unwrap().len(), 2);
}

#[tokio::test]
async fn writer_that_did_not_refresh_is_refused() {
    let mut pond = Pond::create().await;
    let mut other = Log::open(&pond.location(), LogOptions::default()).await.unwrap();
    pond.add_file("a", b"1").await;
    let changes = oplog::Changes {
        links: vec![link(pond.root, "b", Some(pond.node()))],
        versions: vec![],
        contents: std::sync::Arc::new(MemoryContents::default()),
        transaction: pond.transaction(),
    };
    let outcome = other.commit(&changes).await;
    assert!(
        matches!(outcome, Outcome::NotCommitted(Error::Conflict { version: 1 })),
        "{outcome:?}"
    );
    pond.reopen().await;
    assert_eq!(pond.names().await, ["a"]);
}

#[tokio::test]
async fn content_of_every_size_near_the_threshold_reads_back() {
    let mut pond = Pond::create().await;
    for size in [0, 1, 65_535, 65_536, 65_537, 3_000_000] {
        let bytes: Vec<u8> = (0..size).map(|i: u32| i.to_le_bytes()[0] ^ 7).collect();
        let mut sink = pond.log.large_files().writer();
        sink.write_all(&bytes).await.unwrap();
        match sink.finish().await.unwrap() {
            Finished::Inline { hash, bytes: inlined } => {
                assert!(size < 65_536);
                assert_eq!(hash, ContentHash::of(&bytes));
                assert_eq!(inlined, bytes);
            }
            Finished::Large { hash, size_bytes, existed } => {
                assert!(!existed);
                assert!(size >= 65_536);
                assert_eq!((hash, size_bytes), (ContentHash::of(&bytes), u64::from(size)));
                let node = pond.node();
                let row = VersionRow { inline: false, ..inline(node, 1, hash, size_bytes) };
                pond.commit(vec![], vec![row], MemoryContents::default()).await;
                let read = pond.log.snapshot().read_large(hash, 10..size_bytes).await.unwrap();
                assert_eq!(&read[..], &bytes[10..]);
            }
        }
    }
    let leftovers = std::fs::read_dir(pond.data().join("_large_files"))
        .unwrap()
        .filter(|entry| entry.as_ref().unwrap().path().is_file())
        .count();
    assert_eq!(leftovers, 0);
}

#[tokio::test]
async fn version_of_a_large_file_that_is_not_there_is_refused() {
    let mut pond = Pond::create().await;
    let hash = ContentHash::of(b"nowhere");
    let row = VersionRow { inline: false, ..inline(pond.node(), 1, hash, 70_000) };
    let changes = oplog::Changes {
        links: vec![],
        versions: vec![row],
        contents: std::sync::Arc::new(MemoryContents::default()),
        transaction: pond.transaction(),
    };
    let outcome = pond.log.commit(&changes).await;
    assert!(matches!(outcome, Outcome::NotCommitted(Error::MissingLargeFile { .. })));
    assert_eq!(pond.log.head().txn_seq, 0);
}

#[tokio::test]
async fn transactions_form_a_chain() {
    let mut pond = Pond::create().await;
    for name in ["a", "b", "c"] {
        pond.add_file(name, name.as_bytes()).await;
    }
    pond.reopen().await;
    let rows: Vec<_> = pond.log.snapshot().transactions(1..=99).try_collect().await.unwrap();
    assert_eq!(rows.len(), 3);
    for pair in rows.windows(2) {
        assert_eq!(pair[1].row.previous_hash, pair[0].row.hash);
    }
    assert_eq!(pond.log.head().hash, rows[2].row.hash);
    assert_eq!(rows[0].row.command, "test 1");
}

#[tokio::test]
async fn places_without_a_pond_are_told_apart() {
    let dir = tempfile::tempdir().unwrap();
    let open = |path: std::path::PathBuf| async move {
        Log::open(&Location::Local(path), LogOptions::default()).await.unwrap_err()
    };
    assert!(matches!(open(dir.path().join("none")).await, Error::NotFound { .. }));
    std::fs::write(dir.path().join("file"), b"x").unwrap();
    assert!(matches!(open(dir.path().join("file")).await, Error::NotADirectory { .. }));
    std::fs::create_dir(dir.path().join("empty")).unwrap();
    assert!(matches!(open(dir.path().join("empty")).await, Error::NotAPond { .. }));
    assert!(!dir.path().join("none").exists());
}

#[tokio::test]
async fn create_refuses_an_existing_log() {
    let pond = Pond::create().await;
    let again =
        Log::create(&pond.location(), &identity(pond.root.uuid()), LogOptions::default()).await;
    assert!(matches!(again, Err(Error::AlreadyExists { .. })));
}

#[tokio::test]
async fn newer_format_is_refused() {
    let pond = Pond::create().await;
    let commit = pond.data().join("_delta_log/00000000000000000000.json");
    let text = std::fs::read_to_string(&commit).unwrap();
    // It is told before damage: a later program may sign in another way.
    let later = text.replace("\"pond.format\":\"1\"", "\"pond.format\":\"2\"");
    assert_ne!(later, text);
    std::fs::write(&commit, later).unwrap();
    let error = Log::open(&pond.location(), LogOptions::default()).await.unwrap_err();
    assert!(matches!(error, Error::NewerFormat { found: 2, supported: 1 }), "{error:?}");
}
