//! The state of the table: checkpoints and commits replayed, each checked.
//!
//! Always true: every transaction lies in exactly one file with metadata, or
//! the replay is refused; what a check finds is named by file.

use std::collections::HashMap;
use std::pin::pin;
use std::sync::Arc;

use futures::future::join;
use futures::{Stream, StreamExt, TryStreamExt};
use object_store::ObjectStoreExt;
use object_store::path::Path;
use uuid::Uuid;

use super::commit::Line;
use super::{
    DeltaLog, Horizon, Listing, ReadCommit, TableState, another_table, checkpoint_path,
    commit_path, key,
};
use crate::checkpoint::Trust;
use crate::file::LiveFile;
use crate::{Error, FORMAT_VERSION, Identity, Result};

/// Commits that are read in one go: a quarter of those between two checkpoints,
/// so that processors share them.
const COMMITS_AT_ONCE: usize = 13;
/// How many times as many are held before they are applied.
const PIECES_AHEAD: usize = 4;

/// What a damaged log replays to.
pub(crate) struct Replayed {
    pub(crate) state: TableState,
    /// The files that could not be read, and why.
    pub(crate) wrong: Vec<(String, String)>,
    /// How many commits those are.
    pub(crate) unread_commits: u64,
}

impl DeltaLog {
    /// The newest state of the table.
    pub(crate) async fn replay(&self) -> Result<TableState> {
        let listing = self.list().await?;
        let newest_commit = listing.commits.last().copied();
        let newest = newest_commit.max(listing.checkpoints.last().copied());
        let Some(newest) = newest else {
            return Err(Error::NotFound { location: self.location.clone() });
        };
        let mut broken = None;
        for &checkpoint in listing.checkpoints.iter().rev() {
            // Of two checkpoints the older, with the commits since, is as good.
            let mut commits = pin!(self.pieces(checkpoint + 1, newest).peekable());
            // The first of them are read while the checkpoint is decoded.
            let (found, _) =
                join(self.read_checkpoint(checkpoint, Trust::Sum), commits.as_mut().peek()).await;
            match found {
                Ok(replay) => return self.roll(replay, commits, newest).await,
                Err(error @ (Error::NewerFormat { .. } | Error::NotAPond { .. })) => {
                    return Err(error);
                }
                Err(error) => {
                    let file = checkpoint_path(checkpoint).to_string();
                    let why = deepest(&error);
                    diagnostics::log_warn!(
                        "checkpoint {file} is left aside for the commits before it: {why}",
                        file,
                        why
                    );
                    broken = broken.or(Some((checkpoint, error)));
                }
            }
        }
        if listing.commits.contains(&0) {
            return self.roll(Replay::default(), self.pieces(0, newest), newest).await;
        }
        Err(match broken {
            Some((checkpoint, error)) => {
                // What the disk does not give is no damage to it.
                self.read_through(&checkpoint_path(checkpoint)).await?;
                Error::DamagedCheckpoint {
                    file: checkpoint_path(checkpoint).to_string(),
                    source: Arc::new(error),
                }
            }
            None => Error::Gap { what: "the first commits and every checkpoint".into() },
        })
    }

