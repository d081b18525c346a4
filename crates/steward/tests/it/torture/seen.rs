//! All that can be seen of a pond, as a value to compare.

use std::collections::BTreeMap;
use std::fmt;
use std::path::Path;
use std::sync::Arc;

use futures::TryStreamExt as _;
use steward::{AsOf, Environment, Error, Notice, Pond, ReadView, Transaction};
use tinyfs::contract::Picture;

use super::stage::Stage;
use testing::fault::Tree;

/// Past states that are looked at, the newest.
const PAST: u64 = 3;

/// What is seen of a pond, as another process would.
#[derive(Clone, PartialEq)]
pub(super) enum Seen {
    /// There is none.
    NoPond,
    /// It can not be opened, because a commit is damaged.
    Damaged,
    /// It is whole.
    Whole(Arc<Whole>),
}

/// A whole pond.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Whole {
    pub(super) newest: Picture,
    /// Past states by transaction; what was pruned is refused.
    past: BTreeMap<u64, Result<Picture, String>>,
    pub(super) transactions: Vec<Transaction>,
    settings: Vec<(String, String)>,
    pub(super) lost_tail: bool,
}

impl fmt::Debug for Seen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoPond => f.write_str("no pond"),
            Self::Damaged => f.write_str("a damaged pond"),
            Self::Whole(whole) => {
                let paths: Vec<_> = whole
                    .newest
                    .nodes
                    .iter()
                    .map(|(path, node)| format!("{path}:{}", node.versions.len()))
                    .collect();
                let refused = whole.past.iter().filter(|(_, past)| past.is_err());
                write!(
                    f,
                    "transactions {:?}, {}, refused {:?}, settings {:?}{}",
                    whole.transactions.iter().map(|t| t.txn_seq).collect::<Vec<_>>(),
                    paths.join(" "),
                    refused.map(|(txn_seq, _)| txn_seq).collect::<Vec<_>>(),
                    whole.settings,
                    if whole.lost_tail { ", its tail lost" } else { "" },
                )
            }
        }
    }
}

impl Seen {
    /// What a new process sees of the pond in `dir`. Looking writes nothing.
    pub(super) async fn of(dir: &Path) -> Self {
        let (environment, _) = Environment::manual(testing::START_US);
        match Pond::open(dir, environment).await {
            Ok(pond) => Self::Whole(Arc::new(Whole::of(&pond).await)),
            Err(Error::NotAPond { .. } | Error::NoSuchDirectory { .. }) => Self::NoPond,
            Err(Error::Log { source: oplog::Error::DamagedCommit { .. }, .. }) => Self::Damaged,
            Err(error) => panic!("the pond can not be opened: {}", chain(&error)),
        }
    }

    /// What is seen of a pond that lies in `tree`.
    pub(super) async fn of_tree(tree: &Tree) -> Self {
        let place = Stage::empty().with(tree.clone()).put_up();
        Self::of(&place.pond()).await
    }

    /// Checks that nothing acknowledged differs. A setting that was chosen
    /// without an answer may be there or not.
    pub(super) fn agrees(&self, after: &Self) {
        let but_for_settings = |seen: &Self| {
            Self::Whole(Arc::new(Whole { settings: Vec::new(), ..seen.whole().clone() }))
        };
        assert_eq!(but_for_settings(self), but_for_settings(after), "after a power cut as well");
    }

    pub(super) fn whole(&self) -> &Whole {
        match self {
            Self::Whole(whole) => whole,
            other => panic!("{other:?}"),
        }
    }
}

impl Whole {
    async fn of(pond: &Pond) -> Self {
        let view = pond.read().await.unwrap();
        let mut transactions: Vec<_> = view.log().try_collect().await.unwrap();
        transactions.reverse();
        let mut past = BTreeMap::new();
        let newest = view.txn_seq();
        for txn_seq in newest.saturating_sub(PAST).max(1)..newest {
            past.insert(txn_seq, past_of(&view, txn_seq).await);
        }
        let settings = pond.settings().unwrap();
        Self {
            newest: picture(&view).await.unwrap(),
            past,
            transactions,
            settings: settings
                .list()
                .filter(|(setting, _)| settings.is_chosen(setting.key))
                .map(|(setting, value)| (setting.key.to_owned(), value.to_owned()))
                .collect(),
            lost_tail: pond.notices().iter().any(|n| matches!(n, Notice::LostTail { .. })),
        }
    }
}

async fn picture(view: &ReadView) -> tinyfs::Result<Picture> {
    Picture::of(&view.store()).await
}

async fn past_of(view: &ReadView, txn_seq: u64) -> Result<Picture, String> {
    match view.at(AsOf::Txn(txn_seq)).await {
        Ok(then) => picture(&then).await.map_err(|error| chain(&error)),
        Err(error) if error.is_pruned() => Err(chain(&error)),
        Err(error) => panic!("transaction {txn_seq} can not be shown: {}", chain(&error)),
    }
}

/// An error with its causes, on one line.
pub(super) fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text.push_str(": ");
        text.push_str(&error.to_string());
        cause = error.source();
    }
    text
}
