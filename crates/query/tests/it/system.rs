//! What the pond says of itself.

use std::sync::Arc;

use futures::stream::{BoxStream, StreamExt};
use query::{History, Result, TransactionRecord};

use crate::pond::{Pond, batch, ints, readings, rows, spec};

async fn pond() -> Pond {
    let pond = Pond::new();
    pond.append("/sensors/a.series", &spec(), &readings(&[(1, 1.0), (2, 2.0)])).await;
    pond.append("/sensors/a.series", &spec(), &readings(&[(3, 3.0)])).await;
    pond.table("/sites.table", &batch(vec![("id", ints(&[1]), false)])).await;
    pond.fs.symlink("/nowhere", "/dangling").await.unwrap();
    pond
}

#[tokio::test]
async fn entries_list_every_node() {
    let session = pond().await.session();
    let sql = "SELECT path, type, version, rows, max_time, time_column FROM pond.entries \
               ORDER BY path";
    assert_eq!(
        rows(&session, sql).await,
        [
            "/dangling | symlink | - | - | - | -",
            "/sensors | directory | - | - | - | -",
            "/sensors/a.series | file:series | 2 | 1 | 2024-01-01T00:00:03Z | time",
            "/sites.table | file:table | 1 | 1 | - | -",
        ]
    );
}

#[tokio::test]
async fn versions_list_every_version_of_every_file() {
    let session = pond().await.session();
    let sql = "SELECT path, version, rows, format, place FROM pond.versions ORDER BY path, version";
    assert_eq!(
        rows(&session, sql).await,
        [
            "/sensors/a.series | 1 | 2 | parquet | inline",
            "/sensors/a.series | 2 | 1 | parquet | inline",
            "/sites.table | 1 | 1 | parquet | inline",
        ]
    );
}

#[derive(Debug)]
struct Three;

impl History for Three {
    fn transactions(&self) -> BoxStream<'static, Result<TransactionRecord>> {
        let record = |txn_seq| {
            Ok(TransactionRecord {
                txn_seq,
                command: format!("copy {txn_seq}"),
                ended_us: txn_seq as i64,
                ..TransactionRecord::default()
            })
        };
        futures::stream::iter((1..=3).map(record)).boxed()
    }
}

#[tokio::test]
async fn transactions_come_from_the_history() {
    let session = pond().await.session();
    assert_eq!(rows(&session, "SELECT count(*) FROM pond.transactions").await, ["0"]);
    let session = session.with_history(Arc::new(Three));
    let sql = "SELECT txn_seq, command, ended FROM pond.transactions WHERE txn_seq > 1 ORDER BY 1";
    assert_eq!(
        rows(&session, sql).await,
        ["2 | copy 2 | 1970-01-01T00:00:00.000002Z", "3 | copy 3 | 1970-01-01T00:00:00.000003Z"]
    );
}

#[tokio::test]
async fn pond_directory_does_not_clash_with_the_pond_schema() {
    let pond = Pond::new();
    pond.table("/pond/entries", &batch(vec![("id", ints(&[42]), false)])).await;
    let session = pond.session();
    assert_eq!(rows(&session, "SELECT id FROM '/pond/entries'").await, ["42"]);
    assert_eq!(rows(&session, "SELECT count(*) FROM pond.entries").await, ["2"]);
}

#[tokio::test]
async fn information_schema_lists_paths_and_columns() {
    let session = pond().await.session();
    session.bind("source", "/sites.table");
    let sql = "SELECT table_name FROM information_schema.tables WHERE table_schema = 'paths' \
               ORDER BY 1";
    assert_eq!(rows(&session, sql).await, ["/sensors/a.series", "/sites.table", "source"]);
    let sql = "SELECT column_name, data_type FROM information_schema.columns \
               WHERE table_name = '/sensors/a.series' ORDER BY ordinal_position";
    assert_eq!(rows(&session, sql).await, ["time | Timestamp(µs, \"UTC\")", "value | Float64"]);
    assert!(!rows(&session, "SHOW TABLES").await.is_empty());
    assert_eq!(rows(&session, "DESCRIBE '/sites.table'").await.len(), 1);
}

#[tokio::test]
async fn broken_series_does_not_hide_the_others_from_information_schema() {
    let pond = pond().await;
    let about = crate::pond::About { rows: 1, range: None, order: "none" };
    let none = tinyfs::Attributes::new();
    pond.write("/broken.table", tinyfs::EntryType::Table, &none, b"not Parquet", about).await;
    let sql = "SELECT DISTINCT table_name FROM information_schema.columns \
               WHERE table_schema = 'paths' ORDER BY 1";
    assert_eq!(rows(&pond.session(), sql).await, ["/sensors/a.series", "/sites.table"]);
}
