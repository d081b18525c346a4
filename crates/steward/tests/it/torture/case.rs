//! The kinds of work that a pond does, each on a pond in which it is due.

use std::fs;
use std::path::Path;
use std::time::Duration;

use futures::StreamExt as _;
use steward::{Error, MaintainOptions, Pond, RecoverOptions, WriteView};
use testing::fault::{Op, OpKind, Tree};
use testing::{Dice, TestPond, data};
use tinyfs::TimeUnit;
use tlogfs::ParquetWriteExt as _;

use super::seen::Seen;
use super::stage::{Place, Stage};

const DAY: Duration = Duration::from_secs(86_400);
const DAY_US: i64 = 86_400_000_000;
/// When every file that is written today is old.
const LATE_US: i64 = 4_000_000_000_000_000;

/// A kind of work.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Case {
    /// A pond is made.
    Init,
    /// The first commit of a pond.
    First,
    /// One file gets a version.
    Small,
    /// Many nodes are made, moved and removed at once.
    Nodes,
    /// A series gets a version.
    Append,
    /// A file that is large.
    Large,
    /// Content that a large file has already.
    LargeAgain,
    /// Files of the log are merged.
    Compaction,
    /// Versions of a series are merged, in tiers.
    TierMerge,
    /// A checkpoint is written and the log behind it cleaned up.
    Checkpoint,
    /// Files that nothing names go.
    Vacuum,
    /// History is forgotten, in all its steps.
    Prune,
    /// A setting is chosen.
    Config,
    /// A damaged newest commit is moved aside.
    RecoverTorn,
    /// The pond is used on without transactions that are gone.
    RecoverLost,
    /// An append with all the upkeep that follows it by itself.
    Automatic,
    /// Something else each time.
    Random(Work),
}

/// Random work.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Work {
    kind: usize,
    name: usize,
    size: usize,
}

impl Work {
    pub(super) fn new(dice: &mut Dice) -> Self {
        let size = [0, 1, 100, 65_535, 65_536, 70_000, 140_000][dice.below(7)];
        Self { kind: dice.below(12), name: dice.below(6), size }
    }

    async fn act(self, place: &Place, pond: &Pond) -> Result<(), Error> {
        let Self { kind, name, size } = self;
        let (path, other) = (format!("/{name}"), format!("/{}", (name + 1) % 6));
        match kind {
            0..=3 => write(place, pond, &path, &noise(size)).await,
            4..=6 => append(place, pond, size as i64).await,
            7 => {
                transact(place, pond, "move", async |txn| {
                    let fs = txn.fs();
                    fs.create_dir_all(&format!("/d{name}/e")).await?;
                    if fs.exists(&path).await? && !fs.exists(&other).await? {
                        fs.rename(&path, &other).await?;
                    }
                    Ok(())
                })
                .await
            }
            8 => {
                transact(place, pond, "remove", async |txn| {
                    if txn.fs().exists(&path).await? {
                        txn.fs().remove(&path).await?;
                    }
                    Ok(())
                })
                .await
            }
            9 => maintain(pond, None).await,
            10 => maintain(pond, Some(DAY * 15)).await,
            _ => pond.set_setting("lock.timeout_seconds", &(name + 1).to_string()),
        }
    }
}

impl Case {
    pub(super) const ALL: [Self; 16] = [
        Self::Init,
        Self::First,
        Self::Small,
        Self::Nodes,
        Self::Append,
        Self::Large,
        Self::LargeAgain,
        Self::Compaction,
        Self::TierMerge,
        Self::Checkpoint,
        Self::Vacuum,
        Self::Prune,
        Self::Config,
        Self::RecoverTorn,
        Self::RecoverLost,
        Self::Automatic,
    ];

    /// Whether the work is done on an open pond.
    pub(super) const fn opens(self) -> bool {
        !matches!(self, Self::Init | Self::RecoverTorn | Self::RecoverLost)
    }

    pub(super) const fn recovers(self) -> bool {
        matches!(self, Self::RecoverTorn | Self::RecoverLost)
    }

