//! Times: forms, zones, both changes of daylight saving.
//!
//! The instants were computed with Python's zoneinfo.

use query::format::{Ambiguous, OnError, ReadOptions};

use super::{Sample, cells, in_zone, options};

fn times(text: &str, wanted: &ReadOptions) -> Vec<String> {
    let (batch, _) = Sample::new("x.csv", text).read(wanted).unwrap();
    cells(&batch).into_iter().map(|mut row| row.swap_remove(0)).collect()
}

fn with_format(format: &str) -> ReadOptions {
    options(|options| {
        options.time_column = Some("t".into());
        options.time_format = Some(format.into());
    })
}

const PACIFIC: &str = "America/Los_Angeles";

#[test]
fn local_times_are_read_in_the_declared_zone() {
    let text = "t,v\n2024-01-01 00:00,1\n2024-07-01T12:30:15.25,2\n2024-07-01T12:00:00+02:00,3\n";
    assert_eq!(
        times(text, &in_zone(PACIFIC)),
        ["2024-01-01T08:00:00Z", "2024-07-01T19:30:15.250Z", "2024-07-01T10:00:00Z"]
    );
}

#[test]
fn times_without_zone_are_utc_and_said_so() {
    let sample = Sample::new("x.csv", "t,v\n2024-01-01 00:00,1\n");
    let (batch, opened) =
        sample.read(&options(|options| options.time_column = Some("t".into()))).unwrap();
    assert_eq!(cells(&batch)[0][0], "2024-01-01T00:00:00Z");
    assert!(!batch.schema().field(0).is_nullable());
    assert!(opened.report().notes[0].text.contains("read as UTC"));
}

#[test]
fn the_repeated_hour_is_told_by_the_order_of_rows() {
    let text = "t,v\n\
        2024-11-03 00:30,1\n2024-11-03 01:00,2\n2024-11-03 01:30,3\n\
        2024-11-03 01:00,4\n2024-11-03 01:30,5\n2024-11-03 02:00,6\n";
    let expected = [
        "2024-11-03T07:30:00Z",
        "2024-11-03T08:00:00Z",
        "2024-11-03T08:30:00Z",
        "2024-11-03T09:00:00Z",
        "2024-11-03T09:30:00Z",
        "2024-11-03T10:00:00Z",
    ];
    for chunk in [1, 20, 40, 64, 1 << 20] {
        let mut wanted = in_zone(PACIFIC);
        wanted.chunk_bytes = Some(chunk);
        let (batch, opened) = Sample::new("x.csv", text).read(&wanted).unwrap();
        let got: Vec<_> = cells(&batch).into_iter().map(|row| row[0].clone()).collect();
        assert_eq!(got, expected, "chunks of {chunk}");
        let dst = &opened.report().dst;
        assert_eq!((dst.ambiguous, dst.second_pass, dst.nonexistent), (4, 2, 0));
        let listed: Vec<_> =
            dst.ambiguous_rows.iter().map(|row| (row.line, row.second_pass)).collect();
        assert_eq!(listed, [(3, false), (4, false), (5, true), (6, true)]);
        assert_eq!(dst.ambiguous_rows[2].local, "2024-11-03 01:00");
        assert_eq!(dst.ambiguous_rows[2].time_us, 1_730_624_400_000_000);
    }
}

#[test]
fn hourly_rows_repeat_instead_of_going_back() {
    let text =
        "t,v\n2024-11-03 00:00,1\n2024-11-03 01:00,2\n2024-11-03 01:00,3\n2024-11-03 02:00,4\n";
    assert_eq!(
        times(text, &in_zone(PACIFIC)),
        [
            "2024-11-03T07:00:00Z",
            "2024-11-03T08:00:00Z",
            "2024-11-03T09:00:00Z",
            "2024-11-03T10:00:00Z"
        ]
    );
}

#[test]
fn newest_first_is_read_in_that_direction() {
    let text = "t,v\n2024-11-03 02:00,1\n2024-11-03 01:30,2\n2024-11-03 01:00,3\n\
        2024-11-03 01:30,4\n2024-11-03 01:00,5\n2024-11-03 00:30,6\n";
    assert_eq!(
        times(text, &in_zone(PACIFIC)),
        [
            "2024-11-03T10:00:00Z",
            "2024-11-03T09:30:00Z",
            "2024-11-03T09:00:00Z",
            "2024-11-03T08:30:00Z",
            "2024-11-03T08:00:00Z",
            "2024-11-03T07:30:00Z",
        ]
    );
}

