//! What a lookup reads does not grow with the age of the log: counted, not
//! timed, and each in a log that was opened for it.

use oplog::maintenance::{Policy, Report};
use oplog::{Covers, LogOptions, MemoryContents, ReadCounts, VersionRow};
use tinyfs::{Attributes, EntryType, NodeId};

use crate::pond::{Pond, inline, link};

/// Versions that a run covers.
const RUN: u64 = 16;

/// A pond in which a note at the root is written again and again, a name there
/// comes and goes, and a series grows and is merged.
struct Aged {
    pond: Pond,
    note: NodeId,
    series: NodeId,
    versions: u64,
}

fn series_row(node: NodeId, row: VersionRow) -> VersionRow {
    VersionRow { node, entry_type: EntryType::Series, ..row }
}

impl Aged {
    async fn new() -> Self {
        let mut pond = Pond::create().await;
        let note = pond.add_file("note", b"0").await;
        let series = pond.node();
        let rows = vec![VersionRow::of_node(series, EntryType::Series, Attributes::new(), None)];
        let root = pond.root;
        let links = vec![link(root, "series", Some(series))];
        pond.commit(links, rows, MemoryContents::default()).await;
        Self { pond, note, series, versions: 0 }
    }

    /// Three rows in each of so many transactions, and runs that join runs.
    async fn grow(&mut self, transactions: u64) {
        let policy = Policy { small_files: 8, fan_in: 4, ..Policy::default() };
        for _ in 0..transactions {
            self.versions += 1;
            let number = self.versions;
            let mut contents = MemoryContents::default();
            let bytes = format!("{number}").into_bytes();
            let (hash, size) = (contents.add(bytes.clone()), bytes.len() as u64);
            let mut versions = vec![
                inline(self.note, number + 1, hash, size),
                series_row(self.series, inline(self.series, number, hash, size)),
            ];
            let mut covers = RUN;
            while number.is_multiple_of(covers) {
                let bytes = format!("run of {covers} to {number}").into_bytes();
                let (hash, size) = (contents.add(bytes.clone()), bytes.len() as u64);
                let from_version = number + 1 - covers;
                let covers_row = Some(Covers { from_version, from_txn: from_version + 2 });
                let run = inline(self.series, number, hash, size);
                versions.push(series_row(self.series, VersionRow { covers: covers_row, ..run }));
                covers *= RUN;
            }
            let name = Some(self.note).filter(|_| number % 2 == 1);
            let links = vec![link(self.pond.root, "now and then", name)];
            self.pond.commit(links, versions, contents).await;
            if number.is_multiple_of(8) {
                let plan = self.pond.log.plan_maintenance(&policy, 0).await.unwrap();
                let mut report = Report::default();
                for step in &plan.steps {
                    let done = self.pond.log.perform_step(step, &policy, 0, &mut report);
                    done.await.unwrap();
                }
            }
        }
    }

    /// What each lookup reads in a log that is opened for it.
    async fn costs(&self) -> Vec<(&'static str, ReadCounts)> {
        let mut costs = Vec::new();
        for name in ["link", "links", "file", "series", "content", "earlier"] {
            let location = self.pond.location();
            let log = oplog::Log::open(&location, LogOptions::default()).await.unwrap();
            let snapshot = log.snapshot();
            let root = self.pond.root;
            match name {
                "link" => {
                    assert!(snapshot.link(root, "note").await.unwrap().is_some());
                }
                "links" => {
                    let names = 2 + (self.versions % 2);
                    assert_eq!(snapshot.links(root).await.unwrap().len() as u64, names);
                }
                "file" => {
                    let rows = snapshot.current(self.note).await.unwrap();
                    assert_eq!(rows.last().unwrap().row.version, self.versions + 1);
                }
                "series" => {
                    let rows = snapshot.current(self.series).await.unwrap();
                    assert_eq!(rows.last().unwrap().row.version, self.versions);
                }
                "content" => {
                    let rows = snapshot.current(self.note).await.unwrap();
                    let newest = rows.last().unwrap();
                    let (number, hash) = (newest.row.version, newest.row.hash.unwrap());
                    let bytes = snapshot.content(self.note, number, newest.txn_seq, hash).await;
                    assert_eq!(bytes.unwrap(), format!("{}", self.versions));
                }
                _ => {
                    let then = snapshot.as_of(20).unwrap();
                    assert_eq!(then.current(self.note).await.unwrap().last().unwrap().txn_seq, 20);
                }
            }
            costs.push((name, snapshot.read_counts()));
        }
        costs
    }
}

#[tokio::test]
async fn lookups_read_no_more_in_an_old_log_than_in_a_young_one() {
    let mut aged = Aged::new().await;
    aged.grow(64).await;
    let young = aged.costs().await;
    aged.grow(448).await;
    let old = aged.costs().await;
    for ((name, young), (_, old)) in young.into_iter().zip(old) {
        // Eight times as old: two levels of merges more, each of three files at
        // most, and of each file a piece.
        assert!(old.files <= young.files + 6, "{name}: {young:?}, then {old:?}");
        assert!(old.rows <= young.rows + 6 * 256, "{name}: {young:?}, then {old:?}");
    }
}

#[tokio::test]
async fn what_is_superseded_is_still_there_for_who_asks() {
    let mut aged = Aged::new().await;
    aged.grow(300).await;
    aged.pond.reopen().await;
    let snapshot = aged.pond.log.snapshot();
    let rows = snapshot.versions(aged.note).await.unwrap();
    let numbers: Vec<_> = rows.iter().map(|row| row.row.version).collect();
    assert_eq!(numbers, (0..=301).collect::<Vec<_>>());
    assert!(snapshot.current(aged.note).await.unwrap().len() < 100);
    // The note's name, two of the series' and one of each transaction.
    assert_eq!(snapshot.link_history(aged.pond.root).await.unwrap().len(), 302);
    for txn_seq in [3, 100, 257, 301, 302] {
        let then = snapshot.as_of(txn_seq).unwrap();
        let newest = then.current(aged.note).await.unwrap().pop().unwrap();
        assert_eq!(newest.txn_seq, txn_seq);
        let there = then.link(aged.pond.root, "now and then").await.unwrap().is_some();
        assert_eq!(there, txn_seq % 2 == 1);
        let series: Vec<_> = then.current(aged.series).await.unwrap();
        let newest = series.iter().map(|row| row.row.version).max();
        assert_eq!(newest, Some(txn_seq - 2));
    }
}
