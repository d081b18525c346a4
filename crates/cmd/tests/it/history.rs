//! log, show, diff, --as-of.

use crate::program::{Place, json};

fn with_history() -> Place {
    let place = Place::with_pond();
    place.run(["mkdir", "/d"]).ok();
    place.run_with(b"one", ["copy", "-", "/d/f"]).ok();
    place.run_with(b"two", ["copy", "-", "/d/f"]).ok();
    place.run(["mv", "/d/f", "/d/g"]).ok();
    place.run(["rm", "-r", "/d"]).ok();
    place
}

#[test]
fn every_change_is_in_the_log_with_its_command() {
    let place = with_history();
    let log = json(place.run(["log", "--format", "json"]).ok().text());
    let commands: Vec<_> = log
        .as_array()
        .unwrap()
        .iter()
        .map(|one| one["command"].as_str().unwrap().to_owned())
        .collect();
    assert_eq!(
        commands,
        [
            "pond rm -r /d",
            "pond mv /d/f /d/g",
            "pond copy - /d/f",
            "pond copy - /d/f",
            "pond mkdir /d"
        ]
    );
    assert_eq!(log[0]["transaction"], 5);
    assert_eq!(log[0]["kind"], "user");
    assert_eq!(place.run(["log", "-n", "2", "--format", "ndjson"]).ok().text().lines().count(), 2);
    assert!(place.run(["log"]).ok().text().contains("pond mv /d/f /d/g"));
    assert_eq!(json(Place::with_pond().run(["log", "--format", "json"]).ok().text()), json("[]"));
}

#[test]
fn reading_leaves_no_transaction() {
    let place = with_history();
    for args in [
        &["list"][..],
        &["log"],
        &["status"],
        &["fsck"],
        &["sql", "SELECT 1"],
        &["mkdir", "-p", "/"],
    ] {
        place.run(args).ok();
    }
    assert_eq!(place.txn(), 5);
}

#[test]
fn a_transaction_shows_what_it_changed() {
    let place = with_history();
    let shown = json(place.run(["show", "4", "--format", "json"]).ok().text());
    assert_eq!(shown["changes"][0]["change"], "moved");
    assert_eq!(shown["changes"][0]["from"], "/d/f");
    assert_eq!(shown["changes"][0]["path"], "/d/g");
    place.run(["show", "99"]).fails(3).says("pond log");
    place.run(["show", "2"]).ok();
}

#[test]
fn a_path_shows_its_versions() {
    let place = with_history();
    let shown = json(place.run(["show", "/d/g", "--as-of", "4", "--format", "json"]).ok().text());
    let versions: Vec<_> = shown["versions"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| one["version"].as_u64().unwrap())
        .collect();
    assert_eq!(versions, [2, 1]);
    assert_eq!(shown["versions"][0]["command"], "pond copy - /d/f");
    place.run(["show", "/d/g"]).fails(3);
}

#[test]
fn moments_are_compared() {
    let place = with_history();
    place.run(["diff", "1", "2"]).ok().prints("+ /d/f  file:data\n");
    place.run(["diff", "2", "3"]).ok().prints("~ /d/f  version 1 -> 2\n");
    place.run(["diff", "3", "4"]).ok().prints("> /d/g  moved from /d/f\n");
    place.run(["diff", "4", "5"]).ok().prints("- /d  directory\n- /d/g  file:data\n");
    place.run(["diff", "2", "2"]).ok().prints("");
    place.run(["diff", "2", "99"]).fails(3);
    place.run(["diff", "1", "4", "/nope"]).fails(3);
}

#[test]
fn an_earlier_state_is_whole() {
    let place = with_history();
    place.run(["list", "-R", "--as-of", "3"]).ok().prints("/d/\n/d/f\n");
    place.run(["cat", "--as-of", "2", "/d/f"]).ok().prints("one");
    place.run(["copy", "--as-of", "4", "/d/g", "host:back"]).ok();
    assert_eq!(place.read("back"), b"two");
    place.run(["list", "--as-of", "0"]).ok().prints("");
    place.run(["list", "--as-of", "2000-01-01"]).ok().prints("");
    place.run(["list", "--as-of", "6"]).fails(3);
}
