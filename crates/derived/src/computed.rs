//! Computes nodes for a session: finds the planner of a node's factory and
//! gives it the node's configuration and its inputs.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

use async_trait::async_trait;
use datafusion::catalog::TableProvider;
use factory::{Config, Registry};
use query::{ComputedTable, Computer, Inputs, Lineage, Locality};
use tinyfs::{ContentHash, EntryType, NodePath, TimeUnit};
use tokio::io::{AsyncWrite, AsyncWriteExt};

use crate::factories::planner;
use crate::parsed::Parsed;
use crate::reduce::Tiles;
use crate::{Error, Result};

/// Changes when what a factory computes from the same inputs changes.
const CODE_VERSION: u32 = 1;

/// Where results may be kept, and what the computer may know of its host.
#[derive(Clone)]
pub struct Place {
    /// The directory of what can be computed again; `None` keeps nothing.
    pub cache: Option<PathBuf>,
    /// The directory of files of the pond as they were read in their formats.
    /// They are kept by their content, and so hold for every state of a pond;
    /// `None` keeps them no longer than the computer lives.
    pub formats: Option<PathBuf>,
    /// Where temporary files may lie.
    pub temp_dir: PathBuf,
    /// The pond's id.
    pub pond: uuid::Uuid,
    /// The time, in microseconds since 1970 UTC.
    pub now_us: Arc<dyn Fn() -> i64 + Send + Sync>,
}

impl fmt::Debug for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Place").field("cache", &self.cache).finish_non_exhaustive()
    }
}

/// Computes the nodes of the factories of this crate.
#[derive(Debug)]
pub struct Derived {
    registry: Registry,
    place: Place,
    tiles: Arc<Tiles>,
    parsed: Parsed,
}

impl Derived {
    /// A computer that knows the factories of `registry`.
    #[must_use]
    pub fn new(registry: Registry, place: Place) -> Arc<Self> {
        let (tiles, parsed) = (Arc::new(Tiles::new(&place)), Parsed::new(&place));
        Arc::new(Self { registry, place, tiles, parsed })
    }

    /// The tiles of reductions.
    #[must_use]
    pub const fn tiles(&self) -> &Arc<Tiles> {
        &self.tiles
    }

    /// Files of the pond that were read in their formats.
    pub(crate) const fn parsed(&self) -> &Parsed {
        &self.parsed
    }

    /// The factories.
    #[must_use]
    pub const fn registry(&self) -> &Registry {
        &self.registry
    }

    /// Where results may be kept.
    #[must_use]
    pub const fn place(&self) -> &Place {
        &self.place
    }
}

/// Plans the nodes of one factory.
#[async_trait]
pub(crate) trait Planner: Sync {
    /// The table of `node`. Unless a factory makes one its nodes are no tables.
    async fn plan(
        &self,
        node: &NodePath,
        config: &Config,
        inputs: &Inputs,
        derived: &Derived,
    ) -> Result<Planned> {
        let _ = (config, inputs, derived);
        Err(not_a_table(node))
    }

    /// The bytes of `node`, where it is a file that is no table. Unless a
    /// factory makes others they are its configuration.
    async fn bytes(
        &self,
        node: &NodePath,
        config: &Config,
        inputs: &Inputs,
        derived: &Derived,
        out: &mut (dyn AsyncWrite + Send + Unpin),
    ) -> Result<u64> {
        let _ = (node, inputs, derived);
        write_all(config.bytes(), out).await
    }
}

fn not_a_table(node: &NodePath) -> Error {
    let (path, actual) = (node.path.clone(), node.node.entry_type);
    query::Error::NotATable { path, actual }.into()
}

/// Writes `bytes` to `out`, and returns how many.
pub(crate) async fn write_all(
    bytes: &[u8],
    out: &mut (dyn AsyncWrite + Send + Unpin),
) -> Result<u64> {
    let failed = |error| query::Error::Write(Arc::new(error));
    out.write_all(bytes).await.map_err(failed)?;
    out.flush().await.map_err(failed)?;
    Ok(bytes.len() as u64)
}

/// A table as a factory plans it.
#[derive(Debug)]
pub(crate) struct Planned {
    /// The table.
    pub(crate) provider: Arc<dyn TableProvider>,
    /// The column of times, for a series.
    pub(crate) time_column: Option<Arc<str>>,
    /// The unit of that column where its type does not tell.
    pub(crate) time_unit: Option<TimeUnit>,
    /// What it is made of.
    pub(crate) inputs: Vec<Arc<Lineage>>,
    /// Where changes reach.
    pub(crate) locality: Locality,
    /// What a reader of the columns should know.
    pub(crate) notes: Vec<String>,
}

#[async_trait]
impl Computer for Derived {
    async fn table(&self, found: &NodePath, inputs: &Inputs) -> query::Result<ComputedTable> {
        self.plan(found, inputs).await.map_err(|error| at(found, error))
    }

    async fn bytes(
        &self,
        found: &NodePath,
        inputs: &Inputs,
        out: &mut (dyn AsyncWrite + Send + Unpin),
    ) -> query::Result<u64> {
        let bytes = async {
            let (config, planner) = self.definition(found, inputs).await?;
            match planner {
                Some(planner) => planner.bytes(found, &config, inputs, self, out).await,
                None => write_all(config.bytes(), out).await,
            }
        };
        bytes.await.map_err(|error| at(found, error))
    }
}

impl Derived {
    async fn plan(&self, found: &NodePath, inputs: &Inputs) -> Result<ComputedTable> {
        let (config, planner) = self.definition(found, inputs).await?;
        let Some(planner) = planner else { return Err(not_a_table(found)) };
        let planned = planner.plan(found, &config, inputs, self).await?;
        let factory = found.node.factory.as_deref().unwrap_or_default();
        let time_column = match found.node.entry_type {
            EntryType::DynamicSeries => planned.time_column,
            _ => None,
        };
        Ok(ComputedTable {
            provider: planned.provider,
            time_column,
            time_unit: planned.time_unit,
            lineage: Arc::new(Lineage::Computed {
                path: found.path.clone(),
                definition: definition_hash(factory, &config),
                locality: planned.locality,
                inputs: planned.inputs,
            }),
            notes: planned.notes,
        })
    }

    /// The node's configuration and what plans it.
    async fn definition(
        &self,
        found: &NodePath,
        inputs: &Inputs,
    ) -> Result<(Config, Option<&'static dyn Planner>)> {
        let factory = found.node.factory.as_deref().unwrap_or_default();
        self.registry.get(factory)?;
        Ok((read_config(found, inputs).await?, planner(factory)))
    }
}

/// The configuration of a computed node.
pub(crate) async fn read_config(found: &NodePath, inputs: &Inputs) -> Result<Config> {
    Ok(factory::read_config(inputs.fs().store(), found).await?)
}

/// The hash of what a node is, whatever it is called and reads.
fn definition_hash(factory: &str, config: &Config) -> ContentHash {
    let text = format!("{factory}\n{}\n{CODE_VERSION}\n", config.hash());
    ContentHash::of(text.as_bytes())
}

/// The error of the node that failed: once, at the innermost.
fn at(found: &NodePath, error: Error) -> query::Error {
    match error {
        Error::Query(
            error @ (query::Error::Computed { .. }
            | query::Error::Cycle { .. }
            | query::Error::TooDeep { .. }),
        ) => error,
        error => query::Error::Computed { path: found.path.clone(), source: Arc::new(error) },
    }
}
