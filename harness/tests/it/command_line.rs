//! The command line: every verb does its job on real traces, and whatever is wrong with its input is one clear line on
//! standard error and exit code 2, without a panic and with bounded memory.

use serde_json::Value;
use std::fs;
use std::io::{BufRead as _, BufReader, Write as _};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use tempfile::TempDir;

const MEMTWIN: &str = env!("CARGO_BIN_EXE_memtwin");
/// What the program is called as, so that what it prints is the same everywhere.
const NAME: &str = "memtwin";

/// A trace that GM-01 fails on, with more ops than it needs.
pub(crate) const TRACE: &str = r#"{"memtwin":1,"component":"guest_memory","setup":{"memory_size":"0x10000"},"subject":"GM-01","expect":"guest_memory/segfault/read_bulk"}
{"op":"write","owner":0,"address":"0x40","value":"0x1","size":8}
{"op":"read_bulk","owner":1,"address":"0x1000","length":4096}
{"op":"memory_size","owner":0}
"#;
pub(crate) const HEADER: &str = r#"{"memtwin":1,"component":"guest_memory","setup":{"memory_size":"0x10000"}}"#;
const MOST_RESIDENT_KILOBYTES: i64 = 300 << 10;

pub(crate) struct Room {
    folder: TempDir,
}

impl Room {
    pub(crate) fn new() -> Self {
        Room { folder: tempfile::tempdir().unwrap() }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(crate) fn file(&self, name: &str, bytes: impl AsRef<[u8]>) -> PathBuf {
        let path = self.path(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, bytes).unwrap();
        path
    }

    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(MEMTWIN);
        command
            .arg0(NAME)
            .args(arguments)
            .current_dir(self.folder.path())
            .stdin(Stdio::null())
            .env_remove("RUST_BACKTRACE");
        command
    }

    pub(crate) fn run(&self, arguments: &[&str]) -> Output {
        self.command(arguments).output().unwrap()
    }

    /// Runs, expects this exit code, returns standard output.
    pub(crate) fn expect(&self, code: i32, arguments: &[&str]) -> String {
        let output = self.run(arguments);
        let errors = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(code), "{arguments:?}: {errors}");
        let text = String::from_utf8(output.stdout).unwrap();
        assert!(!text.contains('\x1b') && !errors.contains('\x1b'), "escape sequences in a pipe: {text}");
        text
    }

    pub(crate) fn json(&self, code: i32, arguments: &[&str]) -> Value {
        serde_json::from_str(&self.expect(code, arguments)).unwrap()
    }

    /// Runs on bad input: one line that says `error:` and this, exit code 2, nothing on standard output.
    pub(crate) fn complains(&self, arguments: &[&str], about: &str) {
        let output = self.run(arguments);
        let errors = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}: {errors}");
        assert!(errors.starts_with("error: ") && errors.ends_with('\n'), "{arguments:?}: {errors}");
        assert_eq!(errors.lines().count(), 1, "{arguments:?}: {errors}");
        assert!(errors.contains(about), "{arguments:?} should complain about {about:?}: {errors}");
        assert!(errors.len() < 1000, "{arguments:?}: a line of {} bytes", errors.len());
        assert!(!errors.trim_end().chars().any(char::is_control), "{arguments:?}: {errors:?}");
        assert!(output.stdout.is_empty(), "{arguments:?}");
    }

    /// Every verb that reads a trace complains about this file, and writes none.
    pub(crate) fn every_verb_complains(&self, file: &Path, about: &str) {
        let file = file.to_str().unwrap();
        self.complains(&["replay", file], about);
        self.complains(&["explain", file], about);
        self.complains(&["export", file, "--to", "rust-test", "-o", "written"], about);
        self.complains(&["shrink", file, "-o", "written"], about);
        self.complains(&["convert", file, "--to", "wire", "-o", "written"], about);
        self.complains(&["accept", file, "--crashes", "written"], about);
        assert!(!self.path("written").exists());
    }
}

