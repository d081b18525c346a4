//! Ponds of many ages, and what commands cost in them.
//!
//! `aged make` lets a pond grow old through the library, as its users do one
//! command at a time: a transaction a minute, with automatic upkeep. `aged
//! series` does so with one series that gets a row a minute, and writes the
//! same rows once beside it. `aged measure` runs the program on such ponds,
//! each command as a process of its own, and prints a JSON object a line.
//!
//! Always true: the clock of a pond that grows runs a minute a transaction,
//! so that what time brings due (vacuum, versions that are merged for long)
//! comes due as it would.
//!
//! Deliberately not here: peers, and judging the figures.

#![expect(clippy::print_stdout, reason = "what is measured goes to stdout")]

mod grow;
mod measure;

use std::path::PathBuf;

use clap::{Parser, Subcommand};

/// What fails is told and ends the program.
pub(crate) type Outcome<T = ()> = Result<T, Box<dyn std::error::Error + Send + Sync>>;

#[derive(Parser)]
#[command(about = "Ponds of many ages, and what commands cost in them")]
struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Make a pond of many transactions: files in directories, files written
    /// again, rows of series, names that move and go.
    Make {
        /// The pond, which must not exist.
        pond: PathBuf,
        /// Transactions.
        transactions: u64,
        /// Bytes of each small file.
        #[arg(long, default_value_t = 1024)]
        bytes: usize,
    },
    /// Make a pond with a series of many appends, and one with the same rows
    /// written once.
    Series {
        /// The pond of appends, which must not exist.
        appended: PathBuf,
        /// The pond of the same rows, which must not exist.
        once: PathBuf,
        /// Appends, a row each.
        appends: u64,
    },
    /// Run commands on ponds that were made, the youngest first.
    Measure {
        /// The program.
        #[arg(long, default_value = "pond")]
        program: PathBuf,
        /// Runs of each command.
        #[arg(long, default_value_t = 15)]
        runs: usize,
        /// Ponds that `make` made.
        ponds: Vec<PathBuf>,
    },
    /// Read the series that `series` made: appended and written once.
    MeasureSeries {
        /// The program.
        #[arg(long, default_value = "pond")]
        program: PathBuf,
        /// Runs of each command.
        #[arg(long, default_value_t = 15)]
        runs: usize,
        /// The pond of appends.
        appended: PathBuf,
        /// The pond of the same rows.
        once: PathBuf,
    },
}

#[tokio::main]
async fn main() -> Outcome {
    match Args::parse().command {
        Command::Make { pond, transactions, bytes } => {
            println!("{}", grow::make(&pond, transactions, bytes).await?);
        }
        Command::Series { appended, once, appends } => {
            println!("{}", grow::series(&appended, &once, appends).await?);
        }
        Command::Measure { program, runs, ponds } => {
            for line in measure::ages(&program, runs, &ponds)? {
                println!("{line}");
            }
        }
        Command::MeasureSeries { program, runs, appended, once } => {
            for line in measure::series(&program, runs, &appended, &once)? {
                println!("{line}");
            }
        }
    }
    Ok(())
}
