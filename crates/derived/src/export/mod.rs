//! Taking data out of a pond, into files that other programs read.
//!
//! - `request`: what is wanted, and what was done.
//! - `calendar`, `cut`, `encode`: rows cut into Hive partitions, as
//!   Parquet or CSV.
//! - `tiles`: tiles of reductions, rounded for browsers.
//! - `work`: what has changed of a table, and its files brought up to that.
//! - `directory`, `state`, `journal`, `manifest`: the directory that they go
//!   to, and what it says of itself.
//!
//! Always true: what a directory holds after a whole run equals what a query
//! answers at that moment, but for views that ask for the time of day or for
//! random numbers: these are written again when something that they read has
//! changed; the cost of a run follows what has changed; a file that an export
//! did not write is neither replaced nor removed.
//!
//! Deliberately not here: the pond's own form; that is what copies are for.

mod calendar;
mod cut;
mod directory;
mod encode;
mod error;
mod journal;
mod manifest;
mod request;
mod state;
mod tiles;
mod work;

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;

use diagnostics::{Monitor, Unit};
use jiff::tz::TimeZone;
use query::{Inputs, Session};
use tinyfs::{FsPath, Glob, GlobOptions, NodePath};

pub use calendar::Temporal;
pub use error::ExportError;
pub use request::{FileFormat, Report, Request, TableReport, What, Whole};

use crate::Derived;
use crate::export::calendar::Calendar;
use crate::export::directory::Directory;
use crate::export::error::Result;
use crate::export::journal::Journal;
use crate::export::state::{Exported, State};
use crate::export::tiles::Tiled;
use crate::export::work::{Rows, Table};
use crate::reduce::ReducedTiles;

/// Endings of names that say what is in the pond, not what is exported.
const ENDINGS: [&str; 3] = [".series", ".table", ".parquet"];
/// What globs match.
const OPTIONS: GlobOptions = GlobOptions { hidden: false, follow: true };

impl Derived {
    /// Brings the files in a directory up to what the pond says, as `session`
    /// sees it at all times. A table that fails is told of and does not stop
    /// the others.
    ///
    /// # Errors
    /// What finding the tables says, and what is wrong with the directory.
    pub async fn export(
        &self,
        session: &Session,
        request: &Request,
        monitor: &dyn Monitor,
    ) -> Result<Report> {
        let inputs = session.inputs();
        let rows = rows(&request.what)?;
        let pond = self.place().pond.to_string();
        let Found { tables: found, failures, unmatched } = find(&inputs, request).await?;
        if !unmatched.is_empty() {
            // What a glob meant may be gone from the pond, and has to go from
            // here.
            let (_, state) = Directory::open(&request.dir, &pond, true)?;
            for glob in unmatched {
                if meant(&glob, &state, request)?.is_empty() {
                    return Err(ExportError::NoMatch { pattern: glob.pattern().to_owned() });
                }
            }
        }
        let dirs = directories(&found)?;
        let (directory, mut state) = Directory::open(&request.dir, &pond, request.dry_run)?;
        let gone = gone(&state, request, &found, &failures)?;
        apart(&state, &dirs, &gone)?;
        let before = Tops { manifest: state.manifest, tiles: state.has_tiles() };
        state.manifest |= request.manifest;
        if state.manifest && !before.manifest {
            directory.check_free(manifest::FILE)?;
        }
        if rows.is_none() && !before.tiles {
            directory.check_free(tiles::FILE)?;
        }

        let progress = monitor.begin("exporting", Some(found.len() as u64), Unit::Items);
        let mut run = Run {
            derived: self,
            inputs,
            rows,
            directory: Arc::new(directory),
            before,
            state,
            journal: Journal::default(),
            dry_run: request.dry_run,
        };
        let mut report = Report { tables: run.remove(&gone)?, failures };
        for (path, found) in found {
            let dir = dirs[&path].clone();
            match run.one(found, dir).await {
                Ok(done) => report.tables.push(done),
                Err(error) => report.failures.push((path, error)),
            }
            progress.advance(1);
        }
        report.tables.sort_by(|a, b| a.path.cmp(&b.path));
        if !request.dry_run
            && let Err(error) = run.finish()
        {
            // What made a table fail says more than what follows of it.
            if report.failures.is_empty() {
                return Err(error);
            }
            report.failures.push((request.dir.display().to_string(), error));
        }
        Ok(report)
    }
}