#[test]
fn replay_says_what_passed() {
    let room = Room::new();
    room.file("traces/guest_memory/one.jsonl", TRACE);
    room.file("traces/guest_memory/two.jsonl", format!("{HEADER}\n"));
    room.file("traces/README.md", "not a trace");
    let text = room.expect(0, &["replay", "traces"]);
    // The first names its subject, the second runs on all three sound ones.
    assert!(text.ends_with("4 passed, 0 failed, 0 skipped\n"), "{text}");
    let run = room.json(0, &["replay", "traces", "--json"]);
    assert_eq!((&run["schema"], &run["failed"]), (&"memtwin-replay/1".into(), &0.into()));
    assert_eq!(run["replays"].as_array().unwrap().len(), 4);
    assert_eq!(run["replays"][0]["seen"], "guest_memory/segfault/read_bulk");
    room.expect(0, &["replay", "traces/guest_memory/one.jsonl", "--subject", "soft_mmu"]);
    room.expect(0, &["replay", "traces/guest_memory/one.jsonl", "--subject", "guest_memory/soft_mmu", "--in-process"]);
    // It agrees with none of what is expected of GM-06, and it names what it saw.
    room.file("wrong.jsonl", TRACE.replace("segfault/read_bulk\"", "segfault/read\""));
    let text = room.expect(1, &["replay", "wrong.jsonl"]);
    assert!(text.contains("FAIL") && text.contains("saw guest_memory/segfault/read_bulk"), "{text}");
    room.complains(&["replay", "traces", "--subject", "nobody"], "guest_memory/nobody");
}

#[test]
fn explain_tells_the_story() {
    let room = Room::new();
    room.file("one.jsonl", TRACE);
    let text = room.expect(0, &["explain", "one.jsonl"]);
    assert!(text.contains("0x1000") && text.contains("host pointer"), "{text}");
    // The same trace agrees on a sound subject.
    let text = room.expect(0, &["explain", "one.jsonl", "--subject", "soft_mmu"]);
    assert!(text.contains("agree"), "{text}");
    room.complains(&["explain", "one.jsonl", "--subject", "nobody"], "nobody");
}

#[test]
fn shrink_and_accept_keep_the_signature() {
    let room = Room::new();
    room.file("one.jsonl", TRACE);
    let text = room.expect(0, &["shrink", "one.jsonl", "-o", "small.jsonl"]);
    assert!(text.starts_with("3 ops became 1"), "{text}");
    let small = fs::read_to_string(room.path("small.jsonl")).unwrap();
    assert_eq!(small.lines().count(), 2);
    room.expect(0, &["replay", "small.jsonl"]);
    let text = room.expect(0, &["accept", "one.jsonl", "--crashes", "evidence"]);
    assert!(text.starts_with("accepted as evidence/guest_memory/GM-01-"), "{text}");
    room.expect(0, &["replay", "evidence"]);
    room.complains(&["accept", "one.jsonl", "--crashes", "evidence"], "already there");
    room.complains(&["shrink", "one.jsonl", "--subject", "soft_mmu", "-o", "written"], "nothing to shrink");
    // An artifact of a fuzzer: wire bytes in a folder that names the component.
    room.expect(0, &["convert", "one.jsonl", "--to", "wire", "-o", "artifacts/guest_memory/crash-1"]);
    room.expect(0, &["accept", "artifacts/guest_memory/crash-1", "--subject", "GM-01", "--crashes", "more"]);
    room.expect(0, &["replay", "more"]);
}

#[test]
fn convert_goes_both_ways() {
    let room = Room::new();
    let file = room.file("one.jsonl", TRACE);
    room.expect(0, &["convert", "one.jsonl", "--to", "wire", "-o", "guest_memory/one"]);
    room.expect(0, &["convert", "guest_memory/one", "--to", "wire", "-o", "guest_memory/two"]);
    assert_eq!(fs::read(room.path("guest_memory/one")).unwrap(), fs::read(room.path("guest_memory/two")).unwrap());
    room.expect(0, &["convert", "guest_memory/one", "--to", "jsonl", "-o", "back.jsonl"]);
    let back = fs::read_to_string(room.path("back.jsonl")).unwrap();
    // Wire bytes hold the trace, not what the header says of it.
    assert_eq!(back.lines().next(), Some(HEADER));
    assert!(back.lines().skip(1).eq(TRACE.lines().skip(1)), "{back}");
    room.expect(0, &["convert", "one.jsonl", "--to", "jsonl", "-o", "same.jsonl"]);
    assert_eq!(fs::read(room.path("same.jsonl")).unwrap(), fs::read(file).unwrap());
    room.complains(&["convert", "one.jsonl", "--to", "wire", "-o", "one.jsonl/below/a/file"], "cannot write");
}

