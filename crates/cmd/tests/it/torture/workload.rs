//! Random commands, with what each does to the model.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use super::model::{Node, Tree};
use super::random::Random;
use crate::program::Place;

/// One command, and what the pond must hold once it is done.
#[derive(Clone, Debug)]
pub(super) struct Step {
    pub(super) args: Vec<String>,
    pub(super) after: Tree,
    pub(super) kind: Kind,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// It makes one transaction.
    Transaction,
    /// It changes how the pond lies on the disk, and nothing else.
    Upkeep,
    /// As upkeep, and it drops the history.
    Prune,
    /// It changes a setting.
    Setting,
}

/// Settings under which upkeep is due all the time.
pub(super) const EAGER: &[(&str, &str)] = &[
    ("maintenance.compact_files", "4"),
    ("maintenance.checkpoint_commits", "6"),
    ("maintenance.merge_versions", "3"),
];

/// Makes commands that succeed on the pond that the model describes.
#[derive(Debug)]
pub(super) struct Workload {
    made: u64,
}

impl Workload {
    pub(super) const fn new() -> Self {
        Self { made: 0 }
    }

    /// The next command; host files it needs are written below `place`.
    pub(super) fn next(&mut self, place: &Place, tree: &Tree, random: &mut Random) -> Step {
        self.made += 1;
        loop {
            if let Some(step) = self.attempt(place, tree, random) {
                return step;
            }
        }
    }

    fn attempt(&self, place: &Place, tree: &Tree, random: &mut Random) -> Option<Step> {
        match random.below(22) {
            0..=1 => make_directory(tree, random),
            2..=4 => self.copy_one(place, tree, random),
            5..=6 => self.copy_several(place, tree, random),
            7 => self.copy_directory(place, tree, random),
            8..=12 => self.append(place, tree, random),
            13 => copy_within(tree, random),
            14..=15 => rename(tree, random),
            16 => remove(tree, random),
            17 => link(tree, random),
            18 => Some(upkeep(tree, &["maintain"], Kind::Upkeep)),
            19 => {
                let args = ["maintain", "--prune", "--keep", "0s"];
                random.one_in(2).then(|| upkeep(tree, &args, Kind::Prune))
            }
            20 => {
                let budget = (200 + random.below(100)).to_string();
                let args = ["config", "maintenance.budget_ms", &budget];
                Some(upkeep(tree, &args, Kind::Setting))
            }
            _ => self.copy_large(place, tree, random),
        }
    }

    fn copy_one(&self, place: &Place, tree: &Tree, random: &mut Random) -> Option<Step> {
        let len = *random.pick(&[0, 1, 100, 5_000, 65_535]);
        self.copy_file(place, tree, random, len)
    }

    fn copy_large(&self, place: &Place, tree: &Tree, random: &mut Random) -> Option<Step> {
        let len = 65_536 + random.below(300_000);
        self.copy_file(place, tree, random, len)
    }

    fn copy_file(
        &self,
        place: &Place,
        tree: &Tree,
        random: &mut Random,
        len: usize,
    ) -> Option<Step> {
        let to = file_in(tree, random)?;
        let bytes = random.bytes(len);
        let name = format!("in/{}", self.made);
        place.write(&name, &bytes);
        let mut after = tree.clone();
        after.write(&to, &bytes);
        Some(step(&["copy", &format!("host:{name}"), &to], after))
    }

    /// All of them or none: a torn transaction shows.
    fn copy_several(&self, place: &Place, tree: &Tree, random: &mut Random) -> Option<Step> {
        let into = random.pick(&tree.directories()).clone();
        let mut after = tree.clone();
        let mut args = vec!["copy".to_owned()];
        for at in 0..2 + random.below(3) {
            let to = format!("{into}/f{at}");
            free_for_file(tree, &to)?;
            let len = *random.pick(&[10, 1_000, 80_000]);
            let bytes = random.bytes(len);
            let name = format!("in/{}/f{at}", self.made);
            place.write(&name, &bytes);
            after.write(&to, &bytes);
            args.push(format!("host:{name}"));
        }
        args.push(format!("{into}/"));
        Some(Step { args, after, kind: Kind::Transaction })
    }

    fn copy_directory(&self, place: &Place, tree: &Tree, random: &mut Random) -> Option<Step> {
        let into = random.pick(&tree.directories()).clone();
        let top = format!("t{}", self.made);
        let mut after = tree.clone();
        after.insert(&format!("{into}/{top}"), Node::Directory);
        after.insert(&format!("{into}/{top}/sub"), Node::Directory);
        for (name, len) in [("a", 20), ("sub/b", 70_000), ("sub/c", 0)] {
            let bytes = random.bytes(len);
            place.write(&format!("in/{top}/{name}"), &bytes);
            after.write(&format!("{into}/{top}/{name}"), &bytes);
        }
        Some(step(&["copy", "-r", &format!("host:in/{top}"), &format!("{into}/")], after))
    }

