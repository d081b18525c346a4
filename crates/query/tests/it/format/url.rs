//! URLs of host files.

use std::path::Path;

use proptest::prelude::*;
use query::format::{Compression, Format, Location, Origin, SourceUrl, TableKind, UrlError};

fn parse(text: &str) -> SourceUrl {
    SourceUrl::parse(text).unwrap()
}

fn error(text: &str) -> String {
    SourceUrl::parse(text).unwrap_err().to_string()
}

#[test]
fn every_word_is_understood() {
    let url = parse("host+csv+gzip+series:///data/dock.csv");
    assert_eq!(url.format(), Some(Format::Csv));
    assert_eq!(url.compression(), Some(Compression::Gzip));
    assert_eq!(url.kind(), Some(TableKind::Series));
    assert_eq!(url.path(), Some(Path::new("/data/dock.csv")));
    assert!(url.is_table());
}

#[test]
fn format_and_compression_come_from_the_extension_when_not_named() {
    let resolved = parse("host+series:///data/dock.csv.gz").resolve().unwrap();
    assert_eq!((resolved.format, resolved.format_origin), (Format::Csv, Origin::Extension));
    assert_eq!(
        (resolved.compression, resolved.compression_origin),
        (Compression::Gzip, Origin::Extension)
    );
    let resolved = parse("ndjson:readings.log.ZST").resolve().unwrap();
    assert_eq!((resolved.format, resolved.format_origin), (Format::Ndjson, Origin::Named));
    assert_eq!(resolved.compression, Compression::Zstd);
    let resolved = parse("host:a.parquet").resolve().unwrap();
    assert_eq!((resolved.format, resolved.compression), (Format::Parquet, Compression::Plain));
}

#[test]
fn a_file_without_format_says_how_to_name_one() {
    let error = parse("host:///data/readings").resolve().unwrap_err();
    assert!(matches!(error, UrlError::NoFormat { .. }));
    assert!(error.to_string().contains("host+csv:///data/readings"), "{error}");
}

#[test]
fn paths_are_taken_as_they_are() {
    for path in ["a b.csv", "a#b?c=1.csv", "100%25.csv", "a:b.csv", "./-", "ä/ö.csv", "'x\".csv"]
    {
        let url = parse(&format!("csv:{path}"));
        assert_eq!(url.path(), Some(Path::new(path)));
        let url = parse(&format!("host:///{path}"));
        assert_eq!(url.path(), Some(Path::new(&format!("/{path}"))));
        assert_eq!(parse(&url.to_string()), url);
    }
}

#[test]
fn standard_input_is_a_dash() {
    assert_eq!(*parse("host+csv:-").location(), Location::Stdin);
    assert_eq!(parse("host+csv:-").to_string(), "host+csv:-");
}

#[test]
fn errors_name_the_part_and_the_nearest_word() {
    assert!(error("host+cvs:///x").contains("`cvs`"));
    assert!(error("host+cvs:///x").contains("did you mean `csv`?"));
    assert!(error("hots:///x").contains("did you mean `host`?"));
    assert!(error("host+gzip+csv:///x").contains("`csv` is out of place"));
    assert!(error("csv+csv:///x").contains("`csv` is out of place"));
    assert!(error("csv+host:///x").contains("`host` is out of place"));
    assert!(error("host://server/x").contains("three slashes (`host:///server/x`)"));
    assert!(error("host:").contains("names no file"));
    assert!(error("/plain/path").contains("no scheme"));
    assert!(error("host:///a\0b").contains("NUL"));
}

#[test]
fn paths_of_the_pond_do_not_look_like_urls() {
    assert!(SourceUrl::looks_like("host:///x"));
    assert!(SourceUrl::looks_like("csv+gzip:x"));
    assert!(SourceUrl::looks_like("hots:///x"));
    assert!(!SourceUrl::looks_like("/sensors/a.series"));
    assert!(!SourceUrl::looks_like("/sensors/12:30"));
    assert!(!SourceUrl::looks_like("notes:today"));
}

proptest! {
    #[test]
    fn what_is_displayed_parses_to_the_same(
        format in prop::option::of(prop::sample::select(Format::ALL.to_vec())),
        compression in prop::option::of(prop::sample::select(Compression::ALL.to_vec())),
        kind in prop::option::of(prop::sample::select(TableKind::ALL.to_vec())),
        slashes in prop::sample::select(vec!["", "///"]),
        path in "[^\0/][^\0]{0,20}",
    ) {
        let words: Vec<&str> = std::iter::once("host")
            .chain(format.map(|(_, word)| word))
            .chain(compression.map(|(_, word)| word))
            .chain(kind.map(|(_, word)| word))
            .collect();
        let text = format!("{}:{slashes}{path}", words.join("+"));
        let url = parse(&text);
        prop_assert_eq!(url.to_string(), text);
        prop_assert_eq!(parse(&url.to_string()), url);
    }

    #[test]
    fn no_text_panics(text in "\\PC{0,40}") {
        // Whether it parses does not matter here.
        let _ = SourceUrl::parse(&text).map(|url| url.resolve().is_ok());
    }
}
