//! A cache that is garbage, damaged or can not be written: right numbers all
//! the same.

use std::fs;
use std::path::{Path, PathBuf};

use crate::program::Place;

const REDUCED: &str = "\
in_pattern: /raw.series
out_pattern: raw
resolutions: [1h, day]
aggregations: [{ type: sum }, { type: count }]
";

const DAYS: &str = "\
time,level.sum,level.count
2025-01-01T00:00:00Z,3.0,2
2025-01-02T00:00:00Z,4.0,1
";

/// A reduction whose tiles are made.
fn place() -> Place {
    let place = Place::with_pond();
    place.write(
        "rows.csv",
        "time,level\n2025-01-01T00:00:00Z,1\n2025-01-01T05:00:00Z,2\n2025-01-02T00:00:00Z,4\n",
    );
    place.run(["copy", "host+csv+series:rows.csv", "/raw.series", "--time-column", "time"]).ok();
    place.write("config.yaml", REDUCED);
    place.run(["mknod", "temporal-reduce", "/reduced", "--config-path", "config.yaml"]).ok();
    days(&place);
    place
}

fn days(place: &Place) {
    place.run(["cat", "/reduced/raw/res=day.series", "--format", "csv"]).ok().prints(DAYS);
}

/// The files below `cache/` whose names end so.
fn files(place: &Place, end: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut left = vec![place.path("pond/cache")];
    while let Some(dir) = left.pop() {
        for entry in fs::read_dir(dir).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                left.push(path);
            } else if path.to_string_lossy().ends_with(end) {
                found.push(path);
            }
        }
    }
    assert!(!found.is_empty(), "no *{end} in the cache");
    found
}

fn change(path: &Path, change: impl FnOnce(&mut Vec<u8>)) {
    let mut bytes = fs::read(path).unwrap();
    change(&mut bytes);
    fs::write(path, bytes).unwrap();
}

#[test]
fn an_index_that_is_garbage_is_made_anew() {
    let place = place();
    for garbage in [&b""[..], b"{", b"[]", b"\xff\xfe\x00", b"{\"format\":999}"] {
        for index in files(&place, "index.json") {
            change(&index, |bytes| *bytes = garbage.to_vec());
        }
        days(&place);
    }
}

#[test]
fn a_tile_with_one_bit_flipped_is_never_believed() {
    let place = place();
    for tile in files(&place, ".parquet") {
        let length = fs::read(&tile).unwrap().len();
        for at in [0, length / 3, length / 2, length - 1] {
            change(&tile, |bytes| bytes[at] ^= 1);
            days(&place);
        }
    }
    for tile in files(&place, ".parquet") {
        change(&tile, |bytes| bytes.truncate(bytes.len() / 2));
    }
    days(&place);
    for tile in files(&place, ".parquet") {
        fs::remove_file(tile).unwrap();
    }
    days(&place);
}

#[test]
#[cfg(unix)]
fn a_cache_that_can_not_be_written_costs_time_and_no_number() {
    let place = place();
    // A file where the directory should be holds off root, too.
    fs::remove_dir_all(place.path("pond/cache")).unwrap();
    fs::write(place.path("pond/cache"), "in the way").unwrap();
    days(&place);
    place.run(["status"]).ok();
    place.run(["fsck"]).ok();
    fs::remove_file(place.path("pond/cache")).unwrap();
    days(&place);
}
