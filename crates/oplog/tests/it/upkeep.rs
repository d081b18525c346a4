//! Upkeep changes files, never what a snapshot shows.

use std::collections::BTreeMap;

use futures::TryStreamExt;
use oplog::maintenance::{Policy, Report, Step};
use oplog::{
    Covers, Error, Finding, Finished, LargeFiles, Log, LogOptions, MemoryContents, Snapshot,
    Stamped, VersionRow,
};
use proptest::prelude::*;
use tinyfs::{EntryType, NodeId};
use tokio::io::AsyncWriteExt;

use crate::pond::{Pond, inline, link};

/// Later than any file of a test.
const FUTURE_US: i64 = 4_000_000_000_000_000;

fn eager() -> Policy {
    Policy { small_files: 3, fan_in: 2, checkpoint_every: 4, ..Policy::default() }
}

async fn maintain(pond: &mut Pond, policy: &Policy, now_us: i64) -> Report {
    let mut total = Report::default();
    for _ in 0..20 {
        let plan = pond.log.plan_maintenance(policy, now_us).await.unwrap();
        if plan.is_empty() {
            return total;
        }
        let report = pond
            .log
            .perform_maintenance(&plan, policy, now_us, &diagnostics::silent())
            .await
            .unwrap();
        total.files_merged += report.files_merged;
        total.checkpoints += report.checkpoints;
        total.log_files_removed += report.log_files_removed;
        total.leftovers_removed += report.leftovers_removed;
    }
    panic!("upkeep does not come to an end");
}

async fn findings(log: &Log) -> Vec<String> {
    let mut found = Vec::new();
    log.verify(&diagnostics::silent(), &mut |finding: Finding| found.push(finding.to_string()))
        .await
        .unwrap();
    found
}

type Rows = BTreeMap<NodeId, Vec<(Stamped<VersionRow>, Option<Vec<u8>>)>>;

/// Everything a snapshot shows of the root and the nodes.
async fn shown(snapshot: &Snapshot, root: NodeId, nodes: &[NodeId]) -> (Vec<String>, Rows) {
    let links = snapshot.links(root).await.unwrap();
    let names = links.iter().map(|link| format!("{link:?}")).collect();
    let mut rows = Rows::new();
    for &node in nodes {
        for version in snapshot.versions(node).await.unwrap() {
            let bytes = match version.row.hash {
                None => None,
                Some(hash) => Some(
                    snapshot
                        .content(node, version.row.version, version.txn_seq, hash)
                        .await
                        .unwrap()
                        .to_vec(),
                ),
            };
            rows.entry(node).or_default().push((version, bytes));
        }
    }
    (names, rows)
}

#[derive(Clone, Debug)]
enum Change {
    Create(u8),
    Append(u8, Vec<u8>),
    Remove(u8),
}

fn change() -> impl Strategy<Value = Change> {
    prop_oneof![
        (0..6u8).prop_map(Change::Create),
        (0..6u8, prop::collection::vec(any::<u8>(), 0..50)).prop_map(|(n, b)| Change::Append(n, b)),
        (0..6u8).prop_map(Change::Remove),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(12))]

    #[test]
    fn every_snapshot_is_the_same_after_merging(
        changes in prop::collection::vec(change(), 1..40),
        every in 1..9usize,
    ) {
        let runtime = tokio::runtime::Runtime::new().unwrap();
        runtime.block_on(async {
            let mut pond = Pond::create().await;
            let mut live: BTreeMap<u8, (NodeId, u64)> = BTreeMap::new();
            let mut nodes = Vec::new();
            let mut states = vec![];
            for (n, change) in changes.into_iter().enumerate() {
                match change {
                    Change::Create(name) => {
                        let node = pond.add_file(&name.to_string(), &[name]).await;
                        nodes.push(node);
                        live.insert(name, (node, 1));
                    }
                    Change::Append(name, bytes) => {
                        let Some((node, version)) = live.get_mut(&name) else { continue };
                        *version += 1;
                        let (node, version) = (*node, *version);
                        pond.add_version(node, version, &bytes).await;
                    }
                    Change::Remove(name) => {
                        live.remove(&name);
                        let row = link(pond.root, &name.to_string(), None);
                        pond.commit(vec![row], vec![], MemoryContents::default()).await;
                    }
                }
                let head = pond.log.head().txn_seq;
                states.push((head, shown(&pond.log.snapshot(), pond.root, &nodes).await));
                if n % every == 0 {
                    maintain(&mut pond, &eager(), FUTURE_US).await;
                }
            }
            maintain(&mut pond, &eager(), FUTURE_US).await;
            pond.reopen().await;
            assert_eq!(findings(&pond.log).await, Vec::<String>::new());
            let newest = pond.log.snapshot();
            for (txn_seq, state) in states {
                let snapshot = newest.as_of(txn_seq).unwrap();
                assert_eq!(shown(&snapshot, pond.root, &nodes).await, state, "at {txn_seq}");
            }
            let scanned: Vec<_> = newest.scan_links().try_collect().await.unwrap();
            assert!(scanned.is_sorted_by_key(Stamped::order));
            let rows: Vec<_> = newest.transactions(1..=u64::MAX).try_collect().await.unwrap();
            assert_eq!(rows.len() as u64, newest.txn_seq());
        });
    }
}

