//! Rules for content, versions and attributes.

use std::sync::Arc;

use tokio::io::AsyncWriteExt;

use super::furnish::{SIZES, attributes, described};
use super::{Picture, assert_error, name, new_dir, new_file, noise, version};
use crate::{
    Attributes, Content, ContentHash, EntryType, Error, Fs, NewNode, NewVersion, NodeId, WriteStore,
};

async fn picture(store: &Arc<dyn WriteStore>) -> Picture {
    Picture::of(store).await.expect("the store can be read")
}

/// The bytes of a version, whole.
async fn bytes(store: &Arc<dyn WriteStore>, file: NodeId, number: u64) -> Vec<u8> {
    let version = store.version(file, number).await.expect("a version is looked for");
    let version = version.expect("the version is there");
    let whole = store.read(file, &version, 0..version.size_bytes).await;
    whole.expect("the version is read").to_vec()
}

/// As soon as a name is seen, so is the first version, and it is number 1.
///
/// # Panics
/// When the rule is broken.
pub async fn a_name_and_its_first_version_appear_together(store: Arc<dyn WriteStore>) {
    let file = new_file(&store, store.root(), "file", b"first").await;
    let node = store.node(file).await.expect("a node is found");
    let newest = node.newest.expect("it has a version");
    assert_eq!(newest.number, 1);
    assert_eq!(store.versions(file).await.expect("versions are listed"), [newest]);
    assert_eq!(bytes(&store, file, 1).await, b"first");
}

/// Numbers go up by one, and what was written under one stays.
///
/// # Panics
/// When the rule is broken.
pub async fn versions_are_dense_and_never_change(store: Arc<dyn WriteStore>) {
    const COUNT: u64 = 20;
    let file = new_file(&store, store.root(), "file", b"version 1").await;
    let mut seen = store.versions(file).await.expect("versions are listed");
    for number in 2..=COUNT {
        let more = version(&store, format!("version {number}").as_bytes()).await;
        assert_eq!(store.append(file, more).await.expect("a version is added"), number);
        let versions = store.versions(file).await.expect("versions are listed");
        assert_eq!(versions[..seen.len()], seen[..], "earlier versions stay as they were");
        assert_eq!(versions.len() as u64, number);
        assert_eq!(
            store.node(file).await.expect("a node is found").newest.as_ref(),
            versions.last()
        );
        seen = versions;
    }
    for number in 1..=COUNT {
        let wanted = format!("version {number}");
        assert_eq!(bytes(&store, file, number).await, wanted.as_bytes());
    }
}

/// Every size on both sides of a limit, as a first and as a later version.
///
/// # Panics
/// When the rule is broken.
pub async fn content_of_every_size_comes_back(store: Arc<dyn WriteStore>) {
    for size in SIZES {
        let (first, second) = (noise(size, 11), noise(size, 12));
        let file = new_file(&store, store.root(), &size.to_string(), &first).await;
        let more = version(&store, &second).await;
        store.append(file, more).await.expect("a version is added");
        assert_eq!(bytes(&store, file, 1).await, first, "{size} bytes");
        assert_eq!(bytes(&store, file, 2).await, second, "{size} bytes");
        for version in store.versions(file).await.expect("versions are listed") {
            assert_eq!(version.size_bytes, size as u64);
        }
    }
    super::consistent(store).await;
}

/// The entry type and the properties of node and version do not depend on the
/// size of the content.
///
/// # Panics
/// When the rule is broken.
pub async fn entry_types_and_properties_are_kept_at_every_size(store: Arc<dyn WriteStore>) {
    for entry_type in [EntryType::Data, EntryType::Table, EntryType::Series] {
        for size in SIZES {
            let new = described(version(&store, &noise(size, 13)).await, 7);
            let wanted = new.clone();
            let attributes = attributes("size", &size.to_string());
            let node = NewNode::File { entry_type, attributes: attributes.clone(), version: new };
            let called = name(&format!("{entry_type} {size}"));
            let file = store.create(store.root(), &called, node).await.expect("a file is made");
            let node = store.node(file).await.expect("a node is found");
            assert_eq!((node.entry_type, node.attributes), (entry_type, attributes));
            let stored = node.newest.expect("it has a version");
            assert_eq!(stored.format, wanted.format);
            assert_eq!(stored.rows, wanted.rows);
            assert_eq!(stored.time_range, wanted.time_range);
            assert_eq!(stored.attributes, wanted.attributes);
            assert_eq!((stored.hash, stored.size_bytes), (wanted.content.hash, size as u64));
        }
    }
}

