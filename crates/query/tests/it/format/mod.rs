//! Host files as tables: URLs, CSV, JSON, Parquet, times, damage.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a helper that fails fails its test")]

mod csv;
mod damage;
mod data;
mod json;
mod logs;
mod otel;
mod parquet;
mod progress;
mod round_trip;
mod table;
mod time;
mod url;

use std::io::Write as _;
use std::path::Path;

use arrow::array::{Array as _, RecordBatch};
use arrow::compute::concat_batches;
use arrow::util::display::{ArrayFormatter, FormatOptions};
use futures::StreamExt as _;
use query::format::{Error, HostSource, OpenedSource, ReadOptions, SourceUrl, open};

/// A directory with one file in it.
pub(crate) struct Sample {
    dir: tempfile::TempDir,
    name: String,
}

impl Sample {
    pub(crate) fn new(name: &str, bytes: impl AsRef<[u8]>) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let mut file = std::fs::File::create(dir.path().join(name)).unwrap();
        file.write_all(bytes.as_ref()).unwrap();
        Self { dir, name: name.to_owned() }
    }

    pub(crate) fn dir(&self) -> &Path {
        self.dir.path()
    }

    pub(crate) fn source(&self) -> HostSource {
        self.named("host", "")
    }

    /// The file as `SCHEME:name`.
    pub(crate) fn named(&self, scheme: &str, suffix: &str) -> HostSource {
        let url = SourceUrl::parse(&format!("{scheme}:{}{suffix}", self.name)).unwrap();
        HostSource::new(url).with_base(self.dir.path()).with_temp_dir(self.dir.path())
    }

    pub(crate) fn open(&self, options: &ReadOptions) -> Result<OpenedSource, Error> {
        block_on(open(self.source(), options.clone()))
    }

    pub(crate) fn read(&self, options: &ReadOptions) -> Result<(RecordBatch, OpenedSource), Error> {
        let opened = self.open(options)?;
        let batch = rows(&opened, None)?;
        Ok((batch, opened))
    }

    /// The error of a read that must fail, with its causes.
    pub(crate) fn refused(&self, options: &ReadOptions) -> String {
        match self.read(options) {
            Ok(_) => panic!("the file was read"),
            Err(error) => chain(&error),
        }
    }
}

pub(crate) fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text.push_str(&format!(": {cause}"));
        source = cause.source();
    }
    text
}

pub(crate) fn block_on<F: Future>(future: F) -> F::Output {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .unwrap()
        .block_on(future)
}

/// All rows as one batch.
pub(crate) fn rows(
    opened: &OpenedSource,
    projection: Option<Vec<usize>>,
) -> Result<RecordBatch, Error> {
    block_on(async {
        let mut stream = opened.stream(projection);
        let mut batches = Vec::new();
        while let Some(batch) = stream.next().await {
            batches.push(batch?);
        }
        Ok(concat_batches(&stream.schema(), &batches).unwrap())
    })
}

/// Every cell as text, null as `-`.
pub(crate) fn cells(batch: &RecordBatch) -> Vec<Vec<String>> {
    let options = FormatOptions::default().with_null("-");
    let columns: Vec<_> = batch
        .columns()
        .iter()
        .map(|column| ArrayFormatter::try_new(column, &options).unwrap())
        .collect();
    (0..batch.num_rows())
        .map(|row| columns.iter().map(|column| column.value(row).to_string()).collect())
        .collect()
}

/// The types of all columns, in words.
pub(crate) fn types(batch: &RecordBatch) -> Vec<String> {
    batch.columns().iter().map(|column| column.data_type().to_string()).collect()
}

pub(crate) fn options(change: impl FnOnce(&mut ReadOptions)) -> ReadOptions {
    let mut options = ReadOptions::default();
    options.threads = Some(2);
    change(&mut options);
    options
}

/// Options with a time column `t` in a zone.
pub(crate) fn in_zone(zone: &str) -> ReadOptions {
    options(|options| {
        options.time_column = Some("t".to_owned());
        options.time_zone = Some(zone.to_owned());
    })
}
