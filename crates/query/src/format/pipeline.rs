//! Work on chunks by several threads, with the results in the chunks' order.
//!
//! What always holds: results arrive in order; at most about twice as many
//! chunks as threads are in memory; the first error ends the work; no thread
//! outlives the call.
//!
//! What is deliberately not here: what the chunks are.

use std::ops::ControlFlow;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Mutex, PoisonError};
use std::thread;

use super::error::Result;

/// A place in the order, filled by whichever thread gets the chunk.
type Slot<U> = Receiver<U>;

/// Takes chunks from `produce` (on a thread of its own) until it gives none,
/// works on them on `threads` threads and hands the results to `consume` (on
/// the caller's thread) until it breaks.
pub(crate) fn ordered<T: Send, U: Send, W>(
    threads: usize,
    mut produce: impl FnMut() -> Result<Option<T>> + Send,
    worker: impl Fn() -> W + Sync,
    work: impl Fn(&mut W, T) -> U + Sync,
    mut consume: impl FnMut(U) -> Result<ControlFlow<()>>,
) -> Result<()> {
    let (job_sender, job_receiver) = sync_channel::<(T, SyncSender<U>)>(threads);
    let (slot_sender, slots) = sync_channel::<Result<Slot<U>>>(threads + 1);
    let jobs = Mutex::new(job_receiver);
    thread::scope(|scope| {
        scope.spawn(move || {
            loop {
                let chunk = match produce() {
                    Ok(Some(chunk)) => chunk,
                    Ok(None) => return,
                    Err(error) => {
                        // The consumer gave up: nobody needs the error.
                        let _ = slot_sender.send(Err(error));
                        return;
                    }
                };
                let (result_sender, slot) = sync_channel(1);
                if slot_sender.send(Ok(slot)).is_err()
                    || job_sender.send((chunk, result_sender)).is_err()
                {
                    return;
                }
            }
        });
        for _ in 0..threads {
            scope.spawn(|| {
                let mut state = worker();
                loop {
                    let job = jobs.lock().unwrap_or_else(PoisonError::into_inner).recv();
                    let Ok((chunk, result)) = job else { return };
                    // The consumer gave up: the result is not needed.
                    let _ = result.send(work(&mut state, chunk));
                }
            });
        }
        // Moved in, so that giving up closes the queue and ends the producer.
        let slots = slots;
        while let Ok(slot) = slots.recv() {
            // A slot is dropped unfilled only by a worker that panicked, and
            // the scope hands that panic on.
            let Ok(result) = slot?.recv() else { break };
            if consume(result)?.is_break() {
                break;
            }
        }
        Ok(())
    })
}
