//! Many trials, of which each may fail on its own.

use std::panic::AssertUnwindSafe;

use futures::FutureExt as _;
use testing::fault::Op;

use super::case::Rehearsed;
use super::long;

/// What came of many trials.
#[derive(Debug)]
pub(super) struct Survey {
    name: &'static str,
    trials: usize,
    failures: Vec<String>,
}

impl Survey {
    pub(super) const fn new(name: &'static str) -> Self {
        Self { name, trials: 0, failures: Vec::new() }
    }

    /// Says how far it has got.
    pub(super) fn turn_to(&self, next: &Rehearsed) {
        let (case, operations) = (next.case, next.trace.len());
        println!("{}: {} so far; {case:?} has {operations} operations", self.name, self.trials);
    }

    /// Makes a trial; its failure does not keep the others from being made.
    pub(super) async fn trial(&mut self, what: String, trial: impl Future<Output = ()>) {
        self.trials += 1;
        if let Err(panic) = AssertUnwindSafe(trial).catch_unwind().await {
            let why = panic
                .downcast_ref::<String>()
                .map(String::as_str)
                .or_else(|| panic.downcast_ref::<&str>().copied())
                .unwrap_or("it panicked");
            println!("FAILED {what}: {why}");
            self.failures.push(format!("{what}: {why}"));
        }
    }

    /// Says how many trials there were, and fails if one did.
    pub(super) fn end(self) {
        let Self { name, trials, failures } = self;
        println!("{name}: {trials} states, {} failures", failures.len());
        assert!(trials > 0);
        assert!(failures.is_empty(), "{}", failures.join("\n"));
    }
}

/// The operations at which something is to go wrong: all in the long form, and
/// otherwise about `limit`, those at and after commits first.
pub(super) fn chosen(trace: &[Op], commits: fn(&Op) -> bool, limit: usize) -> Vec<usize> {
    if long().is_some() {
        return (0..=trace.len()).collect();
    }
    let mut chosen: Vec<_> = trace
        .iter()
        .enumerate()
        .filter(|(_, op)| commits(op))
        .flat_map(|(at, _)| [at, at + 1])
        .collect();
    // The first and the last commit tell most.
    if chosen.len() > limit / 2 {
        let tail = chosen.split_off(chosen.len() - limit / 4);
        chosen.truncate(limit / 4);
        chosen.extend(tail);
    }
    let step = (trace.len() / (limit - chosen.len()).max(1)).max(1);
    chosen.extend((0..trace.len()).step_by(step));
    chosen.sort_unstable();
    chosen.dedup();
    chosen
}
