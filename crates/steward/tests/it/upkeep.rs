//! Upkeep changes what lies on the disk, never what is seen.

use std::sync::Arc;
use std::time::Duration;

use arrow::array::RecordBatch;
use arrow::datatypes::{DataType, Field, Schema};
use futures::TryStreamExt as _;
use steward::{AsOf, Error, MaintainOptions, Step};
use testing::{START_US, TestPond, data};
use tinyfs::TimeUnit;
use tinyfs::contract::Picture;
use tlogfs::ParquetExt as _;

const DAY: Duration = Duration::from_secs(86_400);

fn row(number: i64) -> RecordBatch {
    data::points(&[(START_US + number * 60_000_000, number as f64)], TimeUnit::Microsecond)
}

async fn rows(pond: &TestPond) -> Vec<(i64, f64)> {
    let fs = pond.read().await.fs();
    let batches: Vec<_> = fs.read_batches("/s", None).await.unwrap().try_collect().await.unwrap();
    data::rows_of(&batches)
}

#[tokio::test]
async fn explicit_upkeep_changes_nothing_that_is_seen() {
    let mut pond = TestPond::new().await;
    for number in 0..40 {
        pond.append("/s", Some(data::spec(TimeUnit::Microsecond)), row(number)).await;
    }
    let before = rows(&pond).await;
    let then = pond.read().await;
    let picture = Picture::of(&then.store()).await.unwrap();

    let plan = pond.pond.plan_maintenance(MaintainOptions::default()).await.unwrap();
    assert!(plan.steps.iter().any(|step| matches!(step, Step::MergeSeries { .. })), "{plan:?}");
    assert!(plan.steps.iter().any(|step| matches!(step, Step::CompactLog { .. })), "{plan:?}");
    assert_eq!(pond.read().await.txn_seq(), 40);

    let intent = TestPond::intent("pond maintain");
    let report = pond.pond.perform_maintenance(&plan, &intent).await.unwrap();
    assert!(report.series_runs > 0 && report.log_files_merged > 0, "{report:?}");
    pond.reopen().await;
    assert_eq!(rows(&pond).await, before);
    let again = pond.read().await.at(AsOf::Txn(40)).await.unwrap();
    assert_eq!(Picture::of(&again.store()).await.unwrap(), picture);
    assert_eq!(pond.pond.fsck().await.unwrap().findings, []);
    let history = pond.read().await.history_of("/s").await.unwrap();
    assert_eq!(history.versions.len(), 40);
    assert!(history.runs.len() <= 10, "{}", history.runs.len());
    let plan = pond.pond.plan_maintenance(MaintainOptions::default()).await.unwrap();
    assert!(!plan.steps.iter().any(|step| matches!(step, Step::MergeSeries { .. })), "{plan:?}");
}

#[tokio::test]
async fn automatic_upkeep_keeps_runs_and_files_few() {
    let pond = TestPond::with_upkeep().await;
    pond.pond.set_setting("maintenance.budget_ms", "60000").unwrap();
    for number in 0..100 {
        pond.append("/s", Some(data::spec(TimeUnit::Microsecond)), row(number)).await;
    }
    assert_eq!(rows(&pond).await.len(), 100);
    let history = pond.read().await.history_of("/s").await.unwrap();
    assert!(history.runs.len() <= 20, "{} runs", history.runs.len());
    let status = pond.pond.status().await.unwrap();
    assert_eq!(status.upkeep.failure, None);
    assert!(status.upkeep.done_us.is_some());
    let files = std::fs::read_dir(pond.path().join("data")).unwrap().count();
    assert!(files <= 160, "{files} files");
    assert_eq!(pond.pond.fsck().await.unwrap().findings, []);
}

#[tokio::test]
async fn a_prune_forgets_what_its_plan_named() {
    let mut pond = TestPond::new().await;
    for number in 0..10_u8 {
        pond.write_file("/a", &[number]).await;
        pond.clock.advance(10 * 86_400_000_000);
    }
    let nothing = MaintainOptions { prune_keep: Some(DAY * 200) };
    let plan = pond.pond.plan_maintenance(nothing).await.unwrap();
    assert!(!plan.steps.iter().any(|step| matches!(step, Step::Prune { .. })), "{plan:?}");

    let keep = MaintainOptions { prune_keep: Some(DAY * 30) };
    let plan = pond.pond.plan_maintenance(keep).await.unwrap();
    let Some(Step::Prune { oldest, transactions }) = plan.steps.first().cloned() else {
        panic!("no prune in {plan:?}");
    };
    // The eighth was current thirty days ago.
    assert_eq!((oldest, transactions), (8, 7));
    let report =
        pond.pond.perform_maintenance(&plan, &TestPond::intent("pond maintain")).await.unwrap();
    assert_eq!(report.transactions_pruned, 7);
    pond.reopen().await;
    let view = pond.read().await;
    assert_eq!(view.fs().read_to_end("/a", 10).await.unwrap(), [9]);
    let at = view.at(AsOf::Txn(8)).await.unwrap();
    assert_eq!(at.fs().read_to_end("/a", 10).await.unwrap(), [7]);
    let refused = view.at(AsOf::Txn(7)).await;
    assert!(matches!(refused, Err(Error::Log { .. })), "{refused:?}");
    assert_eq!(pond.pond.fsck().await.unwrap().findings, []);
    assert_eq!(pond.write_file("/a", b"x").await, 11);
    assert_eq!(pond.read().await.fs().versions("/a").await.unwrap().last().unwrap().number, 11);
}

