//! Implementations in C and C++ behind memtwin.h: the examples in docs/own-c, and libraries that keep to no agreement.

use crate::command_line::Room;
use std::io::Write as _;
use std::path::Path;
use std::process::Command;

const HERE: &str = env!("CARGO_MANIFEST_DIR");

/// Compiles a source into a shared library in the room; says so in plain sight where nothing compiles it.
fn compile(room: &Room, compiler: &[&str], source: &Path, into: &str, options: &[&str]) -> bool {
    let include = Path::new(HERE).join("include");
    let (program, standard) = compiler.split_first().unwrap();
    let mut command = Command::new(program);
    command.args(standard).args(["-shared", "-fPIC", "-g", "-Wall", "-Wextra", "-Werror", "-I"]).arg(include);
    match command.args(options).arg(source).arg("-o").arg(room.path(into)).output() {
        Err(_) => {
            let _ = writeln!(std::io::stderr(), "skipped: no {program}, so {} is not compiled", source.display());
            false
        }
        Ok(output) => {
            assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
            true
        }
    }
}

fn example(name: &str) -> std::path::PathBuf {
    Path::new(HERE).join("../docs/own-c").join(name)
}

/// The example agrees; with its planted mistake it is caught, and what is printed shows it again.
fn agrees_and_is_caught(compiler: &[&str], source: &str, mistake: &str, law: &str) {
    let room = Room::new();
    if !compile(&room, compiler, &example(source), "libmine.so", &[]) {
        return;
    }
    let fuzz = ["fuzz", "guest_memory", "--library", "./libmine.so", "--ops", "400k", "--seed", "3"];
    assert!(room.expect(0, &fuzz).contains("1 of 1 sound subjects agree"));
    assert!(compile(&room, compiler, &example(source), "libmine.so", &[mistake]));
    let told = room.expect(1, &fuzz);
    assert!(told.contains(law), "{told}");
    let next = told.lines().find_map(|line| line.strip_prefix("Next: memtwin ")).unwrap_or_else(|| panic!("{told}"));
    let story = room.expect(0, &next.split(' ').collect::<Vec<_>>());
    let mut lines = story.lines().map(|line| line.trim_start_matches("Replay:").trim());
    let replay = lines.find_map(|line| line.strip_prefix("memtwin ")).unwrap_or_else(|| panic!("{story}"));
    room.expect(0, &replay.split(' ').collect::<Vec<_>>());
}

#[test]
fn the_example_in_c_agrees_and_its_mistake_is_caught() {
    agrees_and_is_caught(&["cc"], "flat.c", "-DOFF_BY_ONE", "bounds/");
}

#[test]
fn the_example_in_cpp_agrees_and_its_mistake_is_caught() {
    agrees_and_is_caught(&["c++", "-std=c++17"], "machine.cpp", "-DDEVICES_FORGOTTEN", "/read_bulk/");
}

#[test]
fn what_keeps_to_no_agreement_is_told_in_one_line() {
    let room = Room::new();
    let head = "#include \"memtwin.h\"\n";
    let table = "const struct memtwin_guest_memory memtwin_guest_memory = { .version = VERSION };";
    let source = room.file("bad.c", format!("{head}CONTRACT\n{table}\n"));
    let array = "-DCONTRACT=const char memtwin_guest_memory_contract[] =";
    let made = |version: &str, contract: &str| {
        compile(&room, &["cc", "-Wno-missing-field-initializers"], &source, "libbad.so", &[version, contract])
    };
    let fuzz = ["fuzz", "guest_memory", "--library", "./libbad.so", "--ops", "1k"];
    if !made("-DVERSION=1", &format!("{array} \"no_dump,no_such\";")) {
        return;
    }
    room.complains(&fuzz, "there is no freedom \"no_such\"");
    assert!(made("-DVERSION=1", "-DCONTRACT=const char *memtwin_guest_memory_contract = \"no_dump\";"));
    room.complains(&fuzz, "export an array of characters");
    for (version, why) in [("-DVERSION=2", "of another version"), ("-DVERSION=1", "that every memory has is NULL")] {
        assert!(made(version, &format!("{array} \"no_dump\";")));
        let told = room.expect(1, &fuzz);
        assert!(told.contains(why), "{told}");
    }
}
