//! The order of writes, syncs and names, and what stopping at each leaves.

use std::sync::Arc;

use oplog::maintenance::{Policy, Step};
use oplog::{Changes, Log, LogOptions, Medium, MemoryContents, Outcome};
use testing::fault::{Cause, Fault, FaultMedium, Op};
use tokio::io::AsyncWriteExt;

use crate::pond::{Pond, inline, link};

/// An operation, with what names are for in place of names that vary.
fn note(op: &Op) -> String {
    let text = op.to_string();
    let (did, path) = text.split_once(' ').unwrap();
    let name = path.rsplit('/').next().unwrap();
    let name = if name.starts_with(".tmp-") {
        "temporary"
    } else if name.ends_with(".parquet") {
        "rows"
    } else if name.starts_with("blake3=") {
        "large"
    } else if name.len() == 2 {
        "prefix"
    } else {
        name
    };
    format!("{did} {name}")
}

/// The operations since this was asked for last, each run of the same as one.
fn take(medium: &FaultMedium) -> Vec<String> {
    let mut notes: Vec<_> = medium.trace().iter().map(note).collect();
    medium.set(Fault::Nothing);
    notes.dedup();
    notes
}

/// Lets the process die after so many operations.
fn stop_after(medium: &FaultMedium, operations: usize) {
    medium.set(Fault::Death { at: operations, half: false });
}

fn options(medium: &Arc<FaultMedium>) -> LogOptions {
    LogOptions { medium: Arc::clone(medium) as Arc<dyn Medium>, ..LogOptions::default() }
}

#[tokio::test]
async fn rows_are_on_the_disk_before_the_commit_that_names_them() {
    let medium = FaultMedium::anywhere();
    let mut pond = Pond::create_with(options(&medium)).await;
    take(&medium);
    pond.add_file("a", b"1").await;
    assert_eq!(
        take(&medium),
        [
            "create temporary",
            "write temporary",
            "sync temporary",
            "rename rows",
            "syncdir data",
            "create temporary",
            "write temporary",
            "sync temporary",
            "link 00000000000000000001.json",
            "syncdir _delta_log",
            "unlink temporary",
        ]
    );
}

#[tokio::test]
async fn new_directories_are_synced_into_their_parents() {
    let medium = FaultMedium::anywhere();
    let _pond = Pond::create_with(options(&medium)).await;
    let notes = take(&medium);
    let parent = notes.iter().position(|note| note == "mkdir data").unwrap();
    assert!(notes[parent + 1].starts_with("syncdir "), "{notes:?}");
    let log = notes.iter().position(|note| note == "mkdir _delta_log").unwrap();
    assert_eq!(notes[log + 1], "syncdir data");
}

#[tokio::test]
async fn large_file_is_synced_before_it_has_its_name_the_second_time_too() {
    let medium = FaultMedium::anywhere();
    let pond = Pond::create_with(options(&medium)).await;
    let bytes = vec![7; 100_000];
    for mkdir in [true, false] {
        take(&medium);
        let mut sink = pond.log.large_files().writer();
        sink.write_all(&bytes).await.unwrap();
        sink.finish().await.unwrap();
        let notes = take(&medium);
        assert_eq!(notes.iter().any(|note| note == "mkdir prefix"), mkdir);
        let at = |wanted: &str| notes.iter().position(|note| note == wanted).unwrap();
        assert!(at("write temporary") < at("sync temporary"), "{notes:?}");
        assert!(at("sync temporary") < at("rename large"), "{notes:?}");
        assert!(at("syncdir _large_files") < at("rename large"), "{notes:?}");
        assert_eq!(notes.last().unwrap(), "syncdir prefix");
    }
}

#[tokio::test]
async fn stopping_at_any_operation_leaves_the_state_before_or_after() {
    for stop in 0.. {
        let medium = FaultMedium::anywhere();
        let mut pond = Pond::create_with(options(&medium)).await;
        pond.add_file("a", b"1").await;
        let (node, root) = (pond.node(), pond.root);
        let mut contents = MemoryContents::default();
        let hash = contents.add(&b"2"[..]);
        let changes = Changes {
            links: vec![link(root, "b", Some(node))],
            versions: vec![inline(node, 1, hash, 1)],
            contents: Arc::new(contents),
            transaction: pond.transaction(),
        };
        stop_after(&medium, stop);
        let outcome = pond.log.commit(&changes).await;
        let stopped = medium.trace().len() > stop;
        medium.set(Fault::Nothing);
        pond.log = Log::open(&pond.location(), LogOptions::default()).await.unwrap();
        let names = pond.names().await;
        match outcome {
            Outcome::Committed(_) => assert_eq!(names, ["a", "b"], "stopped at {stop}"),
            Outcome::NotCommitted(_) => assert_eq!(names, ["a"], "stopped at {stop}"),
            Outcome::Unknown { .. } => assert!(names.len() < 3, "stopped at {stop}"),
        }
        let mut findings = Vec::new();
        pond.log
            .verify(&diagnostics::silent(), &mut |finding| findings.push(finding))
            .await
            .unwrap();
        assert_eq!(findings, []);
        pond.add_file("c", b"3").await;
        if !stopped {
            assert!(stop > 5);
            break;
        }
    }
}

