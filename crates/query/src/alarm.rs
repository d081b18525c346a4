//! A deadline that rings whatever the query does.
//!
//! The runtime's own timers are looked after between the steps of its workers;
//! a query whose steps are long on every worker would hold them up, and those
//! are the queries that a deadline is for. So a thread waits.

use std::future::Future;
use std::pin::Pin;
use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::task::{Context, Poll};
use std::time::Duration;

use futures::channel::oneshot;

/// Is ready once its time is over. Dropping it ends its thread.
#[derive(Debug)]
pub(crate) struct Alarm {
    after: Duration,
    rings: oneshot::Receiver<()>,
    _alive: Sender<()>,
}

impl Alarm {
    /// An alarm that rings so much later.
    pub(crate) fn after(after: Duration) -> Self {
        let (alive, ends) = mpsc::channel();
        let (ring, rings) = oneshot::channel();
        std::thread::spawn(move || {
            if ends.recv_timeout(after) == Err(RecvTimeoutError::Timeout) {
                // Whoever waited may be gone.
                let _ = ring.send(());
            }
        });
        Self { after, rings, _alive: alive }
    }

    /// How long it waited.
    pub(crate) const fn waited(&self) -> Duration {
        self.after
    }
}

impl Future for Alarm {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        Pin::new(&mut self.rings).poll(cx).map(drop)
    }
}
