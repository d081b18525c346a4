//! Many processes at one pond, some of them killed.
//!
//! Always true of a pond: what a writer was told is done is there once and
//! stays; a reader sees one transaction's state, whole, whatever compaction,
//! merges and removal of old files go on beside it; a lock whose holder died
//! is free.

use std::collections::BTreeSet;
use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{Child, Stdio};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use super::workload::EAGER;
use super::{observe, random, rounds, tell};
use crate::program::{Place, Ran, json};

const WRITERS: usize = 3;
const READERS: usize = 3;

/// Every transaction of this test writes the same text to both of these, and
/// two rows that add up to nothing to a series.
const PAIR: [&str; 2] = ["/pair/left", "/pair/right"];

#[test]
fn many_writers_and_readers_lose_nothing_and_see_nothing_torn() {
    let mut random = random("crowd");
    let place = Place::with_pond();
    for (key, value) in EAGER {
        place.run(["config", key, value]).ok();
    }
    place.run(["mkdir", "/pair", "/rows"]).ok();
    place.write("0/left", "none");
    place.write("0/right", "none");
    place.run(["copy", "host:0/left", "host:0/right", "/pair/"]).ok();
    let each = rounds(36).div_ceil(WRITERS);
    let acknowledged = Mutex::new(BTreeSet::new());
    let uncertain = Mutex::new(BTreeSet::new());
    let working = AtomicUsize::new(WRITERS);
    let reads = AtomicUsize::new(0);
    let seeds: Vec<_> = (0..WRITERS).map(|_| random.next()).collect();
    std::thread::scope(|scope| {
        let (place, working, reads) = (&place, &working, &reads);
        let (acknowledged, uncertain) = (&acknowledged, &uncertain);
        for (writer, seed) in seeds.into_iter().enumerate() {
            scope.spawn(move || {
                let _leaving = Leaving(working);
                let mut random = super::Random::new(seed);
                for number in 0..each {
                    let name = format!("{writer}-{number}");
                    let killed_after = random.one_in(5).then(|| random.below(120_000) as u64);
                    let done = match random.below(3) {
                        0 => append_rows(place, &name, writer, number, killed_after),
                        _ => replace_pair(place, &name, killed_after),
                    };
                    let into = if done { acknowledged } else { uncertain };
                    into.lock().unwrap().insert(name);
                    if random.one_in(6) {
                        upkeep(place, &mut random);
                    }
                }
            });
        }
        for reader in 0..READERS {
            scope.spawn(move || {
                while working.load(Ordering::Relaxed) > 0 {
                    read_once(place, reader);
                    reads.fetch_add(1, Ordering::Relaxed);
                }
            });
        }
    });
    place.run(["fsck"]).ok();
    let (acknowledged, uncertain) =
        (acknowledged.into_inner().unwrap(), uncertain.into_inner().unwrap());
    let mut seen = BTreeSet::new();
    for (_, command) in observe::history(&place) {
        let Some(name) = command.split("in/").nth(1) else { continue };
        let name: String = name.chars().take_while(|c| c.is_ascii_digit() || *c == '-').collect();
        assert!(seen.insert(name.clone()), "{name} is there twice");
    }
    assert!(acknowledged.is_subset(&seen), "lost: {:?}", acknowledged.difference(&seen));
    let extra: Vec<_> = seen.difference(&acknowledged).collect();
    assert!(extra.iter().all(|name| uncertain.contains(*name)), "{extra:?}");
    assert_eq!(acknowledged.len() + uncertain.len(), WRITERS * each);
    let rows = place.run(["sql", "SELECT w, n FROM '/rows/*.series'", "--format", "ndjson"]).ok();
    let rows: Vec<String> =
        rows.text().lines().map(json).map(|row| format!("{}-{}", row["w"], row["n"])).collect();
    let distinct: BTreeSet<_> = rows.iter().cloned().collect();
    assert_eq!(rows.len(), 2 * distinct.len(), "each append has two rows, once");
    assert!(distinct.is_subset(&seen));
    tell(&format!(
        "crowd: {} acknowledged, {} killed of which {} had committed, {} reads",
        acknowledged.len(),
        uncertain.len(),
        extra.len(),
        reads.into_inner()
    ));
}

