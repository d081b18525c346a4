//! Changes, and the errors that name what they are about.

use std::sync::Arc;

use tinyfs::{
    Attributes, EntryType, Error, Fs, MemoryStore, NewVersion, NodePath, Store, Target, WriteStore,
};

use crate::tree::tree;

/// Fails unless the result is this error about this path.
macro_rules! assert_path {
    ($result:expr, $variant:ident { $field:ident } about $path:expr) => {{
        let result = $result;
        assert!(
            matches!(&result, Err(Error::$variant { $field, .. }) if $field == $path),
            "{result:?}"
        );
    }};
}

#[tokio::test]
async fn directories_are_made_one_by_one_or_all_at_once() {
    let fs = tree(&["file"]).await;
    assert_path!(fs.create_dir("/a/b").await, NotFound { path } about "/a");
    assert_eq!(fs.create_dir_all("/a/b//c/").await.unwrap().path, "/a/b/c");
    assert_eq!(fs.create_dir_all("/a/b/c").await.unwrap().path, "/a/b/c", "twice is fine");
    assert_eq!(fs.create_dir_all("/a/../x/y").await.unwrap().path, "/x/y");
    assert_eq!(fs.create_dir_all("/").await.unwrap().path, "/");
    assert_path!(fs.create_dir("/a").await, AlreadyExists { path } about "/a");
    assert_path!(fs.create_dir("/").await, IsRoot { path } about "/");
    assert_path!(fs.create_dir("/a/..").await, BadPath { path } about "/a/..");
    assert_path!(fs.create_dir_all("/file/x").await, NotADirectory { path } about "/file");
    assert_path!(fs.create_dir_all("/file").await, NotADirectory { path } about "/file");
}

#[tokio::test]
async fn writing_makes_a_file_and_then_versions_of_it() {
    let fs = tree(&["dir/"]).await;
    assert_eq!(fs.write("/dir/a", "one").await.unwrap().node.entry_type, EntryType::Data);
    let NodePath { path, node } = fs.write("/dir/../dir/a", "two").await.unwrap();
    assert_eq!((path.as_str(), node.newest.unwrap().number), ("/dir/a", 2));
    assert_eq!(fs.read_to_end("/dir/a", 3).await.unwrap(), b"two");
    assert_path!(fs.read_to_end("/dir/a", 2).await, TooLong { path } about "/dir/a");
    assert_path!(fs.write("/dir", "x").await, NotAFile { path } about "/dir");
    assert_path!(fs.write("/dir/b/", "x").await, NotADirectory { path } about "/dir/b");
    assert_path!(fs.open("/dir").await, NotAFile { path } about "/dir");
    let missing = fs.open_version("/dir/a", Some(3)).await;
    assert!(
        matches!(&missing, Err(Error::NoSuchVersion { path, version: 3, newest: 2 }) if path == "/dir/a"),
        "{missing:?}"
    );
}

#[tokio::test]
async fn a_file_keeps_its_entry_type_when_it_is_written_to() {
    let fs = tree(&[]).await;
    let version = NewVersion::bytes(fs.content("1").await.unwrap());
    let attributes = Attributes::from([("a".to_owned(), "b".to_owned())]);
    fs.create_file("/s", EntryType::Series, attributes.clone(), version.clone()).await.unwrap();
    assert_eq!(fs.append("/s", version.clone()).await.unwrap(), 2);
    let node = fs.write("/s", "3").await.unwrap().node;
    assert_eq!((node.entry_type, node.attributes), (EntryType::Series, attributes.clone()));
    fs.set_attributes("/s", Attributes::new()).await.unwrap();
    assert_eq!(fs.resolve("/s").await.unwrap().node.attributes, Attributes::new());
    for wrong in [EntryType::Directory, EntryType::Symlink, EntryType::DynamicData] {
        let made = fs.create_file("/w", wrong, Attributes::new(), version.clone()).await;
        assert_path!(made, NotAFile { path } about "/w");
    }
}

#[tokio::test]
async fn computed_nodes_take_no_writes() {
    let fs = tree(&[]).await;
    let version = NewVersion::bytes(fs.content("configuration").await.unwrap());
    let table = EntryType::DynamicTable;
    fs.create_dynamic("/t", table, "test", version.clone()).await.unwrap();
    fs.create_dynamic("/d", EntryType::DynamicDirectory, "test", version.clone()).await.unwrap();
    assert_path!(fs.append("/t", version.clone()).await, Computed { path } about "/t");
    assert_path!(fs.write("/t", "x").await, Computed { path } about "/t");
    assert_path!(fs.create_dir("/d/x").await, Computed { path } about "/d");
    let made = fs.create_dynamic("/e", EntryType::Table, "test", version).await;
    assert_path!(made, WrongType { path } about "/e");
    assert_eq!(fs.remove_all("/d").await.unwrap(), 1);
}

#[tokio::test]
async fn a_target_is_known_before_content_is_sent() {
    let fs = tree(&["dir/a", "link -> dir/new", "to -> dir"]).await;
    assert!(
        matches!(fs.target("/dir/a").await.unwrap(), Target::Existing(a) if a.path == "/dir/a")
    );
    match fs.target("/to/b").await.unwrap() {
        Target::New { dir, name } => assert_eq!((dir.as_str(), name.as_str()), ("/dir", "b")),
        other @ Target::Existing(_) => panic!("{other:?}"),
    }
    assert_path!(fs.target("/no/b").await, NotFound { path } about "/no");
    assert_path!(fs.target("/link").await, AlreadyExists { path } about "/link");
    assert_path!(fs.target("/dir/a/b").await, NotADirectory { path } about "/dir/a");
}

