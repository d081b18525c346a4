//! The pond that the fixtures of released formats hold, and what is in it.
//!
//! [`build`] makes it: the clock stands where it is set, ids count, and data
//! have no chance in them, so one program always makes the same. [`FACTS`]
//! beside it says what a reader must find, in terms of no program of ours.
//!
//! A fixture is made once for each format and never again: what counts is that
//! later programs read what earlier ones wrote.

use std::fmt::Write as _;
use std::path::Path;

use serde_json::{Value, json};
use steward::{MaintainOptions, Pond};
use tinyfs::{EntryType, TimeUnit};
use tlogfs::{ParquetExt as _, ParquetWriteExt as _};

use crate::{TestPond, data};

/// The name of the file that says what is in the pond.
pub const FACTS: &str = "facts.json";

/// A pond with every kind of entry and of file.
pub async fn build() -> TestPond {
    let pond = TestPond::new().await;
    for (key, value) in [
        ("maintenance.compact_files", "4"),
        ("maintenance.checkpoint_commits", "4"),
        ("maintenance.merge_versions", "4"),
    ] {
        pond.pond.set_setting(key, value).unwrap();
    }
    pond.make_dir("/docs/Überblick").await;
    pond.make_dir("/sensors").await;
    pond.write_file("/docs/notes.txt", b"first\n").await;
    pond.write_file("/docs/notes.txt", b"second\n").await;
    pond.write_file("/docs/empty", b"").await;
    pond.write_file("/docs/gone", b"this was removed").await;
    let spec = data::spec(TimeUnit::Millisecond);
    for version in 0..4 {
        let rows = data::sine(version * 600_000_000, 60_000_000, 12, TimeUnit::Millisecond);
        let declared = (version == 0).then(|| spec.clone());
        pond.append("/sensors/merged.series", declared, rows).await;
    }
    change(&pond, "pond rm /docs/gone", async |fs| fs.remove("/docs/gone").await).await;
    for _ in 0..3 {
        let plan = pond.pond.plan_maintenance(MaintainOptions::default()).await.unwrap();
        let intent = TestPond::intent("pond maintain");
        pond.pond.perform_maintenance(&plan, &intent).await.unwrap();
    }
    // From here on, as transactions left it.
    for size in [65_535, 65_536] {
        pond.write_file(&format!("/docs/Überblick/{size}"), &data::noise_bytes(size)).await;
    }
    change(&pond, "pond ln", async |fs| {
        fs.symlink("Überblick/65536", "/docs/link").await.map(drop)
    })
    .await;
    change(&pond, "pond mv", async |fs| fs.rename("/docs/empty", "/docs/moved").await).await;
    let mut spec = data::spec(TimeUnit::Microsecond);
    spec.append = true;
    spec.floor_us = Some(10_000_000);
    let rows = data::sine(0, 5_000_000, 20, TimeUnit::Microsecond);
    pond.append("/sensors/raw.series", Some(spec), rows.clone()).await;
    pond.append("/sensors/raw.series", None, rows).await;
    for (path, entry_type, size) in [
        ("/sensors/merged.series", EntryType::Series, 66_000),
        ("/sensors/stations.table", EntryType::Table, 2_500),
    ] {
        // In the unit that the series is declared in, or none is needed.
        let bytes = match entry_type {
            EntryType::Series => {
                let rows = data::sine(9_000_000_000, 1_000_000, 9_000, TimeUnit::Millisecond);
                data::parquet(&[rows])
            }
            _ => data::parquet_of_exact_size(size),
        };
        pond.clock.advance(1_000_000);
        pond.pond
            .write(TestPond::intent("pond copy"), async |txn| {
                let (fs, mut bytes) = (txn.fs(), bytes.as_ref());
                let taken = fs.take_parquet(path, entry_type, None, &mut bytes).await;
                taken.map_err(steward::Error::from)
            })
            .await
            .unwrap();
    }
    pond.write_file("/docs/notes.txt", b"third\n").await;
    pond
}

async fn change(
    pond: &TestPond,
    command: &str,
    work: impl AsyncFnOnce(&tinyfs::Fs<dyn tinyfs::WriteStore>) -> tinyfs::Result<()>,
) {
    pond.clock.advance(1_000_000);
    pond.pond
        .write(TestPond::intent(command), async |txn| {
            work(&txn.fs()).await.map_err(steward::Error::from)
        })
        .await
        .unwrap();
}

/// All that can be read of a pond: entries with types, properties, targets and
/// versions (number, size, hash), rows of series and tables by a hash over
/// their values, transactions.
pub async fn facts(pond: &Pond) -> Value {
    let view = pond.read().await.unwrap();
    let fs = view.fs();
    let mut entries = Vec::new();
    let mut left = vec!["/".to_owned()];
    while let Some(dir) = left.pop() {
        for entry in fs.list(&dir).await.unwrap() {
            let node = &entry.node;
            let mut fact = json!({
                "path": entry.path,
                "type": node.entry_type.as_str(),
                "attributes": node.attributes,
            });
            if node.entry_type.is_directory() {
                left.push(entry.path.clone());
            } else if node.entry_type.is_symlink() {
                fact["target"] = json!(fs.store().read_link(node.id).await.unwrap());
            } else {
                let mut versions = Vec::new();
                for version in fs.versions(&entry.path).await.unwrap() {
                    let number = Some(version.number);
                    fs.verify(&entry.path, number).await.unwrap();
                    versions.push(json!({
                        "number": version.number,
                        "size_bytes": version.size_bytes,
                        "blake3": version.hash.to_string(),
                        "rows": version.rows,
                        "attributes": version.attributes,
                        "min_us": version.time_range.map(|range| range.min_us),
                        "max_us": version.time_range.map(|range| range.max_us),
                        "values": values(&fs, &entry.path, &version).await,
                    }));
                }
                fact["versions"] = json!(versions);
            }
            entries.push(fact);
        }
    }
    entries.sort_by_key(|entry| entry["path"].to_string());
    json!({
        "format": pond.identity().format_version,
        "pond_id": pond.identity().pond_id.to_string(),
        "birthplace": pond.identity().birthplace,
        "transactions": view.txn_seq(),
        "entries": entries,
    })
}

/// A hash over the rows of a version, each as its time and value in text; for
/// tables and series only.
async fn values(fs: &tinyfs::Fs, path: &str, version: &tinyfs::Version) -> Option<String> {
    use futures::TryStreamExt as _;
    if version.format != tinyfs::Format::Parquet {
        return None;
    }
    let batches = fs.read_batches(path, Some(version.number)).await.unwrap();
    let batches: Vec<_> = batches.try_collect().await.unwrap();
    let mut text = String::new();
    for (time_us, value) in data::rows_of(&batches) {
        writeln!(text, "{time_us} {:016x}", value.to_bits()).unwrap();
    }
    Some(tinyfs::ContentHash::of(text.as_bytes()).to_string())
}

/// Copies a directory with all that is in it.
///
/// # Errors
/// Those of the operating system.
pub fn copy_tree(from: &Path, to: &Path) -> std::io::Result<()> {
    std::fs::create_dir_all(to)?;
    for entry in std::fs::read_dir(from)? {
        let entry = entry?;
        let target = to.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            copy_tree(&entry.path(), &target)?;
        } else {
            std::fs::copy(entry.path(), target)?;
        }
    }
    Ok(())
}
