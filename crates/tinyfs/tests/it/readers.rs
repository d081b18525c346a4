//! Readers: everywhere, in sequence, and with a check at the end.

use std::io::{ErrorKind, SeekFrom};
use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use proptest::prelude::*;
use tinyfs::{Error, Fs, MemoryStore, Reader};
use tokio::io::{AsyncReadExt, AsyncSeekExt};

use crate::counting::{Change, Counting};

fn content(size: usize) -> Vec<u8> {
    (0..size).map(|at| (at * 31 % 251) as u8).collect()
}

async fn file(bytes: &[u8]) -> Arc<MemoryStore> {
    let store = Arc::new(MemoryStore::new());
    Fs::new(store.clone()).write("/file", bytes).await.unwrap();
    store
}

async fn changed(change: Change) -> Fs<Counting> {
    Fs::new(Counting::changing(file(&content(100_000)).await, change))
}

#[tokio::test]
async fn reading_on_takes_few_reads_and_a_footer_little() {
    let whole = content(1_000_000);
    let counting = Counting::new(file(&whole).await);
    let fs = Fs::new(counting.clone());
    let mut reader = fs.open("/file").await.unwrap();
    assert_eq!(counting.reads(), 0, "nothing is read before it is asked for");
    let mut read = Vec::new();
    reader.read_to_end(&mut read).await.unwrap();
    assert_eq!(read, whole);
    assert!(counting.reads() <= 8, "{} reads", counting.reads());
    let before = counting.reads();
    reader.seek(SeekFrom::End(-8)).await.unwrap();
    let mut footer = [0; 8];
    reader.read_exact(&mut footer).await.unwrap();
    assert_eq!(footer, whole[whole.len() - 8..]);
    assert_eq!(counting.reads(), before + 1);
}

#[tokio::test]
async fn a_seek_inside_what_is_held_reads_nothing() {
    let whole = content(10_000);
    let counting = Counting::new(file(&whole).await);
    let mut reader = Fs::new(counting.clone()).open("/file").await.unwrap();
    assert_eq!(reader.read_u8().await.unwrap(), whole[0]);
    assert_eq!(reader.seek(SeekFrom::Current(4_000)).await.unwrap(), 4_001);
    assert_eq!(reader.read_u8().await.unwrap(), whole[4_001]);
    assert_eq!(counting.reads(), 1);
    let outside = reader.seek(SeekFrom::Current(-5_000)).await.unwrap_err();
    assert_eq!(outside.kind(), ErrorKind::InvalidInput);
    assert_eq!(reader.position(), 4_002, "a refused seek moves nothing");
}

#[tokio::test]
async fn earlier_versions_are_read_by_number() {
    let fs = Fs::new(file(b"one").await);
    fs.write("/file", "two").await.unwrap();
    for (version, wanted) in [(None, "two"), (Some(1), "one"), (Some(2), "two")] {
        let mut read = String::new();
        let mut reader = fs.open_version("/file", version).await.unwrap();
        reader.read_to_string(&mut read).await.unwrap();
        assert_eq!(read, wanted);
    }
}

#[tokio::test]
async fn a_changed_byte_is_an_error_at_the_end() {
    let fs = changed(|bytes, range| {
        let mut bytes = BytesMut::from(bytes);
        if range.contains(&70_000) {
            bytes[70_000 - range.start as usize] ^= 1;
        }
        bytes.freeze()
    })
    .await;
    let mut read = Vec::new();
    let mut reader = fs.verified("/file", None).await.unwrap();
    let error = reader.read_to_end(&mut read).await.unwrap_err();
    assert_eq!((error.kind(), read.len()), (ErrorKind::InvalidData, 100_000));
    let again = reader.read(&mut [0; 10]).await.unwrap_err();
    assert_eq!(again.kind(), ErrorKind::InvalidData, "the end stays an error");
    let error = Error::from_io("reading", error);
    assert!(error.is_damage(), "{error:?}");
    assert_eq!(error.to_string(), "version 1 of `/file` can not be read");
    assert!(fs.verify("/file", None).await.unwrap_err().is_damage());
    assert!(fs.read_to_end("/file", 1 << 20).await.unwrap_err().is_damage());
    assert!(fs.send("/file", None, &mut tokio::io::sink()).await.unwrap_err().is_damage());
    let mut unchecked = Vec::new();
    fs.open("/file").await.unwrap().read_to_end(&mut unchecked).await.unwrap();
    assert_eq!(unchecked.len(), 100_000);
}

#[tokio::test]
async fn fewer_bytes_than_asked_are_an_error_and_no_end() {
    let cut = |bytes: Bytes, range: std::ops::Range<u64>| {
        if range.end > 50_000 { bytes.slice(..bytes.len() / 2) } else { bytes }
    };
    let fs = changed(cut).await;
    let mut read = Vec::new();
    let error = fs.open("/file").await.unwrap().read_to_end(&mut read).await.unwrap_err();
    assert!(Error::from_io("reading", error).is_damage());
    assert!(fs.verify("/file", None).await.unwrap_err().is_damage());
}

#[tokio::test]
async fn good_content_comes_to_a_clean_end() {
    for size in [0, 1, 65_536, 300_000] {
        let whole = content(size);
        let fs = Fs::new(file(&whole).await);
        let mut read = Vec::new();
        fs.verified("/file", None).await.unwrap().read_to_end(&mut read).await.unwrap();
        assert_eq!(read, whole);
        let mut sent = Vec::new();
        assert_eq!(fs.send("/file", None, &mut sent).await.unwrap().number, 1);
        assert_eq!(sent, whole);
        assert_eq!(fs.verify("/file", Some(1)).await.unwrap().size_bytes, size as u64);
    }
}

#[derive(Clone, Debug)]
enum Step {
    Read(usize),
    Seek(SeekFrom),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        3 => (0..70_000_usize).prop_map(Step::Read),
        1 => (0..220_000_u64).prop_map(|to| Step::Seek(SeekFrom::Start(to))),
        1 => (-220_000..20_000_i64).prop_map(|by| Step::Seek(SeekFrom::End(by))),
        2 => (-30_000..30_000_i64).prop_map(|by| Step::Seek(SeekFrom::Current(by))),
    ];
    prop::collection::vec(step, 1..30)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(100))]

    #[test]
    fn a_reader_reads_as_a_cursor_does(steps in steps()) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(async {
            let whole = content(200_000);
            let store = Counting::new(file(&whole).await);
            let found = Fs::new(store.clone()).file("/file").await.unwrap();
            let mut reader = Reader::new(store, found.id(), found.node.newest.unwrap());
            let mut cursor = std::io::Cursor::new(whole);
            for step in steps {
                match step {
                    Step::Read(size) => {
                        let (mut got, mut wanted) = (Vec::new(), Vec::new());
                        (&mut reader).take(size as u64).read_to_end(&mut got).await.unwrap();
                        let from = std::io::Read::by_ref(&mut cursor);
                        std::io::Read::read_to_end(&mut std::io::Read::take(from, size as u64), &mut wanted)
                            .unwrap();
                        prop_assert!(got == wanted);
                    }
                    Step::Seek(to) => {
                        let got = reader.seek(to).await.map_err(|error| error.kind());
                        let wanted = std::io::Seek::seek(&mut cursor, to).map_err(|error| error.kind());
                        prop_assert_eq!(got, wanted);
                    }
                }
            }
            Ok(())
        })?;
    }
}
