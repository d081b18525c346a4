//! What a computed node is computed from.
//!
//! Always true: the tables are those of the session, with all their times; a
//! query over them knows the names that it is given and no others.

use std::collections::BTreeMap;
use std::fmt;
use std::path::Path;
use std::sync::Arc;

use datafusion::catalog::{
    CatalogProvider, CatalogProviderList, MemoryCatalogProvider, MemoryCatalogProviderList,
    MemorySchemaProvider, SchemaProvider, TableProvider,
};
use datafusion::execution::{SessionState, SessionStateBuilder};
use datafusion::logical_expr::LogicalPlan;
use datafusion::prelude::SQLOptions;
use diagnostics::nearest;
use tinyfs::{Fs, Glob, GlobOptions, Match};

use crate::catalog::{CATALOG, Catalog, PATHS};
use crate::computed::Chain;
use crate::format::{self, HostSource, ReadOptions, SourceUrl};
use crate::session::{self, Guarded};
use crate::{ComputedTable, Error, Result, Rows, joins};

/// How many names an error suggests.
const SUGGESTIONS: usize = 3;

/// Tables for a computed node: those of the pond, at all times.
#[derive(Clone)]
pub struct Inputs {
    pub(crate) catalog: Arc<Catalog>,
    pub(crate) chain: Arc<Chain>,
}

impl fmt::Debug for Inputs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Inputs").field("chain", &self.chain).finish_non_exhaustive()
    }
}

impl Inputs {
    /// The pond.
    #[must_use]
    pub fn fs(&self) -> &Fs {
        &self.catalog.fs
    }

    /// The table at a path or glob, stored or computed.
    ///
    /// # Errors
    /// As [`Session::table`](crate::Session::table); [`Error::Cycle`].
    pub async fn table(&self, path_or_glob: &str) -> Result<ComputedTable> {
        self.catalog.input(path_or_glob, &self.chain).await
    }

    /// The tables and series that a glob matches, one by one, in the order of
    /// their paths, each with what its wildcards stand for.
    ///
    /// # Errors
    /// As [`Inputs::table`].
    pub async fn members(&self, glob: &str) -> Result<Vec<(Match, ComputedTable)>> {
        let options = GlobOptions { hidden: false, follow: true };
        let mut matches = self.fs().matches(Glob::parse(glob)?, options);
        let mut members = Vec::new();
        while let Some(found) = matches.next().await? {
            if found.path.node.entry_type.is_tabular() {
                let table = self.catalog.input_at(&found.path, &self.chain).await?;
                members.push((found, table));
            }
        }
        if members.is_empty() {
            return Err(Error::NoMatch { pattern: glob.to_owned() });
        }
        Ok(members)
    }

    /// The rows of several tables, one after another, as those of a glob; each
    /// comes with its path.
    ///
    /// # Errors
    /// What their columns do not agree in.
    pub fn union(pattern: &str, members: &[(String, ComputedTable)]) -> Result<ComputedTable> {
        crate::catalog::union(pattern, None, members)
    }

    /// A Parquet file that was made of what the pond has, pruned like a stored
    /// one. Messages call it `name`.
    ///
    /// # Errors
    /// [`Error::Host`], and what reading it says.
    pub async fn parquet(&self, name: &str, path: &Path) -> Result<Arc<dyn TableProvider>> {
        let host = |error| Error::Host(Arc::new(error));
        let url = format!("parquet:{}", path.display());
        let url = SourceUrl::parse(&url).map_err(|error| host(error.into()))?;
        let source = HostSource::new(url).with_name(name);
        let opened = format::open(source, ReadOptions::default()).await.map_err(host)?;
        let Some(file) = opened.ranges() else {
            unreachable!("a Parquet file is read by ranges");
        };
        Ok(Arc::new(self.catalog.host_table(name, file.map_err(host)?).await?))
    }

    /// Plans a query over `names` alone, within the limits of any query.
    ///
    /// # Errors
    /// As [`Session::sql`](crate::Session::sql).
    pub async fn sql(
        &self,
        text: &str,
        names: BTreeMap<String, Arc<dyn TableProvider>>,
    ) -> Result<LogicalPlan> {
        let statement = session::parse(text)?;
        session::only_queries(&statement)?;
        let known: Vec<String> = names.keys().cloned().collect();
        let state = SessionStateBuilder::new_from_existing(self.state())
            .with_catalog_list(only(names)?)
            .build();
        let plan = match state.statement_to_plan(statement).await {
            Ok(plan) => plan,
            Err(error) => {
                return Err(match session::missing_table(&error) {
                    Some(name) => {
                        let nearest = nearest(&name, known, SUGGESTIONS);
                        Error::NoSuchTable { name, nearest, deepest: None }
                    }
                    None => error.into(),
                });
            }
        };
        SQLOptions::new()
            .with_allow_ddl(false)
            .with_allow_dml(false)
            .with_allow_statements(false)
            .verify_plan(&plan)?;
        // Types are settled here, so that the schema of the plan is that of its
        // rows.
        let config = state.config_options();
        Ok(state.analyzer().execute_and_check(plan, config, |_, _| {})?)
    }

    /// The state in which plans are made and run. It knows functions and
    /// limits, and no names.
    #[must_use]
    pub fn state(&self) -> SessionState {
        self.catalog.state().clone()
    }

    /// Runs a plan within the memory and the temporary space of the session.
    ///
    /// # Errors
    /// As [`Session::sql`](crate::Session::sql).
    pub async fn run(&self, plan: LogicalPlan) -> Result<Rows> {
        self.runner().run(plan).await
    }

    /// What runs plans, for a table that keeps it.
    #[must_use]
    pub fn runner(&self) -> Runner {
        Runner { state: self.state(), memory_limit_bytes: self.catalog.memory_limit_bytes() }
    }
}

/// Runs plans within the memory and the temporary space of a session.
///
/// It knows no tables, so that a table that the session keeps can keep it.
#[derive(Clone)]
pub struct Runner {
    state: SessionState,
    memory_limit_bytes: Option<usize>,
}

impl fmt::Debug for Runner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Runner").finish_non_exhaustive()
    }
}

impl Runner {
    /// The same, that reads one piece after another, so that rows without an
    /// order of their own come as they lie.
    #[must_use]
    pub fn in_order(mut self) -> Self {
        self.state.config_mut().options_mut().execution.target_partitions = 1;
        self
    }

    /// The same, with something for the tables that it plans: they find it in
    /// the configuration of the session.
    #[must_use]
    pub fn with<T: Send + Sync + 'static>(mut self, extension: Arc<T>) -> Self {
        self.state.config_mut().set_extension(extension);
        self
    }

    /// Runs a plan.
    ///
    /// # Errors
    /// As [`Session::sql`](crate::Session::sql).
    pub async fn run(&self, plan: LogicalPlan) -> Result<Rows> {
        let limit = self.memory_limit_bytes;
        let stream = joins::start(&self.state, &plan, limit.is_some()).await?;
        Ok(Rows { stream: Box::pin(Guarded::new(stream, None, limit)) })
    }
}

/// A catalog of these names.
fn only(names: BTreeMap<String, Arc<dyn TableProvider>>) -> Result<Arc<dyn CatalogProviderList>> {
    let schema = MemorySchemaProvider::new();
    for (name, table) in names {
        schema.register_table(name, table)?;
    }
    let catalog = MemoryCatalogProvider::new();
    catalog.register_schema(PATHS, Arc::new(schema))?;
    let list = MemoryCatalogProviderList::new();
    list.register_catalog(CATALOG.to_owned(), Arc::new(catalog));
    Ok(Arc::new(list))
}
