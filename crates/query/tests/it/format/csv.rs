//! CSV: types over the whole file, strictness, names, units.

use arrow::array::{Array as _, Float64Array};
use query::format::{ColumnType, OnError, ReadOptions};

use super::{Sample, cells, options, rows, types};

fn plain() -> ReadOptions {
    options(|_| {})
}

#[test]
fn a_value_on_the_last_line_widens_its_column() {
    let mut text = String::from("a,b,c\n");
    for row in 0..30_000 {
        text.push_str(&format!("{row},{row},1\n"));
    }
    text.push_str("0.5,oops,2\n");
    let sample = Sample::new("x.csv", text);
    let (batch, opened) =
        sample.read(&options(|options| options.chunk_bytes = Some(4096))).unwrap();
    assert_eq!(types(&batch), ["Float64", "Utf8", "Int64"]);
    assert_eq!(batch.num_rows(), 30_001);
    assert_eq!(opened.report().rows, 30_001);
    let sum: f64 =
        batch.column(0).as_any().downcast_ref::<Float64Array>().unwrap().iter().flatten().sum();
    assert_eq!(sum, 449_985_000.5);
    let note = &opened.report().notes[0].text;
    assert!(note.contains("`b` is text because of `oops` on line 30002"), "{note}");
}

#[test]
fn all_batches_are_read_with_few_batches_in_memory() {
    let mut text = String::from("t,v\n");
    for row in 0..200_000 {
        text.push_str(&format!("{},{}\n", 1_600_000_000 + row, row % 7));
    }
    let sample = Sample::new("x.csv", text);
    let (batch, opened) = sample
        .read(&options(|options| {
            options.chunk_bytes = Some(16 << 10);
            options.time_column = Some("t".into());
            options.time_format = Some("epoch".into());
        }))
        .unwrap();
    assert_eq!((batch.num_rows(), opened.report().rows), (200_000, 200_000));
    assert_eq!(cells(&batch.slice(199_999, 1))[0], ["2020-09-15T19:59:59Z", "2"]);
}

#[test]
fn each_kind_of_value_has_its_type() {
    let sample = Sample::new(
        "x.csv",
        "i,f,b,d,local,instant,s,zip,huge,none,fine\n\
         1,1.5,true,2024-02-29,2024-01-01 00:00,2024-01-01T00:00:00+01:00,x,007,12345678901234567890,,2024-01-01T00:00:00.123456789\n\
         -9223372036854775808,-1e-3,FALSE,1969-12-31,2024-01-01T00:00:00.5,2024-01-01T00:00:00Z,\"a,\"\"b\"\"\",123,1,,2024-01-01\n\
         ,NaN,,,,,\"\",,,,\n",
    );
    let (batch, _) = sample.read(&plain()).unwrap();
    assert_eq!(
        types(&batch),
        [
            "Int64",
            "Float64",
            "Boolean",
            "Date32",
            "Timestamp(µs)",
            "Timestamp(µs, \"UTC\")",
            "Utf8",
            "Utf8",
            "Utf8",
            "Null",
            "Timestamp(ns)"
        ]
    );
    let cells = cells(&batch);
    assert_eq!(
        cells[0],
        [
            "1",
            "1.5",
            "true",
            "2024-02-29",
            "2024-01-01T00:00:00",
            "2023-12-31T23:00:00Z",
            "x",
            "007",
            "12345678901234567890",
            "-",
            "2024-01-01T00:00:00.123456789"
        ]
    );
    assert_eq!(
        cells[1],
        [
            "-9223372036854775808",
            "-0.001",
            "false",
            "1969-12-31",
            "2024-01-01T00:00:00.500",
            "2024-01-01T00:00:00Z",
            "a,\"b\"",
            "123",
            "1",
            "-",
            "2024-01-01T00:00:00"
        ]
    );
    assert_eq!(cells[2][1], "NaN");
    assert_eq!(cells[2][6], "", "an empty text in quotes is no null");
    assert_eq!(cells[2][7], "-");
}

