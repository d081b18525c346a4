//! Rules for what is read: that all answers of a store agree.

use std::ops::Range;
use std::sync::Arc;

use uuid::Uuid;

use super::assert_error;
use crate::{
    ContentHash, Entry, EntryType, Error, Node, NodeId, Reader, Store, VerifiedReader, Version,
};

/// Whatever a store holds, its answers agree: listings with lookups, entries
/// with nodes, versions with their bytes, ranges with the whole; and absence is
/// answered as the contract says.
///
/// # Panics
/// When two answers do not agree.
pub async fn consistent<S: Store + ?Sized>(store: Arc<S>) {
    let root = store.node(store.root()).await.expect("the root exists");
    assert!(root.entry_type.is_directory(), "the root is a directory");
    let mut left = vec![root];
    while let Some(node) = left.pop() {
        if node.entry_type.is_directory() {
            left.extend(directory_is_consistent(&*store, &node).await);
        } else {
            assert_error!(store.lookup(node.id, "x").await, Error::NotADirectoryNode { id } if *id == node.id);
            assert_error!(store.list(node.id).await, Error::NotADirectoryNode { id } if *id == node.id);
        }
        match node.entry_type {
            EntryType::Symlink => drop(store.read_link(node.id).await.expect("a link is read")),
            _ => assert_error!(store.read_link(node.id).await, Error::NoSuchNode { .. }),
        }
        if node.entry_type.is_file() {
            file_is_consistent(&store, &node).await;
        }
    }
    absence_is_answered(&*store).await;
}

/// An id that no store has.
pub(super) fn nobody() -> NodeId {
    NodeId::new(Uuid::max())
}

async fn absence_is_answered<S: Store + ?Sized>(store: &S) {
    let id = nobody();
    assert_error!(store.node(id).await, Error::NoSuchNode { id: named } if *named == id);
    assert_error!(store.nodes(&[store.root(), id]).await, Error::NoSuchNode { .. });
    assert_error!(store.lookup(id, "x").await, Error::NoSuchNode { .. });
    assert_error!(store.list(id).await, Error::NoSuchNode { .. });
    assert_error!(store.read_link(id).await, Error::NoSuchNode { .. });
    assert_error!(store.versions(id).await, Error::NoSuchNode { .. });
    assert_error!(store.version(id, 1).await, Error::NoSuchNode { .. });
    assert_error!(store.runs(id).await, Error::NoSuchNode { .. });
}

async fn directory_is_consistent<S: Store + ?Sized>(store: &S, dir: &Node) -> Vec<Node> {
    let entries = store.list(dir.id).await.expect("a directory is listed");
    let ordered = entries.windows(2).all(|two| two[0].name.as_str() < two[1].name.as_str());
    assert!(ordered, "entries are ordered by the bytes of their names, each once: {entries:?}");
    for entry in &entries {
        let found = store.lookup(dir.id, entry.name.as_str()).await.expect("a name is looked up");
        assert_eq!(found.as_ref(), Some(entry), "a lookup finds what is listed");
    }
    for missing in ["", ".", "..", "no such name", "no/such/name"] {
        if entries.iter().all(|entry| entry.name.as_str() != missing) {
            let found = store.lookup(dir.id, missing).await.expect("a name is looked up");
            assert_eq!(found, None, "there is no `{missing}`");
        }
    }
    nodes_agree(store, &entries).await
}

async fn nodes_agree<S: Store + ?Sized>(store: &S, entries: &[Entry]) -> Vec<Node> {
    let ids: Vec<NodeId> = entries.iter().map(|entry| entry.node).collect();
    let nodes = store.nodes(&ids).await.expect("nodes are found");
    assert_eq!(nodes.len(), entries.len(), "each id has its node");
    for (entry, node) in entries.iter().zip(&nodes) {
        let alone = store.node(entry.node).await.expect("a node is found");
        assert_eq!(&alone, node, "a node is the same alone and among others");
        assert_eq!(node.id, entry.node, "a node has the id it was asked by");
        assert_eq!(node.entry_type, entry.entry_type, "`{}` is what its entry says", entry.name);
        assert_eq!(node.factory.is_some(), node.entry_type.is_dynamic(), "factories compute");
    }
    nodes
}

