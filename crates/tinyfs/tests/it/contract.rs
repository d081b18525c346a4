//! The memory store keeps the contract.

use std::sync::Arc;

use tinyfs::contract::{self, Picture};
use tinyfs::{MemoryStore, WriteStore};

fn store() -> Arc<dyn WriteStore> {
    Arc::new(MemoryStore::new())
}

#[tokio::test]
async fn the_memory_store_keeps_the_contract() {
    contract::all(async || store()).await;
}

#[tokio::test]
async fn a_view_of_the_memory_store_is_consistent_and_does_not_change() {
    let memory = Arc::new(MemoryStore::new());
    let store: Arc<dyn WriteStore> = memory.clone();
    contract::furnish(&store).await;
    let view = Arc::new(memory.snapshot());
    contract::consistent(view.clone()).await;
    let before = Picture::of(&view).await.unwrap();
    assert_eq!(Picture::of(&store).await.unwrap(), before);
    let removed = tinyfs::Fs::new(store.clone()).remove_all("/sizes").await.unwrap();
    assert_eq!(removed, 7);
    assert_ne!(Picture::of(&store).await.unwrap(), before);
    assert_eq!(Picture::of(&view).await.unwrap(), before);
}
