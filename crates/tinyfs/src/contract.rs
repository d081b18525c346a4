//! What every store must do, as functions that any store can be put through.
//!
//! A store that takes changes is put through [`all`], which asks for a fresh
//! one for each rule. A store that is only read is put through [`consistent`]
//! with whatever it holds. To see that a store keeps what it was given (across
//! a reopen, a compaction, a copy), make [`furnish`] fill it, take a
//! [`Picture`] before and after, and compare.
//!
//! Always true: each function states one rule in its name and doc, and panics
//! with what broke it; nothing outlives the call.
//!
//! Deliberately not here: when changes become visible to others, durability and
//! speed, on which stores differ.

mod content;
mod furnish;
mod names;
mod picture;
mod reads;

use std::sync::Arc;

pub use content::*;
pub use furnish::furnish;
pub use names::*;
pub use picture::{Picture, Pictured, PicturedVersion};
pub use reads::*;

use crate::{Attributes, EntryType, Fs, Name, NewNode, NewVersion, NodeId, WriteStore};

/// The store that a rule is put to: fresh, with an empty root.
type Subject = Arc<dyn WriteStore>;

/// Puts stores through every rule; `make` makes one with an empty root each
/// time.
///
/// # Panics
/// When a rule is broken.
pub async fn all(make: impl AsyncFn() -> Arc<dyn WriteStore>) {
    names(&make).await;
    contents(&make).await;
    let store = make().await;
    furnish(&store).await;
    consistent(store).await;
}

async fn names(make: &impl AsyncFn() -> Subject) {
    a_fresh_store_is_an_empty_root(make().await).await;
    listings_are_ordered_by_the_bytes_of_names(make().await).await;
    any_name_is_kept_as_it_was_given(make().await).await;
    many_names_fit_into_a_directory(make().await).await;
    a_taken_name_is_refused_and_nothing_changes(make().await).await;
    only_directories_hold_names(make().await).await;
    unlink_takes_the_name_away(make().await).await;
    unlink_refuses_what_is_not_there_or_not_empty(make().await).await;
    a_name_can_be_used_again_for_another_node(make().await).await;
    rename_keeps_the_node(make().await).await;
    rename_refuses_a_missing_or_taken_name(make().await).await;
    a_directory_moves_with_what_is_in_it(make().await).await;
    symlinks_are_kept_as_written(make().await).await;
    unknown_nodes_are_errors(make().await).await;
}

async fn contents(make: &impl AsyncFn() -> Subject) {
    a_name_and_its_first_version_appear_together(make().await).await;
    versions_are_dense_and_never_change(make().await).await;
    content_of_every_size_comes_back(make().await).await;
    entry_types_and_properties_are_kept_at_every_size(make().await).await;
    content_written_in_pieces_is_the_same_content(make().await).await;
    the_same_content_can_be_named_twice(make().await).await;
    finished_content_can_be_read_before_it_is_named(make().await).await;
    bytes_written_so_far_stay_readable(make().await).await;
    a_dropped_writer_leaves_nothing(make().await).await;
    content_that_is_never_named_leaves_nothing(make().await).await;
    content_of_another_store_is_refused(make().await).await;
    directories_and_symlinks_take_no_versions(make().await).await;
    attributes_are_replaced_and_make_no_version(make().await).await;
    computed_nodes_keep_their_factory(make().await).await;
}

/// A name that is known to be one.
fn name(text: &str) -> Name {
    Name::new(text).expect("a name")
}

/// `size` bytes that differ with `seed` and do not repeat soon.
fn noise(size: usize, seed: u64) -> Vec<u8> {
    let mut state = seed ^ 0x9e37_79b9_7f4a_7c15;
    let mut next = || {
        // xorshift64: enough that no two sizes or seeds share a beginning.
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 32) as u8
    };
    (0..size).map(|_| next()).collect()
}

/// A version of these bytes, whose content is in the store already.
async fn version(store: &Subject, bytes: &[u8]) -> NewVersion {
    let fs = Fs::new(Arc::clone(store));
    NewVersion::bytes(fs.content(bytes).await.expect("content is written"))
}

/// A new `file:data` in a directory.
async fn new_file(store: &Subject, dir: NodeId, called: &str, bytes: &[u8]) -> NodeId {
    let version = version(store, bytes).await;
    let (entry_type, attributes) = (EntryType::Data, Attributes::new());
    let node = NewNode::File { entry_type, attributes, version };
    store.create(dir, &name(called), node).await.expect("a file is made")
}

/// A new directory in a directory.
async fn new_dir(store: &Subject, dir: NodeId, called: &str) -> NodeId {
    store.create(dir, &name(called), NewNode::Directory).await.expect("a directory is made")
}

/// Names in a directory, as listed.
async fn listed(store: &Subject, dir: NodeId) -> Vec<String> {
    let entries = store.list(dir).await.expect("a directory is listed");
    entries.into_iter().map(|entry| entry.name.into()).collect()
}

/// Fails unless `$result` is the error of this form.
macro_rules! assert_error {
    ($result:expr, $pattern:pat $(if $guard:expr)?) => {{
        let result = $result;
        assert!(
            matches!(&result, Err($pattern) $(if $guard)?),
            "wanted {}, got {result:?}",
            stringify!($pattern),
        );
    }};
}
use assert_error;
