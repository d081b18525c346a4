//! One set of features for the dependencies of every crate.
//!
//! Every crate that links DataFusion names this one (among its development
//! dependencies where that is enough), so that `cargo test -p CRATE` and
//! `cargo build -p CRATE` find what building the workspace has built. There is
//! no code here.
