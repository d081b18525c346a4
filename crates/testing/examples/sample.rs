//! Writes the made-up sample: `cargo run -p testing --example sample [DIRECTORY [SEED]]`.
//!
//! Without arguments it writes what is checked in under `data/sample`.

use std::path::PathBuf;

use testing::sample;

#[expect(clippy::print_stdout, reason = "a program for people")]
fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let directory =
        arguments.next().map_or_else(|| testing::repository().join("data/sample"), PathBuf::from);
    let seed = arguments.next().map_or(Ok(sample::SEED), |text| text.parse())?;
    std::fs::create_dir_all(&directory)?;
    for file in sample::files(seed) {
        std::fs::write(directory.join(file.name), &file.content)?;
        println!("{}  {} bytes", file.name, file.content.len());
    }
    println!("seed {seed}");
    Ok(())
}
