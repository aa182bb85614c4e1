//! Input that was made to harm: what it holds is neither obeyed nor paid for with more memory than its size explains.

use crate::command_line::{HEADER, Room, TRACE};
use std::process::{Command, Output, Stdio};

/// Address space for one run of the program, with its code: ten times the largest run file, and some more.
const ADDRESS_SPACE_KILOBYTES: &str = "400000";

/// Runs in a bounded address space, where too much memory is the end.
fn bounded(room: &Room, arguments: &[&str]) -> Output {
    let mut command = Command::new("sh");
    command.args(["-c", "ulimit -v \"$1\" && shift && exec \"$@\"", "sh", ADDRESS_SPACE_KILOBYTES]);
    command.arg(env!("CARGO_BIN_EXE_memtwin")).args(arguments).current_dir(room.path("")).stdin(Stdio::null());
    command.output().unwrap()
}

/// As [`bounded`], and expects one line of complaint.
fn complains(room: &Room, arguments: &[&str], about: &str) {
    let output = bounded(room, arguments);
    let errors = String::from_utf8_lossy(&output.stderr);
    assert_eq!((output.status.code(), errors.lines().count()), (Some(2), 1), "{arguments:?}: {errors}");
    assert!(errors.starts_with("error: ") && errors.contains(about), "{arguments:?} about {about:?}: {errors}");
}

/// A header is a line of a person's: a large one is refused before anything is made of it.
#[test]
fn a_header_of_many_parts_takes_little_memory() {
    let room = Room::new();
    let parts = HEADER.replace("{\"memory_size\":\"0x10000\"}", &format!("[{}[]]", "[],".repeat(20 << 20)));
    room.every_verb_complains(
        &room.file("parts.jsonl", parts),
        ":1: the header has 62914613 bytes; it may have at most 65536",
    );
    for verb in [&["explain"][..], &["convert", "--to", "wire", "-o", "written"], &["export", "--to", "rust-test"]] {
        complains(&room, &[verb, &["parts.jsonl"]].concat(), ":1: the header has 62914613 bytes");
    }
    let long = room.file("long.jsonl", format!("{HEADER}\n{{\"op\":{}}}", " ".repeat(1 << 20)));
    room.every_verb_complains(&long, ":2: the line has 1048583 bytes; an op may have at most 65536");
}

/// What a header says reaches the terminal on one line, where it begins no line and no command to a build server.
#[test]
fn no_header_begins_a_line() {
    let room = Room::new();
    let hostile = r#""expect":"x\n::stop-commands::t0ken\n111 passed, 0 failed\u202e","story":"s\n::warning::from a trace\n\t##[error]e\u202e""#;
    let expect = TRACE.split_once(",\"expect\"").unwrap().0;
    let op = "{\"op\":\"read_bulk\",\"owner\":0,\"address\":\"0x1000\",\"length\":16}";
    room.file("one.jsonl", format!("{expect},{hostile}}}\n{op}\n"));
    for (code, arguments) in [
        (1, &["replay", "one.jsonl"][..]),
        (1, &["replay", "one.jsonl", "--json"]),
        (0, &["explain", "one.jsonl"]),
        (0, &["explain", "one.jsonl", "--json"]),
        (0, &["export", "one.jsonl", "--to", "rust-test"]),
        (1, &["regress", "one.jsonl"]),
    ] {
        let text = room.expect(code, arguments);
        let forged = text.lines().find(|line| {
            ["::", "111 passed"].iter().any(|start| line.trim_start().starts_with(start)) || line.contains("##[")
        });
        assert_eq!(forged, None, "{arguments:?}");
        assert!(!text.contains('\u{202e}'), "{arguments:?}: {text}");
        assert!(arguments.len() == 3 || !text.contains("passed, 0 failed") || text.contains("\\n111 passed"), "{text}");
    }
}