    /// The operations after which something else is seen.
    pub(super) const fn commits(self) -> fn(&Op) -> bool {
        match self {
            Self::Init => |op| op.is(OpKind::Rename, "pond/data", "data"),
            Self::Config => |op| op.is(OpKind::Rename, "pond/control", "settings.json"),
            Self::RecoverTorn | Self::RecoverLost => |op| {
                op.is(OpKind::Unlink, "pond/data/_delta_log", ".json")
                    || op.is(OpKind::Unlink, "pond/control", "watermark.json")
                    || op.is(OpKind::Rename, "pond/control", "watermark.json")
            },
            Self::Random(_) => |op| {
                op.is(OpKind::Link, "pond/data/_delta_log", ".json")
                    || op.is(OpKind::Rename, "pond/control", "settings.json")
            },
            _ => |op| op.is(OpKind::Link, "pond/data/_delta_log", ".json"),
        }
    }

    /// Whether upkeep follows by itself, which may fail while the work does not.
    pub(super) const fn is_followed_by_upkeep(self) -> bool {
        matches!(self, Self::Automatic | Self::Random(_))
    }

    /// A pond in which the work is due.
    pub(super) async fn stage(self) -> Stage {
        if self == Self::Init {
            return Stage::empty();
        }
        let place = Stage::empty().put_up();
        let pond = Pond::init(&place.pond(), "test", place.environment()).await.unwrap();
        pond.set_setting("maintenance.automatic", "false").unwrap();
        if self != Self::First {
            write(&place, &pond, "/a", b"first").await.unwrap();
            append(&place, &pond, 0).await.unwrap();
        }
        match self {
            Self::LargeAgain | Self::Vacuum => {
                write(&place, &pond, "/large", &noise(70_000)).await.unwrap();
            }
            Self::Compaction => {
                pond.set_setting("maintenance.compact_files", "4").unwrap();
                for number in 0..4 {
                    write(&place, &pond, "/b", &[number]).await.unwrap();
                }
            }
            Self::TierMerge => {
                pond.set_setting("maintenance.merge_versions", "2").unwrap();
                for number in 1..4 {
                    append(&place, &pond, number).await.unwrap();
                }
            }
            Self::Checkpoint => {
                pond.set_setting("maintenance.checkpoint_commits", "2").unwrap();
                for number in 0..5 {
                    write(&place, &pond, "/b", &[number]).await.unwrap();
                    if number % 2 == 0 {
                        maintain(&pond, None).await.unwrap();
                    }
                }
                write(&place, &pond, "/b", b"last").await.unwrap();
            }
            Self::Prune => {
                for number in 0..4 {
                    place.clock.advance(10 * DAY_US);
                    write(&place, &pond, &format!("/{number}"), &[number; 100]).await.unwrap();
                    write(&place, &pond, "/b", &noise(66_000 + usize::from(number))).await.unwrap();
                }
                remove(&place, &pond, "/0").await.unwrap();
                place.clock.advance(DAY_US);
            }
            Self::RecoverTorn | Self::RecoverLost => {
                write(&place, &pond, "/a", b"second").await.unwrap();
                write(&place, &pond, "/a", b"third").await.unwrap();
            }
            Self::Automatic => {
                for number in 1..14 {
                    append(&place, &pond, number).await.unwrap();
                }
                for (key, value) in [
                    ("maintenance.automatic", "true"),
                    ("maintenance.budget_ms", "60000"),
                    ("maintenance.merge_versions", "3"),
                    ("maintenance.compact_files", "8"),
                    ("maintenance.checkpoint_commits", "4"),
                ] {
                    pond.set_setting(key, value).unwrap();
                }
            }
            _ => {}
        }
        drop(pond);
        self.damage(&place);
        let mut stage = place.strike();
        if self == Self::Vacuum {
            stage.now_us = LATE_US;
        }
        stage
    }