#[tokio::test]
async fn removing_refuses_the_root_and_what_is_not_empty() {
    let fs = tree(&["a/b/c", "a/d"]).await;
    for path in ["/", "//", "/."] {
        assert_path!(fs.remove(path).await, IsRoot { path } about path);
        assert_path!(fs.remove_all(path).await, IsRoot { path } about path);
    }
    assert_path!(fs.remove("/a").await, NotEmpty { path } about "/a");
    assert_path!(fs.remove("/a/x").await, NotFound { path } about "/a/x");
    assert_path!(fs.remove("/a/d/").await, NotADirectory { path } about "/a/d");
    fs.remove("/a/d").await.unwrap();
    assert_eq!(fs.remove_all("/a/").await.unwrap(), 3);
    assert_eq!(fs.list("/").await.unwrap(), []);
    assert_path!(fs.remove_all("/a").await, NotFound { path } about "/a");
}

#[tokio::test]
async fn renaming_refuses_to_overwrite_and_to_swallow_itself() {
    let fs = tree(&["a/b/c", "d", "in -> a/b"]).await;
    assert_path!(fs.rename("/a", "/a/b/x").await, IntoItself { from } about "/a");
    assert_path!(fs.rename("/a", "/in/x").await, IntoItself { from } about "/a");
    assert_path!(fs.rename("/a", "/a/x").await, IntoItself { from } about "/a");
    assert_path!(fs.rename("/", "/x").await, IntoItself { from } about "/");
    assert_path!(fs.rename("/d", "/a").await, AlreadyExists { path } about "/a");
    assert_path!(fs.rename("/d", "/d").await, AlreadyExists { path } about "/d");
    assert_path!(fs.rename("/d", "/").await, AlreadyExists { path } about "/");
    assert_path!(fs.rename("/d", "/in").await, AlreadyExists { path } about "/in");
    assert_path!(fs.rename("/d", "/x/").await, NotADirectory { path } about "/x");
    assert_path!(fs.rename("/x", "/y").await, NotFound { path } about "/x");
    assert_path!(fs.rename("/d", "/no/y").await, NotFound { path } about "/no");
    fs.rename("/a", "/ab").await.unwrap();
    fs.rename("/d", "/ab/b/d").await.unwrap();
    assert_eq!(fs.glob("/**").await.unwrap().len(), 5);
}

#[tokio::test]
async fn a_working_directory_is_where_relative_paths_start() {
    let fs = tree(&["a/b/", "link -> a"]).await;
    let dir = fs.root().working_dir("link").await.unwrap();
    assert_eq!(dir.path(), "/a");
    dir.write("b/file", "1").await.unwrap();
    dir.rename("b/file", "./moved").await.unwrap();
    dir.symlink("moved", "b/l").await.unwrap();
    assert_eq!(dir.resolve("../a/moved").await.unwrap().path, "/a/moved");
    assert_eq!(dir.resolve("/").await.unwrap().path, "/");
    assert_eq!(dir.read_to_end("moved", 10).await.unwrap(), b"1");
    assert!(!dir.exists("b/l").await.unwrap(), "its target starts in the link's directory");
    assert_path!(dir.resolve("").await, BadPath { path } about "");
    assert_path!(dir.working_dir("moved").await, NotADirectory { path } about "/a/moved");
}

#[tokio::test]
async fn everything_works_through_trait_objects_and_across_threads() {
    let store: Arc<dyn WriteStore> = Arc::new(MemoryStore::new());
    let fs: Fs<dyn WriteStore> = Fs::new(store);
    let written = fs.clone();
    let task = async move {
        written.create_dir_all("/a/b").await?;
        written.write_from("/a/b/c", &b"content"[..]).await?;
        written.rename("/a/b/c", "/d").await?;
        written.remove_all("/a").await
    };
    assert_eq!(tokio::spawn(task).await.unwrap().unwrap(), 2);
    let read_only: Fs = fs.read_only();
    let read_only: Fs<dyn Store> = read_only;
    let task = async move {
        let found = read_only.glob("/*").await?;
        assert_eq!(found.len(), 1);
        read_only.verify("/d", Some(1)).await?;
        read_only.read_to_end("/d", 100).await
    };
    assert_eq!(tokio::spawn(task).await.unwrap().unwrap(), b"content");
}

#[tokio::test]
async fn a_listing_tells_nodes_and_entries_in_the_same_order() {
    let many: Vec<String> = (0..1_100).map(|count| format!("dir/{count}")).collect();
    let many: Vec<&str> = many.iter().map(String::as_str).collect();
    let fs = tree(&many).await;
    let nodes = fs.list("/dir").await.unwrap();
    let entries = fs.entries("/dir").await.unwrap();
    assert_eq!(nodes.len(), 1_100);
    for (node, entry) in nodes.iter().zip(&entries) {
        assert_eq!((node.id(), node.name()), (entry.node, entry.name.as_str()));
        assert_eq!(node.path, format!("/dir/{}", entry.name));
    }
    assert_path!(fs.list("/dir/1").await, NotADirectory { path } about "/dir/1");
}
