//! Ponds of every released format open, read, take writes and are whole.

use std::path::PathBuf;

use serde_json::Value;
use steward::{AsOf, Environment, Error, Pond};
use testing::old_pond::{FACTS, copy_tree, facts};
use testing::{START_US, TestPond, data};
use tinyfs::TimeUnit;

fn fixtures() -> Vec<PathBuf> {
    let folder = testing::repository().join("crates/testing/fixtures");
    let entries = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let mut found: Vec<_> = entries.filter(|path| path.is_dir()).collect();
    found.sort();
    found
}

#[test]
fn every_format_has_a_fixture() {
    let names: Vec<_> = fixtures()
        .iter()
        .map(|path| path.file_name().unwrap().to_str().unwrap().to_owned())
        .collect();
    let formats: Vec<_> =
        (1..=oplog::FORMAT_VERSION).map(|format| format!("format-{format}")).collect();
    assert_eq!(names, formats);
}

#[tokio::test]
async fn old_ponds_are_read_to_the_last_value_and_take_writes() {
    for fixture in fixtures() {
        let name = fixture.display();
        let expected: Value =
            serde_json::from_slice(&std::fs::read(fixture.join(FACTS)).unwrap()).unwrap();
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("pond");
        copy_tree(&fixture.join("pond"), &path).unwrap();
        let (environment, _) = Environment::manual(START_US + 86_400_000_000);
        // Ids count, and the fixture has the first ones.
        for _ in 0..1_000 {
            environment.ids.next_id();
        }
        let pond = Pond::open(&path, environment.clone()).await.unwrap();
        assert_eq!(facts(&pond).await, expected, "{name}");
        assert_eq!(pond.fsck().await.unwrap().findings, [], "{name}");

        let before = pond.read().await.unwrap();
        let first = before.at(AsOf::Txn(3)).await.unwrap();
        let text = first.fs().read_to_end("/docs/notes.txt", 10).await.unwrap();
        assert_eq!(text, b"first\n", "{name}");

        let written = pond
            .write(TestPond::intent("pond copy"), async |txn| {
                use futures::StreamExt as _;
                use tlogfs::ParquetWriteExt as _;
                txn.fs().write("/docs/notes.txt", b"fourth\n").await?;
                let rows = data::sine(0, 1_000_000, 5, TimeUnit::Millisecond);
                let (schema, rows) = (rows.schema(), futures::stream::iter([Ok(rows)]).boxed());
                txn.fs().append_series("/sensors/merged.series", None, schema, rows).await?;
                Ok::<_, Error>(())
            })
            .await;
        written.unwrap();
        let pond = Pond::open(&path, environment).await.unwrap();
        let fs = pond.read().await.unwrap().fs();
        assert_eq!(fs.read_to_end("/docs/notes.txt", 10).await.unwrap(), b"fourth\n", "{name}");
        assert_eq!(fs.read_to_end("/docs/moved", 10).await.unwrap(), b"", "{name}");
        assert_eq!(pond.fsck().await.unwrap().findings, [], "{name}");
    }
}
