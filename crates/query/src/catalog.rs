//! Names in SQL and the tables they stand for.
//!
//! A name is, in this order: bound by the caller; an absolute path (dots and
//! case kept, symlinks followed); a glob over absolute paths, which is the
//! union of the tables and series it matches (other nodes are passed over).
//! Beside these there are `pond.entries`, `pond.versions`, `pond.transactions`
//! and `information_schema`, which lists paths, not globs.
//!
//! Always true: a name means the same for every query of a session; names in
//! SQL reach the pond and what the caller bound, nothing else.
//!
//! Deliberately not here: SQL text, which is never edited.

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use async_trait::async_trait;
use datafusion::catalog::information_schema::{INFORMATION_SCHEMA, InformationSchemaProvider};
use datafusion::catalog::{CatalogProvider, CatalogProviderList, SchemaProvider, TableProvider};
use datafusion::error::Result as DfResult;
use datafusion::logical_expr::TableType;
use diagnostics::log_warn;
use futures::stream::{self, StreamExt, TryStreamExt};
use tinyfs::{Fs, Glob, GlobOptions, glob};
use tokio::sync::OnceCell;

use crate::format::HostParquet;
use crate::provider::{Member, Opener, PondTable};
use crate::system::{self, History};
use crate::{Error, Result, TimeBounds};

/// The catalog in which everything is.
pub(crate) const CATALOG: &str = "duckpond";
/// The schema in which names are looked for when none is given.
pub(crate) const PATHS: &str = "paths";
/// The schema of what the pond says of itself.
pub(crate) const SYSTEM: &str = "pond";

/// Members of a glob opened at once.
const CONCURRENT_MEMBERS: usize = 8;

/// How many names an error suggests.
const SUGGESTIONS: usize = 3;

/// What the caller means by a name.
#[derive(Clone)]
pub(crate) enum Binding {
    /// A path or glob; of a path, perhaps one version as stored.
    Path {
        /// The path or glob.
        path: String,
        /// The version.
        version: Option<u64>,
    },
    /// A table from elsewhere.
    Table(Arc<dyn TableProvider>),
}

/// A path or glob, and the version asked for.
type Asked = (String, Option<u64>);

/// Resolves names for one session.
pub(crate) struct Catalog {
    pub(crate) opener: Arc<Opener>,
    pub(crate) fs: Fs,
    seen: TimeBounds,
    bindings: RwLock<BTreeMap<String, Binding>>,
    tables: Mutex<HashMap<Asked, Arc<PondTable>>>,
    paths: OnceCell<Vec<String>>,
    history: RwLock<Option<Arc<dyn History>>>,
}

impl fmt::Debug for Catalog {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Catalog").field("fs", &self.fs).finish_non_exhaustive()
    }
}

impl Catalog {
    pub(crate) fn new(opener: Arc<Opener>, seen: TimeBounds) -> Self {
        let fs = Fs::new(Arc::clone(&opener.store));
        Self {
            opener,
            fs,
            seen,
            bindings: RwLock::default(),
            tables: Mutex::default(),
            paths: OnceCell::new(),
            history: RwLock::default(),
        }
    }

    pub(crate) fn set_history(&self, history: Arc<dyn History>) {
        *self.history.write().unwrap_or_else(PoisonError::into_inner) = Some(history);
    }

    pub(crate) fn bind(&self, name: &str, binding: Binding) {
        self.bindings
            .write()
            .unwrap_or_else(PoisonError::into_inner)
            .insert(name.to_owned(), binding);
    }

    fn binding(&self, name: &str) -> Option<Binding> {
        self.bindings.read().unwrap_or_else(PoisonError::into_inner).get(name).cloned()
    }

    fn bound_names(&self) -> Vec<String> {
        self.bindings.read().unwrap_or_else(PoisonError::into_inner).keys().cloned().collect()
    }

    /// The table that a name in SQL stands for; `None` when it is neither
    /// bound nor a path.
    pub(crate) async fn resolve(&self, name: &str) -> Result<Option<Arc<dyn TableProvider>>> {
        match self.binding(name) {
            Some(Binding::Table(table)) => Ok(Some(table)),
            Some(Binding::Path { path, version }) => Ok(Some(self.table_at(&path, version).await?)),
            None if name.starts_with('/') => Ok(Some(self.table_at(name, None).await?)),
            None => Ok(None),
        }
    }

