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
use datafusion::common::runtime::SpawnedTask;
use datafusion::error::{DataFusionError, Result as DfResult};
use datafusion::execution::SessionState;
use datafusion::execution::memory_pool::MemoryLimit;
use datafusion::logical_expr::TableType;
use diagnostics::nearest;
use futures::stream::{self, StreamExt, TryStreamExt};
use tinyfs::{EntryType, Fs, Glob, GlobOptions, NodeId, NodePath, TimeUnit, glob};
use tokio::io::AsyncWrite;
use tokio::sync::OnceCell;

use crate::bounds::{bounded_as_declared, bounded_to};
use crate::computed::Chain;
use crate::format::HostParquet;
use crate::left_out::LeftOut;
use crate::provider::{Member, Opener, PondTable, union_of};
use crate::system::{self, History};
use crate::{ComputedTable, Computer, Error, Inputs, Lineage, Result, TimeBounds};

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

/// A table that was opened.
#[derive(Clone, Debug)]
pub(crate) enum Opened {
    /// Stored nodes alone.
    Stored(Arc<PondTable>),
    /// A computed node, or a glob with some among its members.
    Computed(ComputedTable),
}

impl Opened {
    pub(crate) fn provider(&self) -> Arc<dyn TableProvider> {
        match self {
            Self::Stored(table) => Arc::clone(table) as _,
            Self::Computed(table) => Arc::clone(&table.provider),
        }
    }
}

/// A path or glob, the version asked for, and the times to be seen.
type Asked = (String, Option<u64>, TimeBounds);

/// Resolves names for one session.
pub(crate) struct Catalog {
    pub(crate) opener: Arc<Opener>,
    pub(crate) fs: Fs,
    state: SessionState,
    seen: TimeBounds,
    bindings: RwLock<BTreeMap<String, Binding>>,
    /// Each with the levels of computed nodes that it has.
    tables: Mutex<HashMap<Asked, (Opened, usize)>>,
    computer: RwLock<Option<Arc<dyn Computer>>>,
    /// Computed nodes with all their times, so that one that is met twice is
    /// planned once, and their levels.
    computed: Mutex<HashMap<NodeId, (ComputedTable, usize)>>,
    paths: OnceCell<Vec<String>>,
    left_out: LeftOut,
    history: RwLock<Option<Arc<dyn History>>>,
}

impl fmt::Debug for Catalog {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Catalog").field("fs", &self.fs).finish_non_exhaustive()
    }
}

impl Catalog {
    pub(crate) fn new(opener: Arc<Opener>, state: SessionState, seen: TimeBounds) -> Self {
        let fs = Fs::new(Arc::clone(&opener.store));
        Self {
            opener,
            fs,
            state,
            seen,
            bindings: RwLock::default(),
            tables: Mutex::default(),
            computer: RwLock::default(),
            computed: Mutex::default(),
            paths: OnceCell::new(),
            left_out: LeftOut::default(),
            history: RwLock::default(),
        }
    }

    pub(crate) fn set_history(&self, history: Arc<dyn History>) {
        *self.history.write().unwrap_or_else(PoisonError::into_inner) = Some(history);
    }

    pub(crate) fn set_computer(&self, computer: Arc<dyn Computer>) {
        *self.computer.write().unwrap_or_else(PoisonError::into_inner) = Some(computer);
    }

