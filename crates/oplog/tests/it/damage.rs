//! Damage to each kind of file: named, and the rest stays readable.

use std::path::PathBuf;

use oplog::maintenance::Policy;
use oplog::{Error, Finding, Finished, Log, LogOptions, MemoryContents, VersionRow};
use tinyfs::ContentHash;
use tokio::io::AsyncWriteExt;

use crate::pond::{Pond, inline, link};

async fn findings(pond: &Pond) -> Vec<String> {
    let mut found = Vec::new();
    pond.log
        .verify(&diagnostics::silent(), &mut |finding: Finding| found.push(finding.to_string()))
        .await
        .unwrap();
    found
}

fn rows_file(pond: &Pond, txn_seq: u64) -> PathBuf {
    std::fs::read_dir(pond.data())
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .find(|path| {
            path.file_name().unwrap().to_str().unwrap().starts_with(&format!("{txn_seq:020}-"))
        })
        .unwrap()
}

fn flip(path: &std::path::Path, at: usize) {
    let mut bytes = std::fs::read(path).unwrap();
    bytes[at] ^= 1;
    std::fs::write(path, bytes).unwrap();
}

async fn add_large(pond: &mut Pond, name: &str) -> ContentHash {
    let mut sink = pond.log.large_files().writer();
    sink.write_all(&vec![3; 200_000]).await.unwrap();
    let Finished::Large { hash, size_bytes, .. } = sink.finish().await.unwrap() else {
        panic!("200,000 bytes are large");
    };
    let (node, root) = (pond.node(), pond.root);
    let row = VersionRow { inline: false, ..inline(node, 1, hash, size_bytes) };
    pond.commit(vec![link(root, name, Some(node))], vec![row], MemoryContents::default()).await;
    hash
}

#[tokio::test]
async fn whole_log_has_no_findings() {
    let mut pond = Pond::create().await;
    pond.add_file("a", b"1").await;
    add_large(&mut pond, "b").await;
    assert_eq!(findings(&pond).await, Vec::<String>::new());
}

#[tokio::test]
async fn flipped_bit_in_content_is_named_and_never_returned() {
    let mut pond = Pond::create().await;
    // Bytes that do not compress stand in the file as they are.
    let bytes: Vec<u8> =
        (0..64u32).flat_map(|i| *ContentHash::of(&i.to_le_bytes()).as_bytes()).collect();
    let node = pond.add_file("a", &bytes).await;
    pond.add_file("b", b"good").await;
    let path = rows_file(&pond, 1);
    let stored = std::fs::read(&path).unwrap();
    let at = stored.windows(32).position(|window| window == &bytes[320..352]).unwrap();
    flip(&path, at);
    pond.reopen().await;
    let snapshot = pond.log.snapshot();
    assert_eq!(pond.names().await, ["a", "b"]);
    let error = snapshot.content(node, 1, 1, ContentHash::of(&bytes)).await.unwrap_err();
    assert!(matches!(error, Error::DamagedContent { version: 1, .. }), "{error:?}");
    let found = findings(&pond).await;
    assert!(found.iter().any(|line| line.contains("00000000000000000001-")), "{found:?}");
    assert!(found.iter().any(|line| line.contains(&format!("of node {node}"))), "{found:?}");
}

#[tokio::test]
async fn names_are_read_without_touching_contents() {
    let mut pond = Pond::create().await;
    let bytes: Vec<u8> =
        (0..1024u32).flat_map(|i| *ContentHash::of(&i.to_le_bytes()).as_bytes()).collect();
    let node = pond.add_file("a", &bytes).await;
    let path = rows_file(&pond, 1);
    // Every byte of the content is destroyed; whoever reads it, sees.
    let mut stored = std::fs::read(&path).unwrap();
    let at = stored.windows(32).position(|window| window == &bytes[..32]).unwrap();
    stored[at..at + bytes.len()].fill(0);
    std::fs::write(&path, stored).unwrap();
    pond.reopen().await;
    assert_eq!(pond.names().await, ["a"]);
    assert_eq!(pond.log.snapshot().versions(node).await.unwrap().len(), 2);
    let content = pond.log.snapshot().content(node, 1, 1, ContentHash::of(&bytes)).await;
    assert!(matches!(content, Err(Error::DamagedContent { .. })));
}

