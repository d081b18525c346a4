//! Names and paths.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::{OsStrExt as _, OsStringExt as _};
use std::os::unix::fs::symlink;

use crate::program::{Place, json};

/// What turns, hides or moves text on a terminal.
const ACTING: [char; 6] = ['\x1b', '\x07', '\r', '\u{9b}', '\u{202e}', '\u{2066}'];

const NASTY: &str = "a\x1b[2J\x07\r\u{9b}31m\u{202e}gpj\u{2066}";

fn is_clean(text: &str) -> bool {
    !text.contains(ACTING)
}

#[test]
fn what_acts_on_a_terminal_is_escaped_wherever_text_is_listed() {
    let place = Place::with_pond();
    let path = format!("/{NASTY}");
    place.run(["mkdir", &path]).ok();
    place.run(["ln", "-s", &path, &format!("/link{NASTY}")]).ok();
    place.write("t.csv", format!("{NASTY},b\n{NASTY},1\n"));
    let table = format!("/{NASTY}.table");
    place.run(["copy", "host+csv+table:t.csv", &table]).ok();
    let query = format!("SELECT *, '{NASTY}' AS \"{NASTY}\" FROM '{table}'");
    for args in [
        &["list"][..],
        &["list", "-l"],
        &["list", "-R", "/"],
        &["describe", &table],
        &["describe", &path],
        &["show", "3"],
        &["show", &table],
        &["log"],
        &["status"],
        &["diff", "0", "3"],
        &["cat", &table, "--format", "table"],
        &["sql", &query, "--format", "table"],
        &["list", "/nope\x1b[2J"],
        &["cat", "/nope\u{202e}\x1b"],
        &["rm", &format!("/x{NASTY}")],
        &["sql", "SELECT '\x1b"],
        &["config", "x\x1b[2J", "1"],
        &["copy", "host:\x1b[2J", "/x"],
        &["copy", &table, "host:/nope\x1b/x"],
        &["\x1b[2J"],
        &["list", "--format", "\x1b[2J"],
        &["--memory-limit", "\x1b[2J", "list"],
        &["rm", "-n", "-r", &path],
        &["mv", "-n", &path, &format!("/z{NASTY}")],
        &["fsck"],
    ] {
        let ran = place.run(args);
        assert!(!ran.stderr.contains("panicked"), "{args:?}: {}", ran.stderr);
        assert!(is_clean(&ran.stderr), "{args:?}: {:?}", ran.stderr);
        assert!(is_clean(ran.text()), "{args:?}: {:?}", ran.text());
    }
    // Machines get the name as it is, in JSON's own escapes.
    let listed = place.run(["list", "--format", "ndjson"]).ok();
    assert!(!listed.text().contains('\x1b'), "JSON escapes it");
    let paths: Vec<_> = listed.text().lines().map(|line| json(line)["path"].clone()).collect();
    assert!(paths.iter().any(|found| found == path.as_str()), "{paths:?}");
}

#[test]
fn names_of_every_length_and_paths_of_every_depth_are_taken_or_refused() {
    let place = Place::with_pond();
    place.run(["mkdir", &format!("/{}", "n".repeat(255))]).ok();
    place.run(["mkdir", &format!("/{}", "n".repeat(256))]).fails(6).says("255");
    place.run(["mkdir", &"/x".repeat(50_000)]).fails(6).says("65536");
    place.run(["list", &"/x".repeat(50_000)]).fails(6);
    place.run(["cat", &"/..".repeat(20_000)]).fails(1);
    let deep = "/d".repeat(1_000);
    place.run(["mkdir", "-p", &deep]).ok().says("1,000 directories made");
    place.run(["mkdir", "-p", &deep]).ok().says("0 directories made");
    let listed = place.run(["list", "-R", "/"]).ok();
    assert_eq!(listed.text().lines().count(), 1_001);
    place.run(["list", "/**"]).ok();
    place.run(["rm", "-r", "/d"]).ok();
}

