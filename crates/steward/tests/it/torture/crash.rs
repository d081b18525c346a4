//! The process dies at each operation, in the middle of a write too.

use testing::fault::{Fault, OpKind, Survival};

use super::case::{Case, Rehearsed, go_on, open};
use super::seen::Seen;
use super::stage::Stage;
use super::survey::{Survey, chosen};

#[tokio::test]
async fn a_death_at_any_operation_leaves_the_state_before_or_after() {
    let mut survey = Survey::new("deaths");
    for case in Case::ALL {
        let rehearsed = Rehearsed::new(case).await;
        survey.turn_to(&rehearsed);
        for at in chosen(&rehearsed.trace, case.commits(), 5) {
            let op = rehearsed.trace.get(at);
            let is_write = op.is_some_and(|op| op.kind == OpKind::Write);
            for half in [false, true] {
                if half && !is_write {
                    continue;
                }
                let op = op.map_or_else(|| "the end".to_owned(), ToString::to_string);
                let what = format!(
                    "{case:?}, death at {at} ({op}){}",
                    if half { ", half done" } else { "" }
                );
                survey.trial(what, async { drop(death(&rehearsed, at, half).await) }).await;
            }
        }
    }
    survey.end();
}

/// Gives the pond that was used on after it.
pub(super) async fn death(rehearsed: &Rehearsed, at: usize, half: bool) -> Stage {
    let Rehearsed { case, stage, states, .. } = rehearsed;
    let place = stage.put_up();
    {
        let pond = open(*case, &place).await;
        place.medium.set(Fault::Death { at, half });
        let result = case.act(&place, pond.as_ref()).await;
        if at >= rehearsed.trace.len() {
            result.unwrap();
        }
    }
    let trace = place.medium.trace();
    place.medium.set(Fault::Nothing);
    let reached = &states[rehearsed.state_after(&trace)];
    assert_eq!(&Seen::of(&place.pond()).await, reached);
    let after = go_on(*case, &place).await;
    // What the dead process did not sync must not take with it what the next
    // has acknowledged.
    let left = place.medium.after_power_loss(Survival::Synced);
    Seen::of_tree(&left).await.agrees(&after);
    place.strike()
}
