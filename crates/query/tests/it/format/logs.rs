//! Logs of web servers and of programs.

use query::format::OnError;

use super::{Sample, block_on, cells, chain, options, rows};

const LOG: &str = r#"::1 - frank s [10/Oct/2000:13:55:36 -0700] "GET /a b.gif HTTP/1.0" 200 2326
10.0.0.1 - - [29/Feb/2024:00:00:00 +0000] "GET /x HTTP/1.1" 304 - "http://a/\"b" "Agent (1)"
"#;

#[test]
fn both_forms_of_a_web_log_are_read() {
    let sample = Sample::new("access.log", LOG);
    let opened =
        block_on(query::format::open(sample.named("weblog", ""), options(|_| {}))).unwrap();
    let batch = rows(&opened, Some(vec![0, 3, 4, 5, 7, 8, 9, 10])).unwrap();
    assert_eq!(
        cells(&batch),
        [
            [
                "2000-10-10T20:55:36Z",
                "frank s",
                "-",
                "GET /a b.gif HTTP/1.0",
                "-",
                "-",
                "200",
                "2326"
            ],
            ["2024-02-29T00:00:00Z", "-", "GET", "/x", "http://a/\\\"b", "Agent (1)", "304", "-"],
        ]
    );
}

#[test]
fn lines_that_are_no_requests_are_refused_or_counted() {
    let sample = Sample::new("access.log", format!("{LOG}what is this\n"));
    let wanted = |on_error| options(|options| options.on_error = on_error);
    let read =
        |on_error| block_on(query::format::open(sample.named("weblog", ""), wanted(on_error)));
    let error = chain(&read(OnError::Fail).unwrap_err());
    assert!(error.contains("`access.log`, line 3"), "{error}");
    let opened = read(OnError::Skip).unwrap();
    assert_eq!((opened.report().rows, opened.report().skipped), (2, 1));
}

#[test]
fn lines_between_json_logs_are_skipped_and_counted() {
    let sample =
        Sample::new("app.log", "starting\n{\"level\":\"info\",\"n\":1}\nTrace:\n{\"n\":2}\n");
    let opened =
        block_on(query::format::open(sample.named("jsonlogs", ""), options(|_| {}))).unwrap();
    assert_eq!(cells(&rows(&opened, None).unwrap()), [["info", "1"], ["-", "2"]]);
    assert_eq!(opened.report().skipped, 2);
}

const XLS: &str = "<html><style>td{a:'}</style><!-- <tr> \" --><body><table border=1>
<tr><td colspan=\"3\">Aqua TROLL &amp; friends</td></tr>
<tr><th>Date<br/>Time</th><th>Temperature (&deg;C)</th><th>Note</th></tr>
<TR class='a>b'><TD>2024-01-01 00:00</TD><TD>&nbsp;7.5 </TD><TD>a \"b\",
 c</TD></TR><tr><td>2024-01-01 01:00<td>8<td></tr>
</table></body></html>";

#[test]
fn a_table_that_an_instrument_saved_as_xls_is_read() {
    let wanted = options(|options| {
        options.skip_lines = 1;
        options.time_column = Some("Date Time".to_owned());
        options.time_zone = Some("America/Los_Angeles".to_owned());
    });
    let sample = Sample::new("x.xls", XLS);
    let opened = block_on(query::format::open(sample.named("excelhtml", ""), wanted.clone()));
    let batch = rows(&opened.unwrap(), None).unwrap();
    assert_eq!(
        cells(&batch),
        [["2024-01-01T08:00:00Z", "7.5", "a \"b\", c"], ["2024-01-01T09:00:00Z", "8.0", "-"]]
    );
    assert_eq!(batch.schema().field(1).metadata()["unit"], "°C");
    let refused = |text: &str| {
        let sample = Sample::new("x.xls", text);
        let source = sample.named("excelhtml", "");
        chain(&block_on(query::format::open(source, wanted.clone())).unwrap_err())
    };
    assert!(refused(&XLS[..XLS.len() - 30]).contains("cut off"));
    assert!(refused("PK\u{3}\u{4}").contains("save it as CSV"));
    let error = refused(&XLS.replace("01:00<td>", "25:00<td>"));
    assert!(error.contains("`x.xls`, line 4, column `Date Time`: `2024-01-01 25:00`"), "{error}");
}
