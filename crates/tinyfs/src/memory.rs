//! A store in memory: for tests, and for what need not last.
//!
//! [`MemoryStore`] takes changes, [`MemoryView`] is what it was at one moment.
//!
//! Always true: it keeps the same contract as every other store (see
//! [`contract`](crate::contract)); a view costs nothing to make and never
//! changes; ids come from the source that was passed in.
//!
//! Deliberately not here: a limit. All content is in memory, that being the
//! idea.

mod node;
mod store;
mod tree;
mod view;
mod writer;

pub use node::{MemoryComputed, MemoryDirectory, MemoryFile, MemoryNode, MemorySymlink};
pub use store::MemoryStore;
pub use view::MemoryView;