/// One run over a directory.
struct Run<'a> {
    derived: &'a Derived,
    inputs: Inputs,
    /// `None`: tiles are wanted.
    rows: Option<Rows>,
    directory: Arc<Directory>,
    /// What there was at its top when the run began.
    before: Tops,
    state: State,
    journal: Journal,
    dry_run: bool,
}

/// What tells of an export, at the top of its directory.
#[derive(Clone, Copy)]
struct Tops {
    manifest: bool,
    tiles: bool,
}

/// What patterns stand for.
#[derive(Default)]
struct Found {
    /// By their paths.
    tables: BTreeMap<String, NodePath>,
    /// Computed directories that can not be computed, and why.
    failures: Vec<(String, ExportError)>,
    /// Globs that match nothing.
    unmatched: Vec<Glob>,
}

impl Run<'_> {
    async fn one(&mut self, found: NodePath, dir: String) -> Result<TableReport> {
        let path = found.path.clone();
        let old = self.state.tables.get(&path).cloned();
        let (exported, report) = match self.rows.clone() {
            None => self.tiles(&found, dir, old.as_ref()).await?,
            Some(rows) => {
                let table = Table::open(found, dir, &rows, &self.inputs).await?;
                let plan = table.plan(old.as_ref(), &rows, &self.directory, &self.inputs).await?;
                if self.dry_run {
                    return table.foresee(&plan, &rows);
                }
                match &old {
                    Some(old) if !plan.is_dirty() => table.unchanged(old),
                    _ => {
                        self.begin(&path, table.begun(old.as_ref(), &rows))?;
                        if old.as_ref().is_some_and(|old| old.tiles.is_some()) {
                            self.name_tiles()?;
                        }
                        let plan = Arc::new(plan);
                        table.perform(&plan, &rows, &self.directory, &self.inputs).await?
                    }
                }
            }
        };
        if !self.dry_run {
            self.state.tables.insert(path.clone(), exported);
            if report.dirty {
                self.journal.note(&self.directory, &self.state, &path)?;
            }
        }
        Ok(report)
    }

    async fn tiles(
        &mut self,
        found: &NodePath,
        dir: String,
        old: Option<&Exported>,
    ) -> Result<(Exported, TableReport)> {
        let layout = What::Tiles.layout();
        let tiled = Tiled::open(found, dir, layout, &self.inputs, self.derived).await?;
        let (directory, dry_run) = (Arc::clone(&self.directory), self.dry_run);
        let mut begin = |begun| self.begin(&found.path, begun);
        tiled.perform(old, &directory, dry_run, &mut begin).await
    }

    /// Says that the files of a table are about to change.
    fn begin(&mut self, path: &str, begun: Exported) -> Result<()> {
        self.state.tables.insert(path.to_owned(), begun);
        self.journal.begin(&self.directory, &self.state, path)
    }

    /// Removes the files of tables that are gone from the pond.
    fn remove(&mut self, gone: &BTreeSet<String>) -> Result<Vec<TableReport>> {
        let mut reports = Vec::new();
        for (path, old) in self.state.tables.iter().filter(|(path, _)| gone.contains(*path)) {
            reports.push(TableReport {
                path: path.clone(),
                dir: old.dir.clone(),
                gone: true,
                removed: self.directory.all_of(old)?.into_iter().collect(),
                dirty: true,
                ..TableReport::default()
            });
        }
        if self.dry_run || gone.is_empty() {
            return Ok(reports);
        }
        self.state.tables.retain(|path, _| !gone.contains(path));
        self.name_tiles()?;
        for TableReport { dir, removed, .. } in &reports {
            for name in removed {
                self.directory.remove(&format!("{dir}/{name}"))?;
            }
        }
        Ok(reports)
    }

    /// Puts in place what names the tiles, or removes it where there are none.
    fn name_tiles(&self) -> Result<()> {
        match tiles::index(&self.state) {
            Some(index) => self.directory.put_json(tiles::FILE, &index, true).map(drop),
            None if self.before.tiles => self.directory.remove_at_top(tiles::FILE),
            None => Ok(()),
        }
    }

    /// Puts in place what tells of all the files, and removes those of which it
    /// tells no more.
    fn finish(&mut self) -> Result<()> {
        let manifest_is_new = self.state.manifest && !self.before.manifest;
        if manifest_is_new || self.state.has_tiles() && !self.before.tiles {
            // A run that is cut short here knows them for its own.
            self.directory.put_state(&self.state)?;
        }
        self.name_tiles()?;
        if self.state.manifest {
            let manifest = manifest::manifest(&self.state);
            self.directory.put_json(manifest::FILE, &manifest, true)?;
        }
        for exported in self.state.tables.values_mut() {
            for name in std::mem::take(&mut exported.replaced) {
                self.directory.remove(&format!("{}/{name}", exported.dir))?;
            }
        }
        self.directory.put_state(&self.state)?;
        self.journal.end(&self.directory)
    }
}