#[tokio::test]
async fn missing_and_truncated_data_files_are_named() {
    for left in [None, Some(2), Some(0)] {
        let mut pond = Pond::create().await;
        pond.add_file("a", b"1").await;
        pond.add_file("b", b"2").await;
        let path = rows_file(&pond, 1);
        match left {
            None => std::fs::remove_file(&path).unwrap(),
            Some(quarters) => {
                let bytes = std::fs::read(&path).unwrap();
                std::fs::write(&path, &bytes[..bytes.len() / 4 * quarters]).unwrap();
            }
        }
        pond.reopen().await;
        let found = findings(&pond).await;
        let name = path.file_name().unwrap().to_str().unwrap();
        assert!(found[0].contains(name), "{found:?}");
        let error = pond.log.snapshot().links(pond.root).await.unwrap_err();
        assert!(matches!(error, Error::DamagedFile { .. }), "{error:?}");
        // What came later is known without it.
        assert!(pond.log.snapshot().link(pond.root, "b").await.is_ok());
    }
}

#[tokio::test]
async fn damaged_large_file_is_named_with_its_version() {
    for how in ["missing", "has 199999 bytes", "hashes to"] {
        let mut pond = Pond::create().await;
        let hash = add_large(&mut pond, "a").await;
        let path = pond.data().join(oplog::LargeFiles::path(hash));
        match how {
            "missing" => std::fs::remove_file(&path).unwrap(),
            "hashes to" => flip(&path, 1000),
            _ => std::fs::write(&path, vec![3; 199_999]).unwrap(),
        }
        let found = findings(&pond).await;
        assert_eq!(found.len(), 1, "{found:?}");
        assert!(found[0].starts_with("version 1 of node"), "{found:?}");
        assert!(found[0].contains(how), "{found:?}");
    }
}

#[tokio::test]
async fn empty_torn_and_changed_commits_are_damage() {
    for how in ["empty", "torn", "changed", "half a line", "first line lost", "other id"] {
        let mut pond = Pond::create().await;
        pond.add_file("a", b"1").await;
        pond.add_file("b", b"2").await;
        let path = pond.data().join("_delta_log/00000000000000000002.json");
        let text = std::fs::read_to_string(&path).unwrap();
        let first_line = text.find('\n').unwrap() + 1;
        let text = match how {
            "empty" => String::new(),
            "torn" => text[..first_line].to_owned(),
            "half a line" => text[..text.len() - 20].to_owned(),
            "first line lost" => text[first_line..].to_owned(),
            "other id" => {
                let at = text.find("\"txnId\":\"").unwrap() + 9;
                let digit = if &text[at..=at] == "1" { "2" } else { "1" };
                format!("{}{digit}{}", &text[..at], &text[at + 1..])
            }
            _ => text.replace("pond.txn_to\":\"2", "pond.txn_to\":\"3"),
        };
        std::fs::write(&path, text).unwrap();
        let error = Log::open(&pond.location(), LogOptions::default()).await.unwrap_err();
        assert!(matches!(error, Error::DamagedCommit { version: 2, .. }), "{how}: {error:?}");
    }
}

#[tokio::test]
async fn table_of_another_program_is_no_damage() {
    let pond = Pond::create().await;
    let path = pond.data().join("_delta_log/00000000000000000000.json");
    let metadata = r#"{"metaData":{"id":"x","configuration":{}}}"#;
    std::fs::write(&path, metadata).unwrap();
    let error = Log::open(&pond.location(), LogOptions::default()).await.unwrap_err();
    assert!(matches!(error, Error::NotAPond { .. }), "{error:?}");
}

#[tokio::test]
async fn lost_commit_in_the_middle_is_a_gap() {
    let mut pond = Pond::create().await;
    for name in ["a", "b", "c"] {
        pond.add_file(name, b"1").await;
    }
    std::fs::remove_file(pond.data().join("_delta_log/00000000000000000002.json")).unwrap();
    let error = Log::open(&pond.location(), LogOptions::default()).await.unwrap_err();
    assert!(matches!(error, Error::Gap { .. }), "{error:?}");
}

