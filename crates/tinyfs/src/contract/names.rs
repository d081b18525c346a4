//! Rules for directories, names and links.

use std::sync::Arc;

use super::reads::nobody;
use super::{Picture, assert_error, listed, name, new_dir, new_file, version};
use crate::{Attributes, EntryType, Error, NAME_MAX_BYTES, NewNode, WriteStore};

async fn picture(store: &Arc<dyn WriteStore>) -> Picture {
    Picture::of(store).await.expect("the store can be read")
}

/// The root is there from the start, and empty.
///
/// # Panics
/// When the rule is broken.
pub async fn a_fresh_store_is_an_empty_root(store: Arc<dyn WriteStore>) {
    let root = store.node(store.root()).await.expect("the root exists");
    assert_eq!(root.id, store.root());
    assert_eq!(root.entry_type, EntryType::Directory);
    assert_eq!(root.newest, None, "a directory has no versions");
    assert_eq!(listed(&store, root.id).await, Vec::<String>::new());
}

/// Names whose bytes order otherwise than their letters, alphabets or UTF-16
/// units would.
const UNORDERED: [&str; 16] = [
    "b",
    "a",
    "B",
    "a b",
    "a-b",
    "a.b",
    "a0",
    "é",
    "e\u{301}",
    "z",
    "\u{ffff}",
    "\u{10000}",
    "日本",
    ".hidden",
    "\u{7f}",
    "\u{1}",
];

/// A listing goes by the bytes of the names, whatever order they came in.
///
/// # Panics
/// When the rule is broken.
pub async fn listings_are_ordered_by_the_bytes_of_names(store: Arc<dyn WriteStore>) {
    for called in UNORDERED {
        new_file(&store, store.root(), called, called.as_bytes()).await;
    }
    let mut wanted = UNORDERED.map(str::to_owned).to_vec();
    wanted.sort_unstable_by(|one, other| one.as_bytes().cmp(other.as_bytes()));
    assert_eq!(listed(&store, store.root()).await, wanted);
}

/// A name is any UTF-8 of up to 255 bytes without `/` and NUL, and is not
/// changed: not its case, not its composition, not its spaces.
///
/// # Panics
/// When the rule is broken.
pub async fn any_name_is_kept_as_it_was_given(store: Arc<dyn WriteStore>) {
    let longest = "x".repeat(NAME_MAX_BYTES);
    let wide = "é".repeat(NAME_MAX_BYTES / 2);
    let odd = [
        " ",
        "...",
        "~",
        "*",
        "a\\b",
        "CON",
        "a:b",
        "\n",
        "%2F",
        "x#1",
        "'\"`",
        "-",
        "\u{feff}",
        "e\u{301}",
        "é",
        "É",
        "👩‍🚀",
        &longest,
        &wide,
    ];
    for called in odd {
        let id = new_file(&store, store.root(), called, called.as_bytes()).await;
        let found = store.lookup(store.root(), called).await.expect("a name is looked up");
        let found = found.expect("the name is there");
        assert_eq!((found.name.as_str(), found.node), (called, id));
    }
    assert_eq!(listed(&store, store.root()).await.len(), odd.len(), "all of them are different");
}

/// A directory holds many names and finds each.
///
/// # Panics
/// When the rule is broken.
pub async fn many_names_fit_into_a_directory(store: Arc<dyn WriteStore>) {
    const MANY: usize = 1_500;
    let dir = new_dir(&store, store.root(), "many").await;
    for count in 0..MANY {
        // Backwards, so that the order is not that of creation.
        new_dir(&store, dir, &format!("{:05}", MANY - count)).await;
    }
    let names = listed(&store, dir).await;
    assert_eq!(names.len(), MANY);
    assert!(names.is_sorted());
    for called in ["00001", "00750", "01500"] {
        assert!(store.lookup(dir, called).await.expect("a name is looked up").is_some());
    }
}

/// [`Error::NameTaken`], whatever has the name and whatever wants it.
///
/// # Panics
/// When the rule is broken.
pub async fn a_taken_name_is_refused_and_nothing_changes(store: Arc<dyn WriteStore>) {
    let root = store.root();
    new_file(&store, root, "file", b"1").await;
    new_dir(&store, root, "dir").await;
    let target = "file".to_owned();
    store.create(root, &name("link"), NewNode::Symlink { target }).await.expect("a link is made");
    let before = picture(&store).await;
    for called in ["file", "dir", "link"] {
        let version = version(&store, b"2").await;
        let (entry_type, attributes) = (EntryType::Data, Attributes::new());
        let wanted = [
            NewNode::Directory,
            NewNode::Symlink { target: "elsewhere".to_owned() },
            NewNode::File { entry_type, attributes, version },
        ];
        for node in wanted {
            let made = store.create(root, &name(called), node).await;
            assert_error!(made, Error::NameTaken { dir, name } if *dir == root && name == called);
        }
    }
    assert_eq!(picture(&store).await, before);
}

