//! How long ago something was, in the face of a clock that steps.
//!
//! What upkeep drops for its age is dropped for good, so one wrong clock must
//! not make everything old at once. Nobody can tell a clock that was set ahead
//! from a pond that rested; so a pause between two transactions, whatever it
//! was, counts as a quarter of the age that is asked for at most. A step back
//! makes nothing older, because times are the running maximum of the ends of
//! transactions.

use crate::{Error, Result, Snapshot};

/// How many spans, each begun by a transaction, an age is made of.
const SPANS: i64 = 4;

impl Snapshot {
    /// A time before which things are `age_us` old at `now_us`, also if the
    /// clock was set ahead once since: the clock says so, and transactions bear
    /// it out. `None` when nothing is.
    ///
    /// # Errors
    /// [`Error::DamagedFile`], [`Error::Io`].
    pub async fn surely_before(&self, now_us: i64, age_us: i64) -> Result<Option<i64>> {
        if age_us <= 0 {
            return Ok(Some(now_us));
        }
        let span_us = (age_us - 1) / SPANS + 1;
        let mut time_us = now_us;
        for _ in 0..SPANS {
            let then = match self.as_of_time(time_us.saturating_sub(span_us)).await {
                Ok(then) if then.txn_seq() > 0 => then.txn_seq(),
                Ok(_) | Err(Error::Pruned { .. } | Error::NoSuchTransaction { .. }) => {
                    return Ok(None);
                }
                Err(error) => return Err(error),
            };
            time_us = self.transaction(then).await?.row.ended_us;
        }
        Ok(Some(time_us))
    }
}
