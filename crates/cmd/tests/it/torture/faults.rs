//! System calls that fail: a full disk, a failing one, one without permission
//! or mounted read-only.
//!
//! Each kind of call fails in turn. The command then either says what failed,
//! with its cause and an exit code, and has changed nothing, or it succeeded
//! although something beside the pond failed (a note in `control/`), and then
//! all of its change is there. Once the cause is gone the next command works.

use std::path::PathBuf;
use std::process::Command;

use super::workload::{EAGER, Workload};
use super::{observe, random, rounds, strace, tell};
use crate::program::{Place, Ran, finish};

/// An error, and words of which one must be in the message.
const ERRORS: &[(&str, &[&str])] = &[
    ("ENOSPC", &["No space left on device"]),
    ("EIO", &["Input/output error"]),
    ("EACCES", &["Permission denied"]),
    ("EROFS", &["Read-only file system"]),
    ("EDQUOT", &["quota exceeded"]),
];

const CALLS: &[&str] = &[
    "pwrite64",
    "fsync,fdatasync",
    "rename,renameat,renameat2",
    "link,linkat",
    "mkdir,mkdirat",
    "ftruncate",
    "unlink,unlinkat",
    "openat",
];

/// Codes that say that a transaction may have been committed.
const UNKNOWN: i32 = 7;

/// The directories the program writes in; its messages and its reading of programs and
/// libraries are not what fails.
fn places(place: &Place) -> Vec<PathBuf> {
    let below = ["", "data", "data/_delta_log", "data/_large_files", "control"];
    below.iter().map(|name| place.path("pond").join(name)).collect()
}

#[test]
fn a_call_that_fails_is_told_with_its_cause_and_loses_nothing() {
    if !strace::is_there() {
        return;
    }
    let mut random = random("faults");
    let place = Place::with_pond();
    for (key, value) in EAGER {
        place.run(["config", key, value]).ok();
    }
    let mut workload = Workload::new();
    let mut tree = observe::tree(&place);
    let (mut refused, mut unharmed, mut unknown) = (0, 0, 0);
    for round in 0..rounds(36) {
        let (error, words) = random.pick(ERRORS);
        // A call that may fail for good reason anywhere (files that are not
        // there) is taken at one directory.
        let calls = CALLS[round % CALLS.len()];
        let when = 1 + random.below(4);
        // From then on for ever, as on a full disk, or once.
        let lasting = if random.one_in(2) { "+" } else { "" };
        let places = places(&place);
        let only = match calls {
            "openat" => Some(random.pick(&places).as_path()),
            _ => None,
        };
        let step = workload.next(&place, &tree, &mut random);
        let inject = format!("{calls}:error={error}:when={when}{lasting}");
        let (ran, injected) = strace::with_faults(&place, &inject, only, &step.args);
        let told =
            format!("{:?} with {inject} at {only:?}: {} {}", step.args, ran.code, ran.stderr);
        assert!(!ran.stderr.contains("panicked"), "{told}");
        assert!((0..=7).contains(&ran.code), "{told}");
        let found = observe::tree(&place);
        match ran.code {
            0 => {
                assert_eq!(found, step.after, "{told}");
                unharmed += 1;
            }
            UNKNOWN => {
                assert!(found == tree || found == step.after, "{told}");
                unknown += 1;
            }
            _ => {
                assert!(injected > 0, "nothing failed: {told}");
                assert_eq!(found, tree, "{told}");
                let says = |word: &&str| ran.stderr.contains(*word);
                assert!(words.iter().any(says), "no cause: {told}");
                refused += 1;
            }
        }
        place.run(["fsck"]).ok();
        tree = found;
        // The cause is gone.
        let step = workload.next(&place, &tree, &mut random);
        place.run(&step.args).ok();
        tree = step.after;
        assert_eq!(observe::tree(&place), tree, "{:?} after {told}", step.args);
    }
    tell(&format!("faults: {refused} refused, {unharmed} done all the same, {unknown} unknown"));
}

/// A command of somebody who may read the pond and not write it.
fn as_nobody(place: &Place, args: &[&str]) -> Command {
    let program = place.command();
    let mut command = Command::new("setpriv");
    command.args(["--reuid=65534", "--regid=65534", "--clear-groups", "--"]);
    command.arg(program.get_program()).args(args).current_dir(place.dir()).env_clear();
    for (key, value) in program.get_envs() {
        if let Some(value) = value {
            command.env(key, value);
        }
    }
    command
}

