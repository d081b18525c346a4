//! What can be changed where the store takes changes.
//!
//! Content is streamed into the store first and named afterwards, so a name and
//! its first content appear together.

use super::reading::file;
use super::resolve::{Last, Position, Walk, Walked};
use super::{Fs, NodePath};
use crate::path::{self, FsPath, ROOT};
use crate::{
    Attributes, ContentWriter, Entry, EntryType, Error, Name, NewNode, NewVersion, Node, NodeId,
    Result, WriteStore,
};

/// What a path that is to be written leads to.
#[derive(Clone, Debug, PartialEq)]
#[expect(clippy::large_enum_variant, reason = "made once for a write, and taken apart at once")]
pub enum Target {
    /// Something that is there, symlinks followed.
    Existing(NodePath),
    /// Nothing: a name that its directory does not have.
    New {
        /// The path of the directory.
        dir: String,
        /// The name.
        name: Name,
    },
}

/// What [`Fs::configure`] did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Configured {
    /// There was nothing, or something that another factory computes.
    Created,
    /// The node has its next configuration, or other attributes.
    Updated,
    /// The node was so already.
    Unchanged,
}

/// A place for a name: a directory, and the name in it.
struct Place {
    dir: Position,
    name: Name,
}

impl Place {
    fn path(&self) -> String {
        path::join(&self.dir.path(), self.name.as_str())
    }

    fn not_found(&self) -> Error {
        Error::NotFound { path: self.path(), deepest: self.dir.path() }
    }

    /// Refuses a change to the names in a directory that a factory computes.
    fn check_stored(&self) -> Result<()> {
        let actual = self.dir.entry_type();
        if actual.is_dynamic() {
            return Err(Error::Computed { path: self.dir.path(), actual });
        }
        Ok(())
    }

    /// A store's error about this name, told as one about its path.
    fn explain(&self, error: Error) -> Error {
        match error {
            Error::NameTaken { .. } => Error::AlreadyExists { path: self.path() },
            Error::NoSuchName { .. } => self.not_found(),
            Error::DirectoryNotEmpty { .. } => Error::NotEmpty { path: self.path() },
            other => other,
        }
    }
}

impl<S: WriteStore + ?Sized> Fs<S> {
    /// Where a write to `path` would go; fails where the write would, before
    /// any content is sent.
    ///
    /// # Errors
    /// As [`Fs::resolve`], but for a missing last name;
    /// [`Error::AlreadyExists`] for a dangling symlink, through which nothing
    /// is written.
    pub async fn target(&self, path: &str) -> Result<Target> {
        match self.resolve(path).await {
            Ok(found) => return Ok(Target::Existing(found)),
            Err(Error::NotFound { .. }) => {}
            Err(error) => return Err(error),
        }
        let place = self.new_place(path).await?;
        match self.entry(&place).await? {
            Some(_) => Err(Error::AlreadyExists { path: place.path() }),
            None => Ok(Target::New { dir: place.dir.path(), name: place.name }),
        }
    }

    /// A stream for content that a version will then name.
    ///
    /// # Errors
    /// The store's.
    pub async fn writer(&self) -> Result<Box<dyn ContentWriter>> {
        self.store.writer().await
    }

    /// Makes an empty directory.
    ///
    /// # Errors
    /// As [`Fs::resolve`] for the directory it is to be in;
    /// [`Error::AlreadyExists`].
    pub async fn create_dir(&self, path: &str) -> Result<NodePath> {
        let place = self.place(path).await?;
        self.create(&place, NewNode::Directory).await
    }

    /// Makes a directory and all that are missing on the way to it; no error
    /// when it is there already.
    ///
    /// # Errors
    /// [`Error::NotADirectory`] for something else on the way or at its end;
    /// [`Error::NotFound`] where a symlink on the way dangles.
    pub async fn create_dir_all(&self, path: &str) -> Result<NodePath> {
        let parsed = FsPath::parse(path)?;
        let mut walk = Walk::new(self, &parsed, Last::Follow);
        loop {
            match walk.run().await? {
                Some(Walked::Directory(dir)) => {
                    return Ok(NodePath {
                        path: dir.path(),
                        node: self.store.node(dir.id()).await?,
                    });
                }
                Some(Walked::Leaf { dir, entry }) => {
                    let path = path::join(&dir.path(), entry.name.as_str());
                    return Err(Error::NotADirectory { path, actual: entry.entry_type });
                }
                None => self.fill(&walk).await?,
            }
        }
    }

