//! The durable log of a pond: rows, commits, replay, large files, maintenance.
