//! Each kind of file, hurt in each way.

use std::path::{Path, PathBuf};

use steward::{Environment, Error, FsckReport, Notice, Pond};
use testing::{START_US, TestPond};

use super::harm::Harm;
use super::specimen::{Contents, Read, Specimen, read_all, tell_history};

/// A hurt pond and what came of it.
struct Case {
    name: String,
    dir: tempfile::TempDir,
    opened: Result<Pond, Error>,
    read: Read,
    report: FsckReport,
}

fn environment() -> Environment {
    Environment::manual(START_US + 1_000_000_000).0
}

impl Case {
    async fn of(
        specimen: &Specimen,
        file: &Path,
        other: Option<&Path>,
        harm: Harm,
    ) -> Option<Self> {
        let dir = specimen.copy();
        let path = dir.path().join("pond");
        let other = other.map(|other| path.join(other));
        if !harm.inflict(&path.join(file), other.as_deref()) {
            return None;
        }
        let name = format!("{} {harm:?}", file.display());
        let opened = Pond::open(&path, environment()).await;
        let mut read = Read::default();
        let report = match &opened {
            Ok(pond) => {
                read = read_all(pond).await.unwrap_or_default();
                tell_history(pond).await;
                pond.fsck().await.unwrap_or_else(|error| panic!("{name}: {error:?}"))
            }
            Err(error) => {
                assert!(error.is_damage(), "{name}: {error:?}");
                let report = Pond::fsck_unopened(&path, &environment()).await;
                report.unwrap_or_else(|error| panic!("{name}: {error:?}"))
            }
        };
        Some(Self { name, dir, opened, read, report })
    }

    fn named(&self, path: &str, version: u64) -> bool {
        let fits = |number: Option<u64>| number.is_none_or(|number| number == version);
        self.report.findings.iter().any(|finding| {
            let above = |named: &str| {
                named == path || named == "/" || path.starts_with(&format!("{named}/"))
            };
            finding.path.as_deref().is_some_and(|named| {
                (named == path && (version == 0 || fits(finding.version)))
                    || (finding.version.is_none() && above(named))
            })
        })
    }

    /// What is read is what was written, and what is not is named.
    fn check_reads(&self, contents: &Contents) {
        let name = &self.name;
        for (key, bytes) in &self.read.good {
            assert_eq!(Some(bytes), contents.get(key), "{name}: {key:?} is given as good");
        }
        let Ok(pond) = &self.opened else { return };
        let lost_tail = pond.notices().iter().any(|n| matches!(n, Notice::LostTail { .. }));
        for (path, version, why) in &self.read.bad {
            assert!(
                self.named(path, *version) || lost_tail,
                "{name}: version {version} of {path} ({why}) is not among {:#?}",
                self.report.findings
            );
        }
        for (path, version) in contents.keys() {
            let is_read = self.read.good.contains_key(&(path.clone(), *version));
            let is_told = self
                .read
                .bad
                .iter()
                .any(|(of, number, _)| of == path && (*number == *version || *number == 0));
            assert!(is_read || is_told || lost_tail, "{name}: {path} {version} is passed over");
        }
    }

    /// A salvage gives at least what could be read, and nothing that was not
    /// written; what it does not give it names.
    async fn check_salvage(&self, contents: &Contents) {
        let name = &self.name;
        let into = self.dir.path().join("salvaged");
        let intent = TestPond::intent("pond recover --salvage");
        let from = self.dir.path().join("pond");
        let report = Pond::salvage(&from, &into, intent, environment()).await;
        let report = report.unwrap_or_else(|error| panic!("{name}: {error:?}"));
        let pond = Pond::open(&into, environment()).await.unwrap();
        let salvaged = read_all(&pond).await.unwrap();
        let has = |salvaged: &Contents, path: &str, bytes: &[u8]| {
            salvaged.iter().any(|((of, _), found)| of == path && found == bytes)
        };
        for ((path, version), bytes) in &salvaged.good {
            // A run may stand in for the versions of a series.
            let as_written = has(contents, path, bytes) || path == "/sensors/s";
            assert!(as_written, "{name}: version {version} of {path} was never written");
        }
        for ((path, version), bytes) in &self.read.good {
            let found = has(&salvaged.good, path, bytes) || path == "/sensors/s";
            assert!(found, "{name}: {path} {version} could be read and was not salvaged");
        }
        if report.lost.is_empty() {
            for ((path, version), bytes) in contents {
                let found = has(&salvaged.good, path, bytes) || path == "/sensors/s";
                assert!(found, "{name}: {path} {version} is lost and not told: {report:#?}");
            }
        }
        let findings = pond.fsck().await.unwrap().findings;
        assert_eq!(findings, [], "{name}: the salvaged pond is not whole");
    }
}

/// Hurts every file of a kind in every way.
async fn hurt(kind: &str, mut check: impl AsyncFnMut(&Specimen, &Path, Harm, Case)) {
    let specimen = Specimen::make().await;
    let files = specimen.files();
    let of_kind = files.get(kind).unwrap_or_else(|| panic!("no {kind} in {files:?}"));
    let mut cases = 0;
    for (at, file) in of_kind.iter().enumerate() {
        let other = of_kind.get((at + 1) % of_kind.len()).filter(|other| *other != file);
        for harm in Harm::ALL {
            let case = Case::of(&specimen, file, other.map(PathBuf::as_path), harm).await;
            let Some(case) = case else { continue };
            cases += 1;
            case.check_reads(&specimen.contents);
            case.check_salvage(&specimen.contents).await;
            check(&specimen, file, harm, case).await;
        }
    }
    assert!(cases >= 8, "{cases} cases of {kind}");
}