    /// Makes the directory that a walk misses, for the walk to go on.
    async fn fill(&self, walk: &Walk<'_, S>) -> Result<()> {
        let Some((dir, name)) = walk.missing() else { return Err(walk.not_found()) };
        let place = Place { dir: dir.clone(), name };
        match self.create_id(&place, NewNode::Directory).await {
            // Another task made it in between, which is as good.
            Ok(_) | Err(Error::AlreadyExists { .. }) => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// Makes a file with its first version. `entry_type` is one of the stored
    /// file types.
    ///
    /// # Errors
    /// As [`Fs::create_dir`]; [`Error::NotAFile`] for another entry type.
    pub async fn create_file(
        &self,
        path: &str,
        entry_type: EntryType,
        attributes: Attributes,
        version: NewVersion,
    ) -> Result<NodePath> {
        let place = self.new_place(path).await?;
        if !entry_type.is_file() || entry_type.is_dynamic() {
            return Err(Error::NotAFile { path: place.path(), actual: entry_type });
        }
        self.create(&place, NewNode::File { entry_type, attributes, version }).await
    }

    /// Makes a node that `factory` computes; its configuration is the first
    /// version. `entry_type` is one of the dynamic types.
    ///
    /// # Errors
    /// As [`Fs::create_dir`]; [`Error::WrongType`] for another entry type.
    pub async fn create_dynamic(
        &self,
        path: &str,
        entry_type: EntryType,
        factory: &str,
        version: NewVersion,
    ) -> Result<NodePath> {
        let place = self.place(path).await?;
        if !entry_type.is_dynamic() {
            let wanted = EntryType::DynamicData;
            return Err(Error::WrongType { path: place.path(), wanted, actual: entry_type });
        }
        let factory = factory.to_owned();
        self.create(&place, NewNode::Dynamic { entry_type, factory, version }).await
    }

    /// Lets the node at `path` be what `factory` computes from `version`, with
    /// these attributes: a node of the same factory and type gets its next
    /// configuration, unless it has this one; what another factory computes is
    /// replaced.
    ///
    /// # Errors
    /// As [`Fs::create_dynamic`]; [`Error::AlreadyExists`] for something that
    /// is stored.
    pub async fn configure(
        &self,
        path: &str,
        entry_type: EntryType,
        factory: &str,
        attributes: Attributes,
        version: NewVersion,
    ) -> Result<Configured> {
        let place = self.place(path).await?;
        if let Some(entry) = self.entry(&place).await? {
            if !entry.entry_type.is_dynamic() {
                return Err(Error::AlreadyExists { path: place.path() });
            }
            place.check_stored()?;
            let node = self.store.node(entry.node).await?;
            if node.entry_type == entry_type && node.factory.as_deref() == Some(factory) {
                return self.reconfigure(&node, attributes, version).await;
            }
            self.unlink(&place).await?;
        }
        let created = self.create_dynamic(&place.path(), entry_type, factory, version).await?;
        if !attributes.is_empty() {
            self.store.set_attributes(created.id(), attributes).await?;
        }
        Ok(Configured::Created)
    }

    async fn reconfigure(
        &self,
        node: &Node,
        attributes: Attributes,
        version: NewVersion,
    ) -> Result<Configured> {
        let mut done = Configured::Unchanged;
        if node.newest.as_ref().is_none_or(|newest| newest.hash != version.content.hash) {
            self.store.append(node.id, version).await?;
            done = Configured::Updated;
        }
        if node.attributes != attributes {
            self.store.set_attributes(node.id, attributes).await?;
            done = Configured::Updated;
        }
        Ok(done)
    }

    /// Makes a symlink at `path` that points to `target`, relative to the
    /// link's own directory unless absolute. The target need not exist.
    ///
    /// # Errors
    /// As [`Fs::create_dir`]; [`Error::BadPath`] for either.
    pub async fn symlink(&self, target: &str, path: &str) -> Result<NodePath> {
        FsPath::parse(target)?;
        let place = self.new_place(path).await?;
        self.create(&place, NewNode::Symlink { target: target.to_owned() }).await
    }

    /// Adds a version to the stored file at `path`, symlinks followed, and
    /// returns its number.
    ///
    /// # Errors
    /// As [`Fs::file`]; [`Error::Computed`].
    pub async fn append(&self, path: &str, version: NewVersion) -> Result<u64> {
        let file = stored_file(self.resolve(path).await?)?;
        self.store.append(file.id(), version).await
    }

    /// Replaces the attributes of the node at `path`, symlinks followed.
    ///
    /// # Errors
    /// As [`Fs::resolve`].
    pub async fn set_attributes(&self, path: &str, attributes: Attributes) -> Result<()> {
        let found = self.resolve(path).await?;
        self.store.set_attributes(found.id(), attributes).await
    }

    /// Removes a file, a symlink or an empty directory; a symlink is not
    /// followed.
    ///
    /// # Errors
    /// As [`Fs::resolve_link`]; [`Error::NotEmpty`], [`Error::IsRoot`].
    pub async fn remove(&self, path: &str) -> Result<()> {
        let (place, _) = self.removable(path).await?;
        self.unlink(&place).await
    }

    /// Removes whatever is at `path` with all that is in it, and returns how
    /// many names went; symlinks are not followed.
    ///
    /// # Errors
    /// As [`Fs::resolve_link`]; [`Error::IsRoot`].
    pub async fn remove_all(&self, path: &str) -> Result<u64> {
        let (place, entry) = self.removable(path).await?;
        place.check_stored()?;
        let mut removed = 0;
        // What is left to do, the next last: a directory comes again, emptied.
        let mut left = vec![(place.dir.id(), entry.clone(), false)];
        while let Some((dir, entry, emptied)) = left.pop() {
            if entry.entry_type == EntryType::Directory && !emptied {
                let inside = self.store.list(entry.node).await?;
                let id = entry.node;
                left.push((dir, entry, true));
                left.extend(inside.into_iter().map(|entry| (id, entry, false)));
            } else {
                let unlinked = self.store.unlink(dir, entry.name.as_str()).await;
                unlinked.map_err(|error| place.explain(error))?;
                removed += 1;
            }
        }
        Ok(removed)
    }

    /// Gives what is at `from` the path `to`. A symlink moves itself.
    ///
    /// # Errors
    /// As [`Fs::resolve_link`] for `from` and for the directory of `to`;
    /// [`Error::AlreadyExists`] when something is at `to`;
    /// [`Error::IntoItself`] for a directory into itself and for the root.
    pub async fn rename(&self, from: &str, to: &str) -> Result<()> {
        let into_itself = |from: &str| Error::IntoItself { from: from.into(), to: to.into() };
        let source = match self.place(from).await {
            Err(Error::IsRoot { .. }) => return Err(into_itself(ROOT)),
            source => source?,
        };
        let entry = self.entry(&source).await?.ok_or_else(|| source.not_found())?;
        let goal = match self.place(to).await {
            Err(Error::IsRoot { path }) => return Err(Error::AlreadyExists { path }),
            goal => goal?,
        };
        if goal.dir.passes(entry.node) {
            return Err(into_itself(&source.path()));
        }
        must_be_directory(to, &goal, entry.entry_type)?;
        if self.entry(&goal).await?.is_some() {
            return Err(Error::AlreadyExists { path: goal.path() });
        }
        source.check_stored()?;
        goal.check_stored()?;
        let (dir, to_dir) = (source.dir.id(), goal.dir.id());
        let renamed = self.store.rename(dir, source.name.as_str(), to_dir, &goal.name).await;
        renamed.map_err(|error| match error {
            Error::NoSuchName { .. } => source.explain(error),
            other => goal.explain(other),
        })
    }

    async fn create(&self, place: &Place, node: NewNode) -> Result<NodePath> {
        let id = self.create_id(place, node).await?;
        Ok(NodePath { path: place.path(), node: self.store.node(id).await? })
    }

    async fn create_id(&self, place: &Place, node: NewNode) -> Result<NodeId> {
        place.check_stored()?;
        let created = self.store.create(place.dir.id(), &place.name, node).await;
        created.map_err(|error| place.explain(error))
    }

    async fn unlink(&self, place: &Place) -> Result<()> {
        place.check_stored()?;
        let unlinked = self.store.unlink(place.dir.id(), place.name.as_str()).await;
        unlinked.map_err(|error| place.explain(error))
    }

    async fn entry(&self, place: &Place) -> Result<Option<Entry>> {
        self.store.lookup(place.dir.id(), place.name.as_str()).await
    }

    /// The place that `path` names, whether or not something is there.
    async fn place(&self, path: &str) -> Result<Place> {
        let parsed = FsPath::parse(path)?;
        if parsed.components().is_empty() {
            return Err(Error::IsRoot { path: path.to_owned() });
        }
        let (dir, name) = parsed.split_last().ok_or_else(|| Error::BadPath {
            path: path.to_owned(),
            reason: "it ends in `..`, where a name is needed".to_owned(),
        })?;
        Ok(Place { dir: self.position_of(&dir).await?, name })
    }

    /// A place for what is not a directory.
    async fn new_place(&self, path: &str) -> Result<Place> {
        let place = self.place(path).await?;
        must_be_directory(path, &place, EntryType::Data)?;
        Ok(place)
    }

    /// What is at `path`, to be removed.
    async fn removable(&self, path: &str) -> Result<(Place, Entry)> {
        let place = self.place(path).await?;
        let entry = self.entry(&place).await?.ok_or_else(|| place.not_found())?;
        must_be_directory(path, &place, entry.entry_type)?;
        Ok((place, entry))
    }
}

/// What was found, when it is a file that takes versions.
pub(super) fn stored_file(found: NodePath) -> Result<NodePath> {
    let actual = found.node.entry_type;
    if actual.is_dynamic() {
        Err(Error::Computed { path: found.path, actual })
    } else {
        file(found)
    }
}

/// Refuses a path that ends in a slash for what is neither a directory nor a
/// link that may lead to one.
fn must_be_directory(path: &str, place: &Place, actual: EntryType) -> Result<()> {
    if actual.is_file() && FsPath::parse(path)?.means_directory() {
        return Err(Error::NotADirectory { path: place.path(), actual });
    }
    Ok(())
}
