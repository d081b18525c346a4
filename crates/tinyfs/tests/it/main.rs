//! Tests of what `tinyfs` offers, a module a theme.

mod architecture;
mod contract;
mod counting;
mod globs;
mod model;
mod paths;
mod readers;
mod symlinks;
mod tree;
mod writes;
