//! Stdout as a stream of data.

use std::io::{self, BufWriter, Write};

use crate::error::{CommandError, Result};

/// Buffered stdout. Data that was written is only there after
/// [`Stdout::finish`].
#[derive(Debug)]
pub(crate) struct Stdout(BufWriter<io::Stdout>);

impl Stdout {
    /// The process's stdout.
    pub(crate) fn new() -> Self {
        Self(BufWriter::with_capacity(64 << 10, io::stdout()))
    }

    /// Writes what is buffered.
    pub(crate) fn finish(mut self) -> Result<()> {
        self.0.flush().map_err(CommandError::stdout)
    }

    /// Writes one line.
    pub(crate) fn line(&mut self, line: &str) -> Result<()> {
        self.0
            .write_all(line.as_bytes())
            .and_then(|()| self.0.write_all(b"\n"))
            .map_err(CommandError::stdout)
    }

    /// Writes one thing as JSON, without a line break.
    pub(crate) fn json<T: serde::Serialize>(&mut self, item: &T) -> Result<()> {
        // serde_json fails to write only where the stream underneath does.
        serde_json::to_writer(&mut self.0, item)
            .map_err(|error| CommandError::stdout(io::Error::from(error)))
    }

    /// Writes one thing as a line of JSON.
    pub(crate) fn json_line<T: serde::Serialize>(&mut self, item: &T) -> Result<()> {
        self.json(item)?;
        self.line("")
    }
}

impl Write for Stdout {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}