#[test]
fn list_names_every_subject() {
    let room = Room::new();
    let text = room.expect(0, &["list"]);
    let list = room.json(0, &["list", "--json"]);
    let components = list["components"].as_array().unwrap();
    let subjects: Vec<_> = components.iter().flat_map(|listed| listed["subjects"].as_array().unwrap()).collect();
    assert_eq!(subjects.len(), memtwin::built_in().targets().count());
    for subject in subjects {
        assert!(text.contains(subject["subject"].as_str().unwrap()));
    }
}

#[test]
fn fuzz_prints_a_run_file() {
    let room = Room::new();
    let arguments = ["fuzz", "guest_memory/GM-06", "guest_memory", "--ops", "200k", "--seed", "7", "--json"];
    let run = room.json(0, &arguments);
    assert_eq!((&run["schema"], &run["seed"]), (&"memtwin-run/1".into(), &7.into()));
    let subjects = run["subjects"].as_array().unwrap();
    assert_eq!(subjects.len(), 4);
    for subject in subjects {
        for field in ["component", "subject", "health", "verdict"] {
            assert!(subject[field].is_string(), "{field} of {subject}");
        }
        for field in ["traces", "ops", "moot", "seconds"] {
            assert!(subject[field].is_number(), "{field} of {subject}");
        }
        assert!(subject["outcomes"]["read"]["done"].is_number(), "{subject}");
        let (verdict, is_broken) = (&subject["verdict"], subject["health"] == "broken");
        assert_eq!(verdict, if is_broken { "caught" } else { "agreed" });
        assert_eq!(subject["defect"].is_string(), is_broken);
        assert_eq!(subject["findings"].as_array().unwrap().is_empty(), !is_broken);
    }
    let caught = subjects.iter().find(|subject| subject["subject"] == "GM-06").unwrap();
    let finding = &caught["findings"][0];
    for field in ["signature", "kind", "law", "op", "trace"] {
        assert!(finding[field].is_string(), "{field} of {finding}");
    }
    for field in ["step", "executions", "seconds"] {
        assert!(finding[field].is_number(), "{field} of {finding}");
    }
    assert!(finding["trace"].as_str().unwrap().starts_with("target/memtwin/guest_memory/GM-06-"));
    room.expect(0, &["replay", finding["trace"].as_str().unwrap()]);
    assert!(run["totals"].is_object());
    // Without --json the same for a person.
    let text = room.expect(0, &arguments[..arguments.len() - 1]);
    assert!(text.contains("1 of 1 known defects caught"), "{text}");
}

#[test]
fn fuzz_says_when_a_defect_is_missed() {
    let room = Room::new();
    // One trace is seldom enough for this defect: with one of these seeds it is missed.
    let outputs = (0..20)
        .map(|seed| room.run(&["fuzz", "guest_memory/GM-15", "--ops", "1", "--seed", &seed.to_string(), "--json"]));
    let verdicts: Vec<_> = outputs
        .map(|output| {
            let run: Value = serde_json::from_slice(&output.stdout).unwrap();
            (output.status.code(), run["subjects"][0]["verdict"].as_str().unwrap().to_owned())
        })
        .collect();
    assert!(verdicts.contains(&(Some(1), "missed".to_owned())), "{verdicts:?}");
    assert!(verdicts.iter().all(|(code, verdict)| (*code == Some(0)) == (verdict == "caught")), "{verdicts:?}");
    room.complains(&["fuzz", "guest_memory/nobody"], "nobody");
    room.complains(&["fuzz", "nothing"], "\"nothing\"");
    let blocked = room.file("a_file", "");
    // It had begun: the error follows what was said until then.
    let blocked = blocked.to_str().unwrap();
    let output = room.run(&["fuzz", "guest_memory/GM-06", "--ops", "1M", "--json", "--seed", "7", "--out", blocked]);
    let errors = String::from_utf8(output.stderr).unwrap();
    assert_eq!((output.status.code(), output.stdout.len()), (Some(2), 0), "{errors}");
    assert!(errors.lines().last().is_some_and(|line| line.starts_with("error: cannot write ")), "{errors}");
}

