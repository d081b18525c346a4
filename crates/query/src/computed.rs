//! Computed tables: what a session asks of whoever computes them.
//!
//! A [`Computer`] turns a computed node into a table over the tables that its
//! [`Inputs`] give it. The session knows nothing of factories, the computer
//! nothing of sessions.
//!
//! Always true: a computed table is planned, never executed, when it is opened;
//! inside it times are never cut by what a session is to see; a node that is
//! computed from itself is an error that names the circle.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use async_trait::async_trait;
use datafusion::catalog::TableProvider;
use tinyfs::{ContentHash, EntryType, NodeId, NodePath, TimeUnit};
use tokio::io::AsyncWrite;

use crate::{Error, Inputs, Result};

/// Nodes on the way from a query to what it reads.
const MAX_LEVELS: usize = 64;

/// Turns computed nodes into tables and bytes.
#[async_trait]
pub trait Computer: fmt::Debug + Send + Sync {
    /// The table of a computed table or series.
    ///
    /// # Errors
    /// What computing it says.
    async fn table(&self, found: &NodePath, inputs: &Inputs) -> Result<ComputedTable>;

    /// Writes the bytes of a computed file that is no table, and returns how
    /// many.
    ///
    /// # Errors
    /// What computing them says; [`Error::Write`] when `out` fails.
    async fn bytes(
        &self,
        found: &NodePath,
        inputs: &Inputs,
        out: &mut (dyn AsyncWrite + Send + Unpin),
    ) -> Result<u64>;
}

/// A table and what is known of how it comes about.
#[derive(Clone, Debug)]
pub struct ComputedTable {
    /// The table.
    pub provider: Arc<dyn TableProvider>,
    /// The column of times, for a series.
    pub time_column: Option<Arc<str>>,
    /// The unit of that column where its type does not tell: of an integer.
    pub time_unit: Option<TimeUnit>,
    /// What it is made of.
    pub lineage: Arc<Lineage>,
    /// What a reader of its columns should know.
    pub notes: Vec<String>,
}

/// What a table is made of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Lineage {
    /// The rows of a stored node.
    Stored {
        /// The node.
        node: NodeId,
        /// Its path.
        path: String,
        /// What it is.
        entry_type: EntryType,
    },
    /// The rows of all that a glob matches.
    Union {
        /// The glob.
        pattern: String,
        /// The members, in the order of their paths.
        members: Vec<Arc<Lineage>>,
    },
    /// What a computer makes of its inputs.
    Computed {
        /// The path.
        path: String,
        /// Hash of the factory, its configuration and the factory's code.
        definition: ContentHash,
        /// Where changes reach.
        locality: Locality,
        /// What it is computed from.
        inputs: Vec<Arc<Lineage>>,
    },
}

impl Lineage {
    /// The paths and globs of what it is about: of what is no node of its own,
    /// such as the transforms of an input, those of its inputs.
    #[must_use]
    pub fn names(&self) -> Vec<String> {
        match self {
            Self::Computed { path, inputs, .. } if !path.starts_with('/') => {
                inputs.iter().flat_map(|input| input.names()).collect()
            }
            Self::Stored { path, .. } | Self::Computed { path, .. } => vec![path.clone()],
            Self::Union { pattern, .. } => vec![pattern.clone()],
        }
    }
}

/// Where a change of input rows at a time can change output rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Locality {
    /// At the same time.
    Same,
    /// From so long before to so long after.
    Within {
        /// Microseconds before.
        before_us: i64,
        /// Microseconds after.
        after_us: i64,
    },
    /// Anywhere.
    Everything,
}

/// The nodes on the way from a query to what it reads, outermost first.
#[derive(Debug, Default)]
pub(crate) struct Chain {
    nodes: Vec<(NodeId, String)>,
    /// Levels below the last of them, as far as they were looked at.
    below: AtomicUsize,
}

impl Chain {
    /// The chain with one more node.
    ///
    /// # Errors
    /// [`Error::Cycle`] when the node is on it; [`Error::TooDeep`].
    pub(crate) fn with(&self, found: &NodePath) -> Result<Self> {
        if let Some(at) = self.nodes.iter().position(|(id, _)| *id == found.id()) {
            let round = self.nodes[at..].iter().map(|(_, path)| path);
            return Err(Error::Cycle { names: round.chain([&found.path]).cloned().collect() });
        }
        self.check(1)?;
        let mut nodes = self.nodes.clone();
        nodes.push((found.id(), found.path.clone()));
        Ok(Self { nodes, below: AtomicUsize::new(0) })
    }

    /// Notes that so many levels lie below the last node. Levels that were
    /// planned before, for another query, count like those of this one.
    ///
    /// # Errors
    /// [`Error::TooDeep`].
    pub(crate) fn reach(&self, levels: usize) -> Result<()> {
        self.check(levels)?;
        self.below.fetch_max(levels, Ordering::SeqCst);
        Ok(())
    }

    /// The levels of the last node and what is below it.
    pub(crate) fn levels(&self) -> usize {
        1 + self.below.load(Ordering::SeqCst)
    }

    fn check(&self, below: usize) -> Result<()> {
        if self.nodes.len() + below > MAX_LEVELS {
            return Err(Error::TooDeep { what: "levels of computed tables", limit: MAX_LEVELS });
        }
        Ok(())
    }
}
