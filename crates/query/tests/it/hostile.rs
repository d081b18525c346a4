//! SQL that reaches for what is not the pond's, and texts that nobody would
//! write.

mod entries;

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::{Index, select};
use query::Error;

use crate::pond::{Pond, failure, readings, spec, try_rows};

async fn pond() -> Pond {
    let pond = Pond::new();
    pond.append("/a.series", &spec(), &readings(&[(1, 1.0)])).await;
    pond
}

#[tokio::test]
async fn statements_that_write_or_set_are_refused() {
    let session = pond().await.session();
    for sql in [
        "COPY (SELECT 1) TO '/tmp/duckpond-must-not-appear.csv'",
        "COPY '/a.series' TO '/tmp/duckpond-must-not-appear.csv'",
        "EXPLAIN COPY (SELECT 1) TO '/tmp/duckpond-must-not-appear.csv'",
        "EXPLAIN ANALYZE COPY (SELECT 1) TO '/tmp/duckpond-must-not-appear.csv'",
        "CREATE EXTERNAL TABLE t STORED AS CSV LOCATION '/etc/passwd'",
        "CREATE TABLE t AS SELECT 1",
        "CREATE VIEW v AS SELECT 1",
        "CREATE SCHEMA s",
        "CREATE FUNCTION f() RETURNS INT RETURN 1",
        "DROP TABLE '/a.series'",
        "INSERT INTO '/a.series' VALUES (1, 2)",
        "UPDATE '/a.series' SET value = 1",
        "DELETE FROM '/a.series'",
        "TRUNCATE TABLE '/a.series'",
        "SET datafusion.execution.batch_size = 1",
        "RESET datafusion.execution.batch_size",
        "PREPARE p AS SELECT 1",
        "EXECUTE p",
        "BEGIN",
        "USE other",
    ] {
        let error = failure(&session, sql).await;
        assert!(matches!(error, Error::Refused { .. }), "{sql}: {error:?}");
    }
    assert!(!std::path::Path::new("/tmp/duckpond-must-not-appear.csv").exists());
}

#[tokio::test]
async fn host_files_are_no_tables() {
    let session = pond().await.session();
    for name in [
        "'/etc/passwd'",
        "'/../etc/passwd'",
        "'file:///etc/passwd'",
        "'http://127.0.0.1/x.parquet'",
        "'s3://bucket/x.parquet'",
        "\"./Cargo.toml\"",
        "'host:///etc/passwd'",
        "'pond://content/x'",
    ] {
        let error = failure(&session, &format!("SELECT * FROM {name}")).await;
        assert!(matches!(error, Error::NoSuchTable { .. }), "{name}: {error:?}");
    }
}

#[tokio::test]
async fn functions_that_read_files_or_surroundings_do_not_exist() {
    let session = pond().await.session();
    for sql in [
        "SELECT * FROM read_csv('/etc/passwd')",
        "SELECT * FROM read_parquet('/etc/passwd')",
        "SELECT * FROM read_json('/etc/passwd')",
        "SELECT * FROM parquet_metadata('/etc/passwd')",
        "SELECT * FROM glob('/etc/*')",
        "SELECT getenv('HOME')",
        "SELECT pg_read_file('/etc/passwd')",
        "SELECT load_file('/etc/passwd')",
        "SELECT @@version",
    ] {
        let error = failure(&session, sql).await;
        assert!(
            matches!(error, Error::Plan { .. } | Error::Parse { .. } | Error::NoSuchTable { .. }),
            "{sql}: {error:?}"
        );
    }
    let functions = "SELECT DISTINCT routine_name FROM information_schema.routines";
    for name in try_rows(&session, functions).await.unwrap() {
        // These two tell of the version that a row is from.
        if name == "input_file_name" || name == "file_row_index" {
            continue;
        }
        for word in ["read", "file", "env", "http", "load", "write"] {
            assert!(!name.contains(word), "{name}");
        }
    }
}

#[tokio::test]
async fn settings_name_no_other_catalog() {
    let session = pond().await.session();
    for sql in ["SELECT * FROM other.paths.x", "SELECT * FROM duckpond.other.x"] {
        assert!(try_rows(&session, sql).await.is_err(), "{sql}");
    }
}