#[test]
fn whoever_may_only_read_reads_with_every_verb_and_writes_with_none() {
    use std::os::unix::fs::PermissionsExt as _;
    let place = Place::with_pond();
    place.write("r.csv", "time,v\n2024-01-01,1\n2024-01-02,2\n");
    place.run(["copy", "host+csv+series:r.csv", "/r.series", "--time-column", "time"]).ok();
    place.write("big", vec![7; 100_000]);
    place.run(["copy", "host:big", "/big"]).ok();
    let mode = |path: PathBuf, mode| {
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
    };
    mode(place.path("."), 0o755);
    // Nobody can run programs, or only root can be nobody.
    let probe = finish(&mut as_nobody(&place, &["--version"]));
    if probe.code != 0 {
        tell(&format!("skipped: can not run as nobody: {}", probe.stderr));
        return;
    }
    let series = "SELECT count(*) FROM '/r.series'";
    for args in [
        &["list", "-l", "/"][..],
        &["cat", "/r.series"],
        &["cat", "/big", "--format", "raw"],
        &["describe", "/r.series"],
        &["sql", series],
        &["cat", "/r.series", "--sql", "SELECT * FROM source ORDER BY v"],
        &["log"],
        &["show", "1"],
        &["diff", "0", "2"],
        &["status"],
        &["config"],
        &["fsck"],
        &["plot", "/r.series"],
        &["maintain", "--dry-run"],
        &["rm", "--dry-run", "/big"],
        &["list", "--as-of", "1"],
    ] {
        let ran = finish(&mut as_nobody(&place, args));
        assert_eq!(ran.code, 0, "{args:?}: {}", ran.stderr);
    }
    let before = observe::tree(&place);
    for args in [
        &["mkdir", "/d"][..],
        &["copy", "host:big", "/c"],
        &["rm", "/big"],
        &["mv", "/big", "/b"],
        &["ln", "-s", "/big", "/l"],
        &["maintain"],
        &["config", "lock.timeout_seconds", "9"],
    ] {
        let ran = finish(&mut as_nobody(&place, args)).fails(1);
        assert!(ran.stderr.contains("Permission denied"), "{args:?}: {}", ran.stderr);
    }
    assert_eq!(observe::tree(&place), before);
}

/// Runs a script in which `small` is a disk of that size; `$POND` is the
/// program. `None`, told, where no disk can be mounted.
fn on_small_disk(place: &Place, size: &str, script: &str) -> Option<Ran> {
    std::fs::create_dir_all(place.path("small")).unwrap();
    let program = place.command();
    let mount = format!("mount -t tmpfs -o size={size} none small || exit 99\n{script}");
    let mut command = Command::new("unshare");
    command.args(["-rm", "sh", "-c", &mount]).current_dir(place.dir()).env_clear();
    for (key, value) in program.get_envs() {
        if let Some(value) = value {
            command.env(key, value);
        }
    }
    command.env("POND", place.path("small/pond")).env("PROGRAM", program.get_program());
    command.stdin(std::process::Stdio::null());
    let ran = command.output().map(|output| Ran {
        code: output.status.code().unwrap_or(-1),
        stdout: output.stdout,
        stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
    });
    match ran {
        Ok(ran) if !ran.stderr.contains("unshare:") && ran.code != 99 => {
            assert!(!ran.stderr.contains("panicked"), "{}", ran.stderr);
            Some(ran)
        }
        other => {
            tell(&format!("skipped: no disk can be mounted here: {other:?}"));
            None
        }
    }
}

#[test]
fn a_full_disk_refuses_what_does_not_fit_and_keeps_what_is_there() {
    let place = Place::empty();
    place.write("part", vec![1; 300_000]);
    // Differs each time, so that nothing is stored as what is there already.
    let script = r#"
        "$PROGRAM" init && "$PROGRAM" mkdir /a || exit 1
        n=0
        while [ $n -lt 40 ]; do
            n=$((n + 1))
            (cat part; echo $n) > one
            "$PROGRAM" copy host:one /a/$n 2> err || break
        done
        echo stopped $n
        cat err >&2
        "$PROGRAM" list /a | wc -l
        "$PROGRAM" mkdir /b; echo small $?
        "$PROGRAM" fsck || exit 2
        "$PROGRAM" copy /a/1 host:small/out; echo out $?
        ls small
        mount -o remount,size=64m small
        "$PROGRAM" copy host:part /a/more || exit 3
        "$PROGRAM" list /a | wc -l
        "$PROGRAM" fsck || exit 4
    "#;
    let Some(ran) = on_small_disk(&place, "3m", script) else { return };
    assert_eq!(ran.code, 0, "{} {}", ran.text(), ran.stderr);
    assert!(ran.stderr.contains("No space left on device"), "{}", ran.stderr);
    let lines: Vec<&str> = ran.text().lines().collect();
    let stopped: usize = lines[0].strip_prefix("stopped ").unwrap().parse().unwrap();
    assert!((3..15).contains(&stopped), "{lines:?}");
    assert_eq!(lines[1].trim(), (stopped - 1).to_string(), "what was acknowledged and no more");
    assert!(lines.contains(&"out 1"), "{lines:?}");
    assert!(!lines.contains(&"out"), "half a file: {lines:?}");
    assert!(lines.iter().any(|line| line.trim() == stopped.to_string()), "{lines:?}");
}

#[test]
fn a_query_whose_spill_directory_is_full_says_so() {
    let place = Place::empty();
    let script = r#"
        "$PROGRAM" init
        "$PROGRAM" sql --temp-dir small --memory-limit 12MiB "SELECT max(v) FROM (
            SELECT value AS v, row_number() OVER (ORDER BY value % 1000 DESC, value) AS r
            FROM generate_series(1, 600000)) WHERE r < 10"
        echo $?
        ls small
    "#;
    let Some(ran) = on_small_disk(&place, "2m", script) else { return };
    assert!(ran.stderr.contains("No space left on device"), "{}", ran.stderr);
    assert!(ran.text().ends_with("1\npond\n"), "{}", ran.text());
}