/// Whether versions that a run covers are kept where the clock goes on by so
/// many microseconds before each of two dozen more appends.
async fn are_kept(pause_us: impl Fn(usize) -> i64) -> bool {
    let pond = TestPond::new().await;
    let set = |key, value| pond.pond.set_setting(key, value).unwrap();
    let maintain = async || {
        let plan = pond.pond.plan_maintenance(MaintainOptions::default()).await.unwrap();
        pond.pond.perform_maintenance(&plan, &TestPond::intent("pond maintain")).await.unwrap();
    };
    set("maintenance.compact_files", "2");
    for number in 0..10 {
        pond.append("/s", Some(data::spec(TimeUnit::Microsecond)), row(number)).await;
        pond.clock.advance(86_400_000_000);
    }
    set("maintenance.merge_versions", "10");
    maintain().await;
    // That run stands from now on, and files of the log are merged further.
    set("maintenance.merge_versions", "10000");
    for number in 0..24 {
        pond.clock.set(pond.environment.clock.now_us() + pause_us(number));
        pond.append("/s", None, row(10 + number as i64)).await;
        maintain().await;
    }
    assert_eq!(rows(&pond).await.len(), 34);
    assert_eq!(pond.pond.fsck().await.unwrap().findings, []);
    pond.read().await.fs().read_batches("/s", Some(2)).await.is_ok()
}

#[tokio::test]
async fn clock_that_is_ahead_drops_no_young_version() {
    const DAY_US: i64 = 86_400_000_000;
    // Once they truly are old they go.
    assert!(!are_kept(|_| 10 * DAY_US).await);
    // The same commits, by a clock that is ahead from one of them on.
    assert!(are_kept(|number| if number == 3 { 40 * DAY_US } else { 60_000_000 }).await);
    // And by one that is set right again.
    let there_and_back = |number| match number {
        3 => 40 * DAY_US,
        5 => -40 * DAY_US,
        _ => 60_000_000,
    };
    assert!(are_kept(there_and_back).await);
}

#[tokio::test]
async fn status_counts_what_is_there() {
    let pond = TestPond::new().await;
    pond.make_dir("/d").await;
    pond.write_file("/d/a", &[0; 1_000]).await;
    pond.write_file("/d/a", &[1; 10]).await;
    pond.write_file("/d/b", &vec![2; 70_000]).await;
    let status = pond.pond.status().await.unwrap();
    assert_eq!((status.versions, status.version_bytes), (3, 71_010));
    assert_eq!(status.live_bytes, 70_010);
    assert!(status.disk_bytes > 70_000);
    assert_eq!(status.entries.get(&tinyfs::EntryType::Data), Some(&2));
    assert_eq!(status.newest.unwrap().txn_seq, 4);
}

/// Commits' own files are merged eight at a time. What these merges complete is
/// fewer files, and is merged when upkeep looks again.
async fn assert_no_small_files_are_due(pond: &TestPond) {
    let plan = pond.pond.plan_maintenance(MaintainOptions::default()).await.unwrap();
    let small = |step: &Step| matches!(step, Step::CompactLog { files, .. } if *files >= 8);
    assert!(!plan.steps.iter().any(small), "{plan:?}");
}

#[tokio::test]
async fn upkeep_of_the_log_does_not_hang_on_certain_numbers() {
    let pond = TestPond::with_upkeep().await;
    pond.pond.set_setting("maintenance.budget_ms", "60000").unwrap();
    for number in 1..=64_u8 {
        // As where merges of series take these numbers.
        let automatic = if number.is_multiple_of(16) { "false" } else { "true" };
        pond.pond.set_setting("maintenance.automatic", automatic).unwrap();
        pond.write_file("/a", &[number]).await;
    }
    assert_no_small_files_are_due(&pond).await;
}

#[tokio::test]
async fn versions_that_do_not_go_together_do_not_keep_back_others() {
    let wide = |number| {
        let narrow = row(number);
        let mut fields = narrow.schema().fields().to_vec();
        fields.push(Arc::new(Field::new("more", DataType::Float64, true)));
        let mut columns = narrow.columns().to_vec();
        columns.push(Arc::clone(&columns[1]));
        RecordBatch::try_new(Arc::new(Schema::new(fields)), columns).unwrap()
    };
    let pond = TestPond::with_upkeep().await;
    pond.pond.set_setting("maintenance.budget_ms", "60000").unwrap();
    pond.pond.set_setting("maintenance.merge_versions", "4").unwrap();
    for number in 0..8 {
        let rows = if number < 2 { row(number) } else { wide(number) };
        pond.append("/s", Some(data::spec(TimeUnit::Microsecond)), rows).await;
    }
    let history = pond.read().await.history_of("/s").await.unwrap();
    let covers: Vec<_> = history.runs.iter().map(|run| run.covers.clone()).collect();
    assert_eq!(covers, [Some(3..=8), Some(1..=2)]);
}

#[tokio::test]
async fn what_is_too_large_to_be_merged_at_once_is_merged_in_part() {
    let pond = TestPond::with_upkeep().await;
    pond.pond.set_setting("maintenance.budget_ms", "60000").unwrap();
    // Bytes that can not be compressed: 300 KB a transaction.
    let mut seed = 1_u64;
    let mut noise = || {
        let bytes = (0..60_000).map(|_| {
            seed ^= seed << 13;
            seed ^= seed >> 7;
            seed ^= seed << 17;
            seed as u8
        });
        bytes.collect::<Vec<_>>()
    };
    for _ in 0..32 {
        let contents: Vec<_> = (0..5).map(|_| noise()).collect();
        let write = pond.pond.write(TestPond::intent("x"), async |txn| {
            for (number, bytes) in contents.iter().enumerate() {
                txn.fs().write(&format!("/{number}"), bytes).await?;
            }
            Ok::<_, Error>(())
        });
        write.await.unwrap();
    }
    assert_no_small_files_are_due(&pond).await;
}