    /// The table at a path or glob, or one version of it as stored.
    ///
    /// # Errors
    /// [`Error::NoSuchTable`], [`Error::NoMatch`], [`Error::NotATable`] and
    /// what uniting schemas says.
    pub(crate) async fn table_at(
        &self,
        path: &str,
        version: Option<u64>,
    ) -> Result<Arc<PondTable>> {
        let key = (path.to_owned(), version);
        let found = self.tables.lock().unwrap_or_else(PoisonError::into_inner).get(&key).cloned();
        if let Some(table) = found {
            return Ok(table);
        }
        let table = Arc::new(self.open(path, version).await?);
        self.tables.lock().unwrap_or_else(PoisonError::into_inner).insert(key, Arc::clone(&table));
        Ok(table)
    }

    /// A Parquet file of the host as a table, pruned like a stored one.
    ///
    /// # Errors
    /// [`Error::Undecodable`], and what reading it says.
    pub(crate) async fn host_table(&self, name: &str, file: HostParquet) -> Result<PondTable> {
        let member = Member::host(&self.opener, name, file).await?;
        PondTable::new(name, Arc::clone(&self.opener), vec![member], false, self.seen)
    }

    async fn open(&self, path: &str, version: Option<u64>) -> Result<PondTable> {
        let opener = &self.opener;
        // What is there by this very name comes before what it matches.
        let absent = match self.fs.resolve(path).await {
            Ok(found) => {
                let member = Member::open(opener, &found, version).await?;
                return PondTable::new(path, Arc::clone(opener), vec![member], false, self.seen);
            }
            Err(error) if error.is_absence() => error,
            Err(error) => return Err(error.into()),
        };
        if version.is_some() || !glob::is_pattern(path) {
            return Err(self.no_such_path(path, absent).await);
        }
        let options = GlobOptions { hidden: false, follow: true };
        let mut matches = self.fs.matches(Glob::parse(path)?, options);
        let mut found = Vec::new();
        while let Some(next) = matches.next().await? {
            if next.path.node.entry_type.is_tabular() {
                found.push(next.path);
            }
        }
        // Futures made beforehand: a closure over borrowed paths is not general
        // enough for the compiler here.
        let opening: Vec<_> = found.iter().map(|found| Member::open(opener, found, None)).collect();
        let members: Vec<Member> =
            stream::iter(opening).buffered(CONCURRENT_MEMBERS).try_collect().await?;
        if members.is_empty() {
            return Err(Error::NoMatch { pattern: path.to_owned() });
        }
        PondTable::new(path, Arc::clone(opener), members, true, self.seen)
    }

    /// The error for a path at which nothing is, with what is near.
    async fn no_such_path(&self, path: &str, absent: tinyfs::Error) -> Error {
        let deepest = match &absent {
            tinyfs::Error::NotFound { deepest, .. } => deepest.clone(),
            _ => return absent.into(),
        };
        let missing = path
            .strip_prefix(deepest.trim_end_matches('/'))
            .unwrap_or(path)
            .trim_start_matches('/')
            .split('/')
            .next()
            .unwrap_or_default();
        // The suggestion is a courtesy: without the listing there is none.
        let entries = self.fs.entries(&deepest).await.unwrap_or_default();
        let names = entries.into_iter().map(|entry| String::from(entry.name));
        let nearest = nearest(missing, names, SUGGESTIONS)
            .into_iter()
            .map(|name| tinyfs::path::join(&deepest, &name))
            .collect();
        Error::NoSuchTable { name: path.to_owned(), nearest, deepest: Some(deepest) }
    }

    /// The error for a name that is neither bound nor a path.
    pub(crate) async fn no_such_name(&self, name: &str) -> Error {
        let as_path = format!("/{name}");
        let mut suggestions = Vec::new();
        if self.fs.exists(&as_path).await.unwrap_or(false) {
            suggestions.push(as_path);
        }
        let known = self
            .bound_names()
            .into_iter()
            .chain(system::TABLES.iter().map(|table| format!("{SYSTEM}.{table}")));
        suggestions.extend(nearest(name, known, SUGGESTIONS));
        Error::NoSuchTable { name: name.to_owned(), nearest: suggestions, deepest: None }
    }

    /// The paths of all tables and series, in the order of a walk; walked once.
    ///
    /// # Errors
    /// The store's.
    pub(crate) async fn paths(&self) -> Result<&[String]> {
        let paths = self.paths.get_or_try_init(async || {
            let options = GlobOptions { hidden: true, follow: false };
            let mut matches = self.fs.matches(Glob::parse("/**")?, options);
            let mut paths = Vec::new();
            while let Some(found) = matches.next().await? {
                if found.path.node.entry_type.is_tabular() {
                    paths.push(found.path.path);
                }
            }
            Ok::<_, Error>(paths)
        });
        Ok(paths.await?.as_slice())
    }

