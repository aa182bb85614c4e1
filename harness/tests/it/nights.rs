//! `memtwin nightly` and `memtwin afl`, as far as no engine but memtwin's own is needed: what a night leaves behind,
//! and one line for whatever is wrong or missing. What other engines find is for the steps of CI.

use crate::command_line::Room;
use std::fs;
use std::os::unix::process::ExitStatusExt as _;
use std::process::Command;

const NIGHT: [&str; 5] = ["nightly", "--time", "3s", "--engine", "guided"];

fn read(room: &Room, name: &str) -> String {
    fs::read_to_string(room.path(name)).unwrap()
}

#[test]
fn a_night_files_what_it_finds_and_the_next_one_knows_it() {
    let room = Room::new();
    let broken = [&NIGHT[..], &["--subject", "brk_heap/BH-10"]].concat();
    let said = room.expect(1, &broken);
    let summary = read(&room, "target/nightly/summary.md");
    assert!(said.ends_with(&summary) && summary.starts_with("### Nightly: ✗ look at this"), "{said}");
    let replay = summary.lines().find_map(|line| line.strip_prefix("memtwin ")).unwrap();
    room.expect(0, &replay.split(' ').collect::<Vec<_>>());
    for file in ["run.json", "report.html", "junit.xml", "report.sarif", "report.md"] {
        assert!(room.path("target/nightly").join(file).is_file(), "{file}");
    }
    let pages = fs::read_dir(room.path("target/nightly/new-findings")).unwrap();
    assert!(0 < pages.count());
    let next = room.expect(1, &broken);
    assert!(next.contains("\nBeside the previous run: "), "{next}");
}

#[test]
fn committed_traces_are_replayed_and_the_list_of_known_findings_is_read() {
    let room = Room::new();
    room.file("crashes/guest_memory/GM-01.jsonl", crate::command_line::TRACE);
    room.file("list.json", "[]");
    let sound = [&NIGHT[..], &["--subject", "guest_memory/soft_mmu", "--known", "list.json"]].concat();
    // Whether a second is enough to prove something depends on the machine.
    let said = String::from_utf8(room.run(&sound).stdout).unwrap();
    assert!(said.contains("\nCommitted traces: ") && !said.contains("Committed traces: none"), "{said}");
    room.file("list.json", "{}");
    room.complains(&sound, "list.json");
}

#[test]
fn what_is_wrong_or_missing_is_one_line() {
    let room = Room::new();
    for (arguments, about) in [
        (&["nightly"][..], "required arguments were not provided: --time"),
        (&["nightly", "--time", "0"], "no time to find anything"),
        (&["nightly", "--time", "1s", "--subject", "brk_heap/BH-99"], "unknown subject"),
        (&["nightly", "--time", "1s", "--engine", "honggfuzz"], "possible values: guided, libfuzzer, afl"),
        (&["afl", "no_heap"], "unknown component"),
        (&["afl", "--subject", "BH-10"], "needs the one component"),
        (&["afl", "brk_heap", "--instances", "0"], "not in 1..=256"),
        (&["afl", "--foreign", "corpus", "--secondary"], "cannot be used with"),
        // Without cargo-afl, or else without targets for it.
        (&["afl", "brk_heap"], "error: no "),
    ] {
        room.complains(arguments, about);
    }
    let output = room.run(&["nightly", "--time", "1s", "--engine", "libfuzzer"]);
    let errors = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(2), "{errors}");
    assert!(errors.starts_with("error: no engine can run: libfuzzer: no "), "{errors}");
    assert_eq!(errors.lines().count(), 1, "{errors}");
}

#[test]
fn an_interrupt_ends_a_night_in_order() {
    let room = Room::new();
    let mut night = room.command(&["nightly", "--time", "10m", "--engine", "guided", "--subject", "brk_heap/hardened"]);
    let mut night = night.stdout(std::process::Stdio::null()).spawn().unwrap();
    while !room.path("target/nightly/.nightly/guided/brk_heap-0").exists() {
        assert!(night.try_wait().unwrap().is_none(), "it ended by itself");
        std::thread::yield_now();
    }
    assert!(Command::new("kill").args(["-TERM", &night.id().to_string()]).status().unwrap().success());
    let status = night.wait().unwrap();
    assert_eq!((status.code(), status.signal()), (Some(143), None));
    assert!(!room.path("target/nightly/summary.md").exists());
}
