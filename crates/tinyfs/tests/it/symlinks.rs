//! Symlinks anywhere in a path.

use tinyfs::fs::MAX_LINKS;
use tinyfs::{EntryType, Error, Fs, MemoryStore, Store, WriteStore};

use crate::tree::tree;

async fn resolved(fs: &Fs<MemoryStore>, path: &str) -> String {
    fs.resolve(path).await.unwrap().path
}

#[tokio::test]
async fn links_are_followed_anywhere_in_a_path() {
    let fs = tree(&["a/b/file", "abs -> /a/b", "a/rel -> b", "a/b/up -> ..", "two -> abs"]).await;
    for path in ["/abs/file", "/a/rel/file", "/a/b/up/rel/file", "/two/file", "/two/up/b/file"] {
        assert_eq!(resolved(&fs, path).await, "/a/b/file", "{path}");
    }
    assert_eq!(resolved(&fs, "/two").await, "/a/b");
    let link = fs.resolve_link("/two").await.unwrap();
    assert_eq!((link.path.as_str(), link.node.entry_type), ("/two", EntryType::Symlink));
    assert_eq!(fs.resolve_link("/two/up").await.unwrap().path, "/a/b/up");
    assert_eq!(fs.read_link("/two").await.unwrap(), "abs");
}

#[tokio::test]
async fn dot_dot_after_a_link_is_physical() {
    let fs = tree(&["a/b/file", "x/y", "link -> a/b", "x/out -> ../link/../b"]).await;
    assert_eq!(resolved(&fs, "/link/..").await, "/a");
    assert_eq!(resolved(&fs, "/link/../b/file").await, "/a/b/file");
    assert_eq!(resolved(&fs, "/x/out/file").await, "/a/b/file");
    assert_eq!(resolved(&fs, "/../../a").await, "/a");
    assert_eq!(resolved(&fs, "/link/../../..").await, "/");
}

#[tokio::test]
async fn a_slash_at_the_end_follows_a_link_and_wants_a_directory() {
    let fs = tree(&["a/file", "dir -> a", "file -> a/file", "slashed -> a/file/"]).await;
    assert_eq!(fs.resolve_link("/dir/").await.unwrap().path, "/a");
    assert_eq!(fs.resolve_link("/dir/.").await.unwrap().path, "/a");
    for path in ["/file/", "/a/file/", "/a/file/.", "/a/file/..", "/a/file/x", "/slashed"] {
        match fs.resolve(path).await {
            Err(Error::NotADirectory { path, actual: EntryType::Data }) => {
                assert_eq!(path, "/a/file");
            }
            other => panic!("{path} gave {other:?}"),
        }
    }
}

#[tokio::test]
async fn a_dangling_link_is_not_found_where_it_leads() {
    let fs = tree(&["a/b/", "a/link -> b/no/where", "far -> /a/link/x"]).await;
    for (path, wanted) in [
        ("/a/link", "/a/b/no/where"),
        ("/a/link/y", "/a/b/no/where/y"),
        ("/far", "/a/b/no/where/x"),
    ] {
        match fs.resolve(path).await {
            Err(Error::NotFound { path, deepest }) => {
                assert_eq!((path.as_str(), deepest.as_str()), (wanted, "/a/b"));
            }
            other => panic!("{path} gave {other:?}"),
        }
    }
    assert!(!fs.exists("/a/link").await.unwrap());
    assert!(fs.resolve_link("/a/link").await.is_ok());
}

#[tokio::test]
async fn a_target_that_is_no_path_is_an_error_and_fails_no_listing() {
    let fs = tree(&["file"]).await;
    assert!(matches!(fs.symlink("", "/link").await, Err(Error::BadPath { .. })));
    // A store may hold what the file system would not write.
    let node = tinyfs::NewNode::Symlink { target: "a\0b".to_owned() };
    let name = tinyfs::Name::new("link").unwrap();
    fs.store().create(fs.store().root(), &name, node).await.unwrap();
    match fs.resolve("/link/x").await {
        Err(Error::BadPath { path, .. }) => assert_eq!(path, "/link"),
        other => panic!("{other:?}"),
    }
    assert_eq!(fs.list("/").await.unwrap().len(), 2);
    assert_eq!(fs.glob("/*").await.unwrap().len(), 2);
    assert_eq!(fs.glob("/*/*").await.unwrap().len(), 0);
}

#[tokio::test]
async fn circles_end_with_an_error_that_names_the_path() {
    let fs = tree(&["self -> self", "a -> b", "b -> a", "grow -> grow/x", "up -> ../up/.."]).await;
    for path in ["/self", "/a", "/b/x", "/grow", "/up", "/self/"] {
        match fs.resolve(path).await {
            Err(Error::LinkLoop { path: named }) => assert_eq!(named, path),
            other => panic!("{path} gave {other:?}"),
        }
        assert!(!fs.exists(path).await.unwrap());
    }
    assert_eq!(fs.list("/").await.unwrap().len(), 5, "a listing follows nothing");
}

#[tokio::test]
async fn as_many_links_as_the_limit_are_followed() {
    let mut lines = vec!["0".to_owned()];
    lines.extend((1..=MAX_LINKS + 1).map(|count| format!("{count} -> {}", count - 1)));
    let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
    let fs = tree(&lines).await;
    assert_eq!(resolved(&fs, &format!("/{MAX_LINKS}")).await, "/0");
    let beyond = fs.resolve(&format!("/{}", MAX_LINKS + 1)).await;
    assert!(matches!(beyond, Err(Error::LinkLoop { .. })), "{beyond:?}");
}

#[tokio::test]
async fn writes_go_through_links_and_removals_do_not() {
    let fs = tree(&["a/file", "dir -> a", "file -> a/file"]).await;
    fs.write("/file", "2").await.unwrap();
    assert_eq!(fs.versions("/a/file").await.unwrap().len(), 2);
    fs.write("/dir/other", "1").await.unwrap();
    assert!(fs.exists("/a/other").await.unwrap());
    assert_eq!(fs.remove_all("/dir").await.unwrap(), 1);
    fs.rename("/file", "/moved").await.unwrap();
    assert_eq!(fs.read_link("/moved").await.unwrap(), "a/file");
    assert_eq!(fs.list("/a").await.unwrap().len(), 2);
}

#[tokio::test]
async fn nothing_is_written_through_a_dangling_link() {
    let fs = tree(&["link -> nowhere"]).await;
    let results = [
        fs.write("/link", "1").await,
        fs.create_dir("/link").await,
        fs.symlink("x", "/link").await,
    ];
    for result in results {
        assert!(
            matches!(&result, Err(Error::AlreadyExists { path }) if path == "/link"),
            "{result:?}"
        );
    }
    let made = fs.create_dir_all("/link/x").await;
    assert!(matches!(&made, Err(Error::NotFound { path, .. }) if path == "/nowhere/x"), "{made:?}");
    assert_eq!(fs.list("/").await.unwrap().len(), 1);
}