#[tokio::test]
async fn files_stay_few_however_many_commits() {
    let mut pond = Pond::create().await;
    let policy = Policy { small_files: 4, fan_in: 3, checkpoint_every: 10, ..Policy::default() };
    for n in 0..60 {
        pond.add_file(&format!("file {n}"), b"x").await;
        let plan = pond.log.plan_maintenance(&policy, FUTURE_US).await.unwrap();
        pond.log
            .perform_maintenance(&plan, &policy, FUTURE_US, &diagnostics::silent())
            .await
            .unwrap();
    }
    let files = std::fs::read_dir(pond.data()).unwrap().count();
    assert!(files < 20, "{files} files");
    let commits = std::fs::read_dir(pond.data().join("_delta_log")).unwrap().count();
    assert!(commits < 40, "{commits} commits");
    pond.reopen().await;
    assert_eq!(pond.names().await.len(), 60);
    assert_eq!(findings(&pond.log).await, Vec::<String>::new());
}

#[tokio::test]
async fn one_damaged_checkpoint_is_no_loss() {
    let mut pond = Pond::create().await;
    let policy = Policy { checkpoint_every: 3, ..Policy::default() };
    for n in 0..10 {
        pond.add_file(&format!("file {n}"), b"x").await;
        maintain(&mut pond, &policy, 0).await;
    }
    let log = pond.data().join("_delta_log");
    let mut checkpoints: Vec<_> = std::fs::read_dir(&log)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.to_str().unwrap().ends_with(".checkpoint.parquet"))
        .collect();
    checkpoints.sort();
    assert_eq!(checkpoints.len(), 2);
    assert!(!log.join("00000000000000000000.json").exists());
    std::fs::write(&checkpoints[1], b"PAR1 no longer").unwrap();
    pond.reopen().await;
    assert_eq!(pond.names().await.len(), 10);
    let found = findings(&pond.log).await;
    assert!(found[0].contains(".checkpoint.parquet"), "{found:?}");
    std::fs::write(&checkpoints[0], b"PAR1 no longer").unwrap();
    let error = Log::open(&pond.location(), LogOptions::default()).await.unwrap_err();
    assert!(matches!(error, Error::DamagedCheckpoint { .. }), "{error:?}");
}

#[tokio::test]
async fn vacuum_waits_for_the_retention() {
    let mut pond = Pond::create().await;
    for n in 0..4 {
        pond.add_file(&n.to_string(), b"x").await;
    }
    let before = pond.log.snapshot();
    let report = maintain(&mut pond, &eager(), 0).await;
    assert_eq!((report.files_merged, report.leftovers_removed), (4, 0));
    // A reader that began before the merge still reads.
    assert_eq!(before.links(pond.root).await.unwrap().len(), 4);
    let report = maintain(&mut pond, &eager(), FUTURE_US).await;
    assert_eq!(report.leftovers_removed, 4);
    pond.reopen().await;
    assert_eq!(pond.names().await.len(), 4);
}

