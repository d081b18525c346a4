//! The newest transaction this replica has acknowledged, so that a log that
//! lost its tail is noticed.
//!
//! It is written after the commit, so it never runs ahead of the log. It is a
//! hint that may be deleted: then the log is taken as it is.

use serde::{Deserialize, Serialize};
use tinyfs::ContentHash;

use crate::control::Control;
use crate::error::TailFound;
use crate::{Error, Result};

const FILE: &str = "watermark.json";

/// A transaction and its hash.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Watermark {
    pub(crate) txn_seq: u64,
    pub(crate) hash: String,
    /// Over the other two: a watermark that is damaged must not make a whole
    /// log look as if its tail were lost.
    sum: String,
}

impl Watermark {
    pub(crate) fn new(txn_seq: u64, hash: ContentHash) -> Self {
        let hash = hash.to_string();
        Self { txn_seq, sum: sum(txn_seq, &hash), hash }
    }

    /// The watermark of this replica. One that can not be read (a power cut
    /// may have torn it, for it is not worth a sync) is as good as none.
    pub(crate) fn load(control: &Control) -> Option<Self> {
        match control.read_json::<Self>(FILE) {
            Ok(Some(watermark)) if watermark.sum != sum(watermark.txn_seq, &watermark.hash) => {
                diagnostics::log_warn!("the watermark is left aside: it is damaged");
                None
            }
            Ok(watermark) => watermark,
            Err(error @ (Error::BadSettings { .. } | Error::Io { .. })) => {
                diagnostics::log_warn!("the watermark is left aside: {error}", error);
                None
            }
            Err(_) => None,
        }
    }

    pub(crate) fn store(&self, control: &Control) -> Result<()> {
        control.write_hint(FILE, self)
    }

    /// Stores one that does not follow from the one before: a power cut must
    /// not bring back what an operator has agreed to forget, and ask again.
    pub(crate) fn store_durable(&self, control: &Control) -> Result<()> {
        control.write_durable(FILE, self)
    }

    pub(crate) fn forget(control: &Control) -> Result<()> {
        control.remove_durable(FILE)
    }

    /// What is wrong with a log that ends with `newest` and whose transaction
    /// of the watermark's number has `hash`.
    pub(crate) fn compare(&self, newest: u64, hash: Option<ContentHash>) -> Option<TailFound> {
        if newest < self.txn_seq {
            return Some(TailFound::Earlier(newest));
        }
        // A prune may have dropped that transaction's row; then it can not differ.
        hash.filter(|hash| hash.to_string() != self.hash).map(|_| TailFound::Other)
    }
}

fn sum(txn_seq: u64, hash: &str) -> String {
    ContentHash::of(format!("{txn_seq} {hash}").as_bytes()).to_string()
}
