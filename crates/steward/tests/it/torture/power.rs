//! The power goes at each operation: only what was synced is left for certain.

use testing::fault::{Fault, Survival};

use super::case::{Case, Rehearsed, go_on, open};
use super::long;
use super::seen::Seen;
use super::stage::Stage;
use super::survey::{Survey, chosen};

#[tokio::test]
async fn a_power_cut_at_any_operation_loses_nothing_that_was_acknowledged() {
    let mut survey = Survey::new("power cuts");
    for case in Case::ALL {
        let rehearsed = Rehearsed::new(case).await;
        survey.turn_to(&rehearsed);
        for (nth, at) in chosen(&rehearsed.trace, case.commits(), 5).into_iter().enumerate() {
            let seeded = Survival::Seeded(at as u64);
            let kinds = [Survival::Synced, seeded, Survival::NamesWithoutBytes];
            let survivals = match long() {
                // The short form takes turns.
                None => vec![kinds[nth % kinds.len()]],
                Some(seeds) => {
                    let more =
                        (1..seeds).map(|seed| Survival::Seeded(seed * 1_000_003 + at as u64));
                    kinds.into_iter().chain(more).collect()
                }
            };
            let op = rehearsed.trace.get(at).map_or("the end".to_owned(), ToString::to_string);
            for survival in survivals {
                let what = format!("{case:?}, power cut at {at} ({op}), {survival:?}");
                survey.trial(what, async { drop(power_cut(&rehearsed, at, survival).await) }).await;
            }
        }
    }
    survey.end();
}

/// Gives the pond that was used on after it.
pub(super) async fn power_cut(rehearsed: &Rehearsed, at: usize, survival: Survival) -> Stage {
    let Rehearsed { case, stage, states, .. } = rehearsed;
    let place = stage.put_up();
    let acknowledged = {
        let pond = open(*case, &place).await;
        place.medium.set(Fault::Death { at, half: false });
        case.act(&place, pond.as_ref()).await.is_ok()
    };
    let trace = place.medium.trace();
    // An acknowledgement in front of a death is that of upkeep or a hint that
    // failed: what was asked for is done.
    let (safe, reached) = (rehearsed.safe_state_after(&trace), rehearsed.state_after(&trace));
    let asked_for = if case.is_followed_by_upkeep() { 1 } else { states.len() - 1 };
    assert!(
        !acknowledged || safe >= asked_for.min(states.len() - 1),
        "acknowledged and not on the disk"
    );
    let left = stage.with(place.medium.after_power_loss(survival)).put_up();
    let seen = Seen::of(&left.pond()).await;
    let possible = &states[safe..=reached];
    assert!(possible.contains(&seen), "{seen:?} is none of {possible:?}");
    left.clock.advance(3_600_000_000);
    go_on(*case, &left).await;
    left.strike()
}
