//! The disk refuses an operation, once or from then on, or its answer is lost.

use steward::Error;
use testing::fault::{Cause, Fault, Survival};

use super::case::{Case, Rehearsed, next_works, open};
use super::seen::{Seen, chain};
use super::stage::Stage;
use super::survey::{Survey, chosen};

#[tokio::test]
async fn a_refusal_of_any_operation_is_told_and_loses_nothing() {
    let mut survey = Survey::new("refusals");
    for case in Case::ALL {
        let rehearsed = Rehearsed::new(case).await;
        survey.turn_to(&rehearsed);
        for (nth, at) in chosen(&rehearsed.trace, case.commits(), 5).into_iter().enumerate() {
            let Some(op) = rehearsed.trace.get(at) else { continue };
            for (which, cause) in Cause::ALL.into_iter().enumerate() {
                for lasting in [false, true] {
                    // The short form takes turns.
                    let turn = nth % 8 == which * 2 + usize::from(lasting);
                    if !cause.answers(op.kind) || (super::long().is_none() && !turn) {
                        continue;
                    }
                    let how = if lasting { "from then on" } else { "once" };
                    let what = format!("{case:?}, {cause:?} {how} at {at} ({op})");
                    let fault = Fault::Refusal { at, cause, lasting };
                    survey
                        .trial(what, async { drop(refusal(&rehearsed, fault, cause).await) })
                        .await;
                }
            }
        }
    }
    survey.end();
}

#[tokio::test]
async fn a_lost_answer_is_resolved_by_reading_back() {
    let mut survey = Survey::new("lost answers");
    for case in Case::ALL {
        let rehearsed = Rehearsed::new(case).await;
        survey.turn_to(&rehearsed);
        for at in chosen(&rehearsed.trace, case.commits(), 5) {
            let Some(op) = rehearsed.trace.get(at) else { continue };
            let what = format!("{case:?}, answer lost at {at} ({op})");
            let fault = Fault::LostAnswer { at };
            survey
                .trial(what, async { drop(refusal(&rehearsed, fault, Cause::Broken).await) })
                .await;
        }
    }
    survey.end();
}

/// Gives the pond that was used on after it.
pub(super) async fn refusal(rehearsed: &Rehearsed, fault: Fault, cause: Cause) -> Stage {
    let Rehearsed { case, stage, states, .. } = rehearsed;
    let place = stage.put_up();
    let pond = open(*case, &place).await;
    place.medium.set(fault);
    let result = case.act(&place, pond.as_ref()).await;
    let trace = place.medium.trace();
    place.medium.set(Fault::Nothing);
    let reached = rehearsed.state_after(&trace);
    let seen = Seen::of(&place.pond()).await;
    assert_eq!(seen, states[reached], "after {result:?}");
    match &result {
        Ok(()) if case.is_followed_by_upkeep() => {
            assert!(reached > 0 || states.len() == 1);
        }
        Ok(()) => assert_eq!(reached, states.len() - 1, "done was not done"),
        Err(error) => {
            let text = chain(error);
            let named = cause.error().to_string();
            assert!(text.contains(&named), "`{text}` does not name `{named}`");
            assert!(!text.contains("panic"), "{text}");
            match error {
                // Upkeep is many transactions, of which this is one.
                Error::NotCommitted { .. } => assert!(reached + 1 < states.len(), "{text}"),
                Error::Unknown { txn_id, .. } => {
                    let found = seen.whole().transactions.iter().any(|t| t.txn_id == *txn_id);
                    assert!(found || reached + 1 < states.len(), "{text}");
                }
                _ => {}
            }
        }
    }
    // The cause is gone: the same pond is used on, as it is.
    let after = match pond {
        Some(pond) => next_works(&place, &pond, &place.pond(), &seen).await,
        None => {
            if result.is_err() && seen != states[states.len() - 1] {
                case.act(&place, None).await.unwrap();
            }
            super::case::go_on(*case, &place).await
        }
    };
    let left = place.medium.after_power_loss(Survival::Synced);
    Seen::of_tree(&left).await.agrees(&after);
    place.strike()
}