    /// What happened to the pond before the work.
    fn damage(self, place: &Place) {
        let data = place.pond().join("data");
        let newest = || {
            let tree = Tree::read(&data.join("_delta_log")).0;
            data.join("_delta_log").join(tree.keys().rfind(|path| ends(path, ".json")).unwrap())
        };
        match self {
            Self::RecoverTorn => fs::write(newest(), "{\"commitInfo\":").unwrap(),
            Self::RecoverLost => fs::remove_file(newest()).unwrap(),
            Self::Vacuum => {
                let hash = format!("{}", tinyfs::ContentHash::of(b"nobody names it"));
                let large = data.join("_large_files").join(&hash[..2]);
                fs::create_dir_all(&large).unwrap();
                for path in [
                    large.join(format!("blake3={hash}")),
                    data.join("of-a-failed-commit.parquet"),
                    data.join(".tmp-1-1#0"),
                    data.join("_delta_log/.tmp-1-2#0"),
                    place.pond().join("control/.tmp-1-3#0"),
                ] {
                    fs::write(path, "left over").unwrap();
                }
            }
            _ => {}
        }
    }

    /// Does the work.
    pub(super) async fn act(self, place: &Place, pond: Option<&Pond>) -> Result<(), Error> {
        let recover = async || {
            let options = RecoverOptions { accept_loss: true };
            Pond::recover(&place.pond(), options, place.environment()).await.map(drop)
        };
        let Some(pond) = pond else {
            if self.recovers() {
                return recover().await;
            }
            return Pond::init(&place.pond(), "test", place.environment()).await.map(drop);
        };
        match self {
            Self::First | Self::Small => write(place, pond, "/a", b"other").await,
            Self::Nodes => nodes(place, pond).await,
            Self::Append | Self::Automatic => append(place, pond, 100).await,
            Self::Large => write(place, pond, "/large", &noise(1_100_000)).await,
            Self::LargeAgain => write(place, pond, "/again", &noise(70_000)).await,
            Self::Compaction | Self::TierMerge | Self::Checkpoint | Self::Vacuum => {
                maintain(pond, None).await
            }
            Self::Prune => maintain(pond, Some(DAY * 15)).await,
            Self::Config => pond.set_setting("lock.timeout_seconds", "7"),
            Self::Random(work) => work.act(place, pond).await,
            Self::Init | Self::RecoverTorn | Self::RecoverLost => unreachable!("no open pond"),
        }
    }
}

fn ends(path: &Path, end: &str) -> bool {
    path.to_str().is_some_and(|path| path.ends_with(end))
}

pub(super) fn noise(len: usize) -> Vec<u8> {
    data::noise_bytes(len)
}

/// A transaction, a second after whatever was before.
pub(super) async fn transact(
    place: &Place,
    pond: &Pond,
    what: &str,
    work: impl AsyncFnOnce(&WriteView) -> Result<(), Error>,
) -> Result<(), Error> {
    place.clock.advance(1_000_000);
    pond.write(TestPond::intent(what), work).await.map(drop)
}

pub(super) async fn write(
    place: &Place,
    pond: &Pond,
    path: &str,
    bytes: &[u8],
) -> Result<(), Error> {
    transact(place, pond, path, async |txn| Ok(txn.fs().write(path, bytes).await.map(drop)?)).await
}

pub(super) async fn remove(place: &Place, pond: &Pond, path: &str) -> Result<(), Error> {
    transact(place, pond, path, async |txn| Ok(txn.fs().remove(path).await?)).await
}

pub(super) async fn append(place: &Place, pond: &Pond, number: i64) -> Result<(), Error> {
    let start_us = testing::START_US + number * 60_000_000;
    let rows = data::sine(start_us, 1_000_000, 5, TimeUnit::Microsecond);
    transact(place, pond, "/series", async |txn| {
        let (spec, schema) = (data::spec(TimeUnit::Microsecond), rows.schema());
        let rows = futures::stream::iter([Ok(rows)]).boxed();
        Ok(txn.fs().append_series("/series", Some(spec), schema, rows).await.map(drop)?)
    })
    .await
}

pub(super) async fn nodes(place: &Place, pond: &Pond) -> Result<(), Error> {
    transact(place, pond, "nodes", async |txn| {
        let fs = txn.fs();
        fs.create_dir_all("/d/e").await?;
        for name in ["x", "y", "z"] {
            fs.write(&format!("/d/e/{name}"), name).await?;
        }
        fs.write("/d/large", noise(80_000)).await?;
        fs.symlink("e/x", "/d/link").await?;
        fs.rename("/a", "/d/a").await?;
        fs.remove("/series").await?;
        Ok(())
    })
    .await
}