/// Readers stop when the last writer leaves, also by a panic.
struct Leaving<'a>(&'a AtomicUsize);

impl Drop for Leaving<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Runs a writer, killed after so many microseconds. Whether it was done.
fn run(place: &Place, args: &[&str], killed_after: Option<u64>) -> bool {
    let mut child =
        place.command().args(args).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
    if let Some(after) = killed_after {
        std::thread::sleep(Duration::from_micros(after));
        child.kill().unwrap();
    }
    let output = child.wait_with_output().unwrap();
    let stderr = String::from_utf8_lossy(&output.stderr);
    match output.status.code() {
        None => assert!(killed_after.is_some(), "{args:?}: {stderr}"),
        Some(code) => assert_eq!(code, 0, "{args:?}: {stderr}"),
    }
    output.status.success()
}

fn replace_pair(place: &Place, name: &str, killed_after: Option<u64>) -> bool {
    // Small and large by turns.
    let text = name.repeat(if name.ends_with('3') { 20_000 } else { 10 });
    let files = PAIR.map(|path| {
        let file = format!("in/{name}{path}");
        place.write(&file, &text);
        format!("host:{file}")
    });
    run(place, &["copy", &files[0], &files[1], "/pair/"], killed_after)
}

fn append_rows(
    place: &Place,
    name: &str,
    writer: usize,
    number: usize,
    killed_after: Option<u64>,
) -> bool {
    let first = 1_700_000_000 + number * 10;
    let amount = number + 1;
    let file = format!("in/{name}.csv");
    let second = first + 1;
    place.write(
        &file,
        format!(
            "t,w,n,amount\n{first},{writer},{number},{amount}\n{second},{writer},{number},-{amount}\n"
        ),
    );
    let (from, to) = (format!("host+csv+series:{file}"), format!("/rows/{writer}.series"));
    let how = ["--time-column", "t", "--time-format", "epoch", "--append"];
    run(place, &[&["copy", &from, &to][..], &how].concat(), killed_after)
}

fn upkeep(place: &Place, random: &mut super::Random) {
    let killed_after = random.one_in(3).then(|| random.below(100_000) as u64);
    run(place, &["maintain"], killed_after);
}

/// One look at the pond must find one state.
fn read_once(place: &Place, reader: usize) {
    match reader {
        0 => {
            let query = "SELECT path, hash FROM pond.versions AS v WHERE path LIKE '/pair/%' \
                         AND version = (SELECT max(version) FROM pond.versions AS w \
                         WHERE w.path = v.path)";
            let ran = place.run(["sql", query, "--format", "ndjson"]).ok();
            let hashes: Vec<_> =
                ran.text().lines().map(|line| json(line)["hash"].clone()).collect();
            assert_eq!(hashes.len(), 2, "{}", ran.text());
            assert_eq!(hashes[0], hashes[1], "torn");
        }
        1 => {
            let out = format!("out{reader}/");
            place.run(["copy", "/pair/*", &format!("host:{out}")]).ok();
            let [left, right] =
                PAIR.map(|path| place.read(&format!("{out}{}", path.trim_start_matches("/pair/"))));
            assert!(left == right, "torn");
            let log = place.run(["log", "--format", "ndjson"]).ok();
            let numbers: Vec<u64> = log
                .text()
                .lines()
                .map(|line| json(line)["transaction"].as_u64().unwrap())
                .collect();
            assert!(numbers.windows(2).all(|pair| pair[0] == pair[1] + 1), "{numbers:?}");
        }
        _ => {
            let listed = place.run(["list", "/rows", "--format", "ndjson"]).ok();
            if listed.text().is_empty() {
                return;
            }
            let query = "SELECT sum(amount) AS total, count(*) AS rows FROM '/rows/*.series'";
            let ran = place.run(["sql", query, "--format", "ndjson", "--verify-reads"]).ok();
            let row = json(ran.text());
            assert_eq!(row["total"], 0, "torn: {row}");
            assert_eq!(row["rows"].as_u64().unwrap() % 2, 0, "{row}");
        }
    }
}

