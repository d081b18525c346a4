//! Where the checkout lies whose tests run.
//!
//! It is asked for at run time: a test that was compiled in one checkout may be
//! run in another that shares its target folder, so a path compiled in
//! (`env!("CARGO_MANIFEST_DIR")`) can be that of the wrong one.

use std::path::PathBuf;

/// The root of the repository, as Cargo tells the program that it runs.
///
/// # Panics
/// When the program was not started by Cargo.
#[must_use]
pub fn repository() -> PathBuf {
    let package = std::env::var_os("CARGO_MANIFEST_DIR");
    let package = PathBuf::from(package.expect("run by cargo, which sets CARGO_MANIFEST_DIR"));
    // Each package lies in a folder of the repository's own folders.
    package.ancestors().nth(2).expect("a package two folders below the root").to_owned()
}
