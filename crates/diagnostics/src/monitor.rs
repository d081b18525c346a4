//! Progress as a trait: the library tells, the terminal shows.

use std::fmt;
use std::sync::Arc;

/// What the amounts of a task count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unit {
    /// Bytes.
    Bytes,
    /// Rows of tables.
    Rows,
    /// Files, versions, transactions: whatever the task's name says.
    Items,
}

/// Is told how long work gets on. Implementations must be quick and must not
/// fail: they are called in inner loops.
pub trait Monitor: fmt::Debug + Send + Sync {
    /// A task begins; it takes `total` units where that is known.
    fn begin(&self, task: &str, total: Option<u64>, unit: Unit) -> Box<dyn Progress>;

    /// Something the user should know that is no error.
    fn warn(&self, message: &str);
}

/// One task under way; dropping it ends it.
pub trait Progress: Send + Sync {
    /// `amount` more units are done.
    fn advance(&self, amount: u64);
}

/// Shows nothing.
#[derive(Clone, Copy, Debug, Default)]
pub struct Silent;

impl Monitor for Silent {
    fn begin(&self, _task: &str, _total: Option<u64>, _unit: Unit) -> Box<dyn Progress> {
        Box::new(Self)
    }

    fn warn(&self, _message: &str) {}
}

impl Progress for Silent {
    fn advance(&self, _amount: u64) {}
}

/// A monitor that shows nothing, to pass along.
#[must_use]
pub fn silent() -> Arc<dyn Monitor> {
    Arc::new(Silent)
}
