//! What a pond tells of its past.

use futures::TryStreamExt as _;
use steward::{AsOf, ChangeKind, Difference, DifferenceKind, Error, Transaction, TxnKind};
use testing::{START_US, TestPond, data};
use tinyfs::{EntryType, TimeUnit};

async fn furnished() -> TestPond {
    let pond = TestPond::new().await;
    pond.make_dir("/sensors").await;
    pond.write_file("/note", b"one").await;
    pond.write_file("/note", b"two").await;
    let spec = Some(data::spec(TimeUnit::Microsecond));
    pond.append(
        "/sensors/a.series",
        spec,
        data::sine(START_US, 1_000_000, 10, TimeUnit::Microsecond),
    )
    .await;
    pond.pond
        .write(TestPond::intent("pond mv"), async |txn| {
            txn.fs().rename("/sensors", "/instruments").await?;
            txn.fs().remove("/note").await?;
            Ok::<_, Error>(())
        })
        .await
        .unwrap();
    pond
}

#[tokio::test]
async fn the_log_is_told_newest_first_with_its_commands() {
    let pond = furnished().await;
    let log: Vec<Transaction> = pond.read().await.log().try_collect().await.unwrap();
    let numbers: Vec<_> = log.iter().map(|transaction| transaction.txn_seq).collect();
    assert_eq!(numbers, [5, 4, 3, 2, 1]);
    assert_eq!(log[4].command, "pond mkdir /sensors");
    assert_eq!((log[4].user.as_str(), log[4].host.as_str()), ("tester", "testhost"));
    assert_eq!(log[4].kind, TxnKind::User);
    assert_eq!(log[4].ended_us, START_US + 1_000_000);
    let earlier = pond.read().await.at(AsOf::Txn(2)).await.unwrap();
    let log: Vec<Transaction> = earlier.log().try_collect().await.unwrap();
    assert_eq!(log.len(), 2);
}

#[tokio::test]
async fn a_transaction_shows_what_it_touched() {
    let pond = furnished().await;
    let view = pond.read().await;
    let (transaction, changes) = view.show(3).await.unwrap();
    assert_eq!((transaction.links, transaction.versions), (0, 1));
    assert_eq!(changes.len(), 1);
    assert_eq!(changes[0].path.as_deref(), Some("/note"));
    assert!(matches!(changes[0].kind, ChangeKind::Version { number: 2, size_bytes: 3, .. }));
    let (_, changes) = view.show(5).await.unwrap();
    let told: Vec<_> = changes.iter().map(|c| (c.path.as_deref().unwrap(), &c.kind)).collect();
    let moved = ChangeKind::Moved { from: "/sensors".to_owned() };
    assert_eq!(told, [("/instruments", &moved), ("/note", &ChangeKind::Removed)]);
    assert!(matches!(view.show(6).await, Err(Error::NoSuchTransaction { newest: 5, .. })));
}

#[tokio::test]
async fn a_rehearsal_tells_the_same_and_changes_nothing() {
    let pond = furnished().await;
    let (_, changes) = pond
        .pond
        .rehearse(async |txn| {
            txn.fs().remove_all("/instruments").await?;
            txn.fs().write("/new", "x").await?;
            Ok::<_, Error>(())
        })
        .await
        .unwrap();
    let mut told: Vec<_> = changes
        .iter()
        .filter(|c| !matches!(c.kind, ChangeKind::Version { .. }))
        .map(|c| (c.path.clone().unwrap(), c.kind.clone()))
        .collect();
    told.sort_by(|a, b| a.0.cmp(&b.0));
    let removed = ChangeKind::Removed;
    let expected = [
        ("/instruments".to_owned(), removed.clone()),
        ("/instruments/a.series".to_owned(), removed),
        ("/new".to_owned(), ChangeKind::Created),
    ];
    assert_eq!(told, expected);
    let view = pond.read().await;
    assert_eq!(view.txn_seq(), 5);
    assert!(view.fs().exists("/instruments/a.series").await.unwrap());
}

#[tokio::test]
async fn differences_are_told_both_ways() {
    let pond = furnished().await;
    let now = pond.read().await;
    let then = now.at(AsOf::Txn(2)).await.unwrap();
    let told = |differences: Vec<Difference>| -> Vec<(String, DifferenceKind)> {
        differences.into_iter().map(|d| (d.path, d.kind)).collect()
    };
    let (directory, series, data) = (EntryType::Directory, EntryType::Series, EntryType::Data);
    assert_eq!(
        told(then.diff(&now, None).await.unwrap()),
        [
            (
                "/instruments".to_owned(),
                DifferenceKind::Moved { from: "/sensors".into(), entry_type: directory }
            ),
            ("/instruments/a.series".to_owned(), DifferenceKind::Added { entry_type: series }),
            ("/note".to_owned(), DifferenceKind::Removed { entry_type: data }),
        ]
    );
    assert_eq!(
        told(now.diff(&then, Some("/instruments")).await.unwrap()),
        [
            ("/instruments/a.series".to_owned(), DifferenceKind::Removed { entry_type: series }),
            (
                "/sensors".to_owned(),
                DifferenceKind::Moved { from: "/instruments".into(), entry_type: directory }
            ),
        ]
    );
    let third = now.at(AsOf::Txn(3)).await.unwrap();
    let versions = DifferenceKind::Versions { entry_type: data, from: Some(1), to: Some(2) };
    assert_eq!(told(then.diff(&third, None).await.unwrap()), [("/note".to_owned(), versions)]);
}

#[tokio::test]
async fn times_find_the_state_of_that_moment() {
    let pond = furnished().await;
    let view = pond.read().await;
    let at = |us| view.at(AsOf::Time(us));
    assert_eq!(at(START_US + 2_000_000).await.unwrap().txn_seq(), 2);
    assert_eq!(at(START_US + 2_999_999).await.unwrap().txn_seq(), 2);
    assert_eq!(at(START_US + 3_000_000).await.unwrap().txn_seq(), 3);
    assert_eq!(view.written_us().await.unwrap(), START_US + 4_000_000);
}

#[tokio::test]
async fn a_file_tells_its_versions_with_their_transactions() {
    let pond = furnished().await;
    let view = pond.read().await.at(AsOf::Txn(4)).await.unwrap();
    let history = view.history_of("/note").await.unwrap();
    let told: Vec<_> = history
        .versions
        .iter()
        .map(|v| (v.version.number, v.transaction.as_ref().unwrap().txn_seq))
        .collect();
    assert_eq!(told, [(2, 3), (1, 2)]);
    let all: Vec<_> = pond.read().await.all_versions().await.unwrap().try_collect().await.unwrap();
    let told: Vec<_> = all.iter().map(|v| (v.path.as_deref(), v.version.number)).collect();
    assert_eq!(told, [(None, 1), (None, 2), (Some("/instruments/a.series"), 1)]);
}
