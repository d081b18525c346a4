//! Trees to test on, from a list of paths.

use std::sync::Arc;

use tinyfs::{Fs, MemoryStore, path};

/// A file system with these files, each holding its own path; `a -> b` is a
/// symlink `a` to `b`, and a path that ends in `/` a directory. Directories on
/// the way are made.
pub(crate) async fn tree(paths: &[&str]) -> Fs<MemoryStore> {
    let fs = Fs::new(Arc::new(MemoryStore::new()));
    for line in paths {
        let (at, target) = match line.split_once(" -> ") {
            Some((at, target)) => (at, Some(target)),
            None => (*line, None),
        };
        let at = path::join("/", at);
        if at.ends_with('/') {
            fs.create_dir_all(&at).await.unwrap();
            continue;
        }
        fs.create_dir_all(path::parent(&at).unwrap()).await.unwrap();
        match target {
            Some(target) => drop(fs.symlink(target, &at).await.unwrap()),
            None => drop(fs.write(&at, &at).await.unwrap()),
        }
    }
    fs
}
