//! Damage as the user of the program meets it: the exit code says so, the
//! message names what is hit, and nothing damaged is printed as good.

use std::fs;
use std::path::PathBuf;

use crate::program::{Place, json};

/// A pond with a small file, a large one and a large Parquet of a series.
fn place() -> Place {
    let place = Place::with_pond();
    place.run(["mkdir", "/d"]).ok();
    place.run_with(b"small and whole", ["copy", "-", "/d/small"]).ok();
    let large: Vec<u8> =
        (0..200_000_u32).flat_map(|i| i.wrapping_mul(0x9e37_79b9).to_le_bytes()).collect();
    place.write("large", &large);
    place.run(["copy", "host:large", "/d/large"]).ok();
    let mut csv = String::from("time,value\n");
    for second in 0..40_000_u64 {
        let value = second.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 11;
        csv.push_str(&format!("{},{value}\n", 1_700_000_000 + second));
    }
    place.write("s.csv", csv);
    let copy =
        ["copy", "host+csv+series:s.csv", "/d/s", "--time-column", "time", "--time-unit", "s"];
    place.run(copy).ok();
    place.run(["fsck"]).ok();
    place
}

fn large_files(place: &Place) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for folder in fs::read_dir(place.path("pond/data/_large_files")).unwrap() {
        for file in fs::read_dir(folder.unwrap().path()).unwrap() {
            found.push(file.unwrap().path());
        }
    }
    found.sort();
    found
}

fn flip(path: &PathBuf) {
    let mut bytes = fs::read(path).unwrap();
    let at = bytes.len() / 2;
    bytes[at] ^= 1;
    fs::write(path, bytes).unwrap();
}

#[test]
fn a_flipped_bit_is_named_and_never_given_out() {
    let place = place();
    let files = large_files(&place);
    assert_eq!(files.len(), 2, "the file and the series: {files:?}");
    files.iter().for_each(flip);
    // Bytes go through as they are read, and the exit code says what they were.
    place.run(["cat", "/d/large"]).fails(4).says("Hint:");
    for read in [
        ["copy", "/d/large", "host:out"].as_slice(),
        &["cat", "/d/s"],
        &["copy", "/d/s", "host+csv:out.csv"],
        &["sql", "--verify-reads", "SELECT max(value) FROM '/d/s'"],
    ] {
        let ran = place.run(read).fails(4).says("Hint:");
        assert!(ran.stdout.is_empty(), "{read:?} prints {} bytes", ran.stdout.len());
    }
    assert!(!place.path("out").exists() && !place.path("out.csv").exists());
    place.run(["cat", "/d/small"]).ok().prints("small and whole");
    let found = place.run(["fsck", "--format", "json"]).fails(4).says("--salvage");
    let found = json(found.text());
    let named = |path: &str| {
        let all = found["damage"].as_array().unwrap();
        all.iter().any(|one| one["path"] == path && one["version"] == 1)
    };
    assert!(named("/d/large") && named("/d/s"), "{found}");
}

#[test]
fn a_salvage_takes_what_is_whole_and_lists_the_rest() {
    let place = place();
    let whole = place.run(["recover", "--salvage", "copy"]).ok();
    assert!(whole.text().contains("salvaged 4 entries"), "{}", whole.text());
    let list = |pond: &str| place.run(["--pond", pond, "list", "-a", "/d"]).ok().text().to_owned();
    assert_eq!(list("copy"), list("pond"));
    place.run(["--pond", "copy", "cat", "/d/small"]).ok().prints("small and whole");
    place.run(["recover", "--salvage", "copy"]).fails(1).says("copy");

    let files = large_files(&place);
    files.iter().for_each(flip);
    let partly = place.run(["recover", "--salvage", "rest", "--format", "json"]).fails(4);
    let partly = json(partly.text());
    let lost = partly["lost"].as_array().unwrap();
    assert!(lost.iter().any(|one| one["path"] == "/d/large" && one["version"] == 1), "{lost:?}");
    assert_eq!(partly["versions"], 1, "{partly}");
    place.run(["--pond", "rest", "cat", "/d/small"]).ok().prints("small and whole");
    place.run(["--pond", "rest", "fsck"]).ok();
}

