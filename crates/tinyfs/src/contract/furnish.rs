//! One of everything.

use std::sync::Arc;

use super::{new_dir, new_file, noise, version};
use crate::{Attributes, EntryType, Format, NewNode, NewVersion, NodeId, TimeRange, WriteStore};

/// Sizes on both sides of every limit that a store may have.
pub(super) const SIZES: [usize; 6] = [0, 1, 65_535, 65_536, 65_537, 300_001];

/// Puts one of everything into an empty store: each entry type, content of
/// sizes around the limits, several versions, attributes, unusual names, links
/// that lead somewhere, nowhere and in a circle.
///
/// # Panics
/// When the store refuses any of it.
pub async fn furnish(store: &Arc<dyn WriteStore>) {
    let root = store.root();
    let dir = new_dir(store, root, "sizes").await;
    for size in SIZES {
        let file = new_file(store, dir, &size.to_string(), &noise(size, 1)).await;
        let more = version(store, &noise(size, 2)).await;
        store.append(file, more).await.expect("a version is added");
    }
    types(store, new_dir(store, root, "types").await).await;
    links(store, new_dir(store, root, "links").await).await;
    let deep = new_dir(store, new_dir(store, root, "déjà vu").await, ".hidden").await;
    new_file(store, deep, "🦀 and\nnewline", b"unusual").await;
}

async fn types(store: &Arc<dyn WriteStore>, dir: NodeId) {
    for entry_type in [EntryType::Data, EntryType::Table, EntryType::Series] {
        let node = NewNode::File {
            entry_type,
            attributes: attributes("node", entry_type.as_str()),
            version: described(version(store, &noise(100, 3)).await, 1),
        };
        let called = entry_type.as_str();
        let file = store.create(dir, &super::name(called), node).await.expect("a file is made");
        for number in 2..=4 {
            let bytes = noise(100 * number, 3);
            let more = described(version(store, &bytes).await, number as u64);
            store.append(file, more).await.expect("a version is added");
        }
    }
    for entry_type in EntryType::ALL.into_iter().filter(|entry_type| entry_type.is_dynamic()) {
        let version = version(store, b"configuration").await;
        let node = NewNode::Dynamic { entry_type, factory: "test".to_owned(), version };
        let called = super::name(entry_type.as_str());
        store.create(dir, &called, node).await.expect("a computed node is made");
    }
}

async fn links(store: &Arc<dyn WriteStore>, dir: NodeId) {
    let links = [
        ("absolute", "/sizes/1"),
        ("relative", "../sizes/1"),
        ("directory", "../types"),
        ("dangling", "nowhere/at/all"),
        ("circle", "circle"),
    ];
    for (called, target) in links {
        let node = NewNode::Symlink { target: target.to_owned() };
        store.create(dir, &super::name(called), node).await.expect("a symlink is made");
    }
}

/// The version with every property set.
pub(super) fn described(version: NewVersion, number: u64) -> NewVersion {
    NewVersion {
        format: Format::Parquet,
        rows: Some(number),
        // The range of the first is absent, as it is where there are no rows.
        time_range: (number > 1)
            .then_some(TimeRange { min_us: -1_000_000, max_us: number as i64 * 3_600_000_000 }),
        attributes: attributes("version", &number.to_string()),
        ..version
    }
}

pub(super) fn attributes(key: &str, value: &str) -> Attributes {
    Attributes::from([(key.to_owned(), value.to_owned()), ("unit".to_owned(), "m³/s".to_owned())])
}
