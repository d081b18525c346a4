//! What a listing left out because it could not be opened or computed.
//!
//! Always true: one that fails does not hide the others, and is told of: as a
//! warning where it happens, and by the session to whoever asks afterwards.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use diagnostics::log_warn;

use crate::Error;

/// What was left out, by path.
#[derive(Clone, Debug, Default)]
pub(crate) struct LeftOut(Arc<Mutex<BTreeMap<String, Arc<Error>>>>);

impl LeftOut {
    /// Notes one; once, however often it is met.
    pub(crate) fn note(&self, path: &str, error: Error) {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if all.contains_key(path) {
            return;
        }
        let why = error.to_string();
        log_warn!("{path} is not listed: {why}", path, why);
        all.insert(path.to_owned(), Arc::new(error));
    }

    /// All that was left out so far.
    pub(crate) fn all(&self) -> Vec<(String, Arc<Error>)> {
        let all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.iter().map(|(path, error)| (path.clone(), Arc::clone(error))).collect()
    }
}
