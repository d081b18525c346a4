//! A file system that is a map from paths, written to be obvious.

use std::collections::{BTreeMap, VecDeque};

use tinyfs::contract::Picture;
use tinyfs::{ContentHash, EntryType};

/// What became of a change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    Done,
    NotFound,
    NotADirectory,
    NotAFile,
    LinkLoop,
    AlreadyExists,
    NotEmpty,
    IntoItself,
}

type Changed<T = ()> = Result<T, Outcome>;

#[derive(Clone, Debug, PartialEq)]
enum Thing {
    Dir,
    File(Vec<ContentHash>),
    Link(String),
}

#[derive(Clone, Debug, PartialEq)]
pub(super) struct Plain(BTreeMap<String, Thing>);

impl Plain {
    pub(super) fn new() -> Self {
        // The root is the empty path here, so that parents are prefixes.
        Self(BTreeMap::from([(String::new(), Thing::Dir)]))
    }

    pub(super) fn of(picture: &Picture) -> Self {
        let things = picture.nodes.iter().map(|(path, node)| {
            let thing = match node.entry_type {
                EntryType::Directory => Thing::Dir,
                EntryType::Symlink => Thing::Link(node.target.clone().unwrap()),
                _ => Thing::File(node.versions.iter().map(|version| version.hash).collect()),
            };
            (path.trim_end_matches('/').to_owned(), thing)
        });
        Self(things.collect())
    }

    fn walk(&self, path: &str) -> Changed<String> {
        let mut here = String::new();
        let mut left: VecDeque<String> = path.split('/').map(str::to_owned).collect();
        let mut wants_dir = path.ends_with('/');
        let mut links = 0;
        while let Some(step) = left.pop_front() {
            let last = left.iter().all(String::is_empty);
            match step.as_str() {
                "" => continue,
                ".." => {
                    here.truncate(here.rfind('/').unwrap_or(0));
                    continue;
                }
                name => here = format!("{here}/{name}"),
            }
            match self.0.get(&here) {
                None => return Err(Outcome::NotFound),
                Some(Thing::Dir) => {}
                Some(Thing::File(_)) if last && !wants_dir => return Ok(here),
                Some(Thing::File(_)) => return Err(Outcome::NotADirectory),
                Some(Thing::Link(target)) => {
                    links += 1;
                    if links > 40 {
                        return Err(Outcome::LinkLoop);
                    }
                    here.truncate(if target.starts_with('/') {
                        0
                    } else {
                        here.rfind('/').unwrap()
                    });
                    wants_dir |= last && (target.ends_with('/') || target.ends_with(".."));
                    target.split('/').rev().for_each(|step| left.push_front(step.to_owned()));
                }
            }
        }
        Ok(here)
    }

    /// Where a name is to be: its directory followed to where it really is.
    fn place(&self, path: &str) -> Changed<String> {
        let (dir, name) = path.rsplit_once('/').unwrap();
        let dir = self.walk(&format!("{dir}/"))?;
        Ok(format!("{dir}/{name}"))
    }

    fn make(&mut self, path: &str, thing: Thing) -> Changed {
        let place = self.place(path)?;
        if self.0.contains_key(&place) {
            return Err(Outcome::AlreadyExists);
        }
        self.0.insert(place, thing);
        Ok(())
    }

    pub(super) fn create_dir(&mut self, path: &str) -> Changed {
        self.make(path, Thing::Dir)
    }

    pub(super) fn symlink(&mut self, target: &str, path: &str) -> Changed {
        self.make(path, Thing::Link(target.to_owned()))
    }

    pub(super) fn create_dir_all(&mut self, path: &str) -> Changed {
        let ends = path.match_indices('/').map(|(at, _)| at).skip(1).chain([path.len()]);
        for end in ends.collect::<Vec<_>>() {
            let part = &path[..end];
            match self.walk(part) {
                Ok(found) if self.0[&found] == Thing::Dir => {}
                Ok(_) => return Err(Outcome::NotADirectory),
                Err(Outcome::NotFound) => match self.make(part, Thing::Dir) {
                    // A link that dangles: where it leads is not made.
                    Err(Outcome::AlreadyExists) => return Err(Outcome::NotFound),
                    made => made?,
                },
                Err(other) => return Err(other),
            }
        }
        Ok(())
    }

    pub(super) fn write(&mut self, path: &str, byte: u8) -> Changed {
        let hash = ContentHash::of(&[byte]);
        match self.walk(path) {
            Ok(found) => match self.0.get_mut(&found) {
                Some(Thing::File(versions)) => {
                    versions.push(hash);
                    Ok(())
                }
                _ => Err(Outcome::NotAFile),
            },
            Err(Outcome::NotFound) => self.make(path, Thing::File(vec![hash])),
            Err(other) => Err(other),
        }
    }

    /// Paths at and below a place.
    fn below(&self, place: &str) -> Vec<String> {
        let inside = format!("{place}/");
        let paths = self.0.keys().filter(|path| *path == place || path.starts_with(&inside));
        paths.cloned().collect()
    }

    fn existing(&self, path: &str) -> Changed<String> {
        let place = self.place(path)?;
        if self.0.contains_key(&place) { Ok(place) } else { Err(Outcome::NotFound) }
    }

    pub(super) fn remove(&mut self, path: &str) -> Changed {
        let place = self.existing(path)?;
        if self.below(&place).len() > 1 {
            return Err(Outcome::NotEmpty);
        }
        self.0.remove(&place);
        Ok(())
    }

    pub(super) fn remove_all(&mut self, path: &str) -> Changed {
        let place = self.existing(path)?;
        for gone in self.below(&place) {
            self.0.remove(&gone);
        }
        Ok(())
    }

    pub(super) fn rename(&mut self, from: &str, to: &str) -> Changed {
        let from = self.existing(from)?;
        let to = self.place(to)?;
        if self.0[&from] == Thing::Dir && to.starts_with(&format!("{from}/")) {
            return Err(Outcome::IntoItself);
        }
        if self.0.contains_key(&to) {
            return Err(Outcome::AlreadyExists);
        }
        for path in self.below(&from) {
            let thing = self.0.remove(&path).unwrap();
            self.0.insert(format!("{to}{}", &path[from.len()..]), thing);
        }
        Ok(())
    }
}
