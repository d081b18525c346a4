//! A new pond of what is left of a damaged one.

use std::fs;
use std::path::{Path, PathBuf};

use steward::{Environment, Error, Pond, SalvageReport};
use testing::{START_US, TestPond};
use tinyfs::{Fs, SeriesSpec};

use super::specimen::{Specimen, read_all};

fn environment() -> Environment {
    Environment::manual(START_US + 1_000_000_000).0
}

async fn salvage(from: &Path, into: &Path) -> Result<SalvageReport, Error> {
    Pond::salvage(from, into, TestPond::intent("pond recover --salvage"), environment()).await
}

fn files(dir: &Path, fits: impl Fn(&str) -> bool) -> Vec<PathBuf> {
    let mut found: Vec<_> = fs::read_dir(dir)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.is_file() && fits(path.file_name().unwrap().to_str().unwrap()))
        .collect();
    found.sort();
    found
}

fn commits(pond: &Path) -> Vec<PathBuf> {
    files(&pond.join("data/_delta_log"), |name| name.ends_with(".json"))
}

/// What stands at every path: type, properties and target.
async fn entries(fs: &Fs) -> Vec<String> {
    let mut found = Vec::new();
    let mut left = vec!["/".to_owned()];
    while let Some(dir) = left.pop() {
        for entry in fs.list(&dir).await.unwrap() {
            let mut line =
                format!("{} {} {:?}", entry.path, entry.node.entry_type, entry.node.attributes);
            if entry.node.entry_type.is_symlink() {
                line.push_str(&fs.store().read_link(entry.node.id).await.unwrap());
            }
            found.push(line);
            if entry.node.entry_type.is_directory() {
                left.push(entry.path);
            }
        }
    }
    found.sort();
    found
}

#[tokio::test]
async fn a_whole_pond_is_salvaged_whole() {
    let specimen = Specimen::make().await;
    let copy = specimen.copy();
    let into = copy.path().join("new/pond");
    let report = salvage(&copy.path().join("pond"), &into).await.unwrap();
    assert_eq!((report.lost, report.damaged), (vec![], vec![]));
    assert_eq!((report.entries, report.versions), (11, 15));
    let pond = Pond::open(&into, environment()).await.unwrap();
    let read = read_all(&pond).await.unwrap();
    assert_eq!(read.bad, []);
    assert_eq!(read.good, specimen.contents);
    let (old, new) = (specimen.pond.read().await, pond.read().await.unwrap());
    assert_eq!(entries(&new.fs()).await, entries(&old.fs()).await);
    // Its series is still one: declared, and it takes rows.
    let node = new.fs().resolve("/sensors/s").await.unwrap().node;
    assert!(SeriesSpec::read_from(&node.attributes).unwrap().is_some());
    assert_eq!(pond.fsck().await.unwrap().findings, []);
}

#[tokio::test]
async fn transactions_whose_commits_are_lost_are_taken_from_their_rows() {
    let specimen = Specimen::make().await;
    // The newest, two in the middle, and the first with all checkpoints.
    for lost in [vec![0], vec![1, 2], vec![0, 3]] {
        let copy = specimen.copy();
        let old = copy.path().join("pond");
        let all: Vec<_> = commits(&old).into_iter().rev().collect();
        for at in &lost {
            fs::write(&all[*at], "{\"torn").unwrap();
        }
        assert!(Pond::open(&old, environment()).await.unwrap_err().is_damage());
        let report = Pond::fsck_unopened(&old, &environment()).await.unwrap();
        let named = |path: &str| report.findings.iter().any(|f| f.path.as_deref() == Some(path));
        assert!(named("/sensors/s") || named("/docs/a"), "{report:#?}");
        let into = copy.path().join("new");
        let report = salvage(&old, &into).await.unwrap();
        assert_eq!(report.lost, [], "{lost:?}");
        assert_eq!(report.damaged.len(), lost.len(), "{report:#?}");
        let pond = Pond::open(&into, environment()).await.unwrap();
        assert_eq!(read_all(&pond).await.unwrap().good, specimen.contents, "{lost:?}");
    }
}

#[tokio::test]
async fn a_pond_that_no_commit_describes_is_known_by_its_first_transaction() {
    let pond = TestPond::new().await;
    pond.make_dir("/d").await;
    pond.write_file("/d/f", b"text").await;
    for commit in commits(&pond.path()) {
        fs::write(commit, "torn").unwrap();
    }
    let into = pond.beside().join("new");
    let report = salvage(&pond.path(), &into).await.unwrap();
    assert_eq!(report.lost, []);
    let new = Pond::open(&into, environment()).await.unwrap();
    let text = new.read().await.unwrap().fs().read_to_end("/d/f", 10).await.unwrap();
    assert_eq!(text, b"text");
}