#[test]
fn bench_measures_engines_and_subjects() {
    let room = Room::new();
    let measured = room.json(0, &["bench", "catch", "brk_heap/BH-01", "guest_memory/GM-01", "--seeds", "2", "--json"]);
    assert_eq!(measured["schema"], "memtwin-bench/1");
    let engines = measured["engines"].as_array().unwrap();
    assert_eq!(
        engines.iter().map(|engine| engine["engine"].as_str()).collect::<Vec<_>>(),
        [Some("guided"), Some("random")]
    );
    for engine in engines {
        assert_eq!((&engine["runs"], &engine["caught"]), (&Value::from(4), &Value::from(4)));
        assert!(
            engine["subjects"]
                .as_array()
                .unwrap()
                .iter()
                .all(|subject| 1.0 <= subject["executions"]["median"].as_f64().unwrap())
        );
    }
    let speed = room.json(0, &["bench", "speed", "page_walk", "guest_memory/soft_mmu", "--json"]);
    assert_eq!((&speed["schema"], speed["canaries"].as_array().unwrap().len()), (&"memtwin-bench/1".into(), 2));
    for subject in speed["subjects"].as_array().unwrap() {
        for way in ["alone", "model", "lockstep", "isolated", "ratio"] {
            assert!(0.0 < subject[way]["median"].as_f64().unwrap(), "{way} of {subject}");
        }
    }
    room.complains(&["bench", "catch", "guest_memory/soft_mmu"], "there is no Broken subject");
    room.complains(&["bench", "catch", "nosuch"], "unknown component");
    room.complains(&["fuzz", "GM-01"], "\"GM-01\" is a subject, not a component; say guest_memory/GM-01");
}

#[test]
fn witnesses_say_what_they_compared_or_why_not() {
    let room = Room::new();
    let said = room.expect(0, &["witness", "--probes", "400"]);
    let witnesses: Vec<_> = said.lines().filter(|line| !line.starts_with(' ')).collect();
    assert_eq!(witnesses.len(), 4, "{said}");
    for line in witnesses {
        assert!(line.contains(": skipped: ") || line.contains(" probes compared, 0 differences"), "{line}");
    }
    // This one needs no hardware and no feature.
    assert!(said.contains("page_walk/x86_64 crate: 4"), "{said}");
    room.complains(&["witness", "guest_memory"], "there are witnesses for page_walk, temp_map");
}