#[test]
fn arguments_that_are_no_text_are_refused() {
    let place = Place::with_pond();
    let bad = OsString::from_vec(b"/bad\xff\xfe".to_vec());
    for verb in ["mkdir", "list", "cat", "rm", "describe", "sql"] {
        let ran = place.run([OsStr::new(verb), &bad]);
        assert!(matches!(ran.code, 2 | 3 | 6), "{verb}: {} {}", ran.code, ran.stderr);
        let code = ran.code;
        ran.fails(code);
    }
    place.write("x", "x");
    place.run([OsStr::new("copy"), OsStr::new("host:x"), &bad]).fails(6).says("UTF-8");
    // A host file may be called anything.
    let host = OsStr::from_bytes(b"odd\xff");
    std::fs::write(place.dir().join(host), "bytes").unwrap();
    let from = OsString::from_vec(b"host:odd\xff".to_vec());
    place.run([OsStr::new("copy"), &from, OsStr::new("/odd")]).ok();
    place.run(["cat", "/odd"]).ok().prints("bytes");
    place.run(["list"]).ok().prints("/odd\n");
}

#[test]
fn nothing_is_written_outside_of_the_directory_that_a_copy_names() {
    let place = Place::with_pond();
    place.run(["mkdir", "-p", "/d/e"]).ok();
    place.write("new", "from the pond");
    for to in ["/d/f", "/d/e/g", "/h"] {
        place.run(["copy", "host:new", to]).ok();
    }
    for (target, link) in
        [("../../../../etc", "/up"), ("/d/../../../../etc/passwd", "/passwd"), ("/d", "/inside")]
    {
        place.run(["ln", "-s", target, link]).ok();
    }
    place.write("victim/f", "mine");
    place.write("victim/e/g", "mine");
    let untouched = || {
        assert_eq!(place.read("victim/f"), b"mine");
        assert_eq!(place.read("victim/e/g"), b"mine");
        assert_eq!(std::fs::read_dir(place.path("victim")).unwrap().count(), 2);
    };
    // A directory in the way that is a link leads out: refused.
    std::fs::create_dir(place.path("a")).unwrap();
    symlink(place.path("victim"), place.path("a/d")).unwrap();
    place.run(["copy", "/**", "host:a/"]).fails(1).says("in the way");
    place.run(["copy", "-r", "/d", "host:a/"]).fails(1).says("in the way");
    untouched();
    // A file that is a link is replaced, not followed.
    std::fs::create_dir_all(place.path("b/d/e")).unwrap();
    symlink(place.path("victim/f"), place.path("b/d/f")).unwrap();
    symlink(place.path("victim/e/g"), place.path("b/d/e/g")).unwrap();
    symlink("nowhere", place.path("b/h")).unwrap();
    place.run(["copy", "/**", "host:b/"]).ok();
    untouched();
    for file in ["b/d/f", "b/d/e/g", "b/h"] {
        assert_eq!(place.read(file), b"from the pond");
        assert!(!place.path(file).is_symlink(), "{file}");
    }
    // Links of the pond that lead out of it are no files.
    assert!(!place.path("b/up").exists() && !place.path("b/passwd").exists());
    place.run(["copy", "/passwd", "host:c"]).fails(3);
    // A destination that somebody names may be a link.
    symlink("victim/f", place.path("named")).unwrap();
    place.run(["copy", "/h", "host:named"]).ok();
    assert_eq!(place.read("victim/f"), b"from the pond");
}

#[test]
fn links_in_circles_end() {
    let place = Place::with_pond();
    place.run(["ln", "-s", "/b", "/a"]).ok();
    place.run(["ln", "-s", "/a", "/b"]).ok();
    place.run(["mkdir", "/d"]).ok();
    place.run(["ln", "-s", "/d", "/d/self"]).ok();
    place.run(["cat", "/a"]).fails(1).says("too many");
    place.run(["copy", "host:/dev/null", "/a/x"]).fails(1);
    for args in [&["list", "/**"][..], &["list", "-R", "/"], &["copy", "-r", "/", "host:out"]] {
        place.run(args).ok();
    }
    std::fs::create_dir(place.path("in")).unwrap();
    symlink(".", place.path("in/self")).unwrap();
    symlink("/etc", place.path("in/etc")).unwrap();
    place.run(["copy", "-r", "host:in", "/in"]).fails(6).says("outside");
}
