//! The public surface of `factory`, a module a theme.

mod registry;
