//! The public surface of `factory`, a module a theme.

mod config;
mod registry;
mod secrets;
