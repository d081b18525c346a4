//! References to the environment and to files of the host.

use std::collections::BTreeMap;
use std::io;
use std::path::Path;

use factory::config::resolve;
use factory::{Env, Error};

struct Host(BTreeMap<&'static str, &'static str>);

impl Env for Host {
    fn var(&self, name: &str) -> Option<String> {
        self.0.get(name).map(|value| (*value).to_owned())
    }

    fn file(&self, path: &Path) -> io::Result<String> {
        match path.to_str() {
            Some("/run/token") => Ok("from a file\n".to_owned()),
            _ => Err(io::ErrorKind::NotFound.into()),
        }
    }
}

fn host() -> Host {
    Host(BTreeMap::from([("TOKEN", "${env:OTHER}"), ("EMPTY", "")]))
}

#[test]
fn references_stand_for_what_the_host_says() {
    for (text, expected) in [
        ("nothing", "nothing"),
        ("a ${env:TOKEN} b", "a ${env:OTHER} b"),
        ("${env:NONE:-x}${env:EMPTY:-y}", "x"),
        ("${file:/run/token}", "from a file"),
        ("${1} $0 ${x}", "${1} $0 ${x}"),
    ] {
        assert_eq!(resolve(text, &host()).expect("resolved"), expected);
    }
}

#[test]
fn an_error_names_the_reference() {
    assert!(matches!(
        resolve("${env:NONE}", &host()),
        Err(Error::Env { name }) if name == "NONE"
    ));
    for text in ["${file:/nowhere}", "${env:TOKEN"] {
        let error = resolve(text, &host()).expect_err("a refusal");
        assert!(error.to_string().contains(text), "{error}");
    }
}
