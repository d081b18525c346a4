//! The transactions of a pond, for the query engine: what `pond.transactions`
//! is made of.

use futures::stream::{self, BoxStream};
use futures::{StreamExt as _, TryStreamExt as _};
use query::{History, TransactionRecord};
use steward::{AsOf, ReadView, Transaction};

/// Transactions that are turned round at once: the log tells the newest first,
/// a table the oldest.
const CHUNK: u64 = 1_000;

/// The transactions up to a state of a pond.
#[derive(Debug)]
pub(crate) struct Ledger(ReadView);

impl Ledger {
    /// Those up to `state`.
    pub(crate) const fn new(state: ReadView) -> Self {
        Self(state)
    }
}

impl History for Ledger {
    fn transactions(&self) -> BoxStream<'static, query::Result<TransactionRecord>> {
        let state = self.0.clone();
        let chunks = stream::try_unfold(1, move |first| {
            let state = state.clone();
            async move {
                let newest = state.txn_seq();
                if first > newest {
                    return Ok(None);
                }
                let last = newest.min(first + CHUNK - 1);
                let mut chunk = up_to(&state, first, last).await?;
                chunk.reverse();
                Ok::<_, query::Error>(Some((stream::iter(chunk.into_iter().map(Ok)), last + 1)))
            }
        });
        chunks.try_flatten().boxed()
    }
}

/// The transactions from `first` to `last`, newest first; those that a prune
/// dropped are not there.
async fn up_to(state: &ReadView, first: u64, last: u64) -> query::Result<Vec<TransactionRecord>> {
    let then = state.at(AsOf::Txn(last)).await.map_err(failed)?;
    let wanted = then.log().try_take_while(|one| std::future::ready(Ok(one.txn_seq >= first)));
    wanted.map_ok(record).try_collect().await.map_err(failed)
}

/// An error that crosses the query engine and keeps its chain.
fn failed(error: steward::Error) -> query::Error {
    query::Error::Store(tinyfs::Error::io("cannot read the transactions", error))
}

fn record(transaction: Transaction) -> TransactionRecord {
    TransactionRecord {
        txn_seq: transaction.txn_seq,
        txn_id: transaction.txn_id.to_string(),
        kind: transaction.kind.to_string(),
        command: transaction.command,
        user: transaction.user,
        host: transaction.host,
        started_us: transaction.started_us,
        ended_us: transaction.ended_us,
        links: transaction.links,
        versions: transaction.versions,
        content_bytes: transaction.content_bytes,
        hash: transaction.hash.to_string(),
    }
}