#[test]
fn a_pond_that_can_not_be_opened_is_checked_and_salvaged() {
    let place = place();
    let log = place.path("pond/data/_delta_log");
    let mut commits: Vec<_> = fs::read_dir(&log)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "json"))
        .collect();
    commits.sort();
    // In the middle: nothing can be moved aside there.
    let torn = &commits[2];
    fs::write(torn, "").unwrap();
    let name = torn.file_name().unwrap().to_str().unwrap();
    place.run(["cat", "/d/small"]).fails(4).says(name).says("Hint:");
    let found = place.run(["fsck", "--format", "json"]).fails(4);
    let found = json(found.text());
    let all = found["damage"].as_array().unwrap();
    assert!(
        all.iter().any(|one| one["file"].as_str().is_some_and(|f| f.ends_with(name))),
        "{all:?}"
    );
    assert!(all.iter().any(|one| one["path"] == "/d/small" && one["version"] == 1), "{all:?}");
    let salvaged = place.run(["recover", "--salvage", "rest"]).ok();
    assert!(salvaged.text().contains("damaged: "), "{}", salvaged.text());
    place.run(["--pond", "rest", "cat", "/d/small"]).ok().prints("small and whole");
}

#[test]
fn a_damaged_file_of_rows_hinders_only_who_asks_for_what_it_holds() {
    let place = place();
    place.run(["mkdir", "/other"]).ok();
    place.run_with(b"elsewhere", ["copy", "-", "/other/f"]).ok();
    let second = fs::read_dir(place.path("pond/data"))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .find(|path| {
            path.file_name().unwrap().to_str().unwrap().starts_with("00000000000000000002-")
        })
        .unwrap();
    fs::write(&second, "no longer what it was").unwrap();
    place.run(["cat", "/other/f"]).ok().prints("elsewhere");
    place.run(["list", "/other"]).ok().prints("/other/f\n");
    let name = second.file_name().unwrap().to_str().unwrap();
    place.run(["cat", "/d/small"]).fails(4).says(name).says("Hint:");
    place.run(["list", "/d"]).fails(4).says(name);
    // Writing what does not need it goes on, too.
    place.run_with(b"more", ["copy", "-", "/other/g"]).ok();
    place.run(["fsck"]).fails(4);
}

#[test]
fn looking_at_what_was_lost_waits_for_nobody() {
    let place = place();
    let lock = fs::OpenOptions::new().write(true).open(place.path("pond/lock")).unwrap();
    lock.lock().unwrap();
    let held = ["--lock-timeout", "0s"];
    let looked = place.run(held.iter().chain(&["recover"])).ok();
    assert!(looked.text().contains("whole"), "{}", looked.text());
    place.run(held.iter().chain(&["mkdir", "/x"])).fails(5);
}

#[test]
fn parquet_is_decoded_before_it_is_taken_when_that_is_asked_for() {
    let place = place();
    place.run(["copy", "/d/s", "host:s.parquet"]).ok();
    let bytes = place.read("s.parquet");
    // Values that stand there as they are become other values, which nothing
    // tells; what says how they stand there does not decode.
    let mut refused = 0;
    for at in (1..40).map(|part| bytes.len() * part / 40) {
        let mut changed = bytes.clone();
        changed[at..at + 8].iter_mut().for_each(|byte| *byte ^= 0xff);
        place.write("changed.parquet", changed);
        let copy = ["copy", "host+table:changed.parquet", "/taken", "--check"];
        let ran = place.run(copy);
        assert!(!ran.stderr.contains("panicked"), "{}", ran.stderr);
        refused += i32::from(ran.code == 6);
        if ran.code == 0 {
            place.run(["rm", "/taken"]).ok();
        }
    }
    assert!(refused > 0, "none of 39 were refused");
    place.run(["copy", "host+table:s.parquet", "/taken", "--check"]).ok();
    place.run(["copy", "--check", "/d/small", "host:out"]).fails(2);
}