    fn listed(&self) -> Vec<String> {
        let mut names = self.bound_names();
        names.extend(self.paths.get().into_iter().flatten().cloned());
        names
    }
}

/// The names most like `wish`, best first, at most `limit`; all of them are
/// near when `limit` is their number.
pub(crate) fn nearest(
    wish: &str,
    names: impl IntoIterator<Item = String>,
    limit: usize,
) -> Vec<String> {
    let wish = wish.to_lowercase();
    let mut scored: Vec<(f64, String)> = names
        .into_iter()
        .map(|name| (strsim::jaro_winkler(&wish, &name.to_lowercase()), name))
        .collect();
    scored.sort_by(|a, b| b.0.total_cmp(&a.0));
    let all = limit >= scored.len() && limit > SUGGESTIONS;
    scored.retain(|(score, _)| all || *score > 0.7);
    scored.truncate(limit);
    scored.into_iter().map(|(_, name)| name).collect()
}

/// Names for queries, or for listings, where what can not be opened is left
/// out with a warning: one broken series must not hide the others.
#[derive(Debug)]
struct Names {
    catalog: Arc<Catalog>,
    listing: bool,
}

#[async_trait]
impl SchemaProvider for Names {
    fn table_names(&self) -> Vec<String> {
        self.catalog.listed()
    }

    async fn table(&self, name: &str) -> DfResult<Option<Arc<dyn TableProvider>>> {
        match self.catalog.resolve(name).await {
            Err(error) if self.listing => {
                let why = error.to_string();
                log_warn!("{name} is not listed: {why}", name, why);
                Ok(None)
            }
            other => Ok(other?),
        }
    }

    async fn table_type(&self, _name: &str) -> DfResult<Option<TableType>> {
        Ok(Some(TableType::Base))
    }

    fn table_exist(&self, name: &str) -> bool {
        name.starts_with('/') || self.catalog.binding(name).is_some()
    }
}

/// What the pond says of itself.
#[derive(Debug)]
struct SystemTables(Arc<Catalog>);

#[async_trait]
impl SchemaProvider for SystemTables {
    fn table_names(&self) -> Vec<String> {
        system::TABLES.iter().map(|&name| name.to_owned()).collect()
    }

    async fn table(&self, name: &str) -> DfResult<Option<Arc<dyn TableProvider>>> {
        let history = self.0.history.read().unwrap_or_else(PoisonError::into_inner).clone();
        Ok(system::table(name, &self.0.fs, history)?)
    }

    fn table_exist(&self, name: &str) -> bool {
        system::TABLES.contains(&name)
    }
}

/// The one catalog of a session.
#[derive(Debug)]
pub(crate) struct PondCatalog {
    catalog: Arc<Catalog>,
    listing: bool,
}

impl PondCatalog {
    pub(crate) fn new(catalog: Arc<Catalog>) -> Self {
        Self { catalog, listing: false }
    }
}

impl CatalogProvider for PondCatalog {
    fn schema_names(&self) -> Vec<String> {
        [PATHS, SYSTEM, INFORMATION_SCHEMA].map(str::to_owned).to_vec()
    }

    fn schema(&self, name: &str) -> Option<Arc<dyn SchemaProvider>> {
        let catalog = Arc::clone(&self.catalog);
        match name {
            PATHS => Some(Arc::new(Names { catalog, listing: self.listing })),
            SYSTEM => Some(Arc::new(SystemTables(catalog))),
            INFORMATION_SCHEMA if !self.listing => {
                let listing = Arc::new(Self { catalog, listing: true });
                Some(Arc::new(InformationSchemaProvider::new(Arc::new(OneCatalog(listing)))))
            }
            _ => None,
        }
    }
}

/// The list that holds one catalog and takes no other.
#[derive(Debug)]
pub(crate) struct OneCatalog(pub(crate) Arc<PondCatalog>);

impl CatalogProviderList for OneCatalog {
    fn register_catalog(
        &self,
        _name: String,
        _catalog: Arc<dyn CatalogProvider>,
    ) -> Option<Arc<dyn CatalogProvider>> {
        None
    }

    fn catalog_names(&self) -> Vec<String> {
        vec![CATALOG.to_owned()]
    }

    fn catalog(&self, name: &str) -> Option<Arc<dyn CatalogProvider>> {
        (name == CATALOG).then(|| Arc::clone(&self.0) as Arc<dyn CatalogProvider>)
    }
}
