//! OpenTelemetry metrics.

use query::format::{Error, OnError, OpenedSource};

use super::{Sample, block_on, cells, chain, options, rows};

/// As the collector's file exporter writes it: integers of 64 bits in strings.
const LINES: &str = concat!(
    r#"{"resourceMetrics":[{"resource":{"attributes":[{"key":"host.name","value":{"stringValue":"dock-1"}},{"key":"a","value":{"intValue":"7"}}]},"scopeMetrics":[{"scope":{"name":"hostmetrics","version":"1"},"metrics":["#,
    r#"{"name":"battery","unit":"V","gauge":{"dataPoints":[{"timeUnixNano":"1700000000000000001","asDouble":12.5},{"timeUnixNano":"1700000060000000000","flags":1}]}},"#,
    r#"{"name":"packets","description":"so many","sum":{"dataPoints":[{"attributes":[{"key":"device","value":{"stringValue":"eth\"0"}},{"key":"up","value":{"boolValue":true}}],"startTimeUnixNano":"1699999999000000000","timeUnixNano":"1700000000000000000","asInt":"42"}],"aggregationTemporality":2,"isMonotonic":true}}"#,
    r#"]}]}]}"#,
    "\n",
    r#"{"resourceMetrics":[{"scopeMetrics":[{"metrics":[{"name":"latency","unit":"ms","histogram":{"aggregationTemporality":1,"dataPoints":[{"timeUnixNano":1700000000000000000,"count":"3","sum":6.5,"min":1,"max":4,"bucketCounts":["1","2","0"],"explicitBounds":[1,5]}]}}]}]}],"later":{}}"#,
    "\n"
);

fn read(text: &str, on_error: OnError) -> Result<OpenedSource, Error> {
    let sample = Sample::new("metrics.jsonl", text);
    let wanted = options(|options| {
        options.on_error = on_error;
        options.chunk_bytes = Some(64);
    });
    block_on(query::format::open(sample.named("oteljson", ""), wanted))
}

