//! Random work on one pond, with something going wrong at random in it.

use testing::Dice;
use testing::fault::{Cause, Fault, Survival};

use super::case::{Case, Rehearsed, Work, go_on, open};
use super::crash::death;
use super::power::power_cut;
use super::refusal::refusal;
use super::stage::Stage;
use super::survey::Survey;

#[tokio::test]
async fn random_work_on_a_disk_that_fails_at_random_loses_nothing() {
    let first = match std::env::var("DUCKPOND_SEED") {
        Ok(text) => {
            text.parse().unwrap_or_else(|_| panic!("DUCKPOND_SEED is a number, not `{text}`"))
        }
        Err(_) => 1,
    };
    let (rounds, steps) = super::long().map_or((1, 12), |rounds| (rounds, 30));
    let mut survey = Survey::new("random work");
    for seed in first..first + rounds {
        println!("seed {seed}: DUCKPOND_SEED={seed} repeats it");
        let mut dice = Dice::new(seed);
        let mut stage = Case::Automatic.stage().await;
        for step in 0..steps {
            let work = Case::Random(Work::new(&mut dice));
            let mut next = None;
            // A clock that no one can rely on; late, every file is old.
            if dice.below(8) == 0 {
                let days = [-90, -30, -1, 1, 30, 90, 25_000][dice.below(7)];
                stage.now_us += days * 86_400_000_000;
            }
            let rehearsed = Rehearsed::on(work, stage.clone()).await;
            let trial = played(&rehearsed, &mut dice, &mut next);
            survey.trial(format!("seed {seed}, step {step}, {work:?}"), trial).await;
            match next {
                Some(next) => stage = next,
                // It failed; what follows would fail for the same reason.
                None => break,
            }
        }
    }
    survey.end();
}

async fn played(rehearsed: &Rehearsed, dice: &mut Dice, next: &mut Option<Stage>) {
    let at = dice.below(rehearsed.trace.len() + 1);
    let cause = Cause::ALL[dice.below(4)];
    println!("  {:?}, {at} of {} operations", rehearsed.case, rehearsed.trace.len());
    *next = Some(match dice.below(6) {
        0 => death(rehearsed, at, dice.flip()).await,
        1 => power_cut(rehearsed, at, Survival::Seeded(dice.next())).await,
        2 => {
            let fault = Fault::Refusal { at, cause, lasting: dice.flip() };
            refusal(rehearsed, fault, cause).await
        }
        3 => refusal(rehearsed, Fault::LostAnswer { at }, Cause::Broken).await,
        _ => {
            let place = rehearsed.stage.put_up();
            let pond = open(rehearsed.case, &place).await;
            rehearsed.case.act(&place, pond.as_ref()).await.unwrap();
            go_on(rehearsed.case, &place).await;
            place.strike()
        }
    });
}