/// How a stream is cut makes no difference.
///
/// # Panics
/// When the rule is broken.
pub async fn content_written_in_pieces_is_the_same_content(store: Arc<dyn WriteStore>) {
    let whole = noise(200_000, 14);
    let wanted = Content { hash: ContentHash::of(&whole), size_bytes: whole.len() as u64 };
    for piece in [1_000, 65_536, 70_001, 200_000] {
        let mut writer = store.writer().await.expect("a writer is given");
        for bytes in whole.chunks(piece) {
            writer.write_all(bytes).await.expect("bytes are taken");
            writer.flush().await.expect("bytes are flushed");
        }
        assert_eq!(writer.finish().await.expect("content is finished"), wanted);
    }
    let empty = store.writer().await.expect("a writer is given");
    let empty = empty.finish().await.expect("content is finished");
    assert_eq!(empty, Content { hash: ContentHash::of(b""), size_bytes: 0 });
}

/// Two files, and two versions of one file, can have the same bytes.
///
/// # Panics
/// When the rule is broken.
pub async fn the_same_content_can_be_named_twice(store: Arc<dyn WriteStore>) {
    for size in [10, 100_000] {
        let same = noise(size, 15);
        let one = new_file(&store, store.root(), &format!("one {size}"), &same).await;
        // Written again, and named twice without being written again.
        let again = version(&store, &same).await;
        assert_eq!(store.append(one, again.clone()).await.expect("a version is added"), 2);
        let (entry_type, attributes) = (EntryType::Data, Attributes::new());
        let node = NewNode::File { entry_type, attributes, version: again };
        let called = name(&format!("two {size}"));
        let two = store.create(store.root(), &called, node).await.expect("a file is made");
        for (file, number) in [(one, 1), (one, 2), (two, 1)] {
            assert_eq!(bytes(&store, file, number).await, same);
        }
        store.unlink(store.root(), &format!("one {size}")).await.expect("a name is taken away");
        assert_eq!(bytes(&store, two, 1).await, same, "one file's end is not the other's");
    }
}

/// Ranges of finished content are there to be looked at.
///
/// # Panics
/// When the rule is broken.
pub async fn finished_content_can_be_read_before_it_is_named(store: Arc<dyn WriteStore>) {
    for size in SIZES {
        let whole = noise(size, 16);
        let content = version(&store, &whole).await.content;
        let middle = size / 2;
        for range in [0..size, 0..middle, middle..size, size..size] {
            let wanted = &whole[range.clone()];
            let range = range.start as u64..range.end as u64;
            let read = store.read_content(&content, range.clone()).await;
            assert_eq!(read.expect("content is read"), wanted, "{range:?} of {size} bytes");
        }
    }
    let unknown = unknown();
    let read = store.read_content(&unknown, 0..unknown.size_bytes).await;
    assert_error!(read, Error::UnknownContent { hash } if *hash == unknown.hash);
}

/// What was written so far can be looked at where the store shows it at all,
/// also while the stream is ended and after.
///
/// # Panics
/// When the rule is broken.
pub async fn bytes_written_so_far_stay_readable(store: Arc<dyn WriteStore>) {
    for size in SIZES {
        let whole = noise(size, 18);
        let mut writer = store.writer().await.expect("a writer is given");
        writer.write_all(&whole).await.expect("bytes are taken");
        let Some(so_far) = writer.so_far().await.expect("it shows what it has or says no") else {
            continue;
        };
        assert_eq!(so_far.size_bytes(), size as u64);
        let all = 0..size as u64;
        assert_eq!(so_far.read(all.clone()).await.expect("bytes are read"), whole);
        assert!(so_far.read(0..size as u64 + 1).await.is_err(), "nothing is beyond the end");
        let content = writer.finish().await.expect("content is finished");
        assert_eq!(content.hash, ContentHash::of(&whole));
        assert_eq!(so_far.read(all).await.expect("bytes are read"), whole);
    }
}

/// What a writer took and did not finish can not be seen.
///
/// # Panics
/// When the rule is broken.
pub async fn a_dropped_writer_leaves_nothing(store: Arc<dyn WriteStore>) {
    let before = picture(&store).await;
    for size in [0, 10, 100_000] {
        let taken = noise(size, 17);
        let mut writer = store.writer().await.expect("a writer is given");
        writer.write_all(&taken).await.expect("bytes are taken");
        writer.flush().await.expect("bytes are flushed");
        drop(writer);
        // Empty content may well be known from elsewhere.
        if size > 0 {
            let content = Content { hash: ContentHash::of(&taken), size_bytes: size as u64 };
            let named = create(&store, "unfinished", content).await;
            assert_error!(named, Error::UnknownContent { .. });
        }
    }
    assert_eq!(picture(&store).await, before);
}

