//! Bytes in and out.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt as _;

use crate::program::{Place, json};

#[test]
fn files_of_every_size_come_back_as_they_went() {
    let place = Place::with_pond();
    for size in [0usize, 1, 65_535, 65_536, 65_537, 3_000_000] {
        let bytes: Vec<u8> = (0..size).map(|n| (n * 7 % 253) as u8).collect();
        place.write("in", &bytes);
        let path = format!("/f{size}");
        place.run(["copy", "host:in", &path]).ok();
        place.run(["copy", &path, "host:out"]).ok();
        assert!(place.read("out") == bytes, "{size}");
        assert!(place.run(["cat", &path]).ok().stdout == bytes, "{size}");
        assert!(place.run(["copy", &path, "-"]).ok().stdout == bytes, "{size}");
    }
    place.run(["fsck"]).ok();
}

#[test]
fn copying_onto_a_file_adds_a_version() {
    let place = Place::with_pond();
    place.write("a", "first");
    place.run(["copy", "host:a", "/f"]).ok();
    place.write("a", "second");
    place.run(["copy", "host:a", "/f"]).ok().says("version 2");
    place.run(["cat", "/f"]).ok().prints("second");
    place.run(["cat", "--version", "1", "/f"]).ok().prints("first");
    place.run(["cat", "--as-of", "1", "/f"]).ok().prints("first");
    place.run(["copy", "--version", "1", "/f", "-"]).ok().prints("first");
    place.run(["cat", "--version", "9", "/f"]).fails(3).says("pond show /f");
}

#[test]
fn stdin_and_stdout_are_a_dash() {
    let place = Place::with_pond();
    place.run_with(b"from a pipe", ["copy", "-", "/piped"]).ok();
    place.run(["copy", "/piped", "-"]).ok().prints("from a pipe");
    place.run_with(b"x", ["copy", "-", "/no/such/dir"]).fails(3).says("mkdir -p /no/such");
    place.run_with(b"x", ["copy", "-p", "-", "/now/it/is"]).ok();
    place.run(["cat", "/now/it/is"]).ok().prints("x");
}

#[test]
fn several_sources_go_into_a_directory_or_not_at_all() {
    let place = Place::with_pond();
    place.write("a", "1");
    place.write("b", "2");
    place.run(["copy", "host:a", "host:b", "/d"]).fails(3).says("pond mkdir -p /d");
    place.run(["mkdir", "/d"]).ok();
    let before = place.txn();
    place.run(["copy", "host:a", "host:missing", "/d"]).fails(3).says("missing");
    assert_eq!(place.txn(), before);
    place.run(["list", "/d"]).ok().prints("");
    place.run(["copy", "host:a", "host:b", "/d"]).ok().says("2 files copied");
    assert_eq!(place.txn(), before + 1, "one command is one transaction");
    place.run(["list", "/d"]).ok().prints("/d/a\n/d/b\n");
    place.write("other/a", "3");
    place.run(["copy", "host:a", "host:other/a", "/d"]).fails(2).says("two sources");
}

#[test]
fn directories_are_copied_with_all_that_is_in_them() {
    let place = Place::with_pond();
    place.write("tree/a.txt", "a");
    place.write("tree/sub/b.txt", "b");
    std::fs::create_dir(place.path("tree/empty")).unwrap();
    std::os::unix::fs::symlink("../a.txt", place.path("tree/sub/link")).unwrap();
    place.run(["copy", "host:tree", "/t"]).fails(2).says("copy -r");
    place.run(["copy", "-r", "host:tree", "/t"]).ok();
    place
        .run(["list", "-R", "/t"])
        .ok()
        .prints("/t/a.txt\n/t/empty/\n/t/sub/\n/t/sub/b.txt\n/t/sub/link -> ../a.txt\n");
    place.run(["cat", "/t/sub/link"]).ok().prints("a");
    place.run(["copy", "-r", "/t", "host:back"]).ok();
    assert_eq!(place.read("back/sub/b.txt"), b"b");
    assert_eq!(place.read("back/sub/link"), b"a");
    assert!(place.path("back/empty").is_dir());
}

#[test]
fn what_can_not_be_kept_is_refused_by_name_and_nothing_is_written() {
    let place = Place::with_pond();
    place.write("good/fine", "x");
    std::os::unix::fs::symlink("/etc/passwd", place.path("good/out")).unwrap();
    place.run(["copy", "-r", "host:good", "/g"]).fails(6).says("good/out");
    std::fs::remove_file(place.path("good/out")).unwrap();
    std::os::unix::fs::symlink("../../x", place.path("good/up")).unwrap();
    place.run(["copy", "-r", "host:good", "/g"]).fails(6).says("good/up");
    std::fs::remove_file(place.path("good/up")).unwrap();
    std::fs::write(place.dir().join(OsStr::from_bytes(b"good/bad\xff")), "x").unwrap();
    place.run(["copy", "-r", "host:good", "/g"]).fails(6).says("not UTF-8");
    place.run(["list"]).ok().prints("");
    place.run(["copy", "host:/dev/null", "/null"]).fails(6).says("/dev/null");
    let name = OsStr::from_bytes(b"host:good/bad\xff");
    place.run([OsStr::new("copy"), name, OsStr::new("/renamed")]).ok();
    place.run(["cat", "/renamed"]).ok().prints("x");
    place
        .run([OsStr::new("copy"), OsStr::new("host:good/fine"), OsStr::from_bytes(b"/\xff")])
        .fails(6);
}

