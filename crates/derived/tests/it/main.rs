//! The public surface of `derived`, a module a theme.

mod registry;
