//! Paths as texts.

use proptest::prelude::*;
use tinyfs::path::{self, Component, FsPath, normalise};
use tinyfs::{Error, FsPath as Path};

#[test]
fn a_path_has_one_normal_spelling() {
    for (text, wanted) in [
        ("/", "/"),
        ("//", "/"),
        (".", "."),
        ("./", "."),
        ("a/..", "."),
        ("/..", "/"),
        ("/../../a", "/a"),
        ("..", ".."),
        ("../a/../..", "../.."),
        ("//a//./b/", "/a/b"),
        ("/a/b/../c", "/a/c"),
        ("/.a/..b/...", "/.a/..b/..."),
        (" / ", " / "),
    ] {
        assert_eq!(normalise(text).unwrap(), wanted, "{text}");
    }
}

#[test]
fn what_is_not_a_path_is_refused_by_name() {
    let long = format!("/a/{}/b", "x".repeat(256));
    for (text, part) in [
        ("", "empty"),
        ("/a/b\0c", "`b\\0c` in it is not a name"),
        (long.as_str(), "more than 255 bytes"),
        (&"/a".repeat(40_000), "more than 65536 bytes"),
    ] {
        let error = FsPath::parse(text).unwrap_err();
        assert!(matches!(error, Error::BadPath { .. }), "{error:?}");
        assert!(error.to_string().contains(part), "{error}");
        assert!(error.to_string().len() < 2_000, "the message is bounded");
    }
    assert!(FsPath::parse(&format!("/{}", "é".repeat(127))).is_ok());
    assert!(FsPath::parse(&format!("/{}", "é".repeat(128))).is_err());
}

#[test]
fn a_closing_slash_or_dot_means_a_directory() {
    for text in ["/", "/a/", "a/.", "a/..", ".", "..", "./"] {
        assert!(FsPath::parse(text).unwrap().means_directory(), "{text}");
    }
    for text in ["/a", "a/b", "/a/../b", ".a", "a."] {
        assert!(!FsPath::parse(text).unwrap().means_directory(), "{text}");
    }
}

#[test]
fn paths_split_into_directory_and_name() {
    assert_eq!((path::parent("/a/b"), path::file_name("/a/b")), (Some("/a"), Some("b")));
    assert_eq!((path::parent("/a"), path::file_name("/a")), (Some("/"), Some("a")));
    assert_eq!((path::parent("/"), path::file_name("/")), (None, None));
    assert_eq!((path::join("/", "a"), path::join("/a", "b")), ("/a".into(), "/a/b".into()));
    let (dir, name) = FsPath::parse("a/../b/c").unwrap().split_last().unwrap();
    assert_eq!((dir.to_string().as_str(), name.as_str()), ("a/../b/", "c"));
    assert!(FsPath::parse("a/..").unwrap().split_last().is_none());
    assert!(FsPath::parse("/").unwrap().split_last().is_none());
}

/// What `..` and `.` mean, worked out the plain way.
fn reference(text: &str) -> (bool, Vec<String>) {
    let absolute = text.starts_with('/');
    let mut names: Vec<String> = Vec::new();
    for part in text.split('/') {
        let above = names.last().is_some_and(|name| name != "..");
        match part {
            "" | "." => {}
            ".." if above => drop(names.pop()),
            ".." if absolute => {}
            name => names.push(name.to_owned()),
        }
    }
    (absolute, names)
}

fn texts() -> impl Strategy<Value = String> {
    prop_oneof!["[/.ab]{1,24}", "\\PC{1,40}", "(/{0,2}(\\.\\.|\\.|[a-cé]{1,3})){1,12}/{0,2}"]
}

proptest! {
    #[test]
    fn normalising_agrees_with_the_reference(text in texts()) {
        let spelled = normalise(&text).unwrap();
        let (absolute, names) = reference(&text);
        let joined = names.join("/");
        let wanted = match (absolute, joined.as_str()) {
            (false, "") => ".".to_owned(),
            (false, _) => joined,
            (true, _) => format!("/{joined}"),
        };
        prop_assert_eq!(spelled, wanted);
    }

    #[test]
    fn normalising_twice_changes_nothing(text in texts()) {
        let once = normalise(&text).unwrap();
        prop_assert_eq!(normalise(&once).unwrap(), once);
    }

    #[test]
    fn writing_and_parsing_a_path_gives_the_same_path(text in texts()) {
        let path = Path::parse(&text).unwrap();
        prop_assert_eq!(Path::parse(&path.to_string()).unwrap(), path);
    }

    #[test]
    fn a_parsed_path_has_only_names(text in "[/.a\u{0}é]{0,300}") {
        if let Ok(path) = Path::parse(&text) {
            for component in path.components() {
                if let Component::Name(name) = component {
                    prop_assert!(tinyfs::Name::new(name.as_str()).is_ok());
                }
            }
        }
    }
}
