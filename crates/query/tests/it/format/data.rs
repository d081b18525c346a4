//! The readings in the repository's `data` directory.
//!
//! The numbers are those of `data/sample/facts.json` and `data/README.md`.

use arrow::array::AsArray as _;
use arrow::compute::{max, min};
use arrow::datatypes::{Float64Type, TimestampMicrosecondType};
use query::format::{HostSource, OnError, OpenedSource, ReadOptions, SourceUrl, open};

use super::{block_on, options, rows};

fn read(path: &str, wanted: &ReadOptions) -> OpenedSource {
    let url = SourceUrl::parse(&format!("host:{path}")).unwrap();
    let data = testing::repository().join("data");
    block_on(open(HostSource::new(url).with_base(data), wanted.clone())).unwrap()
}

fn dock() -> ReadOptions {
    options(|options| {
        options.time_column = Some("Timestamp".to_owned());
        options.time_format = Some("%m/%d/%Y %H:%M:%S".to_owned());
        options.time_zone = Some("America/Los_Angeles".to_owned());
    })
}

#[test]
fn every_file_of_the_sample_has_its_rows() {
    let files = [
        ("dock-1.csv", 184),
        ("dock-2.csv", 147),
        ("dock-3.csv", 146),
        ("dock-late.csv", 6),
        ("well-1.csv", 48),
        ("well-2.csv", 48),
    ];
    for (file, expected) in files {
        let opened = read(&format!("sample/{file}"), &dock());
        assert_eq!(opened.report().rows, expected, "{file}");
        assert_eq!(rows(&opened, None).unwrap().num_rows() as u64, expected, "{file}");
    }
}

#[test]
fn the_repeated_hour_of_the_sample_is_told_by_its_order() {
    let opened = read("sample/dock-3.csv", &dock());
    let dst = &opened.report().dst;
    assert_eq!((dst.ambiguous, dst.second_pass), (4, 2));
    let batch = rows(&opened, None).unwrap();
    let times = batch.column(0).as_primitive::<TimestampMicrosecondType>();
    assert!(times.values().windows(2).all(|pair| pair[1] - pair[0] == 1_800_000_000));
    assert_eq!(max(times), Some(1_730_791_800_000_000), "2024-11-05T07:30:00Z");
}

#[test]
fn malformed_rows_of_the_sample_are_found_on_their_lines() {
    let mut wanted = dock();
    wanted.on_error = OnError::Skip;
    let lines = |file: &str| {
        let opened = read(file, &wanted);
        let report = opened.report().clone();
        let lines: Vec<u64> = report.skipped_rows.iter().map(|row| row.line).collect();
        (report.rows, report.dst.nonexistent, lines)
    };
    assert_eq!(lines("sample/dock-malformed.csv"), (4, 0, vec![3, 5, 7]));
    assert_eq!(lines("sample/dock-skipped-hour.csv"), (2, 2, vec![3, 4]));
}

#[test]
fn a_name_that_was_decoded_twice_is_reported() {
    let opened = read("sample/well-2.csv", &dock());
    assert_eq!(opened.schema().field(3).name(), "Temp (Â°C)");
    let note = &opened.report().notes[0].text;
    assert!(note.contains("column 4 is garbled") && note.contains("`Temp (°C)`"), "{note}");
}

#[test]
fn compressed_stations_are_read_whole() {
    let wanted = options(|options| {
        options.time_column = Some("time".to_owned());
        options.time_zone = Some("Etc/GMT-1".to_owned());
    });
    let opened = read("schwingbach/weather.csv.gz", &wanted);
    let batch = rows(&opened, None).unwrap();
    let head = batch.column_by_name("gwhead_m").unwrap().as_primitive::<Float64Type>();
    assert_eq!(batch.num_rows() as u64, opened.report().rows);
    assert!(min(head).unwrap() > 230.0 && max(head).unwrap() < 245.0);
    let opened = read("tides/noyo-harbor-edition-1.csv.zst", &wanted);
    assert!(opened.report().is_quiet(), "every time carries its offset");
}
