//! Writes the made-up sample: `cargo run -p testing --example sample [DIRECTORY [SEED]]`.
//!
//! Without arguments it writes what is checked in under `data/sample`.

use std::path::PathBuf;

use testing::sample;

#[expect(clippy::print_stdout, reason = "a program for people")]
fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let checked_in = concat!(env!("CARGO_MANIFEST_DIR"), "/../../data/sample");
    let directory = PathBuf::from(arguments.next().unwrap_or_else(|| checked_in.to_owned()));
    let seed = arguments.next().map_or(Ok(sample::SEED), |text| text.parse())?;
    std::fs::create_dir_all(&directory)?;
    for file in sample::files(seed) {
        std::fs::write(directory.join(file.name), &file.content)?;
        println!("{}  {} bytes", file.name, file.content.len());
    }
    println!("seed {seed}");
    Ok(())
}
