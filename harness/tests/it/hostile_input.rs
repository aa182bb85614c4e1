//! Input that was made to harm: what it holds is neither obeyed nor paid for with more memory than its size explains.

use crate::command_line::{HEADER, MOST_RESIDENT_KILOBYTES, Room, TRACE};

/// A header is a line of a person's: a large one is refused before anything is made of it.
#[test]
fn a_header_of_many_parts_takes_little_memory() {
    let room = Room::new();
    let parts = HEADER.replace("{\"memory_size\":\"0x10000\"}", &format!("[{}[]]", "[],".repeat(20 << 20)));
    room.every_verb_complains(
        &room.file("parts.jsonl", parts),
        ":1: the header has 62914613 bytes; it may have at most 65536",
    );
    let long = room.file("long.jsonl", format!("{HEADER}\n{{\"op\":{}}}", " ".repeat(1 << 20)));
    room.every_verb_complains(&long, ":2: the line has 1048583 bytes; an op may have at most 65536");
    let usage = nix::sys::resource::getrusage(nix::sys::resource::UsageWho::RUSAGE_CHILDREN).unwrap();
    assert!(usage.max_rss() < MOST_RESIDENT_KILOBYTES, "a child had {} KiB in memory", usage.max_rss());
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
        room.complains(&["export", name, "--to", "rust-test", "-o", "written"], about);
        assert!(!room.path("written").exists());
    };
    refused("bytes.jsonl", format!("{HEADER}\n{writes}{}", read.repeat(1500)), "larger than 16 MiB");
    refused("ops.jsonl", format!("{HEADER}\n{}", bulk.repeat(10_001)), "more than 10,000 ops");
    refused("answers.jsonl", format!("{HEADER}\n{}", dump.repeat(9_000)), "more than 256 MiB");
    // What is many times as much as a finding has is still made.
    room.file("much.jsonl", format!("{HEADER}\n{writes}{}{}", bulk.repeat(1000), read.repeat(30)));
    room.expect(0, &["export", "much.jsonl", "--to", "rust-test", "-o", "much.rs"]);
    let usage = nix::sys::resource::getrusage(nix::sys::resource::UsageWho::RUSAGE_CHILDREN).unwrap();
    assert!(usage.max_rss() < MOST_RESIDENT_KILOBYTES, "a child had {} KiB in memory", usage.max_rss());
}
