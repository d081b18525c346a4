//! Random histories of changes, against a plain map.

mod plain;

use std::sync::Arc;

use proptest::prelude::*;
use tinyfs::contract::Picture;
use tinyfs::{Error, Fs, MemoryStore, Result};

use plain::{Outcome, Plain};

#[derive(Clone, Debug)]
enum Change {
    CreateDir(String),
    CreateDirAll(String),
    Write(String, u8),
    Symlink(String, String),
    Remove(String),
    RemoveAll(String),
    Rename(String, String),
}

fn paths() -> impl Strategy<Value = String> {
    "(/[abc]){1,3}|(/[abc]){1,2}/\\.\\./[abc]"
}

fn targets() -> impl Strategy<Value = String> {
    prop_oneof!["[abc]", "(/[abc]){1,2}", "\\.\\./[abc]", "[abc]/", "\\.\\.", "/"]
}

fn changes() -> impl Strategy<Value = Change> {
    prop_oneof![
        2 => paths().prop_map(Change::CreateDir),
        2 => paths().prop_map(Change::CreateDirAll),
        3 => (paths(), any::<u8>()).prop_map(|(path, byte)| Change::Write(path, byte)),
        2 => (targets(), paths()).prop_map(|(target, path)| Change::Symlink(target, path)),
        1 => paths().prop_map(Change::Remove),
        1 => paths().prop_map(Change::RemoveAll),
        2 => (paths(), paths()).prop_map(|(from, to)| Change::Rename(from, to)),
    ]
}

/// What became of a change to the file system, as the model says it.
fn outcome<T>(result: Result<T>) -> Outcome {
    match result {
        Ok(_) => Outcome::Done,
        Err(Error::NotFound { .. }) => Outcome::NotFound,
        Err(Error::NotADirectory { .. }) => Outcome::NotADirectory,
        Err(Error::NotAFile { .. }) => Outcome::NotAFile,
        Err(Error::LinkLoop { .. }) => Outcome::LinkLoop,
        Err(Error::AlreadyExists { .. }) => Outcome::AlreadyExists,
        Err(Error::NotEmpty { .. }) => Outcome::NotEmpty,
        Err(Error::IntoItself { .. }) => Outcome::IntoItself,
        Err(error) => panic!("the model knows no {error:?}"),
    }
}

async fn change_fs(fs: &Fs<MemoryStore>, change: &Change) -> Outcome {
    match change {
        Change::CreateDir(path) => outcome(fs.create_dir(path).await),
        Change::CreateDirAll(path) => outcome(fs.create_dir_all(path).await),
        Change::Write(path, byte) => outcome(fs.write(path, [*byte]).await),
        Change::Symlink(target, path) => outcome(fs.symlink(target, path).await),
        Change::Remove(path) => outcome(fs.remove(path).await),
        Change::RemoveAll(path) => outcome(fs.remove_all(path).await),
        Change::Rename(from, to) => outcome(fs.rename(from, to).await),
    }
}

fn change_plain(plain: &mut Plain, change: &Change) -> Outcome {
    let changed = match change {
        Change::CreateDir(path) => plain.create_dir(path),
        Change::CreateDirAll(path) => plain.create_dir_all(path),
        Change::Write(path, byte) => plain.write(path, *byte),
        Change::Symlink(target, path) => plain.symlink(target, path),
        Change::Remove(path) => plain.remove(path),
        Change::RemoveAll(path) => plain.remove_all(path),
        Change::Rename(from, to) => plain.rename(from, to),
    };
    changed.err().unwrap_or(Outcome::Done)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn a_random_history_matches_a_plain_map(history in prop::collection::vec(changes(), 1..40)) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(async {
            let fs = Fs::new(Arc::new(MemoryStore::new()));
            let mut plain = Plain::new();
            for change in &history {
                let wanted = change_plain(&mut plain, change);
                prop_assert_eq!(change_fs(&fs, change).await, wanted, "{:?}", change);
            }
            let picture = Picture::of(fs.store()).await.unwrap();
            prop_assert_eq!(Plain::of(&picture), plain);
            Ok(())
        })?;
    }
}