#[test]
fn byte_order_mark_crlf_and_blank_lines_mean_nothing() {
    let sample = Sample::new("x.csv", "\u{feff}a,b\r\n1,2\r\n\r\n\r\n3,4");
    let (batch, _) = sample.read(&plain()).unwrap();
    assert_eq!(batch.schema().field(0).name(), "a");
    assert_eq!(cells(&batch), [["1", "2"], ["3", "4"]]);
}

#[test]
fn lines_are_counted_through_quotes_and_blank_lines() {
    let sample = Sample::new("x.csv", "a,b\n\n\"one\ntwo\",1\n\n3,4,5\n");
    assert_eq!(sample.refused(&plain()), "`x.csv`, line 6: the row has 3 fields, the header 2");
}

#[test]
fn malformed_rows_are_refused_by_line_and_column() {
    let sample = Sample::new("x.csv", "a,b\n1,2\n3\n");
    assert!(sample.refused(&plain()).contains("line 3: the row has 1 field, the header 2"));
    let sample = Sample::new("x.csv", b"a,b\n1,x\n2,\xff\xfe\n");
    let error = sample.refused(&plain());
    assert!(error.contains("line 3, column `b`") && error.contains("is not UTF-8"), "{error}");
    let sample = Sample::new("x.csv", "a,b\n\"x\"y,1\n");
    let error = sample.refused(&plain());
    assert!(error.contains("line 2, column `a`: `x` is followed by text"), "{error}");
    let sample = Sample::new("x.csv", "a,b\n1,2\n3,\"open\n4,5\n");
    assert!(sample.refused(&plain()).contains("line 3: the quote that opens at character 3"));
    let typed = options(|options| options.declare_type("b=float64").unwrap());
    let sample = Sample::new("x.csv", "a,b\n1,2\n3,n/a\n");
    let error = sample.refused(&typed);
    assert!(error.contains("line 3, column `b`: `n/a` is not a number"), "{error}");
}

#[test]
fn skipped_rows_are_counted_and_listed() {
    let mut text = String::from("a,b\n");
    for row in 0..500 {
        text.push_str(if row % 2 == 0 { "1,2\n" } else { "broken\n" });
    }
    let sample = Sample::new("x.csv", text);
    for chunk in [8, 100, 1 << 20] {
        let (batch, opened) = sample
            .read(&options(|options| {
                options.on_error = OnError::Skip;
                options.chunk_bytes = Some(chunk);
            }))
            .unwrap();
        let report = opened.report();
        assert_eq!((batch.num_rows(), report.rows, report.skipped), (250, 250, 250));
        assert_eq!(report.skipped_rows.len(), 100);
        assert_eq!((report.skipped_rows[0].line, report.skipped_rows[99].line), (3, 201));
    }
}

#[test]
fn declared_types_and_nulls_are_kept() {
    let sample = Sample::new("x.csv", "id,v,t\n7,1,2024-01-01\n8,-,2024-01-02 01:00\n");
    let wanted = options(|options| {
        options.column_types = vec![
            ("id".into(), ColumnType::Utf8),
            ("v".into(), ColumnType::Float64),
            ("t".into(), ColumnType::Timestamp),
        ];
        options.null_values = vec!["-".into()];
    });
    let (batch, _) = sample.read(&wanted).unwrap();
    assert_eq!(types(&batch), ["Utf8", "Float64", "Timestamp(µs)"]);
    assert_eq!(cells(&batch)[1], ["8", "-", "2024-01-02T01:00:00"]);
}

#[test]
fn a_missing_column_is_named_with_the_nearest() {
    let sample = Sample::new("x.csv", "Timestamp,v\n2024-01-01,1\n");
    let error = sample.refused(&options(|options| options.time_column = Some("timestmp".into())));
    assert!(error.contains("no column `timestmp` (did you mean `Timestamp`?)"), "{error}");
}

#[test]
fn names_are_kept_and_units_become_metadata() {
    let sample = Sample::new("x.csv", "Temperature (C),Temp [°C], Level ,Depth (m) raw\n1,2,3,4\n");
    let (batch, opened) = sample.read(&plain()).unwrap();
    let schema = batch.schema();
    let names: Vec<_> = schema.fields().iter().map(|field| field.name().as_str()).collect();
    assert_eq!(names, ["Temperature (C)", "Temp [°C]", "Level", "Depth (m) raw"]);
    let unit = |place: usize| schema.field(place).metadata().get("unit").cloned();
    assert_eq!((unit(0).as_deref(), unit(1).as_deref()), (Some("C"), Some("°C")));
    assert_eq!((unit(2), unit(3)), (None, None));
    assert!(opened.report().is_quiet());
}