/// A process that holds the lock until its input ends.
fn holder(place: &Place) -> Child {
    let mut holder = place
        .command()
        .args(["copy", "-", "/held.txt"])
        .stdin(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    holder.stdin.as_mut().unwrap().write_all(b"half").unwrap();
    while std::fs::read(place.path("pond/lock")).unwrap().is_empty() {
        std::thread::yield_now();
    }
    holder
}

#[test]
fn a_waiting_writer_says_whom_it_waits_for_and_goes_on_when_the_holder_is_killed() {
    let place = Place::with_pond();
    let mut holding = holder(&place);
    let mut waiting = place
        .command()
        .args(["mkdir", "/patient", "--lock-timeout", "10min"])
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut said = String::new();
    let mut stderr = BufReader::new(waiting.stderr.take().unwrap());
    stderr.read_line(&mut said).unwrap();
    assert!(said.contains("waiting for"), "{said}");
    assert!(said.contains(&format!("process {}", holding.id())), "{said}");
    assert!(said.contains("`pond copy - /held.txt`") && said.contains("since 20"), "{said}");
    holding.kill().unwrap();
    holding.wait().unwrap();
    assert!(waiting.wait().unwrap().success());
    place.run(["list"]).ok().prints("/patient/\n");
    place.run(["fsck"]).ok();
}

#[test]
fn a_writer_that_gives_up_ends_with_its_own_code_and_names_the_holder() {
    let place = Place::with_pond();
    let mut holding = holder(&place);
    let pid = format!("process {}", holding.id());
    let gives_up = |args: &[&str]| -> Ran {
        let args = [args, &["--lock-timeout", "50ms"]].concat();
        place.run(args).fails(5).says(&pid).says("`pond copy - /held.txt`").says("since 20")
    };
    gives_up(&["mkdir", "/x"]);
    gives_up(&["rm", "/y"]);
    gives_up(&["maintain"]);
    // Whoever reads does not wait.
    place.run(["list", "--lock-timeout", "0s"]).ok().prints("");
    place.run(["fsck", "--lock-timeout", "0s"]).ok();
    drop(holding.stdin.take());
    assert!(holding.wait().unwrap().success());
    place.run(["cat", "/held.txt"]).ok().prints("half");
}

#[test]
fn settings_that_are_chosen_at_once_are_all_kept() {
    let place = Place::with_pond();
    let chosen = [
        ("maintenance.compact_files", "11"),
        ("maintenance.checkpoint_commits", "12"),
        ("maintenance.merge_versions", "13"),
        ("retention.merged_days", "14"),
        ("retention.vacuum_hours", "15"),
        ("lock.timeout_seconds", "16"),
    ];
    for _ in 0..rounds(3).min(50) {
        place.run(["config", "--unset", "lock.timeout_seconds"]).ok();
        let children: Vec<Child> = chosen
            .iter()
            .map(|(key, value)| {
                place.command().args(["config", key, value]).stderr(Stdio::null()).spawn().unwrap()
            })
            .collect();
        for mut child in children {
            assert!(child.wait().unwrap().success());
        }
        let settings = super::workload::settings(&place);
        for (key, value) in chosen {
            assert_eq!(settings[key], value, "{key}");
        }
        for (key, _) in chosen {
            place.run(["config", "--unset", key]).ok();
        }
    }
}

#[test]
fn a_long_reader_keeps_what_it_sees_while_upkeep_goes_on() {
    let place = Place::with_pond();
    for (key, value) in EAGER {
        place.run(["config", key, value]).ok();
    }
    let bytes: Vec<u8> = (0..3_000_000u32).flat_map(u32::to_le_bytes).collect();
    place.write("big", &bytes);
    place.run(["copy", "host:big", "/big"]).ok();
    let mut reader = place
        .command()
        .args(["cat", "/big", "--format", "raw"])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut output = reader.stdout.take().unwrap();
    let mut read = vec![0; 100_000];
    std::io::Read::read_exact(&mut output, &mut read).unwrap();
    // The reader is in the middle of the file; now its version goes.
    place.run(["rm", "/big"]).ok();
    for n in 0..8 {
        place.run(["mkdir", &format!("/d{n}")]).ok();
    }
    place.run(["maintain", "--prune", "--keep", "0s"]).ok();
    place.run(["maintain"]).ok();
    std::io::Read::read_to_end(&mut output, &mut read).unwrap();
    assert!(reader.wait().unwrap().success());
    assert!(read == bytes);
}