    fn append(&self, place: &Place, tree: &Tree, random: &mut Random) -> Option<Step> {
        let known = tree.paths_of(|node| matches!(node, Node::Series { .. }));
        let to = if known.len() >= 2 || (!known.is_empty() && random.one_in(2)) {
            random.pick(&known).clone()
        } else {
            let path = format!("{}/s{}.series", random.pick(&tree.directories()), random.below(4));
            tree.get(&path).is_none().then_some(path)?
        };
        let first = 1_700_000_000 + 60 * random.below(500) as i64;
        let times = (0..1 + random.below(40) as i64).map(|at| first + at * 60);
        let rows: Vec<(i64, i64)> =
            times.map(|time| (time, (random.next() >> 20) as i64)).collect();
        let mut csv = "time,v\n".to_owned();
        for (time, value) in &rows {
            writeln!(csv, "{time},{value}").unwrap();
        }
        let name = format!("in/{}.csv", self.made);
        place.write(&name, csv);
        let mut after = tree.clone();
        after.append(&to, &rows);
        let from = format!("host+csv+series:{name}");
        let how = ["--time-column", "time", "--time-format", "epoch"];
        let mut step = step(&["copy", &from, &to], after);
        step.args.extend(how.map(str::to_owned));
        Some(step)
    }
}

fn step(args: &[&str], after: Tree) -> Step {
    let args = args.iter().map(|&arg| arg.to_owned()).collect();
    Step { args, after, kind: Kind::Transaction }
}

fn upkeep(tree: &Tree, args: &[&str], kind: Kind) -> Step {
    Step { kind, ..step(args, tree.clone()) }
}

fn file_in(tree: &Tree, random: &mut Random) -> Option<String> {
    let path = format!("{}/f{}", random.pick(&tree.directories()), random.below(6));
    free_for_file(tree, &path)?;
    Some(path)
}

fn free_for_file(tree: &Tree, path: &str) -> Option<()> {
    matches!(tree.get(path), None | Some(Node::File { .. })).then_some(())
}

/// A name that nothing has yet; few directories, so that commands meet.
fn new_name(tree: &Tree, random: &mut Random, letter: char) -> Option<String> {
    let path = format!("{}/{letter}{}", random.pick(&tree.directories()), random.below(4));
    (tree.get(&path).is_none() && path.matches('/').count() < 5).then_some(path)
}

fn make_directory(tree: &Tree, random: &mut Random) -> Option<Step> {
    let path = new_name(tree, random, 'd')?;
    let mut after = tree.clone();
    after.insert(&path, Node::Directory);
    Some(step(&["mkdir", &path], after))
}

fn copy_within(tree: &Tree, random: &mut Random) -> Option<Step> {
    let files = tree.paths_of(|node| matches!(node, Node::File { .. }));
    if files.is_empty() {
        return None;
    }
    let from = random.pick(&files);
    let to = new_name(tree, random, 'c')?;
    let Some(Node::File { hash, .. }) = tree.get(from) else { return None };
    let mut after = tree.clone();
    after.insert(&to, Node::File { version: 1, hash: hash.clone() });
    Some(step(&["copy", from, &to], after))
}

fn rename(tree: &Tree, random: &mut Random) -> Option<Step> {
    let paths = tree.paths();
    if paths.is_empty() {
        return None;
    }
    let from = random.pick(&paths).clone();
    let into = random.pick(&tree.directories()).clone();
    if format!("{into}/").starts_with(&format!("{from}/")) {
        return None;
    }
    let name = match tree.get(&from)? {
        Node::Series { .. } => format!("m{}.series", random.below(9)),
        _ => format!("m{}", random.below(9)),
    };
    let to = format!("{into}/{name}");
    if tree.get(&to).is_some() {
        return None;
    }
    let mut after = tree.clone();
    after.rename(&from, &to);
    Some(step(&["mv", &from, &to], after))
}

fn remove(tree: &Tree, random: &mut Random) -> Option<Step> {
    let paths = tree.paths();
    if paths.len() < 12 {
        return None;
    }
    let path = random.pick(&paths).clone();
    let mut after = tree.clone();
    after.remove(&path);
    Some(step(&["rm", "-r", &path], after))
}

fn link(tree: &Tree, random: &mut Random) -> Option<Step> {
    let path = new_name(tree, random, 'l')?;
    let target = format!("/f{}", random.below(6));
    let mut after = tree.clone();
    after.insert(&path, Node::Link(target.clone()));
    Some(step(&["ln", "-s", &target, &path], after))
}

/// The settings that a replica has, as the program tells them.
pub(super) fn settings(place: &Place) -> BTreeMap<String, String> {
    let shown = place.run(["config", "--format", "json"]).ok();
    let all = crate::program::json(shown.text());
    let text = |value: &serde_json::Value| value.as_str().unwrap().to_owned();
    let all = all.as_array().unwrap();
    all.iter().map(|setting| (text(&setting["key"]), text(&setting["value"]))).collect()
}