#[tokio::test]
async fn text_that_is_not_one_statement_is_refused() {
    let session = pond().await.session();
    assert!(matches!(failure(&session, "").await, Error::StatementCount { count: 0 }));
    let two = "SELECT 1; SELECT 2";
    assert!(matches!(failure(&session, two).await, Error::StatementCount { count: 2 }));
    assert_eq!(try_rows(&session, "SELECT 1;").await.unwrap(), ["1"]);
}

#[tokio::test]
async fn parse_error_says_where() {
    let session = pond().await.session();
    let error = failure(&session, "SELECT *\nFROM '/a.series' WHERE )").await;
    let Error::Parse { line, column, .. } = error else { panic!("{error:?}") };
    assert_eq!(line, Some(2));
    assert!(column.is_some());
}

#[tokio::test]
async fn deep_nesting_is_refused_without_overflow() {
    let session = pond().await.session();
    let deep = format!("SELECT {}1{}", "(".repeat(20_000), ")".repeat(20_000));
    assert!(try_rows(&session, &deep).await.is_err());
    let deep = format!("SELECT {}1", "NOT ".repeat(20_000));
    assert!(try_rows(&session, &deep).await.is_err());
}

#[tokio::test]
async fn long_chains_are_refused_without_overflow() {
    let session = pond().await.session();
    let sum = format!("SELECT {}1", "1 + ".repeat(190));
    assert_eq!(try_rows(&session, &sum).await.unwrap(), ["191"]);
    for chain in [
        format!("SELECT {}1", "1 + ".repeat(5_000)),
        format!("SELECT {}1", "1 + ".repeat(500_000)),
        format!("SELECT {}true", "value = 1 OR ".repeat(5_000)),
        format!("SELECT 1 {}", "UNION ALL SELECT 1 ".repeat(5_000)),
        format!("SELECT 1 FROM '/a.series' a0 {}", "CROSS JOIN '/a.series' ".repeat(5_000)),
    ] {
        let error = failure(&session, &chain).await;
        assert!(matches!(error, Error::TooDeep { .. }), "{error}");
    }
    let union = format!("SELECT 1 {}", "UNION ALL SELECT 1 ".repeat(200));
    assert_eq!(try_rows(&session, &union).await.unwrap().len(), 201);
    let list = format!("SELECT 7 IN ({}7)", "1, ".repeat(50_000));
    assert_eq!(try_rows(&session, &list).await.unwrap(), ["true"]);
}

#[tokio::test]
async fn parquet_that_is_none_is_an_error_that_names_it() {
    let pond = Pond::new();
    let about = || crate::pond::About { rows: 1, range: None, order: "none" };
    let none = tinyfs::Attributes::new();
    for (path, bytes) in [
        ("/a.table", b"".as_slice()),
        ("/b.table", b"PAR1"),
        ("/c.table", b"PAR1 is what it begins and ends with PAR1"),
    ] {
        pond.write(path, tinyfs::EntryType::Table, &none, bytes, about()).await;
        let error = failure(&pond.session(), &format!("SELECT * FROM '{path}'")).await;
        let Error::NotParquet { path: named, version, .. } = error else { panic!("{error:?}") };
        assert_eq!((named.as_str(), version), (path, 1));
    }
    let whole = crate::pond::parquet(&readings(&[(1, 1.0)]));
    let truncated = &whole[whole.len() / 2..];
    pond.write("/d.table", tinyfs::EntryType::Table, &none, truncated, about()).await;
    assert!(try_rows(&pond.session(), "SELECT * FROM '/d.table'").await.is_err());
}

/// A sample with bytes changed, put in, taken out and repeated.
fn changed(samples: &'static [&'static str]) -> impl Strategy<Value = Vec<u8>> {
    let edit = (any::<Index>(), any::<u8>(), 0..4_u8);
    (select(samples), vec(edit, 0..12)).prop_map(|(sample, edits)| {
        let mut bytes = sample.as_bytes().to_vec();
        for (place, byte, kind) in edits {
            if bytes.is_empty() {
                bytes.push(byte);
                continue;
            }
            let at = place.index(bytes.len());
            match kind {
                0 => bytes[at] = byte,
                1 => bytes.insert(at, byte),
                2 => {
                    bytes.remove(at);
                }
                _ => bytes.extend_from_within(at..),
            }
        }
        bytes
    })
}

proptest! {
    #[test]
    fn no_url_breaks_its_reading(data in changed(entries::URLS)) {
        entries::source_url(&data);
    }

    #[test]
    fn no_time_in_a_file_breaks_its_reading(data in changed(entries::TIMES)) {
        entries::csv_time(&data);
    }
}