#[tokio::test]
async fn unreferenced_large_files_and_leftovers_are_found() {
    let pond = Pond::create().await;
    let dir = pond.data().join("_large_files/ab");
    std::fs::create_dir_all(&dir).unwrap();
    std::fs::write(dir.join(format!("blake3=ab{}", "0".repeat(62))), b"x").unwrap();
    std::fs::write(pond.data().join(".tmp-1-2#0"), b"x").unwrap();
    std::fs::write(pond.data().join("_delta_log/.tmp-1-3#0"), b"x").unwrap();
    let policy = Policy { large_files: true, ..Policy::default() };
    let plan = pond.log.plan_maintenance(&policy, FUTURE_US).await.unwrap();
    let [Step::Vacuum { leftovers }] = &plan.steps[..] else { panic!("{plan:?}") };
    assert_eq!(leftovers.len(), 3);
}

#[tokio::test]
async fn prune_forgets_the_past_and_keeps_the_present() {
    let mut pond = Pond::create().await;
    let kept = pond.add_file("kept", b"1").await;
    let gone = pond.add_file("gone", b"bytes of the gone").await;
    pond.add_version(kept, 2, b"2").await;
    let row = link(pond.root, "gone", None);
    pond.commit(vec![row], vec![], MemoryContents::default()).await;
    pond.add_version(kept, 3, b"3").await;
    pond.add_version(kept, 4, b"4").await;
    maintain(&mut pond, &Policy { small_files: 3, ..Policy::default() }, 0).await;
    let shown_before = pond.log.snapshot().links(pond.root).await.unwrap();

    let plan = pond.log.plan_prune(5).unwrap();
    assert_eq!(plan.transactions, 4);
    pond.log.prune(&plan, 0).await.unwrap();
    assert_eq!(findings(&pond.log).await, Vec::<String>::new());
    maintain(&mut pond, &Policy::default(), FUTURE_US).await;
    pond.reopen().await;

    let snapshot = pond.log.snapshot();
    assert_eq!(snapshot.oldest(), 5);
    assert!(matches!(snapshot.as_of(4), Err(Error::Pruned { oldest: 5, .. })));
    assert_eq!(snapshot.as_of(5).unwrap().links(pond.root).await.unwrap(), shown_before);
    let numbers = |rows: Vec<Stamped<VersionRow>>| {
        rows.into_iter().map(|row| row.row.version).collect::<Vec<_>>()
    };
    assert_eq!(numbers(snapshot.versions(kept).await.unwrap()), [0, 3, 4]);
    assert_eq!(numbers(snapshot.versions(gone).await.unwrap()), Vec::<u64>::new());
    assert_eq!(snapshot.link_history(pond.root).await.unwrap().len(), 1);
    assert_eq!(findings(&pond.log).await, Vec::<String>::new());
    assert!(matches!(snapshot.transaction(4).await, Err(Error::Pruned { .. })));
    assert_eq!(snapshot.transaction(5).await.unwrap().row.command, "test 5");
}

#[tokio::test]
async fn versions_under_an_old_run_go_and_states_inside_it_are_refused() {
    let mut pond = Pond::create().await;
    let node = pond.node();
    let series = |version, bytes: &'static [u8], contents: &mut MemoryContents| VersionRow {
        entry_type: EntryType::Series,
        ..inline(node, version, contents.add(bytes), bytes.len() as u64)
    };
    for (version, bytes) in [(1, &b"one"[..]), (2, b"two"), (3, b"three")] {
        let mut contents = MemoryContents::default();
        let row = series(version, bytes, &mut contents);
        pond.commit(vec![], vec![row], contents).await;
    }
    let mut contents = MemoryContents::default();
    let run = VersionRow {
        covers: Some(Covers { from_version: 2, from_txn: 2 }),
        ..series(3, b"two and three", &mut contents)
    };
    pond.commit(vec![], vec![run], contents).await;
    let policy = Policy { small_files: 2, covered_before: 4, ..Policy::default() };
    maintain(&mut pond, &policy, FUTURE_US).await;
    pond.reopen().await;
    let snapshot = pond.log.snapshot();
    let rows = snapshot.versions(node).await.unwrap();
    assert_eq!(rows.len(), 2);
    let run = &rows[1];
    let hash = run.row.hash.unwrap();
    assert_eq!(&snapshot.content(node, 3, 4, hash).await.unwrap()[..], b"two and three");
    let inside = snapshot.as_of(3).unwrap().versions(node).await;
    assert!(matches!(inside, Err(Error::Pruned { .. })), "{inside:?}");
    assert_eq!(snapshot.as_of(1).unwrap().versions(node).await.unwrap().len(), 1);
    assert_eq!(findings(&pond.log).await, Vec::<String>::new());
}

