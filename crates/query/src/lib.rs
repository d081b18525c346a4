//! The pond as tables: providers, format readers, catalog, SQL sessions.
