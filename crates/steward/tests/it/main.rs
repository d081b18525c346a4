//! The public surface of a pond.

mod history;
mod life;
mod locking;
mod safety;
mod upkeep;
