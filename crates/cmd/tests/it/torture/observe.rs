//! What a pond holds, as the program tells it.

use std::collections::BTreeMap;

use super::model::{Node, Tree};
use crate::program::{Place, json};

/// The whole pond, read in a process of its own.
pub(super) fn tree(place: &Place) -> Tree {
    as_of(place, None)
}

/// The whole pond as it was after a transaction.
pub(super) fn as_of(place: &Place, txn: Option<u64>) -> Tree {
    let mut tree = Tree::default();
    let moment = txn.map(|txn| txn.to_string());
    let moment: Vec<&str> = moment.iter().flat_map(|txn| ["--as-of", txn]).collect();
    let args = ["list", "-laR", "--format", "ndjson", "/"];
    let listed = place.run(args.iter().chain(&moment)).ok();
    for line in listed.text().lines() {
        let entry = json(line);
        let path = entry["path"].as_str().unwrap();
        let version = || entry["version"].as_u64().unwrap();
        let node = match entry["type"].as_str().unwrap() {
            "directory" => Node::Directory,
            "symlink" => Node::Link(entry["target"].as_str().unwrap().to_owned()),
            "file:data" => {
                Node::File { version: version(), hash: entry["hash"].as_str().unwrap().to_owned() }
            }
            "file:series" => Node::Series { version: version(), rows: BTreeMap::new() },
            other => panic!("{other} at {path}"),
        };
        tree.insert(path, node);
    }
    if tree.0.values().any(|node| matches!(node, Node::Series { .. })) {
        let query = "SELECT _path, CAST(date_part('epoch', time) AS BIGINT) AS t, v \
                     FROM '/**/*.series'";
        let args = ["sql", "--format", "ndjson", "--verify-reads", query];
        let queried = place.run(args.iter().chain(&moment)).ok();
        for line in queried.text().lines() {
            let row = json(line);
            let path = row["_path"].as_str().unwrap();
            let Some(Node::Series { rows, .. }) = tree.0.get_mut(path) else {
                panic!("rows of {path}, which is not listed")
            };
            let before = rows.insert(row["t"].as_i64().unwrap(), row["v"].as_i64().unwrap());
            assert_eq!(before, None, "two rows at one time in {path}");
        }
    }
    tree
}

/// The numbers and commands of the users' transactions, the oldest first.
pub(super) fn history(place: &Place) -> Vec<(u64, String)> {
    let log = place.run(["log", "--format", "ndjson"]).ok();
    let mut commands: Vec<(u64, String)> = log
        .text()
        .lines()
        .map(json)
        .filter(|entry| entry["kind"] == "user")
        .map(|entry| {
            let command = entry["command"].as_str().unwrap().to_owned();
            (entry["transaction"].as_u64().unwrap(), command)
        })
        .collect();
    commands.reverse();
    commands
}

/// Files that an interrupted write left: temporary names anywhere in the pond.
pub(super) fn leftovers(place: &Place) -> Vec<std::path::PathBuf> {
    let mut found = Vec::new();
    let mut open = vec![place.path("pond")];
    while let Some(directory) = open.pop() {
        for entry in std::fs::read_dir(directory).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            if path.is_dir() {
                open.push(path);
            } else if name.starts_with('.') {
                found.push(path);
            }
        }
    }
    found
}
