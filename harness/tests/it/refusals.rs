//! Requests to the system that a setup refuses reach malloc libraries and the host's own malloc, on any thread, and
//! their model is told: who answers null then is right, and who goes on as if nothing had happened is caught.

use crate::command_line::Room;
use crate::libraries::{library, named};

/// A trace of these ops on a subject, with a fault plan.
fn trace(subject: &str, fault: &str, ops: &[&str]) -> String {
    let setup = format!(r#"{{"threads":2,"first_bytes":4096,"fault":{fault}}}"#);
    let header = format!(r#"{{"memtwin":2,"component":"heap","setup":{setup},"subject":"{subject}"}}"#);
    std::iter::once(header).chain(ops.iter().map(|op| (*op).to_owned())).map(|line| line + "\n").collect()
}

/// What `explain` says of each step of a trace that must agree.
fn steps(room: &Room, subject: &str, fault: &str, ops: &[&str], more: &[&str]) -> Vec<String> {
    room.file("trace.jsonl", trace(subject, fault, ops));
    let text = room.expect(0, &[&["explain", "trace.jsonl"], more].concat());
    assert!(text.contains("The subject agreed with the model at every step"), "{text}");
    let lines: Vec<&str> = text.lines().collect();
    let answers = lines.windows(2).filter(|pair| pair[0].starts_with('✓')).map(|pair| pair[1].trim().to_owned());
    answers.collect()
}

const NEXT_MAP: &str = r#"{"request":"map","after":0}"#;
const ALL_MAPS: &str = r#"{"request":"map","after":0,"lasts":true}"#;
const SIXTEEN_MIB: &str = r#"{"op":"malloc","slot":0,"size":"0x1000000"}"#;
const REFUSED: &str = "null; errno ENOMEM; the system refused a request";

#[test]
fn a_refused_request_of_the_hosts_malloc_is_null_with_a_reason() {
    let room = Room::new();
    // What is refused once glibc asks for otherwise; then nothing is left to ask for.
    let other_way = steps(&room, "libc", NEXT_MAP, &[SIXTEEN_MIB], &[]).remove(0);
    assert!(other_way.starts_with("a block") && other_way.ends_with("the system refused a request"), "{other_way}");
    assert_eq!(steps(&room, "libc", ALL_MAPS, &[SIXTEEN_MIB], &[]), [REFUSED]);
    let rust = r#"{"op":"alloc","slot":0,"size":"0x1000000","align":"0x10"}"#;
    assert_eq!(steps(&room, "system", ALL_MAPS, &[rust], &[]), ["null; the system refused a request"]);
    // The third request is the first that is refused: two blocks beyond what glibc maps at least (man 3 mallopt).
    let third = r#"{"request":"map","after":2,"lasts":true}"#;
    let other = |slot: u32| SIXTEEN_MIB.replace(":0,", &format!(":{slot},"));
    assert_eq!(
        steps(&room, "libc", third, &[SIXTEEN_MIB, &other(1), &other(2)], &[]),
        ["a block", "a block", REFUSED],
        "requests are counted"
    );
}

#[test]
fn memory_that_the_system_does_not_take_back_or_treat_otherwise_is_no_failure() {
    let room = Room::new();
    let unmap =
        steps(&room, "libc", r#"{"request":"unmap","after":0}"#, &[SIXTEEN_MIB, r#"{"op":"free","slot":0}"#], &[]);
    assert_eq!(unmap[0], "a block");
    assert!(unmap[1].starts_with("done; the system refused a request"), "{unmap:?}");
    let small = r#"{"op":"fill","slot":0,"count":255,"size":"0x1000"}"#;
    let drain = r#"{"op":"drain","slot":0,"count":254,"every":1}"#;
    let advise = r#"{"request":"advise","after":0,"lasts":true}"#;
    let trimmed = steps(&room, "libc", advise, &[small, drain, r#"{"op":"trim"}"#], &[]);
    assert_eq!(trimmed[2], "done; the system refused a request");
}

#[test]
fn another_thread_is_refused_as_the_first_is_and_ends_in_peace() {
    let room = Room::new();
    let there = SIXTEEN_MIB.replace("}", r#","lane":1}"#);
    let exit = r#"{"op":"thread_exit","lane":1}"#;
    let answers = steps(&room, "libc", ALL_MAPS, &[&there, exit, SIXTEEN_MIB, &there], &[]);
    assert_eq!(answers, [REFUSED, "done", REFUSED, REFUSED]);
    // The arena of another thread grows by mprotect.
    let grows = r#"{"op":"fill","slot":0,"count":100,"size":"0x1000","lane":1}"#;
    let advise = r#"{"request":"advise","after":0,"lasts":true}"#;
    let answers = steps(&room, "libc", advise, &[grows, exit], &[]);
    assert!(answers[0].contains("the system refused a request"), "{answers:?}");
}

#[test]
fn a_library_that_answers_null_to_what_the_system_refuses_agrees() {
    let room = Room::new();
    let Some(library) = library(&room, "libtiny.so") else { return };
    let mapping = named(&library, "mapping_");
    let resize = r#"{"op":"realloc","slot":0,"size":"0x2000"}"#;
    let small = r#"{"op":"malloc","slot":0,"size":"0x10"}"#;
    let second = r#"{"request":"map","after":1}"#;
    let answers = steps(&room, "libtiny.so", second, &[small, resize, resize], &["--library", &mapping]);
    assert_eq!(answers[0], "a block");
    assert!(answers[1].starts_with(REFUSED) && answers[2].starts_with("a block"), "{answers:?}");
    let fuzz = ["fuzz", "heap", "--library", &mapping, "--seed", "1", "--ops", "200k", "--json"];
    let run = room.json(0, &fuzz);
    let subject = &run["subjects"][0];
    assert_eq!((&subject["verdict"], &subject["unconfirmed"]), (&"agreed".into(), &0.into()), "{subject}");
}

#[test]
fn a_library_that_does_not_notice_what_the_system_refuses_is_caught() {
    let room = Room::new();
    let Some(library) = library(&room, "libtiny.so") else { return };
    for (prefix, finding) in [("trusting_", "segfault-malloc"), ("losing_", "segfault-realloc")] {
        let wrong = named(&library, prefix);
        let fuzz = ["fuzz", "heap", "--library", &wrong, "--seed", "1", "--ops", "200k", "--out", prefix];
        room.expect(1, &fuzz);
        let trace = format!("{prefix}/heap/libtiny.so-{finding}.jsonl");
        let text = std::fs::read_to_string(room.path(&trace)).unwrap();
        assert!(text.contains(r#""request":"map""#), "the refusal is part of what shows it: {text}");
        room.expect(0, &["replay", &trace, "--library", &wrong]);
        for form in ["c", "rust-test"] {
            room.complains(&["export", &trace, "--to", form, "--library", &wrong], "the system refuses memory");
        }
    }
}