/// [`Error::NotADirectoryNode`] where something is made in a file or a symlink,
/// or moved into one.
///
/// # Panics
/// When the rule is broken.
pub async fn only_directories_hold_names(store: Arc<dyn WriteStore>) {
    let root = store.root();
    let file = new_file(&store, root, "file", b"1").await;
    let node = NewNode::Symlink { target: "/".to_owned() };
    let link = store.create(root, &name("link"), node).await.expect("a link is made");
    for id in [file, link] {
        let made = store.create(id, &name("x"), NewNode::Directory).await;
        assert_error!(made, Error::NotADirectoryNode { id: named } if *named == id);
        let moved = store.rename(root, "file", id, &name("x")).await;
        assert_error!(moved, Error::NotADirectoryNode { id: named } if *named == id);
        assert_error!(store.unlink(id, "x").await, Error::NotADirectoryNode { .. });
    }
    assert_eq!(listed(&store, root).await, ["file", "link"]);
}

/// What is unlinked is no longer listed or found.
///
/// # Panics
/// When the rule is broken.
pub async fn unlink_takes_the_name_away(store: Arc<dyn WriteStore>) {
    let root = store.root();
    new_file(&store, root, "file", b"1").await;
    new_file(&store, root, "other", b"2").await;
    new_dir(&store, root, "dir").await;
    let node = NewNode::Symlink { target: "dir".to_owned() };
    store.create(root, &name("link"), node).await.expect("a link is made");
    for called in ["file", "dir", "link"] {
        store.unlink(root, called).await.expect("a name is taken away");
        assert_eq!(store.lookup(root, called).await.expect("a name is looked up"), None);
    }
    assert_eq!(listed(&store, root).await, ["other"]);
}

/// [`Error::NoSuchName`], [`Error::DirectoryNotEmpty`]; nothing changes.
///
/// # Panics
/// When the rule is broken.
pub async fn unlink_refuses_what_is_not_there_or_not_empty(store: Arc<dyn WriteStore>) {
    let root = store.root();
    let full = new_dir(&store, root, "full").await;
    new_file(&store, full, "file", b"1").await;
    let before = picture(&store).await;
    let unlinked = store.unlink(root, "missing").await;
    assert_error!(unlinked, Error::NoSuchName { dir, name } if *dir == root && name == "missing");
    assert_error!(store.unlink(root, "full").await, Error::DirectoryNotEmpty { id } if *id == full);
    assert_eq!(picture(&store).await, before);
    store.unlink(full, "file").await.expect("a name is taken away");
    store.unlink(root, "full").await.expect("an emptied directory goes");
    assert_error!(store.unlink(root, "full").await, Error::NoSuchName { .. });
}

/// The name is free again, and what is made under it is another node with
/// versions of its own.
///
/// # Panics
/// When the rule is broken.
pub async fn a_name_can_be_used_again_for_another_node(store: Arc<dyn WriteStore>) {
    let root = store.root();
    let first = new_file(&store, root, "name", b"1").await;
    let more = version(&store, b"2").await;
    store.append(first, more).await.expect("a version is added");
    store.unlink(root, "name").await.expect("a name is taken away");
    let second = new_file(&store, root, "name", b"3").await;
    assert_ne!(first, second, "a node is not made twice");
    let versions = store.versions(second).await.expect("versions are listed");
    assert_eq!(versions.len(), 1, "the name's past is not the node's");
    store.unlink(root, "name").await.expect("a name is taken away");
    new_dir(&store, root, "name").await;
    let found = store.lookup(root, "name").await.expect("a name is looked up");
    assert_eq!(found.map(|entry| entry.entry_type), Some(EntryType::Directory));
}

