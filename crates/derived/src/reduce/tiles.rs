//! The tiles of a pond's reductions, brought up to date when they are read.
//!
//! Always true: what is given out stands for the view that was asked for, or
//! there is nothing to give and the numbers come straight from the rows; a
//! refresh that is broken off leaves the index as it was. The cache can be
//! deleted, damaged or read-only, and no number changes.
//!
//! Two processes may refresh at once: each writes whole tiles and then its
//! index; the later index holds, and what it lacks is dirty again.

use std::collections::{BTreeSet, HashMap};
use std::fmt;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use diagnostics::log_warn;
use futures::StreamExt;

use super::build::{ALWAYS, Built, Damage, Dirty, Failure, Shape, build, cache_failure};
use super::index::Index;
use super::rows::RowSource;
use crate::changes::Changed;
use crate::handover::{Giver, broken_off, handover};
use crate::{Error, Place, Result};

/// What is done here, for messages.
pub(super) const REFRESH: &str = "a refresh";

/// The tiles of all reductions of a pond.
pub struct Tiles {
    /// Where they are; `None` keeps none.
    root: Option<PathBuf>,
    now_us: Arc<dyn Fn() -> i64 + Send + Sync>,
    /// One refresh of a source at a time.
    locks: Mutex<HashMap<String, Arc<tokio::sync::Mutex<()>>>>,
    /// It was said that the cache can not be used.
    warned: AtomicBool,
}

impl fmt::Debug for Tiles {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tiles").field("root", &self.root).finish_non_exhaustive()
    }
}

/// What is reduced to what, and from which rows.
#[derive(Clone, Debug)]
pub(crate) struct Source {
    pub(crate) shape: Arc<Shape>,
    pub(crate) rows: Arc<dyn RowSource>,
    /// Its path, for messages.
    pub(crate) path: String,
}

/// The state of a source's tiles after a refresh.
#[derive(Debug)]
pub(crate) enum Refreshed {
    /// These stand for the view.
    Tiles { dir: PathBuf, index: Box<Index>, built: Built },
    /// There are none for this view.
    Direct,
}

impl Tiles {
    pub(crate) fn new(place: &Place) -> Self {
        Self {
            root: place.cache.as_ref().map(|cache| cache.join("tiles")),
            now_us: Arc::clone(&place.now_us),
            locks: Mutex::default(),
            warned: AtomicBool::new(false),
        }
    }

    /// Brings the tiles of a source up to the view; `damage` is made again.
    pub(crate) async fn refresh(&self, source: &Source, damage: &[Damage]) -> Result<Refreshed> {
        let Some(root) = &self.root else { return Ok(Refreshed::Direct) };
        let lock = self.lock_of(&source.shape.key);
        let _one = lock.lock().await;
        let dir = root.join(&source.shape.key);
        let mut damage: BTreeSet<Damage> = damage.iter().copied().collect();
        loop {
            match self.attempt(source, &dir, &damage).await {
                Ok(refreshed) => return Ok(refreshed),
                Err(Failure::Damaged(found, problem)) => {
                    let path = &source.path;
                    log_warn!("a tile of {path} is made again: {problem}", path, problem);
                    if !damage.insert(found) {
                        // Damaged again as soon as it was made.
                        return Ok(Refreshed::Direct);
                    }
                }
                Err(Failure::Cache(error)) => {
                    self.warn(&error);
                    return Ok(Refreshed::Direct);
                }
                Err(Failure::Error(error)) => return Err(*error),
            }
        }
    }

    /// Where tiles are kept.
    pub(crate) fn root(&self) -> Option<&Path> {
        self.root.as_deref()
    }

    /// What is held while the tiles of a key are made.
    pub(crate) fn lock_of(&self, key: &str) -> Arc<tokio::sync::Mutex<()>> {
        let mut locks = self.locks.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(locks.entry(key.to_owned()).or_default())
    }

    fn warn(&self, error: &Error) {
        if !self.warned.swap(true, Ordering::Relaxed) {
            let cause = std::error::Error::source(error).map(ToString::to_string);
            let cause = cause.unwrap_or_default();
            log_warn!("{error}: {cause}; numbers are computed from the rows", error, cause);
        }
    }

    async fn attempt(
        &self,
        source: &Source,
        dir: &Path,
        damage: &BTreeSet<Damage>,
    ) -> Result<Refreshed, Failure> {
        let shape = &source.shape;
        let now = source.rows.stamp().await?;
        let mut index = Index::read(dir).unwrap_or_else(|| Index::empty(&shape.columns));
        let changed = match &index.stamp {
            Some(then) if index.columns == *shape.columns => {
                source.rows.changed(then, &now).await?
            }
            _ => Changed::Everything,
        };
        let changed: Vec<Range<i64>> = match changed {
            Changed::Nothing => Vec::new(),
            Changed::Ranges(ranges) => ranges
                .into_iter()
                .map(|range| range.min_us..range.max_us.saturating_add(1))
                .collect(),
            Changed::Everything => vec![ALWAYS],
            Changed::Earlier => return Ok(Refreshed::Direct),
        };
        let damage: Vec<Damage> = damage.iter().copied().collect();
        let dirty = Dirty::new(shape, &changed, &damage)?;
        if dirty.is_empty() {
            let built = Built::default();
            return Ok(Refreshed::Tiles { dir: dir.to_owned(), index: Box::new(index), built });
        }

        let (giver, mut rows) = handover(REFRESH);
        let ranges = dirty.rows().to_vec();
        let job = tokio::task::spawn_blocking({
            let (shape, dir, now_us) = (Arc::clone(shape), dir.to_owned(), (self.now_us)());
            move || {
                std::fs::create_dir_all(&dir).map_err(|source| cache_failure(&dir, source))?;
                index.columns = shape.columns.to_vec();
                let built = build(&dir, &shape, &dirty, &mut index, &mut rows, now_us)?;
                index.stamp = Some(now);
                index
                    .remove_retired(&dir, now_us)
                    .and_then(|()| index.write(&dir))
                    .map_err(|source| cache_failure(&dir, source))?;
                Ok((index, built))
            }
        });
        send(source.rows.as_ref(), &ranges, giver).await;
        match job.await {
            Ok(Ok((index, built))) => {
                Ok(Refreshed::Tiles { dir: dir.to_owned(), index: Box::new(index), built })
            }
            Ok(Err(failure)) => Err(failure),
            Err(panic) => Err(broken_off(REFRESH, panic).into()),
        }
    }
}

/// Sends the rows of all ranges. Whoever takes them may be gone, and then knows
/// why.
async fn send(source: &dyn RowSource, ranges: &[Range<i64>], giver: Giver) {
    for range in ranges {
        let mut rows = match source.rows(range).await {
            Ok(rows) => rows,
            Err(error) => {
                giver.give(Err(error)).await;
                return;
            }
        };
        while let Some(batch) = rows.next().await {
            if !giver.give(batch.map_err(Error::from)).await {
                return;
            }
        }
    }
    giver.end().await;
}