    fn computer(&self) -> Option<Arc<dyn Computer>> {
        self.computer.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The functions and limits of the session, without a name.
    pub(crate) const fn state(&self) -> &SessionState {
        &self.state
    }

    pub(crate) fn memory_limit_bytes(&self) -> Option<usize> {
        match self.state.runtime_env().memory_pool.memory_limit() {
            MemoryLimit::Finite(limit) => Some(limit),
            _ => None,
        }
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
    pub(crate) async fn resolve(
        self: &Arc<Self>,
        name: &str,
    ) -> Result<Option<Arc<dyn TableProvider>>> {
        let opened = match self.binding(name) {
            Some(Binding::Table(table)) => return Ok(Some(table)),
            Some(Binding::Path { path, version }) => self.table_at(&path, version).await?,
            None if name.starts_with('/') => self.table_at(name, None).await?,
            None => return Ok(None),
        };
        Ok(Some(opened.provider()))
    }

    /// The table at a path or glob, or one version of it as stored.
    ///
    /// # Errors
    /// [`Error::NoSuchTable`], [`Error::NoMatch`], [`Error::NotATable`] and
    /// what uniting schemas says.
    pub(crate) async fn table_at(
        self: &Arc<Self>,
        path: &str,
        version: Option<u64>,
    ) -> Result<Opened> {
        self.opened(path, version, self.seen, &Arc::default()).await
    }

    /// The table at a path or glob, with all its times, for the node at the end
    /// of `chain`.
    ///
    /// # Errors
    /// As [`Catalog::table_at`]; [`Error::Cycle`], [`Error::TooDeep`].
    pub(crate) async fn input(
        self: &Arc<Self>,
        path: &str,
        chain: &Arc<Chain>,
    ) -> Result<ComputedTable> {
        let opened = self.opened(path, None, TimeBounds::ALL, chain).await?;
        Ok(match opened {
            Opened::Computed(table) => table,
            Opened::Stored(table) => as_input(path, table),
        })
    }

    /// As [`Catalog::input`], for a node that is found.
    pub(crate) async fn input_at(
        self: &Arc<Self>,
        found: &NodePath,
        chain: &Arc<Chain>,
    ) -> Result<ComputedTable> {
        match self.computed(found, TimeBounds::ALL, chain).await? {
            Some((table, _)) => Ok(table),
            None => self.input(&found.path, chain).await,
        }
    }

    async fn opened(
        self: &Arc<Self>,
        path: &str,
        version: Option<u64>,
        seen: TimeBounds,
        chain: &Arc<Chain>,
    ) -> Result<Opened> {
        let key = (path.to_owned(), version, seen);
        let found = self.tables.lock().unwrap_or_else(PoisonError::into_inner).get(&key).cloned();
        if let Some((table, levels)) = found {
            chain.reach(levels)?;
            return Ok(table);
        }
        let (table, levels) = self.open(path, version, seen, chain).await?;
        let known = (table.clone(), levels);
        self.tables.lock().unwrap_or_else(PoisonError::into_inner).insert(key, known);
        Ok(table)
    }

    /// The table of a computed node and its levels; `None` where the node is
    /// stored, or nobody computes.
    async fn computed(
        self: &Arc<Self>,
        found: &NodePath,
        seen: TimeBounds,
        chain: &Arc<Chain>,
    ) -> Result<Option<(ComputedTable, usize)>> {
        let entry_type = found.node.entry_type;
        if !matches!(entry_type, EntryType::DynamicTable | EntryType::DynamicSeries) {
            return Ok(None);
        }
        let Some(computer) = self.computer() else { return Ok(None) };
        let known = || self.computed.lock().unwrap_or_else(PoisonError::into_inner);
        let id = found.id();
        let planned = known().get(&id).cloned();
        let (table, levels) = match planned {
            Some(known) => known,
            None => {
                let longer = Arc::new(chain.with(found)?);
                let inputs = Inputs { catalog: Arc::clone(self), chain: Arc::clone(&longer) };
                // A task of its own, so that each level begins with an empty
                // stack: levels are many, and a level is deep.
                let node = found.clone();
                let planning =
                    SpawnedTask::spawn(async move { computer.table(&node, &inputs).await });
                let table = planning.join_unwind().await.map_err(stopped)??;
                let table = bounded_as_declared(table, &found.node.attributes)?;
                let planned = (table, longer.levels());
                known().insert(id, planned.clone());
                planned
            }
        };
        chain.reach(levels)?;
        Ok(Some((bounded_to(table, seen)?, levels)))
    }

    /// Writes the bytes of a computed file and returns how many; `None` where
    /// nobody computes.
    ///
    /// # Errors
    /// The computer's.
    pub(crate) async fn computed_bytes(
        self: &Arc<Self>,
        found: &NodePath,
        out: &mut (dyn AsyncWrite + Send + Unpin),
    ) -> Result<Option<u64>> {
        let Some(computer) = self.computer() else { return Ok(None) };
        let chain = Arc::new(Chain::default().with(found)?);
        let inputs = Inputs { catalog: Arc::clone(self), chain };
        computer.bytes(found, &inputs, out).await.map(Some)
    }

    /// A Parquet file of the host as a table, pruned like a stored one.
    ///
    /// # Errors
    /// [`Error::Undecodable`], and what reading it says.
    pub(crate) async fn host_table(&self, name: &str, file: HostParquet) -> Result<PondTable> {
        let member = Member::host(&self.opener, name, file).await?;
        PondTable::new(name, Arc::clone(&self.opener), vec![member], false, self.seen)
    }

    async fn open(
        self: &Arc<Self>,
        path: &str,
        version: Option<u64>,
        seen: TimeBounds,
        chain: &Arc<Chain>,
    ) -> Result<(Opened, usize)> {
        let opener = &self.opener;
        // What is there by this very name comes before what it matches.
        let absent = match self.fs.resolve(path).await {
            Ok(found) => {
                if version.is_none()
                    && let Some((table, levels)) = self.computed(&found, seen, chain).await?
                {
                    return Ok((Opened::Computed(table), levels));
                }
                let member = Member::open(opener, &found, version).await?;
                let table = PondTable::new(path, Arc::clone(opener), vec![member], false, seen)?;
                return Ok((Opened::Stored(Arc::new(table)), 0));
            }
            Err(error) if error.is_absence() => error,
            Err(error) => return Err(error.into()),
        };
        if version.is_some() || !glob::is_pattern(path) {
            return Err(self.no_such_path(path, absent).await);
        }
        let options = GlobOptions { hidden: false, follow: true };
        let mut matches = self.fs.matches(Glob::parse(path)?, options);
        let mut stored = Vec::new();
        let mut computed = Vec::new();
        let mut deepest = 0;
        while let Some(next) = matches.next().await? {
            if !next.path.node.entry_type.is_tabular() {
                continue;
            }
            match self.computed(&next.path, seen, chain).await? {
                Some((table, levels)) => {
                    deepest = deepest.max(levels);
                    computed.push((next.path.path, table));
                }
                None => stored.push(next.path),
            }
        }
        // Futures made beforehand: a closure over borrowed paths is not general
        // enough for the compiler here.
        let opening: Vec<_> =
            stored.iter().map(|found| Member::open(opener, found, None)).collect();
        let members: Vec<Member> =
            stream::iter(opening).buffered(CONCURRENT_MEMBERS).try_collect().await?;
        if members.is_empty() && computed.is_empty() {
            return Err(Error::NoMatch { pattern: path.to_owned() });
        }
        let stored = match members.is_empty() {
            true => None,
            false => {
                let table = PondTable::new(path, Arc::clone(opener), members, true, seen)?;
                Some(Arc::new(table))
            }
        };
        match stored {
            Some(stored) if computed.is_empty() => Ok((Opened::Stored(stored), 0)),
            stored => {
                let table = union(path, stored.as_ref(), &computed)?;
                Ok((Opened::Computed(table), deepest))
            }
        }
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
            let mut matches = self.fs.matches(Glob::parse("/**")?, options).past_failures();
            let mut paths = Vec::new();
            while let Some(found) = matches.next().await? {
                if found.path.node.entry_type.is_tabular() {
                    paths.push(found.path.path);
                }
            }
            for (path, error) in matches.take_failures() {
                self.left_out.note(&path, error.into());
            }
            Ok::<_, Error>(paths)
        });
        Ok(paths.await?.as_slice())
    }

