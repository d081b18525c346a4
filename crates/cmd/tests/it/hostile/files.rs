//! Files made to be read as tables.

use std::io::Write as _;
use std::sync::Arc;

use arrow::array::{ArrayRef, Int64Array, RecordBatch, StringArray};
use parquet::arrow::ArrowWriter;

use super::{BEYOND_LIMIT_KIB, measured, refused};
use crate::program::Place;
use crate::torture::Random;

/// A file of about this size in one line, written piece by piece.
fn long_line(place: &Place, name: &str, before: &str, mib: usize, after: &str) {
    let mut file = std::io::BufWriter::new(std::fs::File::create(place.path(name)).unwrap());
    file.write_all(before.as_bytes()).unwrap();
    let piece = vec![b'x'; 1 << 20];
    for _ in 0..mib {
        file.write_all(&piece).unwrap();
    }
    file.write_all(after.as_bytes()).unwrap();
    file.flush().unwrap();
}

#[test]
fn lines_fields_columns_and_nesting_without_end_are_refused_in_little_memory() {
    let place = Place::with_pond();
    let mib = 64;
    long_line(&place, "line.csv", "a\n", mib, "\n");
    long_line(&place, "quote.csv", "a,b\n1,\"", mib, "");
    long_line(&place, "line.ndjson", "{\"a\":\"", mib, "\"}\n");
    long_line(&place, "text.json", "[{\"a\":\"", mib, "\"}]");
    long_line(&place, "header.csv", "", mib, "\n1\n");
    let columns: Vec<String> = (0..100_000).map(|n| format!("c{n}")).collect();
    place.write("wide.csv", format!("{}\n{}1\n", columns.join(","), "1,".repeat(99_999)));
    let fields: Vec<String> = columns.iter().map(|name| format!("\"{name}\":1")).collect();
    place.write("wide.json", format!("[{{{}}}]", fields.join(",")));
    let (open, shut) = ("{\"a\":".repeat(50_000), "}".repeat(50_000));
    place.write("deep.ndjson", format!("{open}1{shut}\n"));
    place.write("deep.json", format!("[{}1{}]", "[".repeat(50_000), "]".repeat(50_000)));
    for (format, file) in [
        ("csv", "line.csv"),
        ("csv", "quote.csv"),
        ("csv", "header.csv"),
        ("csv", "wide.csv"),
        ("ndjson", "line.ndjson"),
        ("ndjson", "deep.ndjson"),
        ("json", "text.json"),
        ("json", "wide.json"),
        ("json", "deep.json"),
    ] {
        let from = format!("host+{format}+table:{file}");
        refused(&place, &["copy", &from, "/x", "--memory-limit", "64MiB"], 64).fails(6).says(file);
        let from = format!("host+{format}:{file}");
        refused(&place, &["cat", &from, "--memory-limit", "64MiB"], 64);
    }
    place.run(["list"]).ok().prints("");
}

#[test]
fn what_unpacks_to_far_more_than_it_is_stays_within_memory() {
    let place = Place::with_pond();
    // 256 MiB in one line, then 64 MiB in short ones.
    let mib = 256;
    let pack = |name: &str, tool: &str, source: &str| {
        let packed =
            std::process::Command::new(tool).args(["-c", source]).current_dir(place.dir()).output();
        let Ok(packed) = packed else { return false };
        place.write(name, packed.stdout);
        packed.status.success()
    };
    long_line(&place, "bomb.csv", "a\n", mib, "\n");
    place.write("rows.csv", format!("a\n{}", "1\n".repeat(8 << 20)));
    for (tool, word) in [("gzip", "gzip"), ("bzip2", "bzip2"), ("zstd", "zstd")] {
        if !pack("bomb.packed", tool, "bomb.csv") {
            continue;
        }
        let from = format!("host+csv+{word}+table:bomb.packed");
        refused(&place, &["copy", &from, "/x", "--memory-limit", "64MiB"], 64).says("bomb.packed");
    }
    if pack("rows.packed", "gzip", "rows.csv") {
        let from = "host+csv+gzip:rows.packed";
        let query = "SELECT count(*) AS n FROM source";
        let args = ["cat", from, "--sql", query, "--memory-limit", "64MiB"];
        let (ran, peak) = measured(&place, &args);
        ran.ok().prints(&format!("n\n{}\n", 8 << 20));
        assert!(peak.is_none_or(|peak| peak < (64 << 10) + BEYOND_LIMIT_KIB), "{peak:?}");
    }
}

fn sound_parquet() -> Vec<u8> {
    let ids: ArrayRef = Arc::new(Int64Array::from_iter_values(0..500));
    let names = (0..500).map(|n| format!("name {}", n % 7));
    let names: ArrayRef = Arc::new(StringArray::from_iter_values(names));
    let batch = RecordBatch::try_from_iter([("id", ids), ("s", names)]).unwrap();
    let mut bytes = Vec::new();
    let mut writer = ArrowWriter::try_new(&mut bytes, batch.schema(), None).unwrap();
    writer.write(&batch).unwrap();
    writer.close().unwrap();
    bytes
}

/// A Parquet file that lies: about sizes, counts, places, or by being cut.
fn spoiled(sound: &[u8], random: &mut Random) -> Vec<u8> {
    let mut bytes = sound.to_vec();
    let end = sound.len() - 8;
    let len = u32::from_le_bytes(sound[end..end + 4].try_into().unwrap()) as usize;
    let footer = end - len;
    match random.below(5) {
        0 => bytes.truncate(random.below(sound.len())),
        // A number of the footer becomes enormous.
        1 => {
            let at = footer + random.below(len - 5);
            bytes[at..at + 5].copy_from_slice(&[255, 255, 255, 255, *random.pick(&[7, 15, 127])]);
        }
        2 => bytes[footer + random.below(len)] = random.next() as u8,
        3 => bytes[end + random.below(4)] = random.next() as u8,
        _ => {
            for _ in 0..1 + random.below(4) {
                let at = random.below(sound.len());
                bytes[at] = random.next() as u8;
            }
        }
    }
    bytes
}

#[test]
fn parquet_that_is_cut_or_lies_is_an_error_or_an_answer_in_little_memory() {
    let place = Place::with_pond();
    let mut random = crate::torture::random("parquet");
    let sound = sound_parquet();
    let (mut taken, mut refused) = (0, 0);
    for round in 0..crate::torture::rounds(16) {
        place.write("x.parquet", spoiled(&sound, &mut random));
        let to = format!("/{round}");
        let copy = ["copy", "host+parquet+table:x.parquet", &to];
        let query = "SELECT count(*), min(id), max(s) FROM source";
        let host = ["cat", "host+parquet:x.parquet", "--sql", query];
        let stored = ["cat", &to, "--sql", query];
        let mut check = |args: &[&str]| {
            let (ran, peak) = measured(&place, args);
            assert!(matches!(ran.code, 0 | 1 | 4 | 6), "{args:?}: {} {}", ran.code, ran.stderr);
            assert!(!ran.stderr.contains("panicked"), "{args:?}: {}", ran.stderr);
            assert!(peak.is_none_or(|peak| peak < (128 << 10) + BEYOND_LIMIT_KIB), "{peak:?}");
            if ran.code == 0 {
                taken += 1;
            } else {
                refused += 1;
            }
            ran.code
        };
        check(&host);
        if check(&copy) == 0 {
            check(&stored);
        }
    }
    place.run(["fsck"]).ok();
    crate::torture::tell(&format!("parquet: {taken} answered, {refused} refused"));
}
