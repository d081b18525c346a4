//! What no URL of a file and no time in one may break. The tests give these
//! functions changed samples, the fuzz targets anything at all.

use std::io::Write as _;

use futures::StreamExt as _;
use query::format::{Ambiguous, HostSource, OnError, ReadOptions, SourceUrl, open};

/// URLs of files.
pub(crate) const URLS: &[&str] = &[
    "host+csv+zstd+series:///a/b.csv.zst",
    "csv:-",
    "host:./-",
    "parquet:///x#?%20",
    "oteljson+table:m.jsonl",
    "host+ndjson+gzip:rel/\u{e9}.ndjson.gz",
];

/// A format, a zone, and times, each in a line.
pub(crate) const TIMES: &[&str] = &[
    "\n\n2024-11-03T01:30:00Z\n2024-11-03 01:30:00.123456789+05:30\n-0001-01-01\n",
    "\nAmerica/Los_Angeles\n2024-03-10 02:30\n2024-11-03 01:30\n2024-11-03 01:00\n",
    "%m/%d/%Y %I:%M %p\nEurope/Berlin\n12/31/2024 12:59 PM\n",
    "epoch_ms\n\n1700000000123\n-1\n9223372036854775807\n1e300\n",
    "%s%.f %Q %Z %:z\n\n1 a/b\n",
];

/// A URL that is read is shown as one that means the same.
pub(crate) fn source_url(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let _ = SourceUrl::looks_like(text);
    match SourceUrl::parse(text) {
        Ok(url) => {
            let shown = url.to_string();
            assert_eq!(SourceUrl::parse(&shown).as_ref(), Ok(&url), "{text:?} as {shown:?}");
            let _ = url.resolve();
        }
        Err(error) => {
            let said = error.to_string();
            assert!(!said.chars().any(|c| c.is_control() && c != '\n'), "{said:?}");
        }
    }
}

/// A column of times is read, or refused by the line that is wrong.
pub(crate) fn csv_time(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let mut lines = text.splitn(3, '\n');
    let mut line = || lines.next().unwrap_or_default().to_owned();
    let (format, zone, times) = (line(), line(), line());
    let mut file = tempfile::NamedTempFile::new().expect("a temporary file");
    write!(file, "t\n{times}").expect("a temporary file takes what is written");
    let runtime =
        tokio::runtime::Builder::new_current_thread().build().expect("a runtime of one thread");
    for (ambiguous, on_error) in
        [(Ambiguous::Order, OnError::Skip), (Ambiguous::Refuse, OnError::Fail)]
    {
        let mut options = ReadOptions::default();
        options.time_column = Some("t".to_owned());
        options.time_format = Some(format.clone()).filter(|format| !format.is_empty());
        options.time_zone = Some(zone.clone()).filter(|zone| !zone.is_empty());
        options.ambiguous = ambiguous;
        options.on_error = on_error;
        options.threads = Some(1);
        let url = SourceUrl::from_path(file.path()).with_format(query::format::Format::Csv);
        runtime.block_on(async {
            match open(HostSource::new(url), options).await {
                Err(query::format::Error::Decoder { reason, .. }) => panic!("{reason}"),
                Err(_) => {}
                Ok(opened) => {
                    let expected = opened.report().rows;
                    let mut stream = opened.into_stream();
                    let mut rows = 0;
                    while let Some(batch) = stream.next().await {
                        rows += batch.expect("what was read once is read again").num_rows() as u64;
                    }
                    assert_eq!(rows, expected);
                }
            }
        });
    }
}
