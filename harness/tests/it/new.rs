//! `memtwin new`: the crate is whole or not there, and what is wrong is one line. That crates build, pass and catch is
//! the step `new` of CI, for it builds memtwin anew.

use crate::command_line::Room;
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

/// Every template, by the arguments that choose it, with a word that its library alone has.
const TEMPLATES: [(&[&str], &str); 3] = [
    (&["guest_memory"], "of::<OwnMemory>"),
    (&["heap"], "arena::<OwnHeap>"),
    (&["heap", "--heap", "global"], "global::<OwnGlobal>"),
];

/// The files below a folder, by their paths.
fn files(folder: &Path) -> BTreeMap<PathBuf, String> {
    let mut found = BTreeMap::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(next) = folders.pop() {
        for entry in fs::read_dir(&next).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else {
                let name = path.strip_prefix(folder).unwrap().to_owned();
                found.insert(name, fs::read_to_string(&path).unwrap());
            }
        }
    }
    found
}

#[test]
fn every_template_becomes_a_whole_crate() {
    for (chosen, word) in TEMPLATES {
        let room = Room::new();
        let told = room.expect(0, &[&["new", chosen[0], "my-own"], &chosen[1..]].concat());
        assert!(told.contains("\n  cd my-own\n  cargo run --release "), "{told}");
        let files = files(&room.path("my-own"));
        let target = format!("fuzz/fuzz_targets/{}.rs", chosen[0]);
        let program = format!("fuzz/afl/src/bin/{}.rs", chosen[0]);
        let names: Vec<_> = files.keys().map(|name| name.to_str().unwrap()).collect();
        let wanted = [
            ".github/workflows/ci.yml",
            ".gitignore",
            "Cargo.toml",
            "README.md",
            "fuzz/Cargo.toml",
            "fuzz/afl/Cargo.toml",
            &program,
            &target,
            "src/lib.rs",
            "src/main.rs",
            "tests/campaign.rs",
        ];
        assert_eq!(names, wanted);
        for (name, text) in &files {
            assert!(!text.contains("{{") && !text.contains("}}"), "{}: something is not filled in", name.display());
        }
        let file = |name: &str| &files[Path::new(name)];
        assert!(file("src/lib.rs").contains(word) && file("src/lib.rs").contains("Health::Broken"));
        assert!(file("src/main.rs").contains("memtwin::main!(my_own::registry())"));
        assert!(file("tests/campaign.rs").contains("= my_own::registry();"));
        assert!(file(&target).contains(&format!("libfuzzer_target!(\"{}\", registry())", chosen[0])));
        assert!(file(&program).contains(&format!("afl_target!(\"{}\", registry())", chosen[0])));
        let own = format!("path = \"{}\", default-features = false", env!("CARGO_MANIFEST_DIR"));
        assert!(file("Cargo.toml").contains("name = \"my-own\"") && file("Cargo.toml").contains(&own));
        assert!(file("fuzz/Cargo.toml").contains(&own) && file("fuzz/afl/Cargo.toml").contains(&own));
    }
}

#[test]
fn an_empty_folder_is_filled_and_any_other_left_as_it_is() {
    let room = Room::new();
    fs::create_dir(room.path("empty")).unwrap();
    room.expect(0, &["new", "heap", "empty/"]);
    room.complains(&["new", "heap", "empty"], "empty is not empty");
    room.file("taken/file", "mine");
    room.complains(&["new", "guest_memory", "taken"], "taken is not empty");
    room.complains(&["new", "guest_memory", "taken/file"], "is no folder");
    std::os::unix::fs::symlink("nowhere", room.path("link")).unwrap();
    room.complains(&["new", "guest_memory", "link/"], "is no folder");
    room.complains(&["new", "guest_memory", "nowhere/below"], "nowhere is no folder; make it first");
    assert_eq!(fs::read_to_string(room.path("taken/file")).unwrap(), "mine");
    assert_eq!(fs::read_dir(room.path("taken")).unwrap().count(), 1);
    let mut names: Vec<_> = fs::read_dir(room.path("")).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    names.sort();
    assert_eq!(names, ["empty", "link", "taken"], "something half done is left");
}

