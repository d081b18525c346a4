//! `kill -9` at random instants and at system calls, under a random workload.
//!
//! After each: every acknowledged transaction is there, the whole tree is as
//! before or as after the command that was killed, the pond is sound, and the
//! next command works without anything being asked of anybody.

use std::collections::BTreeMap;
use std::fs::File;
use std::process::Stdio;
use std::time::{Duration, Instant};

use super::model::Tree;
use super::random::Random;
use super::workload::{EAGER, Kind, Step, Workload, settings};
use super::{observe, random, rounds, strace, tell};
use crate::program::Place;

/// A command killed at one instant leaves at most this many temporary files.
const LEFTOVERS_A_KILL: usize = 2;

/// A pond under torture.
struct Victim {
    place: Place,
    tree: Tree,
    workload: Workload,
    random: Random,
    /// The commands that were acknowledged or found done, by transaction.
    done: Vec<(u64, String)>,
    /// States that the history must still show, by transaction.
    states: BTreeMap<u64, Tree>,
    kills: usize,
    survived: usize,
}

impl Victim {
    fn new(random: Random) -> Self {
        let place = Place::with_pond();
        for (key, value) in EAGER {
            place.run(["config", key, value]).ok();
        }
        let workload = Workload::new();
        let (tree, done, states) = <_>::default();
        Self { place, tree, workload, random, done, states, kills: 0, survived: 0 }
    }

    fn next(&mut self) -> Step {
        self.workload.next(&self.place, &self.tree, &mut self.random)
    }

    /// What must hold after a command that ended like this (`None`: killed).
    fn check(&mut self, step: &Step, code: Option<i32>, stderr: &str) {
        assert!(!stderr.contains("panicked"), "{:?}: {stderr}", step.args);
        match code {
            None => self.kills += 1,
            Some(0) => self.survived += 1,
            Some(code) => panic!("{:?} ended with {code}: {stderr}", step.args),
        }
        let found = observe::tree(&self.place);
        let is_after = found == step.after;
        if code == Some(0) {
            assert_eq!(found, step.after, "{:?} was acknowledged", step.args);
        } else {
            assert!(
                is_after || found == self.tree,
                "{:?} was killed and is half done:\n{found:#?}\nbefore: {:#?}",
                step.args,
                self.tree,
            );
        }
        self.place.run(["fsck"]).ok();
        self.keep_account(step, is_after);
        self.tree = found;
    }

    /// Compares the history with what was done so far.
    fn keep_account(&mut self, step: &Step, is_after: bool) {
        let history = observe::history(&self.place);
        let known = self.done.last().map_or(0, |(txn, _)| *txn);
        let new: Vec<_> = history.iter().filter(|(txn, _)| *txn > known).cloned().collect();
        if step.kind == Kind::Transaction && is_after {
            assert_eq!(new.len(), 1, "one transaction a command: {new:?} of {:?}", step.args);
            assert!(new[0].1.contains(step.args.last().unwrap().as_str()), "{new:?}");
            self.states.insert(new[0].0, step.after.clone());
        } else {
            assert_eq!(new, [], "{:?}", step.args);
        }
        self.done.extend(new);
        let oldest = history.first().map_or(u64::MAX, |(txn, _)| *txn);
        let expected: Vec<_> = self.done.iter().filter(|(txn, _)| *txn >= oldest).collect();
        assert_eq!(history.iter().collect::<Vec<_>>(), expected, "nothing is lost");
        if expected.len() < self.done.len() {
            assert!(self.done.len() - expected.len() <= self.pruned_at_most(step), "{oldest}");
            self.done.drain(..self.done.len() - expected.len());
            self.states.retain(|txn, _| *txn >= oldest);
        }
    }

    /// Only a prune forgets.
    fn pruned_at_most(&self, step: &Step) -> usize {
        if step.kind == Kind::Prune { self.done.len() } else { 0 }
    }

    /// An earlier state is as it was.
    fn look_back(&mut self) {
        let known: Vec<u64> = self.states.keys().copied().collect();
        if known.is_empty() {
            return;
        }
        let txn = *self.random.pick(&known);
        assert_eq!(observe::as_of(&self.place, Some(txn)), self.states[&txn], "as of {txn}");
    }

    /// A command of the workload that nobody disturbs.
    fn undisturbed(&mut self) {
        let step = self.next();
        let ran = self.place.run(&step.args).ok();
        self.check(&step, Some(0), &ran.stderr);
    }

