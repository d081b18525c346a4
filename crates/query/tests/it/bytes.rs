//! The byte view of a node.

use arrow::datatypes::{DataType, TimeUnit};
use bytes::Bytes;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use query::{Error, write_bytes};

use crate::pond::{Pond, batch, ints, parquet, readings, rows, spec, stations, utc};

#[tokio::test]
async fn bytes_of_a_series_are_parquet_of_its_sql_view() {
    let pond = Pond::new();
    pond.append("/a.series", &spec(), &stations(&[(1, "n", 1.0), (2, "n", 2.0)])).await;
    pond.append("/a.series", &spec(), &stations(&[(2, "s", 20.0), (3, "s", 30.0)])).await;
    let session = pond.session();
    let mut out = Vec::new();
    let count = write_bytes(&session, "/a.series", &mut out).await.unwrap();
    assert_eq!(count, out.len() as u64);

    let mut again = Vec::new();
    write_bytes(&session, "/a.series", &mut again).await.unwrap();
    assert_eq!(out, again);

    let reader = ParquetRecordBatchReaderBuilder::try_new(Bytes::from(out.clone())).unwrap();
    let types: Vec<_> =
        reader.schema().fields().iter().map(|field| field.data_type().clone()).collect();
    assert_eq!(types, [utc(TimeUnit::Microsecond), DataType::Utf8, DataType::Float64]);

    let copy = Pond::new();
    let about = crate::pond::About { rows: 3, range: None, order: "none" };
    let none = tinyfs::Attributes::new();
    copy.write("/copy.table", tinyfs::EntryType::Table, &none, &out, about).await;
    let all = |path| format!("SELECT * FROM '{path}' ORDER BY time");
    assert_eq!(
        rows(&copy.session(), &all("/copy.table")).await,
        rows(&session, &all("/a.series")).await
    );
}

#[tokio::test]
async fn bytes_of_a_table_are_its_newest_stored_bytes() {
    let pond = Pond::new();
    pond.table("/t.table", &batch(vec![("id", ints(&[1]), false)])).await;
    let newest = batch(vec![("id", ints(&[2]), false)]);
    pond.table("/t.table", &newest).await;
    pond.fs.write("/notes.txt", b"hello").await.unwrap();
    let session = pond.session();
    let mut out = Vec::new();
    write_bytes(&session, "/t.table", &mut out).await.unwrap();
    assert_eq!(out, parquet(&newest));
    out.clear();
    write_bytes(&session, "/notes.txt", &mut out).await.unwrap();
    assert_eq!(out, b"hello");
}

#[tokio::test]
async fn bytes_of_a_series_without_rows_have_its_columns() {
    let pond = Pond::new();
    pond.append("/a.series", &spec(), &readings(&[])).await;
    let mut out = Vec::new();
    write_bytes(&pond.session(), "/a.series", &mut out).await.unwrap();
    let reader = ParquetRecordBatchReaderBuilder::try_new(Bytes::from(out)).unwrap();
    assert_eq!(reader.schema().fields().len(), 2);
    assert_eq!(reader.metadata().file_metadata().num_rows(), 0);
}

#[tokio::test]
async fn output_that_fails_is_said_to_fail() {
    #[derive(Debug)]
    struct Full;
    impl tokio::io::AsyncWrite for Full {
        fn poll_write(
            self: std::pin::Pin<&mut Self>,
            _: &mut std::task::Context<'_>,
            _: &[u8],
        ) -> std::task::Poll<std::io::Result<usize>> {
            std::task::Poll::Ready(Err(std::io::ErrorKind::StorageFull.into()))
        }
        fn poll_flush(
            self: std::pin::Pin<&mut Self>,
            _: &mut std::task::Context<'_>,
        ) -> std::task::Poll<std::io::Result<()>> {
            std::task::Poll::Ready(Ok(()))
        }
        fn poll_shutdown(
            self: std::pin::Pin<&mut Self>,
            _: &mut std::task::Context<'_>,
        ) -> std::task::Poll<std::io::Result<()>> {
            std::task::Poll::Ready(Ok(()))
        }
    }
    let pond = Pond::new();
    pond.append("/a.series", &spec(), &readings(&[(1, 1.0)])).await;
    let error = write_bytes(&pond.session(), "/a.series", &mut Full).await.unwrap_err();
    let Error::Write(cause) = error else { panic!("{error:?}") };
    assert_eq!(cause.kind(), std::io::ErrorKind::StorageFull);
}
