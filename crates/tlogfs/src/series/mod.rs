//! What a version of a series must be, and what is noted of it.

pub(crate) mod order;
pub(crate) mod schema;
pub(crate) mod time_column;
