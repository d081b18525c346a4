//! Patterns: what they match, what they capture, in which order.

mod reference;

use std::collections::BTreeSet;
use std::ops::ControlFlow;

use futures::{StreamExt, TryStreamExt};
use proptest::prelude::*;
use tinyfs::glob::{escape, is_pattern};
use tinyfs::{Error, Fs, FsPath, Glob, GlobOptions, Match, MemoryStore};

use crate::tree::tree;

const HIDDEN: GlobOptions = GlobOptions { hidden: true, follow: false };

fn captures(pattern: &str, path: &str) -> Option<Vec<String>> {
    let glob = Glob::parse(pattern).unwrap();
    let found = glob.captures(&FsPath::parse(path).unwrap(), GlobOptions::default());
    if let Some(found) = &found {
        assert_eq!(found.len(), glob.captures_len(), "{pattern} has a fixed number of captures");
    }
    found
}

fn paths(found: &[Match]) -> Vec<&str> {
    found.iter().map(|found| found.path.path.as_str()).collect()
}

async fn globbed(fs: &Fs<MemoryStore>, pattern: &str) -> Vec<String> {
    let found = fs.glob(pattern).await.unwrap();
    paths(&found).into_iter().map(str::to_owned).collect()
}

#[test]
fn each_wildcard_is_a_capture() {
    for (pattern, path, wanted) in [
        ("/*", "/a", Some(vec!["a"])),
        ("/a*a", "/a", None),
        ("/a*a", "/aa", Some(vec![""])),
        ("/*a*", "/banana", Some(vec!["banan", ""])),
        ("/?[a-c][!a-c]", "/xbz", Some(vec!["x", "b", "z"])),
        ("/*.{csv,json}", "/x.csv", Some(vec!["x", "csv"])),
        ("/{a*,b}{,x}", "/a1x", Some(vec!["a1x", ""])),
        ("/{a,ab}{c,bcd}", "/abcd", Some(vec!["a", "bcd"])),
        ("/s/*/*.series", "/s/dock/t.series", Some(vec!["dock", "t"])),
        ("/**/*.csv", "/x.csv", Some(vec!["", "x"])),
        ("/**/*.csv", "/a/b/x.csv", Some(vec!["a/b", "x"])),
        ("/a/**", "/a/b/c", Some(vec!["b/c"])),
        ("/a/**", "/a", None),
        ("/**", "/", None),
        ("/**/b/**", "/a/b/c/b/d", Some(vec!["a/b/c", "d"])),
        ("/**/**/x", "/a/b/x", Some(vec!["a/b", ""])),
        ("/**/**", "/a/b", Some(vec!["a", "b"])),
        ("/\\*\\?", "/*?", Some(vec![])),
        ("/\\*\\?", "/ab", None),
        ("/[]a]", "/]", Some(vec!["]"])),
        ("/[a-]", "/-", Some(vec!["-"])),
        ("/[\\]\\-]", "/-", Some(vec!["-"])),
        ("/[^é]*", "/日本", Some(vec!["日", "本"])),
        ("/?", "/é", Some(vec!["é"])),
        ("/*", "/a\nb", Some(vec!["a\nb"])),
        ("/a,b}]", "/a,b}]", Some(vec![])),
        ("/.*", "/.x", Some(vec!["x"])),
        ("/../a/*", "/a/x", Some(vec!["x"])),
        ("/", "/", Some(vec![])),
        ("a/*", "/a/x", Some(vec!["x"])),
    ] {
        let wanted = wanted.map(|texts| texts.into_iter().map(str::to_owned).collect());
        assert_eq!(captures(pattern, path), wanted, "{pattern} on {path}");
    }
}

#[test]
fn hidden_names_match_where_the_pattern_begins_with_a_dot() {
    for (pattern, path, wanted) in [
        ("/*", "/.x", false),
        ("/?x", "/.x", false),
        ("/[.]x", "/.x", false),
        ("/*.txt", "/.txt", false),
        ("/.*", "/.x", true),
        ("/\\.x*", "/.xy", true),
        ("/.x", "/.x", true),
        ("/{.x,y}", "/.x", true),
        ("/{*,.x}z", "/.xz", true),
        ("/{*,.x}z", "/.yz", false),
        ("/{,a}.x*", "/.xy", true),
        ("/{,*}{.x,y}", "/.x", true),
        ("/**/x", "/.a/x", false),
        ("/**/.a/x", "/b/.a/x", true),
        ("/a/**", "/a/.b", false),
        ("/**/.b", "/a/.b", true),
    ] {
        assert_eq!(captures(pattern, path).is_some(), wanted, "{pattern} on {path}");
        let glob = Glob::parse(pattern).unwrap();
        let path = FsPath::parse(path).unwrap();
        assert!(glob.captures(&path, HIDDEN).is_some(), "{pattern} with hidden names");
    }
}

