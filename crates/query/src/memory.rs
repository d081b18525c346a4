//! How the operators of a session share its memory.
//!
//! What can spill is treated fairly by DataFusion's pool. What can not takes
//! what is free, and among that is the merge of what a sort has spilled: it
//! opens as many runs at once as it is given memory for. Of several sorts side
//! by side (one a thread, two a join) the first to merge would take all, and
//! the others could not even begin. So each merge has a share of its own, and
//! makes do with fewer runs at once.
//!
//! Always true: the sum of what is granted stays within the limit; a merge that
//! is refused more goes on with what it has.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Mutex, MutexGuard, PoisonError};

use datafusion::common::resources_datafusion_err;
use datafusion::error::Result;
use datafusion::execution::memory_pool::{
    FairSpillPool, MemoryConsumer, MemoryLimit, MemoryPool, MemoryReservation,
};

/// What DataFusion calls the merge of a sort's runs.
const MERGE: &str = "ExternalSorterMerge";

/// A pool that keeps merges from starving each other.
#[derive(Debug)]
pub(crate) struct SharedPool {
    inner: FairSpillPool,
    limit_bytes: usize,
    /// What each merge holds, by its consumer's id.
    merges: Mutex<HashMap<usize, usize>>,
}

impl SharedPool {
    pub(crate) fn new(limit_bytes: usize) -> Self {
        Self { inner: FairSpillPool::new(limit_bytes), limit_bytes, merges: Mutex::default() }
    }

    fn merges(&self) -> MutexGuard<'_, HashMap<usize, usize>> {
        self.merges.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What all merges together leave to others is a quarter.
    fn share(&self, merges: usize) -> usize {
        self.limit_bytes / 4 * 3 / merges.max(1)
    }
}

fn is_merge(consumer: &MemoryConsumer) -> bool {
    consumer.name().starts_with(MERGE)
}

impl fmt::Display for SharedPool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "shared(pool_size: {} bytes)", self.limit_bytes)
    }
}

impl MemoryPool for SharedPool {
    fn name(&self) -> &'static str {
        "shared"
    }

    fn register(&self, consumer: &MemoryConsumer) {
        if is_merge(consumer) {
            self.merges().insert(consumer.id(), 0);
        }
        self.inner.register(consumer);
    }

    fn unregister(&self, consumer: &MemoryConsumer) {
        self.inner.unregister(consumer);
        if is_merge(consumer) {
            self.merges().remove(&consumer.id());
        }
    }

    fn grow(&self, reservation: &MemoryReservation, additional: usize) {
        if let Some(held) = self.merges().get_mut(&reservation.consumer().id()) {
            *held += additional;
        }
        self.inner.grow(reservation, additional);
    }

    fn shrink(&self, reservation: &MemoryReservation, shrink: usize) {
        if let Some(held) = self.merges().get_mut(&reservation.consumer().id()) {
            *held = held.saturating_sub(shrink);
        }
        self.inner.shrink(reservation, shrink);
    }

    fn try_grow(&self, reservation: &MemoryReservation, additional: usize) -> Result<()> {
        let mut merges = self.merges();
        let share = self.share(merges.len());
        if let Some(held) = merges.get_mut(&reservation.consumer().id()) {
            if *held + additional > share {
                return Err(resources_datafusion_err!(
                    "{} holds {held} bytes, and {additional} more would be beyond its share of {share}",
                    reservation.consumer().name()
                ));
            }
            self.inner.try_grow(reservation, additional)?;
            *held += additional;
            return Ok(());
        }
        drop(merges);
        self.inner.try_grow(reservation, additional)
    }

    fn reserved(&self) -> usize {
        self.inner.reserved()
    }

    fn memory_limit(&self) -> MemoryLimit {
        self.inner.memory_limit()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    fn merge(pool: &Arc<dyn MemoryPool>, partition: usize) -> MemoryReservation {
        MemoryConsumer::new(format!("{MERGE}[{partition}]")).register(pool)
    }

    #[test]
    fn merges_side_by_side_have_equal_shares() {
        let pool: Arc<dyn MemoryPool> = Arc::new(SharedPool::new(1000));
        let (first, second) = (merge(&pool, 0), merge(&pool, 1));
        assert!(first.try_grow(376).is_err());
        first.try_grow(375).unwrap();
        second.try_grow(375).unwrap();
        assert_eq!(pool.reserved(), 750);
    }

    #[test]
    fn share_is_counted_over_all_that_a_merge_holds_and_given_back() {
        let pool: Arc<dyn MemoryPool> = Arc::new(SharedPool::new(1000));
        let mut first = merge(&pool, 0);
        first.try_grow(700).unwrap();
        // Memory that moves within a consumer is still its own.
        let moved = first.take();
        assert!(first.try_grow(100).is_err());
        drop(moved);
        first.try_grow(750).unwrap();
    }

    #[test]
    fn others_take_what_is_free() {
        let pool: Arc<dyn MemoryPool> = Arc::new(SharedPool::new(1000));
        let other = MemoryConsumer::new("HashJoinInput").register(&pool);
        other.try_grow(1000).unwrap();
        assert!(merge(&pool, 0).try_grow(1).is_err());
    }
}
