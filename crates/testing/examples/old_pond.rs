//! Writes the fixture of today's format:
//! `cargo run -p testing --example old_pond`.
//!
//! It refuses to touch a fixture that is there. See `fixtures/README.md`.

use testing::old_pond::{FACTS, build, copy_tree, facts};

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let pond = build().await;
    let facts = facts(&pond.pond).await;
    let name = format!("format-{}", pond.pond.identity().format_version);
    let fixture = testing::repository().join("crates/testing/fixtures").join(name);
    if fixture.exists() {
        return Err(format!("`{}` is there, and is never written again", fixture.display()).into());
    }
    copy_tree(&pond.path().join("data"), &fixture.join("pond/data"))?;
    std::fs::write(fixture.join(FACTS), format!("{facts:#}\n"))?;
    Ok(())
}
