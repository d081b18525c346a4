//! What a disk holds, and what of it a power cut may leave.
//!
//! Always true: bytes of a file are safe once the file was synced, names once
//! their directory was; what is not safe may be there, or not, each on its own
//! and whatever was done after it. Only a rename is one step: a file that
//! moves is never without any name.

use std::collections::{BTreeMap, HashMap};
use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};

use super::Survival;
use super::tree::Tree;
use crate::Dice;

#[derive(Debug)]
enum Node {
    File(FileNode),
    Dir(DirNode),
}

#[derive(Debug, Default)]
struct FileNode {
    live: Vec<u8>,
    safe: Vec<u8>,
    /// Writes since the last sync.
    unsafe_writes: Vec<(usize, Vec<u8>)>,
    /// A sync failed: what was not safe then never will be.
    lost: bool,
}

#[derive(Debug, Default)]
struct DirNode {
    live: BTreeMap<OsString, usize>,
    safe: BTreeMap<OsString, usize>,
    unsafe_changes: Vec<Change>,
}

/// A change of names in one directory.
#[derive(Clone, Debug, Default)]
struct Change {
    set: Option<(OsString, usize)>,
    unset: Option<OsString>,
    /// The move between directories that this is one half of.
    movement: Option<usize>,
}

impl Change {
    fn apply(&self, names: &mut BTreeMap<OsString, usize>) {
        if let Some(name) = &self.unset {
            names.remove(name);
        }
        if let Some((name, id)) = &self.set {
            names.insert(name.clone(), *id);
        }
    }
}

/// A disk. Operations on what it does not know change nothing.
#[derive(Debug)]
pub(super) struct Model {
    nodes: Vec<Node>,
    movements: usize,
}

const ROOT: usize = 0;

impl Model {
    /// A disk on which all of this is safe.
    pub(super) fn of(tree: &Tree) -> Self {
        let mut model = Self { nodes: vec![Node::Dir(DirNode::default())], movements: 0 };
        for (path, bytes) in &tree.0 {
            let node = match bytes {
                None => Node::Dir(DirNode::default()),
                Some(bytes) => Node::File(FileNode {
                    live: bytes.clone(),
                    safe: bytes.clone(),
                    ..FileNode::default()
                }),
            };
            let id = model.add(node);
            let (dir, name) = model.place(path).unwrap();
            let dir = model.dir(dir);
            dir.live.insert(name.clone(), id);
            dir.safe.insert(name, id);
        }
        model
    }

    fn add(&mut self, node: Node) -> usize {
        self.nodes.push(node);
        self.nodes.len() - 1
    }

    fn dir(&mut self, id: usize) -> &mut DirNode {
        match &mut self.nodes[id] {
            Node::Dir(dir) => dir,
            Node::File(_) => panic!("a file is no directory"),
        }
    }

    fn find(&self, path: &Path) -> Option<usize> {
        let mut at = ROOT;
        for name in path.components() {
            let Node::Dir(dir) = &self.nodes[at] else { return None };
            at = *dir.live.get(name.as_os_str())?;
        }
        Some(at)
    }

    fn find_file(&mut self, path: &Path) -> Option<&mut FileNode> {
        let id = self.find(path)?;
        match &mut self.nodes[id] {
            Node::File(file) => Some(file),
            Node::Dir(_) => None,
        }
    }

    /// The directory of a path, and its name there.
    fn place(&self, path: &Path) -> Option<(usize, OsString)> {
        let dir = self.find(path.parent()?)?;
        Some((dir, path.file_name().map(OsStr::to_owned)?))
    }

    fn change(&mut self, dir: usize, change: Change) {
        let dir = self.dir(dir);
        change.apply(&mut dir.live);
        dir.unsafe_changes.push(change);
    }

    fn make(&mut self, path: &Path, node: Node) {
        let Some((dir, name)) = self.place(path) else { return };
        let id = self.add(node);
        self.change(dir, Change { set: Some((name, id)), ..Change::default() });
    }

    pub(super) fn create(&mut self, path: &Path) {
        self.make(path, Node::File(FileNode::default()));
    }

    pub(super) fn create_dir(&mut self, path: &Path) {
        self.make(path, Node::Dir(DirNode::default()));
    }

    pub(super) fn write(&mut self, path: &Path, offset: u64, bytes: &[u8]) {
        let Some(file) = self.find_file(path) else { return };
        let offset = usize::try_from(offset).unwrap();
        put(&mut file.live, offset, bytes);
        file.unsafe_writes.push((offset, bytes.to_owned()));
    }

