//! Every entry type at every size that matters comes back as it was.

use testing::data;
use tinyfs::{EntryType, Format, Place, TimeUnit};
use tlogfs::ParquetWriteExt as _;
use tokio::io::AsyncReadExt as _;

use crate::harness::{TestLog, fs_of};

const THRESHOLD: usize = 65_536;
const HUGE: usize = 100 << 20;

#[tokio::test]
async fn data_of_every_size_survives_a_reopen() {
    let mut log = TestLog::new().await;
    let sizes = [0, 1, THRESHOLD - 1, THRESHOLD, THRESHOLD + 1, HUGE];
    let transaction = log.begin();
    for size in sizes {
        let fs = fs_of(&transaction);
        fs.write(&format!("/{size}"), data::noise_bytes(size)).await.unwrap();
    }
    log.commit(&transaction).await;
    log.reopen().await;
    for size in sizes {
        let path = format!("/{size}");
        let found = log.fs().resolve(&path).await.unwrap();
        let version = found.node.newest.unwrap();
        assert_eq!((found.node.entry_type, version.format), (EntryType::Data, Format::Bytes));
        assert_eq!(version.size_bytes, size as u64);
        let place = if size < THRESHOLD { Place::Inline } else { Place::Large };
        assert_eq!(version.place, place, "{size}");
        let mut bytes = Vec::new();
        log.fs().open(&path).await.unwrap().read_to_end(&mut bytes).await.unwrap();
        assert!(bytes == data::noise_bytes(size), "{size}");
        log.fs().verify(&path, None).await.unwrap();
    }
}

#[tokio::test]
async fn tables_and_series_of_every_size_are_kept_byte_for_byte() {
    let mut log = TestLog::new().await;
    let sizes = [THRESHOLD - 1, THRESHOLD, THRESHOLD + 1, HUGE];
    let types = [EntryType::Table, EntryType::Series];
    for size in sizes {
        let bytes = data::parquet_of_exact_size(size);
        let transaction = log.begin();
        for entry_type in types {
            let path = format!("/{size}.{entry_type}");
            let spec = entry_type.is_series().then(|| data::spec(TimeUnit::Microsecond));
            let fs = fs_of(&transaction);
            let written =
                fs.take_parquet(&path, entry_type, spec, &mut bytes.as_ref()).await.unwrap();
            assert_eq!(written.size_bytes, size as u64);
        }
        log.commit(&transaction).await;
        log.reopen().await;
        for entry_type in types {
            let path = format!("/{size}.{entry_type}");
            let found = log.fs().resolve(&path).await.unwrap();
            let version = found.node.newest.unwrap();
            assert_eq!((found.node.entry_type, version.format), (entry_type, Format::Parquet));
            assert!(version.rows.unwrap() > 0);
            assert_eq!(version.time_range.is_some(), entry_type.is_series());
            let mut stored = Vec::new();
            log.fs().open(&path).await.unwrap().read_to_end(&mut stored).await.unwrap();
            assert!(stored == bytes, "{path}");
        }
    }
}

#[tokio::test]
async fn tables_and_series_of_no_or_one_byte_are_refused() {
    let log = TestLog::new().await;
    for bytes in [&b""[..], &b"P"[..], &b"PAR1"[..], &b"PAR1PAR1"[..]] {
        for entry_type in [EntryType::Table, EntryType::Series] {
            let transaction = log.begin();
            let spec = Some(data::spec(TimeUnit::Microsecond));
            let fs = fs_of(&transaction);
            let refused = fs.take_parquet("/x", entry_type, spec, &mut &*bytes).await;
            assert!(matches!(refused, Err(tlogfs::Error::NotParquet { .. })), "{refused:?}");
            let changes = transaction.into_changes(log.meta(oplog::TxnKind::User)).await.unwrap();
            assert!(changes.links.is_empty() && changes.versions.is_empty());
        }
    }
}

#[tokio::test]
async fn many_appends_in_one_transaction_are_numbered_in_order() {
    let mut log = TestLog::new().await;
    let transaction = log.begin();
    let fs = fs_of(&transaction);
    for number in 1..=4_000_u64 {
        let written = fs.write("/a", "x").await.unwrap();
        assert_eq!(written.node.newest.unwrap().number, number);
    }
    log.commit(&transaction).await;
    assert_eq!(log.fs().versions("/a").await.unwrap().len(), 4_000);
}