fn mentions(report: &FsckReport, file: &Path) -> bool {
    let name = file.file_name().unwrap().to_str().unwrap();
    report.findings.iter().any(|finding| finding.to_string().contains(name))
}

#[tokio::test]
async fn damaged_large_files_hit_one_version_each() {
    hurt("large", async |specimen, file, _, case| {
        assert!(mentions(&case.report, file), "{}: {:#?}", case.name, case.report);
        assert_eq!(case.report.findings.len(), 1, "{}: {:#?}", case.name, case.report.findings);
        // Bytes behind the end are named and never read.
        assert!(case.read.good.len() >= specimen.contents.len() - 1, "{}", case.name);
        let finding = &case.report.findings[0];
        assert!(finding.path.is_some() && finding.version.is_some(), "{finding:?}");
    })
    .await;
}

#[tokio::test]
async fn damaged_files_of_rows_hit_what_their_transactions_wrote() {
    hurt("rows", async |specimen, file, _, case| {
        // Up to there files were merged, and nothing reads them any more.
        let files = specimen.files();
        let merged = files["metadata"].iter().map(|file| {
            let name = file.file_name().unwrap().to_str().unwrap();
            name.split('-').nth(1).unwrap().to_owned()
        });
        if file.to_str().unwrap() < format!("data/{}~", merged.max().unwrap()).as_str() {
            assert_eq!(case.read.good, specimen.contents, "{}", case.name);
            return;
        }
        assert!(mentions(&case.report, file), "{}: {:#?}", case.name, case.report);
        let told = case.report.findings.iter().any(|f| f.to_string().contains("transaction"));
        assert!(told, "{}: {:#?}", case.name, case.report.findings);
        // One transaction touches one file, and of a file that is touched in it
        // all versions may be in doubt: of seven that the series has, all.
        let least = specimen.contents.len() - 7;
        let read = case.read.good.len();
        assert!(read >= least, "{}: only {read} can be read: {:#?}", case.name, case.read.bad);
    })
    .await;
}

#[tokio::test]
async fn damaged_merged_names_leave_later_ones_readable() {
    hurt("metadata", async |_, file, _, case| {
        assert!(mentions(&case.report, file), "{}: {:#?}", case.name, case.report);
        assert!(case.opened.is_ok(), "{}", case.name);
    })
    .await;
}

#[tokio::test]
async fn damaged_merged_contents_hit_only_contents() {
    hurt("content", async |specimen, file, _, case| {
        assert!(mentions(&case.report, file), "{}: {:#?}", case.name, case.report);
        // What is large or came later is elsewhere.
        assert!(case.read.good.len() >= specimen.contents.len() - 8, "{}", case.name);
    })
    .await;
}

#[tokio::test]
async fn damaged_commits_are_named() {
    hurt("commit", async |specimen, file, _, case| {
        // Commits before the older checkpoint are cleaned up in time, so one
        // that is gone there is no damage.
        let gone = !case.dir.path().join("pond").join(file).is_file() && case.opened.is_ok();
        assert!(gone || !case.report.findings.is_empty(), "{}", case.name);
        if case.opened.is_ok() && case.dir.path().join("pond").join(file).is_file() {
            assert!(mentions(&case.report, file), "{}: {:#?}", case.name, case.report.findings);
        }
        if let Ok(pond) = &case.opened
            && pond.notices().is_empty()
        {
            assert_eq!(case.read.good, specimen.contents, "{}", case.name);
        }
    })
    .await;
}

#[tokio::test]
async fn damaged_checkpoints_cost_nothing_and_are_named() {
    hurt("checkpoint", async |specimen, file, harm, case| {
        assert!(case.opened.is_ok(), "{}: {:?}", case.name, case.opened);
        // The other and the commits since are enough.
        assert_eq!(case.read.good, specimen.contents, "{}", case.name);
        // One that is gone is no damage.
        if !matches!(harm, Harm::Deleted | Harm::Directory) {
            assert!(mentions(&case.report, file), "{}: {:#?}", case.name, case.report.findings);
        }
    })
    .await;
}

/// What this replica keeps for itself may be lost without loss.
async fn costs_nothing(kind: &str) {
    let specimen = Specimen::make().await;
    for file in specimen.files().remove(kind).unwrap_or_default() {
        for harm in Harm::ALL {
            let Some(case) = Case::of(&specimen, &file, None, harm).await else { continue };
            assert_eq!(case.read.good, specimen.contents, "{}", case.name);
            assert_eq!(case.report.findings, [], "{}", case.name);
            let pond = case.opened.unwrap();
            let written = pond
                .write(TestPond::intent("x"), async |txn| {
                    txn.fs().write("/new", b"x").await.map_err(Error::from)
                })
                .await;
            if let Err(error) = written {
                let text = format!("{error}");
                let path = case.dir.path().join("pond").join(&file);
                assert!(text.contains(path.to_str().unwrap()), "{}: {text}", case.name);
            }
        }
    }
}

#[tokio::test]
async fn damaged_notes_of_the_replica_cost_nothing_or_are_named() {
    costs_nothing("control").await;
    costs_nothing("lock").await;
    costs_nothing("last checkpoint").await;
    costs_nothing("cache").await;
}
