//! What the program says of itself, and of what to do next.

use crate::command_line::Room;
use std::process::Command;

const MEMTWIN: &str = env!("CARGO_BIN_EXE_memtwin");

#[test]
fn a_printed_command_runs_where_it_stands() {
    let room = Room::new();
    let mut fuzz = Command::new(MEMTWIN);
    let output = fuzz.args(["fuzz", "heap/HP-01", "--seed", "1"]).current_dir(room.path("")).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    let said = format!("{said}{}", String::from_utf8_lossy(&output.stdout));
    let command = said.lines().find_map(|line| line.strip_prefix("Next: ")).unwrap_or_else(|| panic!("{said}"));
    let told = Command::new("sh").args(["-c", command]).current_dir(room.path("")).output().unwrap();
    let story = String::from_utf8(told.stdout).unwrap();
    assert!(story.contains("heap/HP-01"), "{command}: {story}");
    let replay = story.lines().find_map(|line| line.strip_prefix("Replay:")).unwrap_or_else(|| panic!("{story}"));
    let replayed = Command::new("sh").args(["-c", replay]).current_dir(room.path("")).status().unwrap();
    assert!(replayed.success(), "{replay}");
}

#[test]
fn help_completions_and_doctor_work() {
    let room = Room::new();
    let help = room.expect(0, &["--help"]);
    for verb in ["check", "fuzz", "list", "replay", "explain", "shrink", "convert", "accept", "doctor", "completions"] {
        assert!(help.contains(verb), "{verb} is not in the help");
        let text = room.expect(0, &[verb, "--help"]);
        assert!(text.contains("Usage:"), "{text}");
    }
    assert!(help.contains("Exit codes: 0"), "{help}");
    assert!(room.expect(0, &["completions", "bash"]).contains("memtwin"));
    assert!(room.expect(0, &["doctor"]).contains("stable Rust"));
    assert!(room.expect(0, &["--version"]).starts_with("memtwin "));
    for (wrong, about) in [
        (&["fuzz", "--ops", "-1"][..], "see `memtwin fuzz --help`"),
        (&["fuzz", "--ops", "0"], "the count is out of range"),
        (&["fuzz", "--time", "soon"], "a time is a number"),
        (&["fuzz", "--workers", "0"], "not in 1..=1024"),
        (&["fuzz", "--shrad", "1/2"], "a similar argument exists: '--shard'"),
        (&["fuzz", "--engine", "\u{1b}[31m\n::x"], "possible values: guided, random"),
        (&["sing"], "unrecognized subcommand 'sing'"),
        (&["merge"], "required arguments were not provided"),
        (&["corpus"], "see `memtwin corpus --help`"),
        (&["exhaustive", "--depth", "0"], "not in 1..=16"),
        (&["witness", "--probes", "0"], "--probes"),
        (&["bench", "catch", "--seeds", "0"], "not in 1..=1000"),
    ] {
        room.complains(wrong, about);
    }
}

#[test]
fn names_of_subjects_are_plain_and_unique() {
    use memtwin::models::Row;
    use memtwin::subjects::guest_memory::ROWS;
    assert_eq!(memtwin::built_in().trouble(), None);
    let twice = memtwin::built_in().with_all(ROWS).trouble().unwrap();
    assert!(twice.contains(&format!("two subjects are called guest_memory/{}", ROWS[0].name)), "{twice}");
    for odd in ["", "../up", "two words", "-flag", "line\nfeed"] {
        let Row { health, contract, build, .. } = ROWS[0];
        let row = Row { name: odd, health, contract, build, origin: None };
        assert!(
            memtwin::Registry::new().with(row).trouble().is_some_and(|why| why.contains("another name")),
            "{odd:?}"
        );
    }
}
