//! What a factory is.
//!
//! Implementers write plain functions of a configuration; none of them keeps
//! state between calls.

use std::fmt;

use async_trait::async_trait;
use futures::FutureExt;
use futures::future::LocalBoxFuture;
use tinyfs::{EntryType, Fs, Name};

use crate::{Config, Error, Result, RunContext, RunReport};

/// Makes nodes of one kind out of their configurations.
#[async_trait]
pub trait Factory: fmt::Debug + Send + Sync + 'static {
    /// What it is, for people and for editors.
    fn about(&self) -> About;

    /// Checks a configuration as a whole, without a look at the pond, and says
    /// what a node with it is: one of the dynamic types.
    ///
    /// # Errors
    /// [`Error::Config`] names the field.
    fn check(&self, config: &Config) -> Result<EntryType>;

    /// The entries of a directory with this configuration; none unless the
    /// factory makes directories. The order does not matter.
    ///
    /// # Errors
    /// What the factory says.
    async fn children(&self, look: &Look, config: &Config) -> Result<Vec<Child>> {
        let _ = (look, config);
        Ok(Vec::new())
    }

    /// Does what the node does when it is run.
    ///
    /// # Errors
    /// [`Error::NotRunnable`] unless the factory does something.
    fn run<'a>(&'a self, context: RunContext<'a>) -> LocalBoxFuture<'a, Result<RunReport>> {
        let path = context.path.to_owned();
        let factory = self.about().name.to_owned();
        async move { Err(Error::NotRunnable { path, factory }) }.boxed_local()
    }
}

/// What a factory says of itself.
#[derive(Clone, Debug)]
pub struct About {
    /// Its name, as configurations give it.
    pub name: &'static str,
    /// What it makes, in one line.
    pub summary: &'static str,
    /// The JSON Schema of its configuration.
    pub schema: serde_json::Value,
    /// A configuration that works, in YAML.
    pub example: &'static str,
    /// Fields that are templates themselves, so that none is expanded in them.
    pub raw: &'static [&'static str],
    /// Whether its nodes do something when they are run.
    pub runs: bool,
    /// Whether only other factories make its nodes.
    pub hidden: bool,
}

/// An entry of a computed directory.
#[derive(Clone, Debug)]
pub struct Child {
    /// Its name.
    pub name: Name,
    /// The factory that makes it.
    pub factory: String,
    /// What it is.
    pub entry_type: EntryType,
    /// Its configuration.
    pub config: Config,
}

/// What a directory may look at while it is listed.
#[derive(Clone, Debug)]
pub struct Look {
    /// The pond, through which the directory can not see itself.
    pub fs: Fs,
    /// The directory's path.
    pub path: String,
}