    pub(super) fn sync_file(&mut self, path: &Path) {
        let Some(file) = self.find_file(path) else { return };
        if !file.lost {
            file.safe.clone_from(&file.live);
            file.unsafe_writes.clear();
        }
    }

    pub(super) fn fail_sync(&mut self, path: &Path) {
        if let Some(file) = self.find_file(path) {
            file.lost = true;
        }
    }

    pub(super) fn link(&mut self, from: &Path, to: &Path) {
        let (Some(id), Some((dir, name))) = (self.find(from), self.place(to)) else { return };
        self.change(dir, Change { set: Some((name, id)), ..Change::default() });
    }

    pub(super) fn rename(&mut self, from: &Path, to: &Path) {
        let (Some(id), Some((source, old)), Some((target, new))) =
            (self.find(from), self.place(from), self.place(to))
        else {
            return;
        };
        if source == target {
            let change = Change { set: Some((new, id)), unset: Some(old), movement: None };
            return self.change(source, change);
        }
        let movement = Some(self.movements);
        self.movements += 1;
        self.change(target, Change { set: Some((new, id)), unset: None, movement });
        self.change(source, Change { set: None, unset: Some(old), movement });
    }

    pub(super) fn unlink(&mut self, path: &Path) {
        let Some((dir, name)) = self.place(path) else { return };
        self.change(dir, Change { unset: Some(name), ..Change::default() });
    }

    pub(super) fn sync_dir(&mut self, path: &Path) {
        let Some(id) = self.find(path) else { return };
        if !matches!(self.nodes[id], Node::Dir(_)) {
            return;
        }
        let dir = self.dir(id);
        let changes = std::mem::take(&mut dir.unsafe_changes);
        dir.safe = dir.live.clone();
        let left: Vec<_> = changes
            .iter()
            .filter(|change| change.unset.is_some())
            .filter_map(|change| change.movement)
            .collect();
        // A file that has left has arrived.
        for node in &mut self.nodes {
            let Node::Dir(dir) = node else { continue };
            let (arrived, still): (Vec<_>, Vec<_>) =
                std::mem::take(&mut dir.unsafe_changes).into_iter().partition(|change| {
                    change.set.is_some() && change.movement.is_some_and(|m| left.contains(&m))
                });
            dir.unsafe_changes = still;
            for change in arrived {
                change.apply(&mut dir.safe);
            }
        }
    }

    /// All of it, as who reads it now sees it.
    pub(super) fn live(&self) -> Tree {
        self.tree(Survival::Everything)
    }

    /// What a power cut may leave.
    pub(super) fn tree(&self, survival: Survival) -> Tree {
        let mut dice = Dice::new(match survival {
            Survival::Seeded(seed) => seed,
            _ => 0,
        });
        let mut survives = || match survival {
            Survival::Synced => false,
            Survival::NamesWithoutBytes | Survival::Everything => true,
            Survival::Seeded(_) => dice.flip(),
        };
        // Movements whose file has arrived for certain are not among these.
        let mut arriving = HashMap::new();
        for node in &self.nodes {
            let Node::Dir(dir) = node else { continue };
            let sets = dir.unsafe_changes.iter().filter(|change| change.set.is_some());
            for movement in sets.filter_map(|change| change.movement) {
                arriving.insert(movement, survives());
            }
        }
        let mut names = HashMap::new();
        for (id, node) in self.nodes.iter().enumerate() {
            let Node::Dir(dir) = node else { continue };
            let mut left = dir.safe.clone();
            for change in &dir.unsafe_changes {
                let arrives = change.movement.and_then(|movement| arriving.get(&movement).copied());
                let happens = match (arrives, change.set.is_some()) {
                    (Some(arrives), true) => arrives,
                    (Some(false), false) => false,
                    _ => survives(),
                };
                if happens {
                    change.apply(&mut left);
                }
            }
            names.insert(id, left);
        }
        let mut tree = Tree::default();
        let mut left = vec![(PathBuf::new(), ROOT)];
        while let Some((path, id)) = left.pop() {
            for (name, child) in &names[&id] {
                let path = path.join(name);
                match &self.nodes[*child] {
                    Node::Dir(_) => {
                        tree.0.insert(path.clone(), None);
                        left.push((path, *child));
                    }
                    Node::File(file) => {
                        let bytes = match survival {
                            Survival::Everything => file.live.clone(),
                            Survival::Synced | Survival::NamesWithoutBytes => file.safe.clone(),
                            Survival::Seeded(seed) => file.after(seed ^ *child as u64),
                        };
                        tree.0.insert(path, Some(bytes));
                    }
                }
            }
        }
        tree
    }
}