#[tokio::test]
async fn state_that_only_a_larger_run_replaces_is_still_shown() {
    let mut pond = Pond::create().await;
    let node = pond.node();
    let row = |version, bytes: &'static [u8], contents: &mut MemoryContents| VersionRow {
        entry_type: EntryType::Series,
        ..inline(node, version, contents.add(bytes), bytes.len() as u64)
    };
    let run = |from_version| Some(Covers { from_version, from_txn: from_version });
    // 1, 2, a run of both, 3, a run of all: transactions 1 to 5.
    let steps: [(u64, &'static [u8], _); 5] = [
        (1, b"one", None),
        (2, b"two", None),
        (2, b"one, two", run(1)),
        (3, b"three", None),
        (3, b"one, two, three", run(1)),
    ];
    for (version, bytes, covers) in steps {
        let mut contents = MemoryContents::default();
        let row = VersionRow { covers, ..row(version, bytes, &mut contents) };
        pond.commit(vec![], vec![row], contents).await;
    }
    // The first run is old enough for what it covers to go, the second is not.
    let policy = Policy { small_files: 2, covered_before: 3, ..Policy::default() };
    maintain(&mut pond, &policy, FUTURE_US).await;
    pond.reopen().await;
    let snapshot = pond.log.snapshot();
    assert_eq!(snapshot.versions(node).await.unwrap().len(), 3);
    assert_eq!(snapshot.as_of(4).unwrap().versions(node).await.unwrap().len(), 2);
    assert_eq!(snapshot.as_of(3).unwrap().versions(node).await.unwrap().len(), 1);
    let inside = snapshot.as_of(2).unwrap().versions(node).await;
    assert!(matches!(inside, Err(Error::Pruned { .. })), "{inside:?}");
}

#[tokio::test]
async fn versions_go_some_time_after_their_first_run_whatever_run_stands_for_them_now() {
    let mut pond = Pond::create().await;
    let node = pond.node();
    let mut states = Vec::new();
    for version in 1..=200_u64 {
        let mut contents = MemoryContents::default();
        let bytes = version.to_le_bytes().to_vec();
        let row = VersionRow {
            entry_type: EntryType::Series,
            ..inline(node, version, contents.add(bytes), 8)
        };
        pond.commit(vec![], vec![row], contents).await;
        if version % 10 == 0 {
            // Each run takes the place of the one before: none is ever old.
            let mut contents = MemoryContents::default();
            let bytes = (version << 32).to_le_bytes().to_vec();
            let run = VersionRow {
                entry_type: EntryType::Series,
                covers: Some(Covers { from_version: 1, from_txn: 1 }),
                ..inline(node, version, contents.add(bytes), 8)
            };
            pond.commit(vec![], vec![run], contents).await;
        }
        let head = pond.log.head().txn_seq;
        let current = pond.log.snapshot().current(node).await.unwrap();
        states.push((head, current.last().cloned()));
        if version % 25 == 0 {
            let covered_before = head.saturating_sub(44);
            let policy = Policy { small_files: 2, fan_in: 2, covered_before, ..Policy::default() };
            maintain(&mut pond, &policy, FUTURE_US).await;
        }
    }
    pond.reopen().await;
    let snapshot = pond.log.snapshot();
    let rows = snapshot.versions(node).await.unwrap();
    assert!(rows.len() < 80, "{} of 220 rows are left", rows.len());
    for (txn_seq, newest) in states.into_iter().filter(|(txn_seq, _)| *txn_seq > 176) {
        let then = snapshot.as_of(txn_seq).unwrap().current(node).await.unwrap();
        assert_eq!(then.last(), newest.as_ref(), "at {txn_seq}");
    }
    assert_eq!(findings(&pond.log).await, Vec::<String>::new());
}