#[tokio::test]
async fn what_was_never_committed_is_not_salvaged() {
    let pond = TestPond::new().await;
    pond.write_file("/f", b"old").await;
    pond.write_file("/f", b"new").await;
    // As a crash leaves it that comes before the commit: the rows alone.
    fs::remove_file(commits(&pond.path()).pop().unwrap()).unwrap();
    fs::remove_dir_all(pond.path().join("control")).unwrap();
    let into = pond.beside().join("new");
    let report = salvage(&pond.path(), &into).await.unwrap();
    assert_eq!(report.lost, []);
    let new = Pond::open(&into, environment()).await.unwrap();
    let text = new.read().await.unwrap().fs().read_to_end("/f", 10).await.unwrap();
    assert_eq!(text, b"old");
}

#[tokio::test]
async fn what_has_lost_its_name_is_found_again() {
    let pond = TestPond::new().await;
    pond.make_dir("/kept").await;
    pond.make_dir("/lost").await;
    pond.write_file("/lost/f", b"text").await;
    pond.write_file("/kept/removed", b"removed").await;
    pond.clock.advance(1_000_000);
    let removed = pond
        .pond
        .write(TestPond::intent("pond rm"), async |txn| {
            txn.fs().remove("/kept/removed").await.map_err(Error::from)
        })
        .await;
    removed.unwrap();
    let rows = files(&pond.path().join("data"), |name| name.starts_with("00000000000000000002-"));
    fs::remove_file(&rows[0]).unwrap();
    let into = pond.beside().join("new");
    let report = salvage(&pond.path(), &into).await.unwrap();
    let lost: Vec<_> = report.lost.iter().map(ToString::to_string).collect();
    assert!(lost.iter().any(|line| line.contains("transaction 2")), "{lost:?}");
    assert!(lost.iter().any(|line| line.contains("its name is lost")), "{lost:?}");
    let new = Pond::open(&into, environment()).await.unwrap();
    let fs = new.read().await.unwrap().fs();
    let found = fs.list("/lost+found").await.unwrap();
    assert_eq!(found.len(), 1, "what was removed stays removed");
    let path = format!("{}/f", found[0].path);
    assert_eq!(fs.read_to_end(&path, 10).await.unwrap(), b"text");
    assert_eq!(new.fsck().await.unwrap().findings, []);
}

#[tokio::test]
async fn a_merged_run_stands_in_for_versions_that_are_lost() {
    let specimen = Specimen::make().await;
    let copy = specimen.copy();
    let old = copy.path().join("pond");
    // The contents of the first versions, in what was merged and as it was
    // committed. The run came after them.
    for file in files(&old.join("data"), |name| {
        name.contains("-content-") || (name.starts_with("0000") && name < "00000000000000000011-")
    }) {
        if !file.to_str().unwrap().contains("-metadata-") {
            fs::remove_file(file).unwrap();
        }
    }
    let into = copy.path().join("new");
    let report = salvage(&old, &into).await.unwrap();
    let lost: Vec<_> = report.lost.iter().filter_map(|f| f.path.as_deref()).collect();
    assert!(lost.contains(&"/docs/small"), "{:#?}", report.lost);
    assert!(!lost.contains(&"/sensors/s"), "{:#?}", report.lost);
    let pond = Pond::open(&into, environment()).await.unwrap();
    let versions = pond.read().await.unwrap().fs().versions("/sensors/s").await.unwrap();
    let rows: u64 = versions.iter().filter_map(|version| version.rows).sum();
    let before = specimen.pond.read().await.fs().versions("/sensors/s").await.unwrap();
    assert_eq!(rows, before.iter().filter_map(|version| version.rows).sum::<u64>());
    assert!(versions.len() < before.len());
}

#[tokio::test]
async fn a_place_that_holds_something_is_refused() {
    let pond = TestPond::new().await;
    pond.write_file("/f", b"x").await;
    let taken = pond.beside().join("taken");
    fs::create_dir(&taken).unwrap();
    fs::write(taken.join("something"), "x").unwrap();
    let refused = salvage(&pond.path(), &taken).await;
    assert!(matches!(refused, Err(Error::NotEmpty { .. })), "{refused:?}");
    assert_eq!(fs::read_dir(&taken).unwrap().count(), 1);
    let refused = salvage(&pond.path(), &pond.path()).await;
    assert!(matches!(refused, Err(Error::AlreadyAPond { .. })), "{refused:?}");
    let nothing = salvage(&pond.beside().join("nothing"), &pond.beside().join("new")).await;
    assert!(matches!(nothing, Err(Error::NoSuchDirectory { .. })), "{nothing:?}");
    assert!(!pond.beside().join("new").exists());
}
