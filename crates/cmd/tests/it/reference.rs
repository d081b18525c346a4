//! The reference page is what the program says of itself.

use crate::program::Place;

#[test]
fn reference_page_is_what_the_program_says() {
    let page = Place::empty().run(["reference"]).ok();
    let file = testing::repository().join("docs/reference.md");
    if std::env::var_os("UPDATE_REFERENCE").is_some() {
        std::fs::create_dir_all(file.parent().unwrap()).unwrap();
        std::fs::write(&file, page.text()).unwrap();
    }
    let kept = std::fs::read_to_string(&file).unwrap();
    assert_eq!(
        kept,
        page.text(),
        "docs/reference.md is stale: UPDATE_REFERENCE=1 cargo test -p cmd --test it reference"
    );
}
