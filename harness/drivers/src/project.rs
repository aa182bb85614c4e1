//! Where things lie: the crate whose subjects are fuzzed, its fuzz targets, its seeds. Nothing is looked for anywhere
//! else, and nothing is built here.

use crate::command::{Run, Trouble, last_lines};
use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::io;
use std::path::{Path, PathBuf};

/// Where cargo-fuzz looks for fuzz targets, below the folder of a crate.
const FUZZ: &str = "fuzz";
/// How committed inputs of engines are named.
const SEED_PREFIX: &str = "seed-";

/// A crate with subjects.
#[derive(Debug, Clone)]
pub struct Project {
    /// Where commands run, and what relative paths are seen from.
    pub root: PathBuf,
    /// The crate of libFuzzer targets, each named after its component. That of the AFL++ targets is `afl` below it.
    pub fuzz: PathBuf,
    /// The program that has the subjects, without arguments.
    pub program: fn(&Path) -> Run,
}

impl Project {
    /// The crate in the current directory, whose program this one is; its fuzz targets lie in `fuzz` unless a folder is
    /// named.
    ///
    /// # Errors
    /// If there is no current directory.
    pub fn here(fuzz: Option<&Path>) -> io::Result<Self> {
        let root = std::env::current_dir()?;
        let fuzz = root.join(fuzz.unwrap_or(Path::new(FUZZ)));
        Ok(Project { root, fuzz, program: Run::this_program })
    }

    /// The program, to be given arguments.
    #[must_use]
    pub fn memtwin(&self) -> Run {
        (self.program)(&self.root)
    }

    /// The crate of AFL++ targets.
    #[must_use]
    pub fn afl(&self) -> PathBuf {
        self.fuzz.join("afl")
    }

    /// The committed seeds of a component, in the order of their names.
    ///
    /// # Errors
    /// If the folder cannot be read; none is there where there is no folder.
    pub fn seeds(&self, component: &str) -> io::Result<Vec<PathBuf>> {
        let entries = match std::fs::read_dir(self.root.join("corpus").join(component)) {
            Ok(entries) => entries,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(error),
        };
        let is_seed = |name: &OsStr| name.to_str().is_some_and(|name| name.starts_with(SEED_PREFIX));
        let mut seeds = Vec::new();
        for entry in entries {
            let path = entry?.path();
            if path.is_file() && path.file_name().is_some_and(is_seed) {
                seeds.push(path);
            }
        }
        seeds.sort();
        Ok(seeds)
    }

    /// A path as seen from the root, where it lies below it.
    pub(crate) fn shown(&self, path: &Path) -> String {
        path.strip_prefix(&self.root).unwrap_or(path).display().to_string()
    }

    /// What tells cargo-fuzz where the targets are, if they are not where it looks.
    pub(crate) fn fuzz_option(&self) -> Option<[String; 2]> {
        let is_usual = self.fuzz == self.root.join(FUZZ);
        (!is_usual).then(|| ["--fuzz-dir".to_owned(), self.shown(&self.fuzz)])
    }

    /// The programs of a crate of fuzz targets.
    ///
    /// # Errors
    /// Skipped where there is no such crate, failed where cargo cannot read it.
    pub(crate) fn targets_in(&self, folder: &Path) -> Result<BTreeSet<String>, Trouble> {
        let manifest = folder.join("Cargo.toml");
        if !manifest.is_file() {
            let remedy = "call it in the folder of your crate, or name the folder of its fuzz targets with --fuzz";
            return Err(Trouble::Skipped {
                why: format!("no {} here", self.shown(&manifest)),
                remedy: remedy.to_owned(),
            });
        }
        let run = Run::cargo(&self.root, ["metadata", "--no-deps", "--format-version", "1", "--manifest-path"]);
        let printed = run.with([&manifest]).ask()?;
        let unreadable = || Trouble::Failed(format!("{}: {}", manifest.display(), last_lines(&printed.err)));
        let metadata: serde_json::Value = serde_json::from_str(&printed.out).map_err(|_| unreadable())?;
        let list = |value: &serde_json::Value, field: &str| value[field].as_array().cloned().unwrap_or_default();
        let targets = list(&metadata, "packages").into_iter().flat_map(|package| list(&package, "targets"));
        let is_program = |target: &serde_json::Value| list(target, "kind").iter().any(|kind| kind == "bin");
        let programs = targets.filter(is_program).filter_map(|target| target["name"].as_str().map(str::to_owned));
        Ok(programs.collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn project(root: &Path) -> Project {
        Project { root: root.to_owned(), fuzz: root.join(FUZZ), program: Run::this_program }
    }

    fn write(path: &Path, text: &str) {
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }

    #[test]
    fn targets_are_the_programs_of_the_crate_and_a_missing_crate_is_told_with_a_remedy() {
        let root = tempfile::tempdir().unwrap();
        let project = project(root.path());
        let missing = project.targets_in(&project.fuzz).unwrap_err().to_string();
        assert!(missing.starts_with("no fuzz/Cargo.toml here; ") && missing.contains("--fuzz"), "{missing}");
        write(&project.fuzz.join("Cargo.toml"), "[package]\nname = \"own-fuzz\"\n[workspace]\n");
        write(&project.fuzz.join("src/lib.rs"), "");
        write(&project.fuzz.join("src/bin/heap.rs"), "fn main() {}\n");
        assert_eq!(project.targets_in(&project.fuzz).unwrap(), BTreeSet::from(["heap".to_owned()]));
        write(&project.fuzz.join("Cargo.toml"), "[package\n");
        assert!(matches!(project.targets_in(&project.fuzz), Err(Trouble::Failed(_))));
    }

    #[test]
    fn only_another_folder_than_the_usual_one_is_told_to_cargo_fuzz() {
        let usual = project(Path::new("/crate"));
        assert_eq!(usual.fuzz_option(), None);
        let other = Project { fuzz: usual.root.join("tests/fuzz"), ..usual };
        assert_eq!(other.fuzz_option(), Some(["--fuzz-dir".to_owned(), "tests/fuzz".to_owned()]));
    }

    #[test]
    fn seeds_are_what_is_named_so_and_no_folder_has_none() {
        let root = tempfile::tempdir().unwrap();
        let corpus = root.path().join("corpus/heap");
        for name in ["seed-b", "seed-a", "0123456789abcdef"] {
            write(&corpus.join(name), "");
        }
        let project = project(root.path());
        assert_eq!(project.seeds("heap").unwrap(), ["seed-a", "seed-b"].map(|name| corpus.join(name)));
        assert!(project.seeds("brk_heap").unwrap().is_empty());
    }
}
