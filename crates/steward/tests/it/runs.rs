//! Records of how nodes that run got on.

use testing::{START_US, TestPond};
use tinyfs::{IdSource as _, NodeId, SequentialIds};

fn node() -> NodeId {
    NodeId::new(SequentialIds::default().next_id())
}

#[tokio::test]
async fn a_run_is_remembered_with_its_last_success_and_its_last_failure() {
    let mut pond = TestPond::new().await;
    let node = node();
    pond.pond.note_run_began(node, "/inbox");
    let open = pond.pond.run_records()[&node].clone();
    assert!(open.is_open());
    pond.clock.advance(5);
    pond.pond.note_run_ended(node, None);
    pond.clock.advance(5);
    pond.pond.note_run_began(node, "/moved");
    pond.clock.advance(5);
    pond.pond.note_run_ended(node, Some("cannot read `a.csv`: it is gone"));
    pond.reopen().await;
    let record = pond.pond.run_records()[&node].clone();
    assert_eq!(record.path, "/moved");
    assert_eq!(record.began_us, START_US + 10);
    assert_eq!(record.ended_us, Some(START_US + 15));
    assert_eq!(record.ok_us, Some(START_US + 5));
    assert_eq!(record.failed_us, Some(START_US + 15));
    assert_eq!(record.last_failure(), Some("cannot read `a.csv`: it is gone"));
    assert!(!record.is_open());
    pond.clock.advance(5);
    pond.pond.note_run_ended(node, None);
    assert_eq!(pond.pond.run_records()[&node].last_failure(), None);
}

#[tokio::test]
async fn records_that_can_not_be_read_are_begun_anew() {
    let pond = TestPond::new().await;
    let node = node();
    pond.pond.note_run_began(node, "/inbox");
    std::fs::write(pond.path().join("control/runs.json"), "{ nonsense").unwrap();
    assert!(pond.pond.run_records().is_empty());
    pond.pond.note_run_began(node, "/inbox");
    assert_eq!(pond.pond.run_records().len(), 1);
}

#[tokio::test]
async fn a_long_failure_is_kept_in_part() {
    let pond = TestPond::new().await;
    let node = node();
    pond.pond.note_run_ended(node, Some(&"ä".repeat(5_000)));
    let kept = pond.pond.run_records()[&node].failure.clone().unwrap();
    assert_eq!(kept.chars().count(), 1_000);
}