/// The node goes on under its other name with its id, versions and attributes.
///
/// # Panics
/// When the rule is broken.
pub async fn rename_keeps_the_node(store: Arc<dyn WriteStore>) {
    let root = store.root();
    let dir = new_dir(&store, root, "dir").await;
    let file = new_file(&store, root, "file", b"1").await;
    let more = version(&store, b"2").await;
    store.append(file, more).await.expect("a version is added");
    let node = store.node(file).await.expect("a node is found");
    store.rename(root, "file", root, &name("renamed")).await.expect("it is renamed");
    assert_eq!(listed(&store, root).await, ["dir", "renamed"]);
    store.rename(root, "renamed", dir, &name("moved")).await.expect("it is moved");
    assert_eq!(listed(&store, root).await, ["dir"]);
    assert_eq!(listed(&store, dir).await, ["moved"]);
    let entry = store.lookup(dir, "moved").await.expect("a name is looked up");
    assert_eq!(entry.map(|entry| (entry.node, entry.entry_type)), Some((file, EntryType::Data)));
    assert_eq!(store.node(file).await.expect("a node is found"), node);
    assert_eq!(store.versions(file).await.expect("versions are listed").len(), 2);
}

/// [`Error::NoSuchName`], [`Error::NameTaken`]; nothing changes.
///
/// # Panics
/// When the rule is broken.
pub async fn rename_refuses_a_missing_or_taken_name(store: Arc<dyn WriteStore>) {
    let root = store.root();
    let dir = new_dir(&store, root, "dir").await;
    new_file(&store, root, "file", b"1").await;
    new_file(&store, dir, "taken", b"2").await;
    let before = picture(&store).await;
    let renamed = store.rename(root, "missing", root, &name("x")).await;
    assert_error!(renamed, Error::NoSuchName { dir, name } if *dir == root && name == "missing");
    let renamed = store.rename(root, "file", dir, &name("taken")).await;
    assert_error!(renamed, Error::NameTaken { dir: named, .. } if *named == dir);
    let renamed = store.rename(root, "file", root, &name("dir")).await;
    assert_error!(renamed, Error::NameTaken { .. });
    assert_eq!(picture(&store).await, before);
}

/// What is in a directory is reached by the directory's other name.
///
/// # Panics
/// When the rule is broken.
pub async fn a_directory_moves_with_what_is_in_it(store: Arc<dyn WriteStore>) {
    let root = store.root();
    let inner = new_dir(&store, new_dir(&store, root, "a").await, "b").await;
    new_file(&store, inner, "file", b"1").await;
    let goal = new_dir(&store, root, "goal").await;
    store.rename(root, "a", goal, &name("a2")).await.expect("it is moved");
    assert_eq!(listed(&store, root).await, ["goal"]);
    let moved = picture(&store).await;
    let paths: Vec<&str> = moved.nodes.keys().map(String::as_str).collect();
    assert_eq!(paths, ["/", "/goal", "/goal/a2", "/goal/a2/b", "/goal/a2/b/file"]);
}

/// A target is kept to the byte, and need not exist.
///
/// # Panics
/// When the rule is broken.
pub async fn symlinks_are_kept_as_written(store: Arc<dyn WriteStore>) {
    let targets = ["/", "..", "a//b/./../c/", "nowhere", "self", "déjà/🦀", &"x/".repeat(1_000)];
    for (count, target) in targets.into_iter().enumerate() {
        let node = NewNode::Symlink { target: target.to_owned() };
        let called = name(&count.to_string());
        let link = store.create(store.root(), &called, node).await.expect("a link is made");
        assert_eq!(store.read_link(link).await.expect("a link is read"), target);
        let node = store.node(link).await.expect("a node is found");
        assert_eq!((node.entry_type, node.newest), (EntryType::Symlink, None));
    }
}

/// [`Error::NoSuchNode`] for every question about a node that is not there, and
/// for every change to one.
///
/// # Panics
/// When the rule is broken.
pub async fn unknown_nodes_are_errors(store: Arc<dyn WriteStore>) {
    let (id, root) = (nobody(), store.root());
    new_file(&store, root, "file", b"1").await;
    let before = picture(&store).await;
    let made = store.create(id, &name("x"), NewNode::Directory).await;
    assert_error!(made, Error::NoSuchNode { id: named } if *named == id);
    let more = version(&store, b"1").await;
    assert_error!(store.append(id, more).await, Error::NoSuchNode { .. });
    assert_error!(store.set_attributes(id, Attributes::new()).await, Error::NoSuchNode { .. });
    assert_error!(store.unlink(id, "x").await, Error::NoSuchNode { .. });
    assert_error!(store.rename(id, "x", root, &name("y")).await, Error::NoSuchNode { .. });
    assert_error!(store.rename(root, "file", id, &name("y")).await, Error::NoSuchNode { .. });
    assert_eq!(picture(&store).await, before);
}