/// How rows are to be written; `None` when tiles are wanted.
fn rows(what: &What) -> Result<Option<Rows>> {
    let What::Rows { temporal, time_zone, start_us, end_us, format } = what else {
        return Ok(None);
    };
    let zone = TimeZone::get(time_zone).map_err(|_| query::Error::BadRequest {
        what: format!("`{time_zone}` is not a zone of the IANA database"),
    })?;
    let calendar = temporal.map(|temporal| Calendar { temporal, zone });
    let end = end_us.map_or(i64::MAX, |end| end.saturating_add(1));
    let window = start_us.unwrap_or(i64::MIN)..end;
    Ok(Some(Rows { layout: what.layout(), format: *format, calendar, window }))
}

/// The tables that are wanted, past directories that can not be computed.
async fn find(inputs: &Inputs, request: &Request) -> Result<Found> {
    let tiles = matches!(request.what, What::Tiles);
    let wanted = |found: &NodePath| {
        found.node.entry_type.is_tabular() && (!tiles || ReducedTiles::are_of(found))
    };
    let mut all = Found::default();
    for pattern in &request.patterns {
        // What is there by this very name comes before what it matches.
        match inputs.fs().resolve(pattern).await {
            Ok(found) if wanted(&found) => {
                all.tables.insert(found.path.clone(), found);
                continue;
            }
            Ok(found) if found.node.entry_type.is_tabular() => {
                return Err(ExportError::NoTiles { path: found.path });
            }
            Ok(found) => {
                let actual = found.node.entry_type.to_string();
                return Err(ExportError::NoRows { path: found.path, actual });
            }
            Err(error)
                if (error.is_absence() || error.is_uncomputed())
                    && tinyfs::glob::is_pattern(pattern) => {}
            Err(error) => return Err(error.into()),
        }
        let glob = Glob::parse(pattern)?;
        let mut matches = inputs.fs().matches(glob.clone(), OPTIONS).past_failures();
        let mut any = false;
        while let Some(found) = matches.next().await? {
            if wanted(&found.path) {
                any = true;
                all.tables.insert(found.path.path.clone(), found.path);
            }
        }
        let failures = matches.take_failures();
        if !any && failures.is_empty() {
            all.unmatched.push(glob);
        }
        for (path, error) in failures {
            // Several patterns may come by the same directory.
            if all.failures.iter().all(|(other, _)| *other != path) {
                all.failures.push((path, error.into()));
            }
        }
    }
    Ok(all)
}