async fn file_is_consistent<S: Store + ?Sized>(store: &Arc<S>, file: &Node) {
    let versions = store.versions(file.id).await.expect("versions are listed");
    let numbers: Vec<u64> = versions.iter().map(|version| version.number).collect();
    assert!(numbers.windows(2).all(|two| two[0] < two[1]), "versions ascend: {numbers:?}");
    assert!(numbers.first().is_some_and(|first| *first >= 1), "a file has a version");
    assert_eq!(versions.last(), file.newest.as_ref(), "the node knows its newest version");
    for version in &versions {
        assert_eq!(version.covers, None, "a version as written is not a run");
        let alone = store.version(file.id, version.number).await.expect("a version is found");
        assert_eq!(alone.as_ref(), Some(version), "a version is the same alone");
        content_is_consistent(store, file.id, version).await;
    }
    let beyond = numbers.last().map_or(1, |last| last + 1);
    for missing in [0, beyond, u64::MAX] {
        let found = store.version(file.id, missing).await.expect("a version is looked for");
        assert_eq!(found, None, "there is no version {missing}");
    }
    runs_cover(store, file, &numbers).await;
}

/// Runs hold every version once, in order.
async fn runs_cover<S: Store + ?Sized>(store: &Arc<S>, file: &Node, numbers: &[u64]) {
    let runs = store.runs(file.id).await.expect("runs are listed");
    let mut after = 0;
    for run in &runs {
        let (first, last) = match &run.covers {
            Some(covers) => (*covers.start(), *covers.end()),
            None => (run.number, run.number),
        };
        assert!(after < first && first <= last, "runs follow one another: {runs:?}");
        assert_eq!(last, run.number, "a run has the number of the highest version it covers");
        after = last;
        content_is_consistent(store, file.id, run).await;
    }
    for number in numbers {
        let covered = runs.iter().any(|run| match &run.covers {
            Some(covers) => covers.contains(number),
            None => run.number == *number,
        });
        assert!(covered, "version {number} is in a run");
    }
}

async fn content_is_consistent<S: Store + ?Sized>(store: &Arc<S>, file: NodeId, version: &Version) {
    let reader = Reader::new(Arc::clone(store), file, version.clone());
    VerifiedReader::new(reader).drain().await.expect("the bytes have the version's hash");
    let size = version.size_bytes;
    for range in ranges(size) {
        let bytes = store.read(file, version, range.clone()).await.expect("a range is read");
        assert_eq!(bytes.len() as u64, range.end - range.start, "{range:?} of {size} bytes");
    }
    // Small enough to be had at once: then each range is that part of it.
    if size <= 1 << 20 {
        let whole = store.read(file, version, 0..size).await.expect("the whole is read");
        assert_eq!(ContentHash::of(&whole), version.hash, "the whole has the version's hash");
        for range in ranges(size) {
            let part = store.read(file, version, range.clone()).await.expect("a range is read");
            let wanted = &whole[range.start as usize..range.end as usize];
            assert_eq!(part, wanted, "{range:?} of {size} bytes is that part of the whole");
        }
    }
}

/// Ranges at the edges, in the middle, and of nothing.
fn ranges(size: u64) -> Vec<Range<u64>> {
    let short = size.min(1_000);
    let mut ranges = vec![0..0, size..size, size / 2..size / 2, 0..short, size - short..size];
    ranges.push(size / 3..size / 3 + (size - size / 3).min(short));
    if size > 0 {
        ranges.extend([0..1, size - 1..size]);
    }
    ranges
}