    /// What listings left out.
    pub(crate) const fn left_out(&self) -> &LeftOut {
        &self.left_out
    }

    fn listed(&self) -> Vec<String> {
        let mut names = self.bound_names();
        names.extend(self.paths.get().into_iter().flatten().cloned());
        names
    }
}

/// The error of a planning that was ended from outside.
fn stopped(error: tokio::task::JoinError) -> Error {
    Error::from(DataFusionError::ExecutionJoin(Box::new(error)))
}

/// Stored rows as the input of a computed node.
fn as_input(path: &str, table: Arc<PondTable>) -> ComputedTable {
    let mut members: Vec<_> = table.members().iter().filter_map(member_lineage).collect();
    let lineage = match table.is_glob() {
        false if members.len() == 1 => members.remove(0),
        _ => Arc::new(Lineage::Union { pattern: path.to_owned(), members }),
    };
    let (time_column, time_unit) = table.time();
    let notes = table.notes().to_vec();
    ComputedTable { provider: table, time_column, time_unit, lineage, notes }
}

/// What the rows of a member are; `None` for a file of the host.
fn member_lineage(member: &Member) -> Option<Arc<Lineage>> {
    let entry_type = if member.spec.is_some() { EntryType::Series } else { EntryType::Table };
    let (node, path) = (member.node?, member.path.to_string());
    Some(Arc::new(Lineage::Stored { node, path, entry_type }))
}

/// The union of what a glob matches, some of it computed.
pub(crate) fn union(
    pattern: &str,
    stored: Option<&Arc<PondTable>>,
    computed: &[(String, ComputedTable)],
) -> Result<ComputedTable> {
    let mut members: Vec<(&str, Arc<Lineage>)> =
        computed.iter().map(|(path, table)| (path.as_str(), Arc::clone(&table.lineage))).collect();
    let own = stored.into_iter().flat_map(|table| table.members());
    members.extend(own.filter_map(|member| Some((member.path.as_ref(), member_lineage(member)?))));
    members.sort_by(|a, b| a.0.cmp(b.0));
    let members = members.into_iter().map(|(_, lineage)| lineage).collect();

    // The times of all, where all have them in one column.
    let times = computed.iter().map(|(_, table)| (table.time_column.clone(), table.time_unit));
    let mut times = times.chain(stored.map(|table| table.time()));
    let first: (Option<Arc<str>>, Option<TimeUnit>) = times.next().unwrap_or_default();
    let (time_column, time_unit) = if times.all(|one| one == first) { first } else { (None, None) };

    let (provider, notes) = union_of(stored.cloned(), computed)?;
    let lineage = Arc::new(Lineage::Union { pattern: pattern.to_owned(), members });
    Ok(ComputedTable { provider, time_column, time_unit, lineage, notes })
}

/// All names, those most like `wish` first.
pub(crate) fn by_likeness(wish: &str, names: impl IntoIterator<Item = String>) -> Vec<String> {
    let wish = wish.to_lowercase();
    let mut scored: Vec<(f64, String)> = names
        .into_iter()
        .map(|name| (strsim::jaro_winkler(&wish, &name.to_lowercase()), name))
        .collect();
    scored.sort_by(|a, b| b.0.total_cmp(&a.0));
    scored.into_iter().map(|(_, name)| name).collect()
}

/// Names for queries, or for listings, where what can not be opened is left
/// out and noted: one broken series must not hide the others.
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
                self.catalog.left_out.note(name, error);
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
        Ok(system::table(name, &self.0.fs, history, self.0.left_out.clone())?)
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