#[test]
fn files_that_are_no_traces_are_complained_about() {
    let room = Room::new();
    let header_with = |text: &str| HEADER.replace("\"component\"", &format!("{text},\"component\""));
    room.every_verb_complains(&room.path("missing.jsonl"), "cannot read");
    room.every_verb_complains(&room.file("empty.jsonl", ""), "is empty");
    room.every_verb_complains(&room.file("guest_memory/empty", ""), "is empty");
    room.every_verb_complains(&room.file("truncated.jsonl", &TRACE[..30]), ":1: EOF");
    room.every_verb_complains(&room.file("truncated_op.jsonl", &TRACE[..TRACE.len() - 10]), ":4: EOF");
    room.every_verb_complains(&room.file("text.jsonl", "dear diary\n"), "not a JSON trace");
    room.every_verb_complains(&room.file("guest_memory/text.jsonl", "dear diary\n"), "not a JSON trace");
    room.every_verb_complains(&room.file("other.jsonl", "{\"a\":1}\n"), "not a JSON trace");
    room.every_verb_complains(&room.file("bytes", [0, 159, 146, 150, 255]), "not a JSON trace");
    room.every_verb_complains(&room.file("bytes.jsonl", [HEADER.as_bytes(), b"\n\xff\n"].concat()), ":2: not UTF-8");
    room.every_verb_complains(&room.file("new.jsonl", HEADER.replace(":1,", ":3,")), "reads versions 1 and 2");
    let other_thread = format!("{}\n{{\"op\":\"memory_size\",\"owner\":0,\"lane\":1}}\n", HEADER.replace(":1,", ":2,"));
    room.every_verb_complains(
        &room.file("lane.jsonl", other_thread),
        ":2: lane 1: a trace of guest_memory has lanes below 1 only",
    );
    room.every_verb_complains(&room.file("new_fields.jsonl", r#"{"memtwin":7,"more":[]}"#), "version 7");
    room.every_verb_complains(&room.file("component.jsonl", HEADER.replace("guest_memory", "brain")), "\"brain\"");
    room.every_verb_complains(&room.file("field.jsonl", header_with("\"colour\":1")), "unknown field `colour`");
    room.every_verb_complains(&room.file("nested.jsonl", "{\"memtwin\":".repeat(10_000)), ":1: ");
    let nested = "[".repeat(10_000) + &"]".repeat(10_000);
    let nested = HEADER.replace("{\"memory_size\":\"0x10000\"}", &nested);
    room.every_verb_complains(&room.file("nested_setup.jsonl", nested), ":1: recursion");
    room.every_verb_complains(
        &room.file("nested_op.jsonl", format!("{HEADER}\n{}\n", "{\"op\":".repeat(10_000))),
        ":2: ",
    );
    fs::create_dir(room.path("folder")).unwrap();
    room.complains(&["replay", "folder"], "no trace in folder");
    room.every_verb_complains(&room.file("wrong_type.jsonl", "{\"memtwin\":1}\n"), "missing field");
    let subject = TRACE.replace("GM-01", "GM-99");
    let subject = room.file("subject.jsonl", subject);
    for verb in [&["replay"][..], &["explain"], &["shrink", "-o", "written"], &["accept"]] {
        room.complains(&[verb, &[subject.to_str().unwrap()]].concat(), "guest_memory/GM-99");
    }
}

#[test]
fn operands_that_are_out_of_range_are_complained_about() {
    let room = Room::new();
    let op = |name: &str, op: &str, about: &str| {
        room.every_verb_complains(&room.file(name, format!("{HEADER}\n{op}\n")), &format!(":2: {about}"));
    };
    op("owner.jsonl", r#"{"op":"memory_size","owner":9}"#, "an owner is 0 to 3");
    op("length.jsonl", r#"{"op":"read_bulk","owner":0,"address":"0x0","length":70000}"#, "a transfer is at most 65536");
    op("prefix.jsonl", r#"{"op":"read","owner":0,"address":"10","size":1}"#, "invalid value: string \"10\"");
    op("sign.jsonl", r#"{"op":"read","owner":0,"address":"0x+1","size":1}"#, "invalid value");
    op("bits.jsonl", r#"{"op":"read","owner":0,"address":"0x10000000000000000","size":1}"#, "invalid value");
    op("number.jsonl", r#"{"op":"read","owner":0,"address":16,"size":1}"#, "invalid type: integer `16`");
    op("size.jsonl", r#"{"op":"read","owner":0,"address":"0x0","size":256}"#, "invalid value: integer `256`");
    op("negative.jsonl", r#"{"op":"read","owner":0,"address":"0x0","size":-1}"#, "invalid value: integer `-1`");
    op("missing_field.jsonl", r#"{"op":"read","owner":0,"size":1}"#, "missing field `address`");
    op("unknown_op.jsonl", r#"{"op":"sing","owner":0}"#, "unknown variant `sing`");
    op("unknown_field.jsonl", r#"{"op":"memory_size","owner":0,"colour":1}"#, "unknown field `colour`");
    op("two.jsonl", r#"{"op":"memory_size","owner":0} {}"#, "trailing characters");
    op("escapes.jsonl", "{\"op\":\"\\u001b[31msing\\u0000\\u009b\",\"owner\":0}", "unknown variant");
    op("list.jsonl", "[1]", "");
    op("long.jsonl", &format!("{{\"op\":\"{}\"}}", "x".repeat(50_000)), "unknown variant");
    let setup = |name: &str, setup: &str, about: &str| {
        let text = HEADER.replace("\"memory_size\":\"0x10000\"", setup);
        room.every_verb_complains(&room.file(name, text), &format!(":1: setup: {about}"));
    };
    setup("large.jsonl", r#""memory_size":"0x1000000001""#, "memory_size is above 64 GiB");
    setup("none.jsonl", "", "missing field `memory_size`");
    let devices = |name: &str, devices: &str, about: &str| {
        setup(name, &format!(r#""memory_size":"0x10000","devices":[{devices}]"#), about);
    };
    devices("overlap.jsonl", r#"{"base":"0x0","size":9},{"base":"0x8","size":9}"#, "devices overlap");
    devices(
        "unsorted.jsonl",
        r#"{"base":"0x80","size":8},{"base":"0x8","size":8}"#,
        "devices overlap or are not sorted",
    );
    devices("empty_device.jsonl", r#"{"base":"0x0","size":0}"#, "a device has a size of 0");
    devices("wraps.jsonl", r#"{"base":"0xffffffffffffffff","size":2}"#, "a device has a size of 0");
    devices("register.jsonl", r#"{"base":"0x0","size":8,"faulty_register":8}"#, "a device has a size of 0");
    devices("many.jsonl", &[r#"{"base":"0x0","size":0}"#; 4].join(","), "more than 3 devices");
}

#[test]
fn a_header_alone_is_a_trace_without_ops() {
    let room = Room::new();
    room.file("one.jsonl", HEADER);
    assert!(room.expect(0, &["replay", "one.jsonl"]).ends_with("3 passed, 0 failed, 0 skipped\n"));
    room.expect(0, &["explain", "one.jsonl"]);
    room.expect(0, &["convert", "one.jsonl", "--to", "jsonl", "-o", "two.jsonl"]);
    assert_eq!(fs::read_to_string(room.path("two.jsonl")).unwrap(), format!("{HEADER}\n"));
    room.complains(&["shrink", "one.jsonl", "-o", "written"], "nothing to shrink");
    // Building memory of this size is what GM-05 fails on.
    room.file("small.jsonl", HEADER.replace("0x10000", "0x11"));
    room.expect(1, &["replay", "small.jsonl", "--subject", "GM-05"]);
}

/// Files of any size are refused before they are read whole.
#[test]
fn a_line_of_a_gigabyte_takes_no_gigabyte() {
    let room = Room::new();
    let path = room.path("guest_memory/large.jsonl");
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    let mut file = fs::File::create(&path).unwrap();
    file.write_all(b"{\"memtwin\":1,\"component\":\"").unwrap();
    file.set_len(1 << 30).unwrap();
    room.every_verb_complains(&path, "larger than 67108864 bytes");
    // The same below the limit: one line of zeros.
    file.set_len(60 << 20).unwrap();
    room.every_verb_complains(&path, ":1: ");
    file.write_all(b"guest_memory\",\"setup\":{\"memory_size\":\"0x10\"}}\n").unwrap();
    room.every_verb_complains(&path, ":2: ");
    let usage = nix::sys::resource::getrusage(nix::sys::resource::UsageWho::RUSAGE_CHILDREN).unwrap();
    assert!(usage.max_rss() < MOST_RESIDENT_KILOBYTES, "a child had {} KiB in memory", usage.max_rss());
}

/// More ops than wire bytes can hold are refused, not cut.
#[test]
fn a_trace_of_too_many_ops_is_refused() {
    let room = Room::new();
    let op = "{\"op\":\"write\",\"owner\":0,\"address\":\"0x123456789\",\"value\":\"0x0\",\"size\":8}\n";
    let path = room.file("long.jsonl", format!("{HEADER}\n{}", op.repeat(100_000)));
    room.every_verb_complains(&path, "at most 1048576");
}

#[test]
fn a_reader_that_goes_away_is_no_error() {
    let room = Room::new();
    for arguments in [&["list"][..], &["list", "--json"], &["completions", "bash"], &["--help"]] {
        let mut child = room.command(arguments).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        // The reader goes before or after the first line; both happen.
        let mut line = String::new();
        BufReader::with_capacity(16, child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let output = child.wait_with_output().unwrap();
        assert!(output.stderr.is_empty(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
        assert_eq!(output.status.code(), Some(0), "{arguments:?}");
    }
}

/// What is red with a reader is red without one.
#[test]
fn a_reader_that_goes_away_makes_nothing_green() {
    let room = Room::new();
    let failing = room.file(
        "failing.jsonl",
        format!("{}\n", HEADER.replace("}}", "},\"subject\":\"GM-01\",\"expect\":\"guest_memory/segfault/read\"}")),
    );
    let failing = failing.to_str().unwrap();
    let out = room.folder.path().join("out");
    let out = out.to_str().unwrap();
    let missed = ["fuzz", "guest_memory", "--broken", "--seed", "1", "--ops", "1000", "--workers", "1", "--out", out];
    for (arguments, codes) in [(&["replay", failing][..], &[2][..]), (&missed, &[1])] {
        assert_eq!(room.command(arguments).stdout(Stdio::null()).status().unwrap().code(), Some(1), "{arguments:?}");
        let mut child = room.command(arguments).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        drop(child.stdout.take());
        let output = child.wait_with_output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(
            output.status.code().is_some_and(|code| codes.contains(&code)),
            "{arguments:?} {:?} {said}",
            output.status
        );
    }
}

#[test]
fn no_colours_where_nobody_sees_them() {
    let room = Room::new();
    room.file("one.jsonl", TRACE);
    for (name, value) in [("NO_COLOR", "1"), ("TERM", "dumb"), ("CLICOLOR", "0")] {
        let arguments = ["replay", "one.jsonl"];
        let output = room.command(&arguments).env(name, value).output().unwrap();
        assert!(!output.stdout.contains(&0x1b) && !output.stderr.contains(&0x1b));
    }
    // NO_COLOR outranks a wish for colours.
    let output = room.command(&["list"]).env("NO_COLOR", "1").env("CLICOLOR", "1").output().unwrap();
    assert!(!output.stdout.contains(&0x1b));
}
