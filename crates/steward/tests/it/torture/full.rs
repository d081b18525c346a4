//! A real disk that is full: a small one of memory, in a process of its own.

use std::fs::{self, OpenOptions};
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};

use steward::{Disk, Environment, Error, Medium, Pond};
use testing::fault::Cause;

use super::case::{append, maintain, next_works, nodes, noise, write};
use super::seen::{Seen, chain};
use super::stage::{Place, Stage};

/// Where the small disk is, for the process that uses it.
const SMALL_DISK: &str = "DUCKPOND_SMALL_DISK";
const PAGE: u64 = 4_096;

/// Runs the test below in a mount namespace that only it sees.
#[test]
fn a_full_disk_is_told_and_harms_nothing() {
    let directory = tempfile::tempdir().unwrap();
    let mount = "mount -t tmpfs -o size=8m none \"$0\" || exit 77; exec \"$1\" --exact \
                 torture::full::on_a_small_disk --ignored --nocapture --test-threads=1";
    let ran = Command::new("unshare")
        .args(["--map-root-user", "--mount", "sh", "-c", mount])
        .arg(directory.path())
        .arg(std::env::current_exe().unwrap())
        .env(SMALL_DISK, directory.path())
        .stdin(Stdio::null())
        .output();
    let said = |ran: &std::process::Output| {
        format!("{}{}", String::from_utf8_lossy(&ran.stdout), String::from_utf8_lossy(&ran.stderr))
    };
    match ran {
        Ok(ran) if ran.status.success() => {
            let said = said(&ran);
            println!("{said}");
            assert!(said.contains("1 passed"), "{said}");
        }
        Ok(ran) if said(&ran).contains("running 1 test") => panic!("{}", said(&ran)),
        Ok(ran) => println!("skipped: nothing can be mounted here: {}", said(&ran)),
        Err(error) => println!("skipped: there is no `unshare`: {error}"),
    }
}

/// Takes all but some pages of a disk, and gives them back when it is dropped.
struct Ballast(PathBuf);

impl Ballast {
    fn leaving(dir: &Path, pages: u64) -> Self {
        let path = dir.join("ballast");
        let file = OpenOptions::new().write(true).create_new(true).open(&path).unwrap();
        let mut size = 0;
        while file.write_all_at(&[1; PAGE as usize], size).is_ok() {
            size += PAGE;
        }
        file.set_len(size.saturating_sub(pages * PAGE)).unwrap();
        Self(path)
    }
}

impl Drop for Ballast {
    fn drop(&mut self) {
        fs::remove_file(&self.0).unwrap();
    }
}

#[tokio::test]
#[ignore = "needs a small disk, which the test above makes"]
async fn on_a_small_disk() {
    static PANICS: AtomicUsize = AtomicUsize::new(0);
    let disk = PathBuf::from(std::env::var_os(SMALL_DISK).unwrap());
    let usual = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |info| {
        PANICS.fetch_add(1, Ordering::SeqCst);
        usual(info);
    }));
    let step = if super::long().is_some() { 1 } else { 11 };
    let (mut told, mut done) = (0, 0);
    for work in ["small", "append", "nodes", "large", "maintain", "many"] {
        for pages in (0..80).step_by(step) {
            let place = Stage::empty().put_up();
            let dir = disk.join("pond");
            let environment = || Environment { medium: medium(), ..place.environment() };
            let pond = Pond::init(&dir, "test", environment()).await.unwrap();
            prepare(&place, &pond).await;
            let before = Seen::of(&dir).await;
            let ballast = Ballast::leaving(&disk, pages);
            let result = act(work, &place, &pond).await;
            drop(ballast);
            let seen = Seen::of(&dir).await;
            match &result {
                Ok(()) => done += 1,
                Err(error) => {
                    told += 1;
                    let (text, full) = (chain(error), Cause::Full.error().to_string());
                    assert!(text.contains(&full), "{work}, {pages} pages: {text}");
                    // Upkeep is many commits, of which some may have been made.
                    if work != "maintain" {
                        assert_eq!(seen, before, "{work}, {pages} pages: {text}");
                    }
                }
            }
            assert_eq!(
                seen.whole().newest == before.whole().newest,
                result.is_err() || work == "maintain"
            );
            next_works(&place, &pond, &dir, &seen).await;
            drop(pond);
            fs::remove_dir_all(&dir).unwrap();
        }
    }
    println!("a full disk: {done} works done, {told} refused");
    assert!(told > 5 && done > 5);
    assert_eq!(PANICS.load(Ordering::SeqCst), 0, "something panicked");
}

fn medium() -> std::sync::Arc<dyn Medium> {
    std::sync::Arc::new(Disk)
}

async fn prepare(place: &Place, pond: &Pond) {
    for (key, value) in [
        ("maintenance.automatic", "false"),
        ("maintenance.merge_versions", "2"),
        ("maintenance.compact_files", "3"),
        ("maintenance.checkpoint_commits", "2"),
    ] {
        pond.set_setting(key, value).unwrap();
    }
    write(place, pond, "/a", b"first").await.unwrap();
    for number in 0..4 {
        append(place, pond, number).await.unwrap();
    }
}

async fn act(work: &str, place: &Place, pond: &Pond) -> Result<(), Error> {
    match work {
        "small" => write(place, pond, "/a", b"second").await,
        "append" => append(place, pond, 100).await,
        "nodes" => nodes(place, pond).await,
        "large" => write(place, pond, "/large", &noise(120_000)).await,
        "maintain" => maintain(pond, None).await,
        // More than a transaction keeps in memory.
        _ => {
            super::case::transact(place, pond, "many", async |txn| {
                for number in 0..30_u8 {
                    let mut bytes = noise(50_000);
                    bytes[0] = number;
                    txn.fs().write(&format!("/many-{number}"), bytes).await?;
                }
                Ok(())
            })
            .await
        }
    }
}
