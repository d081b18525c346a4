//! Random histories against a plain map of paths, across commits, abandoned
//! transactions, reopening, compaction and prunes.

use std::collections::BTreeMap;
use std::sync::Arc;

use oplog::maintenance::Policy;
use proptest::prelude::*;
use tlogfs::View;

use crate::harness::{TestLog, fs_of};

#[derive(Clone, Debug)]
enum Step {
    Write(u8, u32),
    Remove(u8),
    Rename(u8, u8),
    Commit,
    Abandon,
    Reopen,
    Compact,
    Prune(u8),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let file = 0..6_u8;
    let size = prop_oneof![0..40_u32, 65_530..65_540_u32];
    let step = prop_oneof![
        6 => (file.clone(), size).prop_map(|(file, size)| Step::Write(file, size)),
        2 => file.clone().prop_map(Step::Remove),
        2 => (file.clone(), file).prop_map(|(from, to)| Step::Rename(from, to)),
        3 => Just(Step::Commit),
        1 => Just(Step::Abandon),
        1 => Just(Step::Reopen),
        1 => Just(Step::Compact),
        1 => (0..8_u8).prop_map(Step::Prune),
    ];
    prop::collection::vec(step, 1..25)
}

/// Path to the sizes and fills of all its versions.
type Model = BTreeMap<String, Vec<(u32, u8)>>;

fn path(file: u8) -> String {
    format!("/d{}/f{file}", file % 2)
}

/// Compares a state with the model. A prune may have dropped versions that were
/// no longer the newest.
async fn check(fs: &tinyfs::Fs, model: &Model, pruned: bool) {
    let mut found = Vec::new();
    for dir in fs.list("/").await.unwrap() {
        found.extend(fs.list(&dir.path).await.unwrap().into_iter().map(|file| file.path));
    }
    assert_eq!(found, model.keys().cloned().collect::<Vec<_>>());
    for (path, versions) in model {
        let numbers: Vec<_> =
            fs.versions(path).await.unwrap().iter().map(|version| version.number).collect();
        let first = if pruned { numbers[0] } else { 1 };
        assert_eq!(numbers, (first..=versions.len() as u64).collect::<Vec<_>>());
        for (number, (size, fill)) in (1..).zip(versions).filter(|(number, _)| *number >= first) {
            let mut bytes = Vec::new();
            let mut reader = fs.open_version(path, Some(number)).await.unwrap();
            tokio::io::AsyncReadExt::read_to_end(&mut reader, &mut bytes).await.unwrap();
            assert!(bytes == vec![*fill; *size as usize], "version {number} of {path}");
        }
    }
}

async fn run(steps: Vec<Step>) {
    let mut log = TestLog::new().await;
    let first = log.begin();
    fs_of(&first).create_dir("/d0").await.unwrap();
    fs_of(&first).create_dir("/d1").await.unwrap();
    log.commit(&first).await;
    let mut committed: Model = BTreeMap::new();
    let mut history = vec![(log.log.snapshot().txn_seq(), committed.clone())];
    let mut model = committed.clone();
    let mut transaction = log.begin();
    let mut fill = 0_u8;
    let mut pruned = false;
    for step in steps {
        let fs = fs_of(&transaction);
        match step {
            Step::Write(file, size) => {
                fill = fill.wrapping_add(1);
                fs.write(&path(file), vec![fill; size as usize]).await.unwrap();
                model.entry(path(file)).or_default().push((size, fill));
            }
            Step::Remove(file) => {
                let removed = fs.remove(&path(file)).await;
                assert_eq!(removed.is_ok(), model.remove(&path(file)).is_some());
            }
            Step::Rename(from, to) => {
                let renamed = fs.rename(&path(from), &path(to)).await;
                let may = model.contains_key(&path(from)) && !model.contains_key(&path(to));
                assert_eq!(renamed.is_ok(), may, "{renamed:?}");
                if may {
                    let versions = model.remove(&path(from)).unwrap();
                    model.insert(path(to), versions);
                }
            }
            Step::Commit => {
                let changed = transaction.into_changes(log.meta(oplog::TxnKind::User)).await;
                let changed = changed.unwrap();
                if !changed.links.is_empty() || !changed.versions.is_empty() {
                    log.log.commit(&changed).await.into_result().unwrap();
                    transaction.keep();
                }
                committed = model.clone();
                history.push((log.log.snapshot().txn_seq(), committed.clone()));
                transaction = log.begin();
            }
            Step::Abandon | Step::Reopen | Step::Compact | Step::Prune(_) => {
                match step {
                    Step::Reopen => log.reopen().await,
                    Step::Compact => upkeep(&mut log).await,
                    Step::Prune(back) => pruned |= prune(&mut log, back, &mut history).await,
                    _ => {}
                }
                model = committed.clone();
                transaction = log.begin();
            }
        }
        check(&fs_of(&transaction).read_only(), &model, pruned).await;
    }
    drop(transaction);
    log.reopen().await;
    check(&log.fs(), &committed, pruned).await;
    for (txn_seq, model) in history {
        let view = Arc::new(View::new(log.log.snapshot().as_of(txn_seq).unwrap()));
        check(&tinyfs::Fs::new(view).read_only(), &model, pruned).await;
    }
}

/// Merges every file that can be, and drops what nothing names.
async fn upkeep(log: &mut TestLog) {
    let policy = Policy {
        small_files: 2,
        fan_in: 2,
        checkpoint_every: 3,
        retention_us: 0,
        large_files: true,
        ..Policy::default()
    };
    let now_us = i64::MAX / 4;
    let plan = log.log.plan_maintenance(&policy, now_us).await.unwrap();
    let monitor = diagnostics::silent();
    log.log.perform_maintenance(&plan, &policy, now_us, &monitor).await.unwrap();
}

/// Forgets what is older than `back` transactions ago.
async fn prune(log: &mut TestLog, back: u8, history: &mut Vec<(u64, Model)>) -> bool {
    let newest = log.log.head().txn_seq;
    // There is nothing to forget, or it is forgotten already.
    let Ok(plan) = log.log.plan_prune(newest.saturating_sub(u64::from(back))) else {
        return false;
    };
    log.log.prune(&plan, 0).await.unwrap();
    history.retain(|(txn_seq, _)| *txn_seq >= plan.oldest);
    upkeep(log).await;
    true
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    #[test]
    fn random_histories_match_a_plain_map(steps in steps()) {
        tokio::runtime::Runtime::new().unwrap().block_on(run(steps));
    }
}
