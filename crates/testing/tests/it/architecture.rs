//! Which crate may know which: the map in `ARCHITECTURE.md`.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;

/// Our crates and those of ours that each may name.
const MAP: &[(&str, &[&str])] = &[
    (
        "cmd",
        &[
            "derived",
            "diagnostics",
            "factory",
            "query",
            "resident",
            "steward",
            "tinyfs",
            "tlogfs",
            "unify",
        ],
    ),
    ("derived", &["diagnostics", "factory", "query", "tinyfs"]),
    ("diagnostics", &[]),
    ("factory", &["diagnostics", "tinyfs"]),
    ("oplog", &["diagnostics", "tinyfs"]),
    ("query", &["diagnostics", "tinyfs"]),
    ("resident", &[]),
    ("steward", &["diagnostics", "oplog", "tinyfs", "tlogfs"]),
    (
        "testing",
        &["derived", "diagnostics", "factory", "oplog", "query", "steward", "tinyfs", "tlogfs"],
    ),
    ("tinyfs", &[]),
    ("tlogfs", &["diagnostics", "oplog", "tinyfs"]),
    ("unify", &[]),
];

/// The names in the `[dependencies]` of each crate.
fn dependencies() -> BTreeMap<String, BTreeSet<String>> {
    let crates = testing::repository().join("crates");
    let mut found = BTreeMap::new();
    for entry in fs::read_dir(crates).expect("crates/ is listed") {
        let entry = entry.expect("an entry of crates/");
        let Ok(manifest) = fs::read_to_string(entry.path().join("Cargo.toml")) else { continue };
        let names = manifest
            .lines()
            .skip_while(|line| line.trim() != "[dependencies]")
            .skip(1)
            .take_while(|line| !line.starts_with('['))
            .filter_map(|line| line.split(['.', '=', ' ']).next())
            .filter(|name| !name.is_empty() && !name.starts_with('#'))
            .map(str::to_owned)
            .collect();
        found.insert(entry.file_name().into_string().expect("a crate's name"), names);
    }
    found
}

#[test]
fn every_crate_names_only_what_the_map_allows() {
    let map: BTreeMap<_, _> = MAP.iter().copied().collect();
    let found = dependencies();
    assert_eq!(
        found.keys().map(String::as_str).collect::<Vec<_>>(),
        map.keys().copied().collect::<Vec<_>>(),
        "the map in this test, in ARCHITECTURE.md and in crates/ agree"
    );
    for (name, dependencies) in &found {
        let ours = dependencies.iter().filter(|d| found.contains_key(*d));
        for dependency in ours {
            assert!(
                map[name.as_str()].contains(&dependency.as_str()),
                "`{name}` may not name `{dependency}`"
            );
        }
    }
}

#[test]
fn only_oplog_names_deltalake() {
    for (name, dependencies) in dependencies() {
        let names_delta = dependencies.iter().any(|d| d.starts_with("delta"));
        assert_eq!(names_delta, name == "oplog", "in `{name}`");
    }
}

#[test]
fn tinyfs_and_diagnostics_know_nothing_of_storage_or_sql() {
    let heavy = ["arrow", "datafusion", "object_store", "parquet"];
    let found = dependencies();
    for name in ["tinyfs", "diagnostics"] {
        for dependency in heavy {
            assert!(!found[name].contains(dependency), "`{name}` names `{dependency}`");
        }
    }
}
