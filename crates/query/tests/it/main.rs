//! The pond as tables, over a memory store.

mod bytes;
mod civil;
mod format;
mod globs;
mod hostile;
mod limits;
mod model;
mod plain;
mod pond;
mod schemas;
mod series;
mod system;
