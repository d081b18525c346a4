//! Where new ids come from: passed in, so that a test repeats exactly.

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};

use uuid::Uuid;

/// A source of ids that are unique and, from one source, ascending.
pub trait IdSource: fmt::Debug + Send + Sync + 'static {
    /// The next id, a UUIDv7 in production.
    fn next_id(&self) -> Uuid;
}

/// Ids that count up from 1, shaped like UUIDv7: for tests and memory stores.
#[derive(Debug, Default)]
pub struct SequentialIds(AtomicU64);

impl IdSource for SequentialIds {
    fn next_id(&self) -> Uuid {
        let count = self.0.fetch_add(1, Ordering::Relaxed) + 1;
        uuid::Builder::from_unix_timestamp_millis(0, &{
            let mut low = [0; 10];
            low[2..].copy_from_slice(&count.to_be_bytes());
            low
        })
        .into_uuid()
    }
}
