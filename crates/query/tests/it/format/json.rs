//! JSON and NDJSON: types over the whole file, nesting, limits.

use query::format::{OnError, ReadOptions};

use super::{Sample, cells, in_zone, options, types};

fn small_chunks() -> ReadOptions {
    options(|options| options.chunk_bytes = Some(16))
}

#[test]
fn fields_unite_over_the_whole_file() {
    let mut text = String::new();
    for row in 0..5000 {
        text.push_str(&format!("{{\"a\":{row},\"b\":null}}\n"));
    }
    text.push_str("{\"a\":0.5,\"late\":\"x\",\"b\":true}\n");
    let (batch, opened) = Sample::new("x.ndjson", text).read(&small_chunks()).unwrap();
    assert_eq!(types(&batch), ["Float64", "Boolean", "Utf8"]);
    assert_eq!((batch.num_rows(), opened.report().rows), (5001, 5001));
    assert_eq!(cells(&batch.slice(5000, 1))[0], ["0.5", "true", "x"]);
}

#[test]
fn an_array_is_read_element_by_element() {
    let text = " [ {\"a\": 1, \"s\": \"],{\\\"\"},\n {\"a\": 2,\n \"n\": {\"x\": [1, 2]}}\n]\n";
    for chunk in [1, 7, 1 << 20] {
        let wanted = options(|options| options.chunk_bytes = Some(chunk));
        let (batch, _) = Sample::new("x.json", text).read(&wanted).unwrap();
        assert_eq!(
            cells(&batch),
            [["1", "],{\"", "-"], ["2", "-", "{x: [1, 2]}"]],
            "chunks of {chunk}"
        );
    }
    let (batch, _) = Sample::new("x.json", "{\"a\": 1,\n\"b\": 2}").read(&small_chunks()).unwrap();
    assert_eq!(cells(&batch), [["1", "2"]]);
}

#[test]
fn scalars_of_several_kinds_are_text_and_said_so() {
    let text = "{\"a\":1}\n{\"a\":\"x\"}\n{\"a\":true}\n";
    let (batch, opened) = Sample::new("x.ndjson", text).read(&small_chunks()).unwrap();
    assert_eq!(cells(&batch), [["1"], ["x"], ["true"]]);
    let note = &opened.report().notes[0].text;
    assert_eq!(note, "`a` is text because it is a number on line 1 and text on line 2");
}

#[test]
fn kinds_that_no_column_holds_are_refused_with_both_lines() {
    let text = "{\"a\":{\"x\":1}}\n{}\n{\"a\":{\"x\":{}}}\n";
    let error = Sample::new("x.ndjson", text).refused(&small_chunks());
    assert!(
        error.contains("line 3, column `a.x`: is an object, but a number on line 1"),
        "{error}"
    );
}

#[test]
fn malformed_records_are_refused_by_line() {
    let error = Sample::new("x.ndjson", "{\"a\":1}\n\n{\"a\":}\n").refused(&small_chunks());
    assert!(error.contains("`x.ndjson`, line 3: not a JSON object"), "{error}");
    let error = Sample::new("x.ndjson", "{\"a\":1}\n[1]\n").refused(&small_chunks());
    assert!(error.contains("line 2: not a JSON object"), "{error}");
    let error = Sample::new("x.json", "[{\"a\":1},\n{\"a\":1}{\"a\":2}]").refused(&small_chunks());
    assert!(error.contains("line 2: not a JSON object: trailing characters"), "{error}");
    let error = Sample::new("x.json", "[{\"a\":1},,{\"a\":1}]").refused(&small_chunks());
    assert!(error.contains("an element is missing"), "{error}");
    let error = Sample::new("x.json", "[{\"a\":1},{\"a\":1}").refused(&small_chunks());
    assert!(error.contains("ends before its array does"), "{error}");
    let error = Sample::new("x.json", "[{\"a\":1}] x").refused(&small_chunks());
    assert!(error.contains("text after the end of the array"), "{error}");
    let error = Sample::new("x.json", "{\"a\":1}\n{\"a\":1}").refused(&small_chunks());
    assert!(error.contains("ndjson"), "{error}");
    let error = Sample::new("x.json", "").refused(&small_chunks());
    assert!(error.contains("is empty"), "{error}");
}

