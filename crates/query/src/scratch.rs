//! What a run keeps in temporary places, so that it can be removed when the
//! process ends before the threads that use it.
//!
//! Always true: whoever made a file or directory removes it when its last user
//! is done; this is only for a process that does not wait for that.
//!
//! Deliberately not here: making any of it.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError, Weak};

use datafusion::execution::runtime_env::RuntimeEnv;

/// A thread that still spills may put a file into what is being emptied.
const TRIES: usize = 3;

/// The temporary files and directories of sessions and host files that were
/// given a clone of it.
#[derive(Clone, Debug, Default)]
pub struct Scratch {
    files: Arc<Mutex<Vec<PathBuf>>>,
    runtimes: Arc<Mutex<Vec<Weak<RuntimeEnv>>>>,
}

impl Scratch {
    pub(crate) fn add_file(&self, path: &Path) {
        self.files.lock().unwrap_or_else(PoisonError::into_inner).push(path.to_owned());
    }

    pub(crate) fn add_runtime(&self, runtime: &Arc<RuntimeEnv>) {
        let weak = Arc::downgrade(runtime);
        self.runtimes.lock().unwrap_or_else(PoisonError::into_inner).push(weak);
    }

    /// Removes all of it, whoever uses it. Only for the end of a process: what
    /// still runs meets missing files.
    pub fn remove(&self) {
        let files = self.files.lock().unwrap_or_else(PoisonError::into_inner);
        for file in files.iter() {
            // Gone already when its last user was done.
            let _ = std::fs::remove_file(file);
        }
        let runtimes = self.runtimes.lock().unwrap_or_else(PoisonError::into_inner);
        for runtime in runtimes.iter().filter_map(Weak::upgrade) {
            for dir in runtime.disk_manager.temp_dir_paths() {
                // What can not be removed is left to the system.
                let _ = (0..TRIES).find(|_| std::fs::remove_dir_all(&dir).is_ok());
            }
        }
    }
}
