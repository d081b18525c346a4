//! The ways into the pond that a node's run has, over the steward.
//!
//! Always true: each look is at the newest state; each step is one transaction
//! with this command line.

use std::io::{self, ErrorKind, Read as _};
use std::path::Path;

use arrow::datatypes::SchemaRef;
use async_trait::async_trait;
use factory::{Appended, Batches, BoxError, Doors, Env, RunReport, Sink, Step};
use futures::{StreamExt as _, stream};
use steward::{Commit, Pond, WriteView};
use tinyfs::{Fs, SeriesSpec, WriteStore};
use tlogfs::{ParquetWriteExt as _, Written};

use crate::context::{ALL_TIME, Context, View};
use crate::error::CommandError;

/// The most that is read of a file that a configuration refers to.
const MAX_SECRET_BYTES: u64 = 64 << 10;

/// A pond that is open, for what runs.
pub(crate) struct PondDoors<'a> {
    context: &'a Context,
    pond: &'a Pond,
}

impl<'a> PondDoors<'a> {
    pub(crate) const fn new(context: &'a Context, pond: &'a Pond) -> Self {
        Self { context, pond }
    }

    async fn newest(&self) -> factory::Result<View> {
        self.context.view(self.pond, None).await.map_err(failed("cannot read the pond"))
    }
}

/// An error of the program, where a factory's is wanted.
fn failed(doing: &str) -> impl FnOnce(CommandError) -> factory::Error {
    let doing = doing.to_owned();
    move |error| factory::Error::Run { doing, source: error.into_cause() }
}

#[async_trait(?Send)]
impl Doors for PondDoors<'_> {
    async fn read(&self) -> factory::Result<Fs> {
        Ok(self.newest().await?.fs)
    }

    async fn query(&self, sql: &str) -> factory::Result<Batches<'static>> {
        let view = self.newest().await?;
        let prepared = self.context.session(&view, ALL_TIME);
        let session = prepared.map_err(failed("cannot prepare for queries"))?;
        let rows = session.sql(sql).await.map_err(|error| factory::Error::Run {
            doing: "cannot ask the pond".to_owned(),
            source: Box::new(error),
        })?;
        // The session lives as long as its rows.
        let rows = stream::try_unfold((rows, session), |(mut rows, session)| async move {
            let next = rows.next().await.map_err(BoxError::from)?;
            Ok(next.map(|batch| (batch, (rows, session))))
        });
        Ok(rows.boxed())
    }

    async fn write(&self, step: &mut dyn Step) -> factory::Result<Option<u64>> {
        let written = self
            .pond
            .write(self.context.intent(), async |view: &WriteView| {
                let done = step.perform(&Transaction { fs: view.fs() }).await;
                // From here on it is committed or not, and says which.
                self.context.lift_ceiling();
                done.map_err(Stopped::Step)
            })
            .await;
        match written {
            Ok(written) => Ok(match written.commit {
                Commit::Committed { txn_seq } => {
                    self.context.detail(&format!("transaction {txn_seq}"));
                    Some(txn_seq)
                }
                Commit::Nothing => None,
            }),
            Err(Stopped::Step(error)) => Err(error),
            Err(Stopped::Pond(error)) => Err(factory::Error::Run {
                doing: "cannot change the pond".to_owned(),
                source: Box::new(error),
            }),
        }
    }

    async fn refresh(&self, path: &str) -> factory::Result<RunReport> {
        let view = self.newest().await?;
        let prepared = self.context.session(&view, ALL_TIME);
        let session = prepared.map_err(failed("cannot prepare for queries"))?;
        view.computer.refresh(&session, path).await.map_err(|error| match error {
            derived::Error::Factory(error) => error,
            error => factory::Error::Run {
                doing: format!("`{path}` can not be brought up to date"),
                source: Box::new(error),
            },
        })
    }
}

/// Why a step is no transaction.
enum Stopped {
    Step(factory::Error),
    Pond(steward::Error),
}

impl From<steward::Error> for Stopped {
    fn from(error: steward::Error) -> Self {
        Self::Pond(error)
    }
}

/// A transaction, for a step.
struct Transaction {
    fs: Fs<dyn WriteStore>,
}

#[async_trait(?Send)]
impl Sink for Transaction {
    fn fs(&self) -> &Fs<dyn WriteStore> {
        &self.fs
    }

    async fn append_rows(
        &self,
        path: &str,
        spec: Option<SeriesSpec>,
        schema: SchemaRef,
        rows: Batches<'_>,
    ) -> factory::Result<Appended> {
        appended(path, self.fs.append_series(path, spec, schema, rows).await)
    }

    async fn write_table(
        &self,
        path: &str,
        schema: SchemaRef,
        rows: Batches<'_>,
    ) -> factory::Result<Appended> {
        appended(path, self.fs.write_table(path, schema, rows).await)
    }
}

fn appended(path: &str, written: tlogfs::Result<Written>) -> factory::Result<Appended> {
    match written {
        Ok(Written { version, rows, time_range, below_floor, .. }) => {
            Ok(Appended { version, rows, time_range, below_floor })
        }
        Err(error) => Err(factory::Error::Run {
            doing: format!("cannot write to `{path}`"),
            source: Box::new(error),
        }),
    }
}

/// The environment of this process and the files of this machine.
#[derive(Clone, Copy, Debug)]
pub(crate) struct HostEnv;

impl Env for HostEnv {
    /// A variable that is not UTF-8 can stand in no text, and counts as not
    /// set.
    fn var(&self, name: &str) -> Option<String> {
        std::env::var(name).ok()
    }

    fn file(&self, path: &Path) -> io::Result<String> {
        let mut text = String::new();
        let read =
            std::fs::File::open(path)?.take(MAX_SECRET_BYTES + 1).read_to_string(&mut text)?;
        if read as u64 > MAX_SECRET_BYTES {
            return Err(io::Error::new(ErrorKind::FileTooLarge, "it has more than 64 KiB"));
        }
        Ok(text)
    }
}