#[test]
fn the_folder_of_the_caller_is_not_replaced() {
    let room = Room::new();
    let here = fs::canonicalize(room.path("")).unwrap().join("here");
    fs::create_dir(&here).unwrap();
    let mut command = room.command(&["new", "heap", here.to_str().unwrap()]);
    let output = command.current_dir(&here).output().unwrap();
    let errors = String::from_utf8(output.stderr).unwrap();
    assert_eq!((output.status.code(), errors.contains("is where you are")), (Some(2), true), "{errors}");
    assert_eq!(fs::read_dir(&here).unwrap().count(), 0);
}

#[test]
fn what_cannot_be_a_crate_is_one_line() {
    let room = Room::new();
    for (arguments, about) in [
        (&["page_walk", "own"][..], "page_walk has no template; components with one: guest_memory, heap"),
        (&["nothing", "own"], "nothing has no template"),
        (&["guest_memory", "own", "--heap", "raw"], "--heap is for heap, not for guest_memory"),
        (&["heap", "own", "--heap", "arena"], "possible values: raw, global"),
        (&["heap", "1st"], "begins with a letter"),
        (&["heap", "my heap"], "letters, digits, - and _"),
        (&["heap", "h\u{e9}ap"], "letters, digits, - and _"),
        (&["heap", "match"], "no crate can be called match"),
        (&["heap", "libfuzzer-sys"], "no crate can be called libfuzzer-sys"),
        (&["heap", ".."], "names no folder"),
        (&["heap", &"h".repeat(65)], "at most 64 characters"),
        (&["heap", "own", "--memtwin", "newest"], "path=DIR, git=URL or a version"),
        (&["heap", "own", "--memtwin", "path="], "path=DIR, git=URL or a version"),
        (&["heap", "own", "--memtwin", "path=nowhere"], "cannot read nowhere/Cargo.toml"),
        (&["heap", "own", "--memtwin", "git=https://x\n"], "control characters"),
        (&["heap"], "required arguments were not provided"),
    ] {
        room.complains(&[&["new"], arguments].concat(), about);
    }
    room.file("other/Cargo.toml", "[package]\nname = \"other\"\n");
    room.complains(&["new", "heap", "own", "--memtwin", "path=other"], "other is not the crate memtwin");
    assert!(!room.path("own").exists());
}

#[test]
fn memtwin_comes_from_where_it_is_asked_from() {
    let room = Room::new();
    // A quote and a backslash are letters of a path like any other.
    let folder = room.file("a\"b\\c/Cargo.toml", "[package]\nname = \"memtwin\"\n");
    let folder = fs::canonicalize(folder.parent().unwrap()).unwrap();
    let escaped = folder.to_str().unwrap().replace('\\', "\\\\").replace('"', "\\\"");
    for (name, from, keys) in [
        ("path", "path=a\"b\\c", format!("path = \"{escaped}\"")),
        ("git", "git=https://example.org/m?a=b", "git = \"https://example.org/m?a=b\"".to_owned()),
        ("version", "0.1", "version = \"0.1\"".to_owned()),
        ("range", ">=0.1, <0.3", "version = \">=0.1, <0.3\"".to_owned()),
        ("literal", "git={{name}}", "git = \"{{name}}\"".to_owned()),
    ] {
        let name = format!("from-{name}");
        room.expect(0, &["new", "guest_memory", &name, "--memtwin", from]);
        for manifest in ["Cargo.toml", "fuzz/Cargo.toml", "fuzz/afl/Cargo.toml"] {
            let text = fs::read_to_string(room.path(&name).join(manifest)).unwrap();
            let line = format!("\nmemtwin = {{ {keys}, default-features = false, features = [\"guest_memory\"] }}\n");
            assert!(text.contains(&line), "{text}");
        }
    }
}
