//! Where things lie: the repository's root and the folders that steps work in. Nothing is looked for anywhere else.

use memtwin::drivers::Project;
use memtwin::drivers::command::Run;
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

    /// memtwin itself, built for release.
    pub(crate) fn memtwin(&self) -> Run {
        memtwin(&self.root)
    }

    /// The variants that are no part of the catalogue, built for release.
    pub(crate) fn variants(&self) -> Run {
        let run = Run::cargo(&self.root, ["run", "--release", "--quiet", "--locked", "--package", "memtwin-variants"]);
        run.with(["--"])
    }

    /// memtwin itself, for the drivers of fuzzing engines.
    pub(crate) fn project(&self) -> Project {
        Project { root: self.root.clone(), fuzz: self.root.join("fuzz"), program: memtwin }
    }
}

fn memtwin(root: &Path) -> Run {
    let run = Run::cargo(root, ["run", "--release", "--quiet", "--locked", "--manifest-path"]);
    run.with([root.join("Cargo.toml")]).with(["--bin", "memtwin", "--"])
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