/// Performs the steps of a plan that are chosen, in order.
async fn perform(pond: &mut Pond, policy: &Policy, chosen: impl Fn(&Step) -> bool) -> usize {
    let plan = pond.log.plan_maintenance(policy, 0).await.unwrap();
    let steps: Vec<_> = plan.steps.iter().filter(|step| chosen(step)).collect();
    for step in &steps {
        pond.log.perform_step(step, policy, 0, &mut Report::default()).await.unwrap();
    }
    steps.len()
}

fn is_rewrite(step: &Step) -> bool {
    matches!(step, Step::Rewrite { .. })
}

#[tokio::test]
async fn files_are_rewritten_from_the_oldest_and_contents_last() {
    let mut pond = Pond::create().await;
    pond.add_file("a", b"1").await;
    pond.add_file("b", b"1").await;
    maintain(&mut pond, &Policy { small_files: 2, ..eager() }, 0).await;
    let row = link(pond.root, "a", None);
    pond.commit(vec![row], vec![], MemoryContents::default()).await;
    let plan = pond.log.plan_prune(3).unwrap();
    pond.log.prune(&plan, 0).await.unwrap();
    let policy = Policy::default();
    let plan = pond.log.plan_maintenance(&policy, 0).await.unwrap();
    let rewrites: Vec<_> = plan.steps.iter().filter(|step| is_rewrite(step)).collect();
    assert_eq!(rewrites.len(), 3, "{plan:?}");
    for early in &rewrites[1..] {
        let done = pond.log.perform_step(early, &policy, 0, &mut Report::default()).await;
        assert!(matches!(done, Err(Error::StalePlan)), "{early:?}: {done:?}");
    }
    assert_eq!(perform(&mut pond, &policy, is_rewrite).await, 3);
    pond.reopen().await;
    assert_eq!(pond.names().await, ["b"]);
    assert_eq!(findings(&pond.log).await, Vec::<String>::new());
}

#[tokio::test]
async fn large_file_that_loses_its_last_name_is_kept_for_the_retention() {
    let mut pond = Pond::create().await;
    let mut sink = pond.log.large_files().writer();
    sink.write_all(&vec![3; 200_000]).await.unwrap();
    let Finished::Large { hash, size_bytes, .. } = sink.finish().await.unwrap() else {
        panic!("200,000 bytes are large");
    };
    let (node, root) = (pond.node(), pond.root);
    let row = VersionRow { inline: false, ..inline(node, 1, hash, size_bytes) };
    pond.commit(vec![link(root, "a", Some(node))], vec![row], MemoryContents::default()).await;
    pond.commit(vec![link(root, "a", None)], vec![], MemoryContents::default()).await;
    let path = pond.data().join(LargeFiles::path(hash));
    let long_ago = std::time::UNIX_EPOCH + std::time::Duration::from_secs(1_000_000_000);
    let file = std::fs::File::open(&path).unwrap();
    file.set_times(std::fs::FileTimes::new().set_modified(long_ago)).unwrap();
    let plan = pond.log.plan_prune(2).unwrap();
    pond.log.prune(&plan, 0).await.unwrap();
    perform(&mut pond, &Policy::default(), is_rewrite).await;
    // A vacuum of files from before today.
    let policy = Policy { large_files: true, retention_us: 0, ..Policy::default() };
    let after_long_ago_us = 1_100_000_000_000_000;
    let plan = pond.log.plan_maintenance(&policy, after_long_ago_us).await.unwrap();
    assert_eq!(plan.steps, []);
    assert!(std::fs::metadata(&path).unwrap().modified().unwrap() > long_ago);
}

