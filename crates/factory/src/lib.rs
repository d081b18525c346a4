//! Computed nodes: what a factory is, how it is configured, and how the
//! directories it makes become names like any other.
//!
//! A computed node is an entry type, the name of a [`Factory`] and a
//! [`Config`]. [`ComputedStore`] gives the computed directories of a store
//! their entries, as nodes that are again these three; whoever looks through it
//! sees one tree.
//!
//! Always true: a configuration that was accepted once reads the same for ever;
//! listing a computed directory writes nothing and always gives the same names
//! over the same view; a circle of directories is an error that names it.
//!
//! Deliberately not here: rows, SQL, and the factories themselves.

mod computed_store;
pub mod config;
mod error;
mod factory;
mod node_config;
mod registry;
mod render;
mod run;
mod template;
mod template_cost;

pub use computed_store::ComputedStore;
pub use config::{Config, ConfigError, Env, Place};
pub use error::{BoxError, Error, Result};
pub use factory::{About, Child, Factory, Look};
pub use node_config::{CONFIG_LIMIT_BYTES, read_config};
pub use registry::Registry;
pub use run::{Appended, Batches, Doors, RunContext, RunReport, Sink, Step};
pub use template::{MAX_TEMPLATE_BYTES, RenderLimits, Template, TemplateFault, template_includes};