    /// The state that those commits and checkpoints give which can be read, and
    /// what is wrong with the others. Files may be missing from it, and files
    /// may be in it that a lost commit took out.
    pub(crate) async fn replay_leniently(&self) -> Result<Replayed> {
        let listing = self.list().await?;
        let newest = listing.commits.last().copied();
        let newest = newest.max(listing.checkpoints.last().copied());
        let Some(newest) = newest else {
            return Err(Error::NotFound { location: self.location.clone() });
        };
        let mut wrong = Vec::new();
        let mut start = None;
        for &checkpoint in listing.checkpoints.iter().rev() {
            match self.read_checkpoint(checkpoint, Trust::Sum).await {
                Ok(found) => {
                    start = Some((found, checkpoint + 1));
                    break;
                }
                Err(error @ (Error::NewerFormat { .. } | Error::NotAPond { .. })) => {
                    return Err(error);
                }
                Err(error) => wrong.push((
                    checkpoint_path(checkpoint).to_string(),
                    format!("it can not be read: {}", deepest(&error)),
                )),
            }
        }
        if start.is_none() && !listing.commits.contains(&0) {
            start = self.checkpoint_in_doubt(&listing).await;
        }
        let (mut replay, next) = start.unwrap_or_default();
        let mut unread_commits = 0;
        let mut pond_id = None;
        for version in next..=newest {
            let lines = match self.read_commit(version).await {
                Ok(Some(lines)) => lines,
                Ok(None) => {
                    unread_commits += 1;
                    wrong.push((commit_path(version).to_string(), "it is missing".to_owned()));
                    continue;
                }
                Err(Error::DamagedCommit { file, what, .. }) => {
                    unread_commits += 1;
                    wrong.push((file, what));
                    continue;
                }
                Err(error) => return Err(error),
            };
            let txns = lines.iter().filter_map(|line| line.txn.as_ref());
            pond_id = pond_id.or(txns.map(|txn| txn.app_id).next());
            replay.apply(&self.location, lines)?;
        }
        let identity = replay.identity.unwrap_or_else(|| Identity {
            pond_id: pond_id.unwrap_or(Uuid::nil()),
            birthplace: String::new(),
            created_us: 0,
            format_version: FORMAT_VERSION,
        });
        let nothing =
            || Horizon { oldest: 0, anchor: crate::canonical::origin_hash(identity.pond_id) };
        let horizon = replay.horizon.unwrap_or_else(nothing);
        let mut files: Vec<_> = replay.files.into_values().collect();
        sort_files(&mut files);
        let state = TableState {
            delta_version: newest,
            identity: Arc::new(identity),
            horizon,
            files: Arc::new(files),
        };
        Ok(Replayed { state, wrong, unread_commits })
    }

    /// The newest checkpoint that decodes, whatever its sum says, and the version
    /// after it. That it is in doubt has been said of it already.
    async fn checkpoint_in_doubt(&self, listing: &Listing) -> Option<(Replay, u64)> {
        for &checkpoint in listing.checkpoints.iter().rev() {
            if let Ok(found) = self.read_checkpoint(checkpoint, Trust::Decoding).await {
                return Some((found, checkpoint + 1));
            }
        }
        None
    }

    /// Reads a file to its end and forgets it.
    async fn read_through(&self, path: &Path) -> Result<()> {
        let doing = |error| self.io("reading a checkpoint", error);
        let mut bytes = self.store.get(path).await.map_err(doing)?.into_stream();
        while bytes.try_next().await.map_err(doing)?.is_some() {}
        Ok(())
    }

    /// The state after the commits that came since `state`; `None` when there
    /// are none.
    pub(crate) async fn follow(&self, state: &TableState) -> Result<Option<TableState>> {
        let next = state.delta_version + 1;
        match self.store.head(&commit_path(next)).await {
            // A log that was cleaned past us has a checkpoint instead.
            Err(object_store::Error::NotFound { .. }) => {
                let listing = self.list().await?;
                let newest = listing.commits.last().copied();
                if newest.max(listing.checkpoints.last().copied()) > Some(state.delta_version) {
                    return self.replay().await.map(Some);
                }
                return Ok(None);
            }
            Err(error) => return Err(self.io("looking for commits", error)),
            Ok(_) => {}
        }
        let mut replay = Replay {
            identity: Some((*state.identity).clone()),
            horizon: Some(state.horizon),
            files: state.files.iter().map(|file| (file.path.clone(), file.clone())).collect(),
        };
        let mut version = next;
        while let Some(lines) = self.read_commit(version).await? {
            replay.apply(&self.location, lines)?;
            version += 1;
        }
        replay.finish(&self.location, version - 1).map(Some)
    }

