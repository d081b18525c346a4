//! What lies below a directory, as a value.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

/// Directories (`None`) and files with their bytes, by path below the root.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tree(pub BTreeMap<PathBuf, Option<Vec<u8>>>);

impl Tree {
    /// Reads what lies below `root`.
    #[must_use]
    pub fn read(root: &Path) -> Self {
        let mut tree = Self::default();
        let mut left = vec![root.to_owned()];
        while let Some(dir) = left.pop() {
            for entry in fs::read_dir(&dir).unwrap() {
                let path = entry.unwrap().path();
                let below = path.strip_prefix(root).unwrap().to_owned();
                if path.is_dir() {
                    tree.0.insert(below, None);
                    left.push(path);
                } else {
                    tree.0.insert(below, Some(fs::read(&path).unwrap()));
                }
            }
        }
        tree
    }

    /// Makes all of it below `root`, which exists and has none of it.
    pub fn write(&self, root: &Path) {
        // A directory comes before what is in it.
        for (path, bytes) in &self.0 {
            let path = root.join(path);
            match bytes {
                None => fs::create_dir(path).unwrap(),
                Some(bytes) => fs::write(path, bytes).unwrap(),
            }
        }
    }
}
