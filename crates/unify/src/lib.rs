//! One set of features for the dependencies of every crate.
//!
//! Every crate that links DataFusion names this one among its development
//! dependencies, so that `cargo test -p CRATE` finds what
//! `cargo test --workspace` has built. There is no code here.
