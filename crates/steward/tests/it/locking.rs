//! One writer at a time, readers at any time.

use std::time::Duration;

use steward::{Commit, Error};
use testing::TestPond;

#[tokio::test]
async fn a_second_writer_gives_up_with_the_holders_name() {
    let pond = TestPond::new().await;
    let other = pond.open_again().await.with_lock_timeout(Duration::from_millis(50));
    pond.pond
        .write(TestPond::intent("pond copy huge.csv /x"), async |txn| {
            let refused = other
                .write(TestPond::intent("pond mkdir /y"), async |_| Ok::<_, Error>(()))
                .await
                .unwrap_err();
            let said = refused.to_string();
            assert!(matches!(refused, Error::Locked { .. }), "{said}");
            assert!(said.contains("pond copy huge.csv /x"), "{said}");
            assert!(said.contains(&std::process::id().to_string()), "{said}");
            // Readers wait for nobody.
            assert_eq!(other.read().await.unwrap().txn_seq(), 0);
            txn.fs().create_dir("/x").await.map_err(Error::from)
        })
        .await
        .unwrap();
    let (_, notices) = (other.read().await.unwrap(), other.notices());
    assert!(notices.is_empty());
}

#[tokio::test]
async fn two_writers_succeed_one_after_the_other() {
    let pond = TestPond::new().await;
    let other = pond.open_again().await;
    let one = pond.pond.write(TestPond::intent("one"), async |txn| {
        tokio::time::sleep(Duration::from_millis(30)).await;
        txn.fs().write("/count", "1").await.map_err(Error::from)
    });
    let two = other.write(TestPond::intent("two"), async |txn| {
        txn.fs().write("/count", "2").await.map_err(Error::from)
    });
    let (one, two) = tokio::join!(one, two);
    let mut commits = [one.unwrap().commit, two.unwrap().commit];
    commits.sort_by_key(|commit| match commit {
        Commit::Committed { txn_seq } => *txn_seq,
        Commit::Nothing => 0,
    });
    assert_eq!(commits, [1, 2].map(|txn_seq| Commit::Committed { txn_seq }));
    assert_eq!(pond.read().await.fs().versions("/count").await.unwrap().len(), 2);
}

#[tokio::test]
async fn a_reader_sees_the_state_it_began_with() {
    let pond = TestPond::new().await;
    pond.write_file("/a", b"1").await;
    let before = pond.read().await;
    pond.write_file("/a", b"2").await;
    assert_eq!(before.fs().read_to_end("/a", 10).await.unwrap(), b"1");
    assert_eq!(pond.read().await.fs().read_to_end("/a", 10).await.unwrap(), b"2");
}

#[tokio::test]
async fn a_pond_can_be_read_while_the_same_handle_writes() {
    let pond = TestPond::new().await;
    pond.write_file("/a", b"1").await;
    let write = pond.pond.write(TestPond::intent("x"), async |txn| {
        txn.fs().write("/a", "2").await?;
        let before = pond.read().await;
        assert_eq!(before.fs().read_to_end("/a", 10).await?, b"1");
        Ok::<_, Error>(())
    });
    tokio::time::timeout(Duration::from_secs(20), write).await.unwrap().unwrap();
    assert_eq!(pond.read().await.fs().read_to_end("/a", 10).await.unwrap(), b"2");
}