#[test]
fn odd_names_go_in_and_out() {
    let place = Place::with_pond();
    for name in
        ["with space", "quote'\"", "new\nline", "-dash", "ünïcödé", "a:b", "50%", "#1?", "*"]
    {
        place.write(name, name);
        let source = format!("host:{name}");
        let path = format!("/{name}");
        place.run(["copy", "--", &source, &path]).ok();
        place.run(["copy", "--", &path, "host:out/"]).ok();
        assert_eq!(place.read(&format!("out/{name}")), name.as_bytes());
    }
    place.run(["copy", "host:-dash", "/../x"]).ok();
    place.run(["mkdir", "/nul\\0"]).ok();
}

#[test]
fn globs_keep_their_shape_on_the_way_out() {
    let place = Place::with_pond();
    place.run(["mkdir", "-p", "/data/x/deep", "/data/y"]).ok();
    for path in ["/data/x/1.txt", "/data/x/deep/2.txt", "/data/y/3.txt"] {
        place.run_with(path.as_bytes(), ["copy", "-", path]).ok();
    }
    place.run(["copy", "/data/**/*.txt", "host:out"]).ok().says("3 files copied");
    assert_eq!(place.read("out/x/deep/2.txt"), b"/data/x/deep/2.txt");
    place.run(["copy", "--strip-prefix", "/data/x", "/data/x/**/*.txt", "host:flat/"]).ok();
    assert_eq!(place.read("flat/deep/2.txt"), b"/data/x/deep/2.txt");
    place.run(["copy", "--strip-prefix", "/data/x", "/data/**/*.txt", "host:flat/"]).fails(2);
    place.run(["copy", "/data/**", "host:all"]).ok().says("3 files copied");
    place.run(["copy", "-r", "/data/**", "host:again"]).ok().says("3 files copied");
    place.run(["copy", "/data/**/*.csv", "host:out"]).fails(3).says("nothing matches");
    place
        .run(["copy", "--dry-run", "/data/x/1.txt", "host:dry"])
        .ok()
        .prints("/data/x/1.txt -> dry\n");
    assert!(!place.path("dry").exists());
}

#[test]
fn nothing_is_written_outside_of_the_directory_named() {
    let place = Place::with_pond();
    place.run(["mkdir", "-p", "/d/sub"]).ok();
    place.run_with(b"inside", ["copy", "-", "/d/sub/f"]).ok();
    std::fs::create_dir_all(place.path("target")).unwrap();
    std::fs::create_dir_all(place.path("elsewhere")).unwrap();
    std::os::unix::fs::symlink(place.path("elsewhere"), place.path("target/sub")).unwrap();
    place.run(["copy", "/d/**/f", "host:target"]).fails(1).says("in the way");
    assert!(!place.path("elsewhere/f").exists());
}

#[test]
fn a_dry_run_changes_nothing() {
    let place = Place::with_pond();
    place.write("a", "1");
    let before = place.txn();
    place.run(["copy", "--dry-run", "host:a", "/a"]).ok().prints("/a: new (from a)\n");
    place.run(["copy", "host:a", "/a"]).ok();
    place.run(["copy", "-n", "host:a", "/a"]).ok().prints("/a: version 2 (from a)\n");
    place.run(["rm", "-n", "/a"]).ok().prints("/a\n");
    place.run(["mv", "-n", "/a", "/b"]).ok().prints("/a -> /b\n");
    assert_eq!(place.txn(), before + 1);
}

#[test]
fn files_are_copied_inside_the_pond() {
    let place = Place::with_pond();
    place.run_with(b"text", ["copy", "-", "/a"]).ok();
    place.run(["mkdir", "/d"]).ok();
    place.run(["copy", "/a", "/d"]).ok();
    place.run(["copy", "-r", "/d", "/e"]).ok();
    place.run(["cat", "/e/a"]).ok().prints("text");
    place.run(["copy", "-r", "/d", "/d/again"]).fails(1);
    let list = json(place.run(["list", "-R", "--format", "json"]).ok().text());
    assert_eq!(list.as_array().unwrap().len(), 5);
}

#[test]
fn a_pipe_of_the_host_is_not_replaced_and_a_link_is_followed() {
    let place = Place::with_pond();
    place.write("note.txt", "note");
    place.run(["copy", "host:note.txt", "/note.txt"]).ok();
    let pipe = place.path("pipe");
    assert!(std::process::Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    place.run(["copy", "/note.txt", "host:pipe"]).fails(1).says("is a device, pipe or socket");
    place.write("target.txt", "old");
    std::os::unix::fs::symlink("target.txt", place.path("link.txt")).unwrap();
    place.run(["copy", "/note.txt", "host:link.txt"]).ok();
    assert_eq!(place.read("target.txt"), b"note");
}