#[tokio::test]
async fn contents_stay_while_rows_that_name_them_do() {
    let mut pond = Pond::create().await;
    let node = pond.node();
    let policy = Policy { small_files: 2, fan_in: 2, ..Policy::default() };
    let is_merge = |step: &Step| matches!(step, Step::Merge { .. });
    for version in 1..=4 {
        let mut contents = MemoryContents::default();
        let hash = contents.add(vec![u8::try_from(version).unwrap()]);
        let row = VersionRow { entry_type: EntryType::Series, ..inline(node, version, hash, 1) };
        pond.commit(vec![], vec![row], contents).await;
        if version % 2 == 0 {
            let plan = pond.log.plan_maintenance(&policy, 0).await.unwrap();
            pond.log
                .perform_step(&plan.steps[0], &policy, 0, &mut Report::default())
                .await
                .unwrap();
        }
    }
    let mut contents = MemoryContents::default();
    let run = VersionRow {
        entry_type: EntryType::Series,
        covers: Some(Covers { from_version: 1, from_txn: 1 }),
        ..inline(node, 4, contents.add(&b"run"[..]), 3)
    };
    pond.commit(vec![], vec![run], contents).await;
    // Only the contents are merged, then only the rows.
    let policy = Policy { covered_before: 5, ..policy };
    let of_contents = |step: &Step| {
        is_merge(step)
            && matches!(step, Step::Merge { files, .. } if files[0].contains("-content-"))
    };
    assert_eq!(perform(&mut pond, &policy, of_contents).await, 1);
    assert_eq!(findings(&pond.log).await, Vec::<String>::new());
    let snapshot = pond.log.snapshot();
    let rows = snapshot.as_of(4).unwrap().versions(node).await.unwrap();
    assert_eq!(rows.len(), 4);
    for row in rows {
        let hash = row.row.hash.unwrap();
        snapshot.content(node, row.row.version, row.txn_seq, hash).await.unwrap();
    }
    assert_eq!(perform(&mut pond, &policy, is_merge).await, 1);
    assert_eq!(pond.log.snapshot().versions(node).await.unwrap().len(), 1);
    assert_eq!(findings(&pond.log).await, Vec::<String>::new());
}

#[tokio::test]
async fn merges_read_no_more_than_their_limit_and_come_to_an_end() {
    let mut pond = Pond::create().await;
    for n in 0..12u8 {
        // One file is larger than a merge may read.
        let bytes: Vec<u8> = (0..if n == 5 { 2_000 } else { 1 })
            .flat_map(|i: u32| *tinyfs::ContentHash::of(&i.to_le_bytes()).as_bytes())
            .collect();
        pond.add_file(&n.to_string(), &bytes).await;
    }
    let sizes = std::fs::read_dir(pond.data()).unwrap().filter_map(|entry| {
        let meta = entry.unwrap().metadata().unwrap();
        meta.is_file().then_some(meta.len())
    });
    let merge_bytes = 3 * sizes.min().unwrap() + 1_000;
    let policy = Policy { small_files: 3, fan_in: 2, merge_bytes, ..Policy::default() };
    let mut merges = 0;
    loop {
        let plan = pond.log.plan_maintenance(&policy, 0).await.unwrap();
        let Some(step @ Step::Merge { files, bytes, .. }) = plan.steps.first() else { break };
        assert!(files.len() > 1 && *bytes <= merge_bytes, "{step:?}");
        pond.log.perform_step(step, &policy, 0, &mut Report::default()).await.unwrap();
        merges += 1;
    }
    assert!(merges > 2, "{merges} merges");
    pond.reopen().await;
    assert_eq!(pond.names().await.len(), 12);
    assert_eq!(findings(&pond.log).await, Vec::<String>::new());
}

#[tokio::test]
async fn what_is_pruned_is_not_written_again_for_newer_files() {
    let mut pond = Pond::create().await;
    for n in 0..3 {
        pond.add_file(&n.to_string(), b"x").await;
    }
    maintain(&mut pond, &eager(), 0).await;
    let plan = pond.log.plan_prune(2).unwrap();
    pond.log.prune(&plan, 0).await.unwrap();
    maintain(&mut pond, &eager(), 0).await;
    for n in 3..6 {
        pond.add_file(&n.to_string(), b"x").await;
    }
    for _ in 0..3 {
        perform(&mut pond, &eager(), |step| matches!(step, Step::Merge { .. })).await;
        let plan = pond.log.plan_maintenance(&eager(), 0).await.unwrap();
        assert!(!plan.steps.iter().any(is_rewrite), "{plan:?}");
    }
}

