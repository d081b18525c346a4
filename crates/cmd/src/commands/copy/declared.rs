//! Copies that a file declares: the words of the command line, said in YAML.
//!
//! Always true: what is copied, and how it is read, is what `pond copy` does
//! with the same words.

use std::ffi::OsString;

use steward::WriteView;
use tlogfs::Look;

use super::CopyArgs;
use super::incoming::{self, Step};
use super::into;
use super::report::Tally;
use crate::args::AsOfArg;
use crate::context::Context;
use crate::error::{CommandError, Result};
use crate::host::Operand;
use crate::table_args::{SeriesArgs, TableArgs};

/// A copy into the pond that was looked through and can be carried out.
#[derive(Debug)]
pub(in crate::commands) struct Prepared(Vec<Step>);

/// Looks through host files that are to be copied to `dest`.
///
/// # Errors
/// As `pond copy` does before it changes anything.
pub(in crate::commands) async fn prepare(
    context: &Context,
    fs: &tinyfs::Fs,
    sources: Vec<Operand>,
    dest: &str,
    table: &TableArgs,
    series: &SeriesArgs,
) -> Result<Prepared> {
    if super::super::is_directory(fs, dest).await? {
        return Err(CommandError::bad_input(format!(
            "`{dest}` is to be a file, and is a directory"
        )));
    }
    let args = CopyArgs {
        operands: Vec::<OsString>::new(),
        recursive: false,
        parents: true,
        dry_run: false,
        check: false,
        strip_prefix: None,
        version: None,
        as_of: AsOfArg { as_of: None },
        table: table.clone(),
        series: series.clone(),
    };
    incoming::plan(context, fs, &args, sources, dest).await.map(Prepared)
}

impl Prepared {
    /// Copies inside a transaction, and says what was copied once it is done.
    ///
    /// # Errors
    /// As `pond copy`.
    pub(in crate::commands) async fn perform(
        &self,
        context: &Context,
        view: &WriteView,
    ) -> Result<Tally> {
        let fs = view.fs();
        let mut tally = Tally::default();
        for step in &self.0 {
            let done = into::apply(context, &fs, step, Look::Times).await;
            if let Some(one) = done.map_err(|error| into::explain(error, step.to()))? {
                tally.add(context, one);
            }
        }
        Ok(tally)
    }
}