#[test]
fn skipped_records_leave_no_trace_in_the_schema() {
    let wanted = options(|options| {
        options.on_error = OnError::Skip;
        options.chunk_bytes = Some(8);
    });
    let text = "{\"a\":1}\n{\"a\":\"x\",\"bad\":}\nnonsense\n{\"a\":2}\n";
    let (batch, opened) = Sample::new("x.ndjson", text).read(&wanted).unwrap();
    assert_eq!(types(&batch), ["Int64"]);
    assert_eq!((opened.report().rows, opened.report().skipped), (2, 2));
}

#[test]
fn deep_and_huge_records_are_refused() {
    let deep = format!("{{\"a\":{}1{}}}\n", "[".repeat(1000), "]".repeat(1000));
    let error = Sample::new("x.ndjson", deep).refused(&small_chunks());
    assert!(error.contains("line 1") && error.contains("recursion limit"), "{error}");
    let huge = format!("{{}}\n{{\"a\":\"{}\"}}\n", "x".repeat(17 << 20));
    let error = Sample::new("x.ndjson", huge).refused(&options(|_| {}));
    assert!(error.contains("line 2: a record of more than"), "{error}");
}

#[test]
fn the_time_column_is_read_in_its_zone() {
    let text = "{\"v\":1,\"t\":\"2024-11-03 01:30\"}\n{\"v\":2,\"t\":\"2024-11-03 01:00\"}\n";
    for chunk in [1, 1 << 20] {
        let mut wanted = in_zone("America/Los_Angeles");
        wanted.chunk_bytes = Some(chunk);
        let (batch, opened) = Sample::new("x.ndjson", text).read(&wanted).unwrap();
        assert_eq!(cells(&batch), [["1", "2024-11-03T08:30:00Z"], ["2", "2024-11-03T09:00:00Z"]]);
        assert_eq!(opened.report().dst.ambiguous, 2);
    }
    let error = Sample::new("x.ndjson", "{\"v\":1}\n").refused(&in_zone("UTC"));
    assert!(error.contains("line 1, column `t`: the time is missing"), "{error}");
    let epoch = options(|options| {
        options.time_column = Some("t".into());
        options.time_format = Some("epoch_ms".into());
    });
    let (batch, _) = Sample::new("x.json", "[{\"t\":1700000000123}]").read(&epoch).unwrap();
    assert_eq!(cells(&batch), [["2023-11-14T22:13:20.123Z"]]);
}

#[test]
fn objects_without_fields_are_left_out() {
    let (batch, opened) =
        Sample::new("x.ndjson", "{\"a\":1,\"m\":{}}\n").read(&small_chunks()).unwrap();
    assert_eq!(cells(&batch), [["1"]]);
    assert!(opened.report().notes[0].text.contains("`m` holds only empty objects"));
}

#[test]
fn a_key_that_stands_twice_makes_its_record_malformed() {
    let refused = |text: &str| Sample::new("x.ndjson", text).refused(&small_chunks());
    let error = refused("{\"a\":1}\n{\"a\":2,\"b\":3,\"a\":4}\n");
    assert!(
        error.contains("`x.ndjson`, line 2, column `a`: stands twice in one object"),
        "{error}"
    );
    let error = refused("{\"m\":[{\"x\":1},{\"x\":2,\"x\":null}]}\n");
    assert!(error.contains("column `x`: stands twice"), "{error}");
    let error = Sample::new("x.ndjson", "{\"t\":1,\"t\":2}\n").refused(&options(|options| {
        options.time_column = Some("t".into());
        options.time_format = Some("epoch".into());
    }));
    assert!(error.contains("column `t`: stands twice"), "{error}");
    let skip = options(|options| options.on_error = OnError::Skip);
    let text = "{\"a\":1,\"m\":[{\"x\":1},{\"x\":2}]}\n{\"a\":2,\"a\":\"x\"}\n{\"a\":3}\n";
    let (batch, opened) = Sample::new("x.ndjson", text).read(&skip).unwrap();
    assert_eq!(cells(&batch), [["1", "[{x: 1}, {x: 2}]"], ["3", "-"]]);
    assert_eq!((opened.report().rows, opened.report().skipped), (2, 1));
}
