//! Where things lie: the repository's root and the folders that steps work in. Nothing is looked for anywhere else.

use std::ffi::OsStr;
use std::io;
use std::path::{Path, PathBuf};

/// The repository.
#[derive(Debug, Clone)]
pub(crate) struct Room {
    pub(crate) root: PathBuf,
}

impl Room {
    /// The repository that this program was built from.
    pub(crate) fn of_this_repository() -> Self {
        let own = Path::new(env!("CARGO_MANIFEST_DIR"));
        Room { root: own.parent().unwrap_or(own).to_owned() }
    }

    /// Where cargo builds.
    pub(crate) fn target(&self) -> PathBuf {
        std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| self.root.join("target"), |folder| self.root.join(folder))
    }

    /// The committed trace of a defect.
    pub(crate) fn crash(&self, component: &str, name: &str) -> PathBuf {
        self.root.join("crashes").join(component).join(format!("{name}.jsonl"))
    }

    /// The committed traces of a component, in the order of their names.
    pub(crate) fn crashes(&self, component: &str) -> io::Result<Vec<PathBuf>> {
        files(&self.root.join("crashes").join(component), |path| path.extension() == Some(OsStr::new("jsonl")))
    }

    /// The workflows of GitHub, in the order of their names.
    pub(crate) fn workflows(&self) -> io::Result<Vec<PathBuf>> {
        files(&self.root.join(".github/workflows"), |path| path.extension() == Some(OsStr::new("yml")))
    }

    /// The committed seeds of a component, in the order of their names.
    pub(crate) fn seeds(&self, component: &str) -> io::Result<Vec<PathBuf>> {
        let is_seed =
            |path: &Path| path.file_name().and_then(OsStr::to_str).is_some_and(|name| name.starts_with("seed-"));
        files(&self.root.join("corpus").join(component), is_seed)
    }
}

/// The chosen files of a folder, in the order of their names; none where there is no folder.
fn files(folder: &Path, chosen: impl Fn(&Path) -> bool) -> io::Result<Vec<PathBuf>> {
    let entries = match std::fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(error),
    };
    let mut files = Vec::new();
    for entry in entries {
        let path = entry?.path();
        if path.is_file() && chosen(&path) {
            files.push(path);
        }
    }
    files.sort();
    Ok(files)
}
