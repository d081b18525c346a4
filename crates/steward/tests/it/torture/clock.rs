//! The clock steps back and forward by years, or stands: order and results
//! stay, and `--as-of TIME` goes by the latest end so far.

use steward::{AsOf, Pond};
use testing::{Dice, START_US};
use tinyfs::contract::Picture;

use super::case::{append, maintain, remove, write};
use super::stage::{Place, Stage};

const YEAR_US: i64 = 365 * 86_400_000_000;
/// The end of the year 9999, and the beginning of the year 1.
const LAST_US: i64 = 253_402_300_799_999_999;
const FIRST_US: i64 = -62_135_596_800_000_000;

/// Does the same work whatever the clock says.
async fn work(place: &Place, pond: &Pond, number: usize) {
    match number % 5 {
        0 => append(place, pond, number as i64).await.unwrap(),
        1 => write(place, pond, "/a", &number.to_le_bytes()).await.unwrap(),
        2 => write(place, pond, "/b", &number.to_le_bytes()).await.unwrap(),
        3 => remove(place, pond, "/b").await.unwrap(),
        _ => write(place, pond, "/large", &[number as u8; 70_000]).await.unwrap(),
    }
}

async fn fresh() -> (Place, Pond) {
    let place = Stage::empty().put_up();
    let pond = Pond::init(&place.pond(), "test", place.environment()).await.unwrap();
    for (key, value) in [
        ("maintenance.automatic", "false"),
        ("maintenance.merge_versions", "2"),
        ("maintenance.compact_files", "4"),
        ("maintenance.checkpoint_commits", "4"),
    ] {
        pond.set_setting(key, value).unwrap();
    }
    (place, pond)
}

/// The number of the transaction that a time means, by the rule.
fn meant(ends: &[i64], time_us: i64) -> u64 {
    let mut latest = i64::MIN;
    let seen = ends.iter().take_while(|end| {
        latest = latest.max(**end);
        latest <= time_us
    });
    seen.count() as u64
}

async fn times_mean_what_the_rule_says(pond: &Pond, ends: &[i64]) {
    let view = pond.read().await.unwrap();
    for near in ends.iter().copied().chain([FIRST_US, LAST_US, 0]) {
        for time_us in [near - 1, near, near + 1] {
            let found = view.at(AsOf::Time(time_us)).await.unwrap().txn_seq();
            assert_eq!(found, meant(ends, time_us), "as of {time_us} with {ends:?}");
        }
    }
}

async fn runs_as_with_an_even_clock(times: &[i64]) {
    let ((even, even_pond), (odd, odd_pond)) = (fresh().await, fresh().await);
    for (number, time_us) in times.iter().enumerate() {
        work(&even, &even_pond, number).await;
        odd.clock.set(time_us - 1_000_000);
        work(&odd, &odd_pond, number).await;
    }
    drop(odd_pond);
    let odd_pond = Pond::open(&odd.pond(), odd.environment()).await.unwrap();
    assert_eq!(odd_pond.notices(), []);
    let last = times.len() as u64;
    let compare = async |odd_pond: &Pond| {
        let (even, odd) = (even_pond.read().await.unwrap(), odd_pond.read().await.unwrap());
        for txn_seq in 1..=last {
            let at = AsOf::Txn(txn_seq);
            let (even, odd) = (even.at(at).await.unwrap(), odd.at(at).await.unwrap());
            let even = Picture::of(&even.store()).await.unwrap();
            assert_eq!(Picture::of(&odd.store()).await.unwrap(), even, "transaction {txn_seq}");
        }
    };
    compare(&odd_pond).await;
    times_mean_what_the_rule_says(&odd_pond, times).await;
    // Upkeep with the clock where it was at first: a merge of series is a
    // transaction, and goes last whatever its time.
    odd.clock.set(times[0]);
    maintain(&odd_pond, None).await.unwrap();
    compare(&odd_pond).await;
    let log = odd_pond.read().await.unwrap();
    let mut ends = Vec::new();
    for txn_seq in 1..=log.txn_seq() {
        ends.push(log.show(txn_seq).await.unwrap().0.ended_us);
    }
    assert_eq!(&ends[..times.len()], times);
    assert!(ends.len() > times.len(), "nothing was merged");
    times_mean_what_the_rule_says(&odd_pond, &ends).await;
    assert_eq!(odd_pond.fsck().await.unwrap().findings, []);
}

#[tokio::test]
async fn a_clock_that_stands_or_steps_by_years_changes_nothing() {
    let year = |years: i64| START_US + years * YEAR_US;
    for times in [
        [START_US; 12],
        [0, 10, -25, 10, 10, 0, 1, -54, -60, 11, 0, 2].map(year),
        [LAST_US, START_US, FIRST_US, 0, -1, 1, LAST_US, START_US, 5, 4, 3, START_US],
    ] {
        runs_as_with_an_even_clock(&times).await;
    }
}

#[tokio::test]
async fn a_clock_that_steps_at_random_changes_nothing() {
    let rounds = super::long().unwrap_or(1);
    for seed in 0..rounds {
        println!("seed {seed}");
        let mut dice = Dice::new(seed);
        let mut now_us = START_US;
        let times: Vec<_> = (0..12)
            .map(|_| {
                let scale = [0, 1, 1_000_000, 86_400_000_000, YEAR_US][dice.below(5)];
                now_us += (dice.below(41) as i64 - 20) * scale;
                now_us
            })
            .collect();
        runs_as_with_an_even_clock(&times).await;
    }
}
