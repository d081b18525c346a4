//! Directories, links, names: mkdir, list, rm, mv, ln.

use crate::program::{Place, json};

#[test]
fn directories_are_made_listed_and_removed() {
    let place = Place::with_pond();
    place.run(["mkdir", "-p", "/a/b/c"]).ok().says("3 directories made");
    place.run(["mkdir", "/a/d"]).ok();
    place.run(["list", "-R"]).ok().prints("/a/\n/a/b/\n/a/b/c/\n/a/d/\n");
    place.run(["list", "/**/c"]).ok().prints("/a/b/c/\n");
    place.run(["rm", "/a"]).fails(1).says("pond rm -r /a");
    place.run(["rm", "-r", "--dry-run", "/a"]).ok().prints("/a/b/c\n/a/b\n/a/d\n/a\n");
    place.run(["rm", "-r", "/a"]).ok().says("4 entries removed");
    place.run(["list"]).ok().prints("");
    place.run(["list", "--as-of", "2"]).ok().prints("/a/\n");
}

#[test]
fn mkdir_says_what_is_wrong() {
    let place = Place::with_pond();
    place.run(["mkdir", "/a/b"]).fails(3).says("mkdir -p");
    place.run(["mkdir", "/a"]).ok();
    place.run(["mkdir", "/a"]).fails(1).says("exists already");
    place.run(["mkdir", "-p", "/a"]).ok();
    place.run(["mkdir", "/x", "/no/y"]).fails(3);
    place.run(["list"]).ok().prints("/a/\n");
}

#[test]
fn a_name_that_is_nearly_right_is_suggested() {
    let place = Place::with_pond();
    place.run(["mkdir", "-p", "/sensors/dock"]).ok();
    place.run(["list", "/sensors/dok"]).fails(3).says("did you mean `/sensors/dock`?");
    place.run(["list", "/senors/dock"]).fails(3).says("/sensors/dock");
    place.run(["list", "/zzz"]).fails(3).says("pond list /");
}

#[test]
fn links_are_listed_wherever_they_lead() {
    let place = Place::with_pond();
    place.run(["mkdir", "/real"]).ok();
    place.run(["ln", "-s", "/real", "/good"]).ok();
    place.run(["ln", "-s", "/nowhere", "/dangling"]).ok().says("nothing is at /nowhere");
    place.run(["ln", "-s", "/round", "/round"]).ok();
    place
        .run(["list"])
        .ok()
        .prints("/dangling -> /nowhere\n/good -> /real\n/real/\n/round -> /round\n");
    place.run(["list", "-l", "/**"]).ok();
    place.run(["mkdir", "/good/inside"]).ok();
    place.run(["list", "/real"]).ok().prints("/real/inside/\n");
    place.run(["cat", "/round"]).fails(1).says("too many symlinks");
    place.run(["ln", "/real", "/hard"]).fails(2).says("ln -s");
    place.run(["ln", "-s", "/real", "/good"]).ok();
    place.run(["list", "/real"]).ok().prints("/real/inside/\n/real/real -> /real\n");
}

#[test]
fn moves_keep_versions_and_never_overwrite_unasked() {
    let place = Place::with_pond();
    place.write("one", "1");
    place.write("two", "2");
    place.run(["copy", "host:one", "/f"]).ok();
    place.run(["copy", "host:two", "/f"]).ok();
    place.run(["copy", "host:one", "/g"]).ok();
    place.run(["mv", "/f", "/g"]).fails(1).says("--force");
    place
        .run(["mv", "--dry-run", "--force", "/f", "/g"])
        .ok()
        .prints("/f -> /g (replaces what is there)\n");
    place.run(["mv", "--force", "/f", "/g"]).ok();
    place.run(["cat", "/g"]).ok().prints("2");
    place.run(["cat", "--version", "1", "/g"]).ok().prints("1");
    place.run(["mkdir", "/d"]).ok();
    place.run(["mv", "/g", "/d"]).ok();
    place.run(["list", "-R"]).ok().prints("/d/\n/d/g\n");
    place.run(["mv", "/d", "/d/e"]).fails(1);
    place.run(["mv", "/nothing", "/x"]).fails(3);
}

#[test]
fn hidden_names_are_shown_when_asked() {
    let place = Place::with_pond();
    place.run(["mkdir", "/.hidden", "/shown"]).ok();
    place.run(["list"]).ok().prints("/shown/\n");
    place.run(["list", "-a"]).ok().prints("/.hidden/\n/shown/\n");
    place.run(["list", "/.hidden"]).ok().prints("");
}

#[test]
fn lists_are_json_for_programs() {
    let place = Place::with_pond();
    place.write("x", "hello");
    place.run(["copy", "host:x", "/x"]).ok();
    let list = json(place.run(["list", "--format", "json"]).ok().text());
    assert_eq!(list[0]["path"], "/x");
    assert_eq!(list[0]["type"], "file:data");
    assert_eq!(list[0]["size_bytes"], 5);
    let empty = place.run(["mkdir", "/e"]).ok();
    drop(empty);
    assert_eq!(json(place.run(["list", "/e", "--format", "json"]).ok().text()), json("[]"));
    let line = place.run(["list", "--format", "ndjson", "/x"]).ok();
    assert_eq!(line.text().lines().count(), 1);
}

#[test]
fn control_characters_in_names_do_not_reach_the_terminal() {
    let place = Place::with_pond();
    place.run(["mkdir", "/a\u{1b}[2Jb\nc"]).ok();
    place.run(["list"]).ok().prints("/a\\u{1b}[2Jb\\nc/\n");
    let list = json(place.run(["list", "--format", "json"]).ok().text());
    assert_eq!(list[0]["path"], "/a\u{1b}[2Jb\nc");
}
