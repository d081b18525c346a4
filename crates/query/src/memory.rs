//! How the operators of a session share its memory.
//!
//! What can spill is treated fairly by DataFusion's pool, a reservation at a
//! time. A sort that spills has two: what it sorts, and what is sorted. So it
//! came to twice its share, and another could not go on. Here the share is the
//! sort's, whatever number of reservations it has.
//!
//! What can not spill takes what is free, and among that is the merge of what a
//! sort has spilled: it opens as many runs at once as it is given memory for.
//! Of several sorts side by side (one a thread, two a join) the first to merge
//! would take all, and the others could not even begin. So each merge has a
//! share of its own, and makes do with fewer runs at once.
//!
//! Always true: a consumer that can spill is given at most its share of what
//! those that can not leave; a merge that is refused more goes on with what it
//! has.

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

/// A pool that keeps sorts and merges from starving each other.
#[derive(Debug)]
pub(crate) struct SharedPool {
    inner: FairSpillPool,
    limit_bytes: usize,
    held: Mutex<Held>,
}

#[derive(Debug, Default)]
struct Held {
    /// What each merge holds, by its consumer's id.
    merges: HashMap<usize, usize>,
    /// What each consumer holds that can spill, by its id.
    spillers: HashMap<usize, usize>,
}

impl Held {
    /// What a consumer holds, where that is counted.
    fn of(&mut self, consumer: &MemoryConsumer) -> Option<&mut usize> {
        let id = consumer.id();
        self.merges.get_mut(&id).or_else(|| self.spillers.get_mut(&id))
    }
}

impl SharedPool {
    pub(crate) fn new(limit_bytes: usize) -> Self {
        Self { inner: FairSpillPool::new(limit_bytes), limit_bytes, held: Mutex::default() }
    }

    fn held(&self) -> MutexGuard<'_, Held> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What one consumer may hold in all; `None` for what is free.
    fn share(&self, held: &Held, consumer: &MemoryConsumer) -> Option<usize> {
        if held.merges.contains_key(&consumer.id()) {
            // What all merges together leave to others is a quarter.
            return Some(self.limit_bytes / 4 * 3 / held.merges.len().max(1));
        }
        held.spillers.contains_key(&consumer.id()).then(|| {
            let spilling: usize = held.spillers.values().sum();
            let fixed = self.inner.reserved().saturating_sub(spilling);
            self.limit_bytes.saturating_sub(fixed) / held.spillers.len().max(1)
        })
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
            self.held().merges.insert(consumer.id(), 0);
        } else if consumer.can_spill() {
            self.held().spillers.insert(consumer.id(), 0);
        }
        self.inner.register(consumer);
    }

    fn unregister(&self, consumer: &MemoryConsumer) {
        self.inner.unregister(consumer);
        let mut held = self.held();
        held.merges.remove(&consumer.id());
        held.spillers.remove(&consumer.id());
    }

    fn grow(&self, reservation: &MemoryReservation, additional: usize) {
        if let Some(held) = self.held().of(reservation.consumer()) {
            *held += additional;
        }
        self.inner.grow(reservation, additional);
    }

    fn shrink(&self, reservation: &MemoryReservation, shrink: usize) {
        if let Some(held) = self.held().of(reservation.consumer()) {
            *held = held.saturating_sub(shrink);
        }
        self.inner.shrink(reservation, shrink);
    }

    fn try_grow(&self, reservation: &MemoryReservation, additional: usize) -> Result<()> {
        let mut held = self.held();
        let consumer = reservation.consumer();
        let share = self.share(&held, consumer);
        let own = held.of(consumer);
        if let (Some(share), Some(own)) = (share, &own)
            && **own + additional > share
        {
            return Err(resources_datafusion_err!(
                "{} holds {own} bytes, and {additional} more would be beyond its share of {share}",
                consumer.name()
            ));
        }
        self.inner.try_grow(reservation, additional)?;
        if let Some(own) = own {
            *own += additional;
        }
        Ok(())
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
    fn what_can_spill_has_one_share_for_all_its_reservations() {
        let pool: Arc<dyn MemoryPool> = Arc::new(SharedPool::new(1000));
        let sort = |name| MemoryConsumer::new(name).with_can_spill(true).register(&pool);
        let (first, second) = (sort("first"), sort("second"));
        first.try_grow(300).unwrap();
        let sorted = first.new_empty();
        assert!(sorted.try_grow(201).is_err());
        sorted.try_grow(200).unwrap();
        second.try_grow(500).unwrap();
        assert_eq!(pool.reserved(), 1000);
        first.free();
        sorted.try_grow(300).unwrap();
    }

    #[test]
    fn others_take_what_is_free() {
        let pool: Arc<dyn MemoryPool> = Arc::new(SharedPool::new(1000));
        let other = MemoryConsumer::new("HashJoinInput").register(&pool);
        other.try_grow(1000).unwrap();
        assert!(merge(&pool, 0).try_grow(1).is_err());
    }
}