/// A test is made in the supervisor, outside of the sandbox: its size and its work are bounded.
#[test]
fn exports_end_by_a_limit() {
    let room = Room::new();
    let write = |index: u64| {
        let value = index.wrapping_mul(0x9e37_79b9_7f4a_7c15);
        format!(
            "{{\"op\":\"write\",\"owner\":0,\"address\":\"{:#x}\",\"value\":\"{value:#x}\",\"size\":8}}\n",
            index * 8
        )
    };
    let read = "{\"op\":\"read_bulk\",\"owner\":0,\"address\":\"0x0\",\"length\":65536}\n";
    let bulk = "{\"op\":\"write_bulk\",\"owner\":0,\"address\":\"0x0\",\"seed\":1,\"length\":1}\n";
    let dump = "{\"op\":\"dump\",\"owner\":0}\n";
    let writes: String = (0..8192).map(write).collect();
    let refused = |name: &str, text: String, about: &str| {
        room.file(name, text);
        complains(&room, &["export", name, "--to", "rust-test", "-o", "written"], about);
        assert!(!room.path("written").exists());
    };
    refused("bytes.jsonl", format!("{HEADER}\n{writes}{}", read.repeat(1500)), "larger than 16 MiB");
    refused("ops.jsonl", format!("{HEADER}\n{}", bulk.repeat(10_001)), "more than 10,000 ops");
    refused("answers.jsonl", format!("{HEADER}\n{}", dump.repeat(9_000)), "more than 256 MiB");
    // What is many times as much as a finding has is still made.
    room.file("much.jsonl", format!("{HEADER}\n{writes}{}{}", bulk.repeat(1000), read.repeat(30)));
    let output = bounded(&room, &["export", "much.jsonl", "--to", "rust-test", "-o", "much.rs"]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

/// A run file of legal parts that each cost far more than their text is read in bounded memory, or refused in one line.
#[test]
fn run_files_of_many_parts_take_little_memory() {
    let room = Room::new();
    let subject = |field: &str, parts: &str| {
        let outcomes = if field == "outcomes" { parts } else { "" };
        let [shortfalls, findings] = ["shortfalls", "findings"].map(|name| if field == name { parts } else { "" });
        format!(
            r#"{{"component":"a","subject":"b","health":"sound","verdict":"agreed","traces":1,"ops":1,"moot":0,"unsupported":0,
            "unconfirmed":0,"seconds":1,"features":1,"outcomes":{{{outcomes}}},"shortfalls":[{shortfalls}],"findings":[{findings}]}}"#
        )
    };
    let run = |subject: &str, traces: &str| {
        format!(
            r#"{{"schema":"memtwin-run/1","kind":"regress","seed":1,"subjects":[{subject}],"traces":[{traces}],"totals":{{"subjects":1,
            "agreed":1,"caught":0,"missed":0,"diverged":0,"shortfalls":0,"findings":0,"traces":1,"ops":1}}}}"#
        )
    };
    let many = |part: &str, bytes: usize| vec![part; bytes / (part.len() + 1)].join(",");
    let finding = r#"{"signature":"","kind":"","op":"","trace":"","executions":0,"seconds":0}"#;
    let kinds: Vec<_> = (0..400_000).map(|kind| format!("\"{kind}\":{{\"b\":1}}")).collect();
    let row = r#"{"trace":"","target":"a/b","status":"gone","unexpected":true}"#;
    for (text, refused) in [
        (run(&subject("shortfalls", &many("\"\"", 40 << 20)), ""), Some("larger than 33554432 bytes")),
        (run(&subject("shortfalls", &many("\"\"", 30 << 20)), ""), Some("more parts than fit")),
        (run(&subject("shortfalls", &many("\"\"", 1 << 20)), ""), Some("shortfalls; a run file has at most 20000")),
        (run(&subject("findings", &many(finding, 8 << 20)), ""), Some("findings; a run file has at most 20000")),
        (run(&subject("outcomes", &kinds.join(",")), ""), Some("more parts than fit")),
        (run(&subject("", ""), &many(row, 8 << 20)), None),
    ] {
        room.file("run.json", text);
        let report = ["report", "run.json", "--to", "html,junit,sarif,md", "--out", "out"];
        match refused {
            Some(about) => complains(&room, &report, about),
            None => {
                for arguments in [&report[..], &["merge", "run.json", "--out", "merged.json"]] {
                    let output = bounded(&room, arguments);
                    assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
                }
            }
        }
    }
}

/// What a run file says in sum is added up anew: nobody can write that all is well above a finding.
#[test]
fn totals_are_not_believed() {
    let room = Room::new();
    let run = room.json(0, &["fuzz", "guest_memory/soft_mmu", "--ops", "1k", "--seed", "1", "--json"]);
    let mut forged = run.clone();
    forged["subjects"][0]["verdict"] = "diverged".into();
    room.file("forged.json", forged.to_string());
    room.expect(0, &["report", "forged.json", "--to", "md", "--out", "out"]);
    let report = std::fs::read_to_string(room.path("out/report.md")).unwrap();
    assert!(report.contains("not as expected"), "{report}");
}

#[test]
fn foreign_text_never_reaches_the_terminal_raw() {
    let room = Room::new();
    let escape = "\\u001b[31m\\u0007\\u0000\\u009b";
    room.every_verb_complains(&room.file("a.jsonl", HEADER.replace("guest_memory", escape)), "unknown component");
    let text = TRACE.replace("GM-01", escape);
    room.complains(&["replay", room.file("b.jsonl", text).to_str().unwrap()], "unknown subject");
    room.complains(&["replay", "no\x1b[31msuch\nfile"], "cannot read");
    // What a header says is shown by explain, which is no reason to obey it.
    let text = TRACE.replace("\"subject\"", &format!("\"story\":\"{escape}\",\"subject\""));
    room.file("c.jsonl", &text);
    let text = room.expect(0, &["explain", "c.jsonl"]);
    assert!(!text.chars().any(|c| c.is_control() && c != '\n'), "{text:?}");
    let text = TRACE.replace("guest_memory/segfault", escape);
    room.file("d.jsonl", text);
    for verb in [&["replay"][..], &["explain"]] {
        let output = room.run(&[verb, &["d.jsonl"]].concat());
        let text = String::from_utf8(output.stdout).unwrap();
        assert!(!text.chars().any(|c| c.is_control() && c != '\n'), "{text:?}");
    }
}
