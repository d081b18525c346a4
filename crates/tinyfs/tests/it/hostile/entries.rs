//! What no path and no pattern may break. The tests give these functions
//! changed samples, the fuzz targets anything at all.

use tinyfs::glob::escape;
use tinyfs::{FsPath, Glob, GlobOptions, path};

/// Patterns and paths, divided by a line break.
pub(crate) const GLOBS: &[&str] = &[
    "/a*a\n/a",
    "/**/x\n/a/b/x",
    "/**/**/*?*\n/a/b/c",
    "/{a,b*}/[!a-z]/\\*\n/b1/Z/*",
    "/[\u{e9}-\u{fc}]*.series\n/\u{ea}.series",
    "/**\n/.a/.b",
    "a/../b\n/b",
    "/[]a]\n/]",
];

/// Paths.
pub(crate) const PATHS: &[&str] =
    &["/", ".", "/a/./b//c/", "../../x", "/..", "a/..", "/\u{fc}\u{301}/..a", "/.../a. "];

/// A pattern matches with as many captures as it has wildcards, and a path
/// that is escaped matches itself.
pub(crate) fn glob(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let (pattern, text) = text.split_once('\n').unwrap_or((text, "/a/b"));
    let Ok(path) = FsPath::parse(text) else { return };
    if let Ok(glob) = Glob::parse(pattern) {
        for hidden in [false, true] {
            let options = GlobOptions { hidden, follow: false };
            if let Some(captures) = glob.captures(&path, options) {
                assert_eq!(captures.len(), glob.captures_len(), "{pattern:?} on {text:?}");
            }
        }
    }
    let plain = path.lexical().to_string();
    if plain.starts_with('/')
        && let Ok(same) = Glob::parse(&escape(&plain))
    {
        assert!(same.is_literal(), "{plain:?}");
        let options = GlobOptions { hidden: true, follow: false };
        assert_eq!(same.captures(&path, options), Some(Vec::new()), "{plain:?}");
    }
}

/// A path has one normal spelling, and its parts make it again.
pub(crate) fn path(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let Ok(parsed) = FsPath::parse(text) else {
        assert!(path::normalise(text).is_err(), "{text:?}");
        return;
    };
    let again = FsPath::parse(&parsed.to_string()).expect("what is shown is a path");
    assert_eq!(again.components(), parsed.components(), "{text:?}");
    let normal = path::normalise(text).expect("a path has a normal spelling");
    let twice = path::normalise(&normal).expect("a normal spelling is a path");
    assert_eq!(twice, normal, "{text:?}");
    if parsed.is_absolute() {
        assert!(!normal.split('/').any(|part| part == ".." || part == "."), "{text:?}");
        if let (Some(parent), Some(name)) = (path::parent(&normal), path::file_name(&normal)) {
            assert_eq!(path::join(parent, name), normal);
        }
    }
}
