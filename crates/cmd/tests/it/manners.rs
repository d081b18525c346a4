//! Quiet, broken pipes, no pond, odd environments.

use std::io::Read as _;
use std::process::Stdio;

use crate::program::{Place, json};

#[test]
fn a_reader_that_leaves_is_silence() {
    let place = Place::with_pond();
    let big: String = (0..400_000).map(|n| format!("line {n}\n")).collect();
    place.write("big.txt", &big);
    place.run(["copy", "host:big.txt", "/big.txt"]).ok();
    let mut child = place
        .command()
        .args(["cat", "/big.txt"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut start = [0; 10];
    child.stdout.take().unwrap().read_exact(&mut start).unwrap();
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(0));
    assert_eq!(String::from_utf8_lossy(&output.stderr), "");
}

#[test]
fn quiet_says_nothing_and_output_is_the_same() {
    let place = Place::with_pond();
    let ran = place.run(["-q", "mkdir", "/a"]).ok();
    assert_eq!((ran.text(), ran.stderr.as_str()), ("", ""));
    place.run(["-q", "list"]).ok().prints("/a/\n");
}

#[test]
fn without_a_pond_the_next_command_is_named() {
    let place = Place::empty();
    let mut command = place.command();
    command.env_remove("POND").arg("list");
    crate::program::finish(&mut command).fails(2).says("export POND=");
}

#[test]
fn no_verb_makes_a_pond_in_passing() {
    let place = Place::empty();
    for args in [
        &["list"][..],
        &["mkdir", "/a"],
        &["copy", "host:/etc/hostname", "/x"],
        &["cat", "/a"],
        &["describe", "/a"],
        &["rm", "/a"],
        &["mv", "/a", "/b"],
        &["ln", "-s", "/a", "/b"],
        &["sql", "SELECT 1"],
        &["log"],
        &["show", "1"],
        &["diff", "0", "1"],
        &["status"],
        &["config"],
        &["fsck"],
        &["maintain"],
        &["recover"],
        &["plot", "/a"],
    ] {
        place.run(args).fails(3).says("pond init");
        assert!(!place.path("pond").exists(), "{args:?}");
    }
}

#[test]
fn a_pond_that_is_a_file_or_something_else_is_named() {
    let place = Place::empty();
    place.write("pond", "not a directory");
    place.run(["list"]).fails(1).says("is a file");
    place.run(["init"]).fails(1);
    let place = Place::empty();
    place.write("pond/other.txt", "mine");
    place.run(["list"]).fails(3).says("is not a pond");
    place.run(["init"]).fails(1).says("other.txt");
    assert_eq!(place.read("pond/other.txt"), b"mine");
}

#[test]
fn init_refuses_a_pond_that_is_there() {
    let place = Place::with_pond();
    place.run(["mkdir", "/kept"]).ok();
    place.run(["init"]).fails(1).says("already");
    place.run(["list"]).ok().prints("/kept/\n");
}

#[test]
fn settings_are_shown_changed_and_brought_back() {
    let place = Place::with_pond();
    place.run(["config", "lock.timeout_seconds", "5"]).ok();
    let shown = place.run(["config", "lock.timeout_seconds", "--format", "json"]).ok();
    assert_eq!(json(shown.text())[0]["value"], "5");
    place.run(["config", "--unset", "lock.timeout_seconds"]).ok();
    let shown = place.run(["config", "lock.timeout_seconds", "--format", "json"]).ok();
    assert_eq!(json(shown.text())[0]["chosen"], false);
    place.run(["config", "lock.timeout", "5"]).fails(6).says("lock.timeout_seconds");
    place.run(["config", "lock.timeout_seconds", "soon"]).fails(6);
}

#[test]
fn status_and_fsck_tell_of_a_sound_pond() {
    let place = Place::with_pond();
    place.run(["mkdir", "/a"]).ok();
    let status = place.run(["status", "--format", "json"]).ok();
    assert_eq!(json(status.text())["transaction"], 1);
    place.run(["fsck"]).ok();
    place.run(["maintain", "--dry-run"]).ok();
    place.run(["maintain"]).ok();
    place.run(["recover"]).ok();
    place.run(["list"]).ok().prints("/a/\n");
}

#[test]
fn a_flipped_bit_is_found_and_named() {
    let place = Place::with_pond();
    let bytes: Vec<u8> = (0..200_000u32).map(|n| (n % 251) as u8).collect();
    place.write("large.bin", &bytes);
    place.run(["copy", "host:large.bin", "/large.bin"]).ok();
    let described = place.run(["describe", "/large.bin", "--format", "json"]).ok();
    let stored = json(described.text())[0]["place"].as_str().unwrap().to_owned();
    let mut damaged = std::fs::read(&stored).unwrap();
    damaged[100_000] ^= 1;
    let mut permissions = std::fs::metadata(&stored).unwrap().permissions();
    #[expect(clippy::permissions_set_readonly_false, reason = "a test's own file")]
    permissions.set_readonly(false);
    std::fs::set_permissions(&stored, permissions).unwrap();
    std::fs::write(&stored, damaged).unwrap();
    place.run(["fsck"]).fails(4).says("damage");
    place.run(["cat", "/large.bin"]).fails(4);
    place.run(["copy", "/large.bin", "host:out.bin"]).fails(4);
    assert!(!place.path("out.bin").exists());
}

#[test]
fn a_writer_that_waits_too_long_names_who_holds_the_pond() {
    use std::io::Write as _;
    let place = Place::with_pond();
    // A copy from standard input holds the lock until its input ends.
    let mut holder =
        place.command().args(["copy", "-", "/slow.txt"]).stdin(Stdio::piped()).spawn().unwrap();
    let mut input = holder.stdin.take().unwrap();
    input.write_all(b"half").unwrap();
    input.flush().unwrap();
    let refused = loop {
        let ran = place.run(["mkdir", "/x", "--lock-timeout", "0s"]);
        if ran.code != 0 {
            break ran;
        }
        place.run(["rm", "-r", "/x"]);
    };
    let pid = holder.id().to_string();
    refused.fails(5).says(&pid);
    // Readers do not wait.
    place.run(["list"]).ok();
    drop(input);
    assert!(holder.wait().unwrap().success());
    place.run(["cat", "/slow.txt"]).ok().prints("half");
}

#[test]
fn output_that_can_not_be_written_is_an_error() {
    let place = Place::with_pond();
    place.run(["mkdir", "/a"]).ok();
    place.write("x.csv", "id\n1\n");
    for args in [
        &["--help"][..],
        &["--version"],
        &["help", "sql"],
        &["sql", "--help"],
        &["list"],
        &["list", "--format", "json"],
        &["log"],
        &["status"],
        &["config"],
        &["completions", "bash"],
        &["sql", "SELECT 1"],
        &["sql", "--format", "table", "SELECT 1"],
        &["sql", "--format", "json", "SELECT 1"],
        &["sql", "--format", "ndjson", "SELECT 1"],
        &["sql", "--format", "arrow", "SELECT 1"],
        &["sql", "--format", "parquet", "SELECT 1"],
        &["cat", "host+csv:x.csv"],
    ] {
        let full = std::fs::File::options().write(true).open("/dev/full").unwrap();
        let mut command = place.command();
        let ran = command.args(args).stdout(full).stderr(Stdio::piped()).spawn().unwrap();
        let output = ran.wait_with_output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{args:?}: {said}");
        assert!(said.contains("No space left on device"), "{args:?}: {said}");
        // Nobody reads: that is no error.
        let mut child = place.command();
        let mut child =
            child.args(args).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        drop(child.stdout.take());
        let output = child.wait_with_output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!((output.status.code(), said.as_ref()), (Some(0), ""), "{args:?}");
    }
}

#[test]
fn a_file_of_this_machine_that_was_meant_is_told_how_to_be_named() {
    let place = Place::with_pond();
    place.write("dock.csv", "id\n1\n");
    place.run(["mkdir", "/d"]).ok();
    place.run(["copy", "dock.csv", "/d"]).fails(3).says("host:dock.csv");
    place.run(["cat", "./dock.csv"]).fails(3).says("host+csv:./dock.csv");
    place.run(["describe", "dock.csv"]).fails(3).says("host+csv:dock.csv");
    // What is missing is missing on either side.
    for args in [
        &["copy", "host+csv+table:no.csv", "/t"][..],
        &["cat", "host+csv:no.csv"],
        &["describe", "host+csv:no.csv"],
        &["sql", "--bind", "x=host+csv:no.csv", "SELECT 1"],
        &["copy", "host:no.csv", "/t"],
    ] {
        place.run(args).fails(3).says("no.csv");
    }
}

#[test]
fn what_is_no_table_or_no_file_is_told_with_what_to_do() {
    let place = Place::with_pond();
    place.write("dock.csv", "id\n1\n");
    place.run(["mkdir", "/d"]).ok();
    place.run(["copy", "host:dock.csv", "/d/dock.csv"]).ok();
    place.run(["sql", "SELECT * FROM '/d/dock.csv'"]).fails(6).says("host+csv+table:");
    place.run(["sql", "SELECT * FROM '/d'"]).fails(6).says("it is of type directory");
    place.run(["cat", "/d"]).fails(1).says("pond list /d");
    place.run(["copy", "-r", "/d", "/d/in"]).fails(1).says("`/d/in` lies inside `/d`");
    place.run(["sql", ";"]).fails(6).says("there is no query");
}

#[test]
fn a_place_for_temporary_files_is_not_made_in_passing() {
    let place = Place::with_pond();
    place.run(["sql", "--temp-dir", "spill", "SELECT 1"]).fails(3).says("--temp-dir");
    assert!(!place.path("spill").exists());
}
