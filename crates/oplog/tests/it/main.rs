//! Tests of the log's public surface, a module a theme.

mod commits;
mod damage;
mod durability;
mod items;
mod pond;
mod upkeep;
