//! Reductions: series cut into buckets of time, in tiles that stay current.
//!
//! - [`resolution`], [`calendar`]: widths of time, what folds from what, and
//!   what lies in one tile.
//! - [`exact_sum`], [`sketch`], [`partial`], [`fold`]: the numbers.
//! - [`build`], [`tile_file`], [`tail`], [`index`], [`tiles`], [`sweep`]: making and
//!   keeping them.
//! - [`columns`], [`table`], [`direct`], [`rounded`]: reading them.
//! - [`config`], [`directory`], [`series`], [`factory`]: the nodes of a pond.
//!
//! Always true: every number of a bucket is a function of the set of rows in
//! it, so what is mended equals what is made anew, to the last bit.

mod build;
mod calendar;
mod columns;
mod config;
mod direct;
mod directory;
mod exact_sum;
mod factory;
mod fold;
mod index;
#[cfg(test)]
mod model;
mod partial;
mod pond_rows;
mod refresh;
mod resolution;
mod rounded;
mod rows;
mod series;
mod sketch;
mod sweep;
mod table;
mod tail;
mod tile_file;
mod tiles;

pub(crate) use build::{ALWAYS, joined};
pub(crate) use directory::out_path;
pub(crate) use factory::{ReducedDirectory, ReducedSeriesFactory, TemporalReduce};
pub(crate) use rounded::ReducedTiles;
pub(crate) use series::ReducedSeries;
pub use sweep::Swept;
pub use tiles::Tiles;