#[test]
fn several_stations_at_a_time_do_not_mark_the_second_pass() {
    let text = "t,s\n2024-11-03 01:00,a\n2024-11-03 01:00,b\n2024-11-03 01:30,a\n\
        2024-11-03 01:30,b\n2024-11-03 01:00,a\n2024-11-03 01:00,b\n";
    let got = times(text, &in_zone(PACIFIC));
    assert_eq!(got[0], got[1]);
    assert_eq!(
        (got[3].as_str(), got[4].as_str(), got[5].as_str()),
        ("2024-11-03T08:30:00Z", "2024-11-03T09:00:00Z", "2024-11-03T09:00:00Z")
    );
}

#[test]
fn the_choice_for_repeated_times_can_be_declared() {
    let text = "t,v\n2024-11-03 01:00,1\n2024-11-03 01:00,2\n";
    let chosen = |choice| {
        let mut wanted = in_zone(PACIFIC);
        wanted.ambiguous = choice;
        wanted
    };
    let both = |time: &str| vec![time.to_owned(), time.to_owned()];
    assert_eq!(times(text, &chosen(Ambiguous::Earliest)), both("2024-11-03T08:00:00Z"));
    assert_eq!(times(text, &chosen(Ambiguous::Latest)), both("2024-11-03T09:00:00Z"));
    let error = Sample::new("x.csv", text).refused(&chosen(Ambiguous::Refuse));
    assert!(error.contains("line 2, column `t`: `2024-11-03 01:00` happened twice"), "{error}");
}

#[test]
fn a_skipped_hour_is_malformed_and_names_the_fixed_zone() {
    let text = "t,v\n2024-03-10 01:30,1\n2024-03-10 02:30,2\n2024-03-10 03:30,3\n";
    let sample = Sample::new("x.csv", text);
    let error = sample.refused(&in_zone(PACIFIC));
    assert!(error.contains("line 3, column `t`: `2024-03-10 02:30` never happened"), "{error}");
    assert!(error.contains("Etc/GMT+8"), "{error}");
    let mut wanted = in_zone(PACIFIC);
    wanted.on_error = OnError::Skip;
    let (batch, opened) = sample.read(&wanted).unwrap();
    assert_eq!((batch.num_rows(), opened.report().dst.nonexistent), (2, 1));
    assert_eq!(
        times(text, &in_zone("Etc/GMT+8")),
        ["2024-03-10T09:30:00Z", "2024-03-10T10:30:00Z", "2024-03-10T11:30:00Z"]
    );
}

#[test]
fn declared_forms_are_read() {
    let cases = [
        ("%m/%d/%Y %H:%M", "06/05/2024 14:07", "2024-06-05T14:07:00Z"),
        ("%m/%d/%y %I:%M:%S %p", "06/05/24 02:07:09 PM", "2024-06-05T14:07:09Z"),
        ("%d.%m.%Y", "05.06.2024", "2024-06-05T00:00:00Z"),
        ("%Y-%m-%d %H:%M:%S%.f %z", "2024-06-05 14:07:09.5 +0200", "2024-06-05T12:07:09.500Z"),
        ("epoch", "1700000000", "2023-11-14T22:13:20Z"),
        ("epoch", "-1.5", "1969-12-31T23:59:58.500Z"),
        ("epoch_ms", "1700000000123", "2023-11-14T22:13:20.123Z"),
        ("epoch_us", "1700000000123456", "2023-11-14T22:13:20.123456Z"),
        ("epoch_ns", "1700000000123456789", "2023-11-14T22:13:20.123456789Z"),
    ];
    for (format, text, expected) in cases {
        assert_eq!(
            times(&format!("t,v\n{text},1\n"), &with_format(format)),
            [expected],
            "{format}"
        );
    }
}

#[test]
fn wrong_declarations_are_refused_before_any_row() {
    let sample = Sample::new("x.csv", "t,v\n2024-01-01,1\n");
    assert!(
        sample
            .refused(&in_zone("America/Los_Angles"))
            .contains("did you mean `America/Los_Angeles`?")
    );
    assert!(sample.refused(&with_format("YYYY-MM-DD")).contains("neither a strftime format"));
    assert!(sample.refused(&with_format("%!")).contains("not understood"));
    let orphan = options(|options| options.time_zone = Some("UTC".into()));
    assert!(sample.refused(&orphan).contains("--time-column"));
}

#[test]
fn what_is_no_time_is_refused_with_a_way_out() {
    for text in
        ["1700000000", "01/02/2024", "2024-02-30", "2024-01-01 24:00", "2024-01-01 10:60", "soon"]
    {
        let sample = Sample::new("x.csv", format!("t,v\n{text},1\n"));
        let error = sample.refused(&in_zone("UTC"));
        assert!(error.contains("line 2, column `t`") && error.contains("--time-format"), "{error}");
    }
    let error = Sample::new("x.csv", "t,v\n,1\n").refused(&in_zone("UTC"));
    assert!(error.contains("the time is missing"), "{error}");
}
