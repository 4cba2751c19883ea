//! Where `${NAME}` and `${file:path}` of the project file are looked up.

use std::path::PathBuf;

use hivecast_feed::Secrets;

/// The process's environment, and files; a relative path is relative to the project file.
pub(crate) struct Machine {
    pub(crate) project_dir: PathBuf,
}

impl Secrets for Machine {
    fn variable(&self, name: &str) -> Option<String> {
        std::env::var(name).ok()
    }

    fn file(&self, path: &str) -> std::io::Result<String> {
        std::fs::read_to_string(self.project_dir.join(path))
    }
}