#[tokio::test]
async fn checkpoint_that_leaves_commits_out_is_found() {
    let mut pond = Pond::create().await;
    let policy = Policy { checkpoint_every: 3, ..Policy::default() };
    for n in 0..7 {
        pond.add_file(&n.to_string(), b"x").await;
        let plan = pond.log.plan_maintenance(&policy, 0).await.unwrap();
        let silent = diagnostics::silent();
        pond.log.perform_maintenance(&plan, &policy, 0, &silent).await.unwrap();
    }
    assert_eq!(findings(&pond).await, Vec::<String>::new());
    let log = pond.data().join("_delta_log");
    let checkpoint = |version: u64| log.join(format!("{version:020}.checkpoint.parquet"));
    std::fs::copy(checkpoint(3), checkpoint(6)).unwrap();
    let found = findings(&pond).await;
    assert_eq!(found.len(), 1, "{found:?}");
    assert!(found[0].contains("00000000000000000006.checkpoint.parquet"), "{found:?}");
    assert!(found[0].contains("it is the checkpoint of version 3"), "{found:?}");
    // It is left aside for the other and the commits since.
    let opened = Log::open(&pond.location(), LogOptions::default()).await.unwrap();
    assert_eq!(opened.snapshot().links(pond.root).await.unwrap().len(), 7);
}

/// A pond with two checkpoints, and the newer of them.
async fn with_checkpoints() -> (Pond, PathBuf) {
    let mut pond = Pond::create().await;
    let policy = Policy { checkpoint_every: 3, ..Policy::default() };
    for n in 0..7 {
        pond.add_file(&n.to_string(), b"x").await;
        let plan = pond.log.plan_maintenance(&policy, 0).await.unwrap();
        let silent = diagnostics::silent();
        pond.log.perform_maintenance(&plan, &policy, 0, &silent).await.unwrap();
    }
    let newer = pond.data().join("_delta_log/00000000000000000006.checkpoint.parquet");
    assert!(newer.is_file());
    (pond, newer)
}

#[tokio::test]
async fn flipped_bit_anywhere_in_a_checkpoint_is_named_and_not_believed() {
    let (pond, newer) = with_checkpoints().await;
    let len = std::fs::metadata(&newer).unwrap().len() as usize;
    for at in (0..len).step_by(len / 200) {
        flip(&newer, at);
        let opened = Log::open(&pond.location(), LogOptions::default()).await.unwrap();
        assert_eq!(opened.snapshot().links(pond.root).await.unwrap().len(), 7, "byte {at}");
        let mut found = Vec::new();
        let mut tell = |finding: Finding| found.push(finding.to_string());
        opened.verify(&diagnostics::silent(), &mut tell).await.unwrap();
        assert_eq!(found.len(), 1, "byte {at}: {found:?}");
        assert!(found[0].contains("00000000000000000006.checkpoint.parquet"), "{found:?}");
        flip(&newer, at);
    }
}

#[tokio::test]
async fn checkpoint_without_a_sum_is_taken_at_its_word() {
    let (pond, newer) = with_checkpoints().await;
    let sealed = std::fs::read(&newer).unwrap();
    // Tags of files have such keys too; the footer comes last.
    let place = |text: &[u8]| sealed.windows(text.len()).rposition(|part| part == text).unwrap();
    let mut before = sealed.clone();
    // As it is where a program that knows of no sums wrote it.
    for key in [&b"pond.blake3"[..], b"pond.version"] {
        let at = place(key);
        before[at..at + 4].copy_from_slice(b"some");
    }
    std::fs::write(&newer, before).unwrap();
    std::fs::remove_file(pond.data().join("_delta_log/00000000000000000003.checkpoint.parquet"))
        .unwrap();
    let opened = Log::open(&pond.location(), LogOptions::default()).await.unwrap();
    assert_eq!(opened.snapshot().links(pond.root).await.unwrap().len(), 7);
    assert_eq!(findings(&pond).await, Vec::<String>::new());
}
