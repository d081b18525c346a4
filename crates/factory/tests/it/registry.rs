//! Finding factories by name.

use factory::{Error, Registry};

#[test]
fn an_unknown_factory_is_an_error_that_names_it() {
    let error = Registry::default().get("temporal-reduce").expect_err("there is none");
    assert!(
        matches!(error, Error::NoSuchFactory { name, nearest: None } if name == "temporal-reduce")
    );
}