pub(super) async fn maintain(pond: &Pond, prune_keep: Option<Duration>) -> Result<(), Error> {
    let plan = pond.plan_maintenance(MaintainOptions { prune_keep }).await?;
    pond.perform_maintenance(&plan, &TestPond::intent("pond maintain")).await.map(drop)
}

/// A case that was played once without disturbance.
pub(super) struct Rehearsed {
    pub(super) case: Case,
    pub(super) stage: Stage,
    pub(super) trace: Vec<Op>,
    /// What is seen before, and after each commit.
    pub(super) states: Vec<Seen>,
}

impl Rehearsed {
    pub(super) async fn new(case: Case) -> Self {
        let rehearsed = Self::on(case, case.stage().await).await;
        assert!(rehearsed.trace.len() > 1, "{case:?} does nothing");
        rehearsed
    }

    /// Plays a case on any stage.
    pub(super) async fn on(case: Case, stage: Stage) -> Self {
        let place = stage.put_up();
        let mut states = vec![Seen::of(&place.pond()).await];
        place.medium.keep_after(case.commits());
        let pond = open(case, &place).await;
        place.medium.set(testing::fault::Fault::Nothing);
        case.act(&place, pond.as_ref()).await.unwrap();
        for tree in place.medium.kept() {
            states.push(Seen::of_tree(&tree).await);
        }
        let after = Seen::of(&place.pond()).await;
        assert_eq!(states.last(), Some(&after), "{case:?}: the last commit is not the end");
        let trace = place.medium.trace();
        Self { case, stage, trace, states }
    }

    /// The state after those of these operations that were done.
    pub(super) fn state_after(&self, trace: &[Op]) -> usize {
        trace.iter().filter(|op| op.done && self.case.commits()(op)).count()
    }

    /// The state that is on the disk for certain.
    pub(super) fn safe_state_after(&self, trace: &[Op]) -> usize {
        let synced = trace.iter().rposition(|op| {
            let commits = trace.iter().filter(|other| self.case.commits()(other));
            let mut dirs = commits.filter_map(|other| other.path.parent());
            op.done && op.kind == OpKind::SyncDir && dirs.any(|dir| dir == op.path)
        });
        self.state_after(&trace[..synced.map_or(0, |at| at + 1)])
    }
}

/// The pond that a case works on.
pub(super) async fn open(case: Case, place: &Place) -> Option<Pond> {
    if !case.opens() {
        return None;
    }
    Some(Pond::open(&place.pond(), place.environment()).await.unwrap())
}

/// Uses a pond on after something went wrong, without anybody's help but where
/// that is what the case is about, and checks it.
pub(super) async fn go_on(case: Case, place: &Place) -> Seen {
    let mut seen = Seen::of(&place.pond()).await;
    if case == Case::Init && seen == Seen::NoPond {
        case.act(place, None).await.unwrap();
        seen = Seen::of(&place.pond()).await;
    }
    let unsettled = match &seen {
        Seen::Damaged => true,
        Seen::Whole(whole) => whole.lost_tail,
        Seen::NoPond => false,
    };
    if case.recovers() && unsettled {
        case.act(place, None).await.unwrap();
        seen = Seen::of(&place.pond()).await;
    }
    let pond = Pond::open(&place.pond(), place.environment()).await.unwrap();
    next_works(place, &pond, &place.pond(), &seen).await
}

/// Checks that a pond that shows `before` takes the next write and is whole.
pub(super) async fn next_works(place: &Place, pond: &Pond, dir: &Path, before: &Seen) -> Seen {
    write(place, pond, "/next", b"next").await.unwrap();
    let after = Seen::of(dir).await;
    let (old, new) = (before.whole(), after.whole());
    // Automatic upkeep may follow it.
    let kept = &new.transactions[..old.transactions.len()];
    assert_eq!(kept, old.transactions, "transactions were lost");
    assert!(new.transactions.len() > old.transactions.len());
    for (path, node) in old.newest.nodes.iter().filter(|(path, _)| *path != "/next") {
        assert_eq!(new.newest.nodes.get(path), Some(node), "{path} is another");
    }
    assert!(new.newest.nodes.contains_key("/next"));
    assert_eq!(pond.fsck().await.unwrap().findings, []);
    after
}
