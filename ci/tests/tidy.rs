//! Tidy checks: rules of this repository that no compiler knows. Each says what to do about what it finds; none knows
//! an exception that is not written here.

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::Command;

/// What lies at the top, besides what git ignores.
const TOP: &[&str] = &[
    ".cargo",
    ".ci",
    ".clusterfuzzlite",
    ".git",
    ".github",
    ".gitignore",
    "ARCHITECTURE.md",
    "BENCHMARKS.md",
    "CHANGELOG.md",
    "CONTRIBUTING.md",
    "Cargo.lock",
    "Cargo.toml",
    "LICENSE-APACHE",
    "LICENSE-MIT",
    "README.md",
    "ci",
    "corpus",
    "crashes",
    "deny.toml",
    "docs",
    "fuzz",
    "harness",
    "models",
    "reports",
    "rustfmt.toml",
    "target",
];

/// The modules of every component in each wing: what is the same everywhere has the same name everywhere. A component
/// may have more.
const WINGS: &[(&str, &[&str])] = &[
    (
        "models/src",
        &["mod", "setup", "op", "outcome", "contract", "laws", "model", "model/words", "model/picture", "model/tests"],
    ),
    ("harness/core/src/rig", &["mod", "wire", "generate", "simplify", "small", "words", "scene", "diagnosis"]),
    ("harness/subjects/src", &["mod", "subject", "deviation", "hardened", "original", "published_fix", "defects"]),
];

/// The most that the committed seeds of all components have together, in bytes: everybody who clones pays for them.
const MOST_SEED_BYTES: u64 = 2 << 20;
/// The most columns of a comment; the formatter holds code to it.
const LONGEST_LINE: usize = 120;
/// The longest source file, in lines.
const LONGEST_FILE_LINES: usize = 500;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap()
}

fn read(path: &Path) -> String {
    std::fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The files with this extension below a folder, without build products.
fn files(folder: &Path, extension: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).unwrap() {
            let entry = entry.unwrap();
            let (path, name) = (entry.path(), entry.file_name());
            let kind = entry.file_type().unwrap();
            if kind.is_dir() && name != "target" && name != ".git" {
                folders.push(path);
            } else if kind.is_file() && path.extension() == Some(OsStr::new(extension)) {
                found.push(path);
            }
        }
    }
    found.sort();
    found
}

fn sources() -> Vec<(String, String)> {
    let name = |path: &Path| path.strip_prefix(root()).unwrap().display().to_string();
    let sources: Vec<_> = files(root(), "rs").iter().map(|path| (name(path), read(path))).collect();
    assert!(100 <= sources.len(), "only {} sources: the search is broken", sources.len());
    sources
}

/// The sources that are not as `rule` wants them.
#[track_caller]
fn check(rule: &str, offences: impl Fn(&str, &str) -> Vec<String>) {
    let found: Vec<_> = sources().iter().flat_map(|(name, text)| offences(name, text)).collect();
    assert!(found.is_empty(), "{rule}:\n{}", found.join("\n"));
}

fn lines_with(name: &str, text: &str, bad: impl Fn(&str) -> bool) -> Vec<String> {
    let lines = text.lines().enumerate().filter(|(_, line)| bad(line));
    lines.map(|(index, line)| format!("{name}:{}: {}", index + 1, line.trim())).collect()
}

#[test]
fn the_top_holds_what_is_listed_here_and_nothing_else() {
    let entries = std::fs::read_dir(root()).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let unknown: Vec<_> = entries.filter(|name| !TOP.contains(&name.as_str())).collect();
    assert!(unknown.is_empty(), "find a room for {unknown:?}, or list them here");
}

#[test]
fn modules_begin_by_saying_what_they_are() {
    check("the first line is //!", |name, text| {
        let begins = text.starts_with("//! ");
        if begins { Vec::new() } else { vec![name.to_owned()] }
    });
}

#[test]
fn comments_fit_beside_each_other() {
    check("wrap the comment", |name, text| {
        let is_long = |line: &str| line.trim_start().starts_with("//") && LONGEST_LINE < line.chars().count();
        let long = text.lines().enumerate().filter(|(_, line)| is_long(line));
        long.map(|(index, line)| format!("{name}:{}: {} columns", index + 1, line.chars().count())).collect()
    });
}

#[test]
fn files_are_short() {
    check("split the file", |name, text| {
        let lines = text.lines().count();
        if lines <= LONGEST_FILE_LINES { Vec::new() } else { vec![format!("{name}: {lines} lines")] }
    });
}

#[test]
fn nothing_is_left_undone() {
    // Put together here, so that this file does not find itself.
    let marks: Vec<String> =
        ["TO DO", "FIX ME", "XX X", "un implemented!", "to do!", "#[ig nore"].map(|mark| mark.replace(' ', "")).into();
    check("do it now, or leave it out", |name, text| {
        lines_with(name, text, |line| marks.iter().any(|mark| line.contains(mark)))
    });
}

#[test]
fn modules_are_named_after_what_they_hold() {
    check("find a name that says what it is", |name, _| {
        let vague = ["utils.rs", "util.rs", "common.rs", "helpers.rs", "misc.rs"];
        let file = Path::new(name).file_name().and_then(OsStr::to_str).unwrap_or_default();
        let folder = Path::new(name)
            .components()
            .any(|part| matches!(part.as_os_str().to_str(), Some("utils" | "util" | "common" | "helpers" | "misc")));
        if vague.contains(&file) || folder { vec![name.to_owned()] } else { Vec::new() }
    });
}

