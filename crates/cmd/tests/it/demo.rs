//! The tutorial, as a user runs it.

use std::fs;

use crate::program::{Place, Ran};

fn demo(place: &Place) -> Ran {
    place.run(["demo", "--dir", "first look"])
}

#[test]
fn the_demo_runs_and_shows_every_command() {
    let place = Place::empty();
    let ran = demo(&place).ok();
    let text = ran.text();
    for line in [
        "$ pond init\n",
        "$ pond copy -p host+csv+zstd+series:data/noyo-edition-1.csv.zst /tides/noyo.series",
        "$ pond copy host+csv+zstd+series:data/noyo-edition-2.csv.zst /tides/noyo.series\n",
        "$ pond list -l '/**/*'\n",
        "\n2025-11-02T00:00:00-07:00,250,",
        "$ pond plot /tides/noyo.series",
        "Oct 2025",
        "America/Los_Angeles\n",
        "$ pond log -n 4\n",
        "$ pond fsck\n",
        "Try next:",
    ] {
        assert!(text.contains(line), "no {line:?} in {text}\n{}", ran.stderr);
    }
    let done = text.lines().find(|line| line.starts_with("Done: ")).unwrap();
    let shown = text.lines().take_while(|line| *line != done);
    let commands = shown.filter(|line| line.starts_with("$ pond ")).count();
    assert!(done.starts_with(&format!("Done: {commands} commands in ")), "{done}");
    assert!(commands > 20, "{done}");

    // What it says of the place is there.
    let svg = String::from_utf8(place.read("first look/groundwater.svg")).unwrap();
    assert!(svg.starts_with("<svg ") && svg.contains("prefers-color-scheme"));
    assert!(place.path("first look/data/README.md").is_file());
    // The history has what was shown, not one long demo.
    let pond = place.path("first look/pond");
    let log = place.run(["--pond", pond.to_str().unwrap(), "log", "--format", "ndjson"]).ok();
    assert!(log.text().contains("pond copy host:data/weather.csv.gz /docs/"), "{}", log.text());
    assert!(!log.text().contains("pond demo"), "{}", log.text());
}

#[test]
fn a_second_demo_remakes_its_own_pond_and_keeps_one_that_was_changed() {
    let place = Place::empty();
    demo(&place).ok();
    demo(&place).ok().says("reused").says("pond is as the last demo left it: made again");
    assert!(!place.path("first look/pond-2").exists());

    let pond = place.path("first look/pond");
    let pond = pond.to_str().unwrap();
    place.run(["--pond", pond, "mkdir", "/mine"]).ok();
    demo(&place).ok().says("pond was changed since the demo made it: kept");
    place.run(["--pond", pond, "describe", "/mine"]).ok();
    assert!(place.path("first look/pond-2").is_dir());
}

#[test]
fn the_demo_refuses_what_is_not_its_own() {
    let place = Place::empty();
    place.write("first look/thesis.txt", "years");
    demo(&place).fails(2).says("holds something else");
    assert_eq!(fs::read_dir(place.path("first look")).unwrap().count(), 1);

    let place = Place::empty();
    place.write("first look/demo.json", "{\"ponds\":{}}");
    place.write("first look/data/notes.md", "mine");
    demo(&place).fails(1).says("is not as the demo wrote it");
    assert_eq!(place.read("first look/data/notes.md"), b"mine");
}