#[test]
fn doubtful_names_are_made_usable_and_reported() {
    let sample = Sample::new("x.csv", b"a,a,,T [\xb0C],x\x01y\n1,2,3,4,5\n");
    let (batch, opened) = sample.read(&plain()).unwrap();
    let schema = batch.schema();
    let names: Vec<_> = schema.fields().iter().map(|field| field.name().as_str()).collect();
    assert_eq!(names, ["a", "a_2", "column_3", "T [°C]", "x\u{fffd}y"]);
    let notes: Vec<_> = opened.report().notes.iter().map(|note| note.text.as_str()).collect();
    assert_eq!(notes.len(), 4, "{notes:?}");
    assert!(notes[2].contains("Latin-1") && notes[3].contains("\\u{1}"), "{notes:?}");
}

#[test]
fn headers_preambles_and_delimiters_vary() {
    let sample = Sample::new("x.csv", "Logger \"7\nmade 2024\na;b\n1;2,5\n");
    let (batch, opened) = sample.read(&options(|options| options.skip_lines = 2)).unwrap();
    assert_eq!(cells(&batch), [["1", "2,5"]]);
    assert_eq!(opened.report().notes[0].text, "fields are separated by a semicolon");
    let sample = Sample::new("x.csv", "1|2\n3|4\n");
    let wanted = options(|options| {
        options.delimiter = Some(b'|');
        options.no_header = true;
    });
    let (batch, _) = sample.read(&wanted).unwrap();
    assert_eq!(batch.schema().field(1).name(), "column_2");
    assert_eq!(cells(&batch), [["1", "2"], ["3", "4"]]);
}

#[test]
fn a_header_alone_is_a_table_without_rows_and_nothing_is_an_error() {
    let (batch, opened) = Sample::new("x.csv", "a,b\n").read(&plain()).unwrap();
    assert_eq!((batch.num_rows(), batch.num_columns(), opened.report().rows), (0, 2, 0));
    assert!(Sample::new("x.csv", "").refused(&plain()).contains("is empty: there is no header"));
    assert!(Sample::new("x.csv", "\n\r\n").refused(&plain()).contains("is empty"));
}

#[test]
fn huge_records_are_refused_by_line() {
    let mut text = b"a,b\n1,2\n3,".to_vec();
    text.resize(text.len() + (17 << 20), b'x');
    let error = Sample::new("x.csv", &text).refused(&plain());
    assert!(error.contains("line 3: a record of more than"), "{error}");
    text[10] = b'"';
    let error = Sample::new("x.csv", text).refused(&plain());
    assert!(error.contains("line 3: the quote that opens at character 3"), "{error}");
    assert!(error.contains("within the largest record allowed"), "{error}");
    let wide = ",".repeat(20_000) + "\n";
    assert!(Sample::new("x.csv", wide).refused(&plain()).contains("20001 columns"));
}

#[test]
fn projections_read_what_is_asked_for_in_that_order() {
    let sample = Sample::new("x.csv", "a,b,c\n1,x,2\n3,y,4\n");
    let opened = sample.open(&plain()).unwrap();
    assert_eq!(cells(&rows(&opened, Some(vec![2, 0])).unwrap()), [["2", "1"], ["4", "3"]]);
    let none = rows(&opened, Some(vec![]));
    assert_eq!(none.unwrap().num_columns(), 0);
}

#[test]
fn a_file_that_changes_between_readings_is_refused() {
    let sample = Sample::new("x.csv", "a\n1\n");
    let opened = sample.open(&plain()).unwrap();
    std::fs::write(sample.dir().join("x.csv"), "a\n1\nx\n").unwrap();
    let error = rows(&opened, None).unwrap_err().to_string();
    assert!(error.contains("changed while it was read"), "{error}");
}