    /// The commits `from..=to` in their order, some read ahead.
    fn pieces(&self, from: u64, to: u64) -> impl Stream<Item = Result<Vec<ReadCommit>>> {
        let pieces = (from..=to).step_by(COMMITS_AT_ONCE).map(move |first| {
            let last = to.min(first.saturating_add(COMMITS_AT_ONCE as u64 - 1));
            self.read_commits(first..=last)
        });
        futures::stream::iter(pieces).buffered(PIECES_AHEAD)
    }

    /// Applies commits to the newest version `to`, all of which must be there.
    async fn roll(
        &self,
        mut replay: Replay,
        pieces: impl Stream<Item = Result<Vec<ReadCommit>>>,
        to: u64,
    ) -> Result<TableState> {
        let mut pieces = pin!(pieces);
        while let Some(piece) = pieces.next().await {
            for (version, lines) in piece? {
                let lines = lines?.ok_or_else(|| Error::Gap {
                    what: format!("commit {version} of {to} (`{}`)", commit_path(version)),
                })?;
                replay.apply(&self.location, lines)?;
            }
        }
        replay.finish(&self.location, to)
    }

    /// Reads the checkpoint of a state's version back and compares.
    pub(crate) async fn verify_checkpoint(&self, state: &TableState) -> Result<()> {
        let version = state.delta_version;
        let found =
            self.read_checkpoint(version, Trust::Sum).await?.finish(&self.location, version)?;
        if same_table(&found, state) {
            return Ok(());
        }
        Err(Error::DamagedFile {
            file: checkpoint_path(version).to_string(),
            what: "it does not say what the commits say".into(),
        })
    }

    /// Checks the commit files and checkpoints there are; gives what is wrong.
    pub(crate) async fn check_files(&self, state: &TableState) -> Result<Vec<(String, String)>> {
        let listing = self.list().await?;
        let mut wrong = Vec::new();
        let mut expected = None;
        for &version in listing.commits.range(..=state.delta_version) {
            let path = commit_path(version).to_string();
            if expected.is_some_and(|expected| expected != version) {
                wrong.push((path.clone(), "commits before it are missing".to_owned()));
            }
            expected = Some(version + 1);
            match self.read_commit(version).await {
                Ok(_) => {}
                Err(Error::DamagedCommit { what, .. }) => wrong.push((path, what)),
                Err(error) => return Err(error),
            }
        }
        // A clean-up that was interrupted may have left older ones without the
        // commits after them.
        let kept = listing.checkpoints.len().saturating_sub(2);
        for (at, &version) in listing.checkpoints.iter().enumerate() {
            let path = checkpoint_path(version).to_string();
            let replay = match self.read_checkpoint(version, Trust::Sum).await {
                Ok(replay) => replay,
                Err(error) => {
                    let what = format!("it can not be read: {}", deepest(&error));
                    wrong.push((path, what));
                    continue;
                }
            };
            if at < kept || version > state.delta_version {
                continue;
            }
            let newest = state.delta_version;
            match self.roll(replay, self.pieces(version + 1, newest), newest).await {
                Ok(found) if same_table(&found, state) => {}
                Ok(_) => wrong.push((path, "it does not say what the commits say".to_owned())),
                // What is wrong with the commit itself has been found already.
                Err(Error::DamagedCommit { .. }) => {}
                Err(error @ Error::Io { .. }) => return Err(error),
                Err(error) => wrong.push((path, format!("with it, {}", deepest(&error)))),
            }
        }
        Ok(wrong)
    }

    /// The state that a checkpoint holds.
    async fn read_checkpoint(&self, version: u64, trust: Trust) -> Result<Replay> {
        let table = crate::checkpoint::load(&self.dir, version, trust).await?;
        let mut replay = Replay::default();
        replay.configure(&self.location, &table.configuration)?;
        replay.files = table.files.into_iter().map(|file| (file.path.clone(), file)).collect();
        Ok(replay)
    }
}

fn same_table(a: &TableState, b: &TableState) -> bool {
    a.files == b.files && a.identity == b.identity && a.horizon == b.horizon
}