#[tokio::test]
async fn leftover_that_was_touched_since_it_was_seen_stays() {
    let mut pond = Pond::create().await;
    let path = pond.data().join(".tmp-1-2#0");
    std::fs::write(&path, b"x").unwrap();
    let file = std::fs::File::open(&path).unwrap();
    let long_ago = std::time::UNIX_EPOCH + std::time::Duration::from_secs(1_000_000_000);
    file.set_times(std::fs::FileTimes::new().set_modified(long_ago)).unwrap();
    let policy = Policy::default();
    let plan = pond.log.plan_maintenance(&policy, FUTURE_US).await.unwrap();
    std::fs::write(&path, b"y").unwrap();
    let silent = diagnostics::silent();
    pond.log.perform_maintenance(&plan, &policy, FUTURE_US, &silent).await.unwrap();
    assert!(path.exists());
    maintain(&mut pond, &policy, FUTURE_US).await;
    assert!(!path.exists());
}

#[tokio::test]
async fn stranger_reads_the_log_with_delta_rs() {
    let mut pond = Pond::create().await;
    for n in 0..5 {
        pond.add_file(&n.to_string(), b"x").await;
    }
    maintain(&mut pond, &eager(), 0).await;
    pond.add_file("last", b"x").await;
    let url = url::Url::from_directory_path(pond.data()).unwrap();
    let table = deltalake::open_table(url).await.unwrap();
    let context = datafusion::prelude::SessionContext::new();
    let files: Vec<_> = table.get_file_uris().unwrap().collect();
    let rows = context.read_parquet(files, Default::default()).await.unwrap();
    context.register_table("pond", rows.into_view()).unwrap();
    let batches = context
        .sql("SELECT name FROM pond WHERE kind = 'link' ORDER BY txn_seq")
        .await
        .unwrap()
        .collect()
        .await
        .unwrap();
    assert_eq!(batches.iter().map(arrow::array::RecordBatch::num_rows).sum::<usize>(), 6);
    let version = i64::try_from(pond.log.head().txn_seq).unwrap();
    let state = table.snapshot().unwrap();
    let app = pond.root.to_string();
    let found = state.transaction_version(table.log_store().as_ref(), app).await.unwrap();
    assert_eq!(found, Some(version));
}

#[tokio::test]
async fn no_step_of_the_clock_makes_everything_old() {
    const DAY_US: i64 = 86_400_000_000;
    let mut pond = Pond::create().await;
    let commit_on = async |pond: &mut Pond, day: i64| {
        let ended_us = day * DAY_US;
        let transaction =
            oplog::TransactionMeta { started_us: ended_us, ended_us, ..pond.transaction() };
        let contents = std::sync::Arc::new(MemoryContents::default());
        let changes = oplog::Changes { links: vec![], versions: vec![], contents, transaction };
        pond.log.commit(&changes).await.into_result().unwrap();
    };
    let month_before = async |pond: &Pond, day: i64| {
        let before = pond.log.snapshot().surely_before(day * DAY_US, 30 * DAY_US).await.unwrap();
        before.map(|us| us / DAY_US)
    };
    assert_eq!(month_before(&pond, 1_000).await, None);
    for day in 1..=40 {
        commit_on(&mut pond, day).await;
        if day == 20 {
            assert_eq!(month_before(&pond, day).await, None);
        }
    }
    assert_eq!(month_before(&pond, 40).await, Some(8));
    // A pond that rests looks like a clock that is ahead.
    assert_eq!(month_before(&pond, 400).await, Some(16));
    // Set ahead, it makes nothing old that is younger than three quarters.
    commit_on(&mut pond, 80).await;
    assert_eq!(month_before(&pond, 80).await, Some(16));
    commit_on(&mut pond, 10_000).await;
    assert_eq!(month_before(&pond, 10_000).await, Some(24));
    // Set right again, it is believed as before.
    commit_on(&mut pond, 41).await;
    assert_eq!(month_before(&pond, 41).await, Some(9));
    // Merged files tell the same.
    maintain(&mut pond, &eager(), 0).await;
    pond.reopen().await;
    assert_eq!(month_before(&pond, 41).await, Some(9));
    assert_eq!(month_before(&pond, 10_000).await, Some(24));
}