#[test]
fn what_is_not_a_pattern_is_refused_with_a_reason() {
    let deep = format!("/{}a{}", "{".repeat(9), "}".repeat(9));
    let wide = format!("/{{{}}}", vec!["[!é]*?"; 450].join(","));
    for (pattern, reason) in [
        ("", "empty"),
        ("/a**", "`**` stands alone"),
        ("/***", "`**` stands alone"),
        ("/{**}", "`**` stands alone"),
        ("/[a", "`[` has no `]`"),
        ("/[]", "`[` has no `]`"),
        ("/[a/b]", "`[` has no `]`"),
        ("/{a,b", "`{` has no `}`"),
        ("/{a/b}", "`{` has no `}`"),
        ("/a\\", "no character after"),
        ("/a\\/b", "no character after"),
        ("/[z-a]", "`z-a` is empty"),
        ("/*/../a", "`..` can not come after a wildcard"),
        ("/a\0", "NUL"),
        (&format!("/{}", "x".repeat(256)), "255 bytes"),
        (&"/a".repeat(200), "more than 128 components"),
        (&format!("/{}", "*?".repeat(3_000)), "more than 4096 bytes"),
        (&deep, "deep"),
        (&wide, "bytes compiled"),
    ] {
        match Glob::parse(pattern) {
            Err(error @ Error::BadPattern { .. }) => {
                assert!(error.to_string().contains(reason), "{error}");
            }
            other => panic!("{pattern} gave {other:?}"),
        }
    }
}

#[test]
fn an_escaped_text_matches_itself_alone() {
    for text in ["/a*b", "/[x]{y,z}?", "/\\", "/é,", "/plain"] {
        let glob = Glob::parse(&escape(text)).unwrap();
        assert!(glob.is_literal());
        assert_eq!(captures(&escape(text), text), Some(vec![]), "{text}");
        assert_eq!(is_pattern(text), text != "/plain");
    }
}

#[tokio::test]
async fn matches_come_in_the_order_of_the_bytes_of_their_paths() {
    let fs = tree(&["a/x", "a-b/x", "a.x", "a0/x", "b", "é/x", "a/y/z"]).await;
    let all = globbed(&fs, "/**").await;
    let mut sorted = all.clone();
    sorted.sort_unstable();
    assert_eq!(all, sorted);
    assert_eq!(all.len(), 12);
    assert_eq!(
        globbed(&fs, "/{a,a-b,a0}/*").await,
        ["/a-b/x", "/a/x", "/a/y", "/a0/x"],
        "`/a-b/x` comes before `/a/x`"
    );
}

#[tokio::test]
async fn a_path_is_matched_once_however_many_ways_lead_to_it() {
    let fs = tree(&["a/a/a/a"]).await;
    assert_eq!(globbed(&fs, "/**/a/**/a/**").await, ["/a/a/a", "/a/a/a/a"]);
    assert_eq!(globbed(&fs, "/**/**/**/a").await.len(), 4);
}

#[tokio::test]
async fn patterns_without_wildcards_find_at_most_one() {
    let fs = tree(&["a/b"]).await;
    assert_eq!(globbed(&fs, "/a/b").await, ["/a/b"]);
    assert_eq!(globbed(&fs, "a/./b").await, ["/a/b"]);
    assert_eq!(globbed(&fs, "/a/../a/b").await, ["/a/b"]);
    assert_eq!(globbed(&fs, "/").await, ["/"]);
    assert_eq!(globbed(&fs, "/a/b/c").await, [""; 0]);
    assert_eq!(globbed(&fs, "/missing/../a").await, [""; 0]);
    assert_eq!(globbed(&fs, "/a/b/").await, [""; 0], "a closing slash wants a directory");
    assert_eq!(globbed(&fs, "/*/").await, ["/a"]);
}