fn deepest(error: &dyn std::error::Error) -> String {
    error.source().map_or_else(|| error.to_string(), deepest)
}

/// A replay under way.
#[derive(Debug, Default)]
struct Replay {
    identity: Option<Identity>,
    horizon: Option<Horizon>,
    files: HashMap<String, LiveFile>,
}

impl Replay {
    fn configure(&mut self, location: &str, values: &HashMap<String, String>) -> Result<()> {
        let not_a_pond = |reason: String| Error::NotAPond { location: location.to_owned(), reason };
        let Some(format) = values.get(key::FORMAT) else {
            return Err(another_table(location));
        };
        let bad = |key: &str| not_a_pond(format!("its property `{key}` is missing or wrong"));
        let found: u32 = format.parse().map_err(|_| bad(key::FORMAT))?;
        if found > FORMAT_VERSION {
            return Err(Error::NewerFormat { found, supported: FORMAT_VERSION });
        }
        fn get<T: std::str::FromStr>(values: &HashMap<String, String>, key: &str) -> Option<T> {
            values.get(key).and_then(|text| text.parse().ok())
        }
        self.identity = Some(Identity {
            pond_id: get(values, key::POND_ID).ok_or_else(|| bad(key::POND_ID))?,
            birthplace: get(values, key::BIRTHPLACE).ok_or_else(|| bad(key::BIRTHPLACE))?,
            created_us: get(values, key::CREATED).ok_or_else(|| bad(key::CREATED))?,
            format_version: found,
        });
        self.horizon = Some(Horizon {
            oldest: get(values, key::OLDEST).ok_or_else(|| bad(key::OLDEST))?,
            anchor: get(values, key::ANCHOR).ok_or_else(|| bad(key::ANCHOR))?,
        });
        Ok(())
    }

    fn apply(&mut self, location: &str, lines: Vec<Line>) -> Result<()> {
        for line in lines {
            if let Some(protocol) = line.protocol
                && (protocol.min_reader_version > 1 || protocol.min_writer_version > 2)
            {
                return Err(Error::NotAPond {
                    location: location.to_owned(),
                    reason: "another program raised its Delta protocol".into(),
                });
            }
            if let Some(metadata) = line.meta_data {
                self.configure(location, &metadata.configuration)?;
            }
            if let Some(remove) = line.remove {
                self.files.remove(&remove.path);
            }
            if let Some(add) = line.add {
                let tags = add.tags.unwrap_or_default();
                let file = LiveFile::from_tags(add.path, add.size, add.modification_time, &tags)?;
                self.files.insert(file.path.clone(), file);
            }
        }
        Ok(())
    }

    fn finish(self, location: &str, delta_version: u64) -> Result<TableState> {
        let (Some(identity), Some(horizon)) = (self.identity, self.horizon) else {
            return Err(Error::NotAPond {
                location: location.to_owned(),
                reason: "its log does not say what it is".into(),
            });
        };
        let mut files: Vec<_> = self.files.into_values().collect();
        sort_files(&mut files);
        check_coverage(&files)?;
        Ok(TableState {
            delta_version,
            identity: Arc::new(identity),
            horizon,
            files: Arc::new(files),
        })
    }
}

pub(crate) fn sort_files(files: &mut [LiveFile]) {
    files.sort_by(|a, b| (a.from, a.to, &a.path).cmp(&(b.from, b.to, &b.path)));
}

/// Every transaction from the first to the last must lie in exactly one file
/// with metadata: so a commit that was lost in the middle is noticed.
fn check_coverage(files: &[LiveFile]) -> Result<()> {
    let mut next = 1;
    for file in files.iter().filter(|file| file.parts.has_metadata()) {
        if file.from != next || file.to < file.from {
            return Err(Error::Gap {
                what: format!(
                    "transaction {next} is expected where `{}` has {} to {}",
                    file.path, file.from, file.to
                ),
            });
        }
        next = file.to + 1;
    }
    Ok(())
}
