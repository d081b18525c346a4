//! What is noticed, refused and recovered.

use std::fs;
use std::future::{Future, poll_fn};
use std::path::{Path, PathBuf};
use std::pin::pin;
use std::task::Poll;

use steward::{Environment, Error, Notice, Pond, RecoverOptions, TailFound};
use testing::{START_US, TestPond};

fn newest_commit(pond: &Path) -> PathBuf {
    let mut commits: Vec<_> = fs::read_dir(pond.join("data/_delta_log"))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "json"))
        .collect();
    commits.sort();
    commits.pop().unwrap()
}

#[tokio::test]
async fn a_lost_tail_is_noticed_and_waits_for_the_operator() {
    let mut pond = TestPond::new().await;
    pond.write_file("/a", b"1").await;
    pond.write_file("/a", b"2").await;
    fs::remove_file(newest_commit(&pond.path())).unwrap();
    pond.reopen().await;
    let lost = Notice::LostTail { expected: 2, found: TailFound::Earlier(1) };
    assert_eq!(pond.pond.notices(), [lost]);
    // What is there can be read, and nothing is written over the gap.
    assert_eq!(pond.read().await.fs().read_to_end("/a", 10).await.unwrap(), b"1");
    let refused = pond
        .pond
        .write(TestPond::intent("x"), async |txn| {
            txn.fs().write("/b", "x").await.map_err(Error::from)
        })
        .await;
    assert!(matches!(refused, Err(Error::LostTail { expected: 2, .. })), "{refused:?}");

    let path = pond.path();
    let recover = |accept_loss| {
        Pond::recover(&path, RecoverOptions { accept_loss }, pond.environment.clone())
    };
    let report = recover(false).await.unwrap();
    assert!(report.needs_consent);
    let report = recover(true).await.unwrap();
    assert!(!report.needs_consent);
    pond.reopen().await;
    assert!(pond.pond.notices().is_empty());
    assert_eq!(pond.write_file("/b", b"x").await, 2);
}

#[tokio::test]
async fn a_torn_commit_is_named_and_moved_aside_only_on_request() {
    let pond = TestPond::new().await;
    pond.write_file("/a", b"1").await;
    pond.write_file("/a", b"2").await;
    let torn = newest_commit(&pond.path());
    fs::write(&torn, "").unwrap();
    let opened = Pond::open(&pond.path(), pond.environment.clone()).await;
    assert!(matches!(opened, Err(Error::Log { .. })), "{opened:?}");
    let path = pond.path();
    let recover = |accept_loss| {
        Pond::recover(&path, RecoverOptions { accept_loss }, pond.environment.clone())
    };
    let report = recover(false).await.unwrap();
    assert!(report.needs_consent && report.damaged_commit.is_some());
    assert!(torn.exists());
    let report = recover(true).await.unwrap();
    assert_eq!(report.newest, Some(1));
    assert!(report.moved_to.unwrap().exists());
    let again = pond.open_again().await;
    assert_eq!(again.read().await.unwrap().fs().read_to_end("/a", 10).await.unwrap(), b"1");
}

#[tokio::test]
async fn control_can_be_deleted() {
    let mut pond = TestPond::new().await;
    pond.write_file("/a", b"1").await;
    fs::remove_dir_all(pond.path().join("control")).unwrap();
    pond.reopen().await;
    assert!(pond.pond.notices().is_empty());
    assert_eq!(pond.write_file("/a", b"2").await, 2);
}

#[tokio::test]
async fn interrupted_work_is_told_of_once() {
    let mut pond = TestPond::new().await;
    pond.write_file("/a", b"1").await;
    let under_way = pond.path().join("control/under-way.json");
    let work = r#"{"txn_id":"00000000-0000-7000-8000-000000000001","command":"pond copy x /x",
        "user":"u","pid":1,"started_us":5}"#;
    fs::write(&under_way, work).unwrap();
    pond.reopen().await;
    assert!(matches!(pond.pond.notices(), [Notice::Interrupted(work)] if work.pid == 1));
    pond.write_file("/a", b"2").await;
    pond.reopen().await;
    assert!(pond.pond.notices().is_empty());
    let interrupted = pond.pond.status().await.unwrap().interrupted;
    assert_eq!(interrupted.len(), 1);
}