#[tokio::test]
async fn commit_whose_name_may_not_be_on_the_disk_is_written_again() {
    let begun = async || {
        let medium = FaultMedium::anywhere();
        let pond = Pond::create_with(options(&medium)).await;
        let changes = Changes {
            links: vec![link(pond.root, "a", Some(pond.node()))],
            versions: vec![],
            contents: Arc::new(MemoryContents::default()),
            transaction: pond.transaction(),
        };
        medium.set(Fault::Nothing);
        (medium, pond, changes)
    };
    let (medium, mut pond, changes) = begun().await;
    pond.log.commit(&changes).await.into_result().unwrap();
    let at = medium.trace().iter().position(|op| note(op) == "syncdir _delta_log").unwrap();
    for lasting in [false, true] {
        let (medium, mut pond, changes) = begun().await;
        medium.set(Fault::Refusal { at, cause: Cause::Broken, lasting });
        let outcome = pond.log.commit(&changes).await;
        if lasting {
            assert!(matches!(outcome, Outcome::Unknown { .. }), "{outcome:?}");
            continue;
        }
        assert!(matches!(outcome, Outcome::Committed(_)), "{outcome:?}");
        let again = [
            "unlink temporary",
            "create temporary",
            "write temporary",
            "sync temporary",
            "rename 00000000000000000001.json",
            "syncdir _delta_log",
        ];
        let notes: Vec<_> = medium.trace()[at + 1..].iter().map(note).collect();
        assert_eq!(notes, again);
        pond.reopen().await;
        assert_eq!(pond.names().await, ["a"]);
    }
}

/// Makes a pond in which every kind of upkeep is due, with a prune under way.
async fn due(medium: &Arc<FaultMedium>) -> Pond {
    let mut pond = Pond::create_with(options(medium)).await;
    for n in 0..3 {
        pond.add_file(&n.to_string(), b"1").await;
    }
    let policy = policy();
    let plan = pond.log.plan_maintenance(&policy, 0).await.unwrap();
    pond.log.perform_maintenance(&plan, &policy, 0, &diagnostics::silent()).await.unwrap();
    let row = link(pond.root, "0", None);
    pond.commit(vec![row], vec![], MemoryContents::default()).await;
    for n in 3..6 {
        pond.add_file(&n.to_string(), b"1").await;
    }
    let plan = pond.log.plan_prune(4).unwrap();
    pond.log.prune(&plan, 0).await.unwrap();
    pond
}

fn policy() -> Policy {
    Policy { small_files: 3, fan_in: 2, checkpoint_every: 2, ..Policy::default() }
}

/// Performs all upkeep that is due, or as much as the medium lets.
async fn upkeep(pond: &mut Pond, kinds: &mut Vec<&'static str>) -> oplog::Result<()> {
    let late = 4_000_000_000_000_000;
    loop {
        let plan = pond.log.plan_maintenance(&policy(), late).await?;
        if plan.is_empty() {
            return Ok(());
        }
        for step in &plan.steps {
            kinds.push(match step {
                Step::Merge { .. } => "merge",
                Step::Rewrite { .. } => "rewrite",
                Step::Checkpoint { .. } => "checkpoint",
                Step::CleanLog { .. } => "clean",
                Step::Vacuum { .. } => "vacuum",
                _ => "other",
            });
            pond.log.perform_step(step, &policy(), late, &mut Default::default()).await?;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn stopping_upkeep_at_any_operation_changes_nothing_that_is_shown() {
    let mut seen = Vec::new();
    // The short form stops at some operations, the long form at every one.
    let stride = if std::env::var_os("DUCKPOND_TORTURE").is_some() { 1 } else { 23 };
    for stop in (0..).step_by(stride) {
        let medium = FaultMedium::anywhere();
        let mut pond = due(&medium).await;
        let before = pond.log.snapshot().links(pond.root).await.unwrap();
        stop_after(&medium, stop);
        let result = upkeep(&mut pond, &mut seen).await;
        let stopped = medium.trace().len() > stop;
        medium.set(Fault::Nothing);
        assert!(result.is_ok() || stopped, "{result:?}");
        pond.log = Log::open(&pond.location(), LogOptions::default()).await.unwrap();
        let after = pond.log.snapshot().links(pond.root).await.unwrap();
        assert_eq!(after, before, "stopped at {stop}");
        let mut findings = Vec::new();
        pond.log
            .verify(&diagnostics::silent(), &mut |finding| findings.push(finding))
            .await
            .unwrap();
        assert_eq!(findings, [], "stopped at {stop}");
        // The next run ends what this one began.
        pond.add_file("after", b"1").await;
        upkeep(&mut pond, &mut Vec::new()).await.unwrap();
        let names = pond.names().await;
        assert_eq!(names, ["1", "2", "3", "4", "5", "after"], "stopped at {stop}");
        if !stopped {
            break;
        }
    }
    for kind in ["merge", "rewrite", "checkpoint", "clean", "vacuum"] {
        assert!(seen.contains(&kind), "{kind} was never due");
    }
}