impl FileNode {
    /// What is left of the bytes: those that are safe, or some of the writes
    /// since, or room for all of them with nothing in it, or all.
    fn after(&self, seed: u64) -> Vec<u8> {
        let mut dice = Dice::new(seed);
        if self.unsafe_writes.is_empty() {
            return self.safe.clone();
        }
        match dice.below(if self.lost { 2 } else { 4 }) {
            0 => self.safe.clone(),
            1 => {
                let mut bytes = self.safe.clone();
                bytes.resize(self.live.len().max(bytes.len()), 0);
                bytes
            }
            2 => {
                let mut bytes = self.safe.clone();
                let whole = dice.below(self.unsafe_writes.len());
                for (at, written) in &self.unsafe_writes[..whole] {
                    put(&mut bytes, *at, written);
                }
                let (at, torn) = &self.unsafe_writes[whole];
                put(&mut bytes, *at, &torn[..dice.below(torn.len() + 1)]);
                bytes
            }
            _ => self.live.clone(),
        }
    }
}

/// Writes at an offset, as `pwrite` does.
fn put(bytes: &mut Vec<u8>, offset: usize, written: &[u8]) {
    let end = offset + written.len();
    if bytes.len() < end {
        bytes.resize(end, 0);
    }
    bytes[offset..end].copy_from_slice(written);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(tree: &Tree) -> Vec<&str> {
        tree.0.keys().map(|path| path.to_str().unwrap()).collect()
    }

    fn disk() -> Model {
        Model::of(&Tree(BTreeMap::from([("a".into(), None), ("b".into(), None)])))
    }

    #[test]
    fn a_name_is_safe_when_its_directory_was_synced_and_bytes_when_the_file_was() {
        let mut disk = disk();
        disk.create("a/f".as_ref());
        disk.write("a/f".as_ref(), 0, b"bytes");
        assert_eq!(names(&disk.tree(Survival::Synced)), ["a", "b"]);
        disk.sync_dir("a".as_ref());
        assert_eq!(disk.tree(Survival::Synced).0[Path::new("a/f")], Some(vec![]));
        disk.sync_file("a/f".as_ref());
        assert_eq!(disk.tree(Survival::Synced).0[Path::new("a/f")], Some(b"bytes".to_vec()));
    }

    #[test]
    fn a_file_that_moves_is_never_without_a_name() {
        for synced in [None, Some("a"), Some("b")] {
            let mut disk = disk();
            disk.create("a/f".as_ref());
            disk.sync_dir("a".as_ref());
            disk.rename("a/f".as_ref(), "b/f".as_ref());
            if let Some(dir) = synced {
                disk.sync_dir(dir.as_ref());
            }
            for seed in 0..40 {
                let left = disk.tree(Survival::Seeded(seed));
                let has = |path: &str| left.0.contains_key(Path::new(path));
                assert!(has("a/f") || has("b/f"), "{left:?}");
                assert!(synced.is_none() || has("b/f"), "{left:?}");
                assert!(synced != Some("a") || !has("a/f"), "{left:?}");
            }
        }
    }

    #[test]
    fn bytes_whose_sync_failed_are_lost_whatever_is_synced_later() {
        let mut disk = disk();
        disk.create("a/f".as_ref());
        disk.write("a/f".as_ref(), 0, b"bytes");
        disk.fail_sync("a/f".as_ref());
        disk.sync_file("a/f".as_ref());
        disk.sync_dir("a".as_ref());
        assert_eq!(disk.tree(Survival::Synced).0[Path::new("a/f")], Some(vec![]));
        assert_eq!(disk.live().0[Path::new("a/f")], Some(b"bytes".to_vec()));
    }

    #[test]
    fn seeds_give_every_combination_of_unsynced_names() {
        let mut disk = disk();
        disk.create("a/f".as_ref());
        disk.create("a/g".as_ref());
        let mut seen: Vec<_> =
            (0..64).map(|seed| names(&disk.tree(Survival::Seeded(seed))).join(" ")).collect();
        seen.sort();
        seen.dedup();
        assert_eq!(seen, ["a a/f a/g b", "a a/f b", "a a/g b", "a b"]);
    }
}