#[tokio::test]
async fn a_flipped_bit_is_found_and_named_and_the_rest_is_readable() {
    let mut pond = TestPond::new().await;
    pond.write_file("/whole", &vec![7; 100_000]).await;
    pond.write_file("/broken", &vec![8; 100_000]).await;
    assert_eq!(pond.pond.fsck().await.unwrap().findings, []);
    let hash = pond.read().await.fs().versions("/broken").await.unwrap()[0].hash.to_string();
    let file = pond.path().join(format!("data/_large_files/{}/blake3={hash}", &hash[..2]));
    let mut bytes = fs::read(&file).unwrap();
    bytes[50_000] ^= 1;
    fs::remove_file(&file).unwrap();
    fs::write(&file, bytes).unwrap();
    pond.reopen().await;
    let findings = pond.pond.fsck().await.unwrap().findings;
    assert_eq!(findings.len(), 1, "{findings:?}");
    assert_eq!((findings[0].path.as_deref(), findings[0].version), (Some("/broken"), Some(1)));
    assert!(findings[0].to_string().starts_with("version 1 of `/broken`"), "{}", findings[0]);
    let fs = pond.read().await.fs();
    fs.verify("/whole", None).await.unwrap();
    fs.verify("/broken", None).await.unwrap_err();
}

#[tokio::test]
async fn a_pond_that_can_not_be_written_can_be_read() {
    use std::os::unix::fs::PermissionsExt as _;
    let pond = TestPond::new().await;
    pond.write_file("/a", b"1").await;
    // Root may write everywhere, so the lock is made what nobody can open for writing.
    fs::remove_file(pond.path().join("lock")).unwrap();
    fs::create_dir(pond.path().join("lock")).unwrap();
    fs::set_permissions(pond.path(), fs::Permissions::from_mode(0o555)).unwrap();
    let (environment, _) = Environment::manual(START_US);
    let reader = Pond::open(&pond.path(), environment).await.unwrap();
    assert_eq!(reader.read().await.unwrap().fs().read_to_end("/a", 10).await.unwrap(), b"1");
    let refused =
        reader.write(TestPond::intent("x"), async |_| Ok::<_, Error>(())).await.unwrap_err();
    assert!(matches!(refused, Error::ReadOnly { .. } | Error::Io { .. }), "{refused:?}");
    fs::set_permissions(pond.path(), fs::Permissions::from_mode(0o755)).unwrap();
}

#[tokio::test]
async fn a_pond_that_lost_every_transaction_is_used_on() {
    let mut pond = TestPond::new().await;
    pond.write_file("/a", b"1").await;
    fs::remove_file(newest_commit(&pond.path())).unwrap();
    let options = RecoverOptions { accept_loss: true };
    let report = Pond::recover(&pond.path(), options, pond.environment.clone()).await.unwrap();
    assert_eq!(report.newest, Some(0));
    pond.reopen().await;
    assert!(pond.pond.notices().is_empty());
    assert_eq!(pond.write_file("/a", b"2").await, 1);
}

#[tokio::test]
async fn what_was_moved_aside_before_is_not_overwritten() {
    let mut pond = TestPond::new().await;
    let options = RecoverOptions { accept_loss: true };
    let mut moved = Vec::new();
    for damage in ["one", "two"] {
        pond.write_file("/a", b"1").await;
        fs::write(newest_commit(&pond.path()), damage).unwrap();
        let report = Pond::recover(&pond.path(), options, pond.environment.clone()).await.unwrap();
        moved.push(report.moved_to.unwrap());
        pond.reopen().await;
    }
    assert_eq!(fs::read(&moved[0]).unwrap(), b"one");
    assert_eq!(fs::read(&moved[1]).unwrap(), b"two");
}

/// What a future comes to when it is dropped after so many polls.
async fn polled<F: Future>(future: F, mut polls: usize) -> Option<F::Output> {
    let mut future = pin!(future);
    poll_fn(|context| {
        polls -= 1;
        match future.as_mut().poll(context) {
            Poll::Ready(output) => Poll::Ready(Some(output)),
            Poll::Pending if polls == 0 => Poll::Ready(None),
            Poll::Pending => Poll::Pending,
        }
    })
    .await
}

#[tokio::test]
async fn a_write_that_is_dropped_leaves_a_whole_pond() {
    let pond = TestPond::new().await;
    for polls in 1_u32.. {
        let mut bytes = vec![0; 70_000];
        bytes[..4].copy_from_slice(&polls.to_le_bytes());
        let write = pond.pond.write(TestPond::intent("x"), async |txn| {
            txn.fs().write("/a", bytes).await.map_err(Error::from)
        });
        // What an earlier write still had on its way may come before it.
        match polled(write, polls as usize).await {
            Some(Ok(_)) => break,
            None | Some(Err(Error::NotCommitted { .. })) => {}
            Some(Err(error)) => panic!("{error}"),
        }
        assert!(polls < 1_000);
    }
    assert_eq!(pond.pond.fsck().await.unwrap().findings, []);
}
