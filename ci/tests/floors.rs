//! Floors: ARCHITECTURE.md lists the rooms of the core from the ground up, and no room imports from its own floor or
//! from above. It reads text, not types: `crate::room` outside of comments and of unit tests is an import.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap()
}

/// The floor of each room, as ARCHITECTURE.md has it: a line a floor, from the ground up.
fn floors() -> BTreeMap<String, usize> {
    let text = std::fs::read_to_string(root().join("ARCHITECTURE.md")).unwrap();
    let listed = text.split_once("```floors\n").and_then(|(_, rest)| rest.split_once("```")).unwrap().0;
    let rooms = |(floor, line): (usize, &str)| line.split(' ').map(|room| (room.to_owned(), floor)).collect::<Vec<_>>();
    listed.lines().enumerate().flat_map(rooms).collect()
}

/// The source files below a folder, each with its room: its folder or file right below `src`.
fn sources(folder: &Path, into: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources(&path, into);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            into.push(path);
        }
    }
}

/// The rooms that a file imports from.
fn imports(text: &str) -> BTreeSet<&str> {
    let product = text.split("#[cfg(test)]\nmod tests").next().unwrap_or(text);
    let lines = product.lines().filter(|line| !line.trim_start().starts_with("//"));
    lines
        .flat_map(|line| line.split("crate::").skip(1))
        .map(|rest| {
            let end = rest.find(|character: char| !character.is_ascii_lowercase() && character != '_');
            &rest[..end.unwrap_or(rest.len())]
        })
        .filter(|room| !room.is_empty())
        .collect()
}

/// The imports of a room that do not lead downwards, in words.
fn upward(floors: &BTreeMap<String, usize>, room: &str, text: &str) -> Vec<String> {
    let floor = floors[room];
    let is_wrong = |other: &&str| *other != room && floors.get(*other).is_some_and(|of_other| floor <= *of_other);
    imports(text).into_iter().filter(is_wrong).map(|other| format!("{room} imports {other}")).collect()
}

#[test]
fn every_room_of_the_core_has_a_floor() {
    let source = root().join("harness/core/src");
    let rooms: BTreeSet<String> = std::fs::read_dir(source)
        .unwrap()
        .map(|entry| entry.unwrap().path().file_stem().unwrap().to_str().unwrap().to_owned())
        .filter(|room| room != "lib")
        .collect();
    assert_eq!(floors().into_keys().collect::<BTreeSet<_>>(), rooms);
}

#[test]
fn no_room_imports_from_its_own_floor_or_from_above() {
    let (floors, source) = (floors(), root().join("harness/core/src"));
    let (mut files, mut wrong) = (Vec::new(), Vec::new());
    sources(&source, &mut files);
    for path in files {
        let below = path.strip_prefix(&source).unwrap();
        let room = below.components().next().unwrap().as_os_str().to_str().unwrap().trim_end_matches(".rs");
        if room != "lib" {
            let found = upward(&floors, room, &std::fs::read_to_string(&path).unwrap());
            wrong.extend(found.into_iter().map(|what| format!("{what} in {}", below.display())));
        }
    }
    assert!(wrong.is_empty(), "move it, or move what it needs:\n{}", wrong.join("\n"));
}

#[test]
fn a_planted_import_is_seen() {
    let floors = floors();
    assert_eq!(upward(&floors, "rig", "use crate::campaign::Plan;\n"), ["rig imports campaign"]);
    assert_eq!(upward(&floors, "corpus", "fn f() { crate::explain::tell() }\n"), ["corpus imports explain"]);
    assert!(upward(&floors, "campaign", "use crate::rig::Rig;\n// crate::cli is above\n").is_empty());
}