#[tokio::test]
async fn links_that_lead_nowhere_are_listed_as_themselves() {
    let fs = tree(&["a/file", "dangling -> nowhere", "circle -> circle", "ok -> a"]).await;
    let found = fs.glob("/*").await.unwrap();
    assert_eq!(paths(&found), ["/a", "/circle", "/dangling", "/ok"]);
    for link in &found[1..] {
        assert!(link.path.node.entry_type.is_symlink(), "{link:?}");
    }
    let follow = GlobOptions { follow: true, ..GlobOptions::default() };
    let glob = Glob::parse("/*").unwrap();
    let found: Vec<Match> = fs.matches(glob, follow).into_stream().try_collect().await.unwrap();
    let types = found.iter().map(|found| found.path.node.entry_type.as_str());
    assert_eq!(types.collect::<Vec<_>>(), ["directory", "symlink", "symlink", "directory"]);
    assert_eq!(globbed(&fs, "/*/").await, ["/a", "/ok"]);
}

#[tokio::test]
async fn components_follow_links_and_double_stars_do_not() {
    let fs = tree(&["a/x/file", "link -> a", "a/up -> ..", "b/rel -> ../a/x"]).await;
    assert_eq!(globbed(&fs, "/*/x/file").await, ["/a/x/file", "/link/x/file"]);
    assert_eq!(globbed(&fs, "/**/file").await, ["/a/x/file"]);
    assert_eq!(globbed(&fs, "/b/rel/*").await, ["/b/rel/file"]);
    assert_eq!(globbed(&fs, "/link/up/*/rel/*").await, ["/link/up/b/rel/file"]);
    assert_eq!(globbed(&fs, "/link/../*/x").await, ["/a/x", "/link/x"]);
    let found = fs.glob("/**/*/**/*").await.unwrap();
    let through = found.iter().find(|found| found.path.path == "/link/x/file").unwrap();
    assert_eq!(through.captures, ["", "link", "x", "file"], "`**` does not take the link");
}

#[tokio::test]
async fn a_visitor_ends_the_visit_when_it_has_enough() {
    let fs = tree(&["a/1", "a/2", "a/3", "b/1"]).await;
    let mut seen = Vec::new();
    let mut visitor = |found: Match| {
        seen.push(found.path.path);
        Ok(if seen.len() == 2 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) })
    };
    fs.visit("/*/*", GlobOptions::default(), &mut visitor).await.unwrap();
    assert_eq!(seen, ["/a/1", "/a/2"]);
}

#[tokio::test]
async fn only_directories_that_can_match_are_read() {
    let fs = tree(&["a/b/c/file", "x/y/z/file"]).await;
    let counting = crate::counting::Counting::new(fs.store().clone());
    let fs = Fs::new(counting.clone());
    assert_eq!(fs.glob("/a/b/c/file").await.unwrap().len(), 1);
    assert_eq!(counting.listings(), 0, "names are looked up");
    assert_eq!(fs.glob("/a/*/c/file").await.unwrap().len(), 1);
    assert_eq!(counting.listings(), 1, "only where the wildcard is");
    assert_eq!(fs.glob("/a/**").await.unwrap().len(), 3);
    assert_eq!(counting.listings(), 1 + 3, "nothing beside `/a`");
}

#[tokio::test]
async fn below_a_directory_is_everything_in_it() {
    let fs = tree(&["a*/.hidden/x", "a*/link -> /", "b", "to -> a*"]).await;
    let found = fs.below("/to").await.unwrap().into_stream();
    let found: Vec<Match> = found.try_collect().await.unwrap();
    assert_eq!(paths(&found), ["/a*/.hidden", "/a*/.hidden/x", "/a*/link"]);
    assert_eq!(found[1].captures, [".hidden/x"]);
    assert!(matches!(fs.below("/b").await, Err(Error::NotADirectory { .. })));
    assert_eq!(fs.below("/").await.unwrap().into_stream().count().await, 6);
}

#[tokio::test]
async fn a_glob_from_a_working_directory_takes_its_path_literally() {
    let fs = tree(&["[a]*/x", "[a]*/y", "a/x"]).await;
    let dir = fs.working_dir("/[a]*").await.unwrap();
    assert_eq!(paths(&dir.glob("*").await.unwrap()), ["/[a]*/x", "/[a]*/y"]);
    assert_eq!(paths(&dir.glob("../a/*").await.unwrap()), ["/a/x"]);
    assert_eq!(paths(&dir.glob("/a").await.unwrap()), ["/a"]);
}

fn names() -> impl Strategy<Value = String> {
    "[.]{0,1}[ab*é]{1,4}"
}

