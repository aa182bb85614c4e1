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
