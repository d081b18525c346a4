//! Tests of the log's public surface, a module a theme.

mod commits;
mod pond;