#[test]
fn subjects_know_no_model() {
    check("a subject that knows the model proves nothing", |name, text| {
        let rooms = ["harness/subjects/src/", "harness/variants/src/", "docs/own-"];
        if !rooms.iter().any(|room| name.starts_with(room)) {
            return Vec::new();
        }
        lines_with(name, text, |line| !line.trim_start().starts_with("//") && line.contains("model::"))
    });
}

#[test]
fn unsafe_code_lives_in_its_rooms() {
    check("write it without unsafe, or move it", |name, text| {
        let product = [
            "docs/own-heap/",
            "harness/c/src/",
            "harness/src/cli/new/",
            "harness/heap/src/",
            "harness/subjects/",
            "harness/third-party/",
            "harness/wild/",
            "harness/core/src/isolate/",
            "harness/core/src/turns/",
            "harness/recorder/src/",
            "harness/witness/src/",
        ];
        let rooms = product.iter().chain(&["harness/tests/", "harness/benches/"]);
        if rooms.into_iter().any(|room| name.starts_with(room)) {
            return Vec::new();
        }
        let opening = ["unsafe", " {"].concat();
        lines_with(name, text, |line| line.contains(&opening) && !line.trim_start().starts_with("//"))
    });
}

#[test]
fn every_component_has_its_fuzz_target_and_folders() {
    let components: BTreeSet<String> =
        memtwin::built_in().dialects().map(|dialect| dialect.name().to_owned()).collect();
    let targets = files(&root().join("fuzz/fuzz_targets"), "rs");
    let stem = |path: &PathBuf| path.file_stem().unwrap().to_str().unwrap().to_owned();
    assert_eq!(targets.iter().map(stem).collect::<BTreeSet<_>>(), components, "fuzz/fuzz_targets");
    let manifest = read(&root().join("fuzz/Cargo.toml"));
    for (path, component) in targets.iter().zip(&components) {
        assert!(
            read(path).contains(&format!("libfuzzer_target!(\"{component}\", memtwin::built_in())")),
            "{}",
            path.display()
        );
        assert!(manifest.contains(&format!("name = \"{component}\"")), "fuzz/Cargo.toml has no target {component}");
        let program = read(&root().join(format!("fuzz/afl/src/bin/{component}.rs")));
        assert!(
            program.contains(&format!("afl_target!(\"{component}\", memtwin::built_in())")),
            "fuzz/afl has no target {component}"
        );
    }
    for (folder, link) in [("fuzz/corpus", "../corpus"), ("fuzz/artifacts", "../crashes")] {
        assert_eq!(std::fs::read_link(root().join(folder)).unwrap(), Path::new(link), "{folder}");
    }
}

#[test]
fn modules_have_the_same_names_in_every_component() {
    let has = |folder: &Path, module: &str| {
        folder.join(format!("{module}.rs")).is_file() || folder.join(module).join("mod.rs").is_file()
    };
    let mut missing = Vec::new();
    let registry = memtwin::built_in();
    for dialect in registry.dialects() {
        // A component that comes from no report has no code of one; heap's program is a crate of its own.
        let is_of_report = registry.index_of(dialect.name(), "original").is_some();
        let wings = WINGS.iter().filter(|(wing, _)| is_of_report || *wing != "harness/subjects/src");
        for (wing, modules) in wings {
            let folder = Path::new(wing).join(dialect.name());
            let absent = modules.iter().filter(|module| !has(&root().join(&folder), module));
            missing.extend(absent.map(|module| folder.join(module).display().to_string()));
        }
    }
    assert!(
        missing.is_empty(),
        "give these modules the names that they have in other components:\n{}",
        missing.join("\n")
    );
}

#[test]
fn every_broken_subject_has_its_trace() {
    for target in memtwin::built_in().targets().filter(|target| !target.is_sound()) {
        let folder = root().join("crashes").join(target.dialect().name());
        let path = folder.join(format!("{}.jsonl", target.subject()));
        assert!(path.is_file(), "{} is missing: see crashes/README.md", path.display());
    }
}

#[test]
fn committed_seeds_are_small() {
    let mut bytes = 0;
    for dialect in memtwin::built_in().dialects() {
        for entry in std::fs::read_dir(root().join("corpus").join(dialect.name())).unwrap() {
            let entry = entry.unwrap();
            if entry.file_name().to_string_lossy().starts_with("seed-") {
                bytes += entry.metadata().unwrap().len();
                let version = std::fs::read(entry.path()).unwrap().first().copied();
                assert!(matches!(version, Some(1 | 2)), "{} names no version", entry.path().display());
            }
        }
    }
    assert!(0 < bytes && bytes <= MOST_SEED_BYTES, "the seeds have {bytes} bytes: memtwin corpus minimize corpus");
}

#[test]
fn links_of_documents_lead_somewhere() {
    for path in files(root(), "md") {
        let text = read(&path);
        let links = text.split("](").skip(1).filter_map(|rest| rest.split([')', '#']).next());
        for link in links.filter(|link| !link.is_empty() && !link.contains("://")) {
            let target = path.parent().unwrap().join(link);
            assert!(target.exists(), "{} links to {link}, which is not there", path.display());
        }
    }
}

#[test]
fn generated_parts_of_documents_are_up_to_date() {
    let output = Command::new(env!("CARGO_BIN_EXE_xtask")).args(["generate", "--check"]).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}
