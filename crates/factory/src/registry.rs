//! The factories there are: a table that is handed on, never a global.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::{About, Error, Factory, Result};

/// Factories by name.
#[derive(Clone, Debug, Default)]
pub struct Registry(Arc<BTreeMap<&'static str, Arc<dyn Factory>>>);

impl Registry {
    /// A registry of `all`.
    pub fn new(all: impl IntoIterator<Item = Arc<dyn Factory>>) -> Self {
        let all = all.into_iter().map(|factory| (factory.about().name, factory));
        Self(Arc::new(all.collect()))
    }

    /// The factory of this name.
    ///
    /// # Errors
    /// [`Error::NoSuchFactory`] with the name that is nearest.
    pub fn get(&self, name: &str) -> Result<&Arc<dyn Factory>> {
        self.0.get(name).ok_or_else(|| {
            let shown = self.list().filter(|about| !about.hidden).map(|about| about.name);
            let nearest = diagnostics::nearest_one(name, shown).map(str::to_owned);
            Error::NoSuchFactory { name: name.to_owned(), nearest }
        })
    }

    /// All of them, in the order of their names.
    pub fn list(&self) -> impl Iterator<Item = About> {
        self.0.values().map(|factory| factory.about())
    }
}
