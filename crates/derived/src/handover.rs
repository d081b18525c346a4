//! Rows handed from where they are read to a thread that writes them.
//!
//! Always true: the end is said, so that a reader that was broken off is not
//! taken for one that is done; a few batches are under way at most.

use std::fmt;

use arrow::array::RecordBatch;
use tokio::sync::mpsc;

use crate::{Error, Result};

/// Batches on their way.
const BATCHES_AHEAD: usize = 2;

enum Message {
    Batch(Result<RecordBatch>),
    End,
}

/// Where rows go in.
pub(crate) struct Giver(mpsc::Sender<Message>);

/// Where they come out, on a thread that may wait.
pub(crate) struct Taker {
    receiver: mpsc::Receiver<Message>,
    ended: bool,
    /// What is done with them, for messages.
    doing: &'static str,
}

/// Both ends; `doing` says what is done with the rows.
pub(crate) fn handover(doing: &'static str) -> (Giver, Taker) {
    let (sender, receiver) = mpsc::channel(BATCHES_AHEAD);
    (Giver(sender), Taker { receiver, ended: false, doing })
}

impl Giver {
    /// Hands over a batch, or what ends them; `false` when nobody takes more.
    pub(crate) async fn give(&self, batch: Result<RecordBatch>) -> bool {
        self.0.send(Message::Batch(batch)).await.is_ok()
    }

    /// There are no more.
    pub(crate) async fn end(self) {
        // Whoever has gone knows why.
        let _ = self.0.send(Message::End).await;
    }
}

impl Iterator for Taker {
    type Item = Result<RecordBatch>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.ended {
            return None;
        }
        match self.receiver.blocking_recv() {
            Some(Message::Batch(batch)) => Some(batch),
            Some(Message::End) => {
                self.ended = true;
                None
            }
            None => Some(Err(broken_off(self.doing, "its reader is gone"))),
        }
    }
}

/// The error of work that ended before its rows did.
pub(crate) fn broken_off(doing: &'static str, why: impl fmt::Display) -> Error {
    Error::Query(query::Error::BadRequest { what: format!("{doing} was broken off: {why}") })
}