/// The directory of a table below that of the export: its path without what
/// its name ends in.
fn directory_of(path: &str) -> String {
    let path = path.trim_start_matches('/');
    let shorter = ENDINGS.iter().find_map(|ending| path.strip_suffix(ending));
    // A name that is nothing but an ending stays.
    shorter.filter(|path| !path.is_empty() && !path.ends_with('/')).unwrap_or(path).to_owned()
}

/// Each table's directory.
fn directories(found: &BTreeMap<String, NodePath>) -> Result<BTreeMap<String, String>> {
    let dirs: BTreeMap<String, String> =
        found.keys().map(|path| (path.clone(), directory_of(path))).collect();
    let of = dirs.iter().map(|(path, dir)| (path.as_str(), dir.as_str()));
    check_apart(of.collect())?;
    Ok(dirs)
}

/// What a glob means of what was exported before in this way.
fn meant(glob: &Glob, state: &State, request: &Request) -> Result<Vec<String>> {
    let tiles = matches!(request.what, What::Tiles);
    let mut meant = Vec::new();
    for (path, exported) in &state.tables {
        let matches = glob.captures(&FsPath::parse(path)?, OPTIONS).is_some();
        if matches && exported.tiles.is_some() == tiles {
            meant.push(path.clone());
        }
    }
    Ok(meant)
}

/// What was exported before, is meant by a glob, and is no longer there. What a
/// directory has that can not be computed is not known to be gone.
fn gone(
    state: &State,
    request: &Request,
    found: &BTreeMap<String, NodePath>,
    failures: &[(String, ExportError)],
) -> Result<BTreeSet<String>> {
    let mut gone = BTreeSet::new();
    for pattern in request.patterns.iter().filter(|pattern| tinyfs::glob::is_pattern(pattern)) {
        gone.extend(meant(&Glob::parse(pattern)?, state, request)?);
    }
    gone.retain(|path| {
        let is_unknown = failures.iter().any(|(dir, _)| Path::new(path).starts_with(dir));
        !is_unknown && !found.contains_key(path)
    });
    Ok(gone)
}

/// Checks that no table is written to where another is that stays.
fn apart(state: &State, dirs: &BTreeMap<String, String>, gone: &BTreeSet<String>) -> Result<()> {
    let stay = state.tables.iter().filter(|(path, _)| !gone.contains(*path));
    let mut all: BTreeMap<&str, &str> =
        stay.map(|(path, exported)| (path.as_str(), exported.dir.as_str())).collect();
    all.extend(dirs.iter().map(|(path, dir)| (path.as_str(), dir.as_str())));
    check_apart(all.into_iter().collect())
}

/// Checks that no directory is or lies in another.
fn check_apart(mut of: Vec<(&str, &str)>) -> Result<()> {
    of.sort_by(|a, b| Path::new(a.1).cmp(Path::new(b.1)));
    for pair in of.windows(2) {
        if Path::new(pair[1].1).starts_with(pair[0].1) {
            return Err(ExportError::SameDirectory {
                dir: pair[0].1.to_owned(),
                first: pair[0].0.to_owned(),
                second: pair[1].0.to_owned(),
            });
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn directories_are_named_after_tables() {
        assert_eq!(directory_of("/sensors/dock.series"), "sensors/dock");
        assert_eq!(directory_of("/reduced/north/res=1h.series"), "reduced/north/res=1h");
        assert_eq!(directory_of("/v1.2"), "v1.2");
        assert_eq!(directory_of("/a/.series"), "a/.series");
    }

    #[test]
    fn tables_do_not_share_a_directory() {
        assert!(check_apart(vec![("/a.series", "a"), ("/b.series", "b")]).is_ok());
        assert!(check_apart(vec![("/a.series", "a"), ("/a.table", "a")]).is_err());
        assert!(check_apart(vec![("/a/b", "a/b"), ("/a-c", "a-c"), ("/a", "a")]).is_err());
        assert!(check_apart(vec![("/a", "a"), ("/a-c", "a-c"), ("/ab", "ab")]).is_ok());
    }
}