/// Finished content has no name, no node and no version until it is given one.
///
/// # Panics
/// When the rule is broken.
pub async fn content_that_is_never_named_leaves_nothing(store: Arc<dyn WriteStore>) {
    new_file(&store, store.root(), "file", b"1").await;
    let before = picture(&store).await;
    for size in SIZES {
        drop(version(&store, &noise(size, 18)).await);
    }
    assert_eq!(picture(&store).await, before);
}

/// [`Error::UnknownContent`] for bytes that the store does not have; nothing appears
/// under the name.
///
/// # Panics
/// When the rule is broken.
pub async fn content_of_another_store_is_refused(store: Arc<dyn WriteStore>) {
    let file = new_file(&store, store.root(), "file", b"1").await;
    let before = picture(&store).await;
    assert_error!(create(&store, "name", unknown()).await, Error::UnknownContent { .. });
    let appended = store.append(file, NewVersion::bytes(unknown())).await;
    assert_error!(appended, Error::UnknownContent { .. });
    assert_eq!(picture(&store).await, before);
}

fn unknown() -> Content {
    let elsewhere = noise(100, 19);
    Content { hash: ContentHash::of(&elsewhere), size_bytes: 100 }
}

async fn create(
    store: &Arc<dyn WriteStore>,
    called: &str,
    content: Content,
) -> crate::Result<NodeId> {
    let (entry_type, attributes) = (EntryType::Data, Attributes::new());
    let version = NewVersion::bytes(content);
    let node = NewNode::File { entry_type, attributes, version };
    store.create(store.root(), &name(called), node).await
}

/// [`Error::NoSuchNode`] where a version is added to a directory or a symlink.
///
/// # Panics
/// When the rule is broken.
pub async fn directories_and_symlinks_take_no_versions(store: Arc<dyn WriteStore>) {
    let dir = new_dir(&store, store.root(), "dir").await;
    let node = NewNode::Symlink { target: "dir".to_owned() };
    let link = store.create(store.root(), &name("link"), node).await.expect("a link is made");
    for id in [dir, link] {
        let more = version(&store, b"1").await;
        assert_error!(store.append(id, more).await, Error::NoSuchNode { id: named } if *named == id);
    }
}

/// All attributes of a node are replaced at once; its versions stay.
///
/// # Panics
/// When the rule is broken.
pub async fn attributes_are_replaced_and_make_no_version(store: Arc<dyn WriteStore>) {
    let file = new_file(&store, store.root(), "file", b"1").await;
    let dir = new_dir(&store, store.root(), "dir").await;
    for id in [file, dir] {
        let versions = store.node(id).await.expect("a node is found").newest;
        for wanted in [attributes("a", "1"), attributes("b", ""), Attributes::new()] {
            store.set_attributes(id, wanted.clone()).await.expect("attributes are set");
            let node = store.node(id).await.expect("a node is found");
            assert_eq!(node.attributes, wanted);
            assert_eq!(node.newest, versions, "an attribute is not a version");
        }
    }
    let more = version(&store, b"2").await;
    store.set_attributes(file, attributes("kept", "yes")).await.expect("attributes are set");
    store.append(file, more).await.expect("a version is added");
    let node = store.node(file).await.expect("a node is found");
    assert_eq!(node.attributes, attributes("kept", "yes"), "a version changes no attributes");
}

/// A computed node has its type, its factory, and its configuration as version
/// 1; the next configuration is version 2 of the same node.
///
/// # Panics
/// When the rule is broken.
pub async fn computed_nodes_keep_their_factory(store: Arc<dyn WriteStore>) {
    let fs = Fs::new(Arc::clone(&store));
    for entry_type in EntryType::ALL.into_iter().filter(|entry_type| entry_type.is_dynamic()) {
        let first = version(&store, entry_type.as_str().as_bytes()).await;
        let made = fs.create_dynamic(entry_type.as_str(), entry_type, "test", first).await;
        let node = made.expect("a computed node is made").node;
        assert_eq!((node.entry_type, node.factory.as_deref()), (entry_type, Some("test")));
        assert_eq!(node.newest.map(|version| version.number), Some(1));
        assert_eq!(bytes(&store, node.id, 1).await, entry_type.as_str().as_bytes());
        let next = version(&store, b"another configuration").await;
        assert_eq!(store.append(node.id, next).await.expect("a version is added"), 2);
        let node = store.node(node.id).await.expect("a node is found");
        assert_eq!((node.entry_type, node.factory.as_deref()), (entry_type, Some("test")));
        assert_eq!(node.newest.map(|version| version.number), Some(2));
        assert_eq!(bytes(&store, node.id, 2).await, b"another configuration");
        assert_eq!(bytes(&store, node.id, 1).await, entry_type.as_str().as_bytes());
    }
}