    /// Kills leave few files, and a day later upkeep leaves none of them.
    fn end(self, test: &str) {
        let left = observe::leftovers(&self.place);
        assert!(left.len() <= self.kills * LEFTOVERS_A_KILL + 8, "{} kills: {left:#?}", self.kills);
        for path in &left {
            let file = File::options().append(true).open(path).unwrap();
            let long_ago =
                file.metadata().unwrap().modified().unwrap() - Duration::from_secs(200_000);
            file.set_modified(long_ago).unwrap();
        }
        self.place.run(["maintain"]).ok();
        assert_eq!(observe::leftovers(&self.place), <Vec<std::path::PathBuf>>::new());
        assert_eq!(observe::tree(&self.place), self.tree);
        self.place.run(["fsck"]).ok();
        tell(&format!(
            "{test}: {} kills, {} commands survived, {} leftovers taken away",
            self.kills,
            self.survived,
            left.len()
        ));
    }
}

#[test]
fn a_kill_at_any_instant_loses_nothing_and_leaves_nothing_half_done() {
    let mut victim = Victim::new(random("instants"));
    // How long a command takes, so that kills fall into it.
    let mut typical = Duration::from_millis(40);
    for round in 0..rounds(30) {
        let step = victim.next();
        let began = Instant::now();
        let mut child = victim
            .place
            .command()
            .args(&step.args)
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let wait = typical.as_micros() as usize * 5 / 4;
        std::thread::sleep(Duration::from_micros(victim.random.below(wait) as u64));
        child.kill().unwrap();
        let output = child.wait_with_output().unwrap();
        if output.status.code().is_some() {
            typical = (typical + began.elapsed()) / 2;
        } else {
            typical += typical / 32;
        }
        let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
        victim.check(&step, output.status.code(), &stderr);
        if round % 8 == 7 {
            victim.undisturbed();
            victim.look_back();
        }
    }
    victim.end("instants");
}

#[test]
fn a_kill_at_any_system_call_loses_nothing_and_leaves_nothing_half_done() {
    if !strace::is_there() {
        return;
    }
    let mut victim = Victim::new(random("calls"));
    let mut calls = BTreeMap::<String, usize>::new();
    let (mut round, most) = (0, rounds(40));
    while round < most {
        // Kill one command at each of its calls in turn, until it survives.
        let stride = if most > 100 { 1 } else { 3 };
        let mut nth = 1 + victim.random.below(stride);
        loop {
            let step = victim.next();
            let killed = strace::kill_at(&victim.place, nth, &step.args);
            victim.check(&step, killed.code, &killed.stderr);
            round += 1;
            if killed.code.is_some() {
                break;
            }
            *calls.entry(killed.call).or_default() += 1;
            nth += stride;
        }
        victim.undisturbed();
        victim.look_back();
    }
    tell(&format!("calls: {calls:?}"));
    victim.end("calls");
}

#[test]
fn a_kill_while_a_pond_is_made_leaves_none_or_a_whole_one() {
    let mut random = random("init");
    for _ in 0..rounds(6) {
        let place = Place::empty();
        let mut child = place
            .command()
            .args(["init"])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        std::thread::sleep(Duration::from_micros(random.below(50_000) as u64));
        child.kill().unwrap();
        let acknowledged = child.wait().unwrap().success();
        if acknowledged || place.run(["list"]).code == 0 {
            place.run(["list"]).ok().prints("");
        } else {
            place.run(["init"]).ok();
        }
        place.run(["mkdir", "/a"]).ok();
        place.run(["fsck"]).ok();
    }
}

/// The setting that was being changed has its old value or its new one.
#[test]
fn a_kill_while_a_setting_is_changed_leaves_it_old_or_new() {
    let mut random = random("settings");
    let place = Place::with_pond();
    let key = "maintenance.budget_ms";
    let mut value = "250".to_owned();
    for round in 0..rounds(10) {
        let new = (300 + round).to_string();
        let mut child = place
            .command()
            .args(["config", key, &new])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        std::thread::sleep(Duration::from_micros(random.below(30_000) as u64));
        child.kill().unwrap();
        let acknowledged = child.wait().unwrap().success();
        let found = settings(&place)[key].clone();
        assert!(found == new || (!acknowledged && found == value), "{found}, not {value} or {new}");
        value = found;
    }
    place.run(["mkdir", "/a"]).ok();
}
