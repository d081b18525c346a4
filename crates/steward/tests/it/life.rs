//! Making, opening, writing and reading a pond.

use steward::{AsOf, Commit, Environment, Error, Pond};
use testing::{START_US, TestPond, data};
use tinyfs::TimeUnit;

#[tokio::test]
async fn what_was_written_is_read_back_after_a_reopen() {
    let mut pond = TestPond::new().await;
    assert_eq!(pond.read().await.txn_seq(), 0);
    assert_eq!(pond.make_dir("/sensors").await, 1);
    assert_eq!(pond.write_file("/sensors/note", b"hello").await, 2);
    let spec = Some(data::spec(TimeUnit::Microsecond));
    let rows = data::sine(START_US, 60_000_000, 1_440, TimeUnit::Microsecond);
    pond.append("/sensors/a.series", spec, rows).await;
    pond.reopen().await;
    assert!(pond.pond.notices().is_empty());
    let view = pond.read().await;
    assert_eq!(view.txn_seq(), 3);
    assert_eq!(view.fs().read_to_end("/sensors/note", 100).await.unwrap(), b"hello");
    let earlier = view.at(AsOf::Txn(1)).await.unwrap();
    assert!(earlier.fs().list("/sensors").await.unwrap().is_empty());
}

#[tokio::test]
async fn an_empty_transaction_commits_nothing() {
    let pond = TestPond::new().await;
    let written = pond
        .pond
        .write(TestPond::intent("pond mkdir -p /"), async |txn| {
            txn.fs().create_dir_all("/").await.map_err(Error::from)
        })
        .await
        .unwrap();
    assert_eq!(written.commit, Commit::Nothing);
    assert_eq!(pond.read().await.txn_seq(), 0);
}

#[tokio::test]
async fn work_that_fails_changes_nothing() {
    let pond = TestPond::new().await;
    pond.write_file("/a", b"1").await;
    let failed = pond
        .pond
        .write(TestPond::intent("pond copy"), async |txn| {
            txn.fs().write("/b", "2").await?;
            txn.fs().remove("/missing").await?;
            Ok::<_, Error>(())
        })
        .await;
    assert!(matches!(failed, Err(Error::FileSystem(tinyfs::Error::NotFound { .. }))));
    let view = pond.read().await;
    assert_eq!(view.txn_seq(), 1);
    assert!(!view.fs().exists("/b").await.unwrap());
}

#[tokio::test]
async fn init_refuses_what_is_there() {
    let pond = TestPond::new().await;
    let (environment, _) = Environment::manual(START_US);
    let again = Pond::init(&pond.path(), "x", environment.clone()).await;
    assert!(matches!(again, Err(Error::AlreadyAPond { .. })), "{again:?}");
    let again = Pond::init(pond.beside(), "x", environment.clone()).await;
    assert!(
        matches!(again, Err(Error::NotEmpty { ref found, .. }) if found == "pond"),
        "{again:?}"
    );
    let file = pond.beside().join("file");
    std::fs::write(&file, "x").unwrap();
    let again = Pond::init(&file, "x", environment).await;
    assert!(matches!(again, Err(Error::NotADirectory { .. })), "{again:?}");
}

#[tokio::test]
async fn open_creates_nothing_and_says_what_is_there() {
    let directory = tempfile::tempdir().unwrap();
    let (environment, _) = Environment::manual(START_US);
    let missing = directory.path().join("missing");
    let opened = Pond::open(&missing, environment.clone()).await;
    assert!(matches!(opened, Err(Error::NoSuchDirectory { .. })), "{opened:?}");
    assert!(!missing.exists());
    let file = directory.path().join("file");
    std::fs::write(&file, "x").unwrap();
    let opened = Pond::open(&file, environment.clone()).await;
    assert!(matches!(opened, Err(Error::NotADirectory { .. })), "{opened:?}");
    let empty = directory.path().join("empty");
    std::fs::create_dir(&empty).unwrap();
    let opened = Pond::open(&empty, environment.clone()).await;
    assert!(matches!(opened, Err(Error::NotAPond { .. })), "{opened:?}");
    assert_eq!(std::fs::read_dir(&empty).unwrap().count(), 0);
    std::fs::create_dir(empty.join("data")).unwrap();
    let opened = Pond::open(&empty, environment).await;
    assert!(matches!(opened, Err(Error::NotAPond { .. })), "{opened:?}");
}

#[tokio::test]
async fn an_init_that_was_cut_short_is_taken_up_again() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("pond");
    std::fs::create_dir_all(path.join(".data.unfinished/_delta_log")).unwrap();
    std::fs::write(path.join("lock"), "").unwrap();
    let (environment, _) = Environment::manual(START_US);
    let opened = Pond::open(&path, environment.clone()).await.unwrap_err();
    assert!(opened.to_string().contains("pond init"), "{opened}");
    Pond::init(&path, "x", environment).await.unwrap();
    assert!(!path.join(".data.unfinished").exists());
}