fn components() -> impl Strategy<Value = String> {
    prop_oneof![
        3 => "[.]{0,1}([ab*?é]|\\[[!]?[a-b.]{1,2}\\]|\\{[ab]{0,2}(,[ab*?.]{0,2}){0,2}\\}|\\\\[*ab]){1,4}"
            .prop_filter("`**` stands alone", |text| !text.contains("**")),
        1 => Just("**".to_owned()),
    ]
}

fn patterns() -> impl Strategy<Value = String> {
    prop::collection::vec(components(), 1..5).prop_map(|parts| format!("/{}", parts.join("/")))
}

fn deep_paths() -> impl Strategy<Value = String> {
    prop::collection::vec(names(), 0..5).prop_map(|parts| format!("/{}", parts.join("/")))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(500))]

    #[test]
    fn matching_agrees_with_backtracking(pattern in patterns(), path in deep_paths()) {
        let glob = Glob::parse(&pattern).unwrap();
        let parsed = FsPath::parse(&path).unwrap();
        for options in [GlobOptions::default(), HIDDEN] {
            let found = glob.captures(&parsed, options);
            let wanted = reference::matches(&pattern, &path, options.hidden);
            prop_assert_eq!(found.is_some(), wanted, "{} on {}", pattern, path);
        }
    }

    #[test]
    fn matching_agrees_with_globset(pattern in patterns(), path in deep_paths()) {
        // To globset `?` is a byte, and hidden names are no matter.
        let (pattern, path) = (pattern.replace('é', "e"), path.replace('é', "e"));
        prop_assume!(path != "/");
        let theirs = globset::GlobBuilder::new(&pattern)
            .literal_separator(true)
            .empty_alternates(true)
            .backslash_escape(true)
            .build();
        prop_assume!(theirs.is_ok());
        let theirs = theirs.unwrap().compile_matcher().is_match(&path);
        let found = Glob::parse(&pattern).unwrap().captures(&FsPath::parse(&path).unwrap(), HIDDEN);
        prop_assert_eq!(found.is_some(), theirs, "{} on {}", pattern, path);
    }

    #[test]
    fn captures_put_in_place_of_the_wildcards_give_the_path(
        path in deep_paths(),
        stars in prop::collection::vec(any::<bool>(), 5),
    ) {
        let names = path.split('/').filter(|name| !name.is_empty());
        let parts: Vec<String> = names
            .zip(&stars)
            .map(|(name, star)| if *star { "*".to_owned() } else { escape(name) })
            .collect();
        let glob = Glob::parse(&format!("/{}", parts.join("/"))).unwrap();
        let mut captures =
            glob.captures(&FsPath::parse(&path).unwrap(), HIDDEN).unwrap().into_iter();
        let rebuilt: Vec<String> = parts
            .iter()
            .map(|part| if part == "*" { captures.next().unwrap() } else { part.replace('\\', "") })
            .collect();
        prop_assert_eq!(format!("/{}", rebuilt.join("/")), path);
    }

    #[test]
    fn any_text_is_a_pattern_or_an_error(pattern in "[/*?\\[\\]{},!^.ab\\\\-]{0,40}") {
        if let Ok(glob) = Glob::parse(&pattern) {
            let _ = glob.captures(&FsPath::parse("/a/b").unwrap(), HIDDEN);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]

    #[test]
    fn a_search_finds_what_matching_every_path_finds(
        pattern in patterns(),
        paths in prop::collection::vec(deep_paths(), 1..12),
        hidden: bool,
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(async {
            let fs = Fs::new(std::sync::Arc::new(MemoryStore::new()));
            let mut all = BTreeSet::from(["/".to_owned()]);
            for path in &paths {
                fs.create_dir_all(path).await.unwrap();
                let steps = path.split('/').filter(|name| !name.is_empty());
                let mut way = String::new();
                for name in steps {
                    way = format!("{way}/{name}");
                    all.insert(way.clone());
                }
            }
            let options = GlobOptions { hidden, follow: false };
            let glob = Glob::parse(&pattern).unwrap();
            let wanted: Vec<(String, Vec<String>)> = all
                .into_iter()
                .filter_map(|path| {
                    let captures = glob.captures(&FsPath::parse(&path).unwrap(), options)?;
                    Some((path, captures))
                })
                .collect();
            let found = fs.matches(glob, options).into_stream();
            let found: Vec<Match> = found.try_collect().await.unwrap();
            let found: Vec<_> = found.into_iter().map(|f| (f.path.path, f.captures)).collect();
            prop_assert_eq!(found, wanted);
            Ok(())
        })?;
    }
}