#[test]
fn each_data_point_is_a_row() {
    let sample = Sample::new("metrics.jsonl", LINES);
    let opened =
        block_on(query::format::open(sample.named("oteljson", ""), options(|_| {}))).unwrap();
    let resource = r#"{"a":7,"host.name":"dock-1"}"#;
    let point = r#"{"device":"eth\"0","up":true}"#;
    let batch = rows(&opened, Some(vec![0, 1, 2, 3, 4, 5, 11, 12, 13, 14, 15])).unwrap();
    assert_eq!(
        cells(&batch),
        [
            [
                "2023-11-14T22:13:20.000000001Z",
                "-",
                "battery",
                "gauge",
                "V",
                "12.5",
                "-",
                "-",
                "{}",
                "hostmetrics",
                resource
            ],
            [
                "2023-11-14T22:14:20Z",
                "-",
                "battery",
                "gauge",
                "V",
                "-",
                "-",
                "-",
                "{}",
                "hostmetrics",
                resource
            ],
            [
                "2023-11-14T22:13:20Z",
                "2023-11-14T22:13:19Z",
                "packets",
                "sum",
                "-",
                "42.0",
                "cumulative",
                "true",
                point,
                "hostmetrics",
                resource
            ],
            [
                "2023-11-14T22:13:20Z",
                "-",
                "latency",
                "histogram",
                "ms",
                "-",
                "delta",
                "-",
                "{}",
                "-",
                "{}"
            ],
        ]
    );
    let batch = rows(&opened, Some(vec![10, 6, 7, 8, 9])).unwrap();
    assert_eq!(
        cells(&batch.slice(3, 1)),
        [[r#"{"bounds":[1.0,5.0],"counts":[1,2,0]}"#, "3", "6.5", "1.0", "4.0"]]
    );
    assert_eq!((opened.report().rows, opened.report().skipped), (4, 0));
}

#[test]
fn summaries_and_exponential_histograms_keep_what_they_hold() {
    let point = |kind: &str, point: &str| {
        format!(
            r#"{{"resourceMetrics":[{{"scopeMetrics":[{{"metrics":[{{"name":"m","{kind}":{{"dataPoints":[{{"timeUnixNano":"1",{point}}}]}}}}]}}]}}]}}"#
        )
    };
    let text = [
        point(
            "summary",
            r#""sum":2.5,"count":"2","quantileValues":[{"value":1},{"quantile":0.5,"value":"NaN"}]"#,
        ),
        point(
            "exponentialHistogram",
            r#""scale":-1,"zeroCount":"4","positive":{"offset":2,"bucketCounts":["9"]}"#,
        ),
    ];
    let sample = Sample::new("m.jsonl", text.join("\n"));
    let opened =
        block_on(query::format::open(sample.named("oteljson", ""), options(|_| {}))).unwrap();
    assert_eq!(
        cells(&rows(&opened, Some(vec![3, 6, 7, 10])).unwrap()),
        [
            ["summary", "2", "2.5", r#"{"quantiles":[[0.0,1.0],[0.5,"NaN"]]}"#],
            [
                "exponential_histogram",
                "0",
                "-",
                r#"{"scale":-1,"zero":4,"positive":{"offset":2,"counts":[9]}}"#
            ],
        ]
    );
}

#[test]
fn lines_that_are_no_metrics_are_refused_by_line_or_counted() {
    let metric = |inner: &str| {
        format!(
            r#"{{"resourceMetrics":[{{"scopeMetrics":[{{"metrics":[{{"name":"m",{inner}}}]}}]}}]}}"#
        )
    };
    let cases = [
        ("what is this".to_owned(), "not OpenTelemetry's JSON: expected value, at byte 1"),
        (r#"{"resourceSpans":[]}"#.to_owned(), "holds traces, not metrics"),
        (r#"{"resourceLogs":[]}"#.to_owned(), "holds logs, not metrics"),
        (r#"{"a":1}"#.to_owned(), "has no `resourceMetrics`"),
        (
            metric(r#""gauge":{"dataPoints":[{"asInt":"1"}]}"#),
            "column `m`: has a data point without `timeUnixNano`",
        ),
        (
            metric(r#""gauge":{"dataPoints":[{"timeUnixNano":"x"}]}"#),
            "`x` is no integer of 64 bits",
        ),
        (
            metric(r#""gauge":{"dataPoints":[{"timeUnixNano":"18446744073709551615"}]}"#),
            "that no timestamp holds",
        ),
        (
            metric(r#""gauge":{"dataPoints":[{"timeUnixNano":"1","asInt":"1","asDouble":1}]}"#),
            "both `asDouble` and `asInt`",
        ),
        (metric(r#""gauge":{},"sum":{}"#), "more than one kind"),
        (
            metric(
                r#""sum":{"dataPoints":[{"timeUnixNano":"1","attributes":[{"key":"k"},{"key":"k"}]}]}"#,
            ),
            "attribute `k` of a point stands twice",
        ),
        (r#"{"resourceMetrics":[],"resourceMetrics":[]}"#.to_owned(), "duplicate field"),
    ];
    for (line, reason) in cases {
        let text = format!("{LINES}{line}\n");
        let error = chain(&read(&text, OnError::Fail).unwrap_err());
        assert!(error.contains("`metrics.jsonl`, line 3"), "{error}");
        assert!(error.contains(reason), "{error}");
        let opened = read(&text, OnError::Skip).unwrap();
        assert_eq!((opened.report().rows, opened.report().skipped), (4, 1), "{line}");
    }
    // What is not known is passed over however deep it is; values are not.
    let value = format!("{}{{}}{}", r#"{"arrayValue":{"values":["#.repeat(500), "]}}".repeat(500));
    let deep = format!(
        r#"{{"resourceMetrics":[{{"resource":{{"attributes":[{{"key":"k","value":{value}}}]}}}}]}}"#
    );
    let error = chain(&read(&deep, OnError::Fail).unwrap_err());
    assert!(error.contains("recursion limit"), "{error}");
}

#[test]
fn integers_that_lose_digits_are_noted() {
    let line = r#"{"resourceMetrics":[{"scopeMetrics":[{"metrics":[{"name":"m","gauge":{"dataPoints":[{"timeUnixNano":"1","asInt":"9007199254740993"}]}}]}]}]}"#;
    let opened = read(line, OnError::Fail).unwrap();
    assert_eq!(opened.report().notes[0].text, "`value` has integers above 2^53, which lose digits");
}
